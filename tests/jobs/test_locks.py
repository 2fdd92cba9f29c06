"""Two jobs at once in one work folder: the second ends with one line and has changed nothing."""

import pytest

from gpu_pricer.jobs import train
from gpu_pricer.tables.files.locking import locked


@pytest.mark.parametrize("job", ["prepare", "train", "run"])
def test_second_job_that_writes_demand_is_refused(refused, tmp_path, job):
    with locked(tmp_path / "work/.lock", "train"):
        said = refused(job)

    assert said.startswith(f"work must be free to {job}, found it in use: train by process ")


def test_process_that_helps_to_train_works_under_the_lock_of_the_first(gpu_pricer, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "inputs", lambda config: [])
    monkeypatch.setattr(train, "main", lambda config: None)
    monkeypatch.setenv("LOCAL_RANK", "1")

    with locked(tmp_path / "work/.lock", "train"):
        assert gpu_pricer("train").status == 0


def test_jobs_in_other_work_folders_go_on(gpu_pricer, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "inputs", lambda config: [])
    monkeypatch.setattr(train, "main", lambda config: None)

    with locked(tmp_path / "work/.lock", "train"):
        assert gpu_pricer("train", "paths.work=other").status == 0
        assert gpu_pricer("train").status == 2
    assert gpu_pricer("train").status == 0
    assert not (tmp_path / "work/.lock").exists()
