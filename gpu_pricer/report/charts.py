"""The charts of the report as Vega-Lite specifications, made with Altair.

Colours are the page's CSS variables, which the SVG renderer passes on, so that a chart follows light, dark and print
without being drawn again. Axes have at most TICKS ticks in a format without rounding, so that no label repeats.
"""

from typing import Any

import altair as alt
import polars as pl

INK, MUTED, ACCENT, WARM, BAND, GRID = (f"var(--{name})" for name in ("ink", "muted", "accent", "warm", "band", "line"))
TICKS = 5
PLAIN = ",~f"
"""d3's format without trailing zeros: two different ticks never get the same label."""
FORMATS = dict.fromkeys(("price", "cost", "x", "y"), ",.2~f") | dict.fromkeys(
    ("units", "percent", "value", "low", "high", "predicted", "bought"), ",.4~r"
)
"""d3's formats of numbers in tooltips, by field."""
NEAR = "within 0.5 %"
LABEL = 230  # pixels of the longest category label
WORDY = alt.Legend(orient="top", labelLimit=400, direction="vertical")
"""A legend of long names, one below the other, so that none is cut on a phone."""


def demand_curve() -> dict[str, Any]:
    """Return the chart of one product's demand; its data are given by the page.

    Rows: kind (curve, support, today or new), price, until (end of the support), units.
    """
    price = alt.X("price:Q", title="Price of the product", scale=alt.Scale(zero=False, nice=False), axis=_axis())
    units = alt.Y("units:Q", title="Units in a period", scale=alt.Scale(zero=True), axis=_axis())
    base = alt.Chart(alt.NamedData("rows"))
    band = base.transform_filter("datum.kind == 'support'").mark_rect(color=BAND).encode(x=price, x2="until:Q")
    line = base.transform_filter("datum.kind == 'curve'").mark_line(color=ACCENT, strokeWidth=2.5).encode(
        x=price, y=units, tooltip=_tips({"price": "Price", "units": "Units"})
    )  # fmt: skip
    mark = alt.Color(
        "what:N",
        title=None,
        scale=alt.Scale(domain=["Today's price", "New price"], range=[MUTED, WARM]),
        legend=alt.Legend(orient="top"),
    )
    rules = base.transform_filter("datum.kind == 'mark'").mark_rule(strokeWidth=2, strokeDash=[5, 3]).encode(
        x=price, color=mark
    )  # fmt: skip
    points = base.transform_filter("datum.kind == 'mark'").mark_point(size=80, filled=True, opacity=1).encode(
        x=price, y=units, color=mark, tooltip=_tips({"what": "", "price": "Price", "units": "Units"})
    )  # fmt: skip
    return _finished(alt.layer(band, rules, line, points), 200)


def move_histogram(rows: pl.DataFrame) -> dict[str, Any]:
    """Return the chart of products by the size of their move, from product_figures."""
    bins = rows.select(move=(100 * pl.col("move")).clip(-100, 100).round(0)).group_by("move").agg(products=pl.len())
    table = bins.with_columns(way=pl.when(pl.col("move") < 0).then(pl.lit("down")).when(pl.col("move") > 0).then(
        pl.lit("up")).otherwise(pl.lit(NEAR))).sort("move")  # fmt: skip
    colour = alt.Color(
        "way:N",
        title=None,
        scale=alt.Scale(domain=["down", NEAR, "up"], range=[ACCENT, MUTED, WARM]),
        legend=alt.Legend(orient="top"),
    )
    chart = alt.Chart(alt.Data(values=table.to_dicts())).mark_bar(size=8).encode(
        x=alt.X("move:Q", title="Move of the price from today's, in %", axis=_axis()),
        y=alt.Y("products:Q", title="Products", axis=_axis(most=max(bins["products"].to_list(), default=0))),
        color=colour,
        tooltip=_tips({"move": "Move in %", "products": "Products"}),
    )  # fmt: skip
    return _finished(chart, 220)


def rule_bars(rules: pl.DataFrame) -> dict[str, Any]:
    """Return the chart of how many prices each rule sets, from rules_that_bind."""
    table = rules.select("words", "prices", percent=100 * pl.col("share"))
    colour = alt.condition("datum.words == 'no rule'", alt.value(MUTED), alt.value(ACCENT))
    return _bars(table, "words", "percent", "Share of all prices, in %", colour, {"prices": "Prices"})


def cost_bars(costs: list[dict], currency: str) -> dict[str, Any]:
    """Return the chart of what each rule costs, from rule_costs_of."""
    title = f"{currency} in a period"
    return _bars(pl.DataFrame(costs), "words", "cost", title, alt.value(WARM), {})


def intervals(rows: list[dict], title: str, names: tuple[str, str]) -> dict[str, Any]:
    """Return the chart of values with intervals: rows with name, which (one of names), value, low, high."""
    of = alt.Data(values=rows)
    y = alt.Y("name:N", title=None, sort=None, axis=alt.Axis(labelLimit=LABEL, ticks=False, domain=False))
    offset = alt.YOffset("which:N", sort=list(names))
    colour = alt.Color(
        "which:N",
        title=None,
        scale=alt.Scale(domain=list(names), range=[ACCENT, WARM]),
        legend=WORDY if any(names[1:]) else None,
    )
    x = alt.X("low:Q", title=title, scale=alt.Scale(zero=False), axis=_axis(at_end=True))
    tips = _tips({"name": "", "which": "", "value": "Value", "low": "From", "high": "To"})
    rule = alt.Chart(of).mark_rule(strokeWidth=3, opacity=0.55).encode(
        x=x, x2="high:Q", y=y, yOffset=offset, color=colour, tooltip=tips
    )  # fmt: skip
    point = alt.Chart(of).mark_point(filled=True, size=55, opacity=1).encode(
        x=alt.X("value:Q", title=title), y=y, yOffset=offset, color=colour, tooltip=tips
    )  # fmt: skip
    count = len({row["name"] for row in rows})
    return _finished(alt.layer(rule, point), 40 + 30 * count)


def frontier(points: list[dict], marks: list[dict], titles: tuple[str, str]) -> dict[str, Any]:
    """Return the chart of a frontier with prices marked on it, from FrontierFigures; titles: of x and of y."""
    x = alt.X("x:Q", title=titles[0], scale=alt.Scale(zero=False), axis=_axis())
    y = alt.Y("y:Q", title=titles[1], scale=alt.Scale(zero=False), axis=_axis())
    tips = {"x": titles[0], "y": titles[1]}
    line = alt.Chart(alt.Data(values=points)).mark_line(
        color=ACCENT, strokeWidth=2.5, point=alt.OverlayMarkDef(color=ACCENT, filled=True, size=35)
    ).encode(x=x, y=y, tooltip=_tips({**tips, "cost": "One more costs"}))  # fmt: skip
    names = [mark["what"] for mark in marks]
    mark = alt.Chart(alt.Data(values=marks)).mark_point(filled=True, size=130, opacity=1).encode(
        x=x,
        y=y,
        color=alt.Color(
            "what:N", title=None, scale=alt.Scale(domain=names, range=[MUTED, WARM]), legend=alt.Legend(orient="top")
        ),
        tooltip=_tips({"what": "", **tips}),
    )  # fmt: skip
    return _finished(alt.layer(line, mark), 280)


def cover_bars(cover: pl.DataFrame) -> dict[str, Any]:
    """Return the chart of how long the stock of products lasts, from StockFigures.cover."""
    return _bars(
        cover, "words", "percent", "Share of the products with stock, in %", alt.value(ACCENT), {"products": "Products"}
    )


def calibration(bins: pl.DataFrame) -> dict[str, Any]:
    """Return the chart of bought against predicted rates, in %: columns model, predicted, bought."""
    ends = [float(end) for end in (bins["predicted"].min(), bins["predicted"].max())]  # type: ignore[arg-type]
    scale = alt.Scale(type="log", nice=False)
    exact = alt.Chart(alt.Data(values=[{"x": end, "y": end} for end in ends])).mark_line(
        color=MUTED, strokeDash=[4, 4]
    ).encode(x=alt.X("x:Q", scale=scale), y=alt.Y("y:Q", scale=scale))  # fmt: skip
    models = bins["model"].unique(maintain_order=True).to_list()
    chart = alt.Chart(alt.Data(values=bins.to_dicts())).mark_line(point=True).encode(
        x=alt.X("predicted:Q", title="Predicted share of visits that buy, in %", scale=scale, axis=_axis()),
        y=alt.Y("bought:Q", title="Share that bought, in %", scale=scale, axis=_axis()),
        color=alt.Color(
            "model:N",
            title=None,
            sort=models,
            scale=alt.Scale(domain=models, range=[ACCENT, WARM, MUTED, INK]),
            legend=WORDY,
        ),
        tooltip=_tips({"model": "", "predicted": "Predicted, %", "bought": "Bought, %"}),
    )  # fmt: skip
    return _finished(alt.layer(exact, chart), 280)


def _bars(table: pl.DataFrame, name: str, value: str, title: str, colour: Any, more: dict[str, str]) -> dict[str, Any]:
    chart = alt.Chart(alt.Data(values=table.to_dicts())).mark_bar(cornerRadiusEnd=3).encode(
        x=alt.X(f"{value}:Q", title=title, axis=_axis(at_end=True)),
        y=alt.Y(f"{name}:N", title=None, sort=None, axis=alt.Axis(labelLimit=LABEL, ticks=False, domain=False)),
        color=colour,
        tooltip=_tips({name: "", value: title, **more}),
    )  # fmt: skip
    return _finished(chart, 28 * table.height)


def _axis(most: int | None = None, at_end: bool = False) -> alt.Axis:
    """Return an axis; at_end: its title ends where the axis does, so that it fits beside long labels on a phone.

    most: the largest of the counts that it shows. Up to TICKS each has a tick, because Vega's tickMinStep leaves halves
    where the largest is 1 or 2.
    """
    return alt.Axis(
        format=PLAIN,
        tickCount=TICKS,
        values=alt.Undefined if most is None or most > TICKS else list(range(most + 1)),
        tickMinStep=alt.Undefined if most is None else 1,
        titleAnchor="end" if at_end else alt.Undefined,
        labelOverlap="greedy",
        labelSeparation=6,
    )


def _tips(titles: dict[str, str]) -> list[alt.Tooltip]:
    return [
        alt.Tooltip(f"{name}:Q", title=title, format=FORMATS[name])
        if name in FORMATS
        else alt.Tooltip(f"{name}:N", title=title or name)
        for name, title in titles.items()
    ]


def _finished(chart: Any, height: Any) -> dict[str, Any]:
    """Return the specification of a chart that is as wide as its place on the page."""
    finished = chart.properties(width="container", height=height, background="transparent")
    finished = finished.configure(
        font="system-ui, sans-serif",
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=MUTED, titleColor=MUTED, gridColor=GRID, domainColor=GRID, tickColor=GRID, labelFontSize=12,
            titleFontSize=12, titleFontWeight="normal", titleLimit=600,
        ),
        legend=alt.LegendConfig(labelColor=INK, labelFontSize=12),
    )  # fmt: skip
    return finished.to_dict()
