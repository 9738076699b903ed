"""A cell's slice holds the statements it needs and no other; every expectation here was written by hand."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

from _ext.slicing import requirements, slicer

pytestmark = pytest.mark.house


def taken(*cells: str) -> str:
    """Return what the last of some cells needs, as the lines themselves."""
    return "\n".join(slicer.before(cells, slicer.needs(cells)[-1]))


CASES = {
    "a name": ("x = 1\ny = 2", "print(x)", "x = 1"),
    "a chain": ("x = 1\ny = x\nz = 3", "print(y)", "x = 1\ny = x"),
    "an import": ("import math\nimport sys", "math.pi", "import math"),
    "the last value": ("x = 1\nx = 2", "x", "x = 2"),
    "a value and its update": ("x = 1\nx += 2\ny = 0\ny += 1", "x", "x = 1\nx += 2"),
    "an output is no need": ("x = 1\nprint(x)\nassert x", "x", "x = 1"),
    "an item": ("x = [0]\ny = [0]\nx[0] = 1\ny[0] = 1", "x", "x = [0]\nx[0] = 1"),
    "an item may be a view": ("x = [[0]]\ny = x[0]\nx[0][0] = 1\nz = 1", "y", "x = [[0]]\ny = x[0]\nx[0][0] = 1"),
    "a method that changes": ("x = []\nx.append(1)\nx.count(1)", "x", "x = []\nx.append(1)"),
    "an attribute": ("n = N()\nn.a = 1\nm.b = 2", "n", "n = N()\nn.a = 1"),
    "deleted and bound anew": ("x = 1\ndel x\nx = 2", "x", "x = 2"),
    "a function and what it reads": ("k = 2\nm = 3\ndef f(x):\n    return k * x", "f(1)", "k = 2\ndef f(x):\n    return k * x"),
    "a function reads when called": ("def f():\n    return k\nk = 1", "f()", "def f():\n    return k\nk = 1"),
    "a function calls a later one": ("def f():\n    return g()\ndef g():\n    return 1", "f()", "def f():\n    return g()\ndef g():\n    return 1"),
    "local names are not needs": ("x = 1\ndef f(x):\n    y = x\n    return y\ny = 2", "f(3)", "def f(x):\n    y = x\n    return y"),
    "a comprehension's target": ("i = 1\nxs = [2]", "[i for i in xs]", "xs = [2]"),
    "a comprehension's source": ("i = 1\nxs = [2]", "[j for j in xs if i]", "i = 1\nxs = [2]"),
    "a lambda": ("k = 1\nf = lambda x: k + x\nm = 1", "f(1)", "k = 1\nf = lambda x: k + x"),
    "a default argument": ("k = 1\ndef f(x=k):\n    return x", "f()", "k = 1\ndef f(x=k):\n    return x"),
    "a decorator": ("from functools import cache\n@cache\ndef f():\n    return 1", "f()", "from functools import cache\n@cache\ndef f():\n    return 1"),
    "a class": ("k = 1\nclass A:\n    def f(self):\n        return k", "A().f()", "k = 1\nclass A:\n    def f(self):\n        return k"),
    "a method of the page changes": ("class A:\n    def f(self):\n        self.n = 1\n    def g(self):\n        return 1\na = A()\na.f()\na.g()", "a", "class A:\n    def f(self):\n        self.n = 1\n    def g(self):\n        return 1\na = A()\na.f()"),
    "an argument is changed": ("def f(a, b):\n    a[0] = b\nx, y, z = [0], [1], [2]\nf(x, y)\nf(z, y)\ng(x)", "x", "def f(a, b):\n    a[0] = b\nx, y, z = [0], [1], [2]\nf(x, y)"),
    "any argument may be the one": ("def f(a, b):\n    a[0] = b\nx, y = [0], [1]\nf(y, x)", "x", "def f(a, b):\n    a[0] = b\nx, y = [0], [1]\nf(y, x)"),
    "changed inside by another name": ("def f(a):\n    b = a[0]\n    b.append(1)\nx = [[]]\nf(x)", "x", "def f(a):\n    b = a[0]\n    b.append(1)\nx = [[]]\nf(x)"),
    "changed through another": ("def g(b):\n    b.append(1)\ndef f(a):\n    g(a)\nx = []\nf(x)", "x", "def g(b):\n    b.append(1)\ndef f(a):\n    g(a)\nx = []\nf(x)"),
    "a copy of another name is changed": ("def f(a):\n    b = list(a)\n    b[0] = 1\nx = [0]\nf(x)", "x", "x = [0]"),
    "a copy of the same name may be the argument": ("def f(a):\n    a = list(a)\n    a[0] = 1\nx = [0]\nf(x)", "x", "def f(a):\n    a = list(a)\n    a[0] = 1\nx = [0]\nf(x)"),
    "a global is bound": ("n = 0\ndef f():\n    global n\n    n = 1\nf()", "n", "n = 0\ndef f():\n    global n\n    n = 1\nf()"),
    "a comprehension runs over what its target hides": ("x = [1]\ny = [x for x in x]", "y", "x = [1]\ny = [x for x in x]"),
    "a name that is imported, too": ("from math import e\ne = []\ne.append(1)", "e", "e = []\ne.append(1)"),
    "a name that a function imports": ("def f():\n    import json as d\nd = []\nd.append(1)", "d", "d = []\nd.append(1)"),
    "an argument called as a module": ("from sys import path\ndef f(path):\n    path.append(1)\nx = []\nf(x)", "x", "def f(path):\n    path.append(1)\nx = []\nf(x)"),
    "a method that waits": ("seen = []\nclass A:\n    async def f(self):\n        seen.append(1)\nrun(A().f())", "seen", "seen = []\nclass A:\n    async def f(self):\n        seen.append(1)\nrun(A().f())"),
    "changed in a comprehension": ("xs = [[1]]\n[x.append(2) for x in xs]\ny = 1", "xs", "xs = [[1]]\n[x.append(2) for x in xs]"),
    "a method is not seen by another": ("from json import load\nclass A:\n    def load(self):\n        return load", "A", "from json import load\nclass A:\n    def load(self):\n        return load"),
    "a class that changes is made": ("seen = []\nclass A:\n    def __init__(self):\n        seen.append(1)\nA()", "seen", "seen = []\nclass A:\n    def __init__(self):\n        seen.append(1)\nA()"),
    "a global is changed": ("seen = []\ndef f():\n    seen.append(1)\nf()", "seen", "seen = []\ndef f():\n    seen.append(1)\nf()"),
    "changed by its other name": ("x = [0]\ny = x\ny[0] = 1", "x", "x = [0]\ny = x\ny[0] = 1"),
    "changed in a loop over it": ("ns = [N()]\nfor n in ns:\n    n.a = 1\nm = 1", "ns[0].a", "ns = [N()]\nfor n in ns:\n    n.a = 1"),
    "a generator has a state": ("r = default_rng(0)\na = r.normal()\nb = 1", "r.normal()", "r = default_rng(0)\na = r.normal()"),
    "a loop's target has no state": ("xs = [1]\nfor k, x in enumerate(xs):\n    f(k)\ng(k)", "k", "xs = [1]\nfor k, x in enumerate(xs):\n    f(k)"),
    "a generator is passed on": ("r = default_rng(0)\na = f(rng=r)\nb = g(r)", "r.normal()", "r = default_rng(0)\na = f(rng=r)\nb = g(r)"),
    "a loop": ("s = 0\nfor i in range(3):\n    s += i\nt = 1", "s", "s = 0\nfor i in range(3):\n    s += i"),
    "a loop without what it prints": ("s = 0\nfor i in range(3):\n    s += i\n    print(x.sum())\n    if i:\n        assert s", "s", "s = 0\nfor i in range(3):\n    s += i"),
    "a loop that only prints": ("for i in [1]:\n    print(i)", "x = 1", ""),
    "a branch that may not bind": ("x = 1\nif x:\n    x = 2", "x", "x = 1\nif x:\n    x = 2"),
    "each branch may be the one": ("x = 1\ny = 1\nif y:\n    x = 2\nelse:\n    z = x", "z", "x = 1\ny = 1\nif y:\n    x = 2\nelse:\n    z = x"),
    "bound in a branch and used there": ("z = 1\ny = 1\nif y:\n    z = 2\n    x = z", "x", "z = 1\ny = 1\nif y:\n    z = 2\n    x = z"),
    "a pattern binds": ("a = 1\nmatch [2, 3]:\n    case [a, *b]:\n        c = a", "b", "match [2, 3]:\n    case [a, *b]:\n        c = a"),
    "a function that waits": ("k = 1\nm = 1\nasync def f():\n    return k", "run(f())", "k = 1\nasync def f():\n    return k"),
    "an error that was caught": ("try:\n    x = 1\nexcept E as error:\n    x = 2", "x", "try:\n    x = 1\nexcept E as error:\n    x = 2"),
    "how arrays print": ("import numpy as np\nnp.set_printoptions(precision=2)\nnp.testing.assert_equal(1, 1)", "np.pi", "import numpy as np\nnp.set_printoptions(precision=2)"),
    "comments go with their line": ("# not this\n\n# this\nx = 1  # and this", "x", "# this\nx = 1  # and this"),
    "a lambda that draws": ("r = default_rng(0)\nd = lambda n: r.normal(size=n)\na = d(2)\nb = 1", "r.normal()", "r = default_rng(0)\nd = lambda n: r.normal(size=n)\na = d(2)"),
    "what is unpacked is no iterator": ("a, b = map(list, [[1], [2]])\nf(a)\nc, d = (g(k) for k in (1, 2))\nf(c)", "a, c", "a, b = map(list, [[1], [2]])\nc, d = (g(k) for k in (1, 2))"),
    "a method called map": ("t = tree.map(f, p)\ng(t)", "t", "t = tree.map(f, p)"),
    "an iterator is used up": ("t = map(f, [1])\ng(t)", "t", "t = map(f, [1])\ng(t)"),
    "a target read later in a lambda": ("for k in [1]:\n    print(k)\nfs = {k: g(lambda: k) for k in (1, 2)}", "fs", "fs = {k: g(lambda: k) for k in (1, 2)}"),
    "a module's settings": ("import jax\njax.config.update(1, True)", "jax.grad", "import jax\njax.config.update(1, True)"),
    "a file that was written": ("f = Path(1)\nsave(f, 2)\ng = Path(2)\ng.write_text(3)", "f.read_text()", "f = Path(1)\nsave(f, 2)"),
    "a folder that is filled": ("def run(d):\n    d.mkdir()\nd, e = Path(1), Path(2)\nrun(d)\nrun(e)", "d.glob(1)", "def run(d):\n    d.mkdir()\nd, e = Path(1), Path(2)\nrun(d)"),
    "a derivative is added": ("@custom\ndef f(x):\n    return x\nf.defvjp(g, h)", "grad(f)", "@custom\ndef f(x):\n    return x\nf.defvjp(g, h)"),
    "used where it is only defined": ("k = 1\nm = 2", "def f():\n    return k", "k = 1"),
    "bound by the cell itself": ("x = 1", "x = 2\nprint(x)", ""),
    "read, then bound by the cell": ("x = 1", "print(x)\nx = 2", "x = 1"),
    "a walrus": ("(x := 1)\ny = 2", "x", "(x := 1)"),
    "a star": ("a, *b = [1, 2]\nc = 3", "b", "a, *b = [1, 2]"),
    "with": ("with f() as x:\n    y = x\nz = 1", "y", "with f() as x:\n    y = x"),
    "nothing": ("x = 1", "print('x')", ""),
    "a function's own walrus": ("h = 1\ndef f(xs):\n    return [(h := x) for x in xs], h", "f([1])", "def f(xs):\n    return [(h := x) for x in xs], h"),
    "a default that cannot change": ("def f(x, n=3):\n    x.append(n)\nf([1])", "f([2])", "def f(x, n=3):\n    x.append(n)"),
    "a dictionary of views": ("x = [[1]]\nd = {0: x[0]}\nd[1] = 2", "x", "x = [[1]]"),
}  # fmt: skip
ADD = "def add(xs, x):\n    xs.append(x)\nxs = []\n"
MAKE = (
    "def make(n):\n    def step():\n        %sn.append(1)\n        return len(n)\n    return step\n"
)
# What a state hides behind; each of the statements above the cell is needed, as the whole page run in order would show.
BEHIND = {
    "the rest of a mapping": ("match {1: 2}:\n    case {**rest}:\n        pass", "rest"),
    "a walrus in a comprehension": ("xs = [1]\n[(last := x) for x in xs]", "last"),
    "a walrus that adds up": ("t = 0\n[t := t + x for x in [1]]", "t"),
    "a walrus in a condition": ("any((hit := x) for x in [1])", "hit"),
    "a dictionary": ("xs = []\nd = {1: xs}\nd[1].append(1)", "xs"),
    "a dictionary of a call": ("xs = []\nd = dict(a=xs)\nd['a'].append(1)", "xs"),
    "a generator in a dictionary": ("d = {1: default_rng(0)}\nf(d[1])", "d"),
    "a function in a dictionary": (ADD + "d = {1: add}\nd[1](xs, 2)", "xs"),
    "another name of a function": (ADD + "g = add\ng(xs, 2)", "xs"),
    "another name of a generator": ("r = default_rng(0)\ns = r\nf(s)", "r"),
    "one of two": ("xs = []\nys = xs if 1 else None\nys.append(1)", "xs"),
    "one or the other": ("xs = [1]\nys = xs or []\nys.append(1)", "xs"),
    "two names in one line": ("xs = ys = []\nys.append(1)", "xs"),
    "a method of an object": ("xs = []\npush = xs.append\npush(1)", "xs"),
    "a closure": (MAKE % "" + "f = make([])\nf()", "f()"),
    "a closure over an argument": (MAKE % "" + "xs = []\nf = make(xs)\nf()", "xs"),
    "a name that is not local": (MAKE % "nonlocal n; " + "f = make([])\nf()", "f()"),
    "a lambda that is returned": ("def make(n):\n    return lambda: n.append(1)\nf = make([])\nf()", "f()"),
    "a generator function": ("def f():\n    yield 1\ng = f()\nfor x in g:\n    break", "g"),
    "a partial function": (ADD + "g = partial(add, xs)\ng(2)", "xs"),
    "a partial function by keyword": (ADD + "g = functools.partial(add, xs=xs)\ng(x=2)", "xs"),
    "a default argument": ("def f(x, xs=[]):\n    xs.append(x)\nf(1)", "f(2)"),
    "a default that has a name": ("xs = []\ndef f(x, *, ys=xs):\n    ys.append(x)\nf(1)", "xs"),
    "a default of a lambda": ("f = lambda xs=[]: xs.append(1)\nf()", "f()"),
}  # fmt: skip
CASES |= {f"behind {name}": (above, cell, above) for name, (above, cell) in BEHIND.items()}


@pytest.mark.parametrize("case", CASES)
def test_slice(case):
    above, cell, expected = CASES[case]
    assert taken(above, cell) == expected


def test_cells_stay_apart_and_in_order():
    cells = ("import math\n\nk = 2\n\nm = 1", "def f(x):\n    return k * x\n", "print(f(math.pi))")
    needed = slicer.needs(cells)
    assert slicer.pack(needed[2]) == "0:1-3 1:1-2"
    text = slicer.runnable(cells, 2, needed[2])
    assert text == "import math\n\nk = 2\n\ndef f(x):\n    return k * x\n\nprint(f(math.pi))\n"


def test_a_cell_in_between_is_left_out():
    assert taken("x = 1", "y = 2", "y = 3", "x + y") == "x = 1\ny = 3"


def test_packages_are_read_off_the_imports():
    cells = [
        "import os, bptt\nimport numpy as np",
        "import sympy as sp",
        "from sklearn import datasets",
    ]
    assert requirements.needed(cells) == ["scikit-learn", "sympy"]
    assert requirements.needed(["import bptt.plotting"]) == ["matplotlib"]
    assert requirements.needed(["from bptt import plotting"]) == ["matplotlib"]
    assert requirements.needed(["from bptt import cells"]) == []
