"""The CUDA loop: one thread per (category, segment), the twin of `cpu` over the same formulas.

Threads of a warp are neighbouring segments, so that every access to a [P, S] array is coalesced and every
product record is one broadcast. CuPy multiplies the factors and owns the memory; in numba's simulator NumPy
stands in for it. Import this module only where CUDA, or the simulator, is there to be used.
"""

from typing import Any

import numpy as np
from numba import cuda

from kernels.backend import is_simulated
from kernels.block import LOWEST
from kernels.cpu import MOST_STEPS
from kernels.formulas import (
    better_price,
    bound_held,
    clip,
    exponential,
    is_improvement,
    rung_above,
    rung_below,
    slope_of,
    softplus,
    unclipped_price,
    utility_at,
)

THREADS = 128
"""Threads in a block; a guess that no GPU has judged yet."""

# Layers of the working memory `work` [4, P, S'].
APPEAL, SLOPE, PRICE, SHARE = 0, 1, 2, 3


def price_tile(
    scores: Any,
    products: np.ndarray,
    category_start: np.ndarray,
    endings: np.ndarray,
    has_outside_option: bool,
    tolerance: Any,
    cells: Any,
    threads: int = THREADS,
) -> np.ndarray:
    """Fill the arrays of `cells` and return the steps that each (category, segment) took, int32."""
    arrays, to_host = _array_module()
    on_device = [arrays.zeros(array.shape, array.dtype) for array in cells]
    steps = arrays.zeros(cells.category_worth.shape, np.int32)
    if cells.price.size:
        price_kernel[-(-steps.size // threads), threads](
            _scored(arrays, scores),
            cuda.to_device(products.view(np.recarray)),
            arrays.asarray(category_start),
            arrays.asarray(endings if endings.size else np.zeros(1, endings.dtype)),
            has_outside_option,
            scores.is_dense,
            tolerance,
            *on_device,
            steps,
        )
    for array, filled in zip(cells, on_device, strict=True):
        array[...] = to_host(filled)
    return to_host(steps)


def _array_module() -> tuple[Any, Any]:
    if is_simulated():
        return np, np.asarray
    import cupy

    return cupy, cupy.asnumpy


def _scored(arrays: Any, scores: Any) -> Any:
    """Return the working memory with the factors' products, or the dense scores, in its first two layers."""
    given = [arrays.asarray(array) for array in scores[:4]]
    segment_appeal, product_appeal, segment_sensitivity, product_sensitivity = given
    shape = (4, product_appeal.shape[0], segment_appeal.shape[1])
    work = arrays.empty(shape, segment_appeal.dtype)
    if scores.is_dense:
        work[APPEAL], work[SLOPE] = product_appeal, product_sensitivity
    else:
        arrays.matmul(product_appeal, segment_appeal, out=work[APPEAL])
        arrays.matmul(product_sensitivity, segment_sensitivity, out=work[SLOPE])
    return work


@cuda.jit
def price_kernel(
    work,
    products,
    category_start,
    endings,
    has_outside_option,
    is_dense,
    tolerance,
    price,
    probability,
    held,
    category_worth,
    steps,
):
    """Price one category for one segment: score_rows, climb and write_block of the CPU for a single lane."""
    line: Any = cuda.grid(1)  # type: ignore[call-arg]
    segments = price.shape[1]
    if line >= segments * category_worth.shape[0]:
        return
    category, s = line // segments, line % segments
    first, last = category_start[category], category_start[category + 1]
    score_lane(work, products, first, last, s, is_dense)
    worth = reached = total = tolerance - tolerance
    count = 0
    for step in range(MOST_STEPS):
        peak = settle_lane(work, products, endings, first, last, s, worth, has_outside_option)
        reached, total = sum_lane(work, products, first, last, s, peak, has_outside_option)
        count = step + 1
        if step > 0 and not is_improvement(reached, worth, tolerance):
            break
        worth = reached
    category_worth[category, s] = reached
    steps[category, s] = count
    write_lane(work, products, endings, first, last, s, worth, total, price, probability, held)


@cuda.jit(device=True)
def score_lane(work, products, first, last, s, is_dense):
    """Turn the factors' products into appeal and slope."""
    for p in range(first, last):
        product = products[p]
        sensitivity = work[SLOPE, p, s] if is_dense else softplus(work[SLOPE, p, s])
        work[APPEAL, p, s] += product.appeal_offset
        work[SLOPE, p, s] = slope_of(sensitivity + product.sensitivity_offset, product.reference_price)


@cuda.jit(device=True)
def price_of(slope, product, endings, worth):
    """Return the best price of one cell for R = worth; cpu.settle_rows and bracket_row for a lane."""
    cost, weight, low, high = product.unit_cost, product.weight, product.low, product.high
    lower, upper = low, high
    if weight > type(weight)(0.0):
        target = clip(unclipped_price(slope, cost, weight, worth), low, high)
        lower, upper = target, target
        for e in range(product.first_ending, product.last_ending):
            below, above = (
                rung_below(target, product.period, endings[e]),
                rung_above(target, product.period, endings[e]),
            )
            lower = below if e == product.first_ending else max(lower, below)
            upper = above if e == product.first_ending else min(upper, above)
    return better_price(clip(lower, low, high), clip(upper, low, high), slope, cost, weight, worth)


@cuda.jit(device=True)
def settle_lane(work, products, endings, first, last, s, worth, has_outside_option):
    """Fill the best prices for R = worth, and utilities, of products on the shelf; return the highest."""
    peak = type(worth)(0.0) if has_outside_option else type(worth)(LOWEST)
    for p in range(first, last):
        product = products[p]
        if product.on_shelf:
            best = price_of(work[SLOPE, p, s], product, endings, worth)
            utility = utility_at(best, work[APPEAL, p, s], work[SLOPE, p, s], product.reference_price)
            work[PRICE, p, s] = best
            work[SHARE, p, s] = utility
            peak = max(peak, utility)
    return peak


@cuda.jit(device=True)
def sum_lane(work, products, first, last, s, peak, has_outside_option):
    """Turn utilities into e^(u - peak); return the R they earn and their sum."""
    zero = type(peak)(0.0)
    total = exponential(-peak) if has_outside_option else zero
    earned = zero
    for p in range(first, last):
        product = products[p]
        if product.on_shelf:
            share = exponential(work[SHARE, p, s] - peak)
            work[SHARE, p, s] = share
            total += share
            earned += product.weight * (work[PRICE, p, s] - product.unit_cost) * share
    return (earned / total if total > zero else zero), total


@cuda.jit(device=True)
def write_lane(work, products, endings, first, last, s, worth, total, price, probability, held):
    """Write price, probability and held; products not on the shelf get the best price for the same R."""
    for p in range(first, last):
        product = products[p]
        if product.on_shelf:
            best = work[PRICE, p, s]
            probability[p, s] = work[SHARE, p, s] / total
        else:
            best = price_of(work[SLOPE, p, s], product, endings, worth)
            probability[p, s] = type(worth)(0.0)
        price[p, s] = best
        held[p, s] = bound_held(
            best, work[SLOPE, p, s], product.unit_cost, product.weight, worth, product.low, product.high
        )
