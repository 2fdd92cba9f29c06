"""Users' sums over groups of categories, added category by category, so that memory does not grow with categories."""

import torch
from torch import Tensor

PRECISION = torch.float32  # the sums of a user take 4.6 KB with 9 parts and 64 groups


class CategoryGroups:
    """Scores and information of U users in J parts of the periods, summed over H groups of categories.

    The categories that the log says most of, by the last part, have a group of their own; the others share the last
    one. Which these are is known once all are added: until then every group but the last holds one of those that lead
    so far, and a category that no longer does is added to the last.
    """

    def __init__(self, parts: int, users: int, groups: int) -> None:
        self._score, self._information = (torch.zeros(parts, groups, users, dtype=PRECISION) for _ in range(2))
        self._leading: dict[int, tuple[float, int]] = {}
        """By group: the information of the category that it holds, and the category's number, negative."""

    def add(self, category: int, score: Tensor, information: Tensor) -> None:
        """Add the score and information [J, U] of a category; categories come in the order of their numbers."""
        rank = float(information[-1].sum()), -category
        group, last = len(self._leading), self._score.shape[1] - 1
        if group == last:
            group = min(self._leading, key=self._leading.__getitem__, default=last)
            if group == last or rank < self._leading[group]:
                self._score[:, last] += score
                self._information[:, last] += information
                return
            for sums in (self._score, self._information):
                sums[:, last] += sums[:, group]
        self._leading[group] = rank
        self._score[:, group] = score
        self._information[:, group] = information

    def sums(self) -> tuple[Tensor, Tensor]:
        """Return score and information [J, U, H], the groups in the order of how much the log says of them.

        It ends the adding: the sums, in which a group's users lie beside each other so that a category is added in one
        stretch of memory, become those returned one part at a time, since copies of all would take as much memory.
        """
        leading = sorted(self._leading, key=self._leading.__getitem__, reverse=True)
        order = [*leading, *range(len(leading), self._score.shape[1])]
        return _users_first(self._score, order), _users_first(self._information, order)


def _users_first(sums: Tensor, order: list[int]) -> Tensor:
    """Return the sums [J, H, U] as [J, U, H] in the same memory, the groups in this order."""
    parts, groups, users = sums.shape
    turned = sums.view(parts, users, groups)
    for of_part, before in zip(turned, sums, strict=True):
        of_part.copy_(before[order].T)
    return turned
