"""The most memory that the tensors made in a block of code take at once."""

import weakref
from typing import Any

from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class PeakBytes(TorchDispatchMode):
    """Counts the bytes of what operations return, from then until it is freed; `peak` is the largest sum."""

    def __init__(self) -> None:
        super().__init__()
        self.peak, self._now = 0, 0
        self._counted: set[int] = set()

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, and count the memory that is new in what it returns."""
        given = _storages((args, kwargs))
        found = operation(*args, **(kwargs or {}))
        for address, storage in _storages(found).items():
            if address and address not in given and address not in self._counted:
                self._count(address, storage)
        return found

    def _count(self, address: int, storage: UntypedStorage) -> None:
        self._counted.add(address)
        self._now += storage.nbytes()
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._free, address, storage.nbytes())

    def _free(self, address: int, size: int) -> None:
        self._counted.discard(address)
        self._now -= size


def _storages(values: Any) -> dict[int, UntypedStorage]:
    """Return by address the memory of the tensors among the values."""
    found = [leaf.untyped_storage() for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
    return {storage.data_ptr(): storage for storage in found}
