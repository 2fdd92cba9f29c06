"""The audit refuses prices that discriminate and accepts those that do not."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError, Refused
from gpu_pricer.gates import Evidence, judge_version
from gpu_pricer.gates.fairness import Fairness, audit, price_index
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.price_table import scan_prices
from gpu_pricer.tables.version.names import FAIRNESS
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions.fairness_audit import audit_version
from gpu_pricer.versions.priced_catalog import PricedCatalog
from gpu_pricer.versions.scored_version import score
from tests.gates.limits import OFF
from tests.markets import USUAL, a_policy, catalog_of, small_artefact

USERS = 400
ONE_SHARD = Tiling("long", 10**6, 1, None, 1)


def market(tmp_path, discriminates, max_gap=0.01, **rules):
    """Price a version for segments of different sensitivity; return its folder and the settings of the audit.

    The age of the users decides their segment if discriminates, otherwise chance.
    """
    rng = np.random.default_rng(3)
    artefact = small_artefact(5, segments=4, products=40, categories=8, form="dense")
    sensitivity = np.repeat([[1.2], [1.6], [2.4], [3.4]], 40, axis=1).astype(np.float32)
    segments = artefact.segments.sort("segment_id").with_columns(visits=pl.lit(100.0))
    old = rng.random(USERS) < 0.5
    segment = np.where(old, 0, 2) + (rng.random(USERS) < 0.5) if discriminates else rng.integers(0, 4, USERS)
    users = pl.DataFrame({"user_id": np.arange(USERS), "age": np.where(old, "old", "young")})
    artefact = replace(
        artefact,
        segments=segments,
        factors=artefact.factors | {"sensitivity": sensitivity},
        user_segments=pl.DataFrame({"user_id": np.arange(USERS), "segment_id": [f"s{k}" for k in segment]}),
    )
    users.write_parquet(tmp_path / "users.parquet")
    write_artefact(artefact, tmp_path / "demand")
    score(
        artefact,
        PricedCatalog(catalog_of(artefact)),
        a_policy(replace(USUAL, **rules)),
        ONE_SHARD,
        tmp_path / "run",
        "cpu",
    )
    return tmp_path / "run", Fairness(str(tmp_path / "users.parquet"), ["age"], max_gap)


def test_market_that_discriminates_is_refused_here_and_by_publish(tmp_path):
    folder, fairness = market(tmp_path, discriminates=True)

    with pytest.raises(Refused, match=r"fairness\.max_gap=0\.01, found old paying .* more than young \(at least"):
        audit_version(folder, tmp_path / "demand", fairness)

    content = json.loads((folder / FAIRNESS).read_text())
    gap = content["attributes"]["age"]["largest_gap"]
    assert content["is_refused"]
    assert gap["proven"] > 0.01
    [outcome] = judge_version(folder, read_version(folder), replace(OFF, audit=True), None, Evidence()).outcomes
    assert outcome.refusal(folder).startswith(f"the audit of {folder} must not refuse its prices, found that it did")


def test_market_that_does_not_discriminate_passes(tmp_path):
    folder, fairness = market(tmp_path, discriminates=False)

    audit_version(folder, tmp_path / "demand", fairness)

    content = json.loads((folder / FAIRNESS).read_text())
    entry = content["attributes"]["age"]
    assert not content["is_refused"]
    assert entry["largest_gap"]["proven"] <= 0.01
    assert sum(group["users"] for group in entry["groups"]) == USERS
    for group in entry["groups"]:
        assert group["low"] < group["price_index"] < group["high"]
    [outcome] = judge_version(folder, read_version(folder), replace(OFF, audit=True), None, Evidence()).outcomes
    assert outcome.is_passed


def test_one_price_for_all_leaves_no_gap(tmp_path):
    folder, fairness = market(tmp_path, discriminates=True, max_gap=0.0, max_segment_ratio=1.0)

    audit_version(folder, tmp_path / "demand", fairness)

    gap = json.loads((folder / FAIRNESS).read_text())["attributes"]["age"]["largest_gap"]
    assert gap["gap"] == pytest.approx(0, abs=1e-9)


def test_index_is_what_the_same_basket_costs(tmp_path):
    folder, _ = market(tmp_path, discriminates=True)
    visits = pl.DataFrame({"segment_id": ["s0", "s1", "s2", "s3"], "visits": 100.0})

    index = price_index(folder, visits)

    rows = scan_prices(folder).with_columns(pl.col("price").cast(pl.Float64)).collect().sort("product_id", "segment_id")
    price, units = (rows[name].to_numpy().reshape(-1, 4).astype(float) for name in ("price", "expected_units"))
    bought = units.sum(axis=1)
    expected = bought @ price / (bought @ price.mean(axis=1))
    assert index["price_index"].to_numpy() == pytest.approx(expected, rel=1e-6)
    assert (bought @ price / (bought @ price.mean(axis=1))).mean() == pytest.approx(1)


def test_numbers_are_compared_by_quartile_and_nulls_are_left_out():
    index = pl.DataFrame({"segment_id": ["a", "b"], "price_index": [0.9, 1.1]})
    ages = [None if i % 10 == 0 else float(i) for i in range(200)]
    users = pl.DataFrame({"user_id": range(200), "age": ages})
    segments = pl.DataFrame({"user_id": range(200), "segment_id": ["a" if i < 100 else "b" for i in range(200)]})

    entry = audit(index, segments, users, Fairness("users", ["age"], 0.05))["attributes"]["age"]

    assert len(entry["groups"]) == 4
    assert entry["users_of_no_group"] == 20
    assert entry["largest_gap"]["gap"] == pytest.approx(0.2)
    assert entry["is_too_wide"]


def test_number_that_is_nan_is_of_no_group_like_null():
    index = pl.DataFrame({"segment_id": ["a", "b"], "price_index": [0.9, 1.1]})
    segments = pl.DataFrame({"user_id": range(200), "segment_id": ["a" if i < 100 else "b" for i in range(200)]})
    known = pl.DataFrame({"user_id": range(200), "age": [None if i % 2 else float(i) for i in range(200)]})
    unknown = known.with_columns(pl.col("age").fill_null(float("nan")))

    with_null, with_nan = (
        audit(index, segments, users, Fairness("users", ["age"], 0.05)) for users in (known, unknown)
    )

    assert with_nan == with_null
    assert with_nan["attributes"]["age"]["users_of_no_group"] == 100


def test_two_users_in_one_segment_prove_nothing():
    """By chance every user of a small group pays one price: that says nothing of how much chance there is."""
    index = pl.DataFrame({"segment_id": ["a", "b"], "price_index": [0.95, 1.05]})
    segments = pl.DataFrame({"user_id": range(200), "segment_id": ["a" if i % 2 else "b" for i in range(200)]})
    users = pl.DataFrame({"user_id": range(200), "region": ["island" if i in (0, 2) else "land" for i in range(200)]})

    entry = audit(index, segments, users, Fairness("users", ["region"], 0.02))["attributes"]["region"]

    assert [(group["name"], group["users"]) for group in entry["groups"]] == [("island", 2), ("land", 198)]
    assert entry["largest_gap"]["proven"] == 0
    assert not entry["is_too_wide"]


def test_unknown_attribute_is_refused(tmp_path):
    folder, fairness = market(tmp_path, discriminates=False)

    with pytest.raises(InputError, match=r"fairness\.protected must name columns of .*, found income but only user_id"):
        audit_version(folder, tmp_path / "demand", replace(fairness, protected=["income"]))


def test_largest_gap_without_anything_to_audit_is_refused(tmp_path):
    folder, fairness = market(tmp_path, discriminates=False)

    with pytest.raises(InputError, match=r"fairness\.max_gap must have prices to audit, found it without protected"):
        audit_version(folder, tmp_path / "demand", replace(fairness, protected=[]))
    audit_version(folder, tmp_path / "demand", replace(fairness, protected=[], max_gap=None))

    assert not (folder / FAIRNESS).exists()


@pytest.mark.parametrize(
    ("summary", "stated", "found"),
    [
        ('{"protected": ["age"]}', None, ["age"]),
        ('{"protected": ["age"]}', [], []),
        ('{"protected": ["age"]}', ["region"], ["region"]),
        ("{}", None, []),
        (None, None, []),
    ],
)
def test_audited_attributes_are_those_that_prepare_was_told_unless_others_are_stated(tmp_path, summary, stated, found):
    if summary is not None:
        (tmp_path / "summary.json").write_text(summary)

    assert Fairness(str(tmp_path / "users.parquet"), stated, None).attributes == found
