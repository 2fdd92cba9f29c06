"""The names of scenarios that have none: unlike changes have unlike names, because a scenario replaces its namesake."""

from gpu_pricer.versions.scenarios import _name_of


def test_a_rise_and_a_fall_by_the_same_share_have_different_names():
    changes = ["policy.bounds.max_increase=0.1", "policy.bounds.max_increase=-0.1", "+policy.bounds.max_increase=-0.1"]

    assert [_name_of([change]) for change in changes] == [
        "max-increase-0.1",
        "max-increase-minus-0.1",
        "max-increase-minus-0.1",
    ]
