"""Draw changes of the library at random, run the tests that reach each change, and report those that pass.

Run it with `nox -s mutants`; `-- --quick` draws 40 mutants in place of 400, `--seed N` other ones. A mutant is
the library with one change: another operator, number or comparison, a condition negated, two arguments
exchanged, an argument or a statement left out. Not drawn is what changes no result: texts, types, assertions
for type checkers, the order of the arguments of a symmetric function, the lengths that `zip` compares,
which negative number stands for the length that `reshape` finds.

Everything happens in a copy of the library, its tests, and the pages whose answers these run. Once for each
state of them, all tests run with coverage measured test by test. After that a mutant is met by the tests that
reach its line (by those that reach its module, if few reach the line: it may be run at import, be compiled, or keep
for later tests what it gave the first), the ten fastest of each file first, until one fails or they have taken half
a minute: what survives then is met by all of them with `-- --again FILE --seconds 1e6`.
`tests/equivalent_mutants.txt` lists mutants that no test can tell from the library, each with the reason.

mutmut 3 changes functions alone and draws nothing at random; Cosmic Ray has one command for all mutants.
"""

# ruff: noqa: T201  (a program: it prints)

import argparse
import ast
import copy
import gc
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import coverage
import pytest

ROOT = Path(__file__).parents[1]
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.txt")
# Not hypothesis: pytest must load its plugin before anything imports it.
HEAVY = ("matplotlib.pyplot", "numba", "numpy", "safetensors", "sympy")
SELECTION = ["-m", "not house", "--ignore=tests/docs", "--ignore=tests/browser"]
OPTIONS = ["-q", "-o", "addopts=", "--tb=no", "-p", "no:cacheprovider", *SELECTION]
BROKEN = 70  # the status of a child that failed by itself: no verdict on a mutant
FEW = 4  # tests that reach a line: with fewer, all that reach the module are taken
SAVED = "every-test.json"  # in a state's folder: what its tests reach, and how long they take

OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.And: ast.Or, ast.Or: ast.And, ast.USub: ast.UAdd,
}  # fmt: skip
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
# What has no effect on results: texts, annotations, what type checkers alone read.
UNTOUCHED = (ast.JoinedStr, ast.Assert, ast.Import, ast.ImportFrom)
SYMMETRIC = {"max", "min", "maximum", "minimum", "add", "multiply", "gcd"}
TYPING = ("TYPE_CHECKING", "TypeVar", "TypeAlias", "__all__", "@overload")


class Mutant(NamedTuple):
    """One change: its name for people, the file, its lines, the bytes it replaces, what replaces them."""

    key: str
    file: str
    lines: tuple[int, int]
    span: tuple[int, int]
    new: str


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node may be replaced by."""
    match node:
        case ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.AugAssign(op=op) if type(op) in OPERATORS:
            yield changed(node, op=OPERATORS[type(op)]())
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield node.operand
        case ast.Compare(ops=[op]):
            yield from (changed(node, ops=[other()]) for other in COMPARISONS[type(op)])
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Constant(value=float() as value):
            yield ast.Constant(value * 2 or 1.0)
        case ast.Slice(lower=lower, upper=upper):
            yield from (changed(node, lower=None) for _ in [lower] if lower)
            yield from (changed(node, upper=None) for _ in [upper] if upper)
        case ast.Subscript(slice=ast.Name() as index, ctx=ast.Load()):
            one = ast.BinOp(index, ast.Sub(), ast.Constant(1))
            yield changed(node, slice=one)
        case ast.Call(args=args, keywords=keywords):
            name = ast.unparse(node.func).rpartition(".")[2]
            if len(args) > 1 and name not in SYMMETRIC and not isinstance(args[1], ast.Starred):
                yield changed(node, args=[args[1], args[0], *args[2:]])
            for one in keywords:
                if one.arg != "strict":
                    yield changed(node, keywords=[k for k in keywords if k is not one])
    if isinstance(node, (ast.If, ast.IfExp, ast.While)):
        yield changed(node, test=ast.UnaryOp(ast.Not(), node.test))
    calls = isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
    places = isinstance(node, ast.Assign) and not isinstance(node.targets[0], (ast.Name, ast.Tuple))
    if calls or places or isinstance(node, (ast.AugAssign, ast.Raise, ast.Continue, ast.Break)):
        yield ast.Pass()


def changed(node: ast.AST, **fields: Any) -> ast.AST:
    """Return a copy of a node with some fields replaced."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def is_reshape(node: ast.AST) -> bool:
    """Say whether a node calls `reshape`: there NumPy takes -2, too, for the length that it is to find."""
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("reshape")


def sites(node: ast.AST, scope: str = "", statement: Any = None) -> Iterator[tuple[Any, str, Any]]:
    """Yield the nodes that may change, each with its function or class and its statement."""
    if isinstance(node, ast.stmt):
        statement = node
        header = ast.unparse(node).partition("\n")[0]
        if isinstance(node, UNTOUCHED) or any(word in header for word in TYPING):
            return
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        scope = f"{scope}.{node.name}".lstrip(".")
    if hasattr(node, "end_lineno"):
        yield node, scope, statement
    for field, value in ast.iter_fields(node):
        if field not in {"annotation", "returns", "decorator_list", "keywords"}:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.UnaryOp) and is_reshape(node):
                    yield child, scope, statement
                elif isinstance(child, ast.AST) and not isinstance(child, UNTOUCHED):
                    yield from sites(child, scope, statement)
        if field == "keywords":
            for keyword in value:
                if keyword.arg != "strict":
                    yield from sites(keyword.value, scope, statement)


def mutants_of(path: Path, library: Path) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    raw = path.read_bytes()
    starts = [0]
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    file = path.relative_to(library).as_posix()
    seen: Counter[str] = Counter()
    for node, scope, statement in sites(ast.parse(raw)):
        for variant in variants(node):
            old_part: Any = node
            new_part: Any = variant
            if isinstance(node, (ast.If, ast.IfExp, ast.While)):
                old_part, new_part = node.test, variant.test  # type: ignore[attr-defined]
            old, new = ast.unparse(old_part), ast.unparse(ast.fix_missing_locations(new_part))
            key = f"{file} {scope}: {old} -> {new}"
            key = " ".join(key.split())
            seen[key] += 1
            if seen[key] > 1:
                key += f" (place {seen[key]})"
            atom = isinstance(new_part, (ast.stmt, ast.Slice, ast.Constant))
            start = starts[old_part.lineno - 1] + old_part.col_offset
            end = starts[old_part.end_lineno - 1] + old_part.end_col_offset
            lines = statement.lineno, old_part.end_lineno
            yield Mutant(key, file, lines, (start, end), new if atom else f"({new})")


def all_mutants(library: Path) -> list[Mutant]:
    """Return every mutant of the library, in one order."""
    return [m for path in sorted(library.rglob("*.py")) for m in mutants_of(path, library)]


def broken(mutant: Mutant, raw: bytes) -> bytes:
    """Return a module with the change in it."""
    start, end = mutant.span
    lines = raw[start:end].count(b"\n")  # so that what comes after has the lines that it had
    new = mutant.new.encode()
    new = new[:-1] + b"\n" * lines + b")" if new.endswith(b")") else new + b"\n" * lines
    return raw[:start] + new + raw[end:]


def equivalents() -> dict[str, str]:
    """Return the listed mutants, each with the reason why no test can see it."""
    entries: dict[str, str] = {}
    key = ""
    for line in EQUIVALENT.read_text("utf-8").splitlines():
        if line.startswith("    "):
            entries[key] = f"{entries[key]} {line.strip()}".strip()
        elif line and not line.startswith("#"):
            key = line
            entries[key] = ""
    return entries


class Recorder:
    """A plugin of pytest: the context of coverage is the test, and each test's seconds are noted."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.measured, self.tracer = measured, sys.gettrace()
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Run one test in its own context, traced even where `conftest.py` turns tracing off."""
        sys.settrace(self.tracer)
        self.measured.switch_context(item.nodeid)
        began = time.perf_counter()
        result = yield
        self.seconds[item.nodeid] = time.perf_counter() - began
        self.measured.switch_context("")
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Leave out what fails on the library itself."""
        if report.failed:
            self.failed.add(report.nodeid)


class Chosen:
    """A plugin of pytest: run the chosen tests alone, in the order given."""

    def __init__(self, tests: list[str]) -> None:
        self.order = {test: i for i, test in enumerate(tests)}
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out and sort."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order),
            key=lambda item: self.order[item.nodeid],
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what failed."""
        if report.failed:
            self.failed = report.nodeid


def in_child(work: Callable[[], int], limit: float) -> int | None:
    """Run a function in a fork of this process; return its status, None if it took too long.

    Raises RuntimeError if the function itself failed: then there is no verdict.
    """
    child = os.fork()
    if child == 0:
        os.setsid()
        sys.stdout.flush()
        told = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            os._exit(work())
        except BaseException:  # noqa: BLE001 - whatever it is, it is told
            os.write(told, traceback.format_exc().encode())
        finally:
            os._exit(BROKEN)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done and (code := os.waitstatus_to_exitcode(status)) == BROKEN:
            msg = "a process of this program failed, not a test"
            raise RuntimeError(msg)
        if done:
            return code
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def enter(folder: Path) -> None:
    """Make this process see the copy in a folder, and no other state of the library."""
    os.chdir(folder)
    sys.path[:] = [
        str(folder),
        *(p for p in sys.path if Path(p).resolve() not in {ROOT, ROOT / "tests"}),
    ]
    os.environ |= {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "numba")}
    if loaded := [name for name in sys.modules if name.partition(".")[0] == "bptt"]:
        sys.exit(f"the library must not be imported before its copy is: {loaded}")


def record(folder: Path) -> int:
    """Run all tests of a copy; keep what each reaches and how long it takes."""
    enter(folder)
    library = folder / "bptt"
    # In memory: of a file, any fork that a test makes would begin by erasing what it holds.
    measured = coverage.Coverage(data_file=None, source=[str(library)], config_file=False)
    measured.start()
    recorder = Recorder(measured)
    status = int(pytest.main(OPTIONS, plugins=[recorder]))
    measured.stop()
    data = measured.get_data()
    passed = {test: s for test, s in recorder.seconds.items() if test not in recorder.failed}
    number = {test: k for k, test in enumerate(passed)}
    lines = {
        Path(file).relative_to(library).as_posix(): {
            line: [number[test] for test in tests if test in number]
            for line, tests in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }
    (folder / "failed.txt").write_text("\n".join(sorted(recorder.failed)), "utf-8")
    (folder / SAVED).write_text(json.dumps([passed, lines]), "utf-8")
    return status


def prepared() -> Path:
    """Return the folder of this state of library and tests, in which all tests have run."""
    names = ["bptt", "tests", "docs/exercises", "pyproject.toml"]  # the answers are there
    files = [
        f
        for name in names
        for f in ([ROOT / name] if "." in name else (ROOT / name).rglob("*"))
        if f.suffix in {".md", ".py", ".toml", ".txt"}
    ]
    digest = hashlib.sha256(b"".join(str(f).encode() + f.read_bytes() for f in sorted(files)))
    folder = ROOT / ".cache" / "mutants" / digest.hexdigest()[:16]
    if not (folder / SAVED).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in names[:-1]:
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        shutil.copy(ROOT / names[-1], folder)
        print("all tests, each with what it reaches ...", flush=True)
        status = in_child(lambda: record(folder), 3600)
        if status not in {0, 1}:
            sys.exit(f"the tests could not be run: pytest ended with {status}")
        if status:
            print(
                f"left out, for they fail on the library itself: {(folder / 'failed.txt').read_text()}"
            )
    return folder


class Reach:
    """Which tests reach which lines of the library, and how many seconds of them a mutant is met by."""

    def __init__(self, folder: Path, most: float) -> None:
        self.most = most
        self.seconds: dict[str, float]
        self.lines: dict[str, dict[str, list[int]]]
        self.seconds, self.lines = json.loads((folder / SAVED).read_text("utf-8"))
        self.tests = list(self.seconds)

    def batches(self, mutant: Mutant) -> list[list[str]]:
        """Return the tests that reach a mutant: ten of a file, ten of the next; then what is left, while there is time."""
        by_line = self.lines.get(mutant.file, {})
        first, last = mutant.lines
        found = {test for n in range(first, last + 1) for test in by_line.get(str(n), ())}
        if len(found) < FEW:
            found = {test for tests in by_line.values() for test in tests}
        files: dict[str, list[str]] = {}
        for test in sorted((self.tests[k] for k in found), key=self.seconds.__getitem__):
            files.setdefault(test.partition("::")[0], []).append(test)
        few = [tests[:10] for tests in files.values()]
        few.sort(key=self.total)
        few.sort(key=lambda tests: Path(mutant.file).stem not in tests[0].partition("::")[0])
        rest = [test for tests in files.values() for test in tests[10:]]
        taken = accumulate(self.seconds[test] for tests in [*few, rest] for test in tests)
        return [[test for test in tests if next(taken) < self.most] for tests in [*few, rest]]

    def total(self, tests: list[str]) -> float:
        """Return the seconds that some tests take."""
        return sum(self.seconds[test] for test in tests)


def start_worker(folder: Path, scratch: str, most: float) -> None:
    """Give a process a copy of its own, and load what every test needs."""
    global own, reach  # noqa: PLW0603 - a worker's own
    own = Path(tempfile.mkdtemp(dir=scratch)) / "copy"
    shutil.copytree(folder, own)
    reach = Reach(folder, most)
    for name in HEAVY:
        import_module(name)


class Patching:
    """A plugin of pytest: instead of the tests, run for each mutant those that reach it, in a fork.

    There the functions that the mutant changes get its code, and neither the library nor a test is imported
    anew. What does not show in this way, as a change outside of functions, is left to `meet`.
    """

    def __init__(self, mutants: list[Mutant], log: Path) -> None:
        self.mutants, self.log, self.failed = mutants, log, ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what failed."""
        self.failed = report.nodeid if report.failed else self.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Note for each mutant that is seen which test failed."""
        items = {item.nodeid: item for item in session.items}
        for mutant in self.mutants:
            tests = [t for batch in reach.batches(mutant) for t in batch if t in items]
            work = partial(self.attempt, mutant, tests, items)
            status = in_child(work, 60 + 5 * reach.total(tests))
            if status is None or status < 0:
                self.note(mutant, "too slow, or crashed")
        return True

    def attempt(self, mutant: Mutant, tests: list[str], items: dict[str, pytest.Item]) -> int:
        """Run tests until one fails, if the mutant changes a function."""
        for test in tests if patched(mutant) else ():
            items[test].ihook.pytest_runtest_protocol(item=items[test], nextitem=None)
            if self.failed:
                self.note(mutant, self.failed)
                return 1
        return 0

    def note(self, mutant: Mutant, test: str) -> None:
        """Write down that a test has seen a mutant."""
        with self.log.open("a") as file:
            file.write(f"{mutant.key}\t{test}\n")


def patched(mutant: Mutant) -> bool:
    """Give the functions of a module the code that they have in a mutant; say whether one has changed."""
    path = own / "bptt" / mutant.file
    codes: dict[tuple[str, int], CodeType] = {}
    todo = [compile(broken(mutant, path.read_bytes()), str(path), "exec")]
    while todo:
        code = todo.pop()
        codes[code.co_qualname, code.co_firstlineno] = code
        todo += [part for part in code.co_consts if isinstance(part, CodeType)]
    found = False
    for function in [f for f in gc.get_objects() if isinstance(f, FunctionType)]:
        old = function.__code__
        new = codes.get((old.co_qualname, old.co_firstlineno), old)
        if old.co_filename == str(path) and new != old and new.co_freevars == old.co_freevars:
            function.__code__ = new
            found = True
    return found


def serve(mutants: list[Mutant]) -> list[tuple[Mutant, str]]:
    """Meet mutants: all in forks of one process, then those that were not seen, each by itself."""
    log = own / "seen"
    log.write_text("")

    def work() -> int:
        enter(own)
        return int(pytest.main([*OPTIONS, "-s"], plugins=[Patching(mutants, log)]))

    if status := in_child(work, 1e6):
        msg = f"the tests do not start on the library itself: pytest ended with {status}"
        raise RuntimeError(msg)
    seen = dict(line.split("\t") for line in log.read_text().splitlines())
    return [(m, seen[m.key]) if m.key in seen else meet(m) for m in mutants]


def meet(mutant: Mutant) -> tuple[Mutant, str]:
    """Run the tests that reach a mutant; return it with the test that failed, or "" if none did."""
    batches = [batch for batch in reach.batches(mutant) if batch]
    path = own / "bptt" / mutant.file
    whole = path.read_bytes()
    said = own / "failed"
    said.write_text("")

    def work() -> int:
        sys.dont_write_bytecode = True
        enter(own)
        status = 0
        for tests in batches:
            chosen = Chosen(tests)
            files = sorted({test.partition("::")[0] for test in tests})
            status = int(pytest.main([*OPTIONS, "-x", *files], plugins=[chosen]))
            said.write_text(chosen.failed)
            if status not in {0, 5}:
                return status
        return 0

    for stale in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        stale.unlink()
    path.write_bytes(broken(mutant, whole))
    try:
        limit = 60 + 5 * sum(map(reach.total, batches))
        status = in_child(work, limit) if batches else 0
    finally:
        path.write_bytes(whole)
    seen = said.read_text() or ("" if status == 0 else f"too slow or ended: {status}")
    return mutant, seen


def main() -> int:
    """Print a line for each mutant, then the survivors and the score; return how many survived."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--number", type=int, default=400, help="of mutants drawn (default: 400)")
    parser.add_argument("--quick", action="store_true", help="draw 40")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at once (default: cores)")
    parser.add_argument(
        "--again", type=Path, help="in place of a draw: the mutants named in this file"
    )
    parser.add_argument("--floor", type=float, default=97.0, help="per cent that must be seen")
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="of tests that meet a mutant (default: 30)"
    )
    options = parser.parse_args()
    folder = prepared()
    every = all_mutants(folder / "bptt")
    if options.again:
        wanted = set(options.again.read_text("utf-8").splitlines())
        drawn = [mutant for mutant in every if mutant.key in wanted]
    else:
        number = 40 if options.quick else options.number
        drawn = random.Random(options.seed).sample(every, number)
    listed = equivalents()
    chosen = [mutant for mutant in drawn if mutant.key not in listed]
    print(
        f"{len(drawn)} of {len(every)} mutants, {len(drawn) - len(chosen)} of them listed as equivalent"
    )
    survivors = []
    parts = [chosen[i : i + 50] for i in range(0, len(chosen), 50)]
    with (
        tempfile.TemporaryDirectory(prefix="bptt-mutants-") as scratch,
        ProcessPoolExecutor(
            options.jobs, initializer=start_worker, initargs=(folder, scratch, options.seconds)
        ) as workers,
    ):
        for mutant, seen in (pair for pairs in workers.map(serve, parts) for pair in pairs):
            print(f"{'seen' if seen else 'SURVIVED'} {mutant.key}  [{seen}]", flush=True)
            if not seen:
                survivors.append(mutant)
    score = 100 * (1 - len(survivors) / max(len(chosen), 1))
    print("\n".join(["", *(f"{m.file}:{m.lines[0]} {m.key}" for m in survivors)]))
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} seen, {score:.1f} %")
    return int(score < options.floor)


if __name__ == "__main__":
    sys.exit(main())
