"""Price groups: whose prices a visit saw, and which prices these were."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.data.choices.choices import visits_of
from gpu_pricer.data.shelf.price_groups import (
    MOST_GROUPS,
    common_deals,
    group_names,
    group_shelf,
    lines_of_groups,
    warn_of_other_prices,
    warn_of_unread_groups,
    with_group_numbers,
)
from gpu_pricer.data.shelf.unit_prices import UnitPriceRule, price_pairs, with_unit_prices
from gpu_pricer.errors import InputError
from gpu_pricer.tables.periods import Period

MONDAY = date(2024, 1, 1)
WEEK = Period("1w")
TOLD = {"price_group": pl.UInt16, "product_id": pl.Int64, "time": pl.Datetime("us"), "price": pl.Float64}
VISITS = {"user_id": pl.Int64, "period": pl.Date, "price_group": pl.UInt16}
DEALS = {"period": pl.Date, "product_id": pl.Int64, "share": pl.Float64, "deal_price": pl.Float64}
PAID = {"period": pl.Date, "price_group": pl.UInt16, "product_id": pl.Int64, "price": pl.Float64, "told": pl.Float64}


def told(*rows):
    return pl.DataFrame(rows, schema=TOLD, orient="row")


def shelf_of(*rows):
    return pl.DataFrame(rows, schema=["period", "product_id", "price"], orient="row")


def visits(*rows):
    return pl.DataFrame(rows, schema=VISITS, orient="row")


def week(number):
    return MONDAY + timedelta(weeks=number)


def at(number, day=0, hour=0):
    return datetime(2024, 1, 1) + timedelta(weeks=number, days=day, hours=hour)


def deals_of(*rows):
    return pl.DataFrame(rows, schema=DEALS, orient="row")


NO_DEALS = deals_of()


def rows_of(shelf, came, prices, deals=NO_DEALS):
    return group_shelf(shelf, came, prices, deals, WEEK).rows()


def deals_shown(*rows):
    """Return the deals that lines show; a row: of (group, told, price), or with the number of the lines."""
    paid = pl.DataFrame([(week(0), row[0], 10, row[2], row[1]) for row in rows], schema=PAID, orient="row")
    counts = pl.Series("len", [row[3] if len(row) > 3 else 1 for row in rows], dtype=pl.UInt32)
    return common_deals(paid.with_columns(counts)).drop("period", "product_id").rows()


def test_a_group_has_the_price_that_holds_in_the_middle_of_the_period():
    shelf, came = shelf_of((week(0), 10, 2.0)), visits((1, week(0), 1))

    before, after = (told((1, 10, at(-1), 3.0), (1, 10, at(0, 3, hour), 4.0)) for hour in (11, 13))

    assert rows_of(shelf, came, before) == [(week(0), 1, 10, 4.0)]
    assert rows_of(shelf, came, after) == [(week(0), 1, 10, 3.0)]


@pytest.mark.parametrize("dearer", [3.0, 4.0])
def test_of_prices_from_the_same_time_that_of_the_last_row_holds(dearer):
    """Two publications on a day are two files of `history`, the later one behind."""
    shelf, came = shelf_of((week(0), 10, 2.0), (week(0), 11, 2.0)), visits((1, week(0), 1))

    prices = told(*((1, product, at(0), price) for price in (7.0 - dearer, dearer) for product in (10, 11)))

    assert rows_of(shelf, came, prices) == [(week(0), 1, 10, dearer), (week(0), 1, 11, dearer)]


def test_before_its_first_price_and_without_one_a_group_sees_the_shelf_s():
    shelf = shelf_of((week(0), 10, 2.0), (week(0), 11, 5.0), (week(1), 10, 2.0))
    came = visits((1, week(0), 1), (1, week(1), 1))

    assert rows_of(shelf, came, told((1, 10, at(1), 3.0))) == [(week(1), 1, 10, 3.0)]


def test_prices_are_kept_where_somebody_of_the_group_came_and_they_differ():
    shelf = shelf_of((week(0), 10, 2.0), (week(0), 11, 5.0), (week(1), 10, 2.0), (week(1), 11, 5.0))
    came = visits((1, week(0), 1), (2, week(0), 0), (3, week(1), 2))
    prices = told((1, 10, at(0), 3.0), (1, 11, at(0), 5.0), (2, 10, at(0), 1.0), (2, 11, at(0), 4.0))

    assert rows_of(shelf, came, prices) == [(week(0), 1, 10, 3.0), (week(1), 2, 10, 1.0), (week(1), 2, 11, 4.0)]


def test_a_price_in_cents_that_is_the_shelf_s_own_is_no_other():
    shelf = shelf_of((week(0), 10, 1.99), (week(0), 11, 4.79))

    prices = told((1, 10, at(0), 1.99), (1, 11, at(0), 4.49))

    assert rows_of(shelf, visits((1, week(0), 1)), prices) == [(week(0), 1, 11, 4.49)]


@pytest.mark.parametrize("seed", range(5))
def test_prices_of_groups_are_those_of_looking_up_every_cell(seed):
    rng = np.random.default_rng(seed)
    shelf = shelf_of(
        *((week(w), p, float(rng.integers(2, 5))) for w in range(5) for p in range(6) if rng.random() < 0.8)
    )
    came = visits(*((u, week(w), int(rng.integers(0, 4))) for w in range(5) for u in range(5)))
    changes = [
        (int(g), int(p), at(int(w), int(d)), float(price))
        for g, p, w, d, price in zip(*(rng.integers(0, high, 60) for high in (4, 6, 5, 7, 6)), strict=True)
        if price > 0
    ]
    changes = list({change[:3]: change for change in changes}.values())
    expected = []
    for day, product, price in shelf.rows():
        for group in sorted({g for _, when, g in came.rows() if when == day} - {0}):
            middle = datetime.combine(day, datetime.min.time()) + timedelta(days=3.5)
            known = [c for c in changes if c[0] == group and c[1] == product and c[2] <= middle]
            own = max(known, key=lambda change: change[2])[3] if known else price
            expected += [(day, group, product, own)] if own != price else []

    assert rows_of(shelf, came, told(*changes)) == sorted(expected)


@pytest.mark.parametrize(
    ("paid", "warns"), [([3.0, 3.0, 2.0, 2.5], False), ([3.0, 2.0, 2.0, 2.5], True), ([300.0, 300.0, 200.0, 2.5], True)]
)
def test_lines_of_groups_at_other_prices_than_told_are_warned_of(lines, caplog, paid, warns):
    sales = lines(*({"price": price} for price in paid)).with_columns(
        price_group=pl.Series([1, 1, 1, 0], dtype=pl.UInt16)
    )
    shelf = shelf_of((week(0), 10, 2.5))

    prices = told((1, 10, at(0), 3.0))
    of_groups = lines_of_groups(sales, shelf, prices, WEEK)
    warn_of_other_prices(of_groups, prices, common_deals(of_groups), WEEK)

    share, price = ("100", "300.00") if 300.0 in paid else ("67", "2.00")
    said = f"{share} % of the lines of price groups are at other prices than group_prices tells, such as {price} of "
    assert [record.getMessage().startswith(said) for record in caplog.records] == [True] * warns
    assert all("in the period 2024-01-01 instead of 3.00: mend" in record.getMessage() for record in caplog.records)


def warned(lines, caplog, rows):
    """Whether lines (price_group, product_id, price) are said to be at the prices of others; 1 pays 3, 2 pays 4."""
    sales = lines(*({"product_id": product, "price": price} for _, product, price in rows))
    sales = sales.with_columns(price_group=pl.Series([group for group, *_ in rows], dtype=pl.UInt16))
    products = sorted({product for _, product, _ in rows})
    prices = told(*((group, product, at(0), 2.0 + group) for product in products for group in (1, 2)))
    paid = lines_of_groups(sales, shelf_of(*((week(0), product, 2.5) for product in products)), prices, WEEK)
    warn_of_other_prices(paid, prices, common_deals(paid), WEEK)
    return ["are at the price of another group, such as" in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.parametrize(("mixed", "deals", "warns"), [(0, 0, False), (0, 30, False), (30, 0, True), (14, 20, False)])
def test_lines_at_the_prices_of_other_groups_are_warned_of(lines, caplog, mixed, deals, warns):
    """Of 100 lines some are at the other group's price, or at a fifth less than the own one."""
    kinds = ["mixed"] * mixed + ["deal"] * deals + ["own"] * (100 - mixed - deals)
    price = {"mixed": lambda own: 7.0 - own, "deal": lambda own: 0.8 * own, "own": lambda own: own}
    rows = [(1 + number % 2, 10, price[kind](3.0 + number % 2)) for number, kind in enumerate(kinds)]

    assert warned(lines, caplog, rows) == warns


def test_mixed_groups_are_seen_where_only_one_group_has_a_line_of_a_product(lines, caplog):
    rows = [
        (1 + number % 2, 10 + number, 3.0 + number % 2 if number % 5 < 3 else 4.0 - number % 2) for number in range(50)
    ]

    assert warned(lines, caplog, rows)


def test_deals_that_all_groups_had_are_not_mistaken_for_prices_of_others(lines, caplog):
    """A third of the products is sold to both groups at what group 1 pays for it."""
    rows = [(group, product, 3.0 if product % 3 == 0 else 2.0 + group) for product in range(30) for group in (1, 2, 2)]

    assert not warned(lines, caplog, rows)


def test_lines_are_counted_beside_the_price_that_their_group_was_told_to_have_seen(lines):
    """Of group 1 the price of product 10 holds from the second week on, group 2 has none of its own."""
    rows = [(1, 10, 0, 2.5), (1, 10, 1, 3.0), (1, 10, 1, 3.0), (1, 10, 1, 2.0), (2, 10, 1, 2.5), (0, 10, 1, 9.0)]
    sales = lines(*({"product_id": product, "week": number, "price": price} for _, product, number, price in rows))
    sales = sales.with_columns(price_group=pl.Series([row[0] for row in rows], dtype=pl.UInt16))
    shelf = shelf_of((week(0), 10, 2.5), (week(1), 10, 2.5))

    paid = lines_of_groups(sales, shelf, told((1, 10, at(1), 3.0)), WEEK)

    assert paid.select("period", "price_group", "price", "len", "told").rows() == [
        (week(0), 1, 2.5, 1, 2.5),
        (week(1), 1, 2.0, 1, 3.0),
        (week(1), 1, 3.0, 2, 3.0),
        (week(1), 2, 2.5, 1, 2.5),
    ]


@pytest.mark.parametrize(
    ("paid", "deals"),
    [
        ([(1, 4.0, 3.0), (2, 5.0, 3.75)], [(0.75, None)]),
        ([(1, 4.0, 2.99), (2, 5.0, 3.75), (3, 6.0, 4.49)], [(4.49 / 6.0, None)]),  # rounded to cents, the median share
        ([(1, 400.0, 299.0), (2, 500.0, 375.5)], [(0.7475, None)]),  # of two the lower
        ([(1, 0.10, 0.07), (2, 0.11, 0.08)], [(0.7, None)]),
        ([(1, 4.0, 2.5), (2, 5.0, 2.5)], [(None, 2.5)]),
        ([(1, 4.0, 2.5, 3), (2, 5.0, 2.5, 2), (2, 5.0, 5.0)], [(None, 2.5)]),
        ([(1, 5.0, 5.0, 2), (2, 6.0, 5.0, 2)], []),  # half of the lines are as told
        ([(1, 4.0, 3.0, 2), (2, 5.0, 5.0, 3)], []),  # most lines are as told
        ([(1, 4.0, 3.0, 3), (2, 5.0, 5.0, 2)], [(0.75, None)]),
        ([(1, 4.0, 3.0, 2), (2, 5.0, 5.0, 2)], []),
        ([(1, 4.0, 3.0)], []),  # one line
        ([(1, 4.0, 3.0), (2, 5.0, 2.5)], []),  # neither one share nor one price holds for most
        ([(1, 4.0, 3.0), (2, 5.0, 2.5), (2, 5.0, 4.5)], []),
        ([(1, 4.0, 4.0), (2, 5.0, 5.0)], []),
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_a_deal_is_the_share_or_the_price_that_most_lines_have(paid, deals, turn):
    assert deals_shown(*paid[::turn]) == [pytest.approx(deal) for deal in deals]


def test_deals_of_a_product_and_period_are_its_own():
    lines = [(week(w), g, p, price, told) for w, g, p, price, told in (
        (0, 1, 10, 3.0, 4.0), (0, 2, 10, 3.75, 5.0), (0, 1, 11, 3.0, 3.0), (0, 2, 11, 3.75, 3.75), (1, 1, 10, 3.0, 3.5),
        (1, 2, 10, 3.0, 4.5), (1, 2, 11, 3.0, 3.75), (2, 2, 11, 3.0, 3.75), (2, 2, 11, 3.3, 3.75),
    )]  # fmt: skip
    paid = pl.DataFrame(lines, schema=PAID, orient="row").with_columns(len=pl.lit(1, pl.UInt32))

    assert common_deals(paid).rows() == [(week(0), 10, 0.75, None), (week(1), 10, None, 3.0)]


def test_deals_lie_on_top_of_the_prices_that_groups_are_told_to_have_seen():
    shelf = shelf_of((week(0), 10, 2.0), (week(0), 11, 2.0), (week(0), 12, 2.0), (week(1), 10, 2.0))
    came = visits((1, week(0), 1), (1, week(1), 1), (2, week(0), 2))
    prices = told(*((1, product, at(0), 4.0) for product in (10, 11, 12)), (2, 10, at(0), 5.0))

    found = rows_of(shelf, came, prices, deals_of((week(0), 10, 0.75, None), (week(0), 11, None, 1.5)))

    assert found == [
        (week(0), 1, 10, 3.0),
        (week(0), 1, 11, 1.5),
        (week(0), 1, 12, 4.0),
        (week(0), 2, 10, 3.75),
        (week(1), 1, 10, 4.0),
    ]


def test_a_visit_is_of_the_group_of_most_of_its_lines_and_of_the_first_of_equally_many():
    lines = pl.DataFrame(
        {
            "user_id": [1, 1, 1, 1, 2, 2, 3],
            "period": [week(1), *[MONDAY] * 6],
            "price_group": pl.Series([1, 2, 2, 1, 2, 1, 0], dtype=pl.UInt16),
        }
    )

    visits = [(1, MONDAY, 2), (2, MONDAY, 1), (3, MONDAY, 0), (1, week(1), 1)]
    assert visits_of(lines).rows() == visits
    assert visits_of(lines.drop("price_group")).rows() == [(*visit[:2], 0) for visit in visits]


@pytest.mark.parametrize("kind", [str, int])
def test_groups_are_numbered_in_the_order_of_their_names_whatever_their_type(kind):
    lines = pl.DataFrame({"price_group": [kind(7), None, kind(3), kind(7)]})
    prices = pl.DataFrame({"price_group": [3, 5, 7]})

    names = group_names(lines, prices)

    assert names == ["3", "7"]
    assert with_group_numbers(lines, names)["price_group"].to_list() == [2, 0, 1, 2]
    assert with_group_numbers(prices, names)["price_group"].to_list() == [1, 0, 2]


def test_a_log_without_groups_has_no_names_and_no_column():
    lines = pl.DataFrame({"user_id": [1], "price_group": pl.Series([None], dtype=pl.String)})

    assert group_names(lines, None) == group_names(lines.drop("price_group"), None) == []
    assert group_names(lines, pl.DataFrame(schema={"price_group": pl.String})) == []
    assert with_group_numbers(lines, []).columns == ["user_id"]


def test_the_most_groups_that_are_allowed_have_names():
    lines = pl.DataFrame({"price_group": range(MOST_GROUPS)})

    assert len(group_names(lines, lines)) == MOST_GROUPS


@pytest.mark.parametrize(
    ("groups", "prices", "message"),
    [
        (["a", "b"], ["a"], "group_prices must tell the prices of every price_group, found none of b: bring it"),
        (["a"], None, "group_prices must tell the prices of every price_group, found none of a: bring it"),
        (
            [None],
            ["a"],
            "needs the column price_group in offers, or in transactions without offers, found no group there",
        ),
        (
            [f"{n}" for n in range(MOST_GROUPS + 1)],
            None,
            "at most 64 different values, found 65, such as 0, 1, 10: join",
        ),
    ],
)
def test_groups_whose_prices_cannot_be_known_are_refused(groups, prices, message):
    lines = pl.DataFrame({"price_group": pl.Series(groups, dtype=pl.String), "time": at(0)})
    table = None if prices is None else pl.DataFrame({"price_group": prices, "time": at(0)})

    with pytest.raises(InputError, match=message):
        group_names(lines, table)


@pytest.mark.parametrize(
    ("transactions", "offers", "warns"),
    [
        (["a", None], [None], True),
        (["a"], ["b"], False),
        ([None], [None], False),
        (["a"], None, False),
        (None, [], False),
    ],
)
@pytest.mark.parametrize("has_column", [True, False])
def test_groups_that_only_transactions_name_beside_offers_are_warned_of(
    caplog, transactions, offers, warns, has_column
):
    def table(groups):
        return None if groups is None else pl.DataFrame({"price_group": pl.Series(groups, dtype=pl.String)})

    shown = table(offers)
    if not has_column and shown is not None and shown["price_group"].null_count() == shown.height:
        shown = shown.drop("price_group")

    warn_of_unread_groups(table(transactions), shown)

    said = "price_group of transactions is not read where there are offers, which prices are learned from: bring the"
    assert [record.getMessage().startswith(said) for record in caplog.records] == [True] * warns


def test_prices_by_group_do_not_look_like_goods_sold_by_weight(lines):
    rows = [{"price": 2.0 + (user % 6) / 4, "user_id": user, "week": user % 5} for user in range(120)]
    sales = lines(*rows)
    groups = sales.with_columns(price_group=(pl.col("user_id") % 6 + 1).cast(pl.UInt16))
    products = pl.DataFrame({"product_id": [10], "category_id": ["A"], "has_unit_price": [None]})
    products = products.with_columns(pl.col("has_unit_price").cast(pl.Float64))
    rule = UnitPriceRule(min_agreement=0.3, tolerance=0.05, shrinkage=5)

    assert price_pairs(groups, 0.05).rows() == [(10, 120, 120 - 5 * 6, 120 - 5 * 6)]
    assert with_unit_prices(products, price_pairs(groups, 0.05), rule)["has_unit_price"].to_list() == [1.0]
    with pytest.raises(InputError, match="some product that sold must have a unit price"):
        with_unit_prices(products, price_pairs(sales, 0.05), rule)


@pytest.mark.parametrize(("first", "is_refused"), [(at(1), False), (at(0), True)])
def test_groups_that_begin_after_the_last_line_need_not_be_named_yet(first, is_refused):
    sales = pl.DataFrame({"time": [at(0), at(0, day=3)], "price_group": [None, None]})
    prices = pl.DataFrame({"price_group": ["0"], "time": [first]})

    if is_refused:
        with pytest.raises(InputError, match="needs the column price_group"):
            group_names(sales, prices)
    else:
        assert group_names(sales, prices) == []
