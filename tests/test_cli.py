"""The command line as its user meets it: help, one-line errors, exit status."""

import pytest

from gpu_pricer.cli import main
from gpu_pricer.jobs import JOBS


def run(capsys, *arguments):
    """Return exit status, standard output and the lines of standard error."""
    status = main(list(arguments))
    captured = capsys.readouterr()
    return status, captured.out, captured.err.splitlines()


def test_no_job_shows_the_jobs(capsys):
    status, out, _ = run(capsys)

    assert status == 2
    assert all(job in out for job in JOBS)


@pytest.mark.parametrize("job", JOBS)
def test_every_job_explains_itself(capsys, job):
    status, out, _ = run(capsys, job, "--help")

    assert status == 0
    assert f"usage: gpu-pricer {job}" in out
    assert "policy=profit" in out


def test_an_unknown_job_is_one_line_with_the_nearest_name(capsys):
    status, out, err = run(capsys, "trian")

    assert status == 2
    assert out == ""
    assert err == ["gpu-pricer trian: the first word must be a job, found 'trian': did you mean 'train'?"]


@pytest.mark.parametrize(
    ("override", "found"),
    [("polcy=profit", "polcy"), ("policy=profits", "profits"), ("model.netwrk=1", "netwrk"), ("data=", "data"), ("=3", "=3")],
)
def test_a_misspelt_override_is_one_line(capsys, tmp_path, monkeypatch, override, found):
    monkeypatch.chdir(tmp_path)

    status, out, err = run(capsys, "train", override)

    assert status == 2
    assert out == ""
    assert len(err) == 1
    assert found in err[0]
    assert list(tmp_path.iterdir()) == []


def test_a_value_out_of_range_names_its_key(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    status, _, err = run(capsys, "train", "train.segments.count=0")

    assert status == 2
    assert len(err) == 1
    assert "train.segments" in err[0]
    assert "found 0" in err[0]
    assert list(tmp_path.iterdir()) == []
