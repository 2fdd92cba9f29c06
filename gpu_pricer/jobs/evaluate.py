"""evaluate: held-out tests of the demand model and, on synthetic data, profit under the truth."""

import json
import logging
from pathlib import Path

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from gpu_pricer.evaluation.held_out import evaluate_held_out
from gpu_pricer.evaluation.under_truth import Learned, Log, evaluate_under_truth
from gpu_pricer.policy.matching import read_catalog
from gpu_pricer.policy.policy import Policy
from gpu_pricer.tables.artefact import read_artefact
from gpu_pricer.tables.price_table import scan_cells
from gpu_pricer.tables.price_version import WHOLE
from gpu_pricer.tables.publishing import CURRENT
from gpu_pricer.tables.reading import require_whole

log = logging.getLogger(__name__)

GAINS = ("profit_over_today", "regret", "share_of_attainable_gain")


def inputs(config: DictConfig) -> list[Path]:
    """What `evaluate` reads; of the published table its record, which names all that it was made of."""
    paths = config.paths
    held_out, published = (
        Path(paths.work) / "train" / "held_out.parquet",
        Path(paths.prices) / CURRENT / WHOLE,
    )
    return [held_out, published, *map(Path, (paths.truth, paths.demand, paths.data, paths.catalog))]


def main(config: DictConfig) -> None:
    """Judge the demand model by choices it never saw and, where the truth is known, prices by their profit.

    Reads   paths.work/train/held_out.parquet     predictions of the held-out periods, from `train`
            paths.truth                           the true demand, from `prepare data=synthetic`
            paths.demand, paths.prices/_current   what was learned, and the prices published from it
            paths.catalog, paths.data, policy     today's prices, costs, the log, the rules of all lists
    Writes  paths.work/metrics.json
              test    rows, log_loss, auc, ece, predicted_over_actual, poisson_deviance
              truth   profit_per_1000_visits, profit_over_today, regret (the oracle's profit missed, a rate),
                      share_of_attainable_gain, elasticity_rmse, visits_covered; baselines: the same gains

    Whatever is not there is left out of the file, and said.

    Example: gpu-pricer evaluate paths.work=work
    """
    work, data = Path(config.paths.work), Path(config.paths.data)
    for folder in (work / "train", data):
        require_whole(folder)
    metrics = {
        "test": _test_block(work / "train" / "held_out.parquet", data),
        "truth": _truth_block(config.paths, instantiate(config.policy, _convert_="all")),
    }
    present = {name: block for name, block in metrics.items() if block}
    path = work / "metrics.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_json_ready(present), indent=2, allow_nan=False) + "\n")
    if not present:
        log.warning("nothing to evaluate: neither held-out choices (run train) nor a truth (data=synthetic) is there")
    _print_summary(present, Console())
    log.info("wrote %s", path)


def _test_block(held_out: Path, data: Path) -> dict[str, object]:
    if not held_out.is_file():
        log.info("no held-out choices at %s: no test block", held_out)
        return {}
    return evaluate_held_out(pl.read_parquet(held_out), pl.read_parquet(data / "shelf.parquet"))


def _truth_block(paths: DictConfig, policy: Policy) -> dict[str, object]:
    if not (Path(paths.truth) / "demand.json").is_file():
        log.info("no truth at %s: no truth block", paths.truth)
        return {}
    truth, catalog = read_artefact(Path(paths.truth)), read_catalog(Path(paths.catalog))
    return evaluate_under_truth(truth, catalog, policy, _learned(paths), _log(Path(paths.data)))


def _learned(paths: DictConfig) -> Learned | None:
    if not (Path(paths.demand) / "demand.json").is_file():
        log.info("no demand artefact at %s: the truth is compared with baselines only", paths.demand)
        return None
    current = Path(paths.prices) / CURRENT
    if not current.exists():
        log.info("no published prices at %s: ours are left out", current)
        return Learned(read_artefact(Path(paths.demand)), None)
    artefact = read_artefact(Path(paths.demand))
    return Learned(artefact, scan_cells(current, artefact.segments.schema["segment_id"]).collect())


def _log(data: Path) -> Log | None:
    if not (data / "choices.parquet").is_file():
        log.info("no canonical tables at %s: no log-log baselines", data)
        return None
    return Log(pl.read_parquet(data / "shelf.parquet"), pl.read_parquet(data / "choices.parquet"))


def _json_ready(value: object) -> object:
    """NaN, which JSON has not, as null."""
    if isinstance(value, dict):
        return {key: _json_ready(entry) for key, entry in value.items()}
    return None if isinstance(value, float) and value != value else value


def _print_summary(metrics: dict[str, dict], console: Console) -> None:
    if "test" in metrics:
        scores = Table("held-out choices", "value")
        for name in ("rows", "log_loss", "auc", "ece", "predicted_over_actual"):
            scores.add_row(name, f"{metrics['test'][name]:,.4g}")
        for name, value in metrics["test"]["poisson_deviance"].items():
            scores.add_row(f"poisson_deviance {name}", f"{value:.3f}")
        console.print(scores)
    if "truth" in metrics:
        block = metrics["truth"]
        profits = Table("profit under the truth", "per 1,000 visits", "over today", "regret", "of attainable gain")
        judged = block["baselines"] | ({"ours": block} if "regret" in block else {})
        for name, profit in sorted(block["profit_per_1000_visits"].items(), key=lambda item: item[1]):
            over, regret, share = (judged[name][gain] for gain in GAINS)
            profits.add_row(name, f"{profit:,.2f}", f"{over:+.1%}", f"{regret:.1%}", f"{share:+.2f}")
        console.print(profits)
