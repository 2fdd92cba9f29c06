"""Can the price response be trusted where prices answer hidden demand? python -m tests.bench.confounded_market

Runs experiment=confounded_market for every strength of confounding and every seed and ends in one line of JSON: the
`truth` block of every run's metrics.json. The strengths and the seeds are for judging only: whatever is tuned is
tuned on seeds from 101 up.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

STRENGTHS = (0.0, 0.2, 0.4)
SEEDS = (1, 2, 3, 4, 5)


def truth_of(strength: float, seed: int, folder: Path, overrides: list[str]) -> dict:
    """The truth block of one run, which writes into a folder of its own; a run that is there is not run again."""
    work = folder / f"confounding-{strength}-seed-{seed}"
    if not (work / "metrics.json").is_file():
        command = [sys.executable, "-m", "gpu_pricer", "run", "experiment=confounded_market", f"seed={seed}"]
        paths = [f"paths.work={work}", f"paths.prices={work / 'prices'}"]
        command += [f"data.source.manager.confounding={strength}", *paths, *overrides]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((work / "metrics.json").read_text())["truth"]


def main() -> None:
    """Print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS)
    parser.add_argument("--folder", type=Path, default=Path("work-confounded"), help="where the runs' files go")
    arguments, overrides = parser.parse_known_args()
    runs = [
        {"confounding": strength, "seed": seed, **truth_of(strength, seed, arguments.folder, overrides)}
        for strength in arguments.strengths
        for seed in arguments.seeds
    ]
    print(json.dumps({"benchmark": "confounded_market", "runs": runs}))


if __name__ == "__main__":
    main()
