"""The monitor: what a board does, in the terminal and as a page of this machine."""

import asyncio
import http.client
import json
import threading
import time

import numpy as np
import pytest
from textual.widgets import Static

from lifline.app.main import main
from lifline.app.monitor import command
from lifline.app.monitor.feed import WINDOW, Feed
from lifline.app.monitor.terminal import Monitor, raster
from lifline.app.monitor.web import Page
from lifline.boards import Device
from lifline.golden import simulate

from ..boards.simulation import ModelBoard, small_network, some_spikes

NETWORK = small_network()
SPIKES = some_spikes(NETWORK, 8)


def feed(board=None, labels=None):
    return Feed(
        Device(board or ModelBoard(NETWORK), NETWORK, timeout=1), SPIKES, labels, interval=0.001
    )


def wait(ready):
    end = time.monotonic() + 20
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_feed_shows_what_the_board_answers():
    golden = simulate(NETWORK, SPIKES)
    labels = golden.classes.copy()
    labels[0] += 1
    with feed(labels=labels) as running:
        wait(lambda: len(running.view().classes) == WINDOW)
        view = running.view()
    shot = view.shot
    index = shot.number % len(SPIKES)
    assert np.array_equal(shot.spikes, golden.spikes["output"][index])
    assert shot.winner == golden.classes[index]
    assert view.classes[-1] == shot.winner
    assert view.correct < view.labelled == shot.number + 1
    assert view.samples_per_second > 0
    last = [n % len(SPIKES) for n in range(shot.number - WINDOW + 1, shot.number + 1)]
    assert np.allclose(view.rates, golden.spikes["output"][last].mean(axis=(0, 1)))


def test_rasters():
    spikes = np.zeros((3, 4), np.uint8)
    spikes[0, 0] = spikes[1, 1] = spikes[2, 2] = spikes[2, 3] = 1
    assert raster(spikes) == "▀▄ \n  █"
    large = np.zeros((300, 784), np.uint8)
    large[299, 783] = 1
    lines = raster(large).split("\n")
    assert (len(lines), {len(line) for line in lines}) == (24, {64})
    assert lines[-1][-1] == "▄"
    assert raster(large[:0]) == ""


def test_the_terminal():
    async def look(running):
        app = Monitor(running)
        async with app.run_test(size=(120, 40)) as pilot:
            for _ in range(200):
                await pilot.pause(0.05)
                if "class" in str(app.query_one("#headline", Static).render()):
                    break
            shown = {
                name: str(app.query_one(f"#{name}", Static).render())
                for name in ("headline", "rates", "classes", "outputs")
            }
            await pilot.press("q")
        return shown

    with feed() as running:
        shown = asyncio.run(look(running))
    assert "cycles" in shown["headline"]
    assert "samples/s" in shown["headline"]
    assert "►" in shown["rates"]
    assert shown["classes"].startswith("classes: ")
    assert "\n" in shown["outputs"]


def get(page, path, host=None):
    connection = http.client.HTTPConnection(*page.server_address, timeout=5)
    connection.request("GET", path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_the_page():
    with feed() as running, Page(running) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        wait(lambda: running.view().shot is not None)
        assert page.server_address[0] == "127.0.0.1"
        status, text = get(page, "/")
        assert (status, b"lifline monitor" in text) == (200, True)
        values = json.loads(get(page, "/state")[1])
        assert values["class"] == values["classes"][-1]
        assert len(values["rates"]) == 5
        assert get(page, "/other")[0] == 404
        assert get(page, "/state", "evil.example:80")[0] == 403
        page.shutdown()


def test_a_board_that_goes_is_said(tmp_path):
    board = ModelBoard(NETWORK)
    with feed(board) as running:
        wait(lambda: running.view().shot is not None)
        board.silent = True
        wait(lambda: running.view().error is not None)
        assert "answer" in running.view().error


def test_the_command(tmp_path, monkeypatch, capsys):
    NETWORK.save(tmp_path / "network.npz")
    np.savez(tmp_path / "spikes.npz", spikes=SPIKES, labels=simulate(NETWORK, SPIKES).classes)
    board = ModelBoard(NETWORK)
    monkeypatch.setattr(command.options, "connected", lambda *_: Device(board, NETWORK, timeout=1))
    arguments = [
        "monitor",
        str(tmp_path / "network.npz"),
        "--port",
        "x",
        "--seconds",
        "0.5",
        "--interval",
        "0.01",
    ]
    assert main([*arguments, "--json", "--input", str(tmp_path / "spikes.npz")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["correct"] == lines[-1]["labelled"] > 0
    board.silent = False
    assert main([*arguments, "--web"]) == 0
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")
    board.silent = False
    monkeypatch.setattr(ModelBoard, "_answer", lambda self: setattr(self, "silent", True))
    assert main([*arguments, "--json", "--seconds", "20"]) == 2
    error = capsys.readouterr().err
    assert "answer" in error
    assert error.count("\n") == 1


@pytest.fixture(autouse=True)
def no_leftovers():
    yield
    assert threading.active_count() < 8
