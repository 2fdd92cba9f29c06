"""The share of each Newton step that is taken (damping): less after a step that reverses the last one, else more.

Steps that are too long overshoot, and the next ones go back, so that the search may oscillate for ever. On a synthetic
log of a million lines the variance of log sensitivities swung by a factor of e, and no fit settled in 80
passes; now the first takes 38 and the next 9 (2026-11).
"""

from torch import Tensor

LONGER = 1.25  # how much larger the share of the next step may be


class StepShare:
    """The share of a step that is taken, from the least to the most."""

    def __init__(self, least: float, most: float) -> None:
        self.least, self.most = least, most
        self.share = most
        self.last: Tensor | None = None

    def after(self, step: Tensor) -> None:
        """Halve the share if this whole step [n] leads back where the last one came from, and raise it otherwise."""
        if self.last is not None:
            leads_back = float(step @ self.last) < 0
            self.share = max(self.share / 2, self.least) if leads_back else min(self.share * LONGER, self.most)
        self.last = step
