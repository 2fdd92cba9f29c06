"""The settings of conf/evaluate."""

from dataclasses import dataclass

from gpu_pricer.checks import require_flag, require_integer, require_number
from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.baselines.baseline import Baseline
from gpu_pricer.evaluation.baselines.sample import Sample
from gpu_pricer.evaluation.held_out import Bootstrap


@dataclass(frozen=True)
class EvaluationSettings:
    """The settings of an evaluation. Raises ValueError for values out of range, InputError for a baseline without fit.

    bootstrap: of the intervals. off_policy_share: share of the products in the off_policy scores.
    categories: number of the largest categories that are drawn and whose segments are valued.
    plots: whether figures are drawn.
    sample: the part of the log on which the baselines are fitted and judged; None: all of it.
    baselines: models by name.
    """

    bootstrap: Bootstrap
    off_policy_share: float
    categories: int
    plots: bool
    sample: Sample | None
    baselines: dict[str, Baseline]

    def __post_init__(self) -> None:
        require_number("evaluate.off_policy_share", self.off_policy_share, above=0, most=1)
        require_integer("evaluate.categories", self.categories, 1)
        require_flag("evaluate.plots", self.plots)
        if not isinstance(self.baselines, dict):
            raise InputError(f"evaluate.baselines must name models, found {self.baselines!r}: give {{}} for none")
        for name, model in self.baselines.items():
            if not hasattr(model, "fit"):
                raise InputError(f"evaluate.baselines.{name} must be a model that fits offers, found {model!r}")
