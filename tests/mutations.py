"""Break the library in many ways, on a copy, and see the tests turn red each time.

Run it with `python tests/mutations.py`. A mutation is one replacement in one file, and names the test file
that must notice. A mutation that survives, or that finds no place, ends in an error: a test that cannot
fail is a defect. The tests run first on an unbroken copy, where they must pass.
"""

# ruff: noqa: T201  (a program: it prints)

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import bptt

TESTS = Path(__file__).parent
LIBRARY = Path(bptt.__path__[0])


class Mutation(NamedTuple):
    """What it breaks; where; which text becomes which; who must notice."""

    what: str
    file: str
    old: str
    new: str
    tests: str


BACKWARD, FORWARD = "backward.py", "forward.py"
MUTATIONS = [
    Mutation("sign of δ in (BP2)", "cells/elman.py", "(*saved) * d_a", "(*saved) * -d_a", "test_backward"),
    Mutation("no term through u", BACKWARD, "return (through_u,)", "return (0 * through_u,)", "test_backward"),
    Mutation("u not transposed on the way back", BACKWARD, "delta_h[t] @ u.T", "delta_h[t] @ u", "test_backward"),
    Mutation("∂C/∂u with a^(t), not a^(t-1)", BACKWARD, "trace.a[:-1]", "trace.a[1:]", "test_backward"),
    Mutation("final cotangent dropped", BACKWARD, "(d_a[t] + d_state[0]", "(d_a[t] + (t + 1 < len(d_a)) * d_state[0]", "test_backward"),
    Mutation("bias of one step only", BACKWARD, "b=delta_x.sum(axis=(0, 1))", "b=delta_x[-1].sum(axis=0)", "test_backward"),
    Mutation("bias of one sequence only", BACKWARD, "b=delta_x.sum(axis=(0, 1))", "b=delta_x.sum(axis=0)[0]", "test_backward"),
    Mutation("readout bias a mean", BACKWARD, "b=delta.sum(axis=(0, 1)))", "b=delta.mean(axis=(0, 1)))", "test_backward"),
    Mutation("readout sees the past", BACKWARD, "trace.layers[-1].a[1:], delta)", "trace.layers[-1].a[:-1], delta)", "test_backward"),
    Mutation("a' of the readout forgotten", BACKWARD, "d_a * trace.stack.output.derivative(trace.z, trace.outputs)", "d_a * 1", "test_backward"),
    Mutation("a' taken at a, not z", "cells/elman.py", "self.activation.derivative(*saved)", "self.activation.derivative(saved.a, saved.a)", "test_backward"),
    Mutation("wrong boundary: one step short", BACKWARD, "initial=d_state,  # (BP0)", "initial=(delta_h[0],),", "test_backward"),
    Mutation("input gradient through the last step only", BACKWARD, "x=delta_x @ w.T", "x=delta_x[-1:] @ w.T + 0 * delta_x @ w.T", "test_backward"),
    Mutation("d_final given to the wrong layer", BACKWARD, "reversed(trace.layers), reversed(d_states)", "reversed(trace.layers), d_states", "test_cells"),
    Mutation("direct path dropped", BACKWARD, "through_u + direct[0], *direct[1:]", "through_u, *direct[1:]", "test_cells"),
    Mutation("δ_x and δ_h confused", BACKWARD, "u=outer_sum(trace.a[:-1], delta_h)", "u=outer_sum(trace.a[:-1], delta_x)", "test_cells"),
    Mutation("overflow let out", BACKWARD, "        _check.computed(name, array)", "        pass", "test_arguments"),
    Mutation("u transposed on the way there", FORWARD, "state[0] @ u", "state[0] @ u.T", "test_backward"),
    Mutation("initial state ignored", FORWARD, "_store(states, 0, state)\n", "state = tuple(0 * s for s in state); _store(states, 0, state)\n", "test_backward"),
    Mutation("bias forgotten", FORWARD, "z_x = x @ w + b", "z_x = x @ w", "test_backward"),
    Mutation("complex numbers made real", FORWARD, "np.result_type(z_x, u, *state)", "np.result_type(z_x.real)", "test_gradcheck"),
    Mutation("float32 forgotten", FORWARD, "np.result_type(z_x, u, *state)", "np.result_type(z_x, np.float64)", "test_properties"),
    Mutation("tanh' of 1 - a", "activations.py", "lambda _, a: 1 - a**2", "lambda _, a: 1 - a", "test_activations"),
    Mutation("softplus overflows", "activations.py", "z - 2 * positive))", "z - 0 * positive)) - positive", "test_activations"),
    Mutation("mask ignored", "losses.py", "np.where(m[..., None] > 0, a - y, a.dtype.type(0))", "a - y; m = 0 * m + 1", "test_losses"),
    Mutation("mask ignored in cross-entropy", "losses.py", "Cost(value, m[..., None] * error)", "Cost(value, error)", "test_losses"),
    Mutation("half forgotten", "losses.py", "0.5 * (d_outputs", "1.0 * (d_outputs", "test_losses"),
    Mutation("softmax without shift", "losses.py", "shifted = z - z.real.max(axis=-1, keepdims=True)", "shifted = z", "test_losses"),
    Mutation("feedforward w not transposed back", "feedforward.py", "zip(slopes[-2::-1], trace.layers[:0:-1]", "zip(slopes[-2::-1], trace.layers[-2::-1]", "test_feedforward"),
    Mutation("feedforward batch sum forgotten", "feedforward.py", "d.sum(axis=0)", "d[0]", "test_feedforward"),
    Mutation("unrolled: the last copy only", "unrolled.py", "np.sum(of_steps, axis=0)", "of_steps[-1]", "test_unrolled"),
    Mutation("clips always", "optim.py", "min(1.0, limit / norm)", "limit / norm", "test_optim"),
    Mutation("clips each array by itself", "optim.py", "lambda g: g * scale", "lambda g: g * min(1.0, limit / np.linalg.norm(g))", "test_optim"),
    Mutation("Adam without bias correction", "optim.py", "1 - self.beta1**count, 1 - self.beta2**count", "1.0, 1.0", "test_optim"),
    Mutation("Adam's ε under the root", "optim.py", "(np.sqrt(s / bias2) + self.epsilon)", "np.sqrt(s / bias2 + self.epsilon)", "test_optim"),
    Mutation("momentum damped", "optim.py", "self.momentum * v + g", "self.momentum * v + (1 - self.momentum) * g", "test_optim"),
    Mutation("argument written to", "optim.py", "lambda p, g: p - self.rate * g", "lambda p, g: np.subtract(p, self.rate * g, out=p)", "test_arguments"),
    Mutation("the check approves of all", "gradcheck.py", "self.error <= self.tolerance", "self.error <= self.tolerance + 1e9", "test_gradcheck"),
    Mutation("the worst entry misnamed", "gradcheck.py", "relative.argmax()", "relative.argmin()", "test_gradcheck"),
    Mutation("drawn twice as wide", "stack.py", "1 / math.sqrt(n_in)", "2 / math.sqrt(n_in)", "test_stack"),
    Mutation("types lost by tree_map", "tree.py", 'getattr(type(record), "_make", type(record))', "tuple", "test_tree"),
    Mutation("NaN accepted", "_check.py", "if not np.isfinite(value).all():\n        where", "if False:\n        where", "test_errors"),
]  # fmt: skip


def run(mutation: Mutation | None, names: list[str]) -> subprocess.CompletedProcess[str]:
    """Run test files on a copy of the library that has been broken, or has not."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "bptt"
        shutil.copytree(LIBRARY, copy, ignore=shutil.ignore_patterns("__pycache__"))
        if mutation:
            path = copy / mutation.file
            text = path.read_text(encoding="utf-8")
            if mutation.old not in text:
                sys.exit(f"{mutation.what}: {mutation.file} no longer holds {mutation.old!r}")
            broken = text.replace(mutation.old, mutation.new, 1)
            compile(broken, mutation.file, "exec")  # broken in its meaning, not in its grammar
            path.write_text(broken, encoding="utf-8")
        # The copy must be what is imported, and one failure is enough.
        environment = os.environ | {"PYTHONPATH": scratch, "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        guard = (
            f"import bptt, sys, pytest; assert bptt.__path__ == [{str(copy)!r}], bptt.__path__; "
        )
        pytest = ["-x", "-q", "--no-header", "--tb=no", "--no-showlocals", "-p", "no:cacheprovider"]
        pytest += ["-o", "addopts=", f"--rootdir={TESTS.parent}"]
        arguments = [*pytest, *(str(TESTS / f"{name}.py") for name in names)]
        call = [sys.executable, "-c", guard + "sys.exit(pytest.main(sys.argv[1:]))", *arguments]
        return subprocess.run(
            call, env=environment, cwd=scratch, capture_output=True, text=True, check=False
        )


def main() -> int:
    """Print a line for each mutation; return how many survived."""
    print(f"{len(MUTATIONS)} mutations, after the unbroken copy")
    names = sorted({mutation.tests for mutation in MUTATIONS})
    sound = run(None, names)
    if sound.returncode:
        print(sound.stdout, sound.stderr)
        sys.exit("the tests fail on the unbroken library: nothing can be learnt from mutations")
    survived = 0
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        outcomes = workers.map(lambda m: run(m, [m.tests]), MUTATIONS)
        for mutation, outcome in zip(MUTATIONS, outcomes, strict=True):
            red = outcome.returncode in {1, 2}  # 2: a run that the test file prepares has failed
            survived += not red
            print(f"{'red     ' if red else 'SURVIVED'} {mutation.what} ({mutation.tests})")
    print(f"{len(MUTATIONS) - survived} of {len(MUTATIONS)} seen")
    return survived


if __name__ == "__main__":
    sys.exit(main())
