"""Settings: every one has a default, a range and a meaning, and is refused outside of it in one clear line."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import pytest

from lifline import InputError
from lifline.train import Settings
from lifline.train.settings import FRACTION, Range, changed, describe, setting
from lifline.train.tasks import TASKS, TaskSettings, find


@dataclasses.dataclass(frozen=True, kw_only=True)
class Own(Settings):
    """As a user would write it."""

    epochs: int = 7
    jitter: float = setting(0.25, "of spikes, in ticks", FRACTION)
    mirrored: bool = setting(False, "whether it is mirrored")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "setting 'epochs' must be an integer, 1 or more, not 0"),
        ({"batch": 2.5}, "setting 'batch' must be an integer, 1 or more, not 2.5"),
        (
            {"batch": 10**31},
            "setting 'batch' must be an integer, 1 or more, at most 1e+09, not 1" + "0" * 31,
        ),
        (
            {"learning_rate": 1e308},
            "setting 'learning_rate' must be above 0, at most 1e+06, not 1e+308",
        ),
        ({"batch": True}, "setting 'batch' must be an integer, 1 or more, not True"),
        ({"learning_rate": 0.0}, "setting 'learning_rate' must be above 0, not 0.0"),
        ({"learning_rate": math.inf}, "setting 'learning_rate' must be above 0, not inf"),
        ({"learning_rate": "fast"}, "setting 'learning_rate' must be above 0, not 'fast'"),
        ({"annealing": 2}, "setting 'annealing' must be in 0 … 1, not 2"),
        ({"annealing": math.nan}, "setting 'annealing' must be in 0 … 1, not nan"),
        ({"label_smoothing": 1.0}, "setting 'label_smoothing' must be 0 or more, less than 1, not 1.0"),
        ({"validation": 1.0}, "setting 'validation' must be 0 or more, less than 1, not 1.0"),
        (
            {"loss": "best"},
            "setting 'loss' must be one of spike_count, membrane, membrane_each_tick, first_spike, not 'best'",
        ),
        (
            {"rate_low": 0.5, "rate_high": 0.2},
            "setting 'rate_low' must be at most rate_high = 0.2, not 0.5",
        ),
        ({"mirrored": 1}, "setting 'mirrored' must be true or false, not 1"),
        ({"jitter": -0.1}, "setting 'jitter' must be in 0 … 1, not -0.1"),
    ],
)
def test_what_is_out_of_range_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        Own(**values)
    assert str(refused.value) == message
    with pytest.raises(InputError, match=re.escape(message)):
        changed(Own(), values)


@pytest.mark.parametrize(
    ("task", "values", "message"),
    [
        ("digits", {"drop": 1.5}, "setting 'drop' must be 0 or more, less than 1, not 1.5"),
        ("digits", {"max_rate": 0}, "setting 'max_rate' must be above 0, at most 1, not 0"),
        (
            "digits",
            {"membrane_bits": 25},
            "setting 'membrane_bits' must be an integer in 8 … 24, not 25",
        ),
        ("mnist", {"darkest": 1}, "setting 'darkest' must be 0 or more, less than 1, not 1"),
        ("mnist", {"turn": 181.0}, "setting 'turn' must be in 0 … 180, not 181.0"),
        ("mnist", {"stretch": -1.0}, "setting 'stretch' must be 0 or more, less than 1, not -1.0"),
        ("mnist", {"shift": 29.0}, "setting 'shift' must be in 0 … 28, not 29.0"),
        ("nmnist", {"shift": 18}, "setting 'shift' must be an integer in 0 … 17, not 18"),
        ("fsdd", {"vary": 3.0}, "setting 'vary' must be in 0 … 2, not 3.0"),
        ("fsdd", {"ticks": 101}, "setting 'ticks' must be an integer in 1 … 100, not 101"),
        (
            "fsdd",
            {"delays": "some"},
            "setting 'delays' must be one of learned, random, none, not 'some'",
        ),
        ("fsdd", {"quantised": 1.0}, "setting 'quantised' must be less than 1 with learned delays"),
        ("fsdd", {"neuron": "hh"}, "setting 'neuron' must be one of lif, cuba, alif, once, not 'hh'"),
        ("fsdd", {"speaker": 3}, "setting 'speaker' must be text, not 3"),
        ("arrays", {"max_delay": 256}, "setting 'max_delay' must be an integer in 0 … 255, not 256"),
        ("arrays", {"weight_bits": 1}, "setting 'weight_bits' must be an integer in 2 … 16, not 1"),
        ("arrays", {"slope": 0.0}, "setting 'slope' must be above 0, not 0.0"),
        (
            "arrays",
            {"surrogate": "x"},
            "setting 'surrogate' must be one of fast_sigmoid, atan, triangle",
        ),
        (
            "arrays",
            {"scale": "x"},
            "setting 'scale' must be one of auto, free, power_of_two, per_neuron",
        ),
    ],
)
def test_tasks_refuse_it_likewise(task: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(message)):
        changed(find(task).settings, values)


def test_text_becomes_what_the_setting_is() -> None:
    settings = changed(Own(), {"batch": "32", "learning_rate": "1e-2", "mirrored": "True", "jitter": 1})
    assert (settings.batch, settings.learning_rate, settings.mirrored) == (32, 0.01, True)
    assert (settings.jitter, type(settings.jitter)) == (1.0, float)
    for values, message in [
        ({"batch": "many"}, "setting 'batch' must be an integer, 1 or more, not 'many'"),
        ({"batch": "1.5"}, "setting 'batch' must be an integer, 1 or more, not '1.5'"),
        ({"mirrored": "yes"}, "setting 'mirrored' must be true or false, not 'yes'"),
        ({"bach": "1"}, "no setting 'bach'; the settings are epochs, batch, "),
    ]:
        with pytest.raises(InputError, match="^" + re.escape(message)):
            changed(Own(), values)


def test_ranges_in_words() -> None:
    for allowed, words, inside, outside in [
        (Range(0, 1), "0 … 1", [0, 0.5, 1], [-0.1, 1.1]),
        (Range(0, 1, above=True), "above 0, at most 1", [0.1, 1], [0]),
        (Range(0, 1, below=True), "0 or more, less than 1", [0, 0.9], [1]),
        (Range(2), "2 or more", [2, 1e9], [1.9, math.inf, math.nan]),
        (Range(2, above=True), "above 2", [2.1], [2]),
    ]:
        assert str(allowed) == words
        assert all(value in allowed for value in inside)
        assert not any(value in allowed for value in outside)


def test_a_subclass_changes_a_default_and_keeps_range_and_meaning() -> None:
    described = {description.name: description for description in describe(Own())}
    assert described["epochs"] == ("epochs", 7, "1 or more", "passes over the training samples")
    assert described["jitter"] == ("jitter", 0.25, "0 … 1", "of spikes, in ticks")
    assert described["mirrored"].range == "true, false"
    assert list(described)[:2] == ["jitter", "mirrored"]  # its own first


@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_setting_of_a_task_is_described(task: str) -> None:
    settings = find(task).settings
    described = describe(settings)
    assert {d.name for d in described} == {field.name for field in dataclasses.fields(settings)}
    for name, default, allowed, meaning in described:
        assert meaning
        assert allowed
        assert default == getattr(settings, name)


def test_scales_per_neuron_are_the_default_with_few_bits() -> None:
    scales = {bits: TaskSettings(weight_bits=bits).hidden_scale for bits in (2, 3, 4, 5, 8, 16)}
    assert scales == dict.fromkeys((2, 3), "per_neuron") | dict.fromkeys((4, 5, 8, 16), "free")
    assert TaskSettings(weight_bits=2, scale="free").hidden_layer(3, 0.5).scale == "free"
    assert TaskSettings(weight_bits=2).hidden_layer(3, 0.5).scale == "per_neuron"
