"""Write `constraints.txt`: a version of every package that any session installs, for every Python.

`nox -s constraints` runs this. uv resolves all dependency groups at once, for Python 3.11 and all newer
ones and for all systems, into the standard lock format (pylock.toml), which also knows sizes; what is
kept here is names, versions, markers, and how many megabytes the wheel for this machine takes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from sysconfig import get_platform
from urllib.parse import urlsplit

from packaging.tags import platform_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
# PyTorch is held here: a newer one is taken by hand, after its release has been tried.
HELD = "torch==2.13.0"
# Only PyTorch with CUDA needs these. No session asks for it, so they are left out.
CUDA = ("nvidia-", "cuda-", "triton")
# Wheels of PyTorch without CUDA lie in an index of their own, which does not tell sizes.
TORCH_WITHOUT_CUDA = 192
EVERY = "python_full_version >= '3.11'"
HEADER = """\
# The versions that every session, the workflows, Read the Docs and Binder use. Do not edit: renewed by
#     python3 run.py nox -s constraints
# The megabytes are those of the largest wheel for {platform}; PyTorch is the build without CUDA.
"""


def resolve(uv: list[str], groups: list[str]) -> list[dict]:
    """Return the packages of the lock that uv writes for all groups together."""
    with tempfile.TemporaryDirectory() as folder:
        held, lock = Path(folder, "held.txt"), Path(folder, "pylock.toml")
        held.write_text(HELD, encoding="utf-8")
        command = [*uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
        command += ["--all-extras", "pyproject.toml", *(f"--group={group}" for group in groups)]
        command += ["--constraint", str(held), "--output-file", str(lock)]
        subprocess.run(command, cwd=ROOT, check=True)
        return tomllib.loads(lock.read_text(encoding="utf-8"))["packages"]


def megabytes(package: dict, platforms: set[str]) -> float:
    """Return the size of what this machine fetches: of the largest wheel that fits, else of the source."""
    if package["name"] == "torch":
        return TORCH_WITHOUT_CUDA
    sizes = []
    for wheel in package.get("wheels", []):
        name = wheel.get("name") or urlsplit(wheel["url"]).path.rpartition("/")[2]
        if platforms & {tag.platform for tag in parse_wheel_filename(name)[3]}:
            sizes.append(wheel["size"])
    return max(sizes or [package["sdist"]["size"]]) / 1e6


def main(uv: list[str]) -> None:
    """Write the file, for the dependency groups of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    platforms = {"any", *platform_tags()}
    lines, cuda = [], 0.0
    for package in resolve(uv, list(project["dependency-groups"])):
        size = megabytes(package, platforms)
        if package["name"].startswith(CUDA):
            cuda += size
            continue
        # Without more words a line holds for every Python that pyproject.toml allows.
        marker = "" if package["marker"] == EVERY else f" ; {package['marker']}"
        lines.append(f"{package['name']}=={package['version']}{marker}  # {size:.2f} MB\n")
    target = ROOT / "constraints.txt"
    target.write_text(HEADER.format(platform=get_platform()) + "".join(lines), encoding="utf-8")
    print(f"{target.name}: {len(lines)} lines; left out: {cuda:.0f} MB of packages for CUDA")


if __name__ == "__main__":
    main(sys.argv[1:])
