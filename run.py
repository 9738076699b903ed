"""Run nox, or uv, with nothing installed before: ``python3 run.py nox -s docs``.

Python 3.11 or newer with pip and venv is enough, a system's own or any other. The first call makes a
virtual environment in `.nox/` and installs nox and uv there, in the versions of `constraints.txt`;
later calls find it. The sessions that nox runs use the same Python.

Python 3.6 and newer can read this file, so that a Python that is too old gets a sentence.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parent / "constraints.txt"
VERSION = "{}.{}".format(*sys.version_info)
HOME = CONSTRAINTS.parent / ".nox" / f"tools-{VERSION}"
PROGRAMS = HOME / ("Scripts" if os.name == "nt" else "bin")
REQUIREMENT = "nox[uv]"
# They would send Python or pip elsewhere than to the environment.
ELSEWHERE = ("PIP_PREFIX", "PIP_TARGET", "PYTHONHOME", "PYTHONPATH")


def refuse_old_python(arguments):
    """Exit with a sentence if this Python is too old; name a newer one that is on PATH."""
    if sys.version_info >= (3, 11):  # noqa: UP036
        return
    newer = [name for name in map("python3.{}".format, range(20, 10, -1)) if shutil.which(name)]
    found = f"this is Python {VERSION} ({sys.executable})"
    advice = f"Try: {(newer or ['python3.13'])[0]} run.py {' '.join(arguments)}"
    sys.exit(f"run.py: Python 3.11 or newer is needed; {found}.\n{advice}")


def refuse_python_without_venv():
    """Exit with a sentence if this Python cannot make a virtual environment with pip."""
    try:
        import ensurepip  # noqa: F401, PLC0415
        import venv  # noqa: F401, PLC0415
    except ImportError as error:
        sys.exit(
            f"run.py: {sys.executable} cannot make virtual environments: it has no module {error.name}.\n"
            f"On Debian and Ubuntu: sudo apt install python{VERSION}-venv\n"
            "README.md also says how to do without, with uv or pipx."
        )


def make_environment():
    """Make the environment, if it is not there or not complete."""
    stamp = HOME / "complete.txt"
    digest = hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()
    wanted = f"{sys.version}\n{sys.base_prefix!a}\n{HOME!a}\n{REQUIREMENT}\n{digest}\n"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print(f"run.py: installs nox and uv into .nox/{HOME.name}, some 25 MB", flush=True)
    call([sys.executable, "-m", "venv", "--clear", str(HOME)])
    pip = [str(PROGRAMS / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
    call([*pip, "--constraint", str(CONSTRAINTS), REQUIREMENT])
    stamp.write_text(wanted, encoding="utf-8")  # last: without it, the environment is made again


def call(command):
    """Run a command; exit with a sentence if it fails."""
    if subprocess.call(command):
        sys.exit(f"run.py: this command failed: {' '.join(command)}")


def main(arguments):
    """Run the program that the arguments name, in the environment; return its exit code."""
    refuse_old_python(arguments)
    refuse_python_without_venv()
    for name in ELSEWHERE:
        os.environ.pop(name, None)
    os.environ["PIP_USER"] = "0"  # whatever pip's settings say
    make_environment()
    program = shutil.which(arguments[0], path=str(PROGRAMS)) if arguments else None
    if program is None:
        sys.exit("run.py: name nox or uv, and its arguments: python3 run.py nox -s docs")
    path = os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", os.defpath)])
    return subprocess.call([program, *arguments[1:]], env={**os.environ, "PATH": path})


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # what it had called was interrupted as well, and said so
        sys.exit(130)
