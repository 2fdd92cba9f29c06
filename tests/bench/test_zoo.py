"""The zoo's table and its line of JSON say what the runs gave."""

import json

import pytest

from tests.bench import zoo
from tests.bench.markets.rivals import RIVALS


def run(ours, told, rivals, slope=1.0, coverage=0.9):
    """The numbers of one run."""
    shares = {"ours": ours, "told": told, **dict(zip(RIVALS, rivals, strict=True))}
    gains = {"ours": 0.1, "best_uniform": 0.05, "oracle": 0.15}
    response = {"slope": slope, "bend": 0.0, "coverage": coverage, "coverage_at_today": 0.5}
    return {"share": shares, "profit_over_today": gains, **response}


@pytest.fixture
def folder(tmp_path):
    """A folder with the runs of two families and two seeds."""
    runs = {
        "continuous-seed-1": run(0.6, 0.8, (0.1, 0.5, -1.0), slope=0.9),
        "continuous-seed-2": run(0.8, 1.0, (0.3, 0.5, -1.0), slope=1.1),
        "by_weight-seed-1": run(0.2, 0.6, (0.1, 0.5, 0.3), slope=1.2),
        "by_weight-seed-2": run(0.4, 0.8, (0.1, 0.3, 0.2), slope=1.6, coverage=None),
    }
    for name, numbers in runs.items():
        (tmp_path / name).mkdir()
        zoo.numbers_file(tmp_path / name, "logit").write_text(json.dumps(numbers))
    return tmp_path


def test_last_line_holds_the_means_of_families_and_the_worst_family(folder, monkeypatch, capsys):
    arguments = ["--families", "continuous", "by_weight", "--seeds", "1", "2", "--folder", str(folder)]
    monkeypatch.setattr("sys.argv", ["zoo", *arguments])

    zoo.main()

    *table, line = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert found["seeds"] == [1, 2]
    assert found["share_over_told_mean"] == pytest.approx((0.7 + 0.3) / (0.9 + 0.7))
    assert found["share_worst_shortfall"] == pytest.approx(0.4 - 0.3)
    assert (found["slope_low"], found["slope_high"]) == (1.0, 1.4)
    assert (found["coverage_low"], found["coverage_high"]) == (None, None)
    assert found["panels_worst_log_loss_ratio"] is None
    assert found["families"]["by_weight"]["share_of_seeds"] == [0.2, 0.4]
    assert all(any(name in row for row in table) for name in ("continuous", "by_weight"))


def test_panels_are_compared_when_asked_for(folder, monkeypatch, capsys):
    monkeypatch.setattr(zoo, "panels_worst_log_loss_ratio", lambda folder, overrides, grocery: 2.0 if grocery else 1.02)
    arguments = ["--families", "continuous", "--seeds", "1", "--folder", str(folder), "--panels", "choices"]
    monkeypatch.setattr("sys.argv", ["zoo", *arguments])

    zoo.main()

    assert json.loads(capsys.readouterr().out.splitlines()[-1])["panels_worst_log_loss_ratio"] == 1.02


def test_run_whose_numbers_are_there_is_not_run_again(folder, monkeypatch):
    monkeypatch.setattr(zoo, "judged", None)

    assert zoo.numbers_of("continuous", 1, folder, "logit", [])["share"]["ours"] == 0.6


def test_new_run_keeps_its_numbers(tmp_path, monkeypatch):
    numbers = run(0.6, 0.8, (0.1, 0.5, -1.0))
    monkeypatch.setitem(zoo.FAMILIES, "tiny", lambda seed: f"market {seed}")
    monkeypatch.setattr(zoo, "judged", lambda market, *rest: numbers | {"market": market})

    found = zoo.numbers_of("tiny", 3, tmp_path, "logit", [])

    assert found["market"] == "market 3"
    assert json.loads(zoo.numbers_file(tmp_path / "tiny-seed-3", "logit").read_text()) == found
