"""A price in `context` sets no price, and rows outside the log have no effect: `inspect` and `prepare` say so."""

import pytest

from gpu_pricer.data.raw.context_rows import own_prices
from tests.jobs.conftest import ANSWER, PREPARE

SETS_NO_PRICE = "Aktionspreis of context sets no price: context says what else moved demand; fixed prices, such as"


@pytest.fixture
def planned(own_files, tmp_path):
    """planned(first, column) writes a shop with a promotion from a day on, whose price is in a column."""
    own_files()

    def write(first, column="Aktionspreis"):
        (tmp_path / "shop/aktionen.csv").write_text(f"sku;von;bis;{column}\n01;{first};2026-12-20;0,99\n")

    return write


def test_a_planned_price_in_context_is_told_with_the_way_to_set_it(gpu_pricer, planned):
    planned("2026-12-07")

    asked = gpu_pricer("inspect", "shop", ANSWER)
    told = gpu_pricer("inspect", "shop", ANSWER, "inspect.context.time=von")
    prepared = gpu_pricer(*PREPARE)

    assert (asked.status, told.status, prepared.status) == (2, 0, 0), told.said
    unused = (
        "no row of context has an effect: the periods of the log go from 2025-01-06 to 2025-03-30, those of its rows "
        "begin from 2026-12-07 to 2026-12-07; bring rows of the log's time, and give planned prices in policy.overrides"
    )
    assert SETS_NO_PRICE in asked.out
    assert told.out.count(SETS_NO_PRICE) == 1
    assert f"  {unused}\n" in told.out
    warned = [line for line in prepared.log if " WARNING " in line]
    assert any(SETS_NO_PRICE in line for line in warned)
    assert any(unused in line for line in warned)


OTHERS = ["Einkaufspreis", "purchase_price", "prix_achat", "milk_price", "oil_price_index", "competition_price"]


@pytest.mark.parametrize("column", ["Rabatt", "Wettbewerbspreis", "Marktpreis Nord", *OTHERS])
def test_context_of_the_log_without_prices_of_ours_says_nothing(gpu_pricer, planned, column):
    planned("2025-01-07", column)

    told = gpu_pricer("inspect", "shop", ANSWER, "inspect.context.time=von")
    prepared = gpu_pricer(*PREPARE)

    assert (told.status, prepared.status) == (0, 0), told.said
    for words in ("sets no price", "no row of context has an effect"):
        assert words not in told.out + "".join(prepared.log)


def test_prices_of_ours_are_a_price_word_alone_or_with_own_promotion_sale_or_action():
    ours = ["Preis", "price", "Aktionspreis", "promo_price", "sale_price", "prix_promo", "Prix de vente", "own price"]

    assert own_prices([*ours, *OTHERS], []) == ours
    assert own_prices(ours, ["promo_price"]) == [name for name in ours if name != "promo_price"]


def test_a_configured_instrument_is_not_warned_of(gpu_pricer, planned):
    planned("2025-01-07")
    instruments = "train.response.endogeneity.instruments=[Aktionspreis]"

    told = gpu_pricer("inspect", "shop", ANSWER, "inspect.context.time=von", instruments)
    prepared = gpu_pricer(*PREPARE, instruments)

    assert (told.status, prepared.status) == (0, 0), told.said
    assert "sets no price" not in told.out + "".join(prepared.log)
