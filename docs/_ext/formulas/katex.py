"""Render every formula while the site is built, as HTML for the eye and MathML for screen readers, without JavaScript."""

import functools
import html
import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

log = logging.getLogger(__name__)
KATEX = Path(__file__).resolve().parents[2] / "_vendor" / "katex" / "katex.min.js"
ENVIRONMENT = re.compile(r"\\begin\{([a-z]+\*?)\}(?:(?!\\begin\{).)*?\\end\{\1\}", re.DOTALL)
MATHML = "http://www.w3.org/1998/Math/MathML"
# A formula's tag is its label's affair: \tag becomes a command that KaTeX does not know, and names.
RENDER = r"""
function render(tex, display) {
  try {
    return JSON.stringify({html: katex.renderToString(tex, {
      displayMode: display, output: 'htmlAndMathml', throwOnError: true, strict: 'error',
      macros: {'\\tag': '\\LabelForATag'},
      trust: c => { throw new Error(c.command + ' is not for formulas') }})});
  } catch (e) { return JSON.stringify({error: String(e.message)}); }
}
"""

ET.register_namespace("", MATHML)


@functools.cache
def _engine(_pid: int) -> Any:
    """One engine a process: none may be carried over a fork (``-j``)."""
    from quickjs import Context  # noqa: PLC0415 - only the build needs it

    engine = Context()
    engine.set_max_stack_size(6 << 20)  # the default overflows at some twenty nested fractions
    engine.eval(KATEX.read_text(encoding="utf-8") + RENDER)
    return engine


@functools.cache
def render(tex: str, display: bool) -> tuple[str, str]:
    """Return a formula's HTML and MathML, and why it does not parse."""
    call = f"render({json.dumps(tex)}, {json.dumps(display)})"
    result = json.loads(_engine(os.getpid()).eval(call))
    return (_valid(result["html"]), "") if "html" in result else ("", result["error"])


def _valid(text: str) -> str:
    """Repair what HTML checkers refuse in KaTeX's output."""

    def repair(found: re.Match[str]) -> str:
        root = ET.fromstring(found[0])
        for e in root.iter():
            if e.tag == f"{{{MATHML}}}mo" and len(e):  # <mo> may hold text only
                e.tag = f"{{{MATHML}}}mrow"
        return ET.tostring(root, encoding="unicode")

    text = re.sub(r"<math.*?</math>", repair, text, count=1, flags=re.DOTALL)
    return re.sub(r"height:-[\d.]+em;?", "", text)  # from \vdots; no browser heeds it


def aligned(tex: str) -> str:
    """Return a display whose paragraphs are lines, aligned if it says so outside its environments."""
    tex = r" \\[0.3em] ".join(part.strip() for part in re.split(r"\n\s*\n", tex))
    bare = tex
    while (shorter := ENVIRONMENT.sub("", bare)) != bare:
        bare = shorter
    return rf"\begin{{aligned}}{tex}\end{{aligned}}" if r"\\" in bare or "&" in bare else tex


def formula(node: nodes.Element, display: bool) -> str:
    """Return the HTML of a formula's node, or warn and show its source."""
    tex = aligned(node.astext().strip()) if display else node.astext().strip()
    said, error = render(tex, display)
    if error:
        log.warning("%s, in the formula %r", error, tex, location=node, type="math")
    return said or f"<code>{html.escape(tex)}</code>"


def visit_math(self: Any, node: nodes.math) -> None:
    """Write an inline formula."""
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(formula(node, False) + "</span>")
    raise nodes.SkipNode


def visit_math_block(self: Any, node: nodes.math_block) -> None:
    """Write a display: the formula in a box that scrolls, its number beside the box."""
    number, ids = node.get("number"), node["ids"]
    if "math-wrapper" in node.parent.get("classes", ()):  # furo's wrapper bears the id already
        node["ids"] = []
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    node["ids"] = ids
    name = f"Equation {number}" if number else "Formula"
    self.body.append(
        f'<div class="math-scroll" role="group" aria-label="{name}">{formula(node, True)}</div>'
    )
    if number:
        self.body.append(
            f'<span class="eqno">({number})<a class="headerlink" href="#{html.escape(ids[0])}" '
            f'title="Link to this equation">{self.config.html_permalinks_icon}</a></span>'
        )
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register the renderer as ``html_math_renderer = "static"``."""
    app.add_html_math_renderer("static", (visit_math, None), (visit_math_block, None))
    app.add_css_file("katex/katex.min.css", priority=400)
