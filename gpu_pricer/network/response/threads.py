"""Threads that each compute a block of products, users or periods on their own."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

MOST_THREADS = 8  # each holds what a block takes, up to some 100 MB


@contextmanager
def single_thread() -> Iterator[None]:
    """Let PyTorch use one thread: batches of small matrices gain little from more, and on a busy machine wait for them.

    On two cores beside three other jobs, 40 passes over 2,000 products took more than 280 s with two threads and 25 s
    with one (PyTorch 2.13, 2026-11). Batches of LU factorizations need it: from about 150 rows on, those in several
    threads fail or never end (pytorch/pytorch issue 142815).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def threads_of_one() -> Iterator[Callable[..., Any]]:
    """Yield a map that runs in as many threads as PyTorch has, at most MOST_THREADS; in each, PyTorch uses one.

    Its results come in order, so that sums of them have the same bits with any number of threads.
    """
    threads = min(torch.get_num_threads(), MOST_THREADS)
    with single_thread():
        if threads == 1:
            yield map
            return
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map
