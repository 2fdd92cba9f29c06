"""Every feature of a policy with every block of an evaluation: the blocks' numbers against a logit written out here.

A case is a market priced under one feature, or under all of them. Its segments are the types of its truth, so that
prices set by hand for one segment mean the same in the prices that are judged and in the references.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from gpu_pricer import CONF
from gpu_pricer.evaluation.blocks import EvaluationInputs, Metrics, evaluate_all
from gpu_pricer.evaluation.demand.aggregation import aggregation_regret
from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.demand.price_response import response_curves
from gpu_pricer.evaluation.held_out.offers import Log
from gpu_pricer.evaluation.truth.reference_prices import Benchmark, benchmark
from gpu_pricer.evaluation.truth.true_types import true_types_price
from gpu_pricer.evaluation.truth.under_truth import LOG_LOG, Learned, evaluate_under_truth, log_log_price
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.solving import reference_cells
from gpu_pricer.tables.artefact import DemandArtefact
from tests.evaluation.markets import small_source, weekly_log
from tests.markets import USUAL, a_policy, with_posterior

FEATURES = ("ladders", "families", "overrides", "visits", "draws", "together")
SMALLEST, LARGEST = "C001", "C000"  # categories of the market, by what is bought of them
MOST_BOUGHT, SECOND_MOST_BOUGHT = 100023, 100004  # products of the largest category
CATEGORIES = 2  # that are drawn and segmented, so that not every category with a ladder is among them
USUAL_ENDINGS = {9, 29, 49, 79, 99}
BY_HAND, DEAR = 1.1, 1.3  # of today's price


@dataclass(frozen=True)
class PlainLogit:
    """A demand in plain NumPy for P products sorted by category and id, and S segments sorted by id.

    products [P]: the artefact's columns, with the catalog's price and cost; appeal, slope [P, S].
    """

    products: pl.DataFrame
    segment_id: list
    appeal: np.ndarray
    slope: np.ndarray

    @classmethod
    def of(cls, artefact: DemandArtefact, catalog: pl.DataFrame) -> "PlainLogit":
        known = artefact.products.with_row_index("row").join(
            catalog.select("product_id", "price", "cost"), on="product_id"
        )
        products = known.sort("category_id", "product_id")
        order, row = artefact.segments["segment_id"].arg_sort().to_numpy(), products["row"].to_numpy()
        appeal, slope = (
            artefact.factors[name][order][:, row].T.astype(np.float64) for name in ("appeal", "sensitivity")
        )
        return cls(products, artefact.segments["segment_id"].sort().to_list(), appeal, slope)

    def column(self, name: str) -> np.ndarray:
        return self.products[name].to_numpy()[:, None]

    def in_category(self, category: str) -> np.ndarray:
        return (self.products["category_id"] == category).to_numpy()

    def chances(self, price: np.ndarray) -> np.ndarray:
        """The probability [P, S] that a visit chooses a product, at prices [P, 1] or [P, S] in currency."""
        utility = self.appeal - self.slope * (price / self.column("reference_price") - 1)
        weight = np.where(self.column("availability") > 0, np.exp(utility), 0.0)
        chance = np.empty_like(weight)
        for category in self.products["category_id"].unique():
            mine = self.in_category(category)
            chance[mine] = weight[mine] / (1 + weight[mine].sum(axis=0))
        return chance

    def units(self, price: np.ndarray) -> np.ndarray:
        """The expected units [P, S] of a visit, at prices [P, 1] or [P, S] in currency."""
        return self.chances(price) * self.column("units_per_choice")

    def elasticities(self, price: np.ndarray) -> np.ndarray:
        """The own-price elasticities [P, S]; NaN off the shelf."""
        found = -self.slope * price / self.column("reference_price") * (1 - self.chances(price))
        return np.where(self.column("availability") > 0, found, np.nan)

    def profit(self, price: np.ndarray, visits: np.ndarray) -> float:
        """Expected profit in currency per 1,000 of the visits [S]."""
        earned = (price - self.column("cost")) * self.column("units_per_choice") * self.chances(price)
        return float(1000 * (earned @ visits).sum() / visits.sum())


@dataclass(frozen=True)
class Case:
    """A market, what was learned of it, and the prices that its policy makes of that.

    endings: of prices in cents, by category; by_hand: prices by product; by_hand_in: prices by product and segment;
    ours [P, S]: the prices to judge, in currency.
    """

    truth: DemandArtefact
    learned: DemandArtefact
    members: DemandArtefact
    catalog: pl.DataFrame
    policy: Policy
    endings: dict[str, set[int]]
    by_hand: dict[int, float]
    by_hand_in: dict[tuple[int, str], float]
    log: Log
    ours: np.ndarray

    @property
    def visits(self) -> np.ndarray:
        """The visits [S] of the truth's users, by type."""
        return (
            self.truth.user_segments.group_by("segment_id")
            .agg(pl.col("visits").sum())
            .sort("segment_id")["visits"]
            .to_numpy()
        )

    @property
    def learned_visits(self) -> np.ndarray:
        """The visits [S] of the segments, as learned."""
        return self.learned.segments.sort("segment_id")["visits"].to_numpy()

    def is_sold(self, products: pl.DataFrame) -> np.ndarray:
        return products["product_id"].is_in(self.log.choices["product_id"].unique().implode()).to_numpy()

    def legal(self, row: dict) -> list[int]:
        """The prices in cents that the policy allows a product, none where it must stay at today's."""
        today = round(100 * row["price"])
        low = max(0.7 * today, 100 * row["min_price"], 100 * row["cost"] / 0.95)
        high = min(1.15 * today, 100 * row["max_price"])
        inside = range(math.ceil(low - 1e-6), math.floor(high + 1e-6) + 1)
        return [price for price in inside if price % 100 in self.endings.get(row["category_id"], USUAL_ENDINGS)]

    def groups(self, products: pl.DataFrame) -> list[list[int]]:
        """Positions of the products that share one price; without the products whose price is set by hand."""
        rest = products.with_row_index("position").filter(~pl.col("product_id").is_in([*self.by_hand]))
        if "family_id" in self.catalog.columns:
            rest = rest.join(self.catalog.select("product_id", "family_id"), on="product_id", maintain_order="left")
            rest = rest.filter([bool(self.legal(row)) for row in rest.iter_rows(named=True)])
            return rest.group_by("family_id").agg("position")["position"].to_list()
        return [[position] for position in rest["position"]]


def drawn_market():
    """The small market, where three products were never sold."""
    drawn = small_source().draw()
    shelf, choices = weekly_log(drawn)
    cold = drawn.truth.products.filter(pl.col("availability") > 0).sort("product_id")["product_id"][:3]
    choices = choices.filter(~pl.col("product_id").is_in(cold.implode()).fill_null(False))
    return drawn, Log(shelf, choices, choices.select("user_id", "period").unique()), cold.to_list()


def learned_from(truth: DemandArtefact) -> DemandArtefact:
    """The truth with errors, its types as segments."""
    rng = np.random.default_rng(0)
    factors = {
        "appeal": truth.factors["appeal"] + rng.normal(0, 0.1, truth.factors["appeal"].shape),
        "sensitivity": truth.factors["sensitivity"] * rng.uniform(0.85, 1.15, truth.factors["sensitivity"].shape),
    }
    users = truth.user_segments.select("user_id", "segment_id")
    return replace(truth, factors={name: f.astype(np.float32) for name, f in factors.items()}, user_segments=users)


def members_of(learned: DemandArtefact, visits: pl.DataFrame, spread: float) -> DemandArtefact:
    """Every tenth user as a segment of its own, who differs that much from the segment; no product of SMALLEST.

    visits: user_id, segment_id, visits.
    """
    users = visits.sort("user_id").gather_every(10)
    row = users.join(learned.segments.with_row_index("row"), on="segment_id", maintain_order="left")["row"].to_numpy()
    kept = (learned.products["category_id"] != SMALLEST).to_numpy()
    change = spread * np.random.default_rng(1).choice([-1.0, 1.0], (len(row), 1))
    factors = {
        "appeal": learned.factors["appeal"][row][:, kept] + 2 * change,
        "sensitivity": learned.factors["sensitivity"][row][:, kept] * (1 + change),
    }
    return replace(
        learned,
        factors={name: factor.astype(np.float32) for name, factor in factors.items()},
        products=learned.products.filter(pl.Series(kept)),
        segments=users.select(segment_id="user_id", visits="visits"),
        user_segments=None,
    )


def other_visits(truth: DemandArtefact, learned: DemandArtefact) -> tuple[DemandArtefact, DemandArtefact]:
    """The same where the users of one type no longer come, others more often than the truth's segments say."""
    factor = pl.col("segment_id").replace_strict({"T00": 1.5, "T01": 0.0, "T02": 1.1}, return_dtype=pl.Float64)
    users = truth.user_segments.with_columns(visits=pl.col("visits") * factor)
    segments = learned.segments.with_columns(visits=pl.col("visits") * factor**2)
    return replace(truth, user_segments=users), replace(learned, segments=segments)


def a_case(feature: str, folder: Path) -> Case:
    drawn, log, cold = drawn_market()
    has = {name: feature in (name, "together") for name in FEATURES}
    truth, learned = drawn.truth, learned_from(drawn.truth)
    catalog = drawn.tables["products"].select("product_id", "category_id", "price", "cost", "availability")
    today = dict(catalog.select("product_id", "price").iter_rows())
    usual, endings, bounds, by_hand, by_hand_in = USUAL_ENDINGS, {}, USUAL, {}, {}
    if has["ladders"]:
        # One rung per dollar beside families costs more than all prices gain: no share of the gain could be judged.
        usual = {99} if feature == "ladders" else USUAL_ENDINGS
        endings = dict.fromkeys(catalog["category_id"].unique(), usual) | {LARGEST: {49, 99}, SMALLEST: {50}}
    if has["families"]:
        rank = pl.int_range(pl.len()).over("category_id", order_by="price")
        catalog = catalog.with_columns(family_id=pl.format("{} {}", "category_id", rank // 2))
        bounds = replace(bounds, family_column="family_id")
    if has["overrides"]:
        by_hand = {SECOND_MOST_BOUGHT: round(BY_HAND * today[SECOND_MOST_BOUGHT], 2)}
        dear, mild = round(DEAR * today[MOST_BOUGHT], 2), round(BY_HAND * today[cold[0]], 2)
        by_hand_in = {(MOST_BOUGHT, "T02"): dear, (cold[0], "T02"): mild}
    if has["visits"]:
        truth, learned = other_visits(truth, learned)
    if has["draws"]:
        learned = with_posterior(learned, 0.3)
    cents = {name: {"endings": [c / 100 for c in sorted(rest)]} for name, rest in endings.items() if rest != usual}
    policy = a_policy(
        bounds,
        Ladder(endings=[c / 100 for c in sorted(usual)], prices=None),
        category_ladders=cents,
        overrides=overrides_file(folder, by_hand, by_hand_in),
    )
    uncertainty = "posterior" if feature == "draws" else "point"  # beside families there is no posterior pricing
    ours = reference_cells(pricing_problem(learned, catalog, policy, uncertainty)).price / 100
    members = members_of(learned, truth.user_segments, 0.3)
    return Case(truth, learned, members, catalog, policy, endings, by_hand, by_hand_in, log, ours)


def overrides_file(folder: Path, by_hand: dict, by_hand_in: dict) -> str | None:
    if not by_hand:
        return None
    rows = [(product, None, price) for product, price in by_hand.items()]
    rows += [(*cell, price) for cell, price in by_hand_in.items()]
    pl.DataFrame(rows, ["product_id", "segment_id", "price"], orient="row").write_parquet(folder / "by_hand.parquet")
    return str(folder / "by_hand.parquet")


def metrics_of(case: Case) -> Metrics:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=[f"evaluate.categories={CATEGORIES}"])
    demand = CatalogDemand.of(case.learned, case.catalog, case.policy)
    found = EvaluationInputs(
        policy=case.policy,
        catalog=case.catalog,
        sales=case.log,
        held_out=None,
        trained=[],
        demand=demand,
        members=case.members,
        segments=case.learned,
        truth=case.truth,
        learned=Learned(case.learned, price_table(case), None),
    )
    return evaluate_all(found, instantiate(config.evaluate, _convert_="all"), seed=0)


def price_table(case: Case) -> pl.DataFrame:
    logit = PlainLogit.of(case.learned, case.catalog)
    cells = [
        (segment, product, case.ours[p, s])
        for p, product in enumerate(logit.products["product_id"])
        for s, segment in enumerate(logit.segment_id)
    ]
    return pl.DataFrame(cells, ["segment_id", "product_id", "price"], orient="row")


@pytest.fixture(scope="module", params=FEATURES)
def case(request, tmp_path_factory) -> Case:
    return a_case(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def metrics(case) -> Metrics:
    return metrics_of(case)


@pytest.fixture(scope="module")
def bench(case) -> Benchmark:
    return benchmark(case.truth, case.catalog, case.policy, case.visits)


@pytest.fixture(scope="module")
def learned(case) -> PlainLogit:
    return PlainLogit.of(case.learned, case.catalog)


@pytest.fixture(scope="module")
def truth(case) -> PlainLogit:
    return PlainLogit.of(case.truth, case.catalog)


def require_legal(case: Case, logit: PlainLogit, price: np.ndarray) -> None:
    """Assert that prices [P, S] or [P, 1] in currency keep every rule of the case's policy."""
    cents = np.rint(100 * np.broadcast_to(price, logit.appeal.shape)).astype(int)
    today = np.rint(100 * logit.column("price")).astype(int)
    is_movable = np.ones(cents.shape, bool)
    place = {product: p for p, product in enumerate(logit.products["product_id"])}
    for product, amount in case.by_hand.items():
        assert (cents[place[product]] == round(100 * amount)).all()
        is_movable[place[product]] = False
    for (product, segment), amount in case.by_hand_in.items():
        cell = place[product], logit.segment_id.index(segment)
        assert cents[cell] == round(100 * amount)
        is_movable[cell] = False
    for p, row in enumerate(logit.products.iter_rows(named=True)):
        assert {*cents[p][is_movable[p]]} <= {*case.legal(row), today[p, 0]}
    is_offered = logit.column("availability")[:, 0] > 0  # the others may leave their families
    for group in case.groups(logit.products):
        for s in range(cents.shape[1]):
            mine = np.array(group)[is_movable[group, s] & is_offered[group]]
            assert len({*cents[mine, s]}) <= 1 or (cents[mine, s] == today[mine, 0]).all()
    assert (cents != today)[is_movable].mean() > 0.3


def largest_categories(logit: PlainLogit, visits: np.ndarray) -> np.ndarray:
    """Whether a product is of the categories that are bought most, bool [P]."""
    bought = logit.chances(logit.column("price")) @ visits
    total = {name: bought[logit.in_category(name)].sum() for name in logit.products["category_id"].unique()}
    largest = sorted(total, key=total.__getitem__)[-CATEGORIES:]
    return logit.products["category_id"].is_in(largest).to_numpy()


def test_price_response_is_the_mean_elasticity_of_what_is_bought(case, metrics, learned):
    today, block = learned.column("price"), metrics.blocks["price_response"]

    bought, own = learned.chances(today) * case.learned_visits, np.nan_to_num(learned.elasticities(today))

    assert block["mean_elasticity"] == pytest.approx((bought * own).sum() / bought.sum(), rel=1e-5)
    for category, row in block["elasticity_by_category"].items():
        mine = learned.in_category(category)
        assert row["elasticity"] == pytest.approx((bought * own)[mine].sum() / bought[mine].sum(), rel=1e-5)
        if case.learned.posterior is not None:
            assert row["posterior_low"] < row["elasticity"] < row["posterior_high"]


def test_intervals_are_those_of_the_draws(case, metrics, learned):
    assert (metrics.intervals is None) == (case.learned.posterior is None)
    assert ("interval_90" in metrics.blocks["price_response"]) == (case.learned.posterior is not None)
    if metrics.intervals is None:
        return
    today, block = learned.column("price"), metrics.blocks["price_response"]
    drawn = in_draws(case, learned)
    chosen = np.array([scaled.chances(today) for scaled in drawn])
    moved = chosen * np.nan_to_num([scaled.elasticities(today) for scaled in drawn])

    def mean_and_ends(rows, visits=case.learned_visits) -> tuple[float, ...]:
        """The mean and the 90 % interval over the draws of the elasticity of products for visits by segment."""
        values = (moved[:, rows] @ visits).sum(axis=1) / (chosen[:, rows] @ visits).sum(axis=1)
        return float(values.mean()), *np.quantile(values, [0.05, 0.95])

    cells = metrics.intervals.cells
    for category, segment, mean, low, high in cells.select(
        "category_id", "segment_id", "elasticity", "low", "high"
    ).iter_rows():
        own = mean_and_ends(learned.in_category(category), np.array(learned.segment_id) == segment)
        assert (mean, low, high) == pytest.approx(own, rel=1e-4)
        assert low < mean < high
    for category, row in block["elasticity_by_category"].items():
        own = mean_and_ends(learned.in_category(category))
        assert (row["posterior_low"], row["posterior_high"]) == pytest.approx(own[1:], rel=1e-4)
    interval = block["interval_90"]
    assert interval["cells"] == cells.height == 5 * 3
    own = mean_and_ends(slice(None))
    assert (interval["elasticity"], interval["low"], interval["high"]) == pytest.approx(own, rel=1e-4)


def test_response_curves_are_what_the_demand_buys(case, learned):
    curves = response_curves(CatalogDemand.of(case.learned, case.catalog, case.policy).largest(CATEGORIES))

    is_large, visits = largest_categories(learned, case.learned_visits), case.learned_visits
    assert {*curves["category_id"]} == {*learned.products["category_id"].filter(pl.Series(is_large))}
    for (category,), curve in curves.group_by("category_id"):
        mine = learned.in_category(category)
        expected = [
            1000 * (learned.units(level * learned.column("price")) @ visits)[mine].sum() / visits.sum()
            for level in curve["price_level"]
        ]
        assert curve["units"].to_numpy() == pytest.approx(np.array(expected), rel=1e-5)


def test_segments_of_their_own_earn_what_their_prices_do_and_no_less_than_all_in_one(case, metrics, learned):
    block = metrics.blocks["segmentation"]

    point = reference_cells(pricing_problem(case.learned, case.catalog, case.policy)).price / 100
    is_large = largest_categories(learned, case.learned_visits)
    alike = benchmark(case.learned, case.catalog, case.policy).uniform / 100
    for count, price, error in (("3", point, 1e-5), ("1", alike, 1e-4)):
        priced = np.where(is_large[:, None], price, learned.column("cost"))
        assert block[count]["profit"] == pytest.approx(learned.profit(priced, case.learned_visits), rel=error)
    assert 0 < block["1"]["profit"] <= block["3"]["profit"] * (1 + 1e-9)


def test_aggregation_compares_what_the_members_pay_at_the_prices_of_their_segments(case, metrics):
    block = metrics.blocks["aggregation_regret"]

    members = PlainLogit.of(case.members, case.catalog)
    segment_of = dict(case.learned.user_segments.iter_rows())
    point = reference_cells(pricing_problem(case.learned, case.catalog, case.policy)).price / 100
    whole = PlainLogit.of(case.learned, case.catalog)
    column = [whole.segment_id.index(segment_of[user]) for user in members.segment_id]
    paid = point[~whole.in_category(SMALLEST)][:, column]
    visits = case.members.segments.sort("segment_id")["visits"].to_numpy()
    assert block["profit_of_moments"] == pytest.approx(members.profit(paid, visits), rel=1e-5)
    assert block["profit_of_members"] >= block["profit_of_moments"]
    assert block["regret"] == pytest.approx(1 - block["profit_of_moments"] / block["profit_of_members"])


def test_aggregation_loses_nothing_where_members_are_alike(case):
    alike = members_of(case.learned, case.truth.user_segments, 0.0)

    found = aggregation_regret(alike, case.learned, case.catalog, case.policy)

    assert found["regret"] == pytest.approx(0.0, abs=1e-4)


def test_ours_earn_what_the_truth_pays_and_no_more_than_the_oracle(case, metrics, truth, learned):
    block = metrics.blocks["truth"]

    require_legal(case, learned, case.ours)
    profit = truth.profit(case.ours, case.visits)
    assert block["profit_per_1000_visits"]["ours"] == pytest.approx(profit, rel=1e-5)
    assert profit <= block["profit_per_1000_visits"]["oracle"] * (1 + 1e-9)
    assert block["optimism_gap"] == pytest.approx(learned.profit(case.ours, case.visits) / profit - 1, abs=1e-5)


def test_ours_of_draws_earn_most_on_average_over_the_draws(tmp_path):
    case = a_case("draws", tmp_path)
    learned = PlainLogit.of(case.learned, case.catalog)
    point = reference_cells(pricing_problem(case.learned, case.catalog, case.policy)).price / 100

    ours, others = (profit_over_draws(case, learned, price) for price in (case.ours, point))

    assert (case.ours != point).any()
    assert ours > others


def profit_over_draws(case: Case, learned: PlainLogit, price: np.ndarray) -> float:
    """The mean over the posterior's draws of what the learned demand expects of prices [P, S]."""
    return float(np.mean([scaled.profit(price, case.learned_visits) for scaled in in_draws(case, learned)]))


def in_draws(case: Case, learned: PlainLogit) -> list[PlainLogit]:
    """The learned demand in every draw of its posterior."""
    found = []
    for _, drawn in case.learned.posterior.group_by("draw", maintain_order=True):
        deviation = drawn.pivot("segment_id", index="category_id", values="log_deviation")
        rows = learned.products.join(deviation, on="category_id", maintain_order="left")
        found.append(replace(learned, slope=learned.slope * np.exp(rows.select(learned.segment_id).to_numpy())))
    return found


def test_elasticities_are_judged_by_those_of_the_users_who_come(case, metrics, truth, learned):
    block, today = metrics.blocks["truth"], truth.column("price")

    error = np.nanmean((learned.elasticities(today) - truth.elasticities(today)) ** 2, axis=0)
    assert block["elasticity_rmse"] == pytest.approx(np.sqrt(error @ case.visits / case.visits.sum()), rel=1e-4)
    assert ("elasticity_coverage_90" in block) == (case.learned.posterior is not None)
    if case.learned.posterior is not None:
        bought, own = truth.chances(today) * case.visits, np.nan_to_num(truth.elasticities(today))
        inside = []
        for category, segment, low, high in metrics.intervals.cells.select(
            "category_id", "segment_id", "low", "high"
        ).iter_rows():
            mine, s = truth.in_category(category), truth.segment_id.index(segment)
            if case.visits[s] > 0:
                inside.append(low <= (bought * own)[mine, s].sum() / bought[mine, s].sum() <= high)
        assert block["elasticity_coverage_90"] == pytest.approx(np.mean(inside))
        inside = []
        for category, row in metrics.blocks["price_response"]["elasticity_by_category"].items():
            mine = truth.in_category(category)
            mean = (bought * own)[mine].sum() / bought[mine].sum()
            inside.append(row["posterior_low"] <= mean <= row["posterior_high"])
        assert block["category_coverage_90"] == pytest.approx(np.mean(inside))


def test_oracle_keeps_the_rules_and_earns_no_less_than_any_other_list(case, metrics, bench, truth):
    profit = metrics.blocks["truth"]["profit_per_1000_visits"]

    require_legal(case, truth, bench.oracle / 100)
    assert profit["oracle"] == pytest.approx(truth.profit(bench.oracle / 100, case.visits), rel=1e-5)
    for name in {*profit} - {"today"}:
        assert profit[name] <= profit["oracle"] * (1 + 1e-9), name


def test_uniform_prices_keep_the_rules_and_no_step_of_one_improves_them(case, metrics, bench, truth):
    price = np.broadcast_to(bench.uniform, bench.oracle.shape) / 100

    require_legal(case, truth, price)
    best = truth.profit(price, case.visits)
    assert metrics.blocks["truth"]["profit_per_1000_visits"]["best_uniform"] == pytest.approx(best, rel=1e-5)
    is_movable = np.ones(price.shape, bool)
    for product, segment in case.by_hand_in:
        is_movable[truth.products["product_id"].index_of(product), truth.segment_id.index(segment)] = False
    assert all(len({*row[movable]}) <= 1 for row, movable in zip(price, is_movable, strict=True))
    for group in case.groups(truth.products):
        rungs = sorted(set.intersection(*({*case.legal(truth.products.row(p, named=True))} for p in group)))
        for cents in rungs:
            other = price.copy()
            other[group] = np.where(is_movable[group], cents / 100, price[group])
            assert truth.profit(other, case.visits) <= best * (1 + 1e-6)


def test_gain_shares_are_of_what_the_products_alone_could_gain(case, metrics, bench, truth):
    today, on_shelf = truth.column("price"), truth.column("availability")[:, 0] > 0
    warm = case.is_sold(truth.products) & on_shelf

    assert metrics.blocks["truth"]["gain_share"]["warm"] > 0
    for name, is_priced in (("warm", warm), ("cold", ~warm & on_shelf)):
        best = bench.best_of(is_priced) / 100
        assert is_priced.any()
        assert (best == today)[~is_priced].all()
        now, ours, most = (
            truth.profit(price, case.visits) for price in (today, np.where(is_priced[:, None], case.ours, today), best)
        )
        expected = (ours - now) / (most - now) if most > now else math.nan  # rules alone may cost more than is gained
        assert metrics.blocks["truth"]["gain_share"][name] == pytest.approx(expected, rel=1e-3, nan_ok=True)
        assert ours <= most * (1 + 1e-9)


def test_baselines_keep_the_rules_and_are_judged_by_their_profit(case, metrics, bench, truth):
    block, log = metrics.blocks["truth"], case.log
    profit, judged = block["profit_per_1000_visits"], block["baselines"]

    lists = {name: log_log_price(bench, log, pool) for name, pool in LOG_LOG.items()}
    lists["true_types"] = true_types_price(case.truth, case.catalog, case.policy, log.shelf, log.choices)
    for name, price in lists.items():
        require_legal(case, truth, price / 100)
        assert profit[name] == pytest.approx(truth.profit(price / 100, case.visits), rel=1e-5)
    assert profit["today"] == pytest.approx(truth.profit(truth.column("price"), case.visits), rel=1e-5)
    for name in judged:
        assert judged[name]["regret"] == pytest.approx(1 - profit[name] / profit["oracle"])
        assert judged[name]["profit_over_today"] == pytest.approx(profit[name] / profit["today"] - 1)


def test_cold_products_that_may_not_move_have_no_gain_to_share(tmp_path):
    case = a_case("families", tmp_path)
    sold = case.log.choices["product_id"].unique()
    cold = case.catalog.filter(~pl.col("product_id").is_in(sold.implode()))["product_id"].to_list()
    frozen = f"product_id in ({', '.join(map(str, cold))})"
    policy = replace(case.policy, bounds=replace(case.policy.bounds, frozen=frozen))
    learned = Learned(case.learned, price_table(case), None)

    block = evaluate_under_truth(case.truth, case.catalog, policy, learned, case.log)

    assert math.isnan(block["gain_share"]["cold"])
    assert block["gain_share"]["warm"] > 0
