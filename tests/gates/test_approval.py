"""How products stand with people, by the log of what these decided and took back."""

from dataclasses import replace

import polars as pl

from gpu_pricer.gates.approval import OPEN, STALE, Approval, standing_of
from gpu_pricer.tables.version.decisions import SCHEMA

ALL = Approval("all", 0.05, [], off_shelf=False)


def log_of(*rows):
    """Decisions in order, (product_id, decision, proposal) each, a day apart."""
    said = [
        {"when": f"2026-01-{day:02d}T08:00:00+00:00", "who": "Ann", "run": "r", "product_id": product,
         "proposal": proposal, "decision": decision, "price": None, "note": ""}
        for day, (product, decision, proposal) in enumerate(rows, 1)
    ]  # fmt: skip
    return pl.DataFrame(said, schema=SCHEMA)


def standing(*rows, proposals=("p1",)):
    """product_id, state, earlier and earlier_when of products whose prices, of the proposal `now`, move."""
    table = pl.DataFrame({"product_id": proposals}).with_columns(
        today=2.0, low=2.1, high=2.2, move=0.1, is_on_shelf=True, category_id=pl.lit("c"), proposal=pl.lit("now")
    )
    found = standing_of(table, log_of(*rows), SCHEMA.to_frame(), ALL).products
    return found.select("product_id", "state", "earlier", pl.col("earlier_when").str.head(10)).rows()


def test_decision_that_was_taken_back_is_none_of_earlier_prices_either():
    assert standing(("p1", "reject", "before"), ("p1", "reopen", "before")) == [("p1", OPEN, None, None)]


def test_earlier_decision_is_the_last_one_that_holds_about_other_prices():
    rows = [("p1", "accept", "a"), ("p1", "accept", "b"), ("p1", "reject", "a"), ("p1", "accept", "c"),
            ("p1", "reopen", "c"), ("p2", "reject", "now"), ("p2", "reopen", "now")]  # fmt: skip

    found = standing(*rows, proposals=("p1", "p2"))

    assert found == [("p1", STALE, "reject", "2026-01-03"), ("p2", OPEN, None, None)]


def test_some_asks_about_moves_above_the_share_and_any_move_of_the_named_categories():
    some = Approval("some", 0.05, ["named"], off_shelf=False)
    moves = pl.DataFrame(
        {"move": [0.0, 0.05, 0.0501, 0.01, 0.0, 0.2], "category_id": ["c", "c", "c", "named", "named", None]}
    ).with_columns(is_on_shelf=True)

    assert moves.select(some.is_asked).to_series().to_list() == [False, False, True, True, False, True]
    assert moves.select(asked=ALL.is_asked)["asked"].to_list() == [False, True, True, True, False, True]


def test_products_off_the_shelf_are_asked_about_on_request_alone():
    moves = pl.DataFrame({"move": [0.1, 0.1, 0.0], "is_on_shelf": [True, False, False], "category_id": "c"})

    assert moves.select(asked=ALL.is_asked)["asked"].to_list() == [True, False, False]
    assert moves.select(asked=replace(ALL, off_shelf=True).is_asked)["asked"].to_list() == [True, True, False]
