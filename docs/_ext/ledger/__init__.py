"""The ledger: every labeled equation, the cells that check it, the lines of the library that are it.

With ``bptt_ledger_law = False`` in conf.py equations may be without checks and code; a name that none has is always red.
"""

import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from _ext.execution.record import Page
from _ext.ledger import index, page_links, rules
from _ext.ledger.model import enter, ledger
from _ext.ledger.source import TAG

log = logging.getLogger(__name__)


def _tags_to_roles(app: Sphinx, *what: Any) -> None:
    """Turn the tags in a docstring into links, once napoleon has done its work."""
    lines: list[str] = what[-1]
    roles = {tag: f":eq:`{label}`" for label, tag in app.config.static_math_tags.items()}
    lines[:] = [re.sub(TAG, lambda tag: roles.get(tag[1], tag[0]), line) for line in lines]


def _check(app: Sphinx, _env: BuildEnvironment) -> None:
    """Warn of everything that is against the law; of single pages, only of what they say themselves."""
    book, out = ledger(app), Path(app.outdir).parent
    broken = [*rules.of_checks(book), *rules.of_source(book)]
    if not app.config.bptt_only_pages:
        broken += rules.of_excuses(book, Path(app.srcdir) / "equations.toml")
        if app.config.bptt_ledger_law:
            pages = map(Page.load, (out / "records").glob("*.json"))
            stopped = {page.docname for page in pages if page.failed or page.why_not}
            broken += rules.of_equations(book, stopped)
        (out / "ledger.json").write_text(json.dumps(book.summary()), encoding="utf-8")
    for words, where in broken:
        log.warning("%s", words, location=where, type="bptt", subtype="ledger")


def setup(app: Sphinx) -> None:
    """Read with the pages, check when all are read, show as they are written."""
    app.add_css_file("ledger.css")
    app.connect("autodoc-process-docstring", _tags_to_roles, priority=650)
    app.connect("doctree-read", enter)
    app.connect("env-check-consistency", _check)
    app.connect("doctree-resolved", page_links.show)
    app.connect("doctree-resolved", index.fill)
