"""The page of benchmarks, written from one run's results.

The words and the code of the page are those of ``page.md`` beside this module. Each ``<<name>>`` there is a place
that is filled from the results: with a Markdown table, a sentence, or the numbers that a cell reads. A cell of a
page runs in an empty folder, and must run when it is copied; so it carries its numbers as text.

No sentence of ``page.md`` states what was measured: numbers stand in tables, and what follows from them is printed
by cells. A run with other numbers needs no other words.

``python -m benchmarks.page RESULTS.json PAGE.md`` writes a page from results that were kept.
"""

import json
import math
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("page.md")
PLACE = re.compile(r"<<([^<>\n]+)>>")
FRAMEWORKS = {"torch": "PyTorch", "jax": "JAX"}
PEERS = (*FRAMEWORKS, "hips", "tutorial")


def rewrite(path: Path, results: dict[str, Any]) -> None:
    """Write the page anew from results."""
    path.write_text(written(results), encoding="utf-8")


def written(results: dict[str, Any], template: str | None = None) -> str:
    """Return the text of the page, from the template with each of its places filled.

    Raises
    ------
    ValueError
        If the template lacks a place, has one twice, or has one that nothing fills.
    """
    text = TEMPLATE.read_text(encoding="utf-8") if template is None else template
    parts = {**tables(results), **numbers(results), **sentences(results)}
    found = PLACE.findall(text)
    wrong = sorted({name for name in {*found, *parts} if found.count(name) != (name in parts)})
    if wrong:
        msg = f"the template must have each place once, and no other; look at {', '.join(wrong)}"
        raise ValueError(msg)
    return PLACE.sub(lambda place: parts[place[1]], text)


# --- Markdown tables


def tables(results: dict[str, Any]) -> dict[str, str]:
    """Return the tables that are read as numbers, as Markdown, by the name of their place."""
    layers = [row for row in results["grid"] if not row["what"]]
    settings = [row for row in results["grid"] if row["what"]]
    return {
        "machine": machine_table(results["machine"]),
        "grid": layers_table(layers),
        "settings": layers_table(settings),
        "all cores": layers_table(results["all cores"]),
        "roofline": roofline_markdown(results["roofline"]),
        "ways": ways_markdown(results["ways"]),
    }


def markdown(head: list[str], rows: Iterable[list[str]], words: int) -> str:
    """Return a Markdown table: its first columns, `words` of them, hold words, the others numbers."""
    rule = ["---"] * words + ["--:"] * (len(head) - words)
    safe = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *safe])


def machine_table(machine: dict[str, Any]) -> str:
    """Return where and with what the run was measured."""
    named = {"threads": "threads of each contender", "load": "load as the run began"}
    rows = [
        [named.get(name, name), "unknown" if value is None else str(value)]
        for name, value in machine.items()
    ]
    return markdown(["", "this run"], rows, words=2)


def layers_table(rows: list[dict[str, Any]]) -> str:
    """Return milliseconds of both loops, and the times of PyTorch and JAX over each."""
    setting = ["setting"] if any(row["what"] for row in rows) else []
    head = ["cell", *setting, "T, B, n", "plain, ms", "compiled, ms"]
    head += [f"{name} / {loop}" for loop in ("plain", "compiled") for name in FRAMEWORKS.values()]
    lines = [
        [
            row["cell"],
            *([row["what"]] if setting else []),
            f"{row['T']}, {row['B']}, {row['n']}",
            three_digits(row["ms"]["ours"]),
            three_digits(row["ms"]["compiled"]),
            *(f"{row[over][peer][1]:.2f}" for over in OVER.values() for peer in FRAMEWORKS),
        ]
        for row in rows
    ]
    return markdown(head, lines, words=2 + len(setting))


def roofline_markdown(rows: list[dict[str, Any]]) -> str:
    """Return rates of both loops and of the machine, and the shares."""
    head = ["cell", "T, B, n", "plain, GFLOP/s", "compiled, GFLOP/s", "large", "small"]
    head += ["share, plain", "share, compiled"]
    lines = [
        [
            row["cell"],
            f"{row['T']}, {row['B']}, {row['n']}",
            *(f"{row['GFLOP/s'][name]:.1f}" for name in ("ours", "compiled", "large", "small")),
            f"{row['share'][1]:.2f}",
            f"{row['compiled']:.2f}",
        ]
        for row in rows
    ]
    return markdown(head, lines, words=2)


def ways_markdown(rows: list[dict[str, Any]]) -> str:
    """Return time and memory of each way: a column for each length."""
    lengths = rows[0]["T"]
    head = ["way", *(f"ms, T = {t}" for t in lengths), *(f"KiB, T = {t}" for t in lengths)]
    lines = [[row["way"], *map(three_digits, [*row["ms"], *row["KiB"]])] for row in rows]
    return markdown(head, lines, words=1)


def three_digits(value: float) -> str:
    """Return a positive number with three digits, or all digits before its point if these are more."""
    decimals = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{decimals}f}"


# --- sentences that name what a run was asked for


def sentences(results: dict[str, Any]) -> dict[str, str]:
    """Return what the page says about the settings of the run."""
    size = lambda row: f"{row['n']} units, {_many(row['B'], 'sequence')}"
    run = "The numbers are of one run, at the commit that the table of the machine names."
    if results["quick"]:
        run += " It was a quick one (`nox -s bench -- --quick`): fewer sizes, shorter sequences."
    return {
        "run": run,
        "ways setting": f"An Elman net, {size(results['ways'][0])}, float64.",
        "memory setting": f"With larger states ({size(results['memory'])}), where what is constant"
        r" matters less, checkpointing at every $\sqrt T$-th step:",
    }


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


# --- numbers that cells read: words in columns, the first line names them

OVER = {"plain": "ratio", "compiled": "over compiled"}
OWN = {"plain": "ours", "compiled": "compiled"}


def numbers(results: dict[str, Any]) -> dict[str, str]:
    """Return what the cells compute from, by the name of its place."""
    grids = {
        "one core": [row for row in results["grid"] if not row["what"]],
        "all cores": results["all cores"],
    }
    found = {
        f"{name} over {loop}": ratios_table(rows, loop)
        for name, rows in grids.items()
        for loop in OVER
    }
    return {
        **found,
        "roofline numbers": roofline_table(results["roofline"]),
        "ways numbers": ways_table(results["ways"]),
        "memory numbers": ways_table([results["memory"]]),
        "growth numbers": growth_table(results["growth"]),
    }


def ratios_table(rows: list[dict[str, Any]], loop: str) -> str:
    """Return milliseconds of one loop, and quartiles of the times of all others over it."""
    others = {**({"plain": "ours"} if loop == "compiled" else {}), **{peer: peer for peer in PEERS}}
    lines = [
        [
            *(row[name] for name in ("cell", "T", "B", "n")),
            f"{row['ms'][OWN[loop]]:g}",
            *(_spread(row[OVER[loop]].get(name)) for name in others.values()),
        ]
        for row in rows
    ]
    return columns([["cell", "T", "B", "n", "ms", *others], *lines])


def columns(rows: list[list[Any]]) -> str:
    """Return rows of words as lines, with every column as wide as its widest word."""
    texts = [[str(word) for word in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join(
        "  ".join(word.rjust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    )


def _spread(quartiles: list[float] | None) -> str:
    return "/".join(f"{value:.4g}" for value in quartiles) if quartiles else "-"


def grid_line(row: dict[str, Any]) -> str:
    """Return a row as it is shown while a run goes on: milliseconds, then ratios over both loops."""
    ms = f"plain {row['ms']['ours']:9.3f} ms  compiled {row['ms']['compiled']:9.3f} ms"
    ratios = "  ".join(
        f"{peer}/{loop} {row[over][peer][1]:6.2f}"
        for loop, over in OVER.items()
        for peer in PEERS
        if peer in row[over]
    )
    size = f"{row['cell']:5} {row['T']:4} {row['B']:3} {row['n']:3}"
    return f"{size}  {ms}  {ratios}  {row['what']}".rstrip()


def roofline_table(rows: list[dict[str, Any]]) -> str:
    """Return rates: of both loops, of a large product, of small ones; their shares of the better of these."""
    names = {"plain": "ours", "compiled": "compiled", "large": "large", "small": "small"}
    lines = [
        [
            row["cell"],
            *(f"{row['GFLOP/s'][name]:g}" for name in names.values()),
            _spread(row["share"]),
            f"{row['compiled']:g}",
        ]
        for row in rows
    ]
    return columns([["cell", *names, "share", "c_share"], *lines])


def ways_table(rows: list[dict[str, Any]]) -> str:
    """Return time and memory of all ways: a line for each length."""
    lines = [
        [row["way"].replace(" ", "_"), t, f"{ms:g}", f"{kib:g}"]
        for row in rows
        for t, ms, kib in zip(row["T"], row["ms"], row["KiB"], strict=True)
    ]
    return columns([["way", "T", "ms", "KiB"], *lines])


def growth_table(rows: list[dict[str, Any]]) -> str:
    """Return time as one size grows: a line for each value, with the sizes that stay."""
    lines = [
        [row["axis"], ",_".join(f"{k}_=_{v}" for k, v in row["others"].items()), at, f"{ms:g}"]
        for row in rows
        for at, ms in zip(row["at"], row["ms"], strict=True)
    ]
    return columns([["axis", "others", "at", "ms"], *lines])


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    rewrite(target, json.loads(source.read_text(encoding="utf-8")))
