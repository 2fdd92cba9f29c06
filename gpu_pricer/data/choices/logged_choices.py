"""The canonical choices of a log, made one period at a time: they are up to three rows for each of its lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import polars as pl

from gpu_pricer.data.choices.choices import ChoiceRule, arranged, occasion_sums
from gpu_pricer.data.choices.period_log import PeriodLog
from gpu_pricer.data.choices.zeros import SampledZeros, buying_visits, sampled_zeros
from gpu_pricer.tables.periods import by_period


@dataclass(frozen=True)
class ChoicesByPeriod:
    """The choices of a log, which are the purchases and the occasions without purchase.

    visits: from visits_of. sums: by period, what its purchases add up to (occasion_sums). zeros: the sampled
    occasions without purchase; None: those that the offers table shows. bought, nothing: how many choices are of a
    product, and of nothing. always_bought: the categories of which every occasion bought, in order; none without an
    outside option.
    """

    log: PeriodLog
    visits: pl.DataFrame
    sums: dict[date, pl.DataFrame]
    zeros: SampledZeros | None
    has_outside_option: bool
    bought: int
    nothing: int
    always_bought: list[str]

    @property
    def height(self) -> int:
        """How many choices there are."""
        return self.bought + self.nothing

    def parts(self) -> Iterator[pl.DataFrame]:
        """Yield the choices of one period after the other, in canonical order."""
        for period in self.log.lines:
            purchases, zeros = self.log.purchases(period), _zeros(self.log, self.zeros, period)
            if self.zeros is not None and self.has_outside_option:
                purchases = self.zeros.rated(purchases, period)
            else:
                purchases, zeros = (part.with_columns(outside_rate=pl.lit(1.0)) for part in (purchases, zeros))
            yield arranged(purchases, zeros if self.has_outside_option else zeros.clear())


def logged_choices(log: PeriodLog, rule: ChoiceRule, seed: int) -> ChoicesByPeriod:
    """Return the choices of a log; seed: of the sample of occasions without purchase."""
    visits, categories = log.visits(), log.categories
    came, sums, buyers, bought = by_period(visits), {}, [], 0
    for period in log.lines:
        purchases = log.purchases(period)
        sums[period] = occasion_sums(purchases)
        bought += purchases.height
        if not log.is_offers:
            buyers.append(buying_visits(log.buyers(period), came.get(period, visits.clear()), categories))
    zeros = None if log.is_offers else sampled_zeros(buyers, visits, log.shelves, rule, seed)
    nothing, always = 0, set()
    if rule.outside_option:
        always = {category for part in sums.values() for category in part["category_id"]}
        for period in log.lines:
            shown = _zeros(log, zeros, period)
            nothing += shown.height
            always -= {*shown["category_id"].unique()}
    return ChoicesByPeriod(log, visits, sums, zeros, rule.outside_option, bought, nothing, sorted(always))


def _zeros(log: PeriodLog, sampled: SampledZeros | None, period: date) -> pl.DataFrame:
    return log.zeros_shown(period) if sampled is None else sampled.of(period)
