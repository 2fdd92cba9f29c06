"""No version that was changed after it was scored is published."""

from tests.faults import mutated


def test_no_mutated_version_is_published():
    counts = mutated.run(60, seed=0)

    assert counts.done == 60
    assert counts.wrong == 0, counts.examples
