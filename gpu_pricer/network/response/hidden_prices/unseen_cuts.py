"""Price cuts in periods that do not show them.

A sales log shows a price only in periods in which enough was bought, so that cuts are seen more often than they happen:
of a product that sells in a third of its weeks, a cut may show in two thirds of the weeks that have one. If a period
without a price gets the regular one, cuts seem to be rare and to sell whenever they happen, and the response to prices
comes out too strong. If it gets the mean of the prices seen, or one between those of the periods before and after, the
response comes out too weak.

Purchases N are therefore taken as Poisson counts, log λ = α + ε · cut + δ · causes, with a level α for each product, a
slope ε that depends on its category and on how popular it is, and causes such as the regular price; a period with n
purchases shows its price with the probability v(n). By Bayes' rule a cut that was seen stands for cuts of periods with
n purchases that show none with the weight P(N = n | λ) / Σ_k v(k) P(N = k | λ), a weight of inverse probability
(Horvitz & Thompson 1952). Such a period gets a random draw from the product's cuts with these weights (stochastic
imputation, Little & Rubin 2002). Their mean would stand for too few expected purchases, because these are convex in the
cut, and the response would come out too strong. Products with few cuts also draw from those of all products, as often
as empirical Bayes (DerSimonian & Laird 1986) says; so do products whose cuts stand for few of their periods without a
price. A period draws from those of which context, such as a display, and the category's other products in the period
(category_cuts.py) tell about the same cut (strata, Cochran 1968). The others' cuts are one of the causes that move
purchases, too: a sale on the whole category sells less of each product than a cut of its own price.

A log with drawn cuts seems to tell more than it does. What is missing of its information on the slope is the variance
of the score over the draws (Louis 1982). Independent draws would add as much noise; draws at even places
(even_places.py) add less.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from gpu_pricer.network.response.hidden_prices.cut_pools import CutPools
from gpu_pricer.network.response.hidden_prices.cut_response import seen_cuts
from gpu_pricer.network.response.hidden_prices.even_places import even_places
from gpu_pricer.network.response.hidden_prices.mean_cuts import MeanCuts
from gpu_pricer.network.response.hidden_prices.missing_information import real_information

DRAWS = 8  # by which the noise of a draw is measured
STRATUM = 0.05  # difference of the cuts, in logs, that are told of periods which may draw from each other
LEAST_DONORS = 100  # periods that show their price, of those which others draw from
FARTHEST = 4.0  # standard deviations of a cause from its mean
LEAST_SPREAD = 1e-6  # of a cause within products
DEEPEST = -1.5  # log of price over regular price; a deeper cut may be an error, and would outweigh all others


@threadpool_limits.wrap(limits=1, user_api="blas")
def cut_donors(rows: pl.DataFrame, causes: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Return whose cut each of R periods has, and what share of its information on the slope is real.

    rows: product_id, by which they are sorted, category_id, period, bought (the purchases), cut (log price less log
    regular price, at most 0, null where no price shows), told (what context and other products say of the cut), and the
    columns `causes`, which may move purchases too, as the regular price does. donor [R]: the period itself, or where no
    price shows, a drawn one of which is told about the same cut. Most draws stay from one night's log to the next.
    information [R]: that share, for the product of each period.
    """
    product = (rows["product_id"].rank("dense") - 1).to_numpy().astype(np.int64)
    bought, cut = (rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("bought", "cut"))
    is_seen, donor = ~np.isnan(cut), np.arange(rows.height)
    if is_seen.all() or not is_seen.any():
        return donor, np.ones(rows.height)
    bought, cut, hidden, shown = np.rint(bought), cut.clip(DEEPEST), np.flatnonzero(~is_seen), np.flatnonzero(is_seen)
    driven = _within_products(rows, causes)
    category = (rows["category_id"].rank("dense") - 1).to_numpy().astype(np.int64)
    category = category[np.flatnonzero(np.diff(product, prepend=-1))]
    cuts = seen_cuts(product, category, bought, cut, driven)
    moves, stratum = driven @ cuts.effects, _strata(rows["told"].to_numpy(), is_seen)
    kind = cuts.counted(bought[hidden]) + len(cuts.hidden) * stratum[hidden]
    periods = rows[hidden].select("product_id", "category_id", "period", kind=kind)
    places = np.stack([even_places(periods, number) for number in range(DRAWS)])
    drawn = np.empty(places.shape, np.int64)
    for number in np.unique(stratum[hidden]):
        here, seen_here = stratum[hidden] == number, stratum[shown] == number
        some = hidden[here]
        alike = cuts.among(seen_here, np.bincount(product[some], None, len(cuts.level)))
        pools = CutPools(alike, MeanCuts(alike, category).own_share)
        found = pools.draw(product[some], bought[some], moves[some], places[:, here])
        drawn[:, here] = shown[seen_here][found]
    donor[hidden] = drawn[0]
    others = (cut[one] for one in drawn[1:])
    means = MeanCuts(cuts, category)
    return donor, real_information(means, moves, product, bought, cut[donor], hidden, others)[product]


def _strata(told: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    """Return numbers [R], from 0, of classes of periods of which about the same cut is told [R].

    Classes in which hardly any period shows its price are joined to the nearest other one. A number says how deep the
    cut is, so that a class which appears or disappears from one night to the next renumbers no other.
    """
    place, stratum = np.unique(np.rint(told / STRATUM), return_inverse=True)
    shown = np.bincount(stratum, is_seen, len(place))
    kept = np.flatnonzero(shown >= min(LEAST_DONORS, shown.max()))
    nearest = place[kept][np.abs(place[:, None] - place[kept]).argmin(axis=1)].astype(np.int64)
    return np.where(nearest > 0, 2 * nearest - 1, -2 * nearest)[stratum]


def _within_products(rows: pl.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Return the columns [R, k] less their means over each product's periods, over their standard deviations.

    Where one is not known, it counts as its mean, and one that is farther away than FARTHEST, which may be an error, as
    that far. Columns that do not vary within products are left out.
    """
    around = (
        known - known.mean().over("product_id")
        for known in (pl.col(name).cast(pl.Float64).fill_nan(None) for name in names)
    )
    columns = [rows.select(column.fill_null(0.0)).to_series().to_numpy() for column in around]
    kept = [(column / column.std()).clip(-FARTHEST, FARTHEST) for column in columns if column.std() > LEAST_SPREAD]
    return np.stack(kept, axis=1) if kept else np.zeros((rows.height, 0))
