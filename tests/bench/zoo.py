"""How good is the demand estimator on markets that nobody tuned it for? python -m tests.bench.zoo

Runs the real commands, with untouched defaults, on every family of tests.bench.markets and every seed, prints a row
per family and ends in one line of JSON. A run whose numbers are in the folder is not run again, so that other code or
other overrides need another --folder. The seeds in SEEDS and the families behind --reserved judge only: whatever is
tuned is tuned on seeds from 101 up of the open families. Unknown arguments are overrides of the runs.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Column, Table

from tests.bench.markets import SEEDS
from tests.bench.markets.families import FAMILIES
from tests.bench.markets.judging import judged
from tests.bench.markets.reserved import RESERVED
from tests.bench.markets.rivals import RIVALS
from tests.bench.markets.told import TOLD
from tests.bench.panels.comparison import panels_worst_log_loss_ratio

CONTESTANTS = ("ours", "told", *RIVALS)
RESPONSE = ("slope", "bend", "coverage", "coverage_at_today")
WIDTH = 180
PANELS = ("none", "choices", "all")
"""The real panels that are compared too: none, the four of choices, or the grocery benchmark as well."""


def numbers_of(family: str, seed: int, folder: Path, told: str, overrides: list[str]) -> dict:
    """Return the numbers of one run (see judged), which are kept in a folder of its own."""
    own = folder / f"{family}-seed-{seed}"
    file = numbers_file(own, told)
    if not file.is_file():
        market = (FAMILIES | RESERVED)[family](seed)
        found = judged(market, own, told, overrides)
        own.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=2) + "\n")
    return json.loads(file.read_text())


def numbers_file(run: Path, told: str) -> Path:
    """Return the file of a run's numbers, which differ with the estimator that is told the types."""
    return run / f"told-{told}.json"


def family_summary(runs: list[dict]) -> dict:
    """Return the means over the runs of a family, None where a run lacks the number, and the shares of every seed."""
    return {
        "share": _means([run["share"] for run in runs]),
        "profit_over_today": _means([run["profit_over_today"] for run in runs]),
        **{name: _mean([run[name] for run in runs]) for name in RESPONSE},
        "share_of_seeds": [round(run["share"]["ours"], 4) for run in runs],
    }


def zoo_summary(families: dict[str, dict]) -> dict[str, float | None]:
    """Return the numbers of the whole zoo from those of its families.

    share_over_told_mean: the mean share of ours over the mean share of told. share_worst_shortfall: how far ours is
    below the best rival in the family where that is worst. slope and coverage: the extremes of the families' means,
    None where a family has none.
    """
    shares = [family["share"] for family in families.values()]
    slopes, coverages = ([family[name] for family in families.values()] for name in ("slope", "coverage"))
    return {
        "share_over_told_mean": round(fmean(s["ours"] for s in shares) / fmean(s["told"] for s in shares), 4),
        "share_worst_shortfall": round(max(max(s[rival] for rival in RIVALS) - s["ours"] for s in shares), 4),
        "slope_low": None if None in slopes else min(slopes),
        "slope_high": None if None in slopes else max(slopes),
        "coverage_low": None if None in coverages else min(coverages),
        "coverage_high": None if None in coverages else max(coverages),
    }


def board(families: dict[str, dict]) -> Table:
    """Return a row per family: every contestant's share of personalisation gain, gains over today, and the response."""
    gains = ("ours", "best_uniform", "oracle")
    heads = [*CONTESTANTS, *(f"{name} / today" for name in gains), *RESPONSE]
    table = Table(Column("share of personalisation gain", no_wrap=True), *heads)
    for name, family in families.items():
        table.add_row(
            name,
            *(f"{family['share'][contestant]:+.2f}" for contestant in CONTESTANTS),
            *(f"{family['profit_over_today'][gain]:+.1%}" for gain in gains),
            *("" if family[number] is None else f"{family[number]:.2f}" for number in RESPONSE),
        )
    return table


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(fmean(row[name] for row in rows), 4) for name in rows[0]}


def _mean(values: list[float | None]) -> float | None:
    return None if None in values else round(fmean(values), 4)


def main() -> None:
    """Print the table and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=[*FAMILIES], help="open families")
    parser.add_argument("--reserved", action="store_true", help="the reserved families instead, at the very end only")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--told", choices=TOLD, default="logit", help="the estimator that is told the types")
    parser.add_argument("--panels", choices=PANELS, default="none", help="the real panels to compare with trees too")
    parser.add_argument("--folder", type=Path, default=Path("work/zoo"), help="where the runs' files go")
    arguments, overrides = parser.parse_known_args()
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    families = {}
    for family in RESERVED if arguments.reserved else arguments.families:
        runs = [numbers_of(family, seed, arguments.folder, arguments.told, overrides) for seed in arguments.seeds]
        families[family] = family_summary(runs)
    console.print(board(families))
    told = {"benchmark": "zoo", "seeds": list(arguments.seeds), "told": arguments.told, "reserved": arguments.reserved}
    worst = None
    if arguments.panels != "none":
        worst = round(panels_worst_log_loss_ratio(arguments.folder / "panels", overrides, arguments.panels == "all"), 4)
    panels = {"panels_worst_log_loss_ratio": worst}
    print(json.dumps(told | zoo_summary(families) | panels | {"families": families}))


if __name__ == "__main__":
    main()
