r"""Elementary functions of numbers, by arithmetic alone: a loop over them becomes vector instructions.

Numba hands exp and tanh to the C library, one number after the other. Here

.. math:: e^x = 2^k e^r , \qquad k = \lfloor x / \ln 2 \rceil , \quad |r| \le \tfrac12 \ln 2

with the Taylor polynomial of e^r - 1, and

.. math:: \tanh z = \frac{m}{m + 2} , \qquad m = e^{2z} - 1 = 2^k (e^r - 1) + (2^k - 1) ,

which keeps all digits of small z. Both are right to a few units in the last place, subnormal results included.
"""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from bptt.jit.untyped import Intrinsic, Real, Untyped

# "contract": a * b + c in one instruction. Numbers that are not finite keep their meaning.
OPTIONS: dict[str, Untyped] = {"error_model": "numpy", "fastmath": {"contract"}}
INLINE: dict[str, Untyped] = {**OPTIONS, "forceinline": True}


def _power_of_two(_: Untyped, shifted: Untyped, offset: Untyped) -> Intrinsic:  # noqa: ARG001 - used by its code
    """Return 2^(k + offset - bias), where k is the whole number in the last bits of `shifted`."""

    def build(context: Untyped, builder: Untyped, signature: Untyped, args: Untyped) -> Untyped:
        kind = context.get_value_type(signature.args[0])
        whole, mantissa = WHOLE[str(kind)]
        bits = builder.add(
            builder.bitcast(args[0], whole),
            builder.trunc(args[1], whole) if whole.width < 64 else args[1],
        )
        return builder.bitcast(builder.shl(bits, whole(mantissa)), kind)

    return shifted(shifted, types.int64), build


power_of_two: Untyped = intrinsic(_power_of_two)  # Numba gives the first argument itself
WHOLE = {"float": (ir.IntType(32), 23), "double": (ir.IntType(64), 52)}


@cache
def functions(real: Real) -> tuple[Callable[..., Untyped], ...]:
    """Return exp and tanh of one precision, compiled."""
    info = np.finfo(real)
    bias = info.maxexp - 1
    magic = real(1.5 * 2.0**info.nmant)  # x + magic has the nearest whole number in its last bits
    digits = 2.0 ** (info.nmant - 12)  # of ln 2, so many that k ln2_high is exact
    ln2_high = real(math.floor(math.log(2) * digits) / digits)
    # ln 2 to twice the precision of float64
    ln2_low = real((math.log(2) - float(ln2_high)) + 2.3190468138462996e-17)
    low = real(info.minexp - info.nmant - 2) * real(math.log(2))  # below: e^x is 0
    high = real(info.maxexp + 1) * real(math.log(2))  # above: e^x is infinite
    one_from = real((info.nmant + 4) * math.log(2))  # from here tanh(x / 2) is 1
    log2_e, zero, one, two = real(1 / math.log(2)), real(0), real(1), real(2)
    up, raised, small = bias - 1, bias + 64, real(2.0**-64)
    rest = njit(**INLINE)(_series(real))

    @njit(**INLINE)
    def exp(x: Untyped) -> Untyped:
        x = max(x, low)  # a NaN stays one
        x = min(x, high)
        shifted = x * log2_e + magic
        k = shifted - magic
        r = (x - k * ln2_high) - k * ln2_low
        # Two factors: neither leaves the range of numbers where their product does not.
        first = power_of_two(shifted, raised) if x < zero else power_of_two(shifted, up)
        second = small if x < zero else two
        return ((rest(r) + one) * first) * second

    @njit(**INLINE)
    def tanh(z: Untyped) -> Untyped:
        y = two * (-z if z < zero else z)
        y = min(y, one_from)
        shifted = y * log2_e + magic
        k = shifted - magic
        r = (y - k * ln2_high) - k * ln2_low
        power = power_of_two(shifted, bias)
        m = power * rest(r) + (power - one)
        a = m / (m + two)
        return -a if z < zero else a

    return exp, tanh


def _series(real: Real) -> Callable[[Untyped], Untyped]:
    """Return the Taylor polynomial of e^r - 1, to the seventh power of r or the thirteenth, by Horner's rule."""
    powers = range(7 if real is np.float32 else 13, 1, -1)
    first, *others = (real(1 / math.factorial(k)) for k in powers)
    rest = tuple(others)

    def series(r: Untyped) -> Untyped:
        p = first
        for coefficient in rest:  # as many times as the compiler can count: it writes them out
            p = p * r + coefficient
        return p * (r * r) + r

    return series
