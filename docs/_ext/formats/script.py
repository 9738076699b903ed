"""What a cell of a page becomes in the page's script."""

import ast

from nbformat import NotebookNode

from _ext.slicing.page_data import parsed

GUARD = 'if __name__ == "__main__":'


def script_name(docname: str) -> str:
    """Return the name of a page's script: one that no import can mean, as dask.py would be meant."""
    return f"{docname.replace('/', '-')}.py"


def _indented(source: str) -> list[str]:
    """Return the lines of code one step to the right, but for the later lines of strings."""
    texts = (n for n in ast.walk(parsed(source)) if isinstance(n, (ast.Constant, ast.JoinedStr)))
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
    """Put a cell behind a guard, so that a process that imports the script does nothing: Dask sends functions whole."""
    return "\n".join([GUARD, *_indented(source)])
