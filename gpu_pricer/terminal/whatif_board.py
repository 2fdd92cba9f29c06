"""What a what-if prints: a line per scenario beside the version that it changes, and what each change costs."""

from collections.abc import Mapping
from pathlib import Path

from rich import box
from rich.table import Table

from gpu_pricer.constraints.certificate_file import find_certificate
from gpu_pricer.tables.version.names import RECORD
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.version_record import read_version

LEAST = 0.005
"""Currency units that a change of profit is told from."""
COLUMNS = ("", "up", "down", "as today", "units", "against today", "price index", "profit", "against today", "limits")


def board(base: Path, scenarios: Mapping[str, Path]) -> Table:
    """Return a row for the base and for each scenario, of a period; shares are of the prices on the shelf."""
    table = Table(*COLUMNS, box=box.SIMPLE)
    for name, folder in {f"base: {base.name}": base, **scenarios}.items():
        table.add_row(name, *_cells(read_version(folder), folder))
    return table


def closing_lines(base: Path, scenarios: Mapping[str, Path]) -> list[str]:
    """Return what each scenario's prices are expected to earn against the base's, and where they lie."""
    before, left_open = read_version(base), _left_open(base)
    lines = [
        _line(name, before, read_version(folder), left_open + _left_open(folder)) for name, folder in scenarios.items()
    ]
    lines.append(
        f"Units and {before.profit_name} are the demand model's own estimates for a period, not measured gains."
    )
    places = [str(folder) for folder in scenarios.values()]
    if places:
        lines.append(
            f"Prices are in {', '.join(places)}; they cannot be published. To see where they differ: "
            f"gpu-pricer compare {base} {places[0]}"
        )
    return lines


def _cells(version: PriceVersion, folder: Path) -> list[str]:
    tally, moves = version.tally, version.moves
    return [
        *(f"{moves.share(count):.0%}" for count in (moves.raised, moves.lowered, moves.kept)),
        f"{tally.units_new:,.0f}",
        _change(tally.units_new, tally.units_today),
        "-" if tally.price_index is None else f"{tally.price_index:.1%}",
        f"{tally.profit_new:,.2f}",
        _change(tally.profit_new, tally.profit_today),
        _limits(folder),
    ]


def _change(new: float, old: float) -> str:
    return f"{new / old - 1:+.1%}" if old > 0 else "-"


def _left_open(folder: Path) -> float:
    """Return by how much the version's prices may earn less than the best that keep the limits, in currency."""
    summary = find_certificate(folder / RECORD)
    bound, objective = summary.get("dual_bound"), summary.get("objective")
    return 0.0 if bound is None or objective is None else max(bound - objective, 0.0)


def _limits(folder: Path) -> str:
    """Return how many limits on the assortment are met."""
    entries = list((find_certificate(folder / RECORD).get("constraints") or {}).values())
    if not entries:
        return "none"
    met = sum(entry["violation"] <= 0 for entry in entries)
    return f"{met} of {len(entries)} met"


def _line(name: str, base: PriceVersion, version: PriceVersion, left_open: float) -> str:
    """Return what a scenario earns against the base; left_open: currency that the searches of both left open."""
    change = version.tally.profit_new - base.tally.profit_new
    if abs(change) < LEAST:
        return f"{name} earns the same"
    verb = "costs" if change < 0 else "adds"
    share = f" ({change / base.tally.profit_new:+.1%})" if base.tally.profit_new > 0 else ""
    doubt = f", no more than the {left_open:,.2f} that the search left open" if abs(change) <= left_open else ""
    return (
        f"{name} {verb} {abs(change):,.2f} {version.currency} of {version.profit_name}{share}{doubt}, and sells "
        f"{_more_or_fewer(round(version.tally.units_new - base.tally.units_new))}"
    )


def _more_or_fewer(units: int) -> str:
    """Return how many units more or fewer are sold, in words."""
    if not units:
        return "as many units"
    return f"{abs(units):,} unit{'s' if abs(units) > 1 else ''} {'more' if units > 0 else 'fewer'}"
