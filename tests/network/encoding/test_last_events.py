"""The last events before a period, against looking through the events one by one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.network.encoding import last_events as module
from gpu_pricer.network.encoding.last_events import by_tensors, last_events

KEYS, PERIODS = 12, 6


@st.composite
def ranges_of_events(draw):
    """Events of keys, sorted, with ranges of whole keys, each asked about the time before a period."""
    events = sorted(draw(st.sets(st.tuples(st.integers(0, KEYS - 1), st.integers(0, PERIODS - 1)))))
    key, period = np.array(events, np.int64).reshape(-1, 2).T
    count = [int((key[:place] == of).sum()) + 1 for place, of in enumerate(key)]
    first, size, until = np.array(
        draw(st.lists(st.tuples(st.integers(0, KEYS), st.integers(0, KEYS), st.integers(0, PERIODS)), max_size=5)),
        np.int64,
    ).reshape(-1, 3).T  # fmt: skip
    start, stop = np.searchsorted(key, first), np.searchsorted(key, np.minimum(first + size, KEYS))
    given = [np.array(values, np.int16) for values in (period, count)] + [start, np.maximum(start, stop), until]
    return key, [torch.from_numpy(values) for values in given]


def one_by_one(key, period, start, stop, until):
    """Every key's last event before a period, range by range."""
    found, size = [], []
    for first, end, when in zip(start.tolist(), stop.tolist(), until.tolist(), strict=True):
        last = {int(key[event]): event for event in range(first, end) if period[event] < when}
        found += last.values()
        size.append(len(last))
    return found, size


@pytest.mark.parametrize("search", [last_events, by_tensors], ids=["compiled", "tensors"])
@settings(deadline=None)  # the first example compiles
@given(drawn=ranges_of_events())
def test_last_events_are_those_that_looking_through_all_finds(search, drawn):
    key, (period, count, start, stop, until) = drawn

    event, size = search(period, count, start, stop, until)

    assert (event.tolist(), size.tolist()) == one_by_one(key, period, start, stop, until)


@pytest.mark.parametrize("at_once", [1, 5])
@given(drawn=ranges_of_events())
def test_tensors_find_the_same_in_several_goes(at_once, drawn):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AT_ONCE", at_once)
        several = by_tensors(*drawn[1])

    assert all(torch.equal(*pair) for pair in zip(several, by_tensors(*drawn[1]), strict=True))
