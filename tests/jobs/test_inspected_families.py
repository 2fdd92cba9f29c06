"""`inspect` proposes one price for the sizes of a style, and the jobs take the command that it prints."""

import re
import shlex

import polars as pl
import pytest


@pytest.fixture
def fashion(tmp_path):
    """fashion(shift) writes 24 products, two sizes of 12 styles; `shift` makes the second size dearer."""

    def write(shift):
        (tmp_path / "shop").mkdir()
        style = [number // 2 for number in range(24)]
        price = [10.0 + 5 * (number // 2) % 12 + shift * (number % 2) for number in range(24)]
        sku = [f"a{number:02}" for number in range(24)]
        products = {"sku": sku, "style": style, "category": ["shirt"] * 24, "price": price, "cost": [4.0] * 24}
        pl.DataFrame(products).write_csv(tmp_path / "shop/products.csv")
        days = pl.date_range(pl.date(2025, 1, 6), pl.date(2025, 8, 3), "1d", eager=True)
        visits = pl.DataFrame({"date": days}).with_row_index("customer")
        lines = pl.DataFrame({"sku": sku, "price": price, "qty": [1] * 24}).join(visits, how="cross")
        lines.write_csv(tmp_path / "shop/sales.csv")

    return write


def test_sizes_of_a_style_are_proposed_as_a_family_and_the_job_takes_the_proposal(gpu_pricer, fashion):
    fashion(shift=0.0)

    ended = gpu_pricer("inspect", "shop", "inspect.currency=EUR")

    assert ended.status == 0, ended.said
    assert (
        "  style: 24 products share one of 12 values, as sizes of a style do; in 100% of the comparisons all prices of "
        "a value agree; with policy.bounds.family_column=style the products of a value get one price\n" in ended.out
    )
    [command] = re.findall(r"or, with one price for all products of each style:\n  gpu-pricer (.*)\n", ended.out)
    words = shlex.split(command)
    assert words == ["run", "--config-dir", "own", "data=shop", "policy.bounds.family_column=style"]
    assert gpu_pricer("prepare", *words[1:-1]).status == 0
    assert "style" in pl.read_parquet_schema("work/data/products.parquet")


def test_sizes_with_prices_of_their_own_are_no_family(gpu_pricer, fashion):
    fashion(shift=0.5)

    ended = gpu_pricer("inspect", "shop", "inspect.currency=EUR")

    assert ended.status == 0, ended.said
    assert "family_column" not in ended.out


def test_a_column_that_is_said_to_hold_amounts_is_no_family(gpu_pricer, fashion):
    fashion(shift=0.0)

    ended = gpu_pricer("inspect", "shop", "inspect.currency=EUR", "inspect.other_amounts=[style]")

    assert ended.status == 0, ended.said
    assert "family_column" not in ended.out
