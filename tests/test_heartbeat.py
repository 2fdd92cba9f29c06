"""Lines by which a stage that lasts shows that it goes on."""

import logging

import pytest

from gpu_pricer import heartbeat
from gpu_pricer.heartbeat import SILENCE, beat


@pytest.fixture
def clock(monkeypatch, caplog):
    """A clock that stands still until it is set, and a log in which heartbeats show."""
    now = [1000.0]
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: now[0])
    root = logging.getLogger()
    root.addHandler(heartbeat.last_line)
    heartbeat.last_line.time = now[0]
    caplog.set_level(logging.INFO)
    yield now
    root.removeHandler(heartbeat.last_line)


def test_a_stage_says_how_far_it_is_once_the_log_was_silent(clock, caplog):
    for second in range(20):
        clock[0] = 1000.0 + second
        beat("step %d of %d", second, 20)

    assert [record.getMessage() for record in caplog.records] == [f"step {n} of 20" for n in (5, 10, 15)]


def test_any_line_of_the_log_counts(clock, caplog):
    clock[0] += SILENCE - 1
    logging.getLogger("gpu_pricer.jobs").info("another stage")
    clock[0] += SILENCE - 1
    beat("still here")

    assert [record.getMessage() for record in caplog.records] == ["another stage"]


def test_a_process_without_a_log_of_its_own_has_no_heartbeats(caplog):
    caplog.set_level(logging.INFO)
    heartbeat.last_line.time = -1e9

    beat("step %d", 1)

    assert not caplog.records
