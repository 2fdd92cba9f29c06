"""How utility falls with the price: linearly, with its logarithm, or with a mixture of both, the bend ρ.

With x = price / reference price the sensitivity b multiplies (1 − ρ)(x − 1) + ρ ln x. Its slope at the reference price
is b whatever the bend ρ, from 0 to 1. At ρ = 1 a price change of 1 % moves utility by the same amount at any price.
"""

from torch import Tensor


def bent(move: Tensor, bend: float | Tensor) -> Tensor:
    """Return by what a sensitivity is multiplied at price moves x − 1, in any shape."""
    return move + bend * (move.log1p() - move)


def steepness(move: Tensor, bend: float | Tensor) -> Tensor:
    """Return the slope of `bent` by the move; 1 at the reference price."""
    return 1 + bend * (1 / (1 + move) - 1)
