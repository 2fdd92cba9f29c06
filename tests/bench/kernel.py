"""Mcells/s of our kernel beside its rivals, as one line of JSON.

    python -m tests.bench.kernel [--products N] [--segments N] [--repeats N]

Contestants that can share the cores in two ways enter twice, as one process with a thread per core (threads) and
as a process per core with its own categories (processes). ratio_* is our rate of prices alone over the rival's, the
faster way where there are several; null with a reason under `missing` where a rival cannot run. torch_coupled and
torch_ladder are what one would write; rounded_up and blend add what our own kernel taught us, and so does
torch_compile.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace

import numpy as np

from kernels import price_cells
from tests.bench import compiled, coupled, gemm, ladder, ours
from tests.bench.crew import Contestant, Crew
from tests.bench.grocery_markets import MarketSize, grocery_market
from tests.bench.timing import ROUNDS, arguments, cores, rates, report, rounded

BOUGHT_MORE = 0.53
"""As MarketSize.bought: at the best prices some 40 % of the visits still buy."""

SEARCHED = 2_000
"""Products for the searches over all rungs: what a cell takes does not depend on how many there are."""

TILES = (1, 2, 5, 10, 20)
"""Categories a tile that torch and NumPy may choose from; the buffers of 5 fit a cache of 2 MiB."""

RATIOS = {
    "gemm": ("gemm_blocked", "gemm_matmul"),
    "gemm_torch": ("gemm_torch",),
    "torch_coupled": ("torch_coupled_threads", "torch_coupled_processes"),
    "torch_coupled_rounded_up": ("torch_coupled_rounded_up_threads", "torch_coupled_rounded_up_processes"),
    "torch_compile": ("torch_compile_threads", "torch_compile_processes"),
    "torch_ladder": ("torch_ladder_threads", "torch_ladder_processes"),
    "torch_ladder_blend": ("torch_ladder_blend_threads", "torch_ladder_blend_processes"),
    "numpy_ladder": ("numpy_ladder_processes",),
    "numba_ladder": ("numba_ladder",),
    "numba_ladder_polynomial": ("numba_ladder_polynomial",),
}
"""The rivals that each ratio takes the fastest of."""

RATIOS_MORE = {
    "gemm_bought_more": RATIOS["gemm"],
    "torch_coupled_bought_more": ("torch_coupled_bought_more_threads", "torch_coupled_bought_more_processes"),
}
"""The same for the market in which more is bought."""


def main() -> None:
    """Measure, and print the line."""
    given = arguments(products=MarketSize.products, segments=MarketSize.segments, repeats=ROUNDS)
    size = MarketSize(given.products, given.segments)
    more = replace(size, bought=BOUGHT_MORE)
    figures, missing = measure(size, more, given.repeats)
    report(
        market=asdict(size) | {"bought": round(share_bought(size), 3), "bought_more": round(share_bought(more), 3)},
        mcells_per_s=rounded(figures) | dict.fromkeys(missing),
        **ratios(RATIOS, figures["prices"], figures),
        **ratios(RATIOS_MORE, figures["prices_bought_more"], figures),
        missing=missing,
    )


def measure(size: MarketSize, more: MarketSize, rounds: int) -> tuple[dict[str, float], dict[str, str]]:
    """Return the rates, and why each missing contestant is."""
    crews = [
        (1, cores(), with_numba(size, more)),
        (1, cores(), with_torch(size, more, "threads") | {"gemm_torch": Contestant(gemm.by_torch, size, TILES)}),
        (cores(), 1, with_torch(size, more, "processes") | with_numpy(size)),
    ]
    with ExitStack() as stack:
        cells, crew_of, missing = {}, {}, {}
        for workers, threads, contestants in crews:
            crew = stack.enter_context(Crew(workers, threads, contestants))
            missing |= crew.missing
            for name, contestant in contestants.items():
                if name not in crew.missing:
                    cells[name], crew_of[name] = contestant.size.cells, crew
        return rates(cells, lambda name, passes: crew_of[name].run(name, passes), rounds), missing


def with_numba(size: MarketSize, more: MarketSize) -> dict[str, Contestant]:
    """Return us, the products of factors and Numba's searches."""
    few = searched(size)
    return {
        "prices": Contestant(ours.prices_alone, size),
        "cells": Contestant(ours.whole_cells, size),
        "prices_bought_more": Contestant(ours.prices_alone, more),
        "cells_bought_more": Contestant(ours.whole_cells, more),
        "gemm_blocked": Contestant(gemm.blocked, size),
        "gemm_matmul": Contestant(gemm.whole, size, (10, 20, 50, 150)),
        "numba_ladder": Contestant(ladder.by_numba, few),
        "numba_ladder_polynomial": Contestant(ladder.by_numba_polynomial, few),
    }


def with_torch(size: MarketSize, more: MarketSize, way: str) -> dict[str, Contestant]:
    """Return torch's contestants in one way to share the cores."""
    return {
        f"torch_coupled_{way}": Contestant(coupled.bracketed, size, TILES),
        f"torch_coupled_bought_more_{way}": Contestant(coupled.bracketed, more, TILES),
        f"torch_coupled_rounded_up_{way}": Contestant(coupled.rounded_up, size, TILES),
        f"torch_compile_{way}": Contestant(compiled.compiled, size, (2, 5, 10)),
        f"torch_ladder_{way}": Contestant(ladder.by_torch, searched(size), TILES),
        f"torch_ladder_blend_{way}": Contestant(ladder.by_torch_blend, searched(size), TILES),
    }


def with_numpy(size: MarketSize) -> dict[str, Contestant]:
    """Return NumPy's contestant, which has no threads of its own."""
    return {"numpy_ladder_processes": Contestant(ladder.by_numpy, searched(size), TILES)}


def searched(size: MarketSize) -> MarketSize:
    """Return a market of the same kind, small enough for a search over all rungs."""
    return replace(size, products=min(size.products, SEARCHED))


def share_bought(size: MarketSize) -> float:
    """Return the share of visits that buy something in a category at the best prices."""
    market = grocery_market(searched(size))
    probability = price_cells(market.demand, market.inputs).probability
    return float(np.add.reduceat(probability, market.inputs.shelf.category_start[:-1]).mean())


def ratios(rivals: Mapping[str, tuple[str, ...]], our_rate: float, figures: Mapping[str, float]) -> dict[str, object]:
    """Return our rate over that of the fastest of each group of rivals, under the names ratio_*."""
    fastest = {
        name: max((figures[way] for way in ways if way in figures), default=None) for name, ways in rivals.items()
    }
    return {f"ratio_{name}": rate and round(our_rate / rate, 3) for name, rate in fastest.items()}


if __name__ == "__main__":
    main()
