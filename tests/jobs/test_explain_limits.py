"""explain under constraints: the record holds what made every price, and words say what each limit makes of it."""

import json
import re
import shutil

import numpy as np
import polars as pl
import pytest
from hydra.utils import instantiate

from gpu_pricer.constraints import MarketData
from gpu_pricer.constraints.lagrangian_record import ITERATES, LAGRANGIAN, read_lagrangian
from gpu_pricer.explain.limit_effects import added_costs, limit_effects
from gpu_pricer.explain.text import part_words
from gpu_pricer.jobs import score
from gpu_pricer.jobs.explain import CellPosition, PricedFrom, derive
from gpu_pricer.policy import with_rule_columns
from gpu_pricer.pricing import match_products, problem_of
from gpu_pricer.pricing.tiles.lagrangian import price_under_lagrangian
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.price_table import CENTS, PARTS, scan_prices
from tests.constraints.markets import department_market
from tests.jobs.conftest import configuration
from tests.markets import one_product
from tests.shops import lay_out

ARTEFACT, CATALOG = department_market(5, 18, 2, category_size=3)
LIMITS = (
    "policy=profit",
    "+policy.constraints.keep={measure: units, at_least: 0.98, relative_to: current_prices, each: department}",
    "+policy.constraints.index={measure: price_index, at_most: 1.01, where: \"department = 'pets'\"}",
    "+policy.constraints.rate={measure: margin_rate, at_least: 0.375, where: \"segment_id = 's001'\"}",
    "+policy.constraints.shelf={measure: units, at_most: stock, per: product_id}",
)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A folder with two versions under the limits, of the same prices: one with their parts, one without.

    Two products have hardly any stock.
    """
    folder = tmp_path_factory.mktemp("shop")
    write_artefact(ARTEFACT, folder / "work/demand")
    (folder / "work/data").mkdir()
    scarce = pl.when(pl.col("product_id").is_in(["p0000004", "p0000010"])).then(1.0)
    CATALOG.with_columns(stock=scarce).write_parquet(folder / "work/data/products.parquet")
    for name, details in (("parts", "[parts]"), ("plain", "[]")):
        shards = f"paths.shards={folder}/prices/{name}"
        score.main(configuration(folder / "work", *LIMITS, f"score.details={details}", shards))
    return folder


@pytest.fixture
def limited(scored, tmp_path):
    """A copy of the folder, where the jobs look for it."""
    shutil.copytree(scored, tmp_path, dirs_exist_ok=True)
    return tmp_path


def priced_from(folder, limits=LIMITS, name="plain"):
    """What `explain` reads of the version, made again from the sources that the test wrote."""
    policy = instantiate(configuration(folder / "work", *limits).policy)
    catalog = pl.read_parquet(folder / "work/data/products.parquet")
    matched = match_products(with_rule_columns(catalog, policy.bounds), ARTEFACT)
    problem = problem_of(ARTEFACT, matched, policy)
    market = MarketData(catalog, ARTEFACT.segments, "USD")
    lagrangian = read_lagrangian(folder / "prices" / name / "_record", problem, policy.objective, market)
    support = matched.products.select("min_price", "max_price").to_numpy()
    return PricedFrom(ARTEFACT, problem, support, matched.products["category_id"], lagrangian), policy


def cells_of(folder, name, problem):
    """The version's rows in the order of the problem's cells."""
    order = problem.products.product_id.to_frame().with_row_index("p")
    found = scan_prices(folder / "prices" / name).collect().join(order, on="product_id")
    return found.sort("p", "segment_id")


def numbers(text):
    return [float(word.replace(",", "")) for word in re.findall(r"[-+]?[\d,]*\.\d+", text)]


def test_recorded_multipliers_give_every_published_price(limited):
    origin, _ = priced_from(limited)
    problem, weights = origin.problem, origin.lagrangian.weights

    cells = price_under_lagrangian(problem, weights, (0, problem.category_count), None, "cpu")

    published = cells_of(limited, "plain", problem)["price"].cast(pl.Float64).to_numpy().reshape(18, 2)
    assert (cells.price == np.round(CENTS * published)).all()
    assert len(np.unique(weights.iterate)) > 1, "categories must differ in their multipliers"
    assert (weights.multiplier > 0).any()
    assert (weights.stock_price > 0).any()


def test_derivation_is_that_of_every_cell(limited):
    origin, policy = priced_from(limited)
    table = cells_of(limited, "parts", origin.problem)
    assert (table["shadow_price"] != 0).mean() > 0.5, "the limits must bind"
    start, profit = origin.problem.products.category_start, table["expected_profit"].to_numpy().reshape(18, 2)

    for place, row in enumerate(table.iter_rows(named=True)):
        found = derive(origin, policy, limited / "prices/plain", CellPosition(*divmod(place, 2)), {})

        assert sum(found.parts.values()) == pytest.approx(float(row["price"]), abs=1e-9)
        assert found.now.price == float(row["price"])
        for part in PARTS:
            assert found.parts[part] == pytest.approx(float(row[part]), abs=0.011), (part, row)
        if found.runner_up is not None:
            assert found.runner_up.category_value <= found.now.category_value + 1e-4, row
        assert found.is_weighted
        category = np.searchsorted(start, place // 2, side="right")
        earned = profit[start[category - 1] : start[category], place % 2].sum()
        assert found.now.category_profit == pytest.approx(earned, rel=1e-3)


def test_words_say_what_each_limit_makes_a_unit_worth(gpu_pricer, limited):
    ended = gpu_pricer("explain", "product=p0000012", "segment=s001", "paths.shards=prices/plain")

    assert ended.status == 0, ended
    record = json.loads((limited / "prices/plain/_record" / LAGRANGIAN).read_text())
    iterates = pl.read_parquet(limited / "prices/plain/_record" / ITERATES)
    row = iterates.row(by_predicate=pl.col("product_id") == "p0000012", named=True)
    multiplier = dict(zip(record["constraints"], record["multiplier"][row["iterate"]], strict=True))
    lines = ended.out.splitlines()
    assert "What the limits on the assortment add to the cost (certificate: met)" in lines, ended.out
    product = CATALOG.row(by_predicate=pl.col("product_id") == "p0000012", named=True)
    price, today, cost = numbers(lines[0])[0], product["price"], product["cost"]
    assert product["department"] == "pets"
    pays = {
        "keep[pets]": ("each unit where \"department\" = 'pets' is worth", 1.0),
        "index": (
            "each USD of revenue where department = 'pets' above 101.0% of the same units' at today's prices costs",
            1.01 * today - price,
        ),
        "rate": (
            "each USD of profit where segment_id = 's001' above 37.5% of revenue is worth",
            price - cost - 0.375 * price,
        ),
    }
    for name, (words, per_multiplier) in pays.items():
        line = next((line for line in lines if words in line), None)
        assert (line is not None) == (multiplier[name] > 0), name
        if line is not None:
            amount, here = numbers(line)[-2:]
            assert amount == pytest.approx(multiplier[name], abs=5e-5)
            assert here == pytest.approx(multiplier[name] * per_multiplier, abs=6e-5)
    assert sum(words in ended.out for words, _ in pays.values()) > 1, ended.out
    assert "keep[drinks]" not in ended.out, "a limit that does not count the price has no say in it"


def test_what_the_limits_add_sums_to_the_cost_that_the_price_was_made_with(limited):
    origin, _ = priced_from(limited)
    weights, names = origin.lagrangian.weights, [*origin.lagrangian.constraints]
    table = cells_of(limited, "parts", origin.problem)
    for place in range(table.height):
        cell = CellPosition(*divmod(place, 2))
        class_number = int(weights.slices.segment_class[cell.segment])
        _, effective = weights.product_weights(origin.problem, class_number, slice(cell.product, cell.product + 1))

        found = added_costs(weights, names, origin.problem, cell)

        together = found.cost + found.objective + sum(found.limits.values()) + found.stock
        assert together == pytest.approx(effective[0] / CENTS, rel=1e-9)
        assert (found.stock > 0) == (weights.stock_price[cell.product] > 0)


def test_limit_at_the_prices_of_the_anchor_counts_a_unit_at_these(tmp_path):
    limits = (
        "policy=profit", "policy.bounds.anchor={column: earlier, max_increase: 0.5}",
        "+policy.constraints.index={measure: price_index, at_most: 1.01, relative_to: anchor_prices}",
    )  # fmt: skip
    write_artefact(ARTEFACT, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    CATALOG.with_columns(earlier=(0.97 * pl.col("price")).round(2)).write_parquet(
        tmp_path / "work/data/products.parquet"
    )
    score.main(configuration(tmp_path / "work", *limits, f"paths.shards={tmp_path}/prices/plain"))
    origin, _ = priced_from(tmp_path, limits)
    (weights, constraints), problem = origin.lagrangian, origin.problem
    earlier = dict(CATALOG.select("product_id", (0.97 * pl.col("price")).round(2)).rows())

    for product, segment in ((0, 0), (7, 1), (17, 0)):
        multiplier = weights.multiplier[weights.iterate[product]][0]
        (effect,) = limit_effects(weights, constraints, problem, (product, segment), price=2.0)

        assert multiplier > 0
        at_anchor = 1.01 * earlier[problem.products.product_id[product]]
        assert effect.per_unit == pytest.approx(multiplier * (at_anchor - 2.0), rel=1e-6)


@pytest.mark.parametrize("product", ["p0000012", "p0000004"])
def test_the_printed_sum_of_a_limited_price_adds_up_to_the_digit(gpu_pricer, limited, product):
    ended = gpu_pricer("explain", product, "s001", "paths.shards=prices/parts")

    lines = ended.out.splitlines()
    start = next(place for place, line in enumerate(lines) if "The price is set as if a unit cost" in line)
    end = next(place for place, line in enumerate(lines) if "= " in line and place > start)
    amounts = [numbers(line)[0] for line in lines[start + 1 : end]]
    total, cents = numbers(lines[end])
    assert len(amounts) > 1
    assert round(sum(amounts), 4) == total
    parts = [numbers(next(line for line in lines if f"  {part_words(p)}:" in line))[0] for p in PARTS]
    assert cents == pytest.approx(parts[0] + parts[1], abs=1e-9) == pytest.approx(total, abs=0.00501)
    assert sum(parts) == pytest.approx(numbers(lines[0])[0], abs=1e-9)


def test_scarce_stock_is_named(gpu_pricer, limited):
    prices = pl.read_parquet(limited / "prices/plain/_record" / ITERATES).filter(pl.col("stock_price") > 0)

    ended = gpu_pricer("explain", f"product={prices['product_id'][0]}", "segment=s000", "paths.shards=prices/plain")

    line = next(line for line in ended.out.splitlines() if "the stock is scarce: the shadow price of a unit is" in line)
    worth, charge = numbers(line)
    assert worth == pytest.approx(prices["stock_price"][0], abs=5e-5)
    added = next(line for line in ended.out.splitlines() if line.endswith("its scarce stock"))
    assert 0 < numbers(added)[0] == pytest.approx(charge, abs=5e-3)
    assert charge < worth


@pytest.mark.parametrize("stock", [0.0, 1.0])
def test_units_that_stock_cannot_serve_are_said(gpu_pricer, tmp_path, stock):
    artefact, catalog = one_product(5.0, 3.0)
    lay_out(tmp_path, artefact, catalog.with_columns(stock=pl.lit(stock / 4)))
    gpu_pricer("score", "policy=profit", LIMITS[-1], "paths.shards=prices/scarce", "backend=cpu")

    ended = gpu_pricer("explain", "p", "s0", "paths.shards=prices/scarce")

    price = scan_prices(tmp_path / "prices/scarce").collect()["price"].cast(pl.Float64)[0]
    asked = 1 / (1 + np.exp(2 * (price / 5 - 1)))  # one visit
    assert ended.out.endswith(
        f"its stock serves {stock / 4:.2f} of the {asked:.2f} units that all segments ask for in a period: units and "
        "profit above are of all that is asked for\n"
    )


def test_shards_together_explain_themselves_as_one_file_does(gpu_pricer, limited):
    whole = gpu_pricer("explain", "product=p0000012", "segment=s001", "paths.shards=prices/plain").out
    for shard in range(2):
        gpu_pricer("score", *LIMITS, "score.shards=2", f"score.shard={shard}", "paths.shards=prices/cut")

    cut = gpu_pricer("explain", "product=p0000012", "segment=s001", "paths.shards=prices/cut")

    assert cut.status == 0, cut
    assert cut.out.replace(" in cut:", " in plain:") == whole


def test_version_scored_before_multipliers_were_kept_is_refused(refused, limited):
    (limited / "prices/parts/_record" / LAGRANGIAN).unlink()

    said = refused("explain", "product=p0000012", "segment=s001", "paths.shards=prices/parts")

    assert said == (
        "a price under policy.constraints is explained by the multipliers in prices/parts/_record/lagrangian.json, "
        "found none, as in versions scored before they were kept: score again"
    )


@pytest.mark.parametrize(
    ("name", "spoil", "found"),
    [
        (
            LAGRANGIAN,
            lambda path: path.write_text("{"),
            "be what `gpu-pricer score` wrote, found: Expecting property name",
        ),
        (ITERATES, lambda path: path.unlink(), "be what `gpu-pricer score` wrote, found: No such file"),
        (
            ITERATES,
            lambda path: pl.read_parquet(path).head(7).write_parquet(path),
            "hold the iterate of every product, found none of 11 products",
        ),
    ],
)
def test_broken_record_is_refused(refused, limited, name, spoil, found):
    spoil(limited / "prices/plain/_record" / name)

    said = refused("explain", "product=p0000012", "segment=s001", "paths.shards=prices/plain")

    assert said.startswith(f"prices/plain/_record/{name} must {found}")


def test_scoring_again_without_constraints_removes_the_record(gpu_pricer, limited):
    gpu_pricer("score", "policy=profit", "paths.shards=prices/plain")

    record = limited / "prices/plain/_record"
    assert not (record / LAGRANGIAN).exists()
    assert not (record / ITERATES).exists()
    assert gpu_pricer("explain", "product=p0000012", "segment=s001", "paths.shards=prices/plain").status == 0
