"""The closing lines on limits: what stock cannot serve."""

import json

import pytest

from gpu_pricer.terminal.summary import _constraints

STOCK = {"names": ["stock"], "limited": 40, "binding": 7, "rationed_products": 3, "rationed_units": 1204.6}


@pytest.mark.parametrize(("products", "lines"), [(3, 1), (0, 0)])
def test_units_that_stock_cannot_serve_are_said(tmp_path, products, lines):
    content = {"constraints": {}, "stock": STOCK | {"rationed_products": products}}
    (tmp_path / "certificate.json").write_text(json.dumps(content))

    found = _constraints(tmp_path / "certificate.json", "USD")

    said = "  limit stock: 3 of 40 products sell out, and 1,205 units asked for do not count above"
    assert found == [said] * lines
