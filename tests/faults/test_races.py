"""Whoever reads the price table while others score and publish sees one whole version."""

from tests.faults import races


def test_readers_see_whole_versions_while_others_publish():
    counts = races.run(16, seed=0)

    assert counts.done >= 16
    assert counts.wrong == 0, counts.examples
