"""Know whether a green build is still what a build from nothing would be.

A stamp is left by a green build and by no other. It says what the build read (every file of the repository that
one could read, every installed version, what the environment sets) and what it left. docs/build.py believes the
last build only if all of it is as it was; if pages alone were edited, only they are read again (see facts.py);
else nothing of the last build is used but the outputs of cells.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path

from _ext.publishing.build_info import commit

SKIPPED = {"__pycache__", "_build", "dist", "node_modules"}
LEFT = ("html", "doctrees", "records", "outputs", "llms")


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.name in SKIPPED or path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _digest(parts: Iterator[bytes] | list[bytes]) -> str:
    seen = sha256()
    for part in parts:
        seen.update(len(part).to_bytes(8, "big") + part)
    return seen.hexdigest()


@dataclass
class Stamp:
    """What a build reads: pages by name, all else as one digest; and the commit, which is only told."""

    pages: dict[str, str]
    rest: str
    commit: str
    left: str = ""

    @classmethod
    def take(cls, docs: Path, environment: dict[str, str]) -> Stamp:
        """Look at everything that a build of `docs` could read now."""
        root = docs.parent
        pages: dict[str, str] = {}
        rest = [platform.python_version(), platform.platform()]
        rest += sorted(f"{d.name}=={d.version}" for d in distributions())
        told = ("BPTT_", "READTHEDOCS", "SOURCE_DATE", "PYTHON")
        rest += sorted(f"{k}={v}" for k, v in environment.items() if k.startswith(told))
        for path in _files(root):
            name = path.relative_to(root).as_posix()
            digest = sha256(path.read_bytes()).hexdigest()
            inside = path.relative_to(docs).as_posix() if path.is_relative_to(docs) else "_"
            if path.suffix == ".md" and not inside.startswith("_"):
                pages[inside.removesuffix(".md")] = digest
            else:
                rest.append(f"{name} {digest}")
        return cls(pages, _digest([r.encode() for r in rest]), commit(root))

    @staticmethod
    def _left(root: Path) -> str:
        files = [p for folder in LEFT if (root / folder).is_dir() for p in _files(root / folder)]
        return _digest(b for p in files for b in (str(p).encode(), p.read_bytes()))

    def leave(self, root: Path) -> None:
        """Write the stamp of the green build in `root`."""
        self.left = self._left(root)
        (root / "green.json").write_text(json.dumps(asdict(self), indent=1), "utf-8")

    def edited(self, root: Path) -> list[str] | None:
        """Return the pages edited since the green build in `root`; None if there is none to go on from."""
        file = root / "green.json"
        if not file.is_file():
            return None
        last = Stamp(**json.loads(file.read_text("utf-8")))
        same = last.rest == self.rest and last.pages.keys() == self.pages.keys()
        if not same or last.left != self._left(root):
            return None
        return [name for name, digest in self.pages.items() if last.pages[name] != digest]

    def told(self, root: Path) -> bool:
        """Say whether the build in `root` tells the commit that is checked out."""
        return bool(json.loads((root / "green.json").read_text("utf-8"))["commit"] == self.commit)


def remove(root: Path) -> None:
    """Take the stamp away, before anything of the build is touched."""
    (root / "green.json").unlink(missing_ok=True)
