"""Keys are added where a job looks for further ones, and nowhere else."""

from pathlib import Path

import pytest

from gpu_pricer.command_line.unknown_key import require_place
from gpu_pricer.errors import InputError


@pytest.mark.parametrize(
    "word",
    [
        "+policy.constraints.volume={measure: units, at_least: 1.0}",
        "+policy.category_ladders.tea={endings: [0.5]}",
        "+run.folds.short=['data.source.weeks=16']",
        "+evaluate.baselines.mine={_target_: somewhere.Mine}",
        "++paths.prices=elsewhere",
        "+hydra.job.chdir=true",
        "+data=synthetic",
    ],
)
def test_a_key_may_be_added_where_names_are_free(word):
    require_place("score", ["policy=profit", "data=synthetic", word])


@pytest.mark.parametrize("word", ["+paths.price=x", "+polcy.constraints.volume={}", "+seeds=1", "+data.sourc.weeks=9"])
def test_a_key_that_no_job_reads_is_refused(word):
    with pytest.raises(InputError, match=r"must add a key where a job looks for further ones"):
        require_place("score", ["policy=profit", "data=synthetic", word])


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("policy.bounds.anchor={column: list_price, max_increase: 0.1}", "policy.bounds.anchor.column"),
        ("policy.constraints.keep_units={measure: units, at_most: 1.0}", "policy.constraints.keep_units.at_most"),
    ],
)
def test_a_key_that_a_mapping_lacks_is_named(gpu_pricer, word, key):
    ended = gpu_pricer("score", word)

    assert ended.status == 2
    assert ended.said == [
        f"gpu-pricer score: {key} must be a key of the configuration, found none of that name: mend it, or write "
        f"+{key}=… for a key more, and ~{key.rpartition('.')[0]}.KEY for one that must go"
    ]


@pytest.mark.parametrize("place", [("--config-dir", "own"), ("--config-dir=own",)])
def test_files_of_ones_own_may_hold_groups_of_ones_own(gpu_pricer, place):
    Path("own/mine").mkdir(parents=True)
    Path("own/mine/spring.yaml").write_text("weeks: 3\n")

    assert gpu_pricer("config", "score", "+mine=spring", *place).status == 0
    assert "+mine must add" in gpu_pricer("config", "score", "+mine=spring").said[-1]
