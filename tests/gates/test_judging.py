"""Every gate measures what it says, against today's prices and against the published version."""

import json
import shutil
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.gates import Evidence, judge_version
from gpu_pricer.gates.moves import LEAST_PRODUCTS
from gpu_pricer.gates.published import read_published
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.price_table import scan_prices
from gpu_pricer.tables.version.names import CATALOG_COPY, FAIRNESS, KEPT, METRICS, RECORD
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions.priced_catalog import PricedCatalog
from gpu_pricer.versions.scored_version import score
from gpu_pricer.versions.version_sources import keep_sources
from tests.gates.limits import OFF
from tests.markets import USUAL, a_policy, catalog_of, small_artefact

ARTEFACT = small_artefact(21, segments=3, products=24, categories=2)
CATALOG = catalog_of(ARTEFACT)
PROTECTING = a_policy(constraints={"units": {"measure": "units", "at_least": 1.0, "relative_to": "current_prices"}})


@dataclass(frozen=True)
class Market:
    """A folder of versions, of which `first` counts as the published one."""

    prices: Path

    def scored(
        self, run="second", catalog=CATALOG, policy=None, artefact=ARTEFACT, tiling=("long", ()), cells_per_file=20
    ) -> PriceVersion:
        demand, policy = self.prices.parent / f"demand-{run}", policy or a_policy()
        write_artefact(artefact, demand)
        cut = Tiling(tiling[0], cells_per_file, 1, None, 1, [*tiling[1]])
        version = score(artefact, PricedCatalog(catalog), policy, cut, self.prices / run, "cpu")
        keep_sources(self.prices / run, version, demand, catalog, policy)
        return version

    def outcome(self, evidence=Evidence(), run="second", **gates):  # noqa: B008 (it is immutable)
        """The outcome of the one gate that is on, None if it does not apply."""
        folder, published = self.prices / run, read_published(self.prices, "first")
        outcomes = judge_version(folder, read_version(folder), replace(OFF, **gates), published, evidence).outcomes
        assert len(outcomes) <= 1
        return outcomes[0] if outcomes else None


@pytest.fixture
def market(tmp_path):
    market = Market(tmp_path / "prices")
    market.scored("first")
    return market


def prices_of(folder):
    rows = scan_prices(folder).collect().iter_rows(named=True)
    return {(row["product_id"], row["segment_id"]): float(row["price"]) for row in rows}


def changes_by_category(market):
    """|new / published price − 1| of every cell, by category."""
    before, now = (prices_of(market.prices / run) for run in ("first", "second"))
    category = dict(CATALOG.select("product_id", "category_id").iter_rows())
    found = {name: [] for name in category.values()}
    for (product, segment), price in now.items():
        found[category[product]].append(abs(price / before[product, segment] - 1))
    return found


def test_changes_are_those_of_the_same_cells(market):
    dearer = pl.when(pl.col("category_id") == "c1").then(1.5).otherwise(1.01)
    risen = CATALOG.with_columns((pl.col("price") * dearer).round(2), cost=pl.col("cost") * dearer)
    market.scored(catalog=risen, policy=a_policy(replace(USUAL, within_support=False)))
    changes = changes_by_category(market)
    every = np.concatenate([*changes.values()])
    assert LEAST_PRODUCTS <= 12

    def found(gate):
        return market.outcome(**{gate: 0.0}).found

    assert found("max_share_changed") == pytest.approx((every > 0).mean())
    assert found("max_share_far") == pytest.approx((every > 0.3).mean())
    assert 0 < found("max_share_far") < 1
    assert found("max_category_change") == pytest.approx(np.mean(changes["c1"]))
    assert found("max_category_share_changed") == pytest.approx(max(np.mean(np.array(c) > 0) for c in changes.values()))
    line = market.outcome(max_category_change=0.2).refusal(Path("prices/second"))
    assert "mean size of a category's changes from the published prices must be at most 0.2, found 0." in line
    assert "in c1 (above the limit: 1 of 2) (publish.gates.max_category_change): look at the prices" in line
    assert line.endswith("paths.shards=prices/second publish.accept=[max_category_change] publish.reason=WHY")


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_one_absurd_price_is_named_whatever_the_others_are(market, layout):
    mistyped = pl.when(pl.col("product_id") == "p007").then(10 * pl.col("price")).otherwise("price")
    for run, tiling in (("long", "long"), ("second", layout)):
        market.scored(run, catalog=CATALOG.with_columns(price=mistyped), tiling=(tiling, ()))
    before, absurd = (prices_of(market.prices / run) for run in ("first", "long"))
    ratio = {cell: max(absurd[cell] / before[cell], before[cell] / absurd[cell]) for cell in before}
    product, segment = max(ratio, key=ratio.__getitem__)

    outcome = market.outcome(max_single_move=1.0)

    assert product == "p007"
    assert outcome.found == pytest.approx(ratio[product, segment] - 1)
    assert not outcome.is_passed
    said = outcome.refusal(Path("x"))
    assert "the largest move of a single price must be at most 1, found " in said
    cell = f"product p007 in segment {segment} from {before[product, segment]:.2f} to {absurd[product, segment]:.2f}"
    assert f", {cell} (above the limit: 1 of 24 products) (publish.gates.max_single_move): mend the product's" in said
    assert market.outcome(run="first", max_single_move=0.0).found == 0


@pytest.mark.parametrize("layout", ["long", "wide"])
@pytest.mark.parametrize("times", [100, 0.01])
def test_a_price_of_today_that_taught_nothing_is_no_measure_of_itself(market, layout, times):
    """Before the first publication nothing else tells that a list of products states a price in cents."""
    mistyped = pl.when(pl.col("product_id") == "p007").then(times * pl.col("price")).otherwise("price")
    for run, tiling in (("long", "long"), ("second", layout)):
        market.scored(run, catalog=CATALOG.with_columns(price=mistyped, cost=mistyped / 2), tiling=(tiling, ()))
    low, high = ARTEFACT.products.filter(product_id="p007").select("min_price", "max_price").row(0)
    prices = [price for (product, _), price in prices_of(market.prices / "long").items() if product == "p007"]
    largest = max(prices) / high if times > 1 else low / min(prices)

    def judged():
        folder, gates = market.prices / "second", replace(OFF, max_single_move=4.0)
        return judge_version(folder, read_version(folder), gates, None, Evidence()).outcomes[0]

    assert not judged().is_passed
    assert judged().found == pytest.approx(largest - 1)
    assert "product p007 in segment" in judged().detail
    shutil.rmtree(market.prices / KEPT)
    assert judged().is_passed


def test_fall_of_a_single_price_counts_as_the_rise_that_would_undo_it(market):
    share = pl.when(pl.col("product_id") == "p007").then(0.1).otherwise(1.0)
    market.scored(catalog=CATALOG.with_columns(price=share * pl.col("price"), cost=share * pl.col("cost")))
    before, now = (prices_of(market.prices / run) for run in ("first", "second"))

    outcome = market.outcome(max_single_move=1.0)

    assert outcome.found == pytest.approx(max(price / now[cell] for cell, price in before.items()) - 1)
    assert outcome.found > 5
    assert not outcome.is_passed


def test_price_that_was_never_published_moves_from_todays(market, tmp_path):
    by_hand = pl.DataFrame({"product_id": ["p000"], "price": [99.0]})
    by_hand.write_parquet(tmp_path / "by_hand.parquet")
    market.scored("first", catalog=CATALOG.filter(pl.col("product_id") != "p000"))
    market.scored(policy=a_policy(overrides=str(tmp_path / "by_hand.parquet")))
    today = CATALOG.filter(pl.col("product_id") == "p000")["price"].round(2).item()

    outcome = market.outcome(max_single_move=1.0)
    first = judge_version(
        market.prices / "second",
        read_version(market.prices / "second"),
        replace(OFF, max_single_move=1.0),
        None,
        Evidence(),
    ).outcomes[0]

    assert outcome.found == pytest.approx(99 / today - 1)
    assert first == outcome
    assert f"product p000 in segment s0 from {today:.2f} to 99.00" in outcome.detail


def test_published_prices_are_compared_in_whatever_files_they_lie(market):
    market.scored(catalog=CATALOG.with_columns(price=1.1 * pl.col("price")), cells_per_file=10**6)
    files = [len([*(market.prices / run).glob("*.parquet")]) for run in ("first", "second")]
    every = np.concatenate([*changes_by_category(market).values()])

    assert files == [2, 1]
    assert market.outcome(max_share_changed=0.0).found == pytest.approx((every > 0).mean())
    assert market.outcome(max_category_change=0.0).found == pytest.approx(
        max(np.mean(changes) for changes in changes_by_category(market).values())
    )


def test_small_categories_count_together(market):
    alone = CATALOG.with_columns(
        category_id=pl.when(pl.col("product_id") == "p000").then(pl.lit("alone")).otherwise(pl.lit("rest")),
        price=pl.when(pl.col("product_id") == "p001").then(2 * pl.col("price")).otherwise(pl.col("price")),
    )
    market.scored()
    alone.write_parquet(market.prices / "second" / RECORD / CATALOG_COPY)

    outcome = market.outcome(max_category_share_changed=0.0)

    assert (outcome.found, outcome.is_passed) == (0, True)
    assert "the small categories together" in outcome.detail + market.outcome(max_category_change=0.0).detail


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_layout_changes_no_number(market, layout):
    other = catalog_of(ARTEFACT, seed=1)
    market.scored(catalog=other)
    market.scored("again", catalog=other, tiling=(layout, ()))

    for gate in (
        "max_share_changed",
        "max_share_far",
        "max_category_change",
        "max_share_beyond_moves",
        "max_mean_move",
    ):
        assert market.outcome(run="again", **{gate: 0.0}).found == pytest.approx(market.outcome(**{gate: 0.0}).found)


def test_missing_and_unpriced_products_are_counted_with_their_reasons(market):
    fewer = CATALOG.sort("product_id")[2:].with_columns(
        has_unit_price=(pl.col("product_id") != "p005").cast(pl.Float64)
    )
    market.scored(catalog=fewer)

    outcome = market.outcome(max_share_missing=0.1)

    assert outcome.found == pytest.approx(3 / 24)
    assert not outcome.is_passed
    said = outcome.refusal(Path("x"))
    assert "products of first that are no longer priced must be at most 0.1, found 0.1250, 3 of 24 (" in said
    assert "(2 not in the catalog, 1 no_unit_price): p000, p001, p005 (" in said
    assert market.outcome(max_share_missing=0.125).is_passed


def test_new_products_are_not_missing(market):
    market.scored("first", catalog=CATALOG.filter(pl.col("product_id") > "p002"))
    market.scored()

    assert market.outcome(max_share_missing=0.0).found == 0


def test_columns_may_come_but_neither_go_nor_change(market):
    market.scored(tiling=("long", ("parts",)))
    market.scored("wide", tiling=("wide", ()))
    text = replace(ARTEFACT, segments=ARTEFACT.segments.with_columns(segment_id=pl.int_range(pl.len())))
    market.scored("numbers", artefact=text)

    assert market.outcome(same_columns=True).is_passed
    wide, numbers = (market.outcome(run=run, same_columns=True) for run in ("wide", "numbers"))
    assert (
        wide.found == "5 changed: segment_id String -> none, price Decimal(precision=12, scale=2) -> none, "
        "expected_units Float32 -> none, …"
    )
    assert numbers.found == "1 changed: segment_id String -> Int64"
    assert not wide.is_passed
    assert not numbers.is_passed


def test_currency_must_stay(market):
    market.scored()
    assert market.outcome(same_currency=True).is_passed

    market.scored("euro", artefact=replace(ARTEFACT, info=replace(ARTEFACT.info, currency="EUR")))

    assert "the currency must stay USD, found EUR (" in market.outcome(run="euro", same_currency=True).refusal(
        Path("x")
    )


def test_prices_beyond_a_move_limit_are_counted_whatever_moved_them(market, tmp_path):
    by_hand = pl.DataFrame({"product_id": ["p000", "p001"], "price": [99.0, 0.01]})
    by_hand.write_parquet(tmp_path / "by_hand.parquet")
    lossy = pl.when(pl.col("product_id").is_in(["p003", "p004"])).then(2 * pl.col("price")).otherwise("cost")
    market.scored(
        catalog=CATALOG.with_columns(cost=lossy), policy=a_policy(overrides=str(tmp_path / "by_hand.parquet"))
    )

    outcome = market.outcome(max_share_beyond_moves=0.05)

    rows = scan_prices(market.prices / "second").collect()
    move = (rows["price"].cast(pl.Float64) / rows["today_price"].cast(pl.Float64)) - 1
    assert (move < -0.3001).sum() == 3
    assert outcome.found == pytest.approx(((move > 0.1501) | (move < -0.3001)).mean())
    assert "found 0.1667, 12 of 72 prices (publish.gates.max_share_beyond_moves): see the column" in outcome.refusal(
        Path("x")
    )


def test_prices_on_the_edge_of_a_move_limit_are_not_beyond_it(market):
    bounds = replace(USUAL, max_decrease=0.0, max_increase=0.07, max_increase_amount=0.05, min_margin_rate=None)
    market.scored(policy=a_policy(replace(bounds, within_support=False), ladder=None))
    rows = scan_prices(market.prices / "second").collect()

    assert (rows["price"] - rows["today_price"]).max() > 0
    assert market.outcome(max_share_beyond_moves=0.0).found == 0


def test_version_without_its_policy_does_not_pass_the_gates_that_read_it(market):
    market.scored()
    (market.prices / "second" / RECORD / "policy.json").unlink()

    for gate in ({"max_share_beyond_moves": 1.0}, {"certificate": "met"}):
        assert "must be known, found no copy of its policy (" in market.outcome(**gate).refusal(Path("x"))


def test_certificate_is_asked_for_where_the_policy_has_constraints(market):
    market.scored("free")
    market.scored(policy=PROTECTING)
    assert market.outcome(run="free", certificate="met") is None
    assert market.outcome(certificate="met").is_passed
    path = market.prices / "second" / RECORD / "certificate.json"

    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "relaxed"}))
    assert market.outcome(certificate="relaxed").is_passed
    assert "certificate must be met, found relaxed (" in market.outcome(certificate="met").refusal(Path("x"))

    path.unlink()
    assert "certificate must be met or relaxed, found none (" in market.outcome(certificate="relaxed").refusal(
        Path("x")
    )


@pytest.mark.parametrize(
    ("kept", "max_gap", "said"),
    [
        (None, None, None),
        (None, 0.02, "must not refuse its prices, found none"),
        ({"is_refused": True, "max_gap": 0.02}, None, "must not refuse its prices, found that it did"),
        ({"is_refused": False, "max_gap": None}, 0.02, "must have kept to fairness.max_gap=0.02, found no limit"),
        ({"is_refused": False, "max_gap": 0.5}, 0.02, "must have kept to fairness.max_gap=0.02, found 0.5"),
        ({"is_refused": False, "max_gap": 0.02}, 0.02, ""),
        ({"is_refused": False, "max_gap": None}, None, ""),
    ],
)
def test_audit_is_asked_for_where_a_gap_is_limited(market, kept, max_gap, said):
    market.scored()
    if kept is not None:
        (market.prices / "second" / FAIRNESS).write_text(json.dumps(kept))

    outcome = market.outcome(Evidence(max_gap=max_gap), audit=True)

    if said is None:
        assert outcome is None
    elif not said:
        assert outcome.is_passed
    else:
        assert not outcome.is_passed
        assert said in outcome.refusal(Path("x"))


def metrics_of(version, loss, low):
    return {
        "fingerprint": version.artefact,
        "test": {"log_loss": loss, "intervals": {"log_loss": [low, 2 * loss - low]}},
    }


@pytest.mark.parametrize(("loss", "low", "is_passed"), [(0.31, 0.30, True), (0.35, 0.31, True), (0.35, 0.33, False)])
def test_held_out_loss_may_not_rise_beyond_chance(market, tmp_path, loss, low, is_passed):
    first = read_version(market.prices / "first")
    (market.prices / "first" / METRICS).write_text(json.dumps(metrics_of(first, 0.30, 0.28)))
    version = market.scored(artefact=small_artefact(22, segments=3, products=24, categories=2))
    (tmp_path / "metrics.json").write_text(json.dumps(metrics_of(version, loss, low)))

    outcome = market.outcome(Evidence(tmp_path / "metrics.json"), max_loss_increase=0.05)

    assert outcome.found == pytest.approx(low / 0.30 - 1)
    assert outcome.is_passed == is_passed


def test_demand_that_nobody_evaluated_does_not_replace_one_with_scores(market, tmp_path):
    first = read_version(market.prices / "first")
    (market.prices / "first" / METRICS).write_text(json.dumps(metrics_of(first, 0.30, 0.28)))
    market.scored("same")
    market.scored(artefact=small_artefact(22, segments=3, products=24, categories=2))
    (tmp_path / "metrics.json").write_text(json.dumps(metrics_of(first, 0.30, 0.28)))  # of another demand
    evidence = Evidence(tmp_path / "metrics.json")

    assert market.outcome(evidence, run="same", max_loss_increase=0.05) is None
    said = market.outcome(evidence, max_loss_increase=0.05).refusal(Path("x"))
    assert "must be known, found no scores of it: run gpu-pricer train and evaluate first (" in said


def test_published_version_without_scores_is_not_compared(market):
    market.scored(artefact=small_artefact(22, segments=3, products=24, categories=2))

    assert market.outcome(max_loss_increase=0.0) is None


@pytest.mark.parametrize(("days", "is_passed"), [(-1, False), (0, True), (7, True)])
def test_sales_behind_a_version_reach_as_far_as_those_behind_the_published_one(market, days, is_passed):
    first = date.fromisoformat(ARTEFACT.info.pricing_period)
    until = (first + timedelta(days)).isoformat()
    market.scored(artefact=replace(ARTEFACT, info=replace(ARTEFACT.info, pricing_period=until)))

    outcome = market.outcome(no_older_sales=True)

    assert (outcome.found, outcome.is_passed) == (f"up to {until}", is_passed)
    assert f"those behind first, up to {first}, found up to {until} (publish.gates.no_older" in outcome.refusal(
        Path("x")
    )
    assert market.outcome(no_older_sales=False) is None


def test_record_of_the_published_version_is_not_needed_but_its_files_are(market):
    market.scored()
    (market.prices / "first" / RECORD / "run.json").write_text("{")
    assert market.outcome(max_share_missing=0.0).is_passed

    for path in (market.prices / "first").glob("*.parquet"):
        path.unlink()

    with pytest.raises(InputError, match=r"first must hold the published version, .* publish=unguarded"):
        market.outcome(max_share_missing=0.0)
