"""The last event of every key before a period, in ranges of events that are sorted by key and period.

On a CPU two compiled passes over the events find it. The tensor operations that find it elsewhere took most of a
training step there, six times as long (470,000 events, November 2026).
"""

import numba
import numpy as np
import torch
from torch import Tensor

import kernels  # noqa: F401  numba keeps the processor's features of the first function, which are for kernels to choose

AT_ONCE = 1 << 20  # events that tensor operations look at in one go


def last_events(period: Tensor, count: Tensor, start: Tensor, stop: Tensor, until: Tensor) -> tuple[Tensor, Tensor]:
    """Return every key's last event before a period [m], and how many there are in each of n ranges [n].

    period, count int16 [E]: of every event, and how many of its key there were so far. start, stop [n]: range i has the
    events from start[i] to stop[i] − 1, all of its keys, and is asked about the time before until[i].
    """
    if period.device.type == "cpu":
        arrays = [values.numpy() for values in (period, count, start, stop, until.to(period.dtype))]
        size = _numbers(*arrays)
        return torch.from_numpy(_events(size.sum(), *arrays)), torch.from_numpy(size)
    return by_tensors(period, count, start, stop, until)


def by_tensors(period: Tensor, count: Tensor, start: Tensor, stop: Tensor, until: Tensor) -> tuple[Tensor, Tensor]:
    """Return last_events by tensor operations, which run on every device."""
    part = (stop - start).cumsum(0) // AT_ONCE
    sizes = torch.unique_consecutive(part, return_counts=True)[1].tolist() or [0]
    parts = zip(start.split(sizes), stop.split(sizes), until.split(sizes), strict=True)
    found, size = zip(*(_in_one_go(period, count, *some) for some in parts), strict=True)
    return torch.cat(found), torch.cat(size)


def _in_one_go(period: Tensor, count: Tensor, start: Tensor, stop: Tensor, until: Tensor) -> tuple[Tensor, Tensor]:
    """Return last_events of a few ranges."""
    size = stop - start
    ends = size.cumsum(0)
    whose = torch.repeat_interleave(size)
    event = torch.arange(len(whose), device=size.device) + (stop - ends).index_select(0, whose)
    is_last = period.index_select(0, event) < until.to(period.dtype).index_select(0, whose)
    goes_on = is_last & (count.index_select(0, event) > 1)  # the event before is of the same key
    is_last[:-1] &= ~goes_on[1:]
    place = is_last.nonzero().squeeze(1)
    found = torch.searchsorted(place, ends)
    return event.index_select(0, place), found.diff(prepend=torch.zeros_like(found[:1]))


@numba.njit(nogil=True, cache=True, inline="always")
def _is_last(period, count, event, until):  # type: ignore[no-untyped-def]
    """Return whether an event is its key's last one before `until`; it is not the last of its range.

    Without a branch, since which event is a last one cannot be foretold: with branches it takes four times as long.
    """
    following = event + 1
    return (period[event] < until) & ((count[following] == 1) | (period[following] >= until))


@numba.njit(nogil=True, cache=True)
def _numbers(period, count, start, stop, until):  # type: ignore[no-untyped-def]
    """Return how many last events there are in each of n ranges, int64 [n]."""
    size = np.zeros(len(start), np.int64)
    for i in range(len(start)):
        final = stop[i] - 1
        number = 0
        for event in range(start[i], final):
            number += 1 if _is_last(period, count, event, until[i]) else 0
        if final >= start[i]:
            number += 1 if period[final] < until[i] else 0
        size[i] = number
    return size


@numba.njit(nogil=True, cache=True)
def _events(total, period, count, start, stop, until):  # type: ignore[no-untyped-def]
    """Return the last events of n ranges, int64 [total]."""
    found = np.empty(total + 1, np.int64)
    place = 0
    for i in range(len(start)):
        final = stop[i] - 1
        for event in range(start[i], final):
            found[place] = event
            place += 1 if _is_last(period, count, event, until[i]) else 0
        if final >= start[i]:
            found[place] = final
            place += 1 if period[final] < until[i] else 0
    return found[:total]
