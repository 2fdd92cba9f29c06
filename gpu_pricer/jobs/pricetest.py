"""pricetest: a catalog whose price response is unknown -> prices for some periods from which it is learned."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.errors import InputError
from gpu_pricer.jobs.next_command import next_command
from gpu_pricer.jobs.pricing_day import pricing_day
from gpu_pricer.policy.rule_columns import with_rule_columns
from gpu_pricer.pricing import match_products, problem_of
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.tables.artefact import read_artefact, require_artefact
from gpu_pricer.tables.artefact.demand_info import DemandInfo
from gpu_pricer.tables.files.disk_errors import disk_errors
from gpu_pricer.tables.files.replacing import replacing
from gpu_pricer.tables.price_table import CENTS
from gpu_pricer.versions.appraisal.outlook import VAGUE
from gpu_pricer.versions.price_test import PlannedTest, chosen_products, expected_outcome, planned_test
from gpu_pricer.versions.priced_catalog import read_priced_catalog

FOLDER = "price_test"
"""In paths.work."""
NOTE = "price test"


def inputs(config: DictConfig) -> list[Path]:
    """Return the files that `pricetest` reads."""
    return [Path(config.paths.demand), Path(config.paths.catalog)]


def main(config: DictConfig) -> dict[str, object]:
    """Plan a price test: prices that vary at random for some periods, from which the next training learns.

    Reads   paths.demand    the demand artefact
            paths.catalog   as `score` reads it, and the columns that pricetest.where names
            paths.prices    the history of prices, if a rule of the policy counts days
    Writes  paths.work/price_test   a file for each period, named by its first day: product_id, price, note.
                            The last file has no prices: the test is over. policy.overrides takes the folder, and every
                            night `score` takes from it the file that holds on its day

    The prices lie within pricetest.size of today's, and within the bounds and on the ladders of the policy. They are
    the same for all segments. A plan that is there stays: remove the folder to make another.

    Example: gpu-pricer pricetest pricetest.periods=12 pricetest.size=0.08
             gpu-pricer pricetest "pricetest.where='category_id = \\'MILK\\''"
             gpu-pricer score policy.overrides=work/price_test   every night of the test, and after it
    """
    folder, test = Path(config.paths.work) / FOLDER, instantiate(config.pricetest)
    if folder.exists():
        raise InputError(f"{folder} must not be there before a price test is planned, found one: remove it or use it")
    day = pricing_day(config)
    policy = instantiate(config.policy).on(day)
    require_artefact(Path(config.paths.demand))
    artefact = read_artefact(Path(config.paths.demand))
    paths = Path(config.paths.catalog), policy, Path(config.paths.prices)
    catalog = read_priced_catalog(*paths, day, columns=test.columns).catalog
    matched = match_products(with_rule_columns(catalog, policy.bounds), artefact)
    problem = problem_of(artefact, matched, policy)
    is_chosen = chosen_products(problem, matched, catalog, artefact, test)
    if test.where is None and not is_chosen.any():
        raise InputError(
            "without pricetest.where the log must leave the price response of some category open that it taught, found "
            "none on the shelf: choose products, such as pricetest.where='price < 5'"
        )
    planned = planned_test(problem, policy.ladders, is_chosen, test, config.seed)
    if not len(planned.rows):
        raise InputError(
            f"pricetest.where must choose products on the shelf whose prices may move, found {planned.fixed} that may "
            "not: choose others, widen the policy's bounds, or raise pricetest.size"
        )
    first = _first_day(artefact.info, day)
    _write(folder, problem, planned, first, artefact.info.period_days)
    print("\n".join(_lines(problem, planned, folder, first, artefact.info)))
    return {"price_test": str(folder), "products": len(planned.rows)}


def _first_day(info: DemandInfo, day: date) -> date:
    """Return the first day of a period of the demand that is not before a day."""
    start = date.fromisoformat(info.pricing_period)
    return start + timedelta(days=-((start - day).days // info.period_days) * info.period_days)


def _write(folder: Path, problem: PricingProblem, planned: PlannedTest, first: date, period_days: int) -> None:
    """Write the file of every period, and the one without prices that ends the test."""
    product_id = problem.products.product_id.gather(planned.rows)
    tables = [pl.DataFrame({"product_id": product_id, "price": price / CENTS, "note": NOTE}) for price in planned.price]
    with replacing(folder, ()) as fresh:
        for number, table in enumerate([*tables, tables[0].clear()]):
            with disk_errors(fresh / f"{first + timedelta(days=number * period_days)}.csv") as path:
                table.write_csv(path)


def _lines(problem: PricingProblem, planned: PlannedTest, folder: Path, first: date, info: DemandInfo) -> list[str]:
    """Return what is planned, what it should cost and tell, and how to go on."""
    outlook, periods = expected_outcome(problem, planned), len(planned.price)
    last = first + timedelta(days=periods * info.period_days - 1)
    stays = f"; {planned.fixed:,} more have a single price by the policy" if planned.fixed else ""
    every_night = next_command("score", f"policy.overrides={folder}", without=("day", "pricetest"))
    change = f" ({outlook.profit / outlook.profit_today - 1:+.1%})" if outlook.profit_today > 0 else ""
    return [
        f"a price test of {len(planned.rows):,} products in {len(outlook.error):,} categories{stays}",
        f"  {periods} periods of {info.period_days} days, from {first} to {last}: {folder}",
        f"  expected profit of these categories per period {outlook.profit:,.2f} {info.currency}, at today's prices "
        f"{outlook.profit_today:,.2f}{change}, by the demand that the test is to correct",
        f"  the error of a category's elasticity will be at least {np.median(outlook.error):.0%} for half of them, "
        f"below {VAGUE:.0%} for at most {np.count_nonzero(outlook.error < VAGUE):,}: twice the size or four times the "
        "periods halve it",
        f"every night: {every_night}",
        "after the test: prepare and train on the log that has it",
    ]
