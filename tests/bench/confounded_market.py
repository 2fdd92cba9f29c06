"""Can the price response be trusted where prices answer hidden demand? python -m tests.bench.confounded_market

Runs experiment=confounded_market for every strength of confounding and every seed and ends in one line of JSON: by
strength the mean and the value of every seed, in the order of `seeds`. The strengths and the seeds are for judging
only: whatever is tuned is tuned on seeds from 101 up. Unknown arguments are overrides of the runs.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean

STRENGTHS = (0.0, 0.2, 0.4)
SEEDS = (1, 2, 3, 4, 5)
ONLY_THE_TRUTH = ("evaluate.plots=false", "evaluate.bootstrap.replicates=20")  # nothing else of evaluate is read


def truth_of(strength: float, seed: int, folder: Path, overrides: list[str]) -> dict:
    """The truth block of one run, which writes into a folder of its own; a run that is there is not run again."""
    work = folder / f"confounding-{strength}-seed-{seed}"
    if not (work / "metrics.json").is_file():
        command = [sys.executable, "-m", "gpu_pricer", "run", "experiment=confounded_market", f"seed={seed}"]
        paths = [f"paths.work={work}", f"paths.prices={work / 'prices'}"]
        command += [f"data.source.manager.confounding={strength}", *paths, *ONLY_THE_TRUTH, *overrides]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((work / "metrics.json").read_text())["truth"]


def numbers_of(truth: dict) -> dict[str, float]:
    """What a run is judged by; gains are rates over today's profit, the cold products' a share of the warm ones'."""
    profit, naive, share = truth["profit_per_1000_visits"], truth["naive"], truth["gain_share"]
    return {
        "elasticity_rmse": truth["elasticity_rmse"],
        "naive_elasticity_rmse": naive["elasticity_rmse"],
        "rmse_over_naive": truth["elasticity_rmse"] / naive["elasticity_rmse"],
        "elasticity_coverage_90": truth["elasticity_coverage_90"],
        "naive_elasticity_coverage_90": naive["elasticity_coverage_90"],
        "mean_elasticity": truth["mean_elasticity"],
        "naive_mean_elasticity": naive["mean_elasticity"],
        "profit_over_true_types": profit["ours"] / profit["true_types"],
        "gain": profit["ours"] / profit["today"] - 1,
        "oracle_gain": profit["oracle"] / profit["today"] - 1,
        "true_types_gain": profit["true_types"] / profit["today"] - 1,
        "cold_over_warm": share["cold"] / share["warm"],
        "optimism_gap": truth["optimism_gap"],
    }


def summary_of(runs: list[dict[str, float]]) -> dict[str, dict]:
    """Mean and values of every number of the runs."""
    return {
        name: {"mean": round(fmean(run[name] for run in runs), 4), "seeds": [round(run[name], 4) for run in runs]}
        for name in runs[0]
    }


def main() -> None:
    """Print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS)
    parser.add_argument("--folder", type=Path, default=Path("work/confounded_market"), help="where the runs' files go")
    arguments, overrides = parser.parse_known_args()
    by_strength = {
        str(strength): summary_of(
            [numbers_of(truth_of(strength, seed, arguments.folder, overrides)) for seed in arguments.seeds]
        )
        for strength in arguments.strengths
    }
    print(json.dumps({"benchmark": "confounded_market", "seeds": list(arguments.seeds), "confounding": by_strength}))


if __name__ == "__main__":
    main()
