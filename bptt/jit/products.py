r"""The matrix products inside the loop over time, of a matrix whose columns have been put in order once.

.. math:: z = a \, u

A library of linear algebra copies u into an order of its own at every call, that is at every step. Here u is copied once,
into panels of as many columns as a vector has numbers, and a tile of z, some rows by some vectors, stays in registers
while the sum runs. The products before and after the loop, over all steps at once, are NumPy's.

Source: Goto & van de Geijn (2008), "Anatomy of high-performance matrix multiplication".
"""

from collections.abc import Callable
from functools import cache

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from bptt.jit.untyped import Intrinsic, Real, Untyped

# Of a tile, with a vector of a row and those of u beside its sums: in 16 registers, and in the 32 that AVX-512 has.
ROWS, MORE_ROWS, VECTORS = 4, 8, 3
# Vectors side by side where there is one row: a sum waits for the one before.
ONE_ROW = (8, 4, 2, 1)


def width(real: Real) -> int:
    """Return how many numbers a vector of this machine's processor holds."""
    has = llvmlite.binding.get_host_cpu_features()
    lanes: int = (64 if has.get("avx512f") else 32) // np.dtype(real).itemsize
    return lanes


def _tile(rows: int, vectors: int, lanes: int) -> Untyped:
    """Return what multiplies some rows of a with some panels of u; every row of `out` has whole vectors."""

    @intrinsic
    def tile(_: Untyped, a: Untyped, u: Untyped, out: Untyped, numbers: Untyped) -> Intrinsic:
        def build(context: Untyped, builder: Untyped, signature: Untyped, args: Untyped) -> Untyped:
            pointers = [
                context.make_array(kind)(context, builder, value).data
                for kind, value in zip(signature.args[:3], args, strict=False)
            ]
            numbers = cgutils.unpack_tuple(builder, args[3])
            _emit(builder, (rows, vectors, lanes), pointers, numbers)
            return context.get_dummy_value()

        return types.void(a, u, out, types.UniTuple(types.intp, len(numbers))), build

    return tile


def _emit(
    builder: Untyped, shape: tuple[int, int, int], pointers: list[Untyped], numbers: list[Untyped]
) -> None:
    rows, vectors, lanes = shape
    a, u, out = pointers
    i, j, k, depth, stride = numbers
    number, index = a.type.pointee, i.type
    align = 4 if isinstance(number, ir.FloatType) else 8
    vector, flags = ir.VectorType(number, lanes), ("contract",)
    undefined = ir.Constant(vector, ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)

    def at(pointer: Untyped, offset: Untyped) -> Untyped:
        return builder.bitcast(builder.gep(pointer, [offset]), vector.as_pointer())

    left = [builder.gep(a, [builder.add(i, builder.mul(index(r), depth))]) for r in range(rows)]
    panel = builder.mul(depth, index(lanes))
    right = [builder.gep(u, [builder.add(j, builder.mul(index(v), panel))]) for v in range(vectors)]
    nothing = ir.Constant(vector, [0.0] * lanes)
    sums = [[cgutils.alloca_once_value(builder, nothing) for _ in right] for _ in left]
    with cgutils.for_range(builder, depth) as loop:
        place = builder.mul(loop.index, index(lanes))
        entries = [builder.load(at(p, place), align=align) for p in right]
        for row, p in zip(sums, left, strict=True):
            first = builder.load(builder.gep(p, [loop.index]))
            one = builder.insert_element(undefined, first, ir.Constant(ir.IntType(32), 0))
            spread = builder.shuffle_vector(one, undefined, zeros)
            for total, entry in zip(row, entries, strict=True):
                more = builder.fmul(spread, entry, flags=flags)
                builder.store(builder.fadd(more, builder.load(total), flags=flags), total)
    for r, row in enumerate(sums):
        for v, total in enumerate(row):
            offset = builder.add(builder.add(k, builder.mul(index(r), stride)), index(v * lanes))
            builder.store(builder.load(total), at(out, offset), align=align)


@cache
def panels(real: Real) -> tuple[Callable[..., Untyped], ...]:
    """Return compiled functions: to round up a width, and to put a flat matrix into panels, or its transpose."""
    lanes = width(real)

    @njit
    def in_whole_vectors(columns: Untyped) -> Untyped:
        return -(-columns // lanes) * lanes

    @njit
    def in_panels(u: Untyped, depth: Untyped, columns: Untyped) -> Untyped:
        panels = np.zeros(depth * in_whole_vectors(columns), real)
        for d in range(depth):
            for c in range(columns):
                panels[(c // lanes * depth + d) * lanes + c % lanes] = u[d * columns + c]
        return panels

    @njit
    def turned_in_panels(u: Untyped, depth: Untyped, columns: Untyped) -> Untyped:
        panels = np.zeros(depth * in_whole_vectors(columns), real)
        for c in range(columns):
            for d in range(depth):
                panels[(c // lanes * depth + d) * lanes + c % lanes] = u[c * depth + d]
        return panels

    return in_whole_vectors, in_panels, turned_in_panels


def _strips(height: int, wide: int, lanes: int) -> Callable[..., Untyped]:
    """Return a compiled function that multiplies as many rows as fill tiles of a height; it returns which row is next.

    The tiles are `wide` vectors or one less, so that no single one is left of four.
    """
    block, narrower = (_tile(height, vectors, lanes) for vectors in (wide, wide - 1))

    @njit
    def strips(
        a: Untyped, start: Untyped, first: Untyped, rows: Untyped,
        depth: Untyped, panels: Untyped, stride: Untyped, out: Untyped,
    ) -> Untyped:  # fmt: skip
        size, count = depth * lanes, stride // lanes
        end = first + (rows - first) // height * height
        p = 0
        while p < count:
            left = count - p
            whole = left >= wide and left != wide + 1
            for r in range(first, end, height):
                place = (start + r * depth, p * size, r * stride + p * lanes, depth, stride)
                if whole:
                    block(a, panels, out, place)
                else:
                    narrower(a, panels, out, place)
            p += wide if whole else wide - 1
        return end

    return strips  # type: ignore[no-any-return]


@cache
def multiplier(real: Real) -> Callable[..., Untyped]:
    """Return a compiled function that multiplies by a matrix in panels."""
    lanes = width(real)
    tall = _strips(ROWS if lanes * np.dtype(real).itemsize < 64 else MORE_ROWS, VECTORS, lanes)
    low = _strips(ROWS, 2, lanes)
    row_8, row_4, row_2, row_1 = (_tile(1, v, lanes) for v in ONE_ROW)

    @njit
    def multiply(
        a: Untyped,
        start: Untyped,
        rows: Untyped,
        depth: Untyped,
        panels: Untyped,
        stride: Untyped,
        out: Untyped,
    ) -> None:
        """Do ``out = a[start:] @ u`` for some rows, all arrays flat; a row of `out` has `stride` numbers."""
        size, count = depth * lanes, stride // lanes
        done = tall(a, start, 0, rows, depth, panels, stride, out) if count > 1 else 0
        done = low(a, start, done, rows, depth, panels, stride, out)
        for r in range(done, rows):
            p, i, k = 0, start + r * depth, r * stride
            while p < count:
                left = count - p
                if left >= 8:
                    row_8(a, panels, out, (i, p * size, k + p * lanes, depth, stride))
                    p += 8
                elif left >= 4:
                    row_4(a, panels, out, (i, p * size, k + p * lanes, depth, stride))
                    p += 4
                elif left >= 2:
                    row_2(a, panels, out, (i, p * size, k + p * lanes, depth, stride))
                    p += 2
                else:
                    row_1(a, panels, out, (i, p * size, k + p * lanes, depth, stride))
                    p += 1

    return multiply  # type: ignore[no-any-return]
