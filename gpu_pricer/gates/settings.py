"""The limits of the gates, as the configuration states them."""

from dataclasses import dataclass, fields

from gpu_pricer.checks import require_flag, require_number
from gpu_pricer.gates.outcome import APPROVAL

STATUSES = {"met": ("met",), "relaxed": ("met", "relaxed")}
"""The states of a certificate that each setting of the gate certificate lets pass."""


@dataclass(frozen=True)
class Gates:
    """Limits that a version must keep; null switches a gate off.

    Of all prices, against today's prices. max_share_moved: share that differs; max_mean_move: mean of |price / today's
    − 1|; max_share_beyond_moves: share beyond the policy's limits on moves from today's price, for whatever reason.

    Of all prices, each against its published one, or where it has none, the price nearest to today's that the demand
    was learned from. max_single_move: the largest new / old − 1, of a fall old / new − 1, so that at 1 no price more
    than doubles or falls below half.

    Against the published version, and only where there is one. max_share_missing: share of its products that the
    version does not price; same_columns, same_currency: whether its columns, with their types, and its currency must
    stay; max_share_changed: share of the common cells whose price differs; far, max_share_far: share whose price
    differs by more than far; max_category_share_changed, max_category_change: the share of changed prices and the mean
    of |price / published price − 1|, in the category where it is largest; max_loss_increase: relative increase of the
    held-out log loss; no_older_sales: whether the sales that its demand knows must end no earlier than those of the
    published version's; no_withdrawn_products: whether products that events withdrew must stay out of a version that
    was scored from another catalog.

    Of the version's proofs. certificate: the weakest status with which constraints pass, met or relaxed; audit:
    whether prices need an audit with the limit fairness.max_gap, where that is set, and one that does not refuse them.
    """

    max_share_moved: float | None
    max_mean_move: float | None
    max_share_beyond_moves: float | None
    max_single_move: float | None
    max_share_missing: float | None
    same_columns: bool | None
    same_currency: bool | None
    max_share_changed: float | None
    far: float
    max_share_far: float | None
    max_category_share_changed: float | None
    max_category_change: float | None
    max_loss_increase: float | None
    no_older_sales: bool | None
    no_withdrawn_products: bool | None
    certificate: str | None
    audit: bool | None

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if name.startswith("max_") and value is not None:
                require_number(f"publish.gates.{name}", value, least=0)
        require_number("publish.gates.far", self.far, least=0)
        for name in ("same_columns", "same_currency", "no_older_sales", "no_withdrawn_products", "audit"):
            if getattr(self, name) is not None:
                require_flag(f"publish.gates.{name}", getattr(self, name))
        if self.certificate is not None and self.certificate not in STATUSES:
            raise ValueError(
                f"publish.gates.certificate must be {', '.join(STATUSES)} or null, found {self.certificate!r}"
            )

    @property
    def has_comparison(self) -> bool:
        """Whether a gate compares a version with the published one."""
        return any(getattr(self, name) not in (None, False) for name in AGAINST_PUBLISHED)


AGAINST_PUBLISHED = (
    "max_single_move",
    "max_share_missing",
    "same_columns",
    "same_currency",
    "max_share_changed",
    "max_share_far",
    "max_category_share_changed",
    "max_category_change",
    "max_loss_increase",
    "no_older_sales",
    "no_withdrawn_products",
)
GATES = (*(field.name for field in fields(Gates) if field.name != "far"), APPROVAL)
"""The names of the gates; that on approval has its settings in publish.approval."""
