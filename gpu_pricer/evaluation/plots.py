"""The contents of metrics.json as SVG figures.

Matplotlib draws them because it needs no browser and writes SVG itself. Only its object interface is used, not pyplot,
so that there is no global state and no display.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from gpu_pricer.evaluation.metrics import BINS
from gpu_pricer.tables.files.replacing import replacing_file

STYLE = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 9, "legend.frameon": False,
    "svg.fonttype": "none", "svg.hashsalt": "gpu_pricer", "axes.titlelocation": "left",
}  # fmt: skip
OURS, THEIRS, SUPPORT = "#0b5394", "#b45f06", "#dce6f2"
COLOURS = ("#0b5394", "#6fa8dc", "#7f7f7f", "#b7b7b7", "#b45f06", "#e69138")
COLUMNS = 4


@contextmanager
def figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield a figure, sizes in inches, and write it as SVG when the block ends; equal figures give equal files."""
    with rc_context(STYLE):  # type: ignore[arg-type]
        drawn = Figure(figsize=(width, height), layout="constrained")
        yield drawn
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(path) as fresh:
            drawn.savefig(fresh, format="svg", metadata={"Date": None})


def draw_calibration(path: Path, calibration: pl.DataFrame) -> None:
    """Draw bought against predicted rates of each model in its bins; calibration: from calibration_table."""
    filled = calibration.filter(pl.col("bought") > 0).select("model", pl.col("predicted", "bought") / pl.col("offers"))
    models = calibration["model"].unique(maintain_order=True).to_list()
    seen = filled.select(pl.concat_list("predicted", "bought").explode()).to_series().to_numpy()
    ends = [seen.min(initial=0.1) / 1.5, seen.max(initial=0.1) * 1.5]
    with figure(path, 5.2, 4.6) as drawn:
        axes = drawn.subplots()
        for name, colour in zip(models, _colours(len(models)), strict=True):
            rates = filled.filter(model=name)
            axes.plot(rates["predicted"], rates["bought"], marker="o", ms=3.5, lw=1, color=colour, label=name)
        axes.plot(ends, ends, color="black", lw=0.7, ls=":", label="exact")
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, ylabel="bought")
        axes.set_xlabel("predicted share of visits that buy the offer")
        axes.set_title(f"Calibration on held-out weeks, {BINS} bins of equal weight")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3%}".rstrip("0%").rstrip(".") + " %"))
            axis.set_minor_formatter(NullFormatter())
        axes.legend()


def draw_response_curves(path: Path, curves: pl.DataFrame, by_category: dict[str, dict]) -> None:
    """Draw a small chart per category: units against prices, with the training support shaded.

    curves: from response_curves; by_category: elasticity_by_category of artefact_response.
    """
    categories = curves["category_id"].unique(maintain_order=True).to_list()
    levels, rows = curves["price_level"].to_numpy(), -(-len(categories) // COLUMNS)
    with figure(path, 2.5 * COLUMNS, 2.2 * rows + 0.6) as drawn:
        charts = drawn.subplots(rows, COLUMNS, sharex=True, squeeze=False)
        for axes in charts.flat[len(categories) :]:
            axes.axis("off")
        for axes, category in zip(charts.flat, categories, strict=False):
            _draw_response(axes, curves.filter(pl.col("category_id") == category), by_category[category])
            axes.set_title(category.capitalize()[:32])
            axes.set_xlim(levels.min() - 0.05, levels.max() + 0.05)
            axes.tick_params(labelbottom=True)
        drawn.supxlabel("all prices of the category, relative to today's", fontsize=9)
        drawn.supylabel("units per 1,000 visits", fontsize=9)
        handles, labels = charts[0, 0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper left", ncols=len(labels))


def draw_elasticities(path: Path, cells: pl.DataFrame, mean: float) -> None:
    """Draw the histogram of the own-price elasticities of product × segment cells, weighted with expected purchases."""
    with figure(path, 5.2, 3.4) as drawn:
        axes = drawn.subplots()
        values, weights = cells["elasticity"].to_numpy(), cells["purchases"].to_numpy()
        low, high = np.quantile(values, [0.002, 0.998])
        edges = np.linspace(low, max(high, 0.0), 41).tolist()
        axes.hist(values.clip(low, None), bins=edges, weights=weights / weights.sum(), color=OURS)
        axes.axvline(mean, color="black", lw=1)
        axes.set_ylim(0, 1.15 * axes.get_ylim()[1])
        axes.annotate(f" mean {mean:.2f}", (mean, 0.99), xycoords=("data", "axes fraction"), va="top")
        axes.axvline(0.0, color=THEIRS, lw=1, ls="--")
        axes.set(xlabel="own-price elasticity at today's prices", title="Elasticity of product × segment cells")
        axes.set_ylabel("share of expected purchases")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def draw_segmentation(path: Path, value: pl.DataFrame) -> None:
    """Draw profit over one price list and held-out log loss against the number of segments (see segmentation_value)."""
    with figure(path, 6.4, 3.0) as drawn:
        likelihood, profit = drawn.subplots(1, 2)
        segments = value["segments"].to_numpy()
        likelihood.plot(segments, value["log_loss"].cast(pl.Float64).to_numpy(), marker="o", color=OURS)
        likelihood.set(title="Log loss of held-out offers")
        profit.plot(segments, (value["profit"] / value["profit"][0] - 1).to_numpy(), marker="o", color=OURS)
        profit.set(title="Expected profit over one price list")
        profit.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
        for axes in (likelihood, profit):
            axes.set_xscale("log", base=4)
            axes.set_xticks(segments, [str(count) for count in segments])
            axes.tick_params(which="minor", length=0)
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel("segments")


def _draw_response(axes: Axes, curve: pl.DataFrame, elasticity: dict) -> None:
    level, units = curve["price_level"].to_numpy(), curve["units"].to_numpy()
    low, high = curve["support_low"][0], curve["support_high"][0]
    inside = (level >= low - 0.01) & (level <= high + 0.01)
    axes.axvspan(low, high, color=SUPPORT, lw=0, label="prices seen in training")
    today = np.interp(1.0, level, units)
    axes.plot(level, units, color=OURS, lw=0.9, ls=":")
    axes.plot(level[inside], units[inside], color=OURS, lw=1.8, label="demand model")
    axes.plot([1.0], [today], marker="o", ms=3.5, color=OURS)
    axes.set_ylim(0, 1.35 * units.max())
    label = f"own elasticity {elasticity['elasticity']:.1f}"
    axes.text(0.97, 0.97, label, transform=axes.transAxes, ha="right", va="top", fontsize=7.5)


def _colours(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]
