"""VAT rates of a catalog: what is refused, with a word on what was meant, and the share of a price that is left."""

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.priced_products import catalog_fingerprint, read_catalog
from gpu_pricer.tables.vat import net_share, require_vat_rates, require_vat_settings

CATALOG = pl.DataFrame({"product_id": ["a", "b"], "category_id": ["c", "c"], "price": [1.0, 2.0], "cost": [0.5, 1.0]})


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (
            [0.07, 19.0],
            r"^here: vat_rate must be .*, found 1 products .*, the first \('b', 19.0\): did you mean 0.19\?$",
        ),
        ([-0.1, 0.07], r"the first \('a', -0.1\): mend the column$"),
        ([0.07, float("nan")], r"the first \('b', nan\): mend the column$"),
        ([0.07, 1.0], r"did you mean 0.01\?$"),
        ([1900.0, 0.07], r"the first \('a', 1900.0\): mend the column$"),
        ([0.07, None], r"^here: every product must have a VAT rate .*, found none for 1 products such as \['b'\]: do$"),
    ],
)
def test_a_rate_that_cannot_be_is_refused_with_what_was_meant(rates, message):
    with pytest.raises(InputError, match=message):
        require_vat_rates(CATALOG.with_columns(vat_rate=pl.Series(rates)), "here", "do")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((True, 19), r"^vat_rate must be at least 0 and below 1, found 19: did you mean 0.19\?$"),
        ((True, "0.19"), "^vat_rate must be .* found '0.19': mend it$"),
        ((True, True), "^vat_rate must be .* found True: mend it$"),
        ((None, 0.19), "^vat_rate must stand beside price_includes_vat=true, found None: set it too$"),
        ((False, 0.19), "^vat_rate must stand beside price_includes_vat=true, found False: set it too$"),
        (("yes", None), "^price_includes_vat must be true, false or null, found 'yes': mend it$"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        require_vat_settings(*settings)


def test_what_is_left_of_a_price_is_the_price_over_one_plus_the_rate():
    assert net_share(CATALOG).to_list() == [1.0, 1.0]
    assert net_share(CATALOG.with_columns(vat_rate=pl.Series([0.25, 0.0]))).to_list() == [0.8, 1.0]


def test_a_catalog_without_any_rate_has_no_column_of_them_and_the_fingerprint_it_always_had(tmp_path):
    for name, catalog in (("plain", CATALOG), ("null", CATALOG.with_columns(vat_rate=pl.lit(None, pl.Float64)))):
        catalog.write_parquet(tmp_path / f"{name}.parquet")

    plain, null = (read_catalog(tmp_path / f"{name}.parquet") for name in ("plain", "null"))

    assert "vat_rate" not in null.columns
    assert catalog_fingerprint(plain) == catalog_fingerprint(null)


def test_a_catalog_with_some_rates_only_or_rates_in_words_is_refused(tmp_path):
    CATALOG.with_columns(vat_rate=pl.Series([0.19, None])).write_parquet(tmp_path / "some.parquet")
    CATALOG.with_columns(vat_rate=pl.lit("19 %")).write_parquet(tmp_path / "words.parquet")

    with pytest.raises(InputError, match=r"some.parquet: every product must have a VAT rate .*: fill the column"):
        read_catalog(tmp_path / "some.parquet")
    with pytest.raises(InputError, match=r"words.parquet: the column vat_rate must be a number, found String"):
        read_catalog(tmp_path / "words.parquet")
