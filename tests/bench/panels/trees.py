"""Boosted trees with the same information: all prices and promotions of the occasion, and the household's past."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from tests.bench.panels.history import History, loyalty, one_hot
from tests.bench.panels.panel import TEST, TRAINING, VALIDATION, Panel

SMOOTHINGS = (0.7, 0.9)
LEAVES = (4, 8, 16)
MOST_ROUNDS, PATIENCE = 1000, 50
LEAST_CURVATURE = 1e-6
SETTINGS = {
    "learning_rate": 0.05, "min_data_in_leaf": 20, "deterministic": True, "force_row_wise": True, "num_threads": 1,
    "seed": 0, "verbosity": -1, "metric": "None",
}  # fmt: skip


@dataclass(frozen=True)
class Form:
    """How trees score the J products of a choice.

    Form "choices" has one row and J scores per choice; form "offers" has J rows of one score per choice. table: the
    features, [N, F] or [N, J, F].
    """

    name: str
    table: np.ndarray

    def rows(self, choices: np.ndarray) -> np.ndarray:
        """Return the features of the choices [N], one row each or J."""
        return self.table[choices].reshape(-1, self.table.shape[-1])


@dataclass(frozen=True)
class Chosen:
    """The form, leaves and rounds with the smallest log loss per choice on the validation choices."""

    form: str
    leaves: int
    rounds: int
    validation_loss: float


def boosted_trees(panel: Panel) -> tuple[np.ndarray, Chosen]:
    """Return the probabilities [N, J] of trees fitted to all choices before the test, and how they were chosen.

    Both forms and all LEAVES are fitted to the training choices and stop early on the validation choices. The best is
    fitted again, with its number of rounds, to both. Probabilities are the softmax of the scores in a choice.
    """
    forms = {form.name: form for form in (_of_choices(panel), _of_offers(panel))}
    tried = [_early_stopped(panel, form, leaves) for form in forms.values() for leaves in LEAVES]
    best = min(tried, key=lambda found: found.validation_loss)
    form = forms[best.form]
    booster = _train(panel, form, best.leaves, panel.stage != TEST, {"num_boost_round": best.rounds})
    scores = booster.predict(form.rows(np.ones(len(panel.user), bool)), raw_score=True)
    return _softmax(scores, len(panel.products)), best


def _early_stopped(panel: Panel, form: Form, leaves: int) -> Chosen:
    lightgbm, validated = import_module("lightgbm"), panel.stage == VALIDATION
    rows = form.rows(validated)
    options = {
        "num_boost_round": MOST_ROUNDS,
        "valid_sets": [lightgbm.Dataset(rows, label=np.zeros(len(rows)))],
        "feval": _loss(panel.chosen[validated], len(panel.products)),
        "callbacks": [lightgbm.early_stopping(PATIENCE, verbose=False)],
    }
    booster = _train(panel, form, leaves, panel.stage == TRAINING, options)
    return Chosen(form.name, leaves, booster.best_iteration, booster.best_score["valid_0"]["loss"])


def _train(panel: Panel, form: Form, leaves: int, choices: np.ndarray, options: dict[str, Any]) -> Any:
    """Return the booster fitted to the choices [N], with options of lightgbm.train."""
    lightgbm, alternatives = import_module("lightgbm"), len(panel.products)
    classes = {"num_class": alternatives} if form.table.ndim == 2 else {}
    settings = SETTINGS | classes | {"num_leaves": leaves, "objective": _gradient(one_hot(panel)[choices])}
    rows = form.rows(choices)
    return lightgbm.train(settings, lightgbm.Dataset(rows, label=np.zeros(len(rows))), **options)


def _gradient(bought: np.ndarray) -> Callable[[np.ndarray, Any], tuple[np.ndarray, np.ndarray]]:
    """Return the gradient and curvature, per score, of the log loss of choices with bought [C, J]."""

    def gradient(scores: np.ndarray, _: Any) -> tuple[np.ndarray, np.ndarray]:
        share = _softmax(scores, bought.shape[1])
        curvature = np.maximum(share * (1 - share), LEAST_CURVATURE)
        return (share - bought).reshape(scores.shape), curvature.reshape(scores.shape)

    return gradient


def _loss(chosen: np.ndarray, alternatives: int) -> Callable[[np.ndarray, Any], tuple[str, float, bool]]:
    """Return the mean log loss of scores of choices with chosen [C], as LightGBM asks for it."""

    def loss(scores: np.ndarray, _: Any) -> tuple[str, float, bool]:
        share = _softmax(scores, alternatives)
        return "loss", float(-np.log(share[np.arange(len(chosen)), chosen]).mean()), False

    return loss


def _softmax(scores: np.ndarray, alternatives: int) -> np.ndarray:
    scores = scores.reshape(-1, alternatives)
    weight = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def _features(panel: Panel) -> np.ndarray:
    """Return what is known of every product on every occasion, [N, J, F]."""
    past = History.of(panel)
    smoothed = [np.log(loyalty(panel, smoothing)) for smoothing in SMOOTHINGS]
    price = panel.price / np.median(panel.price[panel.stage != TEST], axis=0)
    known = [price, *panel.promotions.values(), past.log_frequency, past.since, past.age, past.is_last, *smoothed]
    return np.stack(known, axis=2)


def _of_choices(panel: Panel) -> Form:
    """Return a row per choice: the features of all products, and the number of the household's earlier choices."""
    features = _features(panel).reshape(len(panel.user), -1)
    return Form("choices", np.column_stack([features, History.of(panel).count]))


def _of_offers(panel: Panel) -> Form:
    """Return a row per product: its number, its features, the same less the rivals' mean, all prices and promotions."""
    features = _features(panel)
    count, alternatives, _ = features.shape
    rivals = (features.sum(axis=1, keepdims=True) - features) / (alternatives - 1)
    shown = np.stack([panel.price, *panel.promotions.values()], axis=2).reshape(count, 1, -1)
    earlier = History.of(panel).count[:, None, None]
    product = np.broadcast_to(np.arange(alternatives)[None, :, None], (count, alternatives, 1))
    everywhere = [np.broadcast_to(column, (count, alternatives, column.shape[2])) for column in (shown, earlier)]
    return Form("offers", np.concatenate([product, features, features - rivals, *everywhere], axis=2))
