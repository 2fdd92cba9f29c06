"""The page holds everything itself, escapes what users' data say, and tells why a gate refuses."""

import base64
import dataclasses
import gzip
import json
import re
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from omegaconf import OmegaConf

from gpu_pricer.gates import GATES
from gpu_pricer.jobs.report import doubts_about
from gpu_pricer.policy.rule_words import BROKEN, OTHER_WORDS, RULE_WORDS, rule_words
from gpu_pricer.report.headline import _counts
from gpu_pricer.report.movers import reason_of
from gpu_pricer.report.packing import TYPES, pack
from gpu_pricer.report.page import script_json
from gpu_pricer.report.settings import ReportSettings
from gpu_pricer.report.words import (
    GATE_WORDS,
    cost_words,
    gate_limit,
    gate_value,
    gate_words,
    money,
    percent,
)  # fmt: skip
from gpu_pricer.tables.artefact import sales_age
from gpu_pricer.tables.price_table import BINDINGS, RULES, scan_prices
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.terminal.summary import _moves
from gpu_pricer.versions.frontier import frontier_obstacle, recorded_frontiers
from tests.markets import USUAL, a_policy, one_product
from tests.report.conftest import ARTEFACT, CATALOG, FREE, HOSTILE, SETTINGS, run_job
from tests.shops import lay_out


def unpacked(text):
    """Columns by name, read as the page's script reads them."""
    content = gzip.decompress(base64.b64decode(text))
    size = int.from_bytes(content[:4], "little")
    kinds = {script: kind for kind, script in TYPES.items()}
    found = {}
    for entry in json.loads(content[4 : 4 + size]):
        part = content[4 + size + entry["start"] :][: entry["length"]]
        assert (4 + size + entry["start"]) % 8 == 0  # typed arrays of JavaScript begin at multiples of their size
        is_json = entry["type"] == "json"
        found[entry["name"]] = json.loads(part) if is_json else np.frombuffer(part, kinds[entry["type"]])
    return found


def script_of(page, name):
    return re.search(rf'<script type="[^"]*" id="{name}">(.*?)</script>', page, re.DOTALL)[1]


def test_packed_columns_come_out_as_they_went_in():
    columns = {
        "text": ["é", "</script>", ""],
        "cents": np.array([1, -2, 2**30], np.int32),
        "odd": np.array([7], np.uint8),
        "share": np.array([[0.5, np.nan]], np.float32),
    }

    found = unpacked(pack(columns))

    assert found.pop("text") == columns.pop("text")
    for name, column in columns.items():
        assert np.array_equal(found[name], column.ravel(), equal_nan=column.dtype.kind == "f")


def test_every_product_on_the_shelf_is_in_the_page_with_its_text_id(report_shop):
    found = unpacked(script_of(report_shop.page, "packed"))
    today = dict(CATALOG.select("product_id", "price").iter_rows())

    assert len(found["id"]) > 20
    assert all(isinstance(name, str) for name in found["id"])
    assert [round(100 * today[name]) for name in found["id"]] == found["today"].tolist()
    assert found["name"] == [f"{HOSTILE} {name}" for name in found["id"]]
    assert len(found["prices"]) == len(found["id"]) * len(found["segments"])
    assert (found["prices"].reshape(len(found["id"]), -1).min(axis=1) == found["low"]).all()


def markup_of(page):
    """The page without the programs that it carries; the data between them stay."""
    return re.sub(r"<script>.*?</script>", "<script></script>", page, flags=re.DOTALL)


def test_head_says_when_prices_are_set_and_warns_of_old_sales(report_shop):
    page, version = markup_of(report_shop.page), read_version(report_shop.folder / "prices/two")
    sales = sales_age(ARTEFACT.info, date.fromisoformat(version.day))

    head = " ".join(re.sub(r"<[^>]*>", " ", page[: page.index("<nav")]).split())

    assert f"<title>Prices set on {version.day} · two</title>" in page
    assert f"Prices set on {version.day} " in head
    assert f"last sales of {sales.end} ·" in head
    assert (f"Old sales: {sales.warning}." in head) == (sales.warning is not None)
    assert version.valid_from not in head, "the first day of the expected sales is not that of the prices"


def test_names_from_the_users_data_are_never_html(report_shop):
    page = markup_of(report_shop.page)

    assert "<img" not in page
    assert page.count("&lt;/script&gt;&lt;img") > 10
    assert "<b>none</b>" not in page
    assert page.count("<script") == page.count("</script>") == 4


def test_json_in_a_script_holds_no_letter_that_ends_it():
    text = script_json({"name": "</script><!--<script> & \u2028"})

    assert json.loads(text) == {"name": "</script><!--<script> & \u2028"}
    assert not {*"<>&\u2028"} & {*text}


def test_page_asks_no_network(report_shop):
    page = markup_of(report_shop.page)

    assert "default-src 'none'" in page
    assert re.findall(r'<(?:link|img|iframe)\b|\ssrc="', page) == []
    assert len(report_shop.page.encode()) < 10e6


def test_page_says_what_is_an_estimate_and_who_published(report_shop):
    text = re.sub(r"<[^>]*>", " ", report_shop.page)

    assert text.count("model's estimate") + text.count("model&#39;s estimate") >= 5
    assert re.search(r"90 % interval [+−\d.]+ % to [+−\d.]+ %", text)
    assert re.search(r"Published \d{4}-\d\d-\d\d \d\d:\d\d UTC by \w+", text)
    assert "Against  one" in re.sub(r" +", "  ", text)
    assert "neither the product nor a fallback of its category" in text


def test_page_says_first_what_speaks_against_its_prices(report_shop):
    head = report_shop.page[report_shop.page.index('id="head"') : report_shop.page.index('id="gates"')]

    doubts, cards = head.index("What speaks against these prices"), head.index('class="cards"')
    assert doubts < head.index("<li>Sales rise with &lt;prices&gt; in 2 of 5 categories.</li>") < cards


def test_doubts_of_sales_count_for_the_demand_that_was_last_evaluated(report_shop, tmp_path):
    work = tmp_path / "work"
    (work / "data").mkdir(parents=True)
    (work / "data/summary.json").write_text(json.dumps({"doubts": ["of sales"]}))
    prices = report_shop.folder / "prices"
    places = {"work": work, "data": work / "data", "prices": prices, "catalog": prices, "demand": work / "demand"}
    config = OmegaConf.create({"paths": {name: str(place) for name, place in places.items()}})
    folder = prices / "two"
    known = read_version(folder).artefact

    found = {}
    for fingerprint in (None, known, "another"):
        if fingerprint is not None:
            (work / "metrics.json").write_text(json.dumps({"fingerprint": fingerprint}))
        found[fingerprint] = "of sales" in doubts_about(config, folder, None)

    assert found == {None: True, known: True, "another": False}


def text_of(page, section):
    """The words of one section, with single spaces."""
    found = re.search(rf'<section id="{section}".*?</section>', page, re.DOTALL)[0]
    return " ".join(re.sub(r"<[^>]*>", " ", found).split())


def test_page_tells_the_frontier_the_stock_the_competitor_and_the_season(report_shop):
    frontier, stock, market, evidence = (
        text_of(report_shop.page, name) for name in ("frontier", "stock", "market", "evidence")
    )
    specs = json.loads(script_of(report_shop.page, "charts"))
    found = unpacked(script_of(report_shop.page, "packed"))

    assert "Profit against units" in frontier
    assert {"frontier-units", "cover", "season"} <= {*specs}
    assert "The policy does not look at the stock" in stock
    limited = text_of(report_shop.refused, "stock")
    assert re.search(r"\(limit stock\): it raises the prices of [1-9]\d* of \d+ products", limited)
    assert "One more earns" in limited
    assert re.search(r"Of \d+ products on the shelf a competitor's price is known", market)
    assert "wholly above a mean period in 1 of 5 categories, and wholly below in 1." in market
    assert re.search(
        r"In 3 categories, with \d+ % of the units, more than half of the estimated price response", evidence
    )
    assert "the average over categories and from published elasticities (mean −2.62)" in evidence
    known = dict(CATALOG.select("product_id", "stock").drop_nulls().iter_rows())
    assert [known.get(name) for name in found["id"]] == [None if np.isnan(x) else x for x in found["stock"]]


def test_products_whose_prices_stay_are_not_listed_as_changed(report_shop):
    section = re.search(r'<section id="older".*?</section>', report_shop.page, re.DOTALL)[0]

    assert "0 are higher, 0 lower and 120 the same" in text_of(report_shop.page, "older")
    assert "<table>" not in section


def test_page_tells_the_mean_size_of_changes_up_and_down(report_shop):
    two, three = (scan_prices(report_shop.folder / "prices" / run).collect() for run in ("two", "three"))
    both = two.join(three, on=["product_id", "segment_id"]).cast({"price": pl.Float64, "price_right": pl.Float64})
    change = both["price_right"] / both["price"] - 1
    size, move = change.abs().mean(), change.mean()

    assert abs(move) < size - 0.001
    assert f"prices change by {size:.2%} on average, up or down".replace("%", " %") in text_of(
        report_shop.refused, "older"
    )


def test_page_without_a_frontier_says_how_to_get_it(report_shop):
    assert "gpu-pricer report paths.shards=prices/three frontier=units finds" in text_of(
        report_shop.refused, "frontier"
    )


def test_frontier_of_other_sources_is_not_shown(report_shop):
    folder, path = report_shop.folder, "work/frontier/units.parquet"
    version = read_version(folder / "prices/two")

    assert recorded_frontiers(folder / "work", version).keys() == {"units"}
    assert recorded_frontiers(folder / "work", dataclasses.replace(version, policy="another")) == {}
    assert pl.read_parquet(folder / path).height == 5


def test_no_frontier_lies_around_prices_that_rules_tie_together_or_that_draws_made(report_shop):
    version = read_version(report_shop.folder / "prices/two")
    tied = a_policy(bounds=dataclasses.replace(USUAL, max_segment_ratio=1.0))

    assert frontier_obstacle(version, a_policy()) is None
    assert frontier_obstacle(version, tied) == "the rule max_segment_ratio ties prices together"
    assert "uncertainty=posterior" in frontier_obstacle(
        dataclasses.replace(version, uncertainty="posterior"), a_policy()
    )


def test_page_of_a_refused_version_says_which_gate_and_that_readers_see_the_last_version(report_shop):
    page = report_shop.refused

    assert "Version three" in page
    assert "not published: a gate refuses it" in page
    assert re.search(r"1 of \d+ gates refuses this version", page)
    row = re.search(r"<tr><td>Share of prices that move</td>.*?</tr>", page, re.DOTALL)[0]
    assert "refused" in row
    assert (report_shop.folder / "prices/_current").resolve().name == "two"


def row_of(page, gate):
    """The words of a gate's row."""
    found = next(row for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if f"<td>{gate_words(gate)}</td>" in row)
    return " ".join(re.sub(r"<[^>]*>", " ", found).split())


def test_gate_on_fairness_claims_no_test_where_no_limit_is_set(report_shop):
    said = "No limit is set, so nothing was tested"

    for page in (report_shop.page, report_shop.refused):
        assert row_of(page, "audit") == f"Fairness audit {said} no limit not tested"
        assert f"80 shoppers were compared. {said}." in text_of(page, "fairness")
    record = json.loads((report_shop.folder / "prices/two/_record/publication.json").read_text())
    assert record[-1]["gates"]["audit"] == {"found": "not refused", "limit": "no limit", "is_passed": True}


def test_largest_move_of_a_single_price_is_named_with_its_direction(report_shop):
    for page in (report_shop.page, report_shop.refused):
        row = row_of(page, "max_single_move")
        found = re.search(r": product \w+ in segment \w+ from ([\d.]+) to ([\d.]+) \(([+-][\d.]+)%\)", row)
        old, new, change = (float(number) for number in found.groups())
        assert change == pytest.approx(100 * (new / old - 1), abs=0.06)
        assert f"factor {max(new / old, old / new):.2f}: " in row
        assert "factor 5.00 passed" in row


def test_report_leaves_the_seal_of_the_version_whole(report_shop):
    folder = report_shop.folder

    assert list((folder / "prices").rglob("*.html")) == []
    assert run_job(folder, "publish", *SETTINGS, *FREE, "paths.shards=prices/three", "publish.dry_run=true") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("report.label=[colour]",), "report.label must name columns of"),
        (("paths.prices=nowhere",), "paths.prices must hold a published version to report on"),
        (("report.movers=0",), "report.movers"),
        (("frontier=profit",), "frontier must be another measure than the policy's objective, found profit"),
    ],
)
def test_what_the_user_can_mend_is_one_line(report_shop, capsys, arguments, said):
    assert run_job(report_shop.folder, "report", *SETTINGS, *arguments) == 2

    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("gpu-pricer report:")]
    assert len(lines) == 1
    assert said in lines[0]


def test_every_binding_and_every_gate_has_words():
    assert {*RULE_WORDS} == {*RULES}
    assert {*RULE_WORDS, *OTHER_WORDS} == {name.removesuffix(BROKEN) for name in BINDINGS}
    assert {*GATE_WORDS} == {*GATES}
    words = [rule_words(name) for name in BINDINGS]
    assert len({*words}) == len(words)
    assert not [text for text in words if "_" in text]


def test_head_counts_the_prices_of_products_on_the_shelf_as_the_closing_lines_do(report_shop):
    table = scan_prices(report_shop.folder / "prices/two").collect()
    shown = table.filter(pl.col("product_id").is_in(unpacked(script_of(report_shop.page, "packed"))["id"]))
    counts = [shown.filter(holds).height for holds in (
        pl.col("price") > pl.col("today_price"), pl.col("price") < pl.col("today_price"),
        pl.col("price") == pl.col("today_price"),
    )]  # fmt: skip

    found = re.findall(r"([\d,]+) of ([\d,]+) prices on the shelf", report_shop.page)

    assert 0 < shown.height < table.height
    assert found == [(f"{count:,}", f"{shown.height:,}") for count in counts]
    version = read_version(report_shop.folder / "prices/two")
    closing = " ".join(_moves(version, has_limits=True))
    up, down, kept = (f"{count / shown.height:.0%}" for count in counts)
    assert f"{up} of the prices go up, {down} go down, {kept} stay as today" in closing
    tally = version.tally
    more = replace(
        tally, products=tally.products + 1, rows=tally.rows + 4, moved=tally.moved + 4, raised=tally.raised + 4
    )
    assert _counts(replace(version, tally=more)) == _counts(version), "a product off the shelf counts for nothing"


def test_words_of_numbers_have_no_minus_zero_and_the_minus_sign():
    assert percent(-0.0001) == "0.0 %"
    assert percent(0.034) == "+3.4 %"
    assert percent(-0.034, signed=False) == "−3.4 %"
    assert percent(None) == "–"
    assert money(1234.56, "USD") == "1,235 USD"
    assert money(-2.5, signed=True) == "−2.50"
    assert gate_value(0.05) == "5.00 %"
    assert gate_value("USD") == "USD"
    assert gate_limit("relaxed") == "met or relaxed"
    assert gate_limit(0.05) == "5.00 %"
    assert gate_value(0.1111, "max_single_move") == "factor 1.11"
    assert gate_limit(4.0, "max_single_move") == "factor 5.00"
    assert gate_words("audit") == "Fairness audit"
    assert cost_words("constraints.keep_units") == "limit keep_units"
    assert cost_words("bounds.anchor") == "limit on moves over several weeks"


MOVER = {"elasticity": -1.5, "direction": "up", "binding": "max_increase", "shadow_price": 0.0}
MOVER |= {"today": 5.0, "allowed_low": 4.5, "allowed_high": 5.5}


def test_reason_tells_the_response_the_limits_and_the_rule():
    up = reason_of(MOVER)
    pushed = reason_of(MOVER | {"direction": "down", "shadow_price": -0.5, "binding": "none"})
    held = reason_of(MOVER | {"shadow_price": -0.5})

    assert "1 % more on it loses 1.5 % of the units): a higher price earns more" in up
    assert up.endswith("Limiting rule: largest increase.")
    assert pushed.endswith("the price falls so that the limits on the whole assortment are met.")
    assert "The limits on the whole assortment hold the price back." in held
    assert reason_of(MOVER | {"direction": "kept", "binding": "none"}) == "The price stays."


@pytest.mark.parametrize(("direction", "ends", "verb"), [("down", (2.49, 2.49), "falls"), ("up", (5.69, 6.0), "rises")])
def test_reason_claims_no_gain_of_a_move_that_a_rule_demands(direction, ends, verb):
    forced = {"direction": direction, "binding": "max_decrease_broken"}

    said = reason_of(MOVER | forced | dict(zip(("allowed_low", "allowed_high"), ends, strict=True)))

    assert f": it {verb} because a rule of the policy forbids today's price." in said
    assert said.endswith("It breaks a rule that a later one overrules: largest decrease.")


def test_reason_does_not_claim_a_gain_where_limits_may_be_what_moves_the_price():
    unknown = MOVER | {"direction": "down", "binding": "none", "shadow_price": None}

    assert reason_of(unknown | {"has_limits": False}).endswith("a lower price sells enough more units to earn more.")
    assert reason_of(unknown | {"has_limits": True}).endswith(
        "counting what the limits on the whole assortment ask for."
    )


def test_reason_names_scarce_stock_and_not_the_assortment_for_it():
    scarce = MOVER | {"binding": "none", "shadow_price": 0.6, "stock_price": 0.6}

    assert reason_of(scarce).endswith("the price rises so that the stock lasts the period.")
    assert reason_of(scarce | {"direction": "mixed"}).endswith("keeps the price up: one more unit would earn 0.60.")
    assert "limits on the whole assortment" not in reason_of(scarce) + reason_of(scarce | {"direction": "mixed"})
    assert "assortment" in reason_of(MOVER | {"shadow_price": 0.6, "stock_price": 0.0})


def test_movers_of_a_version_under_stock_limits_name_their_stock(report_shop):
    [movers] = re.findall(r'<section id="movers".*?</section>', markup_of(report_shop.refused), re.DOTALL)

    assert re.search("so that the stock lasts the period|Scarce stock", movers)


def test_price_that_the_limits_forbid_is_not_called_next_best(report_shop):
    movers = text_of(report_shop.page, "movers")

    said = r"the assortment, [\d.]+ in place of [\d.]+ in segment s\d would earn the category [\d.,]+ USD (\w+)"
    assert {*re.findall(f"Without the limits on {said}", movers)} == {"more"}
    assert "ext best" not in movers


@pytest.mark.parametrize("wrong", [{"movers": 0}, {"curves": 1.5}, {"products": -1}, {"label": "brand"}])
def test_settings_refuse_what_makes_no_page(wrong):
    settings = {"movers": 5, "curves": 2, "products": 10, "cells": 10, "label": []}

    with pytest.raises(ValueError, match=f"report.{next(iter(wrong))}"):
        ReportSettings(**settings | wrong)


def test_report_is_written_where_nothing_is_on_the_shelf(tmp_path):
    artefact, catalog = one_product(5.0, 3.0)
    folder = lay_out(tmp_path, artefact, catalog.with_columns(availability=0.0))
    version = "paths.shards=prices/empty"
    assert run_job(folder, "score", "policy=profit", "backend=cpu", version) == 0

    assert run_job(folder, "report", version) == 0
    assert "0 products are on the shelf; 1 more are priced" in (folder / "work/report.html").read_text()
