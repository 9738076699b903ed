"""Where compiled loops are kept between processes, and how they are loaded."""

import hashlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from numba import njit

from bptt.jit.functions import OPTIONS

if TYPE_CHECKING:
    from bptt.jit.untyped import NumbaFunction

log = logging.getLogger("bptt")


class Program(NamedTuple):
    """The two compiled loops of one cell in one precision."""

    forward: Callable[..., None]
    backward: Callable[..., None]


def folder() -> Path:
    """Return where texts and compiled code are kept: below NUMBA_CACHE_DIR if set, else the user's cache folder."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return Path(given) / "bptt"
    if sys.platform == "win32":
        return (
            Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
            / "bptt"
            / "Cache"
        )
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
    compiled: NumbaFunction = njit(nogil=True, cache=kept, **OPTIONS)
    if kept:
        log.info(
            "%s: compiled at its first call, for some seconds, then kept in %s",
            module.__doc__,
            path,
        )
    return Program(compiled(module.forward), compiled(module.backward))


def _written(name: str, text: str) -> tuple[str, bool]:
    """Write a text where Numba finds it beside its compiled code; say where, and whether that went well."""
    path = folder() / f"{name}.py"
    try:
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=path.parent, encoding="utf-8", delete=False
            ) as file:
                file.write(text)
            Path(file.name).replace(path)  # never half-way, whoever reads it
    except OSError:
        return f"<{name}>", False
    return str(path), True
