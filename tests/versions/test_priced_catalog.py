"""The catalog as a policy reads it, and what is said of a policy on the way."""

import logging
from dataclasses import replace
from datetime import date

import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.versions.priced_catalog import pricing_day, read_priced_catalog
from tests.markets import NO_RULES, a_policy, catalog_of, small_artefact


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"max_increase": 30}, ["policy.bounds.max_increase=30 lets a price rise by 3000 %; 0.3 is 30 %"]),
        (
            {"anchor": {"column": "cost", "max_increase": 3}},
            ["policy.bounds.anchor.max_increase=3 lets a price rise by 300 %; 0.3 is 30 %"],
        ),
        ({"max_increase": 1.0}, []),
    ],
)
def test_a_bound_that_may_have_been_meant_in_percent_is_said(tmp_path, caplog, rules, said):
    catalog_of(small_artefact(3, segments=1, products=2, categories=1)).write_parquet(tmp_path / "products.parquet")
    policy = a_policy(replace(NO_RULES, **rules))

    with caplog.at_level(logging.WARNING):
        read_priced_catalog(tmp_path / "products.parquet", policy, tmp_path / "prices", date(2026, 11, 27))

    assert [record.message for record in caplog.records] == said


@pytest.mark.parametrize("setting", ["0001-01-01", "9999-12-31", "tonight"])
def test_day_that_no_price_is_set_on_is_refused(setting):
    with pytest.raises(InputError, match=f"day must .* found '?{setting}"):
        pricing_day(setting)
