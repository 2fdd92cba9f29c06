"""The ranking of trials: the best first, and only the settings that tell them apart."""

import xml.etree.ElementTree as ET

import polars as pl
import pytest

from gpu_pricer.errors import Pruned
from gpu_pricer.tuning.objective import Objective
from gpu_pricer.tuning.ranking import ranking, ranking_board, write_ranking
from gpu_pricer.tuning.trials import COMPLETE, FAILED, PRUNED, Trial, read_trials, recorded

LOSS = Objective("train.validation_loss", "minimise")


def trial(number, value, *overrides, state=COMPLETE):
    return Trial(number, state, value, 1.5, f"sweep/{number}", list(overrides))


def test_best_trial_comes_first_and_only_complete_ones_have_a_rank():
    trials = [trial(0, 0.9), trial(1, 0.5), trial(2, 0.1, state=PRUNED), trial(3, None, state=FAILED)]

    found = ranking(trials, "minimise")

    assert found["trial"].to_list() == [1, 0, 2, 3]
    assert found["rank"].to_list() == [1, 2, None, None]


def test_the_largest_value_is_best_where_the_goal_says_so():
    assert ranking([trial(0, 0.5), trial(1, 0.9)], "maximise")["trial"].to_list() == [1, 0]


def test_settings_that_all_trials_share_have_no_column():
    found = ranking([trial(0, 0.5, "a.b=1", "seed=3"), trial(1, 0.9, "a.b=2", "seed=3", "+c=4")], "minimise")

    assert found.columns == ["rank", "trial", "state", "value", "seconds", "folder", "a.b", "c"]
    assert found["c"].to_list() == [None, "4"]


def test_a_trial_writes_how_it_ended(tmp_path):
    def end(number, error):
        with recorded(number, tmp_path / str(number), [f"a={number}"], LOSS):
            raise error

    end(0, Pruned(0.75))
    with pytest.raises(ZeroDivisionError):
        end(1, ZeroDivisionError())
    with recorded(10, tmp_path / "10", ["a=10"], LOSS):
        pass

    found = read_trials(tmp_path)
    assert [(t.number, t.state, t.value) for t in found] == [(0, PRUNED, 0.75), (1, FAILED, None), (10, COMPLETE, None)]
    assert found[2].overrides == ["a=10"]


def test_ranking_lies_in_the_folder_as_two_tables_and_a_figure(tmp_path):
    for number, value in enumerate((0.9, 0.5, 0.7)):
        with recorded(number, tmp_path / str(number), [f"x.rate={10**-number}", f"kind=k{number}"], LOSS):
            (tmp_path / f"{number}/train").mkdir(parents=True)
            (tmp_path / f"{number}/train/run.json").write_text(f'{{"validation_loss": {value}}}')

    table = write_ranking(tmp_path, LOSS)

    assert table["value"].to_list() == [0.5, 0.7, 0.9]
    assert pl.read_parquet(tmp_path / "ranking.parquet").equals(table)
    assert pl.read_csv(tmp_path / "ranking.csv")["kind"].to_list() == ["k1", "k2", "k0"]
    texts = {text.text for text in ET.parse(tmp_path / "ranking.svg").iter("{http://www.w3.org/2000/svg}text")}
    assert {"train.validation_loss", "Each trial, and the best so far", "rate", "kind", "k0", "k1", "k2"} <= texts
    assert ranking_board(table, LOSS).row_count == 3


def test_trials_without_a_value_are_listed_and_not_drawn(tmp_path):
    with recorded(0, tmp_path / "0", ["a=1"], LOSS):
        pass

    table = write_ranking(tmp_path, LOSS)

    assert (table["rank"].item(), table["value"].item()) == (None, None)
    assert not (tmp_path / "ranking.svg").exists()
