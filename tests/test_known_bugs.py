"""What each known bug does to the gradients of six right layers, against a table that was read through.

The truth is the right layer's gradient. The table `spoilt.txt` says of each bug how far it is from the truth in
each tensor, relative to the largest entry: 0 where the bug leaves a tensor right, - where it says nothing.
Which are 0 follows from the bug's evidence; the other numbers are those printed when the table was made, after
every bug that is planted (`planted`) had been named by its own layer.
"""

import importlib
from pathlib import Path

import handwritten
import planted
import pytest
from handwritten import ELMAN, GRU_AFTER, GRU_BEFORE, LSTM, replaced

# The same units, s being how much of the past is kept.
KEPT = (
    ("h = s * n + (1 - s) * h", "h = (1 - s) * n + s * h"),
    ("d_n = d_h * s *", "d_n = d_h * (1 - s) *"),
    ("d_s = d_h * (n - h)", "d_s = d_h * (h - n)"),
    ("d_h = d_h * (1 - s)", "d_h = d_h * s"),
)
LAYERS = {
    "elman": (ELMAN, ELMAN),
    "lstm": (LSTM, LSTM),
    "gru after": (GRU_AFTER, GRU_AFTER),
    "gru before": (GRU_BEFORE, GRU_BEFORE),
    "gru after, s keeps": (replaced(GRU_AFTER, *KEPT), GRU_AFTER),
    "gru before, s keeps": (replaced(GRU_BEFORE, *KEPT), GRU_BEFORE),
}
TABLE = Path(__file__).with_name("spoilt.txt")
KNOWN = importlib.import_module("bptt.checking.known_bugs")


def made_of(layer, monkeypatch):
    """Return the lines of the table that belong to a layer, as they are now."""
    lines = []

    def collect(case, _got, want, bugs):
        for name, evidence, made in bugs:
            filled = [w if m is None else m for m, w in zip(made, want, strict=True)]
            off = KNOWN.errors(case.layer.names, filled, want)
            shown = (
                f"{tensor} {'-' if m is None else f'{error:.2g}' if error > 1e-9 else '0'}"
                for m, (tensor, error) in zip(made, off.items(), strict=True)
            )
            lines.append(f"{layer} | {name} | {evidence} | {', '.join(shown)}")
        return {}

    monkeypatch.setattr(KNOWN, "_best", collect)
    if layer == "masked elman":
        planted.checked(next(bug for bug in planted.PLANTED if bug.bug == "mask ignored"))
        return [line for line in lines if line.split(" | ")[1] in MASKED]
    source, like = LAYERS[layer]
    handwritten.check(replaced(source, ("+= x", "+= 1.1 * x")), like=like)
    if layer.startswith("gru"):  # the bugs of loops are those of the others
        lines = [line for line in lines if line.split(" | ")[2].startswith(GATES)]
    return lines


MASKED = ("mask ignored", "error lost at the mask", "masked steps counted")
GATES = (
    "gate ",
    *(evidence for _, _, evidence in importlib.import_module("bptt.checking.gru_bugs").GRU_BUGS),
)


@pytest.mark.parametrize(("source", "like"), LAYERS.values(), ids=LAYERS)
def test_the_layers_of_the_table_are_right(source, like):
    assert handwritten.check(source, like=like).ok


@pytest.mark.parametrize("layer", [*LAYERS, "masked elman"])
def test_a_known_bug_spoils_what_the_table_says(layer, monkeypatch):
    rows = TABLE.read_text(encoding="utf-8").splitlines()
    assert made_of(layer, monkeypatch) == [row for row in rows if row.startswith(f"{layer} | ")]
