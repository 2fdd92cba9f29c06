"""What slurm/reprice.sh submits, noted by an sbatch that runs nothing."""

import os
import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "slurm/reprice.sh"


def submitted(folder, *settings, **variables):
    """The words of each job by its name."""
    sbatch, noted = folder / "sbatch", folder / "noted"
    sbatch.write_text(f'#!/usr/bin/env bash\nprintf "%s\\t" "$@" >> {noted}\necho >> {noted}\nwc --lines < {noted}\n')
    sbatch.chmod(0o755)
    environment = os.environ | variables | {"PATH": f"{folder}:{os.environ['PATH']}"}
    subprocess.run([SCRIPT, *settings], env=environment, capture_output=True, check=True)
    jobs = [line.split("slurm/reprice.sbatch\t")[1].split("\t")[:-1] for line in noted.read_text().splitlines()]
    return {job: words for job, *words in jobs}


def days(words):
    return [word for word in words if word.startswith("day=")]


@pytest.mark.parametrize("settings", [[], ["data=parquet", "data.path=tables"]])
def test_all_tasks_of_a_night_set_the_prices_of_one_day_also_after_midnight(tmp_path, settings):
    jobs = submitted(tmp_path, *settings)

    (day,) = days(jobs["score"])
    assert re.fullmatch(r"day=\d{4}-\d\d-\d\d", day)
    assert days(jobs["prepare"]) == days(jobs["evaluate"]) == [day]
    assert days(jobs["publish"]) == []  # prices are in force from the day of their publication
    assert all(words[: len(settings)] == settings for words in jobs.values())


def test_a_day_that_is_asked_for_counts(tmp_path):
    jobs = submitted(tmp_path, "data=parquet", "day=2026-11-26")

    assert {job: days(words) for job, words in jobs.items()} == {job: ["day=2026-11-26"] for job in jobs}


def test_the_day_is_that_of_the_stores_clock(tmp_path):
    first, last = (f"data.time_zone=Etc/GMT{hours}" for hours in ("-14", "+12"))  # 26 hours apart

    days_there = [days(submitted(tmp_path, zone)["score"]) for zone in (first, last)]
    (tmp_path / "noted").unlink()
    days_here = [days(submitted(tmp_path, TZ=zone.split("=")[1])["score"]) for zone in (first, last)]

    assert days_there[0] > days_there[1]
    assert days_here == days_there
