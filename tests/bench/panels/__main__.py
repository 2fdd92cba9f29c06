"""Are we as good as boosted trees on panels that nobody tuned us for? python -m tests.bench.panels

Runs prepare, train and evaluate with untouched defaults on every panel, fits the rivals with the same information, and
prints a line per panel on standard error and one line of JSON on standard output. --grocery adds the two folds of
experiment=grocery_benchmark, which take minutes. Unknown arguments are overrides of our jobs.
"""

import argparse
from pathlib import Path

from tests.bench.panels.comparison import compare_all, worst_ratio
from tests.bench.panels.loading import JUDGED, PANELS
from tests.bench.timing import report, say, short

MODELS = ("ours", "lightgbm", "loyalty", "logit")


def main() -> None:
    """Print the lines and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panels", nargs="*", choices=PANELS, default=JUDGED)
    parser.add_argument("--grocery", action="store_true", help="also experiment=grocery_benchmark")
    parser.add_argument("--folder", type=Path, default=Path("work/panels"), help="where the runs' files go")
    given, overrides = parser.parse_known_args()
    compared = compare_all(tuple(given.panels), given.folder, overrides, given.grocery)
    for name, block in compared.items():
        say(line(name, block))
    report(benchmark="panels", panels=short(compared), panels_worst_log_loss_ratio=round(worst_ratio(compared), 4))


def line(name: str, block: dict) -> str:
    """Return the log losses of a panel in one line."""
    losses = "  ".join(f"{model} {block[model]['log_loss']:.4f}" for model in MODELS if model in block)
    low, high = block["ours_minus_lightgbm"]
    return f"{name:16s} {losses}  ratio {block['ratio']:.3f}  ours - lightgbm [{low:+.4f}, {high:+.4f}]"


if __name__ == "__main__":
    main()
