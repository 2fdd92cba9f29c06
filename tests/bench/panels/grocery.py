"""The two folds of the grocery benchmark, Complete Journey's ten categories, as two more panels."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean

from tests.bench.panels.ours import ROOT

RIVAL = "lightgbm_rich"
METRICS = "metrics.json"


def run_grocery(folder: Path, overrides: list[str]) -> Path:
    """Return the folder of experiment=grocery_benchmark, once it has run; a run that is there is not run again."""
    folder = folder.resolve()
    if not (folder / METRICS).is_file():
        command = [sys.executable, "-m", "gpu_pricer", "run", "experiment=grocery_benchmark", f"paths.work={folder}"]
        subprocess.run([*command, *overrides], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return folder


def grocery_folds(folder: Path, overrides: list[str]) -> dict[str, dict]:
    """Return by fold our scores and those of LightGBM with our features of the past, as means over the seeds.

    ratio: our log loss over LightGBM's. ours_minus_lightgbm: the mean over seeds of the ends of its interval.
    """
    run_grocery(folder, overrides)
    folds = json.loads((folder / METRICS).read_text())["folds"]
    return {f"grocery_{name}": _fold(folder / name, fold["mean"]) for name, fold in folds.items()}


def _fold(folder: Path, mean: dict) -> dict:
    ours, theirs = mean["test"], mean["baselines"][RIVAL]
    seeds = [json.loads(path.read_text()) for path in sorted(folder.glob(f"seed*/{METRICS}"))]
    ends = [seed["baselines"][RIVAL]["ours_minus_theirs"]["log_loss"] for seed in seeds]
    return {
        "ours": _scores(ours),
        "lightgbm": _scores(theirs),
        "ratio": ours["log_loss"] / theirs["log_loss"],
        "deviance_ratio_moved_15pct": (
            ours["poisson_deviance"]["moved_15pct"] / theirs["poisson_deviance"]["moved_15pct"]
        ),
        "ours_minus_lightgbm": [fmean(end) for end in zip(*ends, strict=True)],
    }


def _scores(block: dict) -> dict:
    names = ("log_loss", "auc", "ece", "predicted_over_actual")
    return {name: block[name] for name in names} | {"deviance": block["poisson_deviance"]}
