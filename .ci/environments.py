"""The virtual environments of the sessions in noxfile.py: shared, filled once, and nothing twice.

nox gives each session an environment of its own. Seven sessions here need the same large packages, so
that they ask nox for none (`venv_backend="none"`) and share one that this module makes with uv.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nox
from packaging.requirements import Requirement

PROJECT = nox.project.load_toml("pyproject.toml")
CONSTRAINTS = "constraints.txt"
# uv comes with nox[uv], beside nox, or is a program of its own, as where `uvx` runs nox.
UV = (sys.executable, "-m", "uv") if find_spec("uv") else ("uv",)
FRAMEWORKS = "frameworks"  # the group of PyTorch and JAX
# The arrays of pages and tests are small: threads of the matrix library only fight with the workers.
ONE_THREAD = {
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}
# Where uv, pip, Jupyter, IPython, matplotlib and npm keep files: in `.nox` if the home folder takes none.
KEEP_AT_HOME = (
    "XDG_CACHE_HOME", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR", "npm_config_cache",
)  # fmt: skip
os.environ.setdefault("UV_BUILD_CONSTRAINT", CONSTRAINTS)  # uv parts this at spaces: no whole path
if not os.access(Path("~").expanduser(), os.W_OK):  # as in a container
    for name in KEEP_AT_HOME:
        os.environ.setdefault(name, str(Path(".nox", "home").resolve()))


class Environment:
    """A virtual environment in `.nox/` for the Python that runs nox.

    Parameters
    ----------
    session
        The session that asks for it.
    name
        Sessions that give the same name share the environment.
    options
        How uv chooses versions; without options it takes those of `constraints.txt`.
    """

    def __init__(self, session: nox.Session, name: str = "site", *options: str) -> None:
        self.session = session
        self.home = Path(".nox", "{}-{}.{}".format(name, *sys.version_info)).resolve()
        self.programs = self.home / ("Scripts" if os.name == "nt" else "bin")
        self.executable = str(self.programs / "python")
        self.stamp = self.home / "complete.json"
        self.pins = [] if options else ["--constraint", CONSTRAINTS]
        self.options = [*options, *self.pins]

    def python(self, *arguments: str, env: dict[str, str] | None = None) -> None:
        """Run the environment's Python."""
        path = os.pathsep.join([str(self.programs), os.environ.get("PATH", os.defpath)])
        variables = {**ONE_THREAD, "PATH": path, "VIRTUAL_ENV": str(self.home), **(env or {})}
        self.session.run(self.executable, *arguments, env=variables)

    def run(self, program: str, *arguments: str, env: dict[str, str] | None = None) -> None:
        """Run a script of the repository, or a module by its name."""
        how = [program] if program.endswith(".py") else ["-m", program]
        self.python(*how, *arguments, env=env)

    def uv(self, command: str, *arguments: str) -> None:
        """Run a command of `uv pip` on the environment; what it does is shown."""
        # Each page's kernel, each snippet and each worker is a new Python: compile what they import once.
        compiled = {"UV_COMPILE_BYTECODE": "1"}
        self.session.run(*UV, "pip", command, "--python", self.executable, *arguments, env=compiled)

    def install(self, *groups: str) -> Environment:
        """Install bptt and these dependency groups where they are not installed; return self.

        Without PyTorch or JAX, where they cannot be had, the rest is installed all the same: what
        needs them says so.
        """
        files = b"".join(Path(name).read_bytes() for name in ("pyproject.toml", CONSTRAINTS))
        digest = hashlib.sha256(files).hexdigest()
        # The stamp is written last: without it an environment is made again, and so is one whose
        # versions are not those of constraints.txt, but of the day.
        stamp = json.loads(self.stamp.read_text("utf-8")) if self.stamp.is_file() else {}
        python = [sys.version, sys.base_prefix, str(self.home)]  # and it is not moved
        if stamp.get("python") != python or not self.pins:
            stamp = {"python": python, "groups": []}
            self.session.run(*UV, "venv", "--clear", "--python", sys.executable, str(self.home))
        wanted = {*stamp["groups"], *groups}
        if stamp.get("digest") != digest or wanted != set(stamp["groups"]):
            self.stamp.unlink(missing_ok=True)
            lacking = self._fill(sorted(wanted))
            done = sorted(wanted - {FRAMEWORKS} if lacking else wanted)
            stamp = {"python": python, "digest": digest, "groups": done}
            self.stamp.write_text(json.dumps(stamp), encoding="utf-8")
        return self

    def _fill(self, groups: list[str]) -> list[str]:
        """Install the groups; return the frameworks that could not be installed."""
        missing = self._missing(groups)
        self._announce(missing)
        everything = [*self.options, "--editable", ".", *(f"--group={name}" for name in groups)]
        if "torch" not in missing:
            self.uv("install", *everything)
            return []
        if self._has_cpu_builds():
            self.uv("install", "--torch-backend", "cpu", *everything)
            return []
        self.session.warn(
            "uv cannot reach PyTorch's builds without CUDA from here: pip installs the PyTorch that this "
            "machine's settings offer (on Linux possibly the one with CUDA, up to 3 GB)"
        )
        self.uv("install", "pip", *(word for word in everything if word != f"--group={FRAMEWORKS}"))
        return self._frameworks_by_pip()

    def _frameworks_by_pip(self) -> list[str]:
        """Install each framework by itself; return the names of those that failed."""
        lacking = []
        for requirement in nox.project.dependency_groups(PROJECT, FRAMEWORKS):
            try:
                if Requirement(requirement).name == "torch":
                    (version,) = wheel_sizes()["torch"]
                    # uv, which installs the next one, compiles what is there on all cores.
                    how = ["-m", "pip", "install", "--no-compile"]
                    self.python(*how, *self.pins, f"torch=={version}")
                else:
                    self.uv("install", *self.options, requirement)
            except nox.command.CommandFailed:
                self.session.warn(
                    f"{requirement} could not be installed: pages that run it are not run"
                )
                lacking.append(requirement)
        return lacking

    def _has_cpu_builds(self) -> bool:
        """Ask whether uv reaches the index of PyTorch's builds without CUDA."""
        dry = [*UV, "pip", "install", "--dry-run", "--python", self.executable, "torch"]
        asked = subprocess.run(
            [*dry, "--torch-backend", "cpu", *self.options],
            env={"UV_HTTP_RETRIES": "1", **os.environ},
            capture_output=True,
            check=False,
        )
        return asked.returncode == 0

    def _missing(self, groups: list[str]) -> dict[str, str]:
        """Return the packages, with versions, that these groups need and the environment lacks."""
        command = ["compile", "--no-header", "--no-annotate", *self.options, "pyproject.toml"]
        pinned = self._ask(*command, *(f"--group={name}" for name in groups)).split()
        listed = json.loads(self._ask("list", "--format", "json"))
        there = {package["name"]: package["version"].partition("+")[0] for package in listed}
        needed = dict(line.split("==") for line in pinned)
        return {name: version for name, version in needed.items() if there.get(name) != version}

    def _ask(self, command: str, *arguments: str) -> str:
        """Return what a command of `uv pip` prints."""
        words = [*UV, "pip", command, "--quiet", "--python", self.executable, *arguments]
        asked = subprocess.run(words, capture_output=True, text=True, check=False)
        if asked.returncode:
            self.session.error(f"{' '.join(words)}\n{asked.stderr}")
        return asked.stdout

    def _announce(self, missing: dict[str, str]) -> None:
        """Say what is fetched, and about how much, before it is."""
        sizes = wheel_sizes()
        # What constraints.txt leaves out belongs to PyTorch with CUDA, which is not asked for.
        fetched = {name: max(sizes[name].values()) for name in missing if name in sizes}
        largest = sorted(fetched, key=fetched.__getitem__, reverse=True)[:6]
        if fetched:
            parts = ", ".join(f"{name} {fetched[name]:.0f}" for name in largest)
            self.session.log(
                f"{len(fetched)} packages are installed into {self.home.name}: at most "
                f"{sum(fetched.values()):.0f} MB to fetch, less what uv has cached ({parts}, ...)"
            )


def wheel_sizes() -> dict[str, dict[str, float]]:
    """Return the megabytes that `constraints.txt` states for each version of each package."""
    sizes: dict[str, dict[str, float]] = {}
    for line in Path(CONSTRAINTS).read_text(encoding="utf-8").splitlines():
        pinned, _, size = line.partition("#")
        if pinned:
            name, version = pinned.split()[0].split("==")
            sizes.setdefault(name, {})[version] = float(size.removesuffix("MB"))
    return sizes
