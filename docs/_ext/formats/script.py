"""What a cell of a page becomes in the page's script."""

from __future__ import annotations

import ast

from nbformat import NotebookNode

GUARD = 'if __name__ == "__main__":'


def script_name(docname: str) -> str:
    """Return the name of a page's script: one that no import can mean, as dask.py would be meant."""
    return f"{docname.replace('/', '-')}.py"


def _indented(source: str) -> list[str]:
    """Return the lines of code one step to the right, but for the later lines of strings."""
    texts = (n for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.Constant, ast.JoinedStr)))
    inside = {k for text in texts for k in range(text.lineno, text.end_lineno or 0)}
    lines = enumerate(source.split("\n"))
    return [f"    {line}" if line and k not in inside else line for k, line in lines]


def expecting(cell: NotebookNode) -> str:
    """Return the code of a cell that raises, which goes on if it did."""
    error = next(o for o in cell.outputs if o.output_type == "error")
    code = "\n".join(_indented(cell.source))
    return (
        f"try:\n{code}\nexcept Exception as error:\n"
        f"    assert type(error).__name__ == {error.ename!r}\n"
        '    print(f"{type(error).__name__}: {error}")'
    )


def guarded(source: str) -> str:
    """Put the work of a cell behind a guard, so that a process that imports the script does none of it.

    Imports, definitions and constants stay where they are.
    """
    lines, deeper = source.split("\n"), _indented(source)
    out: list[str] = []
    start, opened = 0, False
    for node in ast.parse(source).body:
        end = node.end_lineno or 0
        while start < end and not lines[start].strip():
            out.append("")
            start += 1
        stays = _stays(node) or lines[node.lineno - 1].startswith(GUARD)
        if not stays and not opened:
            out.append(GUARD)
        out += (lines if stays else deeper)[start:end]
        start, opened = end, not stays
    return "\n".join(out + lines[start:])


def _stays(node: ast.stmt) -> bool:
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        try:
            ast.literal_eval(node.value or "0")  # of `n: int` there is no value
        except ValueError:
            return False
        return True
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return isinstance(node, (ast.Import, ast.ImportFrom, *definitions))
