"""Break the library in many ways, on a copy, and see the tests turn red each time.

Run it with `python tests/mutations.py`, or for some modules alone with their names, `batches.py validation.py`;
`--jobs 1` leaves the other cores to others. A mutation is one replacement in one file, and names the test file
that must notice. A mutation that survives, or that finds no place, ends in an error: a test that cannot
fail is a defect. The tests run first on an unbroken copy, where they must pass.
"""

# ruff: noqa: T201  (a program: it prints)

import argparse
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


BACKWARD, FORWARD, LOOP = "network/backward.py", "network/forward.py", "network/loop.py"
MUTATIONS = [
    Mutation("sign of δ in (BP2)", "cells/elman.py", "d_a * self.activation", "-d_a * self.activation", "test_loop"),
    Mutation("a' taken at a, not z", "cells/elman.py", "derivative(z, a_new)", "derivative(a_new, a_new)", "test_own_cell"),
    Mutation("no term through u", LOOP, "np.add(above, future, out=total)", "np.add(above, 0 * future, out=total)", "test_loop"),
    Mutation("u not transposed on the way back", LOOP, "np.ascontiguousarray(_turned(u, h).T)", "_turned(u, h)", "test_loop"),
    Mutation("∂C/∂u with a^(t), not a^(t-1)", LOOP, "trace.a[:-1].reshape", "trace.a[1:].reshape", "test_loop"),
    Mutation("bias of one step only", LOOP, "delta_x.sum(axis=0)", "delta_x[-1]", "test_loop"),
    Mutation("direct path of a dropped", LOOP, "np.add(future, error[:, -1], out=future)", "pass", "test_loop"),
    Mutation("direct path of further states dropped", LOOP, "further = [error[:, k : k + 1] for k in places]", "further = [0 * error[:, k : k + 1] for k in places]", "test_loop"),
    Mutation("the other arrays of a state left out", LOOP, "np.multiply(other, d, out=part)", "0 * part", "test_loop"),
    Mutation("δ_x and δ_h confused", LOOP, "flat[:, h:], flat[:, :g]", "flat[:, h:], flat[:, h : h + g]", "test_loop"),
    Mutation("u's blocks not turned", LOOP, "np.roll(u, by, axis=1)", "u", "test_loop"),
    Mutation("own parameters of the last chunk alone", LOOP, "d_own += errors", "d_own = errors", "test_loop"),
    Mutation("u transposed on the way there", LOOP, "np.matmul(state[0], u, out", "np.matmul(state[0], np.roll(u, 1), out", "test_loop"),
    Mutation("initial state ignored", LOOP, "array[0] = first", "array[0] = 0 * first", "test_loop"),
    Mutation("bias forgotten", LOOP, "flat += b", "flat += 0 * b", "test_loop"),
    Mutation("blocks of h not set to zero", LOOP, "z[:, :, :h] = 0", "z[:, :, :h] = 1", "test_loop"),
    Mutation("complex numbers made real", LOOP, "dtype = np.result_type(x, *params, *state)", "dtype = np.result_type(x.real)", "test_ways"),
    Mutation("a held state passes no error on", LOOP, "(k - 1) % len(past)] = 1", "(k - 1) % len(past)] = 0", "test_loop"),
    Mutation("a held state's error at another state", LOOP, "(k - 1) % len(past)", "k % len(past)", "test_loop"),
    Mutation("a step that is not there has an error", LOOP, "array[gap] = 0", "pass", "test_loop"),
    Mutation("a step that is not there takes part", LOOP, "np.where(there, new, old)", "new", "test_loop"),
    Mutation("a step that is not there takes part, unfactored", "network/unfactored.py", "np.where(there, a, b)", "a", "test_ways"),
    Mutation("a held state passes no error on, unfactored", "network/unfactored.py", "tuple(d * ~there for d in d_state)", "tuple(0 * d for d in d_state)", "test_ways"),
    Mutation("d_final given to the wrong layer", BACKWARD, "d_a, d_states[i])", "d_a, d_states[-1 - i])", "test_cells"),
    Mutation("tanh' of 1 - a", "cells/activations.py", "    return 1 - a**2", "    return 1 - a", "test_activations"),
    Mutation("σ(z) from a hyperbolic tangent", "cells/activations.py", "    return e / (e + one)", "    return (1 + np.tanh(z / 2)) / 2", "test_activations"),
    Mutation("1 - σ(z) by a subtraction", "cells/activations.py", "e / whole, one / whole", "e / whole, one - e / whole", "test_activations"),
    Mutation("σ' by a subtraction", "cells/activations.py", "a * logistic(-z)", "a * (1 - a)", "test_activations"),
    Mutation("LSTM without the peephole of o on the way back", "cells/lstm.py", " + d_o * p_o", "", "test_ways"),
    Mutation("LSTM's forget gate and input gate swapped", "cells/lstm.py", "d_c * c * f * not_f", "d_c * g * f * not_f", "test_ways"),
    Mutation("GRU's reset forgotten in δ_h", "cells/gru.py", "d_h = d_n * r", "d_h = d_n", "test_ways"),
    Mutation("diagonal v without the past", "cells/diagonal.py", "(delta * a,)", "(delta * a_new,)", "test_ways"),
    Mutation("checkpoints: the error between pieces dropped", "algorithms/checkpointed.py", "backward(trace, d_outputs, self.d_state)", "backward(trace, d_outputs, None)", "test_ways"),
    Mutation("readout bias a mean", BACKWARD, "b=delta.sum(axis=(0, 1)))", "b=delta.mean(axis=(0, 1)))", "test_backward"),
    Mutation("readout sees the past", BACKWARD, "outer_sum(trace.layers[-1].outputs, delta)", "outer_sum(trace.layers[-1].a[:-1], delta)", "test_backward"),
    Mutation("a' of the readout forgotten", BACKWARD, "d_outputs * trace.stack.output.derivative(trace.z, trace.outputs)", "d_outputs * 1", "test_backward"),
    Mutation("overflow let out", BACKWARD, "        validation.computed(name, array)", "        pass", "test_arguments"),
    Mutation("softplus overflows", "cells/activations.py", "z - 2 * positive))", "z - 0 * positive)) - positive", "test_activations"),
    Mutation("mask ignored", "training/losses.py", "np.where(m[..., None] > 0, a - y, a.dtype.type(0))", "a - y; m = 0 * m + 1", "test_losses"),
    Mutation("mask ignored in cross-entropy", "training/losses.py", "Cost(value, m[..., None] * error)", "Cost(value, error)", "test_losses"),
    Mutation("half forgotten", "training/losses.py", "0.5 * (d_outputs", "1.0 * (d_outputs", "test_losses"),
    Mutation("softmax without shift", "training/losses.py", "shifted = z - z.real.max(axis=-1, keepdims=True)", "shifted = z", "test_losses"),
    Mutation("feedforward w not transposed back", "teaching/feedforward.py", "zip(slopes[-2::-1], trace.layers[:0:-1]", "zip(slopes[-2::-1], trace.layers[-2::-1]", "test_feedforward"),
    Mutation("feedforward batch sum forgotten", "teaching/feedforward.py", "d.sum(axis=0)", "d[0]", "test_feedforward"),
    Mutation("unrolled: the last copy only", "teaching/unrolled.py", "np.sum(of_steps, axis=0)", "of_steps[-1]", "test_unrolled"),
    Mutation("clips always", "training/optim.py", "min(1.0, limit / norm)", "limit / norm", "test_optim"),
    Mutation("clips each array by itself", "training/optim.py", "lambda g: g * scale", "lambda g: g * min(1.0, limit / np.linalg.norm(g))", "test_optim"),
    Mutation("Adam without bias correction", "training/optim.py", "1 - self.beta1**count, 1 - self.beta2**count", "1.0, 1.0", "test_optim"),
    Mutation("Adam's ε under the root", "training/optim.py", "(np.sqrt(s / bias2) + self.epsilon)", "np.sqrt(s / bias2 + self.epsilon)", "test_optim"),
    Mutation("momentum damped", "training/optim.py", "self.momentum * v + g", "self.momentum * v + (1 - self.momentum) * g", "test_optim"),
    Mutation("argument written to", "training/optim.py", "lambda p, g: p - self.rate * g", "lambda p, g: np.subtract(p, self.rate * g, out=p)", "test_arguments"),
    Mutation("the check approves of all", "checking/gradcheck.py", "self.error <= self.tolerance", "self.error <= self.tolerance + 1e9", "test_gradcheck"),
    Mutation("the worst entry misnamed", "checking/gradcheck.py", "relative.argmax()", "relative.argmin()", "test_gradcheck"),
    Mutation("drawn twice as wide", "network/stack.py", "1 / math.sqrt(n_in)", "2 / math.sqrt(n_in)", "test_stack"),
    Mutation("types lost by tree_map", "_core/tree.py", 'getattr(type(record), "_make", type(record))', "tuple", "test_tree"),
    Mutation("NaN accepted", "_core/validation.py", 'first place."""\n    if not all_finite(value)', 'first place."""\n    if False', "test_errors"),
    # cells
    Mutation("reset-before GRU: r's path dropped", "cells/gru.py", " + d_reset * r", "", "test_ways"),
    # masks and directions
    Mutation("the second direction reads padding first", FORWARD, "mask[::-1]", "mask", "test_sequences"),
    Mutation("the second direction's input gradient not turned", BACKWARD, "there.x + back.x[::-1]", "there.x + back.x", "test_sequences"),
    Mutation("lengths off by one", "network/states.py", "np.arange(total)[:, None] < found", "np.arange(total)[:, None] <= found", "test_sequences"),
    # ways
    Mutation("truncation one step too long", "algorithms/truncated.py", "start = max(0, end - k2)", "start = max(0, end - k2 - 1)", "test_diagnostics"),
    Mutation("truncation keeps errors it should not", "algorithms/truncated.py", "if start == 0 else tree_map(np.zeros_like, gradient.initial)", "", "test_ways"),
    Mutation("segments without their mask", "algorithms/calls.py", "None if one.mask is None else one.mask[start:stop]", "None", "test_ways"),
    Mutation("checkpoints: a kept state is a view of its piece", "algorithms/checkpointed.py", "tree_map(np.copy, trace.final)", "trace.final", "test_memory"),
    Mutation("checkpoints: split in the middle", "algorithms/checkpointed.py", "max(1, min(before, pieces - after))", "pieces // 2", "test_memory"),
    Mutation("checkpoints: one state more than is kept", "algorithms/checkpointed.py", "min(self.states, pieces - 1)", "min(self.states, pieces)", "test_memory"),
    Mutation("RTRL forgets the immediate derivative", "algorithms/rtrl.py", "@ self.matrix + immediate", "@ self.matrix + 0 * immediate", "test_ways"),
    Mutation("RTRL in float64 only", "algorithms/rtrl.py", "len(columns)), trace.outputs.dtype)", "len(columns)))", "test_ways"),
    Mutation("UORO without its random signs", "algorithms/rtrl.py", "rng.choice([-1.0, 1.0], size=s.shape)", "np.ones(s.shape)", "test_ways"),
    Mutation("the scan's maps composed the wrong way round", "algorithms/scan.py", "compose(maps[reach:], maps[: len(maps) - reach])", "compose(maps[: len(maps) - reach], maps[reach:])", "test_ways"),
    Mutation("the scan stops a round early", "algorithms/scan.py", "while reach < len(totals)", "while 2 * reach < len(totals)", "test_ways"),
    # the fast engine
    Mutation("δ not looked at where ∂C/∂b is finite", BACKWARD, "if validation.all_finite_in((gradient.params, gradient.x, gradient.initial)):", "if True:", "test_arguments"),
    # diagnostics and the rest
    Mutation("contributions transposed", "diagnostics.py", "matrix[t, s] = ", "matrix[s, t] = ", "test_diagnostics"),
    Mutation("a norm of δ over units only", "diagnostics.py", "(d**2).sum(axis=(1, 2))", "(d**2).sum(axis=2)[:, 0]", "test_diagnostics"),
    Mutation("the angle not normalized", "diagnostics.py", "(length**2 * norm[-1])", "length**2", "test_diagnostics"),
    Mutation("curvature with v in the real part", "algorithms/hessian.py", "p + 1j * TINY * v", "p + TINY * v + 0j", "test_diagnostics"),
    Mutation("orthogonal signs not unique", "training/initialization.py", "q * np.sign(np.diag(r))", "q", "test_initialization"),
    Mutation("forget bias in the input gate", "training/initialization.py", "b[n : 2 * n] = bias", "b[:n] = bias", "test_initialization"),
    Mutation("PyTorch's biases not added", "interop/parts.py", "first + second)", "first)", "test_interop"),
    Mutation("Flax's gates in another order", "interop/parts.py", '    GRU: "rzn"', '    GRU: "zrn"', "test_interop"),
    Mutation("damage not noticed", "training/storage.py", "if digest != _digest(arrays)", "if False", "test_storage"),
    Mutation("written in place", "training/storage.py", "    beside = target.with_name(", "    target.write_bytes(data); beside = target.with_name(", "test_storage"),
    Mutation("steps numbered from 0", "plotting.py", "np.arange(1, rows.shape[1] + 1)", "np.arange(rows.shape[1])", "test_plotting"),
    # training loops
    Mutation("minibatches: in the order of the batch", "training/batches.py", ".permutation(number)", ".permutation(number) * 0 + np.arange(number)", "test_batches"),
    Mutation("minibatches: drawn with replacement", "training/batches.py", ".permutation(number)", ".integers(number, size=number)", "test_batches"),
    Mutation("minibatches: drawn anew whenever one is asked for", "training/batches.py", "        members = order[", "        members = rng.permutation(order)[", "test_batches"),
    Mutation("minibatches: overlap", "training/batches.py", "order[first : first + starts.step]", "order[first : first + starts.step + 1]", "test_batches"),
    Mutation("minibatches: x alone is dealt out", "training/pieces.py", "None if whole is None else cut(whole) for", "None if whole is None else cut(np.sort(whole, axis=1)) for", "test_batches"),
    Mutation("windows: targets of the step before", "training/pieces.py", "None if whole is None else cut(whole) for", "None if whole is None else cut(np.roll(whole, 1, axis=0)) for", "test_batches"),
    Mutation("pieces: the last dropped always", "training/pieces.py", "total - total % size if drop_last else total", "total - total % size", "test_batches"),
    Mutation("pieces: the last kept always", "training/pieces.py", "total - total % size if drop_last else total", "total", "test_batches"),
    Mutation("pieces: an epoch goes on at its beginning", "training/pieces.py", "self._starts[which], self._cut)", "self._starts, self._cut)", "test_batches"),
    Mutation("pieces: a float32 becomes a float64", "training/pieces.py", "return cut(x), targets, mask", "return cut(x) * np.float64(1), targets, mask", "test_batches"),
    Mutation("pieces: a mapped file read whole", "training/pieces.py", "validation.shaped(", "validation.array(", "test_batches"),
    Mutation("windows: a step too many", "training/windows.py", "min(first + starts.step, total)", "min(first + starts.step + 1, total)", "test_batches"),
    Mutation("windows: begin with nothing", "training/windows.py", "tree_map(np.copy, trace.final)", "tree_map(np.zeros_like, trace.final)", "test_batches"),
    Mutation("windows: the state is a view", "training/windows.py", "tree_map(np.copy, trace.final)", "trace.final", "test_batches"),
    Mutation("windows: the state before the last step", "training/windows.py", "tree_map(np.copy, trace.final)", "tuple(tuple(a[-2].copy() for a in layer.states) for layer in trace.layers)", "test_batches"),
    Mutation("windows: second directions carried", "training/windows.py", 'validation.instance(f"trace.layers[{i}]", layer, LayerTrace)', "pass", "test_batches"),
    Mutation("streams: windows in order of reading", "training/windows.py", "reshape(streams, length, *found.shape[1:])\n    return rows.swapaxes(0, 1)", "reshape(length, streams, *found.shape[1:])\n    return rows", "test_batches"),
    Mutation("streams: the first steps left out", "training/windows.py", "found[: length * streams]", "found[-length * streams :]", "test_batches"),
    # runs that are killed
    Mutation("snapshots: the oldest is loaded", "training/snapshots.py", "if match), reverse=True)", "if match))", "test_snapshots"),
    Mutation("snapshots: sorted by name", "training/snapshots.py", "sorted((int(match[1]) for match in found if match), reverse=True)", "sorted((int(match[1]) for match in found if match), key=str, reverse=True)", "test_snapshots"),
    Mutation("snapshots: one too few kept", "training/snapshots.py", "earlier[kept:]", "earlier[max(1, kept - 1) :]", "test_snapshots"),
    Mutation("snapshots: none let go", "training/snapshots.py", "earlier[kept:]", "[]", "test_snapshots"),
    Mutation("snapshots: later ones let go", "training/snapshots.py", "for number in _steps(home) if number <= done]", "for number in _steps(home)]", "test_snapshots"),
    Mutation("snapshots: begun anew in silence", "training/snapshots.py", "    if not refused:\n        return None", "    return None", "test_snapshots"),
    Mutation("snapshots: a damaged one ends the search", "training/snapshots.py", "refused.append(str(error))", "raise", "test_snapshots"),
    Mutation("snapshots: refusals not told", "training/snapshots.py", "tuple(refused))", "())", "test_snapshots"),
    Mutation("snapshots: what a killed writer left stays", "training/snapshots.py", "unfinished.unlink(missing_ok=True)", "pass", "test_snapshots"),
    Mutation("snapshots: let go before the new one is whole", "training/snapshots.py", "    save(home / f", "    [p.unlink() for p in home.glob('step-*')]; save(home / f", "test_snapshots"),
    # what the site's cells assert with
    Mutation("equations: all hold", "teaching/equations.py", "if not gap.error <= limit:", "if gap.error > limit + 1e9:", "test_equations"),
    Mutation("equations: NaN holds", "teaching/equations.py", "if not gap.error <= limit:", "if gap.error > limit:", "test_equations"),
    Mutation("equations: whole numbers with a tolerance", "teaching/equations.py", "0.0 if gap.exact else tolerance", "tolerance", "test_equations"),
    Mutation("equations: the last error in place of the largest", "teaching/equations.py", "max(worst, gap.error), exact", "gap.error, exact", "test_equations"),
    Mutation("equations: a bound the other way round", "teaching/equations.py", "sides.margin(leaf, a, b)", "sides.margin(leaf, b, a)", "test_equations"),
    Mutation("equations: no bound is broken", "teaching/equations.py", "if not gap.error >= -tolerance:", "if gap.error == -tolerance - 1e9:", "test_equations"),
    Mutation("equations: what should fail may hold", "teaching/equations.py", "if not gap.error >= at_least:", "if gap.error < 0:", "test_equations"),
    Mutation("equations: one leaf must fail, but which", "teaching/equations.py", "np.argmax([g.error", "np.argmin([g.error", "test_equations"),
    Mutation("equations: any label", "teaching/equations.py", "if not re.fullmatch(LABEL, label):", "if False:", "test_equations"),
    Mutation("equations: read in another order", "teaching/equations.py", "key=lambda at: at[0])", "key=lambda at: -at[0])", "test_equations"),
    Mutation("equations: a line that contradicts itself believed", "teaching/equations.py", 'return self.value <= float(f"{self.limit:.1e}")', "return True", "test_equations"),
    Mutation("exercises: every answer is right", "teaching/exercises/__init__.py", "    if problem:", "    if False:", "test_exercises"),
    Mutation("exercises: no answer is right", "teaching/exercises/__init__.py", "    if problem:", "    if True:\n        problem = problem or name", "test_exercises"),
    Mutation("exercises: the reason is left out", "teaching/exercises/__init__.py", "problem.splitlines()]", "problem.splitlines()[:1]]", "test_exercises"),
    Mutation("exercises: any name", "teaching/exercises/__init__.py", "task = _TASKS[name]", "task = _TASKS[NAMES[0]]", "test_exercises"),
    Mutation("exercises: anything is a function", "teaching/exercises/__init__.py", "if not callable(answer):", "if False:", "test_exercises"),
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
    parser = argparse.ArgumentParser(description="Break the library, and see the tests turn red.")
    parser.add_argument("files", nargs="*", help="only mutations of these files of the library")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at once (default: cores)")
    options = parser.parse_args()
    if unknown := set(options.files) - {mutation.file for mutation in MUTATIONS}:
        parser.error(f"no mutation is of {', '.join(sorted(unknown))}")
    chosen = [m for m in MUTATIONS if not options.files or m.file in options.files]
    print(f"{len(chosen)} mutations, after the unbroken copy")
    sound = run(None, sorted({mutation.tests for mutation in chosen}))
    if sound.returncode:
        print(sound.stdout, sound.stderr)
        sys.exit("the tests fail on the unbroken library: nothing can be learnt from mutations")
    survived = 0
    with ThreadPoolExecutor(options.jobs) as workers:
        outcomes = workers.map(lambda m: run(m, [m.tests]), chosen)
        for mutation, outcome in zip(chosen, outcomes, strict=True):
            red = outcome.returncode in {1, 2}  # 2: a run that the test file prepares has failed
            survived += not red
            print(
                f"{'red     ' if red else 'SURVIVED'} {mutation.what} ({mutation.tests})",
                flush=True,
            )
    print(f"{len(chosen) - survived} of {len(chosen)} seen")
    return survived


if __name__ == "__main__":
    sys.exit(main())
