"""The old address of an equation, on the page that had it before it was split, leads on to the page that has it now."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.docs

LEARN = Path(__file__).parents[2] / "docs" / "learn"
MOVED = {  # the page an equation was on: its labels there
    "boundaries": "segment state-total",
    "feedforward": """
        ff-bp1-index ff-bp1-definition ff-bp1-chain ff-bp1-only
        ff-bp2-index ff-bp2-definition ff-bp2-chain ff-bp2-error ff-bp2-insert ff-bp2-terms ff-bp2-only ff-bp2-out
        ff-bp3-index ff-bp3-chain ff-bp3-insert ff-bp3-only ff-bp4-index ff-bp4-chain ff-bp4-insert ff-bp4-only
        ff-softmax ff-softmax-jacobian ff-cross-entropy ff-softmax-error ff-softmax-insert ff-softmax-split
        ff-softmax-last ff-descent
    """,
    "gates": """
        gate-contributions gate-step gate-delta gate-direct gate-bp2 gate-bp4 gru-after gru-a gru-ds gru-dn gru-dm
        gru-dr gru-da gru-before gru-dq gru-dr-before gru-da-before gru-du-before
        lstm-peep lstm-peep-dc lstm-peep-dp
    """,
    "sequences": "bi-fwd bi-bp2 bi-bp0 shared-initial",
    "vanishing": "contrib-costs contrib-copies contrib clipping",
}


@pytest.mark.parametrize(
    ("page", "label"), [(p, label) for p, labels in MOVED.items() for label in labels.split()]
)
def test_an_old_address_of_an_equation_leads_on(page, label):
    (now,) = [f.name for f in LEARN.glob("*.md") if f"\n$$ ({label})\n" in f.read_text("utf-8")]
    blocks = (LEARN / f"{page}.md").read_text("utf-8").split("\n\n")
    (block,) = [b for b in blocks if f"[]{{#equation-{label}}}" in b]
    # The words after the place end in the first sentence with a link: that to the page, now.
    after = block.partition(f"[]{{#equation-{label}}}")[2]
    assert re.findall(r"\]\(([\w-]+\.md)", after)[0] == now
    assert now != f"{page}.md"
