"""The tasks that there are: each module registers its own, and so can anybody else's."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from lifline.errors import InputError

from .. import settings as _settings
from ..model import SpikingNetwork
from ..samples import Data
from ..settings import Description
from .settings import TaskSettings

S = TypeVar("S", bound=TaskSettings)

#: Installed packages name modules that register tasks as entry points of this group.
ENTRY_POINTS = "lifline.tasks"


@dataclasses.dataclass(frozen=True)
class Task(Generic[S]):
    """A data set, an encoding and a network."""

    name: str
    title: str
    settings: S  #: the defaults
    load: Callable[[S, Path | None], Data]  #: from settings and the data's folder
    build: Callable[[S, Data], SpikingNetwork]  #: an untrained model, from torch's random numbers
    encode: Callable[[np.ndarray, S], np.ndarray]  #: values to spikes, uint8 (samples, ticks, inputs)
    vary: Callable[[np.ndarray, S, np.random.Generator], np.ndarray]
    """Likewise, for learning: a bit different each time."""
    data: bool = True  #: whether it reads files from a folder


#: The tasks by name, in the order in which they were registered.
TASKS: dict[str, Task[TaskSettings]] = {}


def register(task: Task[S]) -> Task[S]:
    """Make a task known by its name.

    Raises
    ------
    InputError
        If another task has this name.
    """
    if task.name in TASKS and TASKS[task.name] is not task:
        raise InputError(f"task '{task.name}' is registered already; give this one another name")
    TASKS[task.name] = task  # type: ignore[assignment]  # it is called with its own settings only
    return task


def names() -> list[str]:
    """The names of all tasks, those of installed packages included."""
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        entry.load()
    return sorted(TASKS)


def find(name: str) -> Task[TaskSettings]:
    """The task of this name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in TASKS and name not in (known := names()):
        raise InputError(f"no task '{name}'; the tasks are {', '.join(known)}")
    return TASKS[name]


def describe(name: str) -> list[Description]:
    """(name, default, range, meaning) of each setting of a task, its own first."""
    return _settings.describe(find(name).settings)


def help_text(name: str) -> str:
    """The settings of a task as a table of plain text."""
    task = find(name)
    rows = [("setting", "default", "range", "meaning")]
    for described in describe(name):
        default = described.default
        text = {True: "true", False: "false"}[default] if isinstance(default, bool) else f"{default}"
        rows.append((described.name, text or "''", described.range, described.meaning))
    width = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(text.ljust(w) for text, w in zip(row, width, strict=False)), row[3]])
        for row in rows
    ]
    return "\n".join([f"{task.name}: {task.title}", "", *lines])
