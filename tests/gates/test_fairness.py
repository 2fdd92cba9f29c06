"""The audit refuses prices that discriminate and accepts those that do not."""

import itertools
import json
import statistics
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError, Refused
from gpu_pricer.gates import Evidence, judge_version
from gpu_pricer.gates.fairness import Fairness, audit, price_index
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import read_segments, write_artefact
from gpu_pricer.tables.price_table import scan_prices
from gpu_pricer.tables.version.names import FAIRNESS
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions.fairness_audit import audit_version, require_known_attributes
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
    segments = artefact.segments.sort("segment_id").with_columns(visits=pl.Series([30.0, 10.0, 90.0, 20.0]))
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


def costs_of_the_basket(rows, persons):
    """What each segment pays for all that persons are expected to buy, over what the mean person pays for it.

    rows: product, segment, price, units; persons: the segment of each.
    """
    price = {(product, segment): price for product, segment, price, _ in rows}
    units = {(product, segment): units for product, segment, _, units in rows}
    products = sorted({product for product, *_ in rows})
    bought = {product: sum(units[product, segment] for segment in persons) for product in products}
    paid = {name: sum(bought[product] * price[product, name] for product in products) for name in sorted({*persons})}
    mean = sum(paid[segment] for segment in persons) / len(persons)
    return [paid[segment] / mean for segment in paid]


def test_index_is_what_the_same_basket_costs(tmp_path):
    folder, _ = market(tmp_path, discriminates=True)
    visits = read_segments(tmp_path / "demand")[0].select("segment_id", "visits")

    index = price_index(folder, visits)

    rows = scan_prices(folder).select("product_id", "segment_id", pl.col("price").cast(pl.Float64), "expected_units")
    persons = [segment for segment, count in visits.rows() for _ in range(int(count))]
    assert index["segment_id"].to_list() == sorted({*persons})
    assert index["price_index"].to_list() == pytest.approx(costs_of_the_basket(rows.collect().rows(), persons), 1e-6)


def test_prices_at_which_nothing_sells_are_not_audited_in_silence(tmp_path, caplog):
    folder, fairness = market(tmp_path, discriminates=True)
    for path in folder.glob("*.parquet"):
        pl.read_parquet(path).with_columns(expected_units=pl.lit(0, pl.Float32)).write_parquet(path)

    with pytest.raises(Refused, match=r"must compare groups of users for fairness\.max_gap=0\.01, found that no group"):
        audit_version(folder, tmp_path / "demand", fairness)

    refused = json.loads((folder / FAIRNESS).read_text(), parse_constant=pytest.fail)
    audit_version(folder, tmp_path / "demand", replace(fairness, max_gap=None))
    assert refused["is_refused"]
    assert refused["attributes"]["age"] == {
        "groups": [], "users_of_no_group": USERS, "is_compared": False, "largest_gap": None, "is_too_wide": False,
    }  # fmt: skip
    assert "the audit cannot compare groups by age: no group of two or more users has a price index" in caplog.messages
    assert not json.loads((folder / FAIRNESS).read_text())["is_refused"]


INDEX = {"a": 0.91, "b": 0.98, "c": 1.03, "d": 1.12}
"""Price indices of segments for the tests of groups."""


def by_group(groups, max_gap):
    """The audit of users whose region is the group; groups: the segments of its users, as text, by its name."""
    users = [(region, segment) for region, segments in groups.items() for segment in segments]
    regions, segments = zip(*users, strict=True)
    index = pl.DataFrame({"segment_id": [*INDEX], "price_index": [*INDEX.values()]})
    members = pl.DataFrame({"user_id": range(len(users)), "segment_id": segments})
    table = pl.DataFrame({"user_id": range(len(users)), "region": regions})
    return audit(index, members, table, Fairness("users", ["region"], max_gap))


def test_gap_is_proven_by_an_interval_for_all_pairs_of_groups():
    groups = {"north": "ab" * 30, "east": "abcd" * 10 + "d", "south": "bcd" * 6 + "dd"}
    one_pair, three_pairs = 1.959963984540054, 2.3939797998185104  # quantiles of the normal at 1 - 0.05 / 2 / pairs

    content = by_group(groups, 0.05)

    pays = {name: [INDEX[segment] for segment in segments] for name, segments in groups.items()}
    spread = statistics.stdev(itertools.chain(*pays.values()))
    mean = {name: statistics.fmean(costs) for name, costs in pays.items()}
    entry = content["attributes"]["region"]
    assert [group["name"] for group in entry["groups"]] == ["south", "east", "north"]
    for group in entry["groups"]:
        half = one_pair * spread / len(groups[group["name"]]) ** 0.5
        ends = [mean[group["name"]] + side * half for side in (-1, 0, 1)]
        assert [group["low"], group["price_index"], group["high"]] == pytest.approx(ends)
    gap, noise = mean["south"] - mean["north"], spread * (1 / 20 + 1 / 60) ** 0.5
    assert entry["largest_gap"]["dearer"] == "south"
    assert entry["largest_gap"]["cheaper"] == "north"
    assert entry["largest_gap"]["gap"] == pytest.approx(gap)
    assert entry["largest_gap"]["proven"] == pytest.approx(gap - three_pairs * noise)
    assert 0 < gap - three_pairs * noise < gap - one_pair * noise
    assert not by_group(groups, gap - (three_pairs + one_pair) / 2 * noise)["is_refused"]
    assert by_group(groups, gap - three_pairs * noise - 1e-6)["is_refused"]


def group_sizes(values):
    """The number of users by group of the audit, for users with these values of an attribute."""
    count = len(values)
    index = pl.DataFrame({"segment_id": ["a", "b"], "price_index": [0.9, 1.1]})
    members = pl.DataFrame({"user_id": range(count), "segment_id": ["a" if i % 2 else "b" for i in range(count)]})
    table = pl.DataFrame({"user_id": range(count), "born": values})
    groups = audit(index, members, table, Fairness("users", ["born"], None))["attributes"]["born"]["groups"]
    return {group["name"]: group["users"] for group in groups}


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        (pl.Series([19750101 + i for i in range(40)]), [19750110, 19750120, 19750130]),
        (pl.Series([1e6 + i / 8 for i in range(40)]), [1000001.125, 1000002.375, 1000003.625]),
        (pl.Series([Decimal(i) for i in range(40)], dtype=pl.Decimal(10, 2)), ["9.00", "19.00", "29.00"]),
        (pl.Series([date(1980, 1, 1) + timedelta(i) for i in range(40)]), ["1980-01-10", "1980-01-20", "1980-01-30"]),
        (pl.Series([timedelta(i) for i in range(40)]), ["P9D", "P19D", "P29D"]),
        (pl.Series([*map(float, range(30)), *[float("inf")] * 10]), [9.0, 19.0, 29.0]),
    ],
)
def test_quartiles_are_told_apart_whatever_their_numbers_are(values, bounds):
    first, second, third = bounds

    found = group_sizes(values)

    assert found == {f"up to {first}": 10, f"up to {second}": 10, f"up to {third}": 10, f"above {third}": 10}


def test_quartiles_of_one_bound_are_one_group():
    assert group_sizes(pl.Series([*range(20), *[20] * 60])) == {"up to 19": 20, "up to 20": 60}


@pytest.mark.parametrize("values", [pl.Series([None, *"abbccc"]), pl.Series([None, 1, 2, 2, 3, 3, 3])])
def test_few_values_are_groups_of_their_own(values):
    one, two, three = values.unique().drop_nulls().sort().cast(pl.String)

    found = group_sizes(values)

    assert found == {two: 2, three: 3}
    assert one not in found


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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [f"z{i}" for i in range(101)],
            r"columns of text with at most 100 values in .*, found zone with 101: group its",
        ),
        (
            [[1.0, 2.0]] * 101,
            r"columns of text, numbers or dates in .*, found zone of List\(Float64\): convert the col",
        ),
    ],
)
def test_attribute_that_forms_no_groups_is_refused(tmp_path, values, message):
    pl.DataFrame({"user_id": range(101), "age": range(101), "zone": values}).write_parquet(tmp_path / "users.parquet")
    fairness = Fairness(str(tmp_path / "users.parquet"), ["age", "zone"], None)

    with pytest.raises(InputError, match=message):
        require_known_attributes(fairness)
    require_known_attributes(replace(fairness, protected=["age"]))
