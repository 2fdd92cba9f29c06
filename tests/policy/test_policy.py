"""The policy as a whole: configuration, objective and fingerprint."""

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from gpu_pricer import CONF
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.objective import Objective
from gpu_pricer.policy.policy import Policy
from tests.markets import NINES, NO_RULES, PROFIT, a_policy


def configured(*overrides):
    return OmegaConf.merge(OmegaConf.load(CONF / "policy/profit.yaml"), OmegaConf.from_dotlist(list(overrides)))


def test_profit_policy_is_what_its_file_says():
    policy = instantiate(configured())

    assert policy == a_policy()


def test_override_reaches_the_policy():
    policy = instantiate(configured("ladder=null", "bounds.max_increase=0.1"))

    assert policy.ladder is None
    assert policy.bounds.max_increase == 0.1


@pytest.mark.parametrize("key", ["objective.units=1", "bounds.max_price_ratio=1.5", "ladder.steps=[1]"])
def test_key_that_nothing_implements_is_refused(key):
    with pytest.raises(Exception, match="unexpected keyword argument"):
        instantiate(configured(key))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((0, 0), "objective needs a weight above 0, found profit 0 and revenue 0"),
        ((-1, 2), "objective.profit must be a number of at least 0, found -1"),
        ((1, None), "objective.revenue must be a number of at least 0, found None"),
    ],
)
def test_bad_objective_is_refused_in_one_line(weights, message):
    with pytest.raises(ValueError, match=r"^objective") as error:
        Objective(*weights)

    assert str(error.value) == message


def test_wrong_part_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"^policy\.bounds must be a Bounds, found None$"):
        Policy(PROFIT, None, None, {}, None, {}, "relax")
    with pytest.raises(ValueError, match=r"^policy\.ladder must be a Ladder or null, found 'whole'$"):
        Policy(PROFIT, NO_RULES, "whole", {}, None, {}, "relax")


def test_effective_cost_orders_prices_as_the_objective_does():
    objective, cost, price = Objective(profit=2.0, revenue=3.0), np.array([4.0]), np.array([7.0, 9.0])

    direct = 2 * (price - cost) + 3 * price

    assert direct == pytest.approx(5 * (price - objective.effective_cost(cost)))


def test_fingerprint_changes_with_any_setting():
    policies = [
        a_policy(),
        a_policy(bounds=NO_RULES),
        a_policy(ladder=None),
        a_policy(ladder=Ladder([0.99], None)),
        a_policy(objective=Objective(1.0, 0.1)),
    ]

    assert len({policy.fingerprint() for policy in policies}) == len(policies)
    assert a_policy().fingerprint() == a_policy(ladder=NINES).fingerprint()
