"""Ours and the rivals on the same test choices, and the one number that says where we are worst."""

from pathlib import Path

from tests.bench.panels.grocery import grocery_folds
from tests.bench.panels.loading import JUDGED, load_panel
from tests.bench.panels.logits import loyalty_logit, plain_logit
from tests.bench.panels.ours import held_out_file, read_probabilities
from tests.bench.panels.panel import TEST, Panel
from tests.bench.panels.scores import difference_interval, losses, scores
from tests.bench.panels.trees import boosted_trees


def panels_worst_log_loss_ratio(folder: Path, overrides: list[str], with_grocery: bool) -> float:
    """Return the largest ratio of our log loss to LightGBM's over the judged panels.

    folder: of the runs' files; a run that is there is not run again. overrides: of our jobs. with_grocery: whether the
    folds of experiment=grocery_benchmark count too.
    """
    return worst_ratio(compare_all(JUDGED, folder, overrides, with_grocery))


def worst_ratio(compared: dict[str, dict]) -> float:
    """Return the largest ratio of the comparisons."""
    return max(block["ratio"] for block in compared.values())


def compare_all(names: tuple[str, ...], folder: Path, overrides: list[str], with_grocery: bool) -> dict[str, dict]:
    """Return the comparison on every panel and, if asked for, on the folds of the grocery benchmark, by name."""
    panels = {name: compare(load_panel(name), folder / name, overrides) for name in names}
    return panels | (grocery_folds(folder / "grocery", overrides) if with_grocery else {})


def compare(panel: Panel, folder: Path, overrides: list[str]) -> dict:
    """Return the scores of every model on the test of a panel.

    ours, lightgbm, logit, loyalty: as scores() describes. ratio: our log loss over LightGBM's. ours_minus_lightgbm:
    the interval of the difference. chosen: form, leaves and rounds of the trees, and the smoothing of loyalty.
    """
    ours = read_probabilities(held_out_file(panel, folder, overrides), panel)
    test = panel.stage == TEST
    (trees, form), (loyal, smoothing) = boosted_trees(panel), loyalty_logit(panel)
    models = {"ours": ours, "lightgbm": trees[test], "logit": plain_logit(panel)[test], "loyalty": loyal[test]}
    found = {name: scores(panel, probability) for name, probability in models.items()}
    difference = losses(panel, ours) - losses(panel, trees[test])
    return found | {
        "test_choices": int(test.sum()),
        "ratio": found["ours"]["log_loss"] / found["lightgbm"]["log_loss"],
        "ours_minus_lightgbm": difference_interval(panel, difference),
        "chosen": vars(form) | {"smoothing": smoothing},
    }
