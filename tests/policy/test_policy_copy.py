"""A policy beside the prices that it made comes back as it was."""

from dataclasses import replace

import pytest

from gpu_pricer.policy import Ladder
from gpu_pricer.policy.policy_copy import read_policy, write_policy
from tests.markets import NO_RULES, a_policy

POLICIES = {
    "usual": a_policy(),
    "ladders": a_policy(ladder=None, category_ladders={"c1": {"endings": [0.49]}}),
    "list": a_policy(ladder=Ladder(endings=None, prices=[1.0, 2.5])),
    "anchor": a_policy(replace(NO_RULES, anchor={"days": 28, "max_increase": 0.15})),
    "constraints": a_policy(constraints={"keep": {"measure": "units", "at_least": 0.9}, "off": None}),
}


@pytest.mark.parametrize("name", POLICIES)
def test_policy_comes_back_with_its_fingerprint(tmp_path, name):
    write_policy(POLICIES[name], tmp_path)

    assert read_policy(tmp_path) == POLICIES[name]
    assert read_policy(tmp_path).fingerprint() == POLICIES[name].fingerprint()


def test_prices_set_by_hand_come_along(tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text("product_id,price\np001,2.49\n")
    policy = a_policy(overrides=str(file))
    (tmp_path / "record").mkdir()

    write_policy(policy, tmp_path / "record")
    fingerprint = policy.fingerprint()
    file.unlink()

    kept = read_policy(tmp_path / "record")
    assert kept.overrides_file == tmp_path / "record/overrides.csv"
    assert kept.fingerprint() == fingerprint
    kept.overrides_file.write_text("product_id,price\np001,2.59\n")
    assert kept.fingerprint() != fingerprint


def test_folder_without_a_copy_has_no_policy(tmp_path):
    assert read_policy(tmp_path) is None
