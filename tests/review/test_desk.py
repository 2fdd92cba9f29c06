"""The desk says what prices lead to as the price table does, and counts only decisions that hold."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.jobs.review import open_review
from gpu_pricer.review.consequences import CategoryMarket
from gpu_pricer.review.guardrails import Guardrails
from gpu_pricer.review.panel import outcomes
from gpu_pricer.tables.price_table import scan_prices
from tests.jobs.conftest import configuration
from tests.review.conftest import ARTEFACT, CATALOG, SETTINGS
from tests.shops import lay_out, run_job

STOCK = "+policy.constraints.stock={measure: units, at_most: stock, per: product_id}"


@pytest.fixture
def desk(review_shop):
    config = configuration(review_shop / "work", *SETTINGS, f"paths.shards={review_shop / 'prices/one'}")
    return open_review(config).desk


def expected(desk):
    """Units and profit of every product in a period, from the price table and the visits."""
    visits = ARTEFACT.segments.select("segment_id", "visits").lazy()
    sums = [(pl.col(name) * pl.col("visits") / 1000).sum() for name in ("expected_units", "expected_profit")]
    return scan_prices(desk.scored.folder).join(visits, on="segment_id").group_by("product_id").agg(sums).collect()


def test_proposed_prices_lead_to_what_the_price_table_expects(desk):
    for product_id, units, profit in expected(desk).iter_rows():
        found = desk.consequence(product_id, None).product

        assert found.units == pytest.approx(units, rel=1e-4, abs=1e-6)
        assert found.profit == pytest.approx(profit, rel=1e-4, abs=1e-6)


def test_profit_is_named_after_vat_where_prices_include_it(desk):
    plain = desk.scored.version
    with_vat = replace(plain, includes_vat=True)

    assert [title for title, _, _ in outcomes(with_vat.after_vat)] == [
        "Units", "Profit after VAT", "Category's units", "Category's revenue after VAT", "Category's profit after VAT",
    ]  # fmt: skip
    assert outcomes(plain.after_vat)[1][0] == "Profit"


def test_revenue_and_profit_of_a_price_are_after_vat(desk):
    problem, today = desk.scored.problem, desk.scored.problem.products.today
    taxed = replace(problem, products=replace(problem.products, net_share=np.full(24, 0.8)), includes_vat=True)
    row = 3
    plain, after_vat = (
        market.consequence(row, today[market.products, None]).category
        for market in (CategoryMarket(sold, row, np.full(24, np.inf)) for sold in (problem, taxed))
    )

    assert after_vat.units == plain.units > 0
    assert after_vat.revenue == pytest.approx(0.8 * plain.revenue)
    assert after_vat.revenue - after_vat.profit == pytest.approx(plain.revenue - plain.profit)


def test_dearer_product_sells_less_and_its_neighbours_more(desk):
    row = desk.figures.filter(pl.col("units") > 0).row(0, named=True)

    cheap, dear = (desk.consequence(row["product_id"], round(row["today"] * share, 2)) for share in (0.9, 1.1))

    assert dear.product.units < cheap.product.units
    assert dear.category.units - dear.product.units > cheap.category.units - cheap.product.units


def test_totals_are_todays_where_every_change_is_rejected(desk):
    before = desk.totals()
    assert before.profit_decided == before.profit_proposed == desk.scored.version.tally.profit_new

    desk.decide(desk.figures["product_id"].to_list(), "reject")

    assert desk.totals().profit_decided == pytest.approx(before.profit_today, rel=1e-4)
    assert desk.totals().units_decided == pytest.approx(before.units_today, rel=1e-4)
    assert desk.counts().rejected == 24


@pytest.fixture
def scarce(tmp_path):
    """The desk of a version with a third of the products' stock below what is asked for, and the limits by product."""
    stock = pl.when(pl.int_range(24) % 3 == 0).then(2.0 + pl.int_range(24) / 7)
    folder = lay_out(tmp_path, ARTEFACT, CATALOG.with_columns(stock=stock))
    settings = (*SETTINGS, "policy=profit", STOCK, f"paths.shards={folder / 'prices/scarce'}")
    assert run_job(folder, "score", *settings) == 0
    limits = pl.read_parquet(folder / "prices/scarce/_record/stock_prices.parquet")
    return open_review(configuration(folder / "work", *settings)).desk, dict(
        limits.select("product_id", "limit").rows()
    )


def test_people_decide_on_what_stock_can_serve(scarce):
    desk, limits = scarce
    asked = {product_id: (units, profit) for product_id, units, profit in expected(desk).iter_rows()}
    served = {name: min(1.0, limits.get(name, np.inf) / units) for name, (units, _) in asked.items() if units}
    assert min(served.values()) < 0.9

    rows = desk.figures.filter(pl.col("units").is_not_null())
    for name, units, profit in rows.select("product_id", "units", "profit").iter_rows():
        found = desk.consequence(name, None).product
        for said in ((units, profit), (found.units, found.profit)):
            assert said == pytest.approx([amount * served.get(name, 1.0) for amount in asked[name]], rel=1e-4)
    assert (rows["units_today"] <= rows["product_id"].replace_strict(limits, default=np.inf) * (1 + 1e-9)).all()


def test_totals_beside_stock_are_todays_where_every_change_is_rejected(scarce):
    desk, _ = scarce
    before = desk.totals()

    desk.decide(desk.figures["product_id"].to_list(), "reject")

    assert desk.totals().profit_decided == pytest.approx(before.profit_today, rel=1e-4)
    assert desk.totals().units_decided == pytest.approx(before.units_today, rel=1e-4)


def test_decision_that_is_taken_back_is_open_again(desk):
    desk.decide(["p001"], "override", round(float(desk.proposals.row(1, named=True)["today"]) * 1.02, 2), "a test")
    assert (desk.counts().overridden, desk.counts().waiting) == (1, 23)

    desk.decide(["p001"], "reopen")

    assert (desk.counts().overridden, desk.counts().waiting) == (0, 24)


def test_price_below_the_margin_is_refused_and_one_beyond_a_move_is_said(desk):
    cheap, today = 0.05, float(desk.proposals.row(1, named=True)["today"])

    with pytest.raises(InputError, match="is the lowest price: least margin"):
        desk.decide(["p001"], "override", cheap)
    verdict = desk.guardrails.verdict(
        desk.figures.filter(pl.col("product_id") == "p001")["row"][0], round(today * 3, 2)
    )

    assert verdict.refusal == ""
    assert any(warning.startswith("above ") for warning in verdict.warnings)
    assert desk.counts().waiting == 24


@pytest.mark.parametrize(("net_share", "said"), [(1.0, ""), (0.8, " and its VAT")])
def test_price_below_the_cost_is_warned_of_where_the_policy_has_no_margin(desk, net_share, said):
    scored = desk.scored
    policy = replace(scored.policy, bounds=replace(scored.policy.bounds, min_margin_rate=None))
    products = replace(scored.problem.products, net_share=np.full(24, net_share))
    problem = replace(scored.problem, products=products, includes_vat=net_share < 1)
    free, row = Guardrails(scored._replace(policy=policy, problem=problem)), 3
    cost = products.cost[row] / net_share
    least = -(-cost * 100 // 1) / 100

    below, at_cost = ([line for line in free.verdict(row, price).warnings if "cost" in line]
                      for price in (round(least - 0.01, 2), least))  # fmt: skip

    assert below == [f"below the cost of {cost:,.2f}{said}"]
    assert at_cost == []
