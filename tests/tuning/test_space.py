"""Hydra's sweeps as Optuna's distributions."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from gpu_pricer.errors import InputError
from gpu_pricer.tuning.space import distributions


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        ("4,8,16", CategoricalDistribution(["4", "8", "16"])),
        ("choice(tiny,linear)", CategoricalDistribution(["tiny", "linear"])),
        ("range(1,9,2)", IntDistribution(1, 7, step=2)),
        ("range(0,1,0.25)", FloatDistribution(0, 0.75, step=0.25)),
        ("interval(1,9)", FloatDistribution(1, 9)),
        ("int(interval(1,9))", IntDistribution(1, 9)),
        ("tag(log,interval(1e-3,1))", FloatDistribution(1e-3, 1, log=True)),
    ],
)
def test_sweep_has_the_distribution_that_it_names(sweep, expected):
    assert distributions([f"a.b={sweep}"]) == {"a.b": expected}


def test_group_can_be_varied():
    assert list(distributions(["model=tiny,linear", "+new.key=1,2"])) == ["model", "+new.key"]


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ([], "tune.space must name what the search varies, found nothing"),
        (["a.b=1"], "no sweep in a.b=1"),
        (["a.b=range(1,2)"], "a range of 1 values"),
        (["a.b=interval(2,1)"], "tune.space must hold sweeps of Hydra's grammar"),
        (["a.b=tag(log,interval(0,1))"], "tune.space must hold sweeps of Hydra's grammar"),
        (["a.b=interval(1"], "tune.space must hold sweeps of Hydra's grammar"),
    ],
)
def test_what_is_no_sweep_is_refused(space, said):
    with pytest.raises(InputError) as refused:
        distributions(space)

    assert said in str(refused.value)
