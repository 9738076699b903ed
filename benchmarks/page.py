"""The tables of the page: results as text that a cell of the page holds, and reads.

A cell of a page runs in an empty folder, and must run when it is copied. So the page carries its data: the
tables between ``name = \"\"\"`` and ``\"\"\"`` are written anew by `rewrite`, and nothing else of it is.
"""

import re
from pathlib import Path
from typing import Any

PEERS = ("torch", "jax", "hips", "tutorial")


def rewrite(path: Path, results: dict[str, Any]) -> None:
    """Write the tables of a page anew from results."""
    path.write_text(with_tables(path.read_text(encoding="utf-8"), results), encoding="utf-8")


def with_tables(text: str, results: dict[str, Any]) -> str:
    """Return the text of a page with tables of these results."""
    for name, table in tables(results).items():
        pattern = re.compile(rf'^({name} = """\n).*?^(""")', re.MULTILINE | re.DOTALL)
        if not pattern.search(text):
            msg = f'the page must have a cell with {name} = """'
            raise ValueError(msg)
        text = pattern.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)
    return text


def tables(results: dict[str, Any]) -> dict[str, str]:
    """Return all tables by the name that the page has for them."""
    return {
        "machine": "\n".join(f"{name}: {value}" for name, value in results["machine"].items()),
        "grid": "\n".join(
            [GRID_HEAD, *(grid_line(row) for row in results["grid"] if not row["what"])]
        ),
        "all_cores": "\n".join([GRID_HEAD, *map(grid_line, results["all cores"])]),
        "others": "\n".join(
            [GRID_HEAD, *(grid_line(row) for row in results["grid"] if row["what"])]
        ),
        "roofline": roofline_table(results["roofline"]),
        "ways": ways_table(results["ways"]),
        "growth": growth_table(results["growth"]),
        "memory": ways_table([results["memory"]]),
    }


GRID_HEAD = (
    "cell     T   B   n        ms   torch   low  high     jax   low  high    hips tutorial"
    "  compiled  c_torch   c_jax what"
)


def grid_line(row: dict[str, Any]) -> str:
    """Return a row: milliseconds of the plain loop, and the times of others over it, with quartiles.

    Then milliseconds of the compiled loop, and the times of PyTorch and JAX over that.
    """
    size = f"{row['cell']:5} {row['T']:4} {row['B']:3} {row['n']:3}"
    spreads = ""
    for peer in ("torch", "jax"):
        low, middle, high = row["ratio"][peer]
        spreads += f" {middle:7.2f} {low:5.2f} {high:5.2f}"
    rest = [row["ratio"].get(peer, [0, 0, 0])[1] for peer in ("hips", "tutorial")]
    others = f" {_or_dash(rest[0]):>7} {_or_dash(rest[1]):>8}"
    fast = [row.get("over compiled", {}).get(peer, [0, 0, 0])[1] for peer in ("torch", "jax")]
    ms = row["ms"].get("compiled")
    others += f" {f'{ms:.3f}' if ms else '-':>9} {_or_dash(fast[0]):>8} {_or_dash(fast[1]):>7}"
    return f"{size} {row['ms']['ours']:9.3f}{spreads}{others} {row['what'] or 'layer'}".rstrip()


def _or_dash(value: float) -> str:
    return f"{value:.2f}" if value else "-"


def _table(head: str, lines: list[str]) -> str:
    return "\n".join([head, *lines])


def roofline_table(rows: list[dict[str, Any]]) -> str:
    """Return rates: of the layer, of a large product, of small ones; the share of the better with its quartiles.

    Then the rate of the compiled layer, and its share.
    """
    lines = [
        f"{row['cell']:5} {row['GFLOP/s']['ours']:8.1f}"
        f" {row['GFLOP/s']['large']:6.1f} {row['GFLOP/s']['small']:6.1f}"
        f" {row['share'][1]:6.2f} {row['share'][0]:5.2f} {row['share'][2]:5.2f}"
        f" {_or_dash(row['GFLOP/s'].get('compiled', 0)):>8} {_or_dash(row.get('compiled', 0)):>7}"
        for row in rows
    ]
    return _table("cell  GFLOP/s  large  small  share   low  high compiled c_share", lines)


def ways_table(rows: list[dict[str, Any]]) -> str:
    """Return time and memory of all ways: a line for each length."""
    lines = [
        f"{row['way'].replace(' ', '_'):14} {t:6} {ms:10.2f} {kib:10.1f}"
        for row in rows
        for t, ms, kib in zip(row["T"], row["ms"], row["KiB"], strict=True)
    ]
    return _table("way                 T         ms        KiB", lines)


def growth_table(rows: list[dict[str, Any]]) -> str:
    """Return time as one size grows: a line for each value."""
    lines = [
        f"{row['axis']:4} {at:6} {ms:10.3f}"
        for row in rows
        for at, ms in zip(row["at"], row["ms"], strict=True)
    ]
    return _table("axis     at         ms", lines)
