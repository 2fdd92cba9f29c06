"""Asking for memory before it is written."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kernels.compiled import compiled
from kernels.cpu.worker_memory import CACHE_LINE, LANES

FOR_WRITING, KEEP, DATA = 1, 3, 1
"""What LLVM's prefetch is asked for."""


@compiled()
def fetch_row(out, p, block):
    """Fetch the place of product p and a block of segments in out [P, S], soon to be written; S may be 0.

    Stores wait for their lines in order: copying prices out took 12 % of the time (2 CPU cores with AVX-512, 2026-11).
    """
    begin = block * LANES
    for s in range(begin, min(begin + LANES, out.shape[1]), CACHE_LINE // out.itemsize):
        prefetch(out, p, s)  # type: ignore[call-arg]


@intrinsic
def prefetch(_: Any, array: Any, row: Any, column: Any) -> Any:
    """Fetch the cache line of array[row, column]; nothing waits for it."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        values = context.make_array(signature.args[0])(context, builder, given[0])
        place = cgutils.get_item_pointer(context, builder, signature.args[0], values, given[1:])
        number, pointer = cgutils.int32_t, cgutils.voidptr_t
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        instruction = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        builder.call(instruction, [builder.bitcast(place, pointer), number(FOR_WRITING), number(KEEP), number(DATA)])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), generate
