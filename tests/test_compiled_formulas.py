"""What is recorded of a formula, what is refused, and how exact the compiled functions are.

The reference of the functions is NumPy in long double, in units in the last place of the result.
"""

import logging
import math
import re
import subprocess
import sys

import numpy as np
import pytest

import bptt

numba = pytest.importorskip("numba")

from bptt.cells.layout import Layout
from bptt.jit import cache, functions, recording
from bptt.jit.formula import recorded

LONG = np.finfo(np.longdouble).nmant > 60
TINY = np.concatenate([[0.0], 10.0 ** np.linspace(-44, -1, 4000)])


def made(body):
    """Return a cell whose step is a function of z and a."""

    class Own:
        def step(self, z, a):
            return (body(z, a),), ()

        def step_backward(self, d_a, a):
            return (d_a,), (0.0,), ()

    return Own()


REFUSED = {
    "if z": (lambda z, a: z if z > 0 else a, "step decides by the value of an entry"),
    "a part": (lambda z, a: z[:, ::-1] + a, "step takes an array apart"),
    "in place": (lambda z, a: np.tanh(z, out=z), r"step uses np.tanh in place \(out=...\)"),
    "reduced": (lambda z, a: z - np.add.reduce(z), "step uses np.add as add.reduce"),
    "a sum": (lambda z, a: z - z.sum(), "step asks an array for .sum"),
    "sorted": (lambda z, a: np.sort(z), "step uses np.sort, which does not act on each entry"),
    "a method": (lambda z, a: z.round(), r"step asks an array for \.round, .* has no compiled form"),
    "made an array": (lambda z, a: np.array(z) + a, "step takes an array apart, or writes into it"),
    "a shape": (lambda z, a: z / z.shape[1], "step asks an array for .shape"),
    "an array": (lambda z, a: z * np.arange(3.0), "step meets a ndarray where one real number is meant"),
    "complex": (lambda z, a: z * 1j, "step meets a complex where"),
    "unknown": (lambda z, a: np.spacing(z), "step uses spacing, which has no compiled form"),
    "whole numbers": (lambda z, a: (4 * z).astype(int) / 4, "turns float.. into int64 by astype"),
    "half precision": (lambda z, a: z.astype(np.float16), "turns float.. into float16 by astype"),
    "an exponential in half precision": (
        lambda z, a: np.exp(z > 0),
        "step uses np.exp where NumPy's result is float16",
    ),
    "a function in single precision": (
        lambda z, a: np.tanh(z.astype(np.float32)).astype(z.dtype),
        "step uses np.tanh where NumPy's result is float32, whose last digit is NumPy's own",
    ),
    "a power in single precision": (
        lambda z, a: z * np.where(z > 0, np.float32(0.1), np.float32(0.3)) ** 3,
        "step uses np.power where NumPy's result is float32",
    ),
    "truth values subtracted": (
        lambda z, a: (z > 0) - (a > 0),
        "step uses np.subtract in a way that NumPy refuses: numpy boolean subtract",
    ),
    "a truth value negated": (lambda z, a: -(z > 0), "uses np.negative in a way that NumPy refuses"),
    "bits turned over": (lambda z, a: ~np.where(z > 0, 1, 0), "step uses np.invert where NumPy's result is int64"),
    "bits joined": (lambda z, a: np.where(z > 0, 1, 0) & 1, "uses np.bitwise_and where .* int64"),
    "whole numbers divided": (
        lambda z, a: np.where(z > 0, 1, 0) // 2,
        "step uses np.floor_divide where NumPy's result is int64",
    ),
    "one over a whole number": (
        lambda z, a: np.reciprocal(np.where(z > 0, 1, 2)),
        "step uses np.reciprocal where NumPy's result is int64",
    ),
    "a power of a whole number": (
        lambda z, a: 2 ** np.where(z > 0, 1, 2),
        "step uses np.power where NumPy's result is int64",
    ),
    "numbers that run over": (
        lambda z, a: np.where(z > 0, np.int8(100), np.int8(1)) * np.int8(2),
        "step uses np.multiply where NumPy's result is int8",
    ),
    "whole numbers filled in": (lambda z, a: np.full_like(z, a, dtype=int), "turns float.. into int64 by astype"),
    "another shape": (
        lambda z, a: z + np.zeros_like(z, shape=3),
        "step uses np.zeros_like in a way that does not act on each entry",
    ),
    "places": (lambda z, a: np.where(z > 0), "step uses np.where in a way that does not act on each entry"),
    "a condition of its own": (
        lambda z, a: np.where(np.array([True, False, True]), z, a),
        "step meets a ndarray where",
    ),
    "clipped in place": (lambda z, a: np.clip(z, -1, 1, out=z), r"uses np.clip in place \(out=...\)"),
    "clipped into an argument": (lambda z, a: np.clip(z, -1, 1, z), r"uses np.clip in place"),
    "clipped in part": (lambda z, a: np.clip(z, -1, 1, where=True), r"uses np.clip with \['where'\]"),
    "clipped twice": (lambda z, a: np.clip(z, -1, 1, min=0), "step uses np.clip in a way that NumPy refuses"),
    "a power that is no number": (lambda z, a: z**None, "step meets a NoneType where"),
    "not a tuple": (lambda z, a: (z, a), "step meets a tuple where"),
    "a product of matrices": (lambda z, a: z @ np.eye(3), "uses np.matmul of several entries, or"),
    "two results": (lambda z, a: divmod(z, 1.0)[1], "uses np.divmod of several entries, or for"),
    "rounded": (lambda z, a: np.round(z), "np.round, which .* by itself, or has no compiled form"),
    "too large for float32": (
        lambda z, a: z * np.float64(1e200) * 1e-200,
        "or float32 does not hold its numbers: got 0.1.* for an entry of an array, nan by",
    ),
    "refused elsewhere": (
        lambda z, a: bptt.softmax(z),
        "step does to arrays what it cannot do to the symbols that record it: z must be an array",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compiled_is_refused_by_name_and_reason(name):
    body, reason = REFUSED[name]
    with pytest.raises(TypeError, match=f"^Own cannot be compiled: .*{reason}"):
        bptt.compiled(made(body))


@pytest.mark.parametrize(
    "returned", [None, 3, (0, 0), ([0], [0]), ((0, 0), ()), iter(()), iter(((0,), ()))]
)
def test_what_has_not_the_form_of_a_formula_is_refused_as_by_the_plain_loop(returned):
    cell = made(None)
    cell.step = lambda z, a: returned
    with pytest.raises(TypeError, match=r"^Own\.step.* must .*, got ") as plain:
        bptt.check_cell(cell)
    with pytest.raises(TypeError) as fast:
        bptt.compiled(cell)
    assert str(fast.value) == str(plain.value)


OF_ONE_ROW = {
    # what: which state, what is saved, which derivative by z
    "the state": (lambda z, k: k, lambda z, k: z, lambda d, k: d),
    "what is saved": (lambda z, k: z, lambda z, k: k, lambda d, k: d),
    "a derivative": (lambda z, k: z, lambda z, k: z, lambda d, k: k),
}


@pytest.mark.parametrize("what", OF_ONE_ROW)
def test_an_own_parameter_alone_has_not_the_shape_of_a_batch_and_is_refused(what):
    """As by the plain loop, of which the sentence is, but for the shapes."""
    new, saved, slope = OF_ONE_ROW[what]

    class Own:
        def step(self, z, a, k):
            return (new(z, k),), (saved(z, k),)

        def step_backward(self, d_a, a, k, kept):
            return (slope(d_a, k),), (0.0,), (0.0,)

    said = []
    for run in (bptt.check_cell, bptt.compiled):
        with pytest.raises(TypeError, match="must have the shape of the arguments") as refused:
            run(Own())
        said.append(re.sub(r"\(\d.*?\)", "()", str(refused.value)))
    assert said[0] == said[1]


class Keeps:
    """Its step keeps in the cell what its derivative needs; `name` says how the loop would call it."""

    def step(self, z, a):
        self.kept = {"z0": z, "s0": a, "v0": np.tanh(z)}[self.name]
        return (np.tanh(z),), ()

    def step_backward(self, d_a, a):
        return (np.where(self.kept > 0, d_a, 2 * d_a),), (0.0,), ()


@pytest.mark.parametrize("name", ["z0", "s0", "v0"])
def test_what_a_step_keeps_in_the_cell_is_not_taken_for_what_the_loop_has_there(name):
    cell = Keeps()
    cell.name = name
    with pytest.raises(TypeError, match=r"^Keeps cannot .*: step_backward meets an array of anoth"):
        bptt.compiled(cell)


def test_a_formula_that_changes_from_call_to_call_is_refused():
    """Its first numbers would stay for good."""
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match="Own cannot be compiled: its formula changes from call t"):
        bptt.compiled(made(lambda z, a: z * rng.normal()))


BRANCHES = {
    "isinstance": lambda z: np.tanh(z) if isinstance(z, np.ndarray) else z / (1 + abs(z)),
    "type": lambda z: np.tanh(z) if type(z) is np.ndarray else np.sin(z),
    "a method that arrays have": lambda z: z if hasattr(z, "__array_interface__") else 2 * z,
    "a number, or not": lambda z: z if isinstance(z, (float, np.ndarray)) else -z,
    "an error that is caught": lambda z: _sum_or(z, 0.0),
    "its name": lambda z: z if type(z).__name__ == "ndarray" else z + 1e-3,
    "one precision": lambda z: z + (z.dtype == np.float32) * (type(z) is not np.ndarray),
    "what is no number": lambda z: np.log(-np.abs(z)) if type(z) is np.ndarray else z,
    "far above": lambda z: np.minimum(z, 30.0) if isinstance(z, np.ndarray) else z,
    "far below": lambda z: np.maximum(z, -30.0) if isinstance(z, np.ndarray) else z,
}


def _sum_or(z, other):
    try:
        return z - z.sum()
    except TypeError:
        return z - other


@pytest.mark.parametrize("name", BRANCHES)
@pytest.mark.parametrize("method", ["step", "step_backward"])
def test_a_formula_that_tells_arrays_from_other_things_is_refused(method, name):
    """Its compiled loop would have other values than the plain one; the reference is the formula on arrays."""

    class Own:
        def step(self, z, a):
            return (BRANCHES[name](z) if method == "step" else np.tanh(z),), (z,)

        def step_backward(self, d_a, a, saved):
            return (d_a * (BRANCHES[name](saved) if method != "step" else saved),), (0.0,), ()

    with pytest.raises(TypeError, match=rf"^Own cannot be compiled: {method} must do to arrays wh"):
        bptt.compiled(Own())


def test_an_activation_that_tells_arrays_from_other_things_is_refused():
    """As a function does that is written for arrays and for numbers."""
    inner = BRANCHES["isinstance"]
    for cell in (bptt.Elman, bptt.Diagonal):
        with pytest.raises(TypeError, match=f"^{cell.__name__} cannot be compiled: step must do"):
            bptt.compiled(cell(bptt.Activation("two", inner, lambda z, a: 1 - a**2)))


def test_branches_that_arrays_and_symbols_take_alike_are_compiled():
    """The reference is the plain loop."""
    cell = made(lambda z, a: np.log(z) if not isinstance(z, float) else z)  # NaN for most entries
    assert bptt.compiled(cell).cell is not cell
    for formula in (np.exp, lambda z: np.exp(np.exp(3 * z)), lambda z: np.floor(z) + (z > 0)):
        bptt.compiled(made(lambda z, a, formula=formula: formula(z) + a))
    bptt.compiled(made(lambda z, a: np.sin(z**3)))  # far out its digits are lost


@pytest.mark.parametrize("cell", [bptt.ResetBeforeGRU(), bptt.LSTM, 3])
def test_what_is_no_formula_is_refused(cell):
    with pytest.raises(
        TypeError, match="cell must be a formula, with step and step_backward, such as"
    ):
        bptt.compiled(cell)


def test_without_numba_it_says_how_to_install_it():
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import bptt\n"
        "try: bptt.compiled(bptt.LSTM())\n"
        "except ImportError as e: print(e)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs Numba" in shown.stdout
    assert 'pip install "bptt[fast]"' in shown.stdout


def test_without_numbas_compiler_it_says_what_turns_it_off(monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with pytest.raises(
        RuntimeError, match=r"needs Numba's compiler, which .* NUMBA_DISABLE_JIT tur"
    ):
        bptt.compiled(bptt.LSTM())


def test_import_does_not_load_numba():
    code = "import sys, bptt; bptt.Stack((bptt.LSTM(),)); print('numba' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


OPERATIONS = {
    "arithmetic": lambda z, a: (2 - z) * a / (z * z + 3) - (-a) + +z,
    "powers": lambda z, a: (z**2 + z**3 + (a * a + 1) ** -1 + (a * a + 1) ** 0.5 + (a * a + 1) ** 1.7),
    "reflected": lambda z, a: 1 / (2 + z**2) - 0.5 ** (a * a),
    "comparisons": lambda z, a: ((z > a) * 1.0 + (z >= 0) * z + (z < a) * a + (z <= 0) * 2 - (z == 0) + (z != a)),
    "logic": lambda z, a: np.where((z > 0) & ~(a > 0) | np.logical_not(z < a), z, a),
    "where": lambda z, a: np.where(z.real <= 0, z.dtype.type(0), z) + np.where(a > 0, 1, 0),
    "types": lambda z, a: (z.real > 0).astype(z.dtype) + a.copy() + np.real(z) + z.conj(),
    "like": lambda z, a: np.ones_like(z) + np.zeros_like(a) + np.full_like(z, 2.5),
    "clip": lambda z, a: np.clip(z, -0.5, 0.25) + np.maximum(z, a) - np.minimum(z, 0.1),
    "signs": lambda z, a: (np.sign(z) + abs(a) + np.fabs(z) + np.square(a) + np.reciprocal(3 + abs(z))),
    "tests": lambda z, a: np.isnan(z) + np.isfinite(a) * 2.0 + np.isinf(z) * 3.0,
    "numbers of NumPy": lambda z, a: np.float64(0.5) * z + np.array(2.0) * a + np.int64(3) + True,
    "a loop and a helper": lambda z, a: sum(z**k for k in range(1, 4)) + bptt.softplus(a),
    "truth values": lambda z, a: (
        ((z > 0) + (a > 0)) * 1.0
        + 2 * ((z > 0) * (a > 0))
        + 4 * np.maximum(z > 0, a > 0)
        + 8 * np.minimum(z > 0, a > 0)
        + 16 * ((z > 0) > (a > 0))
        + 32 * ((z > 0) ^ (a > 0))
        + 64 * np.where(z > 0, a > 0, True).astype(z.dtype)
        + (z > 0) ** 2 / 2
    ),
    "a truth value of a number": lambda z, a: np.rint(z).astype(bool) * 0.5 + (np.rint(a) != False),
    "whole numbers": lambda z, a: ((2 * (z > 0) - 1) * np.where(a > 0, 3, -1) ** 2 + np.sign(1 - 2 * (a > 0)) / 2 + z),
    "like, of a type": lambda z, a: (
        z * np.full_like(z, 0.5, dtype=int)
        + np.full_like(a > 0, 0.5)
        + np.zeros_like(z, dtype=bool)
        + np.full_like(z, fill_value=0.25)
        + np.full_like(z, a)
        + np.full_like(a=a, fill_value=2, dtype=z.dtype)
        + np.ones_like(z > 0)
    ),
    "minus zero": lambda z, a: np.copysign(z, -0.0) + np.copysign(a, 0.0) + 1 / (z * z + -0.0),
    "a condition that is a number": lambda z, a: np.where(np.rint(z), z, 3.0) + np.where(0, z, a),
    "by keyword": lambda z, a: (
        np.clip(z, a_max=0.5, a_min=-0.25)
        + np.clip(a=a, a_min=None, a_max=z)
        + np.clip(z, -1, 1, out=None)
        + np.copy(a=z, order="K")
        + np.real(val=a)
    ),
    "a single precision of its own": lambda z, a: (
        np.sqrt(abs(np.rint(z.astype(np.float32) * np.float32(0.1)) / np.float32(3))) + a
    ),
    "a large whole number": lambda z, a: z * 2**70 / 2**70 + a,
    "library": lambda z, a: (np.arctan(z) + np.log1p(a * a) + np.sin(z) * np.sqrt(z * z + 1) + np.expm1(a)),
    "a double precision of its own": lambda z, a: bptt.sigmoid(np.float64(100) * z) + a,
    "whole parts": lambda z, a: np.rint(z) // 0.1 + np.rint(a) % 0.1 + z // (a * a + 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def operations():
    """Compile all of them in one cell, each as a saved array; return their values by name, and NumPy's."""
    names = list(OPERATIONS)

    class All:
        def step(self, z, a):
            return (np.tanh(z),), tuple(OPERATIONS[name](z, a) for name in names)

        def step_backward(self, d_a, a, **_):
            raise NotImplementedError

    rng = np.random.default_rng(0)
    z, a = rng.normal(size=(2, 500))
    z[:2], a[:2] = [0, 1], [1, 0]
    found = {}
    for real in (np.float32, np.float64):
        layout = Layout(("z",), ("a",), (), tuple(names))
        there = recorded(_Both(All(), names), layout, np.dtype(real))[0]
        body = "\n        ".join(there.statements)
        stores = "\n        ".join(f"out[{k}, e] = {v}" for k, v in enumerate(there.results[1]))
        text = f"def run(z, a, out):\n    for e in range(len(z)):\n        z0, s0 = z[e], a[e]\n        {body}\n        {stores}\n"
        scope = dict(
            zip(
                ("exp", "tanh"),
                functions.functions(real),
                strict=True,
            )
        )
        scope |= {
            "np": np,
            "real": real,
            "zero": real(0),
            "one": real(1),
            "inf": real(np.inf),
            "nan": real(np.nan),
        }
        exec(text, scope)  # noqa: S102
        out = np.empty((len(names), 500), real)
        numba.njit(**functions.OPTIONS)(scope["run"])(z.astype(real), a.astype(real), out)
        found[real] = out
    return z, a, found


class _Both:
    def __init__(self, cell, names):
        self.step, self.names = cell.step, names

    def step_backward(self, d_a, *_):
        return (d_a,), (0.0,), ()


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_recorded_is_what_numpy_does(operations, name):
    z, a, found = operations
    row = list(OPERATIONS).index(name)
    for real, tolerance in ((np.float32, 1e-5), (np.float64, 1e-13)):
        with np.errstate(divide="ignore"):  # 1 / 0 in both
            want = OPERATIONS[name](z.astype(real), a.astype(real))
        np.testing.assert_allclose(found[real][row], want, rtol=tolerance, atol=tolerance)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="not in this NumPy")
def test_clip_takes_the_new_names_of_its_bounds():
    record = recording.Record(np.dtype(np.float64))
    np.clip(recording.Symbol(record, "z0"), min=-1, max=0.5)
    assert record.statements == [
        "v0 = z0 if z0 >= real(-1.0) or z0 != z0 else real(-1.0)",
        "v1 = v0 if v0 <= real(0.5) or v0 != v0 else real(0.5)",
    ]


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.float64])
def test_a_truth_value_becomes_one_or_zero_of_any_type(dtype, real):
    """As NumPy's astype: no number is rounded but by single precision, which is written down."""
    record = recording.Record(np.dtype(real))
    there = recording.Symbol(record, "z0") > 0
    assert there.astype(dtype).held == dtype
    assert record.statements == ["v0 = z0 > real(0.0)", "v1 = one if v0 else zero"]
    with pytest.raises(recording.NotElementwiseError, match="turns bool into float16 by astype"):
        there.astype(np.float16)


@pytest.mark.parametrize(
    ("exponent", "statements"),
    [
        (1, ["v0 = z0"]),
        (2, ["v0 = z0 * z0"]),
        (3, ["v0 = z0 * z0 * z0"]),
        (4, ["v0 = z0 * z0 * z0 * z0"]),
        (5, ["v0 = real(np.power(z0, real(5.0)))"]),
        (0, ["v0 = real(np.power(z0, real(0.0)))"]),
        (0.5, ["v0 = real(np.sqrt(z0))"]),
        (-0.5, ["v0 = real(np.power(z0, real(-0.5)))"]),
        (-1, ["v0 = one / (z0)"]),
        (-2, ["v0 = one / (z0 * z0)"]),
        (-3, ["v0 = real(np.power(z0, real(-3.0)))"]),
        (-4, ["v0 = real(np.power(z0, real(-4.0)))"]),
    ],
)
def test_a_small_whole_power_is_a_product(exponent, statements):
    """Up to the fourth, and one over the first two: each is one multiplication or two more than none."""
    record = recording.Record(np.dtype(np.float64))
    np.power(recording.Symbol(record, "z0"), exponent)
    assert record.statements == statements


@pytest.mark.parametrize("exponent", range(6))
def test_a_power_of_whole_numbers_is_a_product_or_refused(exponent):
    """Of int64, as NumPy's; the same four are products there as of other numbers."""
    record = recording.Record(np.dtype(np.float64))
    whole = np.where(recording.Symbol(record, "z0") > 0, 1, 2)
    if exponent in {1, 2, 3, 4}:
        assert np.power(whole, exponent).dtype == np.int64
        assert record.statements[-1].count("*") == exponent - 1
    else:
        with pytest.raises(recording.NotElementwiseError, match=r"np\.power where NumPy's result"):
            np.power(whole, exponent)


def test_equal_statements_stand_once():
    record = recording.Record(np.dtype(np.float64))
    z = recording.Symbol(record, "z0")
    np.tanh(z) + np.tanh(z)
    assert record.statements == ["v0 = tanh(z0)", "v1 = v0 + v0"]


def units_in_the_last_place(got, want):
    rounded = want.astype(got.dtype)
    spacing = np.spacing(np.abs(rounded)).astype(np.longdouble)
    return float(np.max(np.where(got == rounded, 0, np.abs(got - want) / spacing)))


@pytest.mark.skipif(not LONG, reason="long double is no more than float64 here")
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_functions_are_right_to_a_few_units_in_the_last_place(real):
    exp, tanh = functions.functions(real)
    least = {np.float32: -104.0, np.float64: -746.0}[real]

    @numba.vectorize(nopython=True)
    def exps(z):
        return exp(z)

    @numba.vectorize(nopython=True)
    def tanhs(z):
        return tanh(z)

    rng = np.random.default_rng(0)
    z = np.concatenate(
        [rng.uniform(least, -least * 0.84, 200_000), rng.normal(size=200_000), TINY, -TINY]
    )
    z = z.astype(real)
    exact = z.astype(np.longdouble)
    assert units_in_the_last_place(exps(z), np.exp(exact)) < 2
    assert units_in_the_last_place(tanhs(z), np.tanh(exact)) < 4
    special = np.array([np.inf, -np.inf, np.nan, 1e30, -1e30], real)
    with np.errstate(all="ignore"):  # a comparison with NaN says so to whoever asks
        of_exp, of_tanh = exps(special), tanhs(special)
    np.testing.assert_array_equal(of_exp, np.array([np.inf, 0, np.nan, np.inf, 0], real))
    np.testing.assert_array_equal(of_tanh, np.array([1, -1, np.nan, 1, -1], real))


def test_compiled_code_is_kept_in_the_folder_that_is_named(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert cache.folder() == tmp_path / "bptt"
    cache.load.cache_clear()
    with caplog.at_level(logging.INFO, "bptt"):
        program = cache.load("'''Own.'''\ndef forward(): return 1\ndef backward(): return 2\n")
    assert (program.forward(), program.backward()) == (1, 2)
    assert len(caplog.records) == 1
    (text,) = (tmp_path / "bptt").glob("*.py")
    assert "Numba" not in text.read_text("utf-8").splitlines()[0]


def test_where_nothing_can_be_written_it_runs_nevertheless(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    cache.load.cache_clear()
    program = cache.load("def forward(): return 3\ndef backward(): return 4\n")
    assert (program.forward(), program.backward()) == (3, 4)


DAMAGED = {
    "an empty index": ("nbi", lambda whole: b""),
    "half of an index": ("nbi", lambda whole: whole[: len(whole) // 2]),
    "no index at all": ("nbi", lambda whole: b"no index"),
    "empty code": ("nbc", lambda whole: b""),
    "half of the code": ("nbc", lambda whole: whole[: len(whole) // 2]),
}


def warnings_in(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


@pytest.mark.parametrize("what", DAMAGED)
def test_what_is_kept_and_damaged_is_compiled_anew(what, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))  # read from there at import
    text = '"""Own."""\ndef forward(a): a[0] += 1\ndef backward(a): a[0] += 2\n'

    def run():
        cache.load.cache_clear()
        program, a = cache.load(text), np.zeros(1)
        for loop in (program.forward, program.backward, program.forward):
            loop(a)
        return a[0]

    assert run() == 4
    ending, damage = DAMAGED[what]
    files = list(tmp_path.rglob(f"*.{ending}"))
    assert len(files) == 2
    for file in files:
        file.write_bytes(damage(file.read_bytes()))
    caplog.clear()
    assert run() == 4
    assert len(warnings_in(caplog)) == 2
    assert all("Own.: compiled anew, for what is kept" in line for line in warnings_in(caplog))
    caplog.clear()
    assert run() == run() == 4  # what was damaged is gone
    assert not warnings_in(caplog)


def test_a_text_that_is_no_text_is_written_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    cache.load.cache_clear()
    text = "def forward(): return 5\ndef backward(): return 6\n"
    cache.load(text)
    (kept,) = (tmp_path / "bptt").glob("*.py")
    whole = kept.read_bytes()
    kept.write_bytes(b"\xff\xfe")
    cache.load.cache_clear()
    program = cache.load(text)
    assert (program.forward(), program.backward()) == (5, 6)
    assert kept.read_bytes() == whole


def test_without_a_home_it_runs_nevertheless(monkeypatch, caplog):
    def no_home():
        msg = "Could not determine home directory."
        raise RuntimeError(msg)

    for variable in ("NUMBA_CACHE_DIR", "LOCALAPPDATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(cache.Path, "home", no_home)
    cache.load.cache_clear()
    program = cache.load("def forward(): return 7\ndef backward(): return 8\n")
    assert (program.forward(), program.backward()) == (7, 8)
    assert "compiled at its first call, and not kept: Could not" in caplog.text


def test_where_numba_finds_no_place_it_runs_nevertheless(tmp_path, monkeypatch, caplog):
    def no_place(**options):
        if options.pop("cache", False):
            msg = "cannot cache function 'forward': no locator available"
            raise RuntimeError(msg)
        return numba.njit(**options)

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "njit", no_place)
    cache.load.cache_clear()
    program = cache.load("def forward(): return 9\ndef backward(): return 10\n")
    assert (program.forward(), program.backward()) == (9, 10)
    assert "compiled at its first call, and not kept: cannot cache function" in caplog.text


def test_an_error_of_the_compiler_is_none_of_the_disk(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    cache.load.cache_clear()
    program = cache.load("def forward(a): return a.b\ndef backward(): return 2\n")
    with pytest.raises(numba.core.errors.TypingError, match="Unknown attribute 'b'"):
        program.forward(1)
    assert "compiled anew" not in caplog.text


def test_an_error_of_a_loop_that_has_run_is_none_of_the_disk(tmp_path, monkeypatch, caplog):
    """What is kept is read at the first call, and not looked for after it."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    cache.load.cache_clear()
    program = cache.load("def forward(a): assert a[0] == 0\ndef backward(): return 2\n")
    program.forward(np.zeros(1))
    with pytest.raises(AssertionError):
        program.forward(np.ones(1))
    assert not warnings_in(caplog)


@pytest.mark.parametrize(
    ("system", "words"), [("win32", "AppData"), ("darwin", "Library"), ("linux", ".cache")]
)
def test_the_folder_is_that_of_the_system(system, words, monkeypatch):
    for variable in ("NUMBA_CACHE_DIR", "LOCALAPPDATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(cache.sys, "platform", system)
    assert words in cache.folder().parts
    assert "bptt" in cache.folder().parts


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_the_series_of_exp_is_right_between_its_ends(real):
    """NumPy's expm1 in the precision of longdouble, to Taylor's remainder, which is below the rounding error."""
    series, terms = functions._series(real), 7 if real is np.float32 else 13
    r = np.linspace(-np.log(2) / 2, np.log(2) / 2, 1001).astype(real)
    exact = np.expm1(r.astype(np.longdouble))
    assert np.abs(series(r) - exact).max() < np.finfo(real).eps / 2
    remainder = (np.log(2) / 2) ** (terms + 1) / math.factorial(terms + 1)
    error = np.abs(series(r.astype(np.longdouble)) - exact).max()
    assert error < 1.5 * remainder + 2 * np.finfo(np.longdouble).eps
