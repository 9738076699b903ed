"""Backward passes with one wrong line each: the bugs that `bptt.check_layer` and `check_cell` must catch.

A planted bug replaces one line of a right layer (`handwritten`). Each says, in our words, where a bug of
its kind has been seen: most in questions and corrections of public repositories, named by owner,
repository and number of the issue or change.
"""

from typing import NamedTuple

from handwritten import ELMAN, GRU_AFTER, GRU_BEFORE, LSTM, check, replaced

ALL = ("w", "u", "b", "x", "initial")
LSTM_ALL = ("w", "u", "b", "p", "x", "initial.h", "initial.c")
GRU_ALL = ("[0]", "[1]", "[2]", "[3]", "x", "initial")


class Planted(NamedTuple):
    """A bug: in which layer, which line it replaces, what it spoils, what it is called, where it was seen."""

    id: str
    source: str
    right: str
    wrong: str
    tensors: tuple[str, ...]
    bug: str
    seen: str


def _elman(right, wrong, tensors, bug, seen, tag=""):
    return Planted(f"elman: {bug}{tag}", ELMAN, right, wrong, tuple(tensors), bug, seen)


def _lstm(right, wrong, tensors, bug, seen, tag=""):
    return Planted(f"lstm: {bug}{tag}", LSTM, right, wrong, tuple(tensors), bug, seen)


def _gru(source, right, wrong, tensors, bug, seen):
    kind = "before" if source == GRU_BEFORE else "after"
    return Planted(f"gru {kind}: {bug}", source, right, wrong, tuple(tensors), bug, seen)


D_H = "d_h = d_outputs[t] + d_next"
DELTA = "delta = d_h * (1 - a[t] ** 2) * there"
D_U = "d_u += h[t].T @ delta"
D_W = "d_w += x[t].T @ delta"
D_B = "d_b += delta.sum(axis=0)"
D_X = "d_x[t] = delta @ w.T"
D_NEXT = "d_next = delta @ u.T + d_h * ~there"
RETURN = "return (d_w, d_u, d_b), d_x, d_next"
ZEROS = "d_w, d_u, d_b = np.zeros_like(w), np.zeros_like(u), np.zeros_like(b)"
LAST = "(t == len(x) - 1)"

PLANTED = (
    _elman(
        D_H, "d_h = 2 * d_outputs[t] + d_next", ALL, "factor 2",
        "davisking/dlib 1169 and makeyourownneuralnetwork 61: is it (y - t) or twice that; "
        "markroxor/fromscratchtoml 65: a softmax gradient off by two",
    ),
    _elman(
        D_H, "d_h = d_next - d_outputs[t]", ALL, "wrong sign",
        "makeyourownneuralnetwork 61, 77: which way round the difference of target and output goes",
    ),
    _elman(
        DELTA, "delta = d_h * there", ALL, "a' missing",
        "llSourcell/LSTM_Networks 4: errors go back without the derivative of the squashing",
    ),
    _elman(
        DELTA, "delta = d_h * (1 - np.tanh(a[t]) ** 2) * there", ALL, "a' at a instead of z",
        "davidrmiller/neural2d 40: a derivative that applies tanh itself is handed the output; "
        "nicklashansen/rnn_lstm_from_scratch 1",
    ),
    _elman(
        DELTA, "delta = d_h * (1 - (x[t] @ w + h[t] @ u + b) ** 2) * there", ALL,
        "a' formula of a, given z",
        "tsoding/nn.h 18 and lazyprogrammer/facial-expression-recognition 2: of which of the two "
        "is 1 - a² to be taken",
    ),
    _elman(
        D_U, "d_u += h[t + 1].T @ delta", ["u"], "h_t for h_(t-1)",
        "VikParuchuri/zero_to_gpt 9: the hidden state of the wrong step in the gradient of the "
        "hidden weights",
    ),
    _elman(
        D_U, "d_u += h[1:][t - 1].T @ delta", ["u"], "h_(-1) wraps round",
        "qixianbiao/RNN 2: even the corrected loop takes h[t - 1] at t = 0",
    ),
    _elman(
        D_U, "d_u += (t > 0) * h[t].T @ delta", ["u"], "h_0 taken as zero",
        "common where loops over pairs of steps start at the second",
    ),
    _elman(
        D_U, "d_u += delta.T @ h[t]", ["u"], "transposed",
        "iamtrask/Grokking-Deep-Learning 22: weight changes laid out the other way round",
    ),
    _elman(
        D_NEXT, "d_next = delta @ u + d_h * ~there", ALL, "u transposed",
        "the article that this site grew from, whose forward and backward forms disagree (its erratum 5); "
        "craffel/nntools 61: which of W and Wᵀ the formula means",
    ),
    _elman(
        D_NEXT, "d_next = delta + d_h * ~there", ALL, "error goes back without u",
        "arunmallya/arunmallya.github.io 7: what goes back to h(t-1) is asked for",
    ),
    _elman(
        D_H, f"d_h = d_next + d_outputs[t] * {LAST}", ALL, "nothing from above",
        "sequence costs in loops that were written for a cost at the end",
    ),
    _elman(
        D_H, f"d_h = d_outputs[t] + d_final * {LAST}", ALL, "no recurrence",
        "qixianbiao/RNN 2: the next step's error never reaches the step; "
        "CaptainE/RNN-LSTM-in-numpy 1, its second point",
    ),
    _elman(
        D_H, "d_h = d_outputs[t]", ALL, "overwritten instead of added",
        "arunmallya/arunmallya.github.io 3: why += and not =",
    ),
    _elman(
        D_U, "d_u = h[t].T @ delta", ["u"], "only the first step",
        "mratsim/Arraymancer 237: gradients replaced where they should be accumulated",
    ),
    _elman(
        D_W, f"d_w += x[t].T @ delta * {LAST}", ["w"], "only the last step",
        "llSourcell/neural_networks 5: one step's gradient in place of all",
    ),
    _elman(
        D_B, "d_b = d_b + delta", ["b"], "not summed over the batch",
        "the bias of code that was written for one sequence",
    ),
    _elman(
        D_B, "d_b += delta.mean(axis=0)", ["b"], "mean over the batch",
        "kvfrans/notes 5: a mean where the bias needs a sum; jcjohnson/torch-rnn 129",
    ),
    _elman(
        "d_next = d_final", "d_next = np.zeros_like(d_final)", ALL, "final state ignored",
        "deeplearning4j/deeplearning4j 8838, for the cell state",
    ),
    _elman(
        RETURN, "return (d_w, d_u, d_b), d_x, None", ["initial"], "gradient missing",
        "initial states that are constants until somebody learns them",
    ),
    _elman(
        RETURN, "return (d_w, d_u, d_b), d_x, d_h", ["initial"],
        "initial state not through the step",
        "Burton2000/CS231n-2017 7: what is dh0 after the loop",
    ),
    _elman(
        D_NEXT, "d_next = (delta @ u.T).sum(axis=0) + d_h * ~there", ALL, "crosses sequences",
        "tensorflow/tensorflow 34171: a broadcast in the way back to the state",
    ),
    _elman(
        RETURN, "return tuple(np.clip(g, -5, 5) for g in (d_w, d_u, d_b)), d_x, d_next",
        ["w", "u", "b"], "clipped entry by entry",
        "min-char-rnn and its many children; clab/dynet 1511: clipping on by default",
    ),
    _elman(
        RETURN,
        "return tuple(g * min(1, 9 / np.linalg.norm(g)) for g in (d_w, d_u, d_b)), d_x, d_next",
        ["w", "u", "b"], "clipped by norm",
        "Lasagne/Lasagne 401: what does the layer's own clipping clip",
    ),
    _elman(
        D_H, "d_h = d_outputs[t - 1] + d_next", ALL, "d_outputs shifted by one step",
        "lists with and without the initial state, indexed alike",
    ),
    _elman(
        D_X, "d_x[len(x) - 1 - t] = delta @ w.T", ["x"], "x gradient in reverse",
        "keras-team/keras 1725, 3662: sequences that run backwards",
    ),
    _elman(
        D_X, "pass", ["x"], "gradient missing", "loops that were written for a lowest layer", " of x"
    ),
    _elman(
        "there = mask[t][:, None]", "there = mask[t][:, None] | True", ALL, "mask ignored",
        "lmnt-com/haste 43: the mask of another step on the way back; keras-team/keras 1300",
    ),
    _elman(
        D_NEXT, "d_next = delta @ u.T", ALL, "error lost at the mask",
        "states that are copied on the way there (mila-iqia/blocks 952) and dropped on the way back",
    ),
    _elman(
        ZEROS,
        "d_w, d_u, d_b = SUMS.setdefault(w.shape, tuple(map(np.zeros_like, (w, u, b))))",
        ["w", "u", "b"], "accumulates across calls",
        "karpathy/micrograd 53; Element-Research/rnn 53; torch/nn 792",
    ),
    _elman(
        D_H, "d_h = np.add(d_outputs[t], d_next, out=d_outputs[t])", ["d_outputs"],
        "modifies its arguments",
        "apache/mxnet 18203: dy is overwritten while the other direction still needs it",
    ),
    _lstm(
        "d_f = d_c * c_past * f * (1 - f)", "d_f = d_c * c_past", LSTM_ALL, "a' missing",
        "CaptainE/RNN-LSTM-in-numpy 2, in the forget gate",
    ),
    _lstm(
        "d_f = d_c * c_past * f * (1 - f)", "d_f = d_c * c_past * sigmoid(f)", LSTM_ALL,
        "a in place of a'",
        "CaptainE/RNN-LSTM-in-numpy 1: the flag that asks for the derivative is forgotten",
    ),
    _lstm(
        "d_i = d_c * g * i * (1 - i)", "d_i = d_c * g * sigmoid(i) * (1 - sigmoid(i))", LSTM_ALL,
        "a' at a instead of z",
        "nicklashansen/rnn_lstm_from_scratch 1: derivative functions that squash what is squashed",
    ),
    _lstm(
        "d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)", "d_c = d_c + d_h * o", LSTM_ALL,
        "tanh(c) derivative missing",
        "nicodjimenez/lstm 47: the tanh around the cell state, there or not",
    ),
    _lstm(
        "d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)",
        "d_c = d_c + d_h * o * (1 - np.tanh(np.tanh(c)) ** 2)", LSTM_ALL, "tanh applied twice",
        "nicklashansen/rnn_lstm_from_scratch 1",
    ),
    _lstm(
        "d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)", "d_c = d_h * o * (1 - np.tanh(c) ** 2)",
        LSTM_ALL, "cell error overwritten",
        "apache/mxnet 4057: = for += in the error of the cell state; cthorey/CS231 1 asks the same",
    ),
    _lstm(
        "d_f = d_c * c_past * f * (1 - f)", "d_f = d_c * c * f * (1 - f)", LSTM_ALL,
        "c_t for c_(t-1)", "one cell variable in a loop that needs two",
    ),
    _lstm(
        "d_c = d_c * f + d_i * p_i + d_f * p_f", "d_c = d_i * p_i + d_f * p_f", LSTM_ALL,
        "direct path missing",
        "nicodjimenez/lstm 2: why is the carried error added at all",
    ),
    _lstm(
        "d_c = d_c * f + d_i * p_i + d_f * p_f", "d_c = later * f + d_i * p_i + d_f * p_f",
        LSTM_ALL, "path through a missing in c", "lhnguyen102/cuTAGI 77: two errors, one for another",
    ),
    _lstm(
        "d_h, d_c = d_final[\"h\"], d_final[\"c\"]",
        "d_h, d_c = d_final[\"h\"], np.zeros_like(d_final[\"c\"])", LSTM_ALL, "final state ignored",
        "deeplearning4j/deeplearning4j 8838: a cost on the last cell state gets no gradient",
    ),
    _lstm(
        "d_c = d_c + d_o * p_o", "pass", LSTM_ALL, "peephole to o missing",
        "Lasagne/Lasagne 448: the output gate's peephole, out of place",
    ),
    _lstm(
        "d_c = d_c * f + d_i * p_i + d_f * p_f", "d_c = d_c * f", LSTM_ALL,
        "peepholes to the past missing",
        "tensorflow/tensorflow 34171: the very terms, broken by a broadcast",
    ),
    _lstm(
        "grads[\"p\"] += peeks.sum(axis=0)", "grads[\"p\"] = peeks.sum(axis=0)", ["p"],
        "only the first step", "mratsim/Arraymancer 237",
    ),
    _gru(
        GRU_AFTER, "gated = d_n * r", "gated = d_n", GRU_ALL, "reset gate left out",
        "zhiyongc/GRU-D 2: the reset gate has no effect",
    ),
    _gru(
        GRU_AFTER, "d_n = d_h * s * (1 - n ** 2)", "d_n = d_h * s", GRU_ALL, "a' missing",
        "llSourcell/LSTM_Networks 4",
    ),
    _gru(
        GRU_AFTER, "d_h = d_h * (1 - s) + delta_h @ u.T", "d_h = delta_h @ u.T", GRU_ALL,
        "direct path missing", "the Elman loop, with a GRU put into it",
    ),
    _gru(
        GRU_AFTER,
        "d_r = d_n * product * r * (1 - r)",
        "u_n = np.split(u, 3, axis=1)[2]; d_r = (d_n @ u_n.T) * h * r * (1 - r)",
        GRU_ALL, "other GRU's reset",
        "ooples/AiDotNet 722: r of one unit, or of each; onnx/onnx 945: two GRUs by one name",
    ),
    _gru(
        GRU_BEFORE, "d_n = d_h * s * (1 - n ** 2)",
        "s, d_n = 1 - s, d_h * (1 - s) * (1 - n ** 2)", ("[0]", "[1]", "[2]", "x", "initial"),
        "update gate swapped",
        "microsoft/CNTK 3292 and pytorch/pytorch 15875: which of the two does s keep",
    ),
    _gru(
        GRU_BEFORE,
        "d_r, to_h, d_u_n = d_reset * h * r * (1 - r), d_reset * r, (r * h).T @ d_n",
        "d_r, to_h, d_u_n = d_n * (h @ u_n) * r * (1 - r), (d_n * r) @ u_n.T, h.T @ (d_n * r)",
        ("[0]", "[1]", "[2]", "x", "initial"), "other GRU's reset",
        "ooples/AiDotNet 722: r of one unit, or of each; onnx/onnx 945: two GRUs by one name",
    ),
)  # fmt: skip


def with_bug(planted):
    """Return the layer's text with one line replaced."""
    return replaced(planted.source, (planted.right, planted.wrong))


def checked(planted, seed=0):
    """Check a layer with a planted bug."""
    return check(with_bug(planted), seed, planted.source)
