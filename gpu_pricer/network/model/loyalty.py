"""How much more a user buys of a product than the average user: shrunken ratios of frequencies.

The ratio of what a user bought to what the average user would have bought on as many visits is shrunk to 1 as the
posterior mean of a Poisson rate under a Gamma prior of mean 1 (Clayton & Kaldor 1987), with a concentration that
training learns. A user's ratio is that of all purchases; a category's comes on top of it, and a product's on top of
both. What was bought long ago counts less: training learns how much each half-life counts.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from gpu_pricer.network.encoding.history import RECENCY

LEVELS = 3  # user, user × category, user × product


class Frequencies(NamedTuple):
    """Of n users and products: decayed purchases and what the average user would have bought, [n, 3, H] each.

    The second axis is everything, the category, the product. recency [n, RECENCY]: of the product, see
    UserHistory.recency.
    """

    bought: Tensor
    expected: Tensor
    recency: Tensor


class Ratios(NamedTuple):
    """The product A of the ratios of some levels, and what they add to the appeal, of the same shape."""

    product: Tensor
    appeal: Tensor


NO_PAST = Ratios(torch.tensor(1.0), torch.tensor(0.0))


class Loyalty(nn.Module):
    """Σ exponent · log ratio over the three levels, and effects of recency, all learned.

    With mixed purchases n, expected purchases E and concentration k of a level, its ratio is (n + k) / (A·E + k), where
    A is the product of the ratios of the levels above. Concentrations and half-lives' shares are learned too. Who has
    just bought a product tends to buy it again, beyond what frequencies tell (state dependence: Heckman 1981).
    """

    def __init__(self, half_lives: int) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.zeros(half_lives))
        self.log_concentration = nn.Parameter(torch.zeros(LEVELS))
        self.exponent = nn.Parameter(torch.ones(LEVELS))
        self.recency = nn.Parameter(torch.zeros(RECENCY))

    def forward(self, frequencies: Frequencies) -> Tensor:
        """Return what loyalty adds to the appeal, [n]."""
        bought, expected = (self.mixed(counts).unbind(1) for counts in (frequencies.bought, frequencies.expected))
        found = NO_PAST
        for level in range(LEVELS):
            found = self.add_level(level, bought[level], expected[level], found)
        return found.appeal + frequencies.recency @ self.recency

    def mixed(self, counts: Tensor) -> Tensor:
        """Return the mean [...] of counts [..., H] over the half-lives."""
        return counts @ self.mix.softmax(0)

    def add_level(self, level: int, bought: Tensor, expected: Tensor, above: Ratios) -> Ratios:
        """Return the ratios with one more level, from its mixed purchases and expected purchases.

        The shapes are broadcast to each other.
        """
        concentration = self.log_concentration[level].exp()
        ratio = (bought + concentration) / (above.product * expected + concentration)
        return Ratios(above.product * ratio, above.appeal + self.exponent[level] * torch.log(ratio))

    def add_products(self, expected: Tensor, category: Tensor, above: Ratios) -> Tensor:
        """Return the appeal with the level of products that were never bought, [n, P]: see add_level.

        expected [n, P] is overwritten, since temporaries of all users and products take most of the time. above: of
        [n, G]. category [P]: where a product's is among the G.
        """
        relative = (above.product / self.log_concentration[-1].exp()).index_select(1, category)
        appeal = expected.mul_(relative).log1p_().mul_(-self.exponent[-1])
        return appeal.add_(above.appeal.index_select(1, category))

    def of_bought(self, bought: Tensor) -> Tensor:
        """Return what n mixed purchases [n] of a product add to the appeal beyond add_products."""
        return self.exponent[-1] * torch.log1p(bought / self.log_concentration[-1].exp())
