"""Are learned price sensitivities those of the buyers? python -m tests.bench.price_sensitivity

On the grocery benchmark (Complete Journey, ten categories), one line of JSON:
thirds: log ratio of the buying lifts in cuts of the most and the least sensitive third of the users, weeks 41-52, from
a training that ends with week 40; users are split by their own sensitivity or by their segment's. slope: over the log
ratio that the training expects.
regression: each category's elasticity by a regression of its units, and by the same regression of the units that the
artefact expects at the same prices; inside: how many of the latter lie in the 95 % interval of the former. today: the
artefact's elasticity at today's prices. held_out: the elasticity by the held-out weeks with the ends of its 95 %
interval. held_out_holds: in how many categories that interval holds the artefact's and the regression's.
predicted_over_actual: held-out purchases in weeks of a cut, of a rise, and others.
Unknown arguments are overrides of the runs.
"""

import argparse
import json
from pathlib import Path

import polars as pl

from gpu_pricer.tables.artefact import read_artefact
from tests.bench.elasticity.implied import Response
from tests.bench.price_sensitivity.calibration import predicted_over_actual
from tests.bench.price_sensitivity.held_out_slopes import slopes_beyond
from tests.bench.price_sensitivity.predicted import by_segment, by_user, elasticity, expected, sensitivity
from tests.bench.price_sensitivity.regression import expected_elasticities, regression_elasticities
from tests.bench.price_sensitivity.runs import LAST_TRAINED, TABLES, run_benchmark, train_until
from tests.bench.price_sensitivity.thirds import counts_of, log_ratio_of_lifts
from tests.bench.timing import report, short

SEED = 0
Tables = dict[str, pl.DataFrame]


def main() -> None:
    """Print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("work/price_sensitivity"), help="where the runs' files go")
    parser.add_argument("--benchmark", type=Path, help="work folder of a fold and seed of the benchmark that has run")
    given, overrides = parser.parse_known_args()
    benchmark = run_benchmark((given.benchmark or given.folder / "benchmark").resolve(), overrides)
    until = train_until(benchmark / "data", given.folder / "until_week_40", overrides)
    tables = {name: pl.read_parquet(benchmark / "data" / f"{name}.parquet") for name in TABLES}
    offers = pl.read_parquet(benchmark / "train" / "held_out.parquet")
    report(
        benchmark="price_sensitivity",
        thirds=short(judged_thirds(tables, until)),
        regression=short(judged_regressions(tables, benchmark, offers)),
        predicted_over_actual=short(predicted_over_actual(offers, tables["shelf"])),
    )


def judged_thirds(tables: Tables, until: Path) -> dict[str, dict[str, float]]:
    """Return the log ratios by user and by segment, split by sensitivity and by elasticity.

    until: the work folder of a training that ends before the weeks that judge it.
    """
    weeks = tables["shelf"].filter(pl.col("period") > LAST_TRAINED)["period"].unique().to_list()
    counts = counts_of(**tables, weeks=weeks)
    places = {
        "by_user": (by_user, read_artefact(until / "train" / "members")),
        "by_segment": (by_segment, read_artefact(until / "demand")),
    }
    found = {}
    for name, (place, artefact) in places.items():
        foreseen = expected(artefact, place, counts)
        for further, measure in (("", sensitivity), ("_elasticity", elasticity)):
            value = place(artefact, measure, counts)
            found[name + further] = vars(log_ratio_of_lifts(counts, foreseen, value, SEED))
    return found


def judged_regressions(tables: Tables, benchmark: Path, offers: pl.DataFrame) -> dict[str, object]:
    """Return by category the elasticities of the regressions, of the artefact and of the held-out weeks.

    inside: how many of the artefact's lie inside the regressions' intervals. held_out_holds: how many of both lie
    inside those of the held-out weeks. offers: the held-out ones.
    """
    metrics = json.loads((benchmark / "metrics.json").read_text())
    today = metrics["price_response"]["elasticity_by_category"]
    found, beyond = regression_elasticities(**tables), slopes_beyond(offers)
    ours = expected_elasticities(Response.read(benchmark), **tables)
    held_out = {category: [ours[category] + end for end in vars(beyond[category]).values()] for category in found}
    return {
        "inside": sum(interval.holds(ours[category]) for category, interval in found.items()),
        "held_out_holds": {
            "ours": sum(beyond[category].holds(0.0) for category in found),
            "regression": sum(
                beyond[category].holds(found[category].elasticity - ours[category]) for category in found
            ),
        },
        "categories": {
            category: vars(interval)
            | {"ours": ours[category], "today": today[category]["elasticity"], "held_out": held_out[category]}
            for category, interval in found.items()
        },
    }


if __name__ == "__main__":
    main()
