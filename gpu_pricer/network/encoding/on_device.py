"""Records of tensors that move to a device as one."""

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
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved = {name: value.to(device) for name, value in values.items() if isinstance(value, Tensor | OnDevice)}
        return replace(self, **moved)

    def tensors(self) -> list[Tensor]:
        """Return every tensor, in the order of the fields."""
        values = [getattr(self, field.name) for field in fields(self)]
        own = [[value] if isinstance(value, Tensor) else value.tensors() for value in values if _moves(value)]
        return [tensor for some in own for tensor in some]


def _moves(value: object) -> bool:
    return isinstance(value, Tensor | OnDevice)
