"""Records of tensors that move to a device as one."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from torch import Tensor

Tensors = TypeVar("Tensors", bound="OnDevice")


@dataclass(frozen=True)
class OnDevice:
    """A record whose fields are tensors, records of this kind, or anything else, which stays where it is."""

    def to(self: Tensors, device: torch.device) -> Tensors:
        """Return the same record with every tensor on the device."""
        return self.each(lambda tensor: tensor.to(device))

    def each(self: Tensors, change: Callable[[Tensor], Tensor]) -> Tensors:
        """Return the same record with every tensor changed."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {
            name: change(value) if isinstance(value, Tensor) else value.each(change)
            for name, value in values.items()
            if isinstance(value, Tensor | OnDevice)
        }
        return replace(self, **changed)

    def tensors(self) -> list[Tensor]:
        """Return every tensor, in the order of the fields."""
        values = [getattr(self, field.name) for field in fields(self)]
        own = [[value] if isinstance(value, Tensor) else value.tensors() for value in values if _moves(value)]
        return [tensor for some in own for tensor in some]


def _moves(value: object) -> bool:
    return isinstance(value, Tensor | OnDevice)
