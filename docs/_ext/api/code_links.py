"""Show sphinx-codeautolink a page's blocks of code alone, and put the rest of the page around them again.

It parses all that it is given, and a formula is hundreds of elements: whole pages took it half of Sphinx's own time.
It links code as a handler of ``html-page-context``, with Sphinx's usual priority; were that to change, it would see
whole pages and link them as well, only later.
"""

import re
from typing import Any

from sphinx.application import Sphinx

USUAL = 500  # the priority of a handler that names none
BLOCK = re.compile(r'<div class="(?:highlight-|doctest).*?</pre>\s*</div>\s*</div>', re.DOTALL)
SEAM = "\n<!-- a block of code -->\n"


def _code_alone(_app: Sphinx, _name: str, _template: str, context: dict[str, Any], _: Any) -> None:
    context["around_code"] = BLOCK.split(context.get("body", ""))
    context["body"] = "".join(SEAM + block for block in BLOCK.findall(context.get("body", "")))


def _whole(_app: Sphinx, _name: str, _template: str, context: dict[str, Any], _: Any) -> None:
    first, *rest = context.pop("around_code")
    blocks = context["body"].split(SEAM)[1:]
    context["body"] = first + "".join(a + b for a, b in zip(blocks, rest, strict=True))


def setup(app: Sphinx) -> None:
    """Stand before and after codeautolink; all that looks at a page's body comes later."""
    app.connect("html-page-context", _code_alone, priority=USUAL - 100)
    app.connect("html-page-context", _whole, priority=USUAL + 50)
