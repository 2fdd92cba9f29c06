"""The product of the products' factors and those of one block of segments: appeal or sensitivity before offsets.

Every sum adds one factor after the other, whatever n is, so that no tiling changes a bit. BLAS promises no order:
OpenBLAS 0.3.30 keeps this one on processors that it knows to have AVX-512, and not on others (measured on an AMD EPYC
that it takes for a Haswell, 2026-11-27). Numba cannot keep an array in registers: a loop in Python's syntax loads and
stores the sums again and again. The vector code below, built with llvmlite, keeps the sums of ROWS rows in registers
until the last factor. 48 rows of 64 factors take 2.3 µs so, 2.5 µs by OpenBLAS and 5.0 µs by the loop (one core with
AVX-512, numba 0.68, 2026-11-27).
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from kernels.compiled import HAS_AVX512, compiled
from kernels.tile import LANES

ROWS = 4
"""Products whose sums are in registers together: each vector of the segments' factors is loaded once for all."""

VECTORS, VECTOR_BYTES = (4, 64) if HAS_AVX512 else (2, 32)
"""Vectors of sums per row, and their length. ROWS * VECTORS sums take half of the 32 registers, or of the 16."""

INDEX, POSITION = ir.IntType(64), ir.IntType(32)


@compiled()
def multiply_rows(products, segment, out):
    """Fill out [n, LANES] with the products' factors [n, D] times the segments' [D, LANES], all of one real type."""
    width, whole = VECTORS * VECTOR_BYTES // products.itemsize, len(products) // ROWS * ROWS
    for lane in range(0, LANES, width):
        for row in range(0, whole, ROWS):
            multiply_four_rows(products, segment, out, row, lane)
        for row in range(whole, len(products)):
            multiply_one_row(products, segment, out, row, lane)


def multiplication(rows: int) -> Any:
    """Return the intrinsic that fills out[row : row + rows, lane : lane + VECTORS vectors] of multiply_rows."""

    def multiply(_: Any, products: Any, segment: Any, out: Any, row: Any, lane: Any) -> tuple[Any, Any]:
        """Return the types of the arguments, and what generates the code; it reads memory as contiguous [n, width]."""
        arrays = (products, segment, out)
        if any(array.layout != "C" or array.dtype != products.dtype for array in arrays):
            raise TypingError(f"factors must be contiguous and of one type, found {arrays}")
        return types.void(products, segment, out, row, lane), generate

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        """Build the instructions; numba gives the arguments as LLVM's values."""
        (real, bits), (row, lane) = _real_type(context, signature.args[0]), values[3:]
        products, segment, out = (
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[:3], values[:3], strict=True)
        )
        vectors, factors = _Vectors(builder, real, bits // 8), builder.extract_value(products.shape, 1)
        given = [vectors.element(products.data, row, i, factors, INDEX(0)) for i in range(rows)]
        sums = _add_up_factors(vectors, given, builder.gep(segment.data, [lane]), factors)
        for i in range(rows):
            vectors.store(sums[i * VECTORS : (i + 1) * VECTORS], vectors.element(out.data, row, i, INDEX(LANES), lane))
        return context.get_dummy_value()

    return intrinsic(multiply)


def _real_type(context: Any, array: Any) -> tuple[ir.Type, int]:
    """Return LLVM's type of the array's elements, and its number of bits."""
    return context.get_value_type(array.dtype), array.dtype.bitwidth


class _Vectors:
    """LLVM instructions on VECTORS vectors of the real type that lie one after the other in memory."""

    def __init__(self, builder: ir.IRBuilder, real: ir.Type, itemsize: int) -> None:
        self.builder, self.itemsize = builder, itemsize
        self.type = ir.VectorType(real, VECTOR_BYTES // itemsize)

    def element(self, data: ir.Value, row: ir.Value, i: int, width: ir.Value, column: ir.Value) -> ir.Value:
        """Return the pointer to element [row + i, column] of an array [n, width]."""
        begin = self.builder.mul(self.builder.add(row, INDEX(i)), width)
        return self.builder.gep(data, [self.builder.add(begin, column)])

    def load(self, start: ir.Value) -> list[ir.Value]:
        """Return the vectors from `start` on."""
        return [self.builder.load(pointer, align=self.itemsize) for pointer in self._pointers(start)]

    def store(self, vectors: list[ir.Value], start: ir.Value) -> None:
        """Store the vectors from `start` on."""
        for vector, pointer in zip(vectors, self._pointers(start), strict=True):
            self.builder.store(vector, pointer, align=self.itemsize)

    def repeat(self, number: ir.Value) -> ir.Value:
        """Return the vector that holds the number in every lane."""
        unknown = self.type(ir.Undefined)
        first = self.builder.insert_element(unknown, number, POSITION(0))
        return self.builder.shuffle_vector(first, unknown, ir.VectorType(POSITION, self.type.count)(None))

    def _pointers(self, start: ir.Value) -> list[ir.Value]:
        first = self.builder.bitcast(start, self.type.as_pointer())
        return [self.builder.gep(first, [INDEX(v)]) for v in range(VECTORS)]


def _add_up_factors(vectors: _Vectors, given: list[ir.Value], segment: ir.Value, factors: ir.Value) -> list[ir.Value]:
    """Return the sums, VECTORS per row, after a loop over the factors; they are zero if there is no factor.

    given: pointers to the rows' factors [D]. segment: a pointer to the first lane of the segments' factors [D, LANES].
    """
    builder, zero = vectors.builder, vectors.type(None)
    before, body, after = builder.block, builder.append_basic_block("factor"), builder.append_basic_block("summed")
    builder.cbranch(builder.icmp_signed(">", factors, INDEX(0)), body, after)
    builder.position_at_end(body)
    factor = builder.phi(INDEX)
    sums = [builder.phi(vectors.type) for _ in range(len(given) * VECTORS)]
    longer = _add_one_factor(vectors, given, segment, factor, sums)
    following = builder.add(factor, INDEX(1))
    builder.cbranch(builder.icmp_signed("<", following, factors), body, after)
    builder.position_at_end(after)
    results = [builder.phi(vectors.type) for _ in sums]
    for phi, last in zip(sums + results, 2 * longer, strict=True):
        _join(phi, (zero, before), (last, body))
    _join(factor, (INDEX(0), before), (following, body))
    return results


def _join(phi: Any, *values: tuple[ir.Value, ir.Block]) -> None:
    """Let the phi be each value if the flow comes from the value's block."""
    for value, block in values:
        phi.add_incoming(value, block)


def _add_one_factor(
    vectors: _Vectors, given: list[ir.Value], segment: ir.Value, factor: ir.Value, sums: list[ir.Value]
) -> list[ir.Value]:
    """Return the sums plus the terms of one factor; multiply and add may be fused, as elsewhere in this package."""
    builder, longer = vectors.builder, []
    loaded = vectors.load(builder.gep(segment, [builder.mul(factor, INDEX(LANES))]))
    for i, row in enumerate(given):
        repeated = vectors.repeat(builder.load(builder.gep(row, [factor])))
        for vector, total in zip(loaded, sums[i * VECTORS : (i + 1) * VECTORS], strict=True):
            term = builder.fmul(repeated, vector, flags=("contract",))
            longer.append(builder.fadd(term, total, flags=("contract",)))
    return longer


multiply_four_rows, multiply_one_row = multiplication(ROWS), multiplication(1)
