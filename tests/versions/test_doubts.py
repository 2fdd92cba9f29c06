"""Doubts about prices come from the sales, from the held-out sales and from how little the log tells."""

from dataclasses import replace

import pytest

from gpu_pricer.versions.doubts import doubts_of
from gpu_pricer.versions.outlook import Outlook

WELL_KNOWN = Outlook(None, False, None, 0, categories=60, published=0, inelastic=0, untaught=0, borrowed=0)
LITTLE = replace(WELL_KNOWN, vague=31, untaught=0.3, borrowed=0.4)


def test_every_source_is_told_in_turn():
    found = doubts_of(LITTLE, {"doubts": ["of sales"]}, {"price_response": {"doubts": ["of held-out sales"]}})

    assert found[:2] == ["of sales", "of held-out sales"]
    assert [doubt.split(" of ")[0] for doubt in found[2:]] == ["most", "30%", "40%"]


@pytest.mark.parametrize("outlook", [None, WELL_KNOWN])
def test_without_doubts_nothing_is_told(outlook):
    assert doubts_of(outlook, {}, {}) == []
