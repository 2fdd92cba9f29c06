"""Limits of packs of one good: laws of what prices inside them keep, for any catalog, and examples by hand."""

import math
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_pricer.errors import InputError
from gpu_pricer.policy.pack_sizes import PACK_CEILING, PACK_FLOOR, PackSizes, pack_limits, packs_in_disorder

PACKS = PackSizes("line", "size")
CLOSE = 1 + 1e-9


def catalog(rows):
    """A catalog of rows (category, line, size, price)."""
    columns = {"category_id": pl.String, "line": pl.String, "size": pl.Float64, "price": pl.Float64}
    table = pl.DataFrame(rows, schema=columns, orient="row")
    return table.with_row_index("product_id")


def limits_of(rows):
    found = pack_limits(catalog(rows), PACKS)
    return list(zip(found[PACK_FLOOR].to_list(), found[PACK_CEILING].to_list(), strict=True))


names = st.sampled_from(["a", "b"])
packs = st.lists(
    st.tuples(names, names, st.sampled_from([0.25, 0.5, 1.0, 2.0, 6.0]), st.floats(0.1, 50.0)), min_size=2, max_size=12
)


@given(packs, st.randoms(use_true_random=False))
def test_packs_keep_their_order_or_come_no_further_apart(rows, chance):
    def any_inside(price, floor, ceiling):
        low, high = price / 2 if floor is None else floor, 2 * price if ceiling is None else ceiling
        return math.exp(chance.uniform(math.log(low), math.log(max(high, low))))

    rows = [(*row[:3], round(row[3], 2)) for row in rows]
    new = [any_inside(row[3], *limit) for row, limit in zip(rows, limits_of(rows), strict=True)]

    for (one, at_one), (two, at_two) in combinations(zip(rows, new, strict=True), 2):
        if one[:2] != two[:2] or one[2] == two[2]:
            continue
        (small, was_small, is_small), (large, was_large, is_large) = sorted([(*one[2:], at_one), (*two[2:], at_two)])
        assert is_small / is_large <= max(was_small / was_large, 1) * CLOSE
        assert (is_large / large) / (is_small / small) <= max((was_large / large) / (was_small / small), 1) * CLOSE


@given(packs)
def test_todays_prices_lie_inside_the_limits(rows):
    rows = [(*row[:3], round(row[3], 2)) for row in rows]
    for (*_, price), (floor, ceiling) in zip(rows, limits_of(rows), strict=True):
        assert floor is None or floor <= price
        assert ceiling is None or ceiling >= price


@given(packs, st.permutations(range(12)))
def test_limits_do_not_depend_on_the_order_of_the_catalog(rows, order):
    order = [place for place in order if place < len(rows)]

    assert limits_of([rows[place] for place in order]) == [limits_of(rows)[place] for place in order]


def test_the_limit_is_the_geometric_mean():
    """At 2.00 for one and 3.00 for two, a unit costs 2.00 and 1.50: the limits are √3 for a unit and √6 for a pack."""
    (floor, ceiling), (large_floor, large_ceiling) = limits_of([("a", "x", 1, 2.0), ("a", "x", 2, 3.0)])

    assert (floor, ceiling) == pytest.approx((math.sqrt(3), math.sqrt(6)))
    assert (large_floor, large_ceiling) == pytest.approx((math.sqrt(6), 2 * math.sqrt(3)))


def test_prices_that_break_the_order_come_no_further_apart():
    dearer_per_unit = limits_of([("a", "x", 1, 2.0), ("a", "x", 2, 5.0)])
    cheaper_large_pack = limits_of([("a", "x", 1, 2.0), ("a", "x", 2, 1.5)])

    assert dearer_per_unit[0][0] == 2.0
    assert dearer_per_unit[1][1] == 5.0
    assert cheaper_large_pack[0][1] == 2.0
    assert cheaper_large_pack[1][0] == 1.5


def test_products_without_another_size_have_no_limit():
    alone = [("a", "x", 1, 2.0), ("b", "x", 2, 3.0), ("a", None, 3, 3.0), ("a", "x", None, 3.0), (None, "x", 4, 3.0)]

    assert limits_of(alone) == [(None, None)] * 5
    assert packs_in_disorder(catalog(alone), PACKS) == (0, 0)


def test_goods_without_a_unit_price_neither_have_nor_set_a_limit():
    rows = [("a", "x", 1, 2.0), ("a", "x", 2, 9.0)]

    found = pack_limits(catalog(rows).with_columns(has_unit_price=pl.Series([1.0, 0.0])), PACKS)

    assert found.rows() == [(None, None)] * 2


def test_names_of_columns_are_no_patterns():
    named = catalog([("a", "x", 1, 2.0), ("a", "x", 2, 3.0)]).rename({"size": "^s.*$", "line": "^l$"})

    assert pack_limits(named, PackSizes("^l$", "^s.*$"))[PACK_FLOOR].count() == 2


def test_packs_that_are_not_on_the_shelf_neither_have_nor_set_a_limit():
    rows = [("a", "x", 1, 2.0), ("a", "x", 2, 9.0), ("a", "x", 3, 4.0)]
    shop = catalog(rows).with_columns(availability=pl.Series([1.0, 0.0, None]))

    found = pack_limits(shop, PACKS)

    first, last = limits_of([rows[0], rows[2]])
    assert found.row(0) == pytest.approx(first)
    assert found.row(1) == (None, None)
    assert found.row(2) == pytest.approx(last)
    assert packs_in_disorder(shop, PACKS) == (1, 0)


def test_of_products_of_one_size_each_keeps_the_order_with_the_next_size():
    rows = [("a", "x", 1, 2.0), ("a", "x", 1, 1.8), ("a", "x", 2, 3.0), ("a", "x", 2, 3.4)]
    small, other, large, dear = limits_of(rows)

    assert (small[0], other[0]) == pytest.approx((math.sqrt(2.0 * 1.7), math.sqrt(1.8 * 1.7)))
    assert (large[1], dear[1]) == pytest.approx((2 * math.sqrt(1.5 * 1.8), 2 * math.sqrt(1.7 * 1.8)))
    assert (small[1], other[1]) == pytest.approx((math.sqrt(2.0 * 3.0), math.sqrt(1.8 * 3.0)))
    assert (large[0], dear[0]) == pytest.approx((math.sqrt(3.0 * 2.0), math.sqrt(3.4 * 2.0)))


def test_a_wrong_price_between_leaves_the_order_of_the_others():
    """Sizes 1 and 3 keep the order today, at 3.45 and 4.14; size 2 costs more than both."""
    small, _, large = limits_of([("a", "x", 1, 3.45), ("a", "x", 2, 10.35), ("a", "x", 3, 4.14)])

    assert small[1] <= large[0] * CLOSE
    assert large[1] / 3 <= small[0] * CLOSE


def test_the_dearest_of_all_larger_sizes_counts_per_unit():
    """Per unit they cost 2.00, 1.20 and 1.50."""
    small, *_ = limits_of([("a", "x", 1, 2.0), ("a", "x", 2, 2.4), ("a", "x", 3, 4.5)])

    assert small[0] == pytest.approx(math.sqrt(2.0 * 1.5))


def test_prices_with_parts_of_a_cent_are_rounded_as_the_other_rules_do():
    """The smaller pack costs more, so that the price of today is the floor of the larger one."""
    assert limits_of([("a", "x", 1, 4.0), ("a", "x", 2, 3.114)])[1][0] == 3.11


def test_sizes_that_break_the_order_with_a_smaller_one_are_counted():
    rows = [("a", "x", 1, 2.0), ("a", "x", 2, 5.0), ("a", "x", 3, 6.0), ("a", "y", 1, 1.0), ("a", "y", 2, 1.5)]

    assert packs_in_disorder(catalog(rows), PACKS) == (3, 1)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([1.0, 0.0], "size must be above 0 or null for bounds.pack_sizes, found 1 products where it is not, the first"),
        ([1.0, math.nan], "size must be above 0 or null for bounds.pack_sizes, found 1 products"),
        (["1 l", "2 l"], "size must be a number for bounds.pack_sizes, found String: convert the column"),
    ],
)
def test_sizes_that_are_none_are_refused(sizes, message):
    broken = catalog([("a", "x", 1, 2.0), ("a", "x", 2, 3.0)]).with_columns(size=pl.Series(sizes))

    with pytest.raises(InputError) as error:
        pack_limits(broken, PACKS)
    assert str(error.value).startswith(message)


def test_a_large_catalog_has_its_limits_in_one_pass():
    rng = np.random.default_rng(0)
    rows = 30_000
    wide = pl.DataFrame(
        {
            "product_id": np.arange(rows),
            "category_id": (np.arange(rows) % 500).astype(str),
            "line": np.arange(rows) % 7_000,
            "size": rng.choice([0.5, 1.0, 1.5, 2.0], rows),
            "price": rng.uniform(1, 9, rows),
        }
    )

    found = pack_limits(wide, PACKS)

    assert found.height == rows
    assert found[PACK_FLOOR].count() > rows / 2
