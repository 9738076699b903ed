"""Faults that were reported from use, each with its siblings, where they have no better place.

A user's function that is no function, writes to its arguments or returns something else; a complex step that no cost
like this may take; what is not of the kind that an argument has. The reference is the message that names the fault.
"""

import ast
import ctypes
from pathlib import Path

import handwritten
import numpy as np
import planted
import pytest

import bptt

TESTS = Path(__file__).parent
PROGRAMS = ("run.py", "noxfile.py", "tests/mutants.py", "tests/large_numbers.py")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_the_project_does_no_work_where_it_is_imported(name):
    """As by a process that it starts: names and definitions alone stand outside of the guard."""
    if not (TESTS.parent / name).exists():
        pytest.skip("outside of a checkout")
    *rest, last = ast.parse((TESTS.parent / name).read_text("utf-8")).body
    assert ast.unparse(last).startswith("if __name__ == '__main__':")
    for node in rest:
        said = ast.unparse(node)
        if isinstance(node, ast.Expr):
            assert isinstance(node.value, ast.Constant) or said.startswith("sys.path.insert("), said
        allowed = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.ClassDef)  # fmt: skip
        assert isinstance(node, allowed), said


def run(cell, steps=4):
    """Run a layer of a cell forward and back on ones; neither input nor parameters may change."""
    stack = bptt.Stack([cell])
    params = bptt.initialize(stack, (2, 3, 1), 0)
    x = np.ones((steps, 2, 2))
    try:
        trace = bptt.forward(stack, params, x)
        bptt.backward(trace, np.ones_like(trace.outputs))
    finally:
        assert (x == 1).all()
        want = bptt.initialize(stack, (2, 3, 1), 0)
        assert (bptt.flatten(params)[0] == bptt.flatten(want)[0]).all()


MASKED = np.ma.masked_array([1.0, 2.0], mask=[True, False])


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("record", [MASKED, (MASKED,), bptt.Affine(MASKED, MASKED)])
def test_subclasses_of_arrays_are_not_written_to_files(record, suffix, tmp_path):
    with pytest.raises(TypeError, match="must be a plain NumPy array"):
        bptt.save(tmp_path / f"a{suffix}", record)
    with pytest.raises(TypeError, match="must be a plain NumPy array"):
        bptt.save_snapshot(tmp_path / "folder", 1, record)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


class Elman(bptt.Elman):
    """An Elman cell whose subclasses have another step, or another derivative."""

    def step(self, z, a):
        a_new = np.tanh(z)
        return (a_new,), (a_new,)

    def step_backward(self, d_a, a, a_new):
        return (d_a * (1 - a_new**2),), (0.0,), ()


BEFORE = bptt.ResetBeforeGRU


def cells(of, base=Elman):
    """Return cells by name, each with its own methods, all of a class called Mine."""
    return {name: type("Mine", (base,), methods)() for name, methods in of.items()}


class Dropout(Elman):
    """Noise inside the step; its derivative is right."""

    def step(self, z, a):
        kept = 2.0 * (np.random.default_rng().random(z.shape) < 0.5)
        return (kept * np.tanh(z),), (kept * (1 - np.tanh(z) ** 2),)

    def step_backward(self, d_a, a, slope):
        return (d_a * slope,), (0.0,), ()


class Counter_(Elman):
    """Counts its calls, and uses the number."""

    def step(self, z, a):
        object.__setattr__(self, "calls", getattr(self, "calls", 0) + 1)
        grown = 1 + 0.01 * self.calls
        return (grown * np.tanh(z),), (grown * (1 - np.tanh(z) ** 2),)

    step_backward = Dropout.step_backward


class Remembers(Elman):
    """Adds what the call before it returned."""

    def step(self, z, a):
        last = getattr(self, "last", None)
        found = np.tanh(z) + (0 if last is None or last.shape != z.shape else 0.1 * last)
        object.__setattr__(self, "last", found)
        return (found,), (1 - np.tanh(z) ** 2,)

    step_backward = Dropout.step_backward


def noisy_step(self, params, x, state):
    (a,), saved = BEFORE.unfactored_step(self, params, x, state)
    return (a + np.random.default_rng().normal(size=a.shape),), saved


NOISY = [Dropout(), Counter_(), Remembers(), *cells({"": {"unfactored_step": noisy_step}}, BEFORE).values()]  # fmt: skip


@pytest.mark.parametrize("cell", NOISY)
def test_a_step_that_is_no_function_of_its_arguments_is_called_so(cell):
    report = bptt.check_cell(cell)
    assert not report.ok
    assert report.likely == ("not a function of its arguments",)
    assert "called twice, gave two answers" in str(report)
    assert "backward WRONG" not in str(report)


@pytest.mark.parametrize("change", ["* rng.normal()", "+ SUMS.setdefault('n', []).append(1) or 0"])
def test_a_layer_that_is_no_function_of_its_arguments_is_called_so(change):
    noise = "np.random.default_rng().normal(size=x[t].shape[:1] + b.shape)"
    grown = "(SUMS.setdefault('n', []).append(1), 0.01 * len(SUMS['n']))[1]"
    right = "a.append(np.tanh("
    report = handwritten.check_elman((right, f"{right}{noise if 'rng' in change else grown} + "))
    assert report.likely == ("not a function of its arguments",), report


def dropout_back(self, d_a, a, a_new):
    kept = 2.0 * (np.random.default_rng().random(d_a.shape) < 0.5)
    return (kept * d_a * (1 - a_new**2),), (0.0,), ()


def noisy_back(self, params, d_state, saved):
    d_params, d_x, d_past = BEFORE.unfactored_backward(self, params, d_state, saved)
    return d_params, d_x * np.random.default_rng().random(d_x.shape), d_past


@pytest.mark.parametrize(
    "cell",
    [
        *cells({"": {"step_backward": dropout_back}}).values(),
        *cells({"": {"unfactored_backward": noisy_back}}, BEFORE).values(),
    ],
)
def test_a_derivative_that_is_no_function_of_its_arguments_is_called_so(cell):
    report = bptt.check_cell(cell)
    assert not report.ok
    assert report.likely == ("not a function of its arguments",)
    assert "backward, called twice, gave two answers" in " ".join(str(report).split())


def test_a_backward_that_is_no_function_of_its_arguments_is_called_so():
    noise = "np.random.default_rng().random(d_b.shape)"
    report = handwritten.check_elman(
        (planted.RETURN, f"return (d_w, d_u, d_b * {noise}), d_x, d_next")
    )
    assert report.likely == ("not a function of its arguments",), report


REAL = cells({
    "a derivative of zero": {
        "step": lambda self, z, a: (((z.real > 0).astype(float),), (z,)),
        "step_backward": lambda self, d_a, a, z: ((0 * z,), (0.0,), ()),
    },
    "another": {
        "step": lambda self, z, a: ((np.sin(z.real),), (z,)),
        "step_backward": lambda self, d_a, a, z: ((d_a * np.cos(z),), (0.0,), ()),
    },
})  # fmt: skip


def test_a_step_whose_outputs_are_real_is_checked_by_differences():
    assert bptt.check_cell(REAL["a derivative of zero"]).ok
    report = bptt.check_cell(REAL["another"])
    assert report.ok, report
    assert (report.truth, ".real" in report.trap) == ("central differences", True)


WRITES = cells({
    "z": {"step": lambda self, z, a: ((np.tanh(z, out=z),), (z,))},
    "a": {"step": lambda self, z, a: ((np.tanh(z) + np.multiply(a, 0.5, out=a),), (np.tanh(z),))},
    "d_a": {"step_backward": lambda self, d_a, a, n: ((np.multiply(d_a, 1 - n**2, out=d_a),), (0.0,), ())},
    "saved": {"step_backward": lambda self, d_a, a, n: ((d_a * (1 - np.square(n, out=n)),), (0.0,), ())},
})  # fmt: skip
WRITES_TOO = cells({  # the protection lifted first
    "anyway": {"step": lambda self, z, a: z.setflags(write=True) or ((np.tanh(z, out=z),), (z,))},
}) | cells({
    "x": {"unfactored_step": lambda self, params, x, state: BEFORE.unfactored_step(self, params, np.add(x, x, out=x), state)},
    "params": {"unfactored_backward": lambda self, params, *given: params.w.fill(0) or BEFORE.unfactored_backward(self, params, *given)},
}, BEFORE)  # fmt: skip


class WritesDC(bptt.LSTM):
    """Adds to the error of the cell state in place: what the second call is given would have changed."""

    def step_backward(self, d_a, d_c, a, c, i, i_, f, f_, g, o, o_, t):
        d_c += d_a
        return (d_c, d_c, d_c, d_c), (0.0, d_c * f), ()

    def step(self, z_i, z_f, z_g, z_o, a, c):
        return (z_i, c), (z_i, z_i, z_f, z_f, z_g, z_o, z_o, z_i)


@pytest.mark.parametrize("cell", [*WRITES.values(), *WRITES_TOO.values(), WritesDC()])
def test_a_step_that_writes_to_its_arguments_is_named(cell):
    """By check_cell, and by the engine: nothing of the caller's is written to."""
    for call in (bptt.check_cell, run):
        with pytest.raises(
            TypeError, match=r"(Mine|WritesDC)\.\w+ must not write to its arguments"
        ):
            call(cell)


@pytest.mark.parametrize("name", WRITES)
def test_a_compiled_step_that_writes_to_its_arguments_is_refused(name):
    with pytest.raises(TypeError):
        bptt.compiled(WRITES[name])


NO_NUMBER = cells({
    "forward": {"step": lambda self, z, a: ((np.tanh(z) * np.nan,), (z,))},
    "backward": {"step_backward": lambda self, d_a, a, n: ((d_a * np.inf,), (0.0,), ())},
}) | cells({
    "forward, unfactored": {"unfactored_step": lambda *given: tuple((state[0] + np.nan,) if k == 0 else state for k, state in enumerate(BEFORE.unfactored_step(*given)))},
}, BEFORE)  # fmt: skip


@pytest.mark.parametrize("name", NO_NUMBER)
def test_a_step_that_returns_no_number_is_called_so(name):
    report = bptt.check_cell(NO_NUMBER[name])
    assert report.likely == ("not finite",)
    assert f"{name.partition(',')[0]} returned" in str(report)


RETURNED = cells({
    "z": {"step": lambda self, z, a: ((z,), ()), "step_backward": lambda self, d_a, a: ((d_a,), (0.0,), ())},
    "a": {"step": lambda self, z, a: ((a,), ()), "step_backward": lambda self, d_a, a: ((0 * d_a,), (d_a,), ())},
    "both, saved": {
        "step": lambda self, z, a: ((np.tanh(z) + a,), (z, a)),
        "step_backward": lambda self, d_a, a, z, before: ((d_a * (1 - np.tanh(z) ** 2),), (d_a,), ()),
    },
})  # fmt: skip


@pytest.mark.parametrize("name", RETURNED)
def test_a_step_may_return_its_arguments(name):
    assert bptt.check_cell(RETURNED[name]).ok


def test_a_compiled_step_may_save_its_arguments():
    assert bptt.check_cell(bptt.compiled(RETURNED["both, saved"]), sizes=(4, 3, 2, 5)).ok


@pytest.mark.parametrize(
    ("function", "derivative", "words"),
    [
        (lambda z: np.divide(z, 1 + np.abs(z), out=z), lambda z, a: (1 - np.abs(a)) ** 2, "function"),
        (lambda z: np.tanh(z, z), lambda z, a: 1 - a**2, "function"),
        (np.tanh, lambda z, a: np.subtract(1, np.square(a, out=a), out=a), "derivative"),
        (lambda z: z / 2, lambda z, a: np.multiply(0, z, out=z) + 0.5, "derivative"),
    ],
)  # fmt: skip
def test_an_activation_that_writes_in_place_is_refused(function, derivative, words):
    with pytest.raises(TypeError, match=f"{words} of mine must not write to its arguments"):
        bptt.Activation("mine", function, derivative)


def past_the_flag(z):
    """Return the same array, writable, as libraries do that share memory with NumPy."""
    pointer = ctypes.POINTER(np.ctypeslib.as_ctypes_type(z.dtype))
    return np.ctypeslib.as_array(ctypes.cast(z.ctypes.data, pointer), z.shape)


@pytest.mark.parametrize(
    ("function", "derivative", "words"),
    [
        (lambda z: np.tanh(z, out=past_the_flag(z)), lambda z, a: 1 - a**2, "function"),
        (np.tanh, lambda z, a: np.subtract(1, a**2, out=past_the_flag(z)), "derivative"),
        (np.tanh, lambda z, a: np.subtract(1, a**2, out=past_the_flag(a)), "derivative"),
    ],
)
def test_an_activation_that_writes_past_the_flag_is_refused(function, derivative, words):
    """As PyTorch does in `torch.from_numpy(z).tanh_()`."""
    with pytest.raises(TypeError, match=f"{words} of mine must not write to its arguments, got"):
        bptt.Activation("mine", function, derivative)


@pytest.mark.parametrize("part", ["function", "derivative"])
def test_an_activation_that_writes_over_what_it_returned_is_refused(part):
    """All steps of a run would keep the numbers of the last one."""
    buffers = {}

    def kept(z, *_):
        buffer = buffers.setdefault((z.shape, z.dtype.char), np.empty_like(z))
        return np.tanh(z, out=buffer)

    pair = {"function": np.tanh, "derivative": lambda z, a: 1 - a**2, part: kept}
    with pytest.raises(
        TypeError, match=f"^{part} of mine must return arrays of its own, got one th"
    ):
        bptt.Activation("mine", **pair)


class PastTheFlag(Elman):
    """Its step writes over z, and saves it."""

    def step(self, z, a):
        a_new = np.tanh(z)
        if z.dtype.kind == "f":
            past_the_flag(z)[...] = a_new
        return (a_new,), (z,)


class PastTheFlagBack(Elman):
    """Its derivative writes over the error."""

    def step_backward(self, d_a, a, a_new):
        return (np.multiply(d_a, 1 - a_new**2, out=past_the_flag(d_a)),), (0.0,), ()


@pytest.mark.parametrize("cell", [PastTheFlag, PastTheFlagBack])
def test_a_step_that_writes_past_the_flag_is_named(cell):
    with pytest.raises(TypeError, match=rf"{cell.__name__}\.\w+ must not write to its arguments"):
        bptt.check_cell(cell())


def test_an_error_of_the_users_own_stays_as_it_is():
    class Table(Elman):
        def step_backward(self, d_a, a, a_new):
            msg = "the table in this folder is read-only"
            raise ValueError(msg)

    with pytest.raises(ValueError, match=r"^the table in this folder is read-only$"):
        bptt.check_cell(Table())


def test_a_cost_that_writes_in_place_is_refused():
    def squares(z):
        return np.square(z, out=z).sum()

    z = np.array([1.0, 2.0])
    for truth in (bptt.complex_step, bptt.central_difference):
        with pytest.raises(TypeError, match="cost must not write to its arguments"):
            truth(squares, z)
    tiny = bptt.teaching.tiny()

    def cost(outputs, steps):
        outputs -= tiny.targets[steps]
        return bptt.squared_error(outputs, 0 * outputs)

    for way in (bptt.full_bptt, bptt.checkpointed_bptt, bptt.rtrl, bptt.scan_bptt):
        with pytest.raises(TypeError, match="cost must not write to its arguments"):
            way(tiny.stack, tiny.params, tiny.x, cost)


def test_what_an_activation_keeps_stays_as_it_was():
    kept = []

    def function(z):
        kept.append((z, z.copy()))
        return np.tanh(z)

    stack = bptt.Stack([bptt.Elman(bptt.Activation("keeps", function, lambda z, a: 1 - a**2))])
    params = bptt.initialize(stack, (1, 3, 1), 0)
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=(6, 2, 1))
        trace = bptt.forward(stack, params, x)
        bptt.backward(trace, np.ones_like(trace.outputs))
    assert all((z == then).all() for z, then in kept)


RETURNS = {
    "a for (a,)": ("step", lambda self, z, a: (np.tanh(z), (z,))),
    "None": ("step", lambda self, z, a: None),
    "two states": ("step", lambda self, z, a: ((z, z), (z,))),
    "a state of another shape": ("step", lambda self, z, a: ((z[:1],), (z,))),
    "saved no tuple": ("step", lambda self, z, a: ((z,), z)),
    "two of three": ("step_backward", lambda self, d_a, a, a_new: ((d_a,), (0.0,))),
    "d_a for (d_a,)": ("step_backward", lambda self, d_a, a, a_new: (d_a, (0.0,), ())),
    "two errors": ("step_backward", lambda self, d_a, a, a_new: ((d_a, d_a), (0.0,), ())),
}
UNFACTORED = {
    "state for (state,)": ("unfactored_step", lambda f, *given: (f(*given)[0][0], None)),
    "a state alone": ("unfactored_step", lambda f, *given: f(*given)[0]),
    "two of three": ("unfactored_backward", lambda f, *given: f(*given)[:2]),
    "error for (error,)": ("unfactored_backward", lambda f, *given: (*f(*given)[:2], f(*given)[2][0])),
    "a list of gradients": ("unfactored_backward", lambda f, *given: (list(f(*given)[0]), *f(*given)[1:])),
    "two gradients of three": ("unfactored_backward", lambda f, *given: (f(*given)[0][:2], *f(*given)[1:])),
}  # fmt: skip


@pytest.mark.parametrize("name", [*RETURNS, *(f"unfactored: {name}" for name in UNFACTORED)])
def test_what_a_cell_must_return_is_said_where_it_returns_something_else(name):
    if name in RETURNS:
        method, function = RETURNS[name]
        made = type("Mine", (Elman,), {method: function})
    else:
        method, change = UNFACTORED[name.removeprefix("unfactored: ")]
        right = getattr(bptt.ResetBeforeGRU, method)
        made = type("Mine", (bptt.ResetBeforeGRU,), {method: lambda *given: change(right, *given)})
    words = rf"Mine\.{method}(:| must return).* got "
    with pytest.raises(TypeError, match=words):
        bptt.check_cell(made())
    for steps in (4, 1):
        with pytest.raises(TypeError, match=words):
            run(made(), steps)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize(
    "cost",
    [
        lambda z: (z**3).sum(),
        lambda z: np.where(z.real > 0, z, 0).sum(),  # a kink, here at the point itself
        lambda z: (z - z).sum(),
        lambda z: 1e12 + np.exp(z).sum(),
    ],
)
def test_an_analytic_cost_is_not_called_something_else(cost, scale):
    z = scale * np.array([0.0, 1.0, -1.0])
    if scale == 1e8:
        z = np.array([0.0, 1e-300, 3.0])
    assert bptt.check_gradient(cost, z, bptt.complex_step(cost, z)).ok


@pytest.mark.parametrize("scale", [1e-285, 1e-300, 1e-320])
def test_a_cost_whose_complex_step_underflows_is_refused(scale):
    """Its derivative would be zero, and any gradient as small would be called right."""
    z = np.array([1.0, 2.0])
    for factor in (2, 3):
        with pytest.raises(ValueError, match=r"^cost must be larger for the complex step"):
            bptt.check_gradient(lambda z: scale * (z**2).sum(), z, factor * scale * z)
    near = bptt.check_gradient(lambda z: 1e-270 * (z**2).sum(), z, 3e-270 * z)
    assert not near.ok
    assert bptt.check_gradient(lambda z: 1e-270 * (z**2).sum(), z, 2e-270 * z).ok
    assert bptt.check_gradient(lambda z: 0.0 * z.sum(), z, 0 * z).ok


def test_the_errors_of_two_directions_are_told_apart():
    """Against each direction run by itself."""
    cell = bptt.Bidirectional(bptt.Elman(), bptt.LSTM())
    stack = bptt.Stack([cell])
    params = bptt.initialize(stack, (2, 3, 1), 0)
    x = np.random.default_rng(1).normal(size=(5, 2, 2))
    trace = bptt.forward(stack, params, x)
    d_outputs = np.random.default_rng(2).normal(size=trace.outputs.shape)
    d_a = (d_outputs * trace.stack.output.derivative(trace.z, trace.outputs)) @ params.readout.w.T
    both = bptt.backward(trace, d_outputs).delta[0]
    own = params.layers[0]
    there = bptt.layer_forward(cell.forward, own.forward, x)
    back = bptt.layer_forward(cell.backward, own.backward, x[::-1])
    want = bptt.layer_backward(there, d_a[:, :, :3]).delta
    np.testing.assert_allclose(both.forward, want, rtol=1e-12, atol=1e-15)
    want = bptt.layer_backward(back, d_a[::-1, :, 3:]).delta
    np.testing.assert_allclose(both.backward, want, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("line", "wrong", "tensor"),
    [
        (planted.D_W, "d_w += 2 * x[t].T @ delta", "w"),
        (planted.D_U, "d_u += 2 * h[t].T @ delta", "u"),
        (planted.D_B, "d_b += 2 * delta.sum(axis=0)", "b"),
        (planted.D_X, "d_x[t] = 2 * delta @ w.T", "x"),
    ],
)
def test_the_adjoint_test_sees_each_tensor(line, wrong, tensor):
    assert handwritten.check_elman((line, wrong))["adjoint"].faulty == (tensor,)


def test_a_layer_of_one_step_can_be_checked():
    rng = np.random.default_rng(3)
    params = bptt.Recurrent(rng.normal(size=(3, 2)), rng.normal(size=(2, 2)), rng.normal(size=2))
    x, h = rng.normal(size=(1, 4, 3)), rng.normal(size=(4, 2))
    forward, backward = handwritten.functions(handwritten.ELMAN)
    report = bptt.check_layer(forward, backward, params, x, h, masked=True)
    assert report.ok, report
    wrong = handwritten.replaced(handwritten.ELMAN, (planted.D_W, "d_w += 2 * x[t].T @ delta"))
    forward, backward = handwritten.functions(wrong)
    report = bptt.check_layer(forward, backward, params, x, h, masked=True)
    assert report.faulty == ("w",)
    assert report.likely == ("factor 2",)


@pytest.mark.parametrize(("axis", "size"), [("batch", 4), ("steps", 5)])
def test_random_numbers_are_not_called_unsummed(axis, size):
    drawn = f"np.random.default_rng(0).normal(size=({size}, *d_b.shape))"
    report = handwritten.check_elman((planted.RETURN, f"return (d_w, d_u, {drawn}), d_x, d_next"))
    assert report.faulty == ("b",)
    assert f"not summed over the {axis}" not in report.likely


PLAIN_ONLY = {
    "restore": (lambda: bptt.flatten((np.ones(2),))[1](MASKED), "vector"),
    "restore, in a list": (lambda: bptt.flatten((np.ones(2),))[1]([MASKED[0], MASKED[:1]]), "vector"),
    **{f"{f.name}": (lambda f=f: f(MASKED), "z") for f in (bptt.sigmoid, bptt.tanh, bptt.relu)},
    "softmax": (lambda: bptt.softmax(MASKED), "z"),
    "a recarray": (lambda: bptt.sigmoid(np.ones(2).view(np.recarray)), "z"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN_ONLY)
def test_subclasses_of_arrays_are_refused_by_functions_of_one_array(name):
    call, argument = PLAIN_ONLY[name]
    with pytest.raises(
        TypeError, match=rf"^{argument}\S* must be a plain NumPy array, got numpy\."
    ):
        call()


NOT_PLAIN = (
    np.ma.masked_array,
    lambda array: array.view(np.recarray),
    lambda array: array + 0j,
    lambda array: array.astype(object),
)


class Odd(bptt.Elman):
    """Returns a new state that is no plain array of real numbers."""

    def step(self, z, a):
        a_new, kept = NOT_PLAIN[self.which](np.tanh(z)), (z,)
        return (a_new,), kept

    def step_backward(self, d_a, a, z):
        return (d_a * (1 - np.tanh(z) ** 2),), (0.0,), ()


class OddSaved(Odd):
    """Saves no plain array."""

    def step(self, z, a):
        return (np.tanh(z),), (NOT_PLAIN[self.which](z),)


class OddBack(Odd):
    """Returns them on the way back."""

    def step(self, z, a):
        return (np.tanh(z),), (z,)

    def step_backward(self, d_a, a, z):
        return (NOT_PLAIN[self.which](d_a * (1 - np.tanh(z) ** 2)),), (0.0,), ()


class OddGRU(bptt.ResetBeforeGRU):
    """The same on the unfactored level."""

    def unfactored_step(self, params, x, state):
        (a,), saved = super().unfactored_step(params, x, state)
        return (NOT_PLAIN[self.which](a),), saved


class OddBackGRU(bptt.ResetBeforeGRU):
    """And on its way back."""

    def unfactored_backward(self, params, d_state, saved):
        d_params, d_x, d_past = super().unfactored_backward(params, d_state, saved)
        return d_params, NOT_PLAIN[self.which](d_x), d_past


@pytest.mark.parametrize("which", range(len(NOT_PLAIN)))
@pytest.mark.parametrize("base", [Odd, OddSaved, OddBack, OddGRU, OddBackGRU])
def test_what_a_cell_returns_is_plain_and_real_where_it_is_run(base, which):
    """Not in check_cell alone: a masked array would lose its mask, a complex one its imaginary part."""
    if base is OddSaved and which >= 2:
        return  # what is saved may be of any kind
    made = type("Mine", (base,), {"which": which})()
    words = "hold real numbers, as the arguments do" if which >= 2 else "be a plain NumPy array"
    for call in (run, bptt.check_cell):
        with pytest.raises(TypeError, match=rf"^Mine\.\w+: (\w+\[\d\]|d_x) must {words}, got"):
            call(made)


def test_an_activation_and_a_cost_are_made_of_plain_arrays():
    with pytest.raises(
        TypeError, match=r"^function of mine must be a plain NumPy array, got numpy"
    ):
        bptt.Activation("mine", lambda z: np.ma.masked_less(np.tanh(z), 0), lambda z, a: 1 - a**2)
    tiny = bptt.teaching.tiny()
    with pytest.raises(TypeError, match=r"^cost must be a plain NumPy array, got numpy"):
        bptt.value_and_grad(
            tiny.stack, tiny.params, tiny.x, lambda a: bptt.Cost(np.ma.masked, 0 * a)
        )


@pytest.mark.parametrize(
    "activation", [bptt.sigmoid, bptt.tanh, bptt.relu, bptt.softplus, bptt.identity]
)
def test_an_activation_takes_what_makes_an_array_of_its_dtypes(activation):
    want = activation(np.array([0.5, -1.0]))
    for z in ([0.5, -1.0], (0.5, -1.0), np.array([0.5, -1.0], ">f8")):
        np.testing.assert_array_equal(activation(z), want)
    assert activation(0.5) == want[0]
    for z in (1, None, "a", [1, 2], np.float16([1]), np.longdouble([1]), np.complex64([1])):
        with pytest.raises(TypeError, match=r"^z must have dtype float32 or float64, got"):
            activation(z)


PROTOCOL = {
    "parameters": [tuple, None, 3, ()],
    "shapes": [lambda *_: None, lambda *_: [2, 3], lambda *_: [(2, 3)], lambda *_: 3],
    "state_names": [None, (), "a", 3],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, each in PROTOCOL.items() for v in each])
def test_what_an_unfactored_cell_must_have_is_said(name, value):
    made = type("Mine", (bptt.ResetBeforeGRU,), {name: value})()
    for call in (run, bptt.check_cell):
        with pytest.raises(TypeError, match=rf"^Mine\.{name} must .* got "):
            call(made)


class Limited(bptt.ResetBeforeGRU):
    """Refuses more than four units."""

    def shapes(self, n_below, n):
        if n > 4:
            raise ValueError
        return super().shapes(n_below, n)


def test_an_unfactored_cell_is_asked_for_no_more_units_than_it_has():
    """The columns of u are twelve."""
    params = bptt.initialize(bptt.Stack([Limited()]), (3, 4, 1), 0).layers[0]
    x = np.ones((2, 1, 3))
    got = bptt.layer_forward(Limited(), params, x).outputs
    np.testing.assert_array_equal(got, bptt.layer_forward(bptt.ResetBeforeGRU(), params, x).outputs)


class Engine:
    """An engine of its own, some part of which is changed."""

    cell = bptt.Elman()

    def run_layer(self, params, x, state, mask):
        return bptt.layer_forward(self.cell, params, x, state, mask)._replace(cell=self)

    def run_layer_backward(self, trace, d_a, d_state):
        return bptt.layer_backward(trace._replace(cell=self.cell), d_a, d_state)


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("cell", 3, r"cells\[0\] must be a cell"),
        ("cell", None, r"cells\[0\] must be a cell"),
        ("run_layer", lambda *_: None, r"^Changed\.run_layer\(...\) must be a LayerTrace, got NoneType"),
        ("run_layer_backward", lambda *_: 3, r"^Changed\.run_layer_backward\(...\) must be a LayerGradient"),
    ],
)  # fmt: skip
def test_what_an_engine_of_ones_own_must_have_and_return_is_said(part, value, words):
    run(Engine())
    with pytest.raises(TypeError, match=words):
        run(type("Changed", (Engine,), {part: value})())


@pytest.mark.parametrize("part", ["cell", "run_layer"])
def test_an_engine_that_lacks_a_part_is_no_cell(part):
    with pytest.raises(TypeError, match=r"cells\[0\] must be a cell, such as"):
        run(type("Changed", (), {k: v for k, v in vars(Engine).items() if k != part})())


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (3, "be a function whose parameters have names: 3 is not"),
        (None, "be a function whose parameters have names: None is not"),
        (lambda self, z, a, *, k: ((z,), ()), r"name its parameters one by one, .*, got \*, k$"),
        (lambda self, z, a, **k: ((z,), ()), r"name its parameters one by one, .*, got \*\*k$"),
        (lambda self, z, a, k=0.9: ((z,), ()), "name .*, without default values, got k=0.9$"),
    ],
)
def test_what_names_no_parameters_is_refused_by_name(step, words):
    with pytest.raises(TypeError, match=rf"^Mine\.step must {words}"):
        bptt.Stack([type("Mine", (Elman,), {"step": step})()])


@pytest.mark.parametrize("name", ["w", "b", "u", "_k"])
def test_an_own_parameter_whose_name_no_field_can_have_is_refused(name):
    step = eval(f"lambda self, z, a, {name}: ((z,), ())")
    back = eval(f"lambda self, d_a, a, {name}: ((d_a,), (0.0,), (d_a,))")
    cell = type("Mine", (), {"step": step, "step_backward": back})()
    with pytest.raises(TypeError, match=rf"^Mine\.step must name its own parameters .*: '{name}'$"):
        bptt.Stack([cell])


def test_a_schedule_that_was_not_called_is_refused_by_name():
    tiny = bptt.teaching.tiny()
    of = bptt.algorithms
    for schedule in (of.every, of.square_root, of.binomial, 3):
        with pytest.raises(TypeError, match=r"^schedule must be made by every, square_root or bi"):
            bptt.checkpointed_bptt(
                tiny.stack, tiny.params, tiny.x, lambda a, _: bptt.Cost(0.0, a), schedule=schedule
            )


SQUARES = (lambda z: (z**2).sum()), np.ones(2)
TINY = bptt.teaching.tiny()
OF_TINY = TINY.stack, TINY.params, TINY.x, lambda a, steps: bptt.Cost(0.0, a + 1)
ELMAN = bptt.Elman(), TINY.params.layers[0]
NO_FUNCTION = {
    "cost of the complex step": (lambda odd: bptt.complex_step(odd, np.ones(2)), "cost"),
    "cost of differences": (lambda odd: bptt.central_difference(odd, np.ones(2)), "cost"),
    "cost": (lambda odd: bptt.check_gradient(odd, np.ones(2), np.ones(2)), "cost"),
    "truth": (lambda odd: bptt.check_gradient(*SQUARES, np.ones(2), truth=odd), "truth"),
    "function": (lambda odd: bptt.tree_map(odd, np.ones(2)), "function"),
}
NO_FLAG = {
    "parallel": lambda odd: bptt.scan_bptt(*OF_TINY, parallel=odd),
    "windowed": lambda odd: bptt.truncation_bias(*OF_TINY, [1], windowed=odd),
    "bias": lambda odd: bptt.to_torch(*zip(ELMAN), bias=odd),
    "bias of Keras": lambda odd: bptt.interop.to_keras(*ELMAN, bias=odd),
    "masked": lambda odd: bptt.check_layer(
        len, len, np.ones(2), np.ones((2, 2, 2)), np.ones((2, 2)), masked=odd
    ),
}
NO_TEXT = {
    "name": lambda odd: bptt.tree_leaves(np.ones(2), odd),
    "label": lambda odd: bptt.teaching.check_equation(odd, 1.0, 1.0),
    "of": lambda odd: bptt.teaching.check_equation("bp2", 1.0, 1.0, of=odd),
    "form": lambda odd: bptt.to_flax(bptt.Elman(), TINY.params.layers[0], odd),
}  # fmt: skip


@pytest.mark.parametrize("odd", [None, 3, "a", np.ones(3), bptt.LSTM()], ids=str)
@pytest.mark.parametrize("name", NO_FUNCTION)
def test_what_cannot_be_called_is_refused_by_name(name, odd):
    call, argument = NO_FUNCTION[name]
    with pytest.raises(TypeError, match=rf"^{argument} must be callable, got "):
        call(odd)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bptt.value_and_grad(*OF_TINY), r"cost must take 1 argument, .* \(a, steps\)"),
        (
            lambda: bptt.full_bptt(*OF_TINY[:3], lambda a: a),
            r"cost must take 2 arguments, .* \(a\)",
        ),
        (lambda: bptt.complex_step(lambda: 1, np.ones(2)), r"cost must take 1 argument, .* \(\)"),
        (lambda: bptt.Activation("f", np.tanh, abs), r"derivative must take 2 .* \(x, /\)"),
        (
            lambda: bptt.check_layer(
                OF_TINY[3], id, np.ones(2), np.ones((2, 2, 2)), np.ones((2, 2))
            ),
            r"forward must take 3 arguments, got a function of \(a, steps\)",
        ),
    ],
)
def test_a_function_of_other_arguments_is_refused_by_name(call, words):
    with pytest.raises(TypeError, match=rf"^{words}$"):
        call()


@pytest.mark.parametrize("odd", [None, 3, "no", np.ones(3), np.zeros(0)], ids=str)
@pytest.mark.parametrize("name", NO_FLAG)
def test_what_is_no_flag_is_refused_by_name(name, odd):
    """A text such as "no" would be taken for True."""
    with pytest.raises(TypeError, match=rf"^{name.split()[0]} must be a bool, got "):
        NO_FLAG[name](odd)


@pytest.mark.parametrize("odd", [None, 3, b"a", np.ones(3)], ids=str)
@pytest.mark.parametrize("name", NO_TEXT)
def test_what_is_no_text_is_refused_by_name(name, odd):
    with pytest.raises(TypeError, match=rf"^{name} must be a str, got "):
        NO_TEXT[name](odd)


@pytest.mark.parametrize("odd", [None, 3, "a", bptt.LSTM, TINY, bptt.ResetBeforeGRU()], ids=str)
def test_what_is_no_formula_has_no_layout(odd):
    with pytest.raises(TypeError, match=r"^cell must be a formula|^the parameters of type\.step"):
        bptt.cells.layout_of(odd)


def test_other_things_of_no_use_are_refused_by_name():
    both = bptt.Bidirectional(bptt.Elman(), bptt.Elman())
    for call, words in (
        (lambda: bptt.cells.state_names_of(both), r"^Bidirectional\.state_names must be a tuple"),
        (
            lambda: bptt.initialize(TINY.stack, (1, 2, 2, 1), 0, {"a": 1}),
            "^dtype must be float32 or",
        ),
        (lambda: bptt.truncation_bias(*OF_TINY, [[1], [1, 2]]), "^ks must be an array of numbers"),
        (
            lambda: bptt.tree_map(np.add, np.ones(1), (np.ones(2), np.ones(1))),
            "must have the 1 array of record, got 2",
        ),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            call()


class BytesPath:
    """A path of the system's, as bytes."""

    def __fspath__(self):
        """Return the path."""
        return b"a.npz"


@pytest.mark.parametrize("path", [None, 3, b"a.npz", BytesPath(), ["a.npz"], "a\0.npz"])
def test_what_is_no_path_is_refused_by_name(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = np.ones(1)
    words = "must be a str without NUL, or an os.PathLike of one, got"
    for call, name in (
        (lambda: bptt.save(path, one), "path"),
        (lambda: bptt.load(path, one), "path"),
        (lambda: bptt.save_snapshot(path, 1, one), "folder"),
        (lambda: bptt.load_snapshot(path, one), "folder"),
    ):
        with pytest.raises((TypeError, ValueError), match=f"^{name} {words}") as refused:
            call()
        assert refused.type is (ValueError if isinstance(path, str) else TypeError)
    assert not list(tmp_path.iterdir())
