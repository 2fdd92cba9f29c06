"""Small random markets for the tests of the kernels."""

from dataclasses import fields, replace

import numpy as np

from kernels import DenseDemand, FactorDemand, Ladders, PricingInputs, Shelf

LADDERS = {"cents": (1, [0]), "endings": (100, [29, 49, 79, 99]), "list": (2**24, [150, 199, 275, 333, 480])}
ON_LIST = [150, 199, 275, 333, 480]


def factor_demand(seed, segments, products, factors=(9, 3), real=np.float32):
    """Return a demand whose appeals lie around -1 and whose sensitivities lie around 3."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return (rng.normal(size=shape) / max(shape[-1], 1) ** 0.25).astype(real)

    return FactorDemand(
        segment_appeal=normal(segments, factors[0]),
        product_appeal=normal(products, factors[0]),
        segment_sensitivity=normal(segments, factors[1]),
        product_sensitivity=normal(products, factors[1]),
        appeal_offset=(rng.normal(size=products) - 1).astype(real),
        sensitivity_offset=rng.uniform(1, 3, products).astype(real),
    )


def dense_of(demand):
    """Return the same demand as float64 appeals and sensitivities."""
    f = {field.name: getattr(demand, field.name).astype(np.float64) for field in fields(demand)}
    return DenseDemand(
        f["segment_appeal"] @ f["product_appeal"].T,
        np.logaddexp(0, f["segment_sensitivity"] @ f["product_sensitivity"].T),
        f["appeal_offset"],
        f["sensitivity_offset"],
    )


def extreme_demand(seed, shape, appeal, sensitivity, real=np.float32):
    """Return a demand with appeals and sensitivities [S, P] between a fifth of the given sizes and those sizes."""
    rng = np.random.default_rng(seed)
    matrices = (size * rng.uniform(0.2, 0.99, shape) for size in (appeal, sensitivity))
    return DenseDemand(*(matrix.astype(real) for matrix in matrices), *np.zeros((2, shape[1]), real))


def random_inputs(seed, sizes, kind="endings", has_outside_option=True):
    """Return pricing inputs of categories with these sizes: mixed weights and costs, some products off the shelf."""
    rng = np.random.default_rng(seed)
    products = int(sum(sizes))
    low, high = _bounds(rng, products, kind)
    weight = rng.choice([1.0, 1.0, 0.6, 1.7, -0.4], products)
    cost = rng.uniform(-40, 250, products)
    shelf = Shelf(
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        rng.uniform(150, 450, products).astype(np.float32),
        rng.random(products) < 0.85,
        has_outside_option,
    )
    return PricingInputs(
        shelf,
        cost.astype(np.float32),
        weight.astype(np.float32),
        low.astype(np.float32),
        high.astype(np.float32),
        np.zeros(products, np.int32),
        Ladders.of(LADDERS[kind]),
    )


def nested(inputs, *dissimilarity):
    """Return the inputs with these dissimilarities of the categories, one for all or one for each."""
    given = np.broadcast_to(np.array(dissimilarity, float), inputs.shelf.category_count)
    return replace(inputs, shelf=replace(inputs.shelf, dissimilarity=given))


def with_an_end_off_the_ladder(inputs, seed):
    """Return the inputs with the low bound of some products, and the high bound of others, up to 9 cents further out.

    Every ladder of LADDERS but `cents` has a gap around each rung. So the moved bound is the one price off the ladder.
    """
    rng = np.random.default_rng(seed)
    end, cents = rng.integers(0, 3, len(inputs.low)), rng.integers(1, 10, len(inputs.low))
    low, high = inputs.low - cents * (end == 1), inputs.high + cents * (end == 2)
    return replace(inputs, low=low.astype(np.float32), high=high.astype(np.float32))


def with_gaps(inputs, seed):
    """Return the inputs in which half of the products with a wide range have a gap around a price off their ladder."""
    rng = np.random.default_rng(seed)
    gap = np.repeat(inputs.low[:, None], 3, axis=1)
    for p in np.flatnonzero((inputs.high > inputs.low + 20) & (rng.random(len(inputs.low)) < 0.7)):
        period, endings = inputs.ladders.period[0], inputs.ladders.endings
        rungs = [c for c in range(int(inputs.low[p]), int(inputs.high[p]) + 1) if c % period in endings]
        first, last = sorted(rng.choice(len(rungs), 2, replace=False))
        gap[p] = rungs[first], rng.integers(rungs[first], rungs[last] + 1), rungs[last]
    return replace(inputs, gap=gap)


def steep_inputs(seed, sizes):
    """Return inputs without outside option, where rounding moves extreme utilities by more than odds can hold."""
    inputs = random_inputs(seed, sizes, "cents", has_outside_option=False)
    return replace(inputs, shelf=replace(inputs.shelf, reference_price=np.full(sum(sizes), 1e-3, np.float32)))


def _bounds(rng, products, kind):
    if kind == "cents":
        low = rng.integers(100, 400, products)
        return low, low + rng.integers(0, 12, products)
    rungs = np.array(ON_LIST if kind == "list" else [100 * k + e for k in range(1, 5) for e in LADDERS[kind][1]])
    first = rng.integers(0, len(rungs), products)
    last = np.minimum(first + rng.integers(0, 6, products), len(rungs) - 1)
    return rungs[first], rungs[last]


def positive(inputs):
    """Return the inputs with all weights 1, every product on the shelf and costs above 0."""
    ones = np.ones_like(inputs.weight)
    shelf = replace(inputs.shelf, on_shelf=np.ones(len(ones), bool))
    return replace(inputs, shelf=shelf, weight=ones, unit_cost=np.abs(inputs.unit_cost))


def category_of(demand, inputs, category, segment):
    """Return a category for a segment as the oracle takes it, float64 arrays [n], and its products' slice."""
    dense = demand if isinstance(demand, DenseDemand) else dense_of(demand)
    rows = slice(*inputs.shelf.category_start[category : category + 2])
    return {
        "appeal": (dense.appeal[segment] + dense.appeal_offset)[rows],
        "sensitivity": np.maximum((dense.sensitivity[segment] + dense.sensitivity_offset)[rows], 1e-6),
        "reference_price": inputs.shelf.reference_price[rows].astype(float),
        "unit_cost": inputs.unit_cost[rows].astype(float),
        "weight": inputs.weight[rows].astype(float),
        "on_shelf": inputs.shelf.on_shelf[rows],
        "has_outside_option": inputs.shelf.has_outside_option,
        "dissimilarity": 1.0 if inputs.shelf.dissimilarity is None else inputs.shelf.dissimilarity[category],
    }, rows
