"""The space of a search: overrides with Hydra's sweeps, as distributions that Optuna draws from."""

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from gpu_pricer.errors import InputError


def distributions(space: Sequence[str]) -> dict[str, BaseDistribution]:
    """Return the distribution of every key; raise InputError for what is no sweep of Hydra's, or an empty one.

    KEY=a,b is of categories. range(1,9,2) is of numbers, its end left out; interval(0.1,1) of floats and
    int(interval(1,9)) of whole numbers. tag(log,interval(…)) is uniform in the logarithm.
    """
    if not space:
        raise InputError(
            "tune.space must name what the search varies, found nothing: "
            "give \"tune.space=['model.optimiser.rate=tag(log,interval(1e-3,2e-2))']\", quotes included"
        )
    try:
        parsed = OverridesParser.create().parse_overrides(list(space))
        return {override.get_key_element(): _distribution(override) for override in parsed}
    except (HydraException, ValueError) as error:  # Optuna checks limits with ValueErrors
        raise InputError(f"tune.space must hold sweeps of Hydra's grammar, found {error}: mend it") from error


def _distribution(override: Override) -> BaseDistribution:
    sweep = override.value()
    if isinstance(sweep, IntervalSweep):
        return _numbers(sweep.start, sweep.end, None, "log" in sweep.tags)
    if isinstance(sweep, RangeSweep):
        values = list(sweep.range())
        if len(values) < 2:
            raise ValueError(f"a range of {len(values)} values in {override.input_line}")
        return _numbers(min(values), max(values), abs(sweep.step), "log" in sweep.tags)
    if not override.is_choice_sweep():
        raise ValueError(f"no sweep in {override.input_line}")
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def _numbers(low: float | None, high: float | None, step: float | None, is_log: bool) -> BaseDistribution:
    """Return the distribution of numbers between the limits, whole ones where the limits and the step are."""
    assert low is not None
    assert high is not None
    if isinstance(low, int) and isinstance(high, int) and isinstance(step, int | None):
        return IntDistribution(low, high, log=is_log, step=step or 1)
    return FloatDistribution(low, high, log=is_log, step=step)
