"""The tables of metrics.json for a terminal: models on held-out choices, and price lists under the truth."""

from math import isnan
from typing import TypeGuard

from rich.table import Table

SCORES = ("log loss", "AUC", "calibration error", "predicted / bought")
MOVED = {"all": "", "moved_5pct": ", price moved > 5 %", "moved_15pct": ", price moved > 15 %"}
"""What the title of a deviance says of the product-weeks that it sums over, by its key in metrics.json."""
NONE_BOUGHT = "none bought"
MOST_CATEGORIES = 12
GAINS = ("profit_over_today", "regret", "share_of_attainable_gain")


def scoreboard(metrics: dict[str, dict]) -> list[Table]:
    """Return a table for each block of the metrics that has one."""
    boards = []
    if "test" in metrics:
        boards += _held_out(metrics)
    if "price_response" in metrics:
        boards.append(_response(metrics["price_response"]))
    if "truth" in metrics:
        boards.append(_under_truth(metrics["truth"]))
    return boards


def _held_out(metrics: dict[str, dict]) -> list[Table]:
    """Return the table of the models' held-out scores; a second one where the baselines are judged on a sample.

    Deviances grow with the number of users whose purchases a product and period sum over, so models are compared on
    the same offers only: the network appears in both tables.
    """
    response, test = metrics.get("price_response", {}), metrics["test"]
    ours = {"network": test}
    if "artefact" in metrics:
        ours["artefact"] = metrics["artefact"] | {"price_response": response}
    baselines = metrics.get("baselines", {})
    ages = [_by_price_age(ours)] if "by_price_age" in test else []
    sampled = next((block["ours"] for block in baselines.values() if block["rows"] != test["rows"]), None)
    if sampled is None:
        return [_scores("held-out choices", ours | baselines), *ages]
    title = f"a sample of {sampled['rows']:,} of them"
    return [_scores("held-out choices", ours), _scores(title, {"network": sampled} | baselines), *ages]


def _scores(title: str, blocks: dict[str, dict]) -> Table:
    """Return a row per model: its scores, the deviances of buyers and units per product and period, its elasticity."""
    deviances, units = (list(next(iter(blocks.values())).get(f"{of}poisson_deviance", {})) for of in ("", "units_"))
    titles = [
        f"{of} deviance{MOVED[name]}" for of, names in (("Poisson", deviances), ("units", units)) for name in names
    ]
    board = Table(title, *SCORES, *titles, "mean elasticity", "cells where demand rises with price")
    for name, block in blocks.items():
        response = block.get("price_response")
        board.add_row(
            name,
            f"{block['log_loss']:.5f}", f"{block['auc']:.3f}", f"{block['ece']:.4f}",
            f"{block['predicted_over_actual']:.3f}",
            *(_number(block["poisson_deviance"][deviance]) for deviance in deviances),
            *(_number(block.get("units_poisson_deviance", {}).get(name)) for name in units),
            f"{response['mean_elasticity']:.2f}" if response else "",
            f"{response['share_rising']:.1%}" if response else "",
        )  # fmt: skip
    return board


def _by_price_age(blocks: dict[str, dict]) -> Table:
    """Return a row per model: predicted over actual purchases by how old prices were when predictions were made.

    The interval of each stands beside it, unless the metrics are means over folds.
    """
    ages = [*blocks["network"]["by_price_age"]]
    board = Table("predicted / bought, by periods since the price was seen", *(age.replace("_", " ") for age in ages))
    for name, block in blocks.items():
        board.add_row(name, *(_with_interval(block["by_price_age"].get(age, {})) for age in ages))
    return board


def _with_interval(found: dict) -> str:
    if found.get("bought") == 0:
        return NONE_BOUGHT
    low, high = found.get("interval", (None, None))
    beside = f" [{low:.2f}, {high:.2f}]" if _is_known(low) and _is_known(high) else ""
    return _number(found.get("predicted_over_actual")) + beside


def _number(value: float | None) -> str:
    return f"{value:.2f}" if _is_known(value) else ""


def _is_known(value: float | None) -> TypeGuard[float]:
    """Return whether a metric has a value: one without is NaN, and null in metrics.json."""
    return value is not None and not isnan(value)


def _response(block: dict) -> Table:
    """Return a row per category whose elasticity the log identifies, those that sell most first.

    The artefact's elasticity over the log's prices stands beside the log's own: the same regression finds them.
    """
    board = Table(
        "elasticity of units", "own-price, at today's prices", "90 % interval",
        "over the log's prices: artefact", "the log itself", "90 % interval",
    )  # fmt: skip
    board.add_row("mean", f"{block['mean_elasticity']:.2f}", "", *_over_the_log(block.get("in_log", {})))
    known = [(name, row) for name, row in block["elasticity_by_category"].items() if row.get("observed") is not None]
    for name, row in sorted(known, key=lambda item: -item[1]["purchases"])[:MOST_CATEGORIES]:
        ours = _interval(row.get("posterior_low"), row.get("posterior_high"))
        board.add_row(name, f"{row['elasticity']:.2f}", ours, *_over_the_log(row))
    return board


def _over_the_log(row: dict) -> tuple[str, str, str]:
    """Return what a regression finds in the artefact's units, and in the log, and the interval of the latter."""
    return _number(row.get("implied")), _number(row.get("observed")), _interval(row.get("low"), row.get("high"))


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.2f} … {high:.2f}"


def _under_truth(block: dict) -> Table:
    """Return a row per price list, by rising profit under the truth."""
    board = Table(
        "profit under the truth", "per 1,000 visits", "against today", "regret", "share of personalisation gain"
    )
    judged = block["baselines"] | ({"ours": block} if "regret" in block else {})
    for name, profit in sorted(block["profit_per_1000_visits"].items(), key=lambda item: item[1]):
        over, regret, share = (judged[name][gain] for gain in GAINS)
        board.add_row(name, f"{profit:,.2f}", f"{over:+.1%}", f"{regret:.1%}", f"{share:+.2f}")
    return board
