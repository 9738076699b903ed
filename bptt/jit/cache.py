"""Where compiled loops are kept between processes, and how they are loaded."""

import hashlib
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from numba import njit
from numba.core.errors import NumbaError

from bptt.jit.functions import OPTIONS
from bptt.training.storage import replace_file

if TYPE_CHECKING:
    from bptt.jit.untyped import Untyped

log = logging.getLogger("bptt")
LOOP = {**OPTIONS, "nogil": True}  # other threads run meanwhile


class Program(NamedTuple):
    """The two compiled loops of one cell in one precision."""

    forward: Callable[..., object]
    backward: Callable[..., object]


def folder() -> Path:
    """Return where texts and compiled code are kept: below NUMBA_CACHE_DIR if set, else the user's cache folder."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given) / "bptt"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(local) / "bptt" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "bptt"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bptt"


@cache
def _made_with() -> str:
    """Return what compiled code depends on beside a text: versions, and the modules that the text imports."""
    digest = hashlib.sha256()
    for name in ("functions.py", "memory.py", "products.py"):
        digest.update(Path(__file__).with_name(name).read_bytes())
    packages = " ".join(f"{name} {version(name)}" for name in ("numba", "llvmlite", "numpy"))
    return f"# Python {sys.version_info[:2]}, {packages}, bptt {digest.hexdigest()[:16]}\n"


@lru_cache(maxsize=256)
def load(text: str) -> Program:
    """Return the compiled loops of a text; they are compiled, or read from disk, at their first call."""
    text = _made_with() + text
    name = f"bptt_{hashlib.sha256(text.encode()).hexdigest()[:20]}"
    path, kept = _written(name, text)
    module = sys.modules.setdefault(name, ModuleType(name))  # Numba looks for it there
    exec(compile(text, path, "exec"), module.__dict__)  # noqa: S102 - the text is source.py's
    about = module.__doc__ or name
    if kept:
        log.info("%s: compiled at its first call, for some seconds, then kept in %s", about, path)
    return Program(*(_Loop(loop, about, kept=kept) for loop in (module.forward, module.backward)))


class _Loop:
    """A loop that is compiled at its first call, or read from disk if it is kept there.

    What cannot be read or written there is removed, and done without.
    """

    def __init__(self, loop: Callable[..., None], about: str, *, kept: bool) -> None:
        self.loop, self.about, self.sure = loop, about, not kept
        try:
            self.compiled: Untyped = njit(cache=kept, **LOOP)(loop)
        except RuntimeError as error:  # Numba finds no place that it can write to
            log.warning("%s: compiled at its first call, and not kept: %s", about, error)
            self.compiled, self.sure = njit(**LOOP)(loop), True

    def __call__(self, *arguments: object) -> object:
        """Run the loop; its compiled code is read, or made and written, at the first call, before it runs."""
        if self.sure:
            return self.compiled(*arguments)
        try:
            found: object = self.compiled(*arguments)
        except NumbaError:  # has nothing to do with files
            raise
        except Exception as error:  # noqa: BLE001 - a damaged file may raise anything
            self._do_without(error)
            found = self.compiled(*arguments)
        self.sure = True
        return found

    def _do_without(self, error: Exception) -> None:
        place = Path(self.compiled.stats.cache_path)
        log.warning(
            "%s: compiled anew, for what is kept in %s cannot be used: %s: %s",
            *(self.about, place, type(error).__name__, error),
        )
        with suppress(OSError):
            for file in place.glob(f"{self.loop.__module__}.{self.loop.__name__}-*.nb?"):
                file.unlink()
        self.compiled = njit(**LOOP)(self.loop)


def _written(name: str, text: str) -> tuple[str, bool]:
    """Write a text where Numba finds it beside its compiled code; say where, and whether that went well."""
    data = text.encode()
    try:
        path = folder() / f"{name}.py"
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, data)  # never half-way, whoever reads it
    except (OSError, RuntimeError) as error:  # RuntimeError: this user has no home
        log.warning("%s: compiled at its first call, and not kept: %s", name, error)
        return f"<{name}>", False
    return str(path), True
