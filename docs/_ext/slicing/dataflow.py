"""Read off a statement's text what it reads, binds and changes.

The analysis is of names, not of values. A name is changed by an assignment to an attribute or an item of it, by an
augmented assignment, by a method that is known to change its object or that the page defines so, and by a function
of the page that does one of these to its argument. Library functions are taken to leave their arguments alone,
but for those named below. What this misses shows: every slice is run, and must print what its cell prints
(docs/snippets.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from itertools import product

from _ext.slicing.effects import Call, Change, Effects

# Methods that change their object: of lists, sets, mappings, arrays and files; of random generators; of axes.
_OBJECTS = """add append appendleft clear close defjvp defvjp difference_update discard extend fill insert
intersection_update mkdir pop popitem popleft put read readline remove resize reverse rotate seek send set
setdefault setflags shuffle sort symmetric_difference_update throw unlink update write write_bytes write_text
writelines"""
_GENERATORS = """beta binomial bytes choice exponential gamma gumbel integers laplace logistic lognormal multinomial
multivariate_normal normal permutation permuted poisson rand randint randn random sample spawn standard_normal
triangular uniform"""
_AXES = """annotate axhline axvline axhspan axvspan bar barh contour errorbar fill_between grid hist hlines imshow
invert_yaxis legend loglog matshow pcolormesh plot scatter semilogx semilogy step stem text tick_params twinx vlines
tight_layout"""
CHANGE_SELF = frozenset(f"{_OBJECTS} {_GENERATORS} {_AXES}".split())
CHANGE_SELF_BEGINS = ("add_", "load_", "set_", "update_")
# Functions and methods that change what they are given first.
CHANGE_FIRST = {"at", "copyto", "delattr", "fill_diagonal", "heapify", "heappop", "heappush"}
CHANGE_FIRST |= {"next", "place", "put", "putmask", "save", "setattr", "shuffle"}
# Functions of modules that change how the module behaves.
CHANGE_MODULE = {"filterwarnings", "rc", "seed", "set_printoptions", "seterr", "simplefilter"}
CHANGE_MODULE |= {"start", "stop", "update", "use", "getcontext", "setrecursionlimit", "insert"}
STATEFUL = {"default_rng", "RandomState", "Random", "count", "cycle"}
ITERATORS = {"iter", "enumerate", "zip", "map", "filter"}  # as Python's own, not as methods
LINES_UP = {"enumerate", "zip", "reversed"}  # what these give holds what they were given
GIVEN_TO_CHANGE = {"rng", "out", "random_state"}  # keywords
# The parts of a node that run before those that stand left of them.
EARLIER = ("generators", "iter", "value")


def changes_object(method: str) -> bool:
    """Say whether a method is known to change its object; an assignment ("") does."""
    return not method or method in CHANGE_SELF or method.startswith(CHANGE_SELF_BEGINS)


def root(node: ast.expr) -> tuple[str, str]:
    """Return the name and the first attribute that ``name.attribute[...]...`` begins with; else ""."""
    attribute = ""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        attribute = node.attr if isinstance(node, ast.Attribute) else ""
        node = node.value
    return (node.id, attribute) if isinstance(node, ast.Name) else ("", "")


def called(call: ast.expr) -> tuple[str, str]:
    """Return the name and the method that an expression calls; "" if it calls none."""
    if not isinstance(call, ast.Call):
        return "", ""
    if isinstance(call.func, ast.Attribute):
        return "", call.func.attr
    return (call.func.id if isinstance(call.func, ast.Name) else ""), ""


class Reader(ast.NodeVisitor):
    """Collect the effects of the nodes it visits, in the order in which Python evaluates them."""

    def __init__(self, binds: Iterable[str] = ()) -> None:
        self.effects = Effects(binds=set(binds))

    def generic_visit(self, node: ast.AST) -> None:
        """Visit the parts of a node: values before the targets that they are bound to."""
        parts = dict(ast.iter_fields(node))
        first = {name: parts[name] for name in EARLIER if name in parts}
        for part in (first | parts).values():
            for each in part if isinstance(part, list) else [part]:
                if isinstance(each, ast.AST):
                    self.visit(each)

    # --- names
    def visit_Name(self, node: ast.Name) -> None:
        """Note a name that is read, bound or deleted."""
        if isinstance(node.ctx, ast.Load):
            if node.id not in self.effects.binds:
                self.effects.uses.add(node.id)
        else:
            if node.id in self.effects.binds:
                self.effects.rebinds.add(node.id)
            self.effects.binds.add(node.id)

    def visit_part(self, node: ast.Attribute | ast.Subscript) -> None:
        """Note an attribute, and a change of it or of an item."""
        if isinstance(node, ast.Attribute):
            self.effects.attributes.add(node.attr)
        name, attribute = root(node)
        if name and not isinstance(node.ctx, ast.Load):
            self.effects.changes.add(Change(name, attribute))
        self.generic_visit(node)

    visit_Attribute = visit_Subscript = visit_part

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        """Bind the name of the error."""
        if node.name:
            self.effects.binds.add(node.name)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Bind what is imported."""
        names = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        self.effects.binds |= names
        self.effects.imports |= names

    visit_ImportFrom = visit_Import

    # --- statements
    def visit_binding(self, node: ast.Assign | ast.AnnAssign | ast.For) -> None:
        """Read a value, then bind or change the targets; take a loop to run at least once."""
        value = node.iter if isinstance(node, ast.For) else node.value
        if value is None:  # a declaration
            self.visit(node.annotation)
            return
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            self._alias(target, value, loop=isinstance(node, ast.For))
        self.generic_visit(node)

    visit_Assign = visit_AnnAssign = visit_For = visit_binding

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Read the value and the target, then bind or change it."""
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self.visit(ast.Name(node.target.id, ast.Load()))
            self.effects.changes.add(Change(node.target.id, method="+="))
            self.effects.binds.add(node.target.id)
        else:
            self.visit(node.target)

    def _alias(self, target: ast.expr, value: ast.expr, *, loop: bool = False) -> None:
        """Note which names may hold parts of what others hold, and which holds a function or a state."""
        names = [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
        name, method = called(value)
        parts, displayed = [value], isinstance(value, (ast.Tuple, ast.List))
        if displayed:  # given to one name, it is a new list or tuple
            parts = [] if isinstance(target, ast.Name) else value.elts
        elif isinstance(value, ast.Call):
            parts = value.args if (name or method) in LINES_UP else []
        one_by_one = displayed and len(names) == len(parts)
        pairs = zip(names, parts, strict=True) if one_by_one else product(names, parts)
        self.effects.aliases |= {(name, root(part)[0]) for name, part in pairs if root(part)[0]}
        if not isinstance(target, ast.Name):
            return
        if isinstance(value, ast.Lambda):
            self.effects.functions[target.id] = self._function(value.args, [value.body])
        stateful = (name or method) in STATEFUL or name in ITERATORS
        if (stateful or isinstance(value, ast.GeneratorExp)) and not loop:
            self.effects.stateful.add(target.id)

    def visit_branching(self, node: ast.If | ast.While | ast.Try | ast.Match) -> None:
        """Bind for certain what every branch binds."""
        parts = vars(node)
        self.visit(parts.get("test") or parts.get("subject") or ast.Pass())
        bodies = [parts.get("body") or parts["cases"], parts.get("orelse", [])]
        bodies += [[handler] for handler in parts.get("handlers", [])]
        found = [self._apart(body) for body in bodies]
        certain = set.intersection(*(e.binds for e in found))
        for effects in found:
            self.effects.may_bind |= (effects.binds - certain) | effects.may_bind
            self.effects.run(effects)
        self.effects.binds |= certain
        for part in parts.get("finalbody", []):
            self.visit(part)

    visit_If = visit_While = visit_Try = visit_Match = visit_branching

    def _apart(self, body: Iterable[ast.AST]) -> Effects:
        reader = Reader(self.effects.binds)
        for node in body:
            reader.visit(node)
        return reader.effects

    # --- scopes
    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Bind a function; its body runs later."""
        for part in (*node.decorator_list, node.returns):
            if part is not None:
                self.visit(part)
        self._define(node.name, self._function(node.args, node.body))

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Take a lambda to run now, and later."""
        function = self._function(node.args, [node.body])
        self.effects.deferred |= function.free
        self.effects.run(function)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Run the body of a class; its methods run later."""
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        body = self._apart(node.body)
        self.effects.run(body)
        methods = Effects()
        for name, function in body.functions.items():
            methods.run(function)
            changes = {c.name for c in function.changes if changes_object(c.method)}
            if changes & set(function.parameters[:1]):
                self.effects.methods.add(name)
        self._define(node.name, methods)

    def _define(self, name: str, function: Effects) -> None:
        self.effects.binds.add(name)
        self.effects.functions[name] = function
        self.effects.attributes |= function.attributes
        self.effects.deferred |= function.free

    def _function(self, arguments: ast.arguments, body: Iterable[ast.AST]) -> Effects:
        self.visit(arguments)  # defaults and annotations
        every = ast.iter_child_nodes(arguments)
        parameters = tuple(part.arg for part in every if isinstance(part, ast.arg))
        inner = Reader(parameters)
        for node in body:
            inner.visit(node)
        effects = inner.effects
        outer = {
            n for part in body for g in ast.walk(part) if isinstance(g, ast.Global) for n in g.names
        }
        local = (effects.binds | effects.may_bind) - outer
        given = set(parameters) - effects.rebinds  # what these hold is the caller's
        effects.changes = {
            c
            for c in effects.changes
            if c.name not in local or (c.name in given and c.method != "+=")
        } | {Change(name) for name in outer}
        effects.calls = {call.among(local - given) for call in effects.calls}
        effects.uses -= local
        effects.deferred -= local
        effects.parameters = parameters
        return effects

    def visit_comprehension_of(self, node: ast.ListComp | ast.GeneratorExp) -> None:
        """Run a comprehension now; its targets are its own."""
        self.visit(node.generators[0].iter)
        reader = Reader(self.effects.binds)
        reader.generic_visit(node)
        targets = reader.effects.binds - self.effects.binds
        reader.effects.calls = {call.among(targets) for call in reader.effects.calls}
        reader.effects.deferred -= targets
        self.effects.run(reader.effects)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehension_of  # type: ignore[assignment]

    # --- calls
    def visit_Call(self, node: ast.Call) -> None:
        """Note what a call may change: the object of a method, arguments."""
        name, method = called(node)
        if isinstance(node.func, ast.Attribute):
            owner, attribute = root(node.func.value)
            if owner:
                self.effects.changes.add(Change(owner, attribute, method))
        given = [("", root(a)[0]) for a in node.args]
        given += [(k.arg or "**", root(k.value)[0]) for k in node.keywords]
        self.effects.calls.add(Call(name, tuple(given)))
        changed = [argument for keyword, argument in given if keyword in GIVEN_TO_CHANGE]
        if node.args and (method or name) in CHANGE_FIRST:
            changed.append(given[0][1])
        self.effects.changes |= {Change(argument) for argument in changed if argument}
        self.generic_visit(node)


def effects_of(statement: ast.stmt) -> Effects:
    """Return the effects of a statement at the top of a cell."""
    reader = Reader()
    reader.visit(statement)
    return reader.effects
