r"""Write TeX without the site's own macros, for where nobody knows them: ``\pd{C}{w}`` as a fraction."""

from __future__ import annotations

import re
from typing import Any


def without_macros(tex: str, macros: dict[str, Any]) -> str:
    """Return TeX with macros written out; they are given as ``static_math_macros`` has them."""
    for name, value in macros.items():
        body, count = value if isinstance(value, (list, tuple)) else (value, 0)
        call = re.compile(rf"\\{name}(?![a-zA-Z])\s?")
        while found := call.search(tex):
            arguments, end = _arguments(tex, found.end(), count)
            said = body
            for k, argument in enumerate(arguments, 1):
                said = said.replace(f"#{k}", argument)
            tex = tex[: found.start()] + said + tex[end:]
    return tex


def _arguments(tex: str, start: int, count: int) -> tuple[list[str], int]:
    """Return the arguments of a macro that begin at `start`, and where they end."""
    found = []
    for _ in range(count):
        while tex[start].isspace():
            start += 1
        end, depth = start, 0
        while True:
            depth += {"{": 1, "}": -1}.get(tex[end], 0)
            end += 1
            if not depth:
                break
        if tex[start] == "\\":
            end = start + len(re.match(r"\\([a-zA-Z]+|.)", tex[start:])[0])  # type: ignore[index]
        found.append(tex[start:end].removeprefix("{").removesuffix("}"))
        start = end
    return found, start
