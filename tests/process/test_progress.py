"""What a person sees of a stage: one line of a short one, a bar or tenths with rate and time left of a long one."""

import io
import logging
import re
import sys

import pytest

from gpu_pricer.process import progress as module
from gpu_pricer.process.progress import progress


class Terminal(io.StringIO):
    """A standard error that claims to be a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that every advance of a stage moves by `clock.step` seconds."""

    class Clock:
        now, step = 0.0, 1.0

        def monotonic(self):
            return self.now

    moved = Clock()
    monkeypatch.setattr(module, "time", moved)
    return moved


def stage(clock, total=20):
    with progress("score", total) as advance:
        for _ in range(total):
            clock.now += clock.step
            advance(1)


def test_a_short_stage_is_one_line(clock, caplog):
    caplog.set_level(logging.INFO)
    clock.step = 0.1

    stage(clock)

    assert caplog.messages == ["score: 20 in 2.0 s"]


def test_a_long_stage_tells_its_rate_and_the_time_left_in_tenths(clock, caplog):
    caplog.set_level(logging.INFO)

    stage(clock)

    assert caplog.messages[0] == "score: 20 %, 1/s, 16 s left"
    assert caplog.messages[-2:] == ["score: 90 %, 1/s, 2 s left", "score: 20 in 20.0 s"]


@pytest.mark.parametrize("step", [0.1, 1.0])
def test_a_terminal_shows_a_bar_of_a_stage_that_lasts_and_none_of_a_short_one(clock, monkeypatch, caplog, step):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(sys, "stderr", Terminal())
    clock.step = step

    stage(clock)

    assert ("%" in sys.stderr.getvalue()) == (step == 1.0)
    assert len(caplog.messages) == 1


def test_no_color_leaves_no_colour_in_a_bar(clock, monkeypatch, caplog):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stderr", Terminal())
    caplog.set_level(logging.INFO)

    stage(clock)

    assert re.findall(r"\x1b\[[\d;]*3\d[\d;]*m", sys.stderr.getvalue()) == []


def test_a_quiet_stage_says_nothing(clock, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(sys, "stderr", Terminal())

    stage(clock)

    assert (sys.stderr.getvalue(), caplog.messages) == ("", [])
