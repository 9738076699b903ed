"""Read off a statement's text what it reads, binds and changes.

The analysis is of names, not of values, and coarse: what may be read or changed counts as read or changed. A name
is changed by an assignment to an attribute or an item of it, by an augmented assignment, by a method that is known to
change its object, and by a function or method of the page that changes anything it is given; an iterator or a random
generator is changed wherever it is named. Library functions are taken to leave their arguments alone,
but for those named below. What this misses shows: every slice is run, and must print what its cell prints.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product

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
HOLD = {"dict", "enumerate", "partial", "reversed", "zip"}  # they give what holds what they got
GIVEN_TO_CHANGE = {"rng", "out", "random_state"}  # keywords
# Among the names that a function changes: whatever it is given; whatever it gives, when that is used.
GIVEN, MADE = MARKS = ("*", "+")
# The parts of a node that run before those that stand left of them.
EARLIER = ("iter", "value")


def root(node: ast.expr) -> str:
    """Return the name that ``name.attribute[...]...`` begins with; else ""."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def called(call: ast.expr) -> tuple[str, str]:
    """Return the name and the method that an expression calls; "" if it calls none."""
    if not isinstance(call, ast.Call):
        return "", ""
    if isinstance(call.func, ast.Attribute):
        return "", call.func.attr
    return (call.func.id if isinstance(call.func, ast.Name) else ""), ""


@dataclass
class Known:
    """What names mean wherever they stand on a page."""

    imported: set[str] = field(default_factory=set)  # modules, and all else
    variables: set[str] = field(default_factory=set)  # bound in another way, somewhere
    functions: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Functions, methods and classes: which names each changes; iterators and random generators: themselves."""

    @property
    def modules(self) -> set[str]:
        """Return the names that are only imported."""
        return self.imported - self.variables


class Reader(ast.NodeVisitor):
    """Collect what nodes do, in the order in which Python evaluates them."""

    def __init__(self, known: Known, nodes: Iterable[ast.AST], binds: Iterable[str] = ()) -> None:
        self.known = known  # to which it adds
        self.reads: set[str] = set()  # while it runs, before it binds them
        self.later: set[str] = set()  # read when what it defines is called
        self.binds = set(binds)  # for certain
        self.may_bind: set[str] = set()
        self.changes: set[str] = set()
        self.aliases: set[tuple[str, str]] = set()  # (a name, another that may hold parts of it)
        self.outer: set[str] = set()  # declared global
        self.kept: set[str] = set()  # changed by functions that it defines
        for node in nodes:
            self.visit(node)

    def generic_visit(self, node: ast.AST) -> None:
        """Visit the parts of a node: values before the targets that they are bound to."""
        early = [getattr(node, name, None) for name in EARLIER]
        for part in sorted(ast.iter_child_nodes(node), key=lambda part: part not in early):
            self.visit(part)

    # --- names
    def visit_Name(self, node: ast.Name) -> None:
        """Note a name that is read, bound or deleted; take a function that is named to be called."""
        if not isinstance(node.ctx, ast.Load):
            self.binds.add(node.id)
            self.known.variables.add(node.id)
            return
        self.reads |= {node.id} - self.binds
        self.changes |= self.known.functions[node.id].difference(MARKS)

    def visit_part(self, node: ast.Attribute | ast.Subscript) -> None:
        """Note a change of an attribute or of an item."""
        if not isinstance(node.ctx, ast.Load):
            self.changes.add(root(node))
        self.generic_visit(node)

    visit_Attribute = visit_Subscript = visit_part

    def visit_named(self, node: ast.ExceptHandler | ast.MatchAs | ast.MatchMapping) -> None:
        """Bind the name of an error or of what was matched."""
        self.binds |= {node.rest if isinstance(node, ast.MatchMapping) else node.name} - {None}
        self.generic_visit(node)

    visit_ExceptHandler = visit_MatchAs = visit_MatchStar = visit_MatchMapping = visit_named

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Bind what is imported."""
        names = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        self.binds |= names
        self.known.imported |= names

    visit_ImportFrom = visit_Import

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        """Note names that are bound outside."""
        self.outer |= set(node.names)

    visit_Nonlocal = visit_Global

    # --- statements
    def visit_binding(self, node: ast.Assign | ast.AnnAssign | ast.For | ast.comprehension) -> None:
        """Read a value, then bind or change the targets; take a loop to run at least once."""
        loop = isinstance(node, (ast.For, ast.comprehension))
        value = node.iter if loop else node.value
        if value is None:  # a declaration
            self.visit(node.annotation)
            return
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            self._alias(target, value)
            if target is not targets[0]:
                self._alias(target, targets[0])
            if isinstance(target, ast.Name) and not loop:
                self._mean(target.id, value)
        self.generic_visit(node)

    visit_Assign = visit_AnnAssign = visit_For = visit_comprehension = visit_binding

    def _mean(self, name: str, value: ast.expr) -> None:
        """Note a name that holds a function or a state."""
        functions = self.known.functions
        for part in (value, *self._held(value)):
            function, method = called(part)
            state = {function, method} & STATEFUL or function in ITERATORS
            if state or MADE in functions[function] or isinstance(part, ast.GeneratorExp):
                functions[name].add(name)
            functions[name] |= functions[root(part)]
            if isinstance(part, ast.Attribute) and part.attr in CHANGE_SELF:
                functions[name].add(root(part))
        if "partial" in called(value) and GIVEN in functions[name]:
            functions[name] |= {root(part) for part in self._held(value)} - {""}
        if isinstance(value, ast.Lambda):
            functions[name] |= self._function(value, name).changes

    def _held(self, value: ast.expr) -> list[ast.expr]:
        """Return the parts of an expression that its value may hold."""
        if isinstance(value, (ast.BoolOp, ast.IfExp, ast.NamedExpr)):  # one of these
            parts = list(ast.iter_child_nodes(value))
        elif isinstance(value, ast.Dict):
            parts = [part for part in value.values if isinstance(part, (ast.Call, ast.Name))]
        elif isinstance(value, ast.Call) and (
            {*called(value)} & HOLD or MADE in self.known.functions[called(value)[0]]
        ):
            parts = [*value.args, *(keyword.value for keyword in value.keywords)]
        else:
            return [value]
        return [each for part in parts for each in self._held(part)]

    def _alias(self, target: ast.expr, value: ast.expr) -> None:
        """Note which names may hold parts of what others hold."""
        lists, nothing = (ast.Tuple, ast.List), {"", *self.known.modules}
        each = isinstance(target, lists) and isinstance(value, lists)
        if each and len(target.elts) == len(value.elts):
            for name, part in zip(target.elts, value.elts, strict=True):
                self._alias(name, part)
            return
        names = {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
        pairs = product(names, {root(part) for part in self._held(value)} - nothing)
        self.aliases |= {(name, whole) for name, whole in pairs if name != whole}

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Read the value and the target, then bind and change it."""
        self.visit(node.value)
        self.changes.add(root(node.target))
        if isinstance(node.target, ast.Name):
            self.visit(ast.Name(node.target.id, ast.Load()))
        self.visit(node.target)

    def visit_branching(self, node: ast.If | ast.While | ast.Try | ast.Match) -> None:
        """Take each part to be the only one that runs."""
        before = self.binds
        for part in ast.iter_child_nodes(node):
            self.binds = set(before)
            self.visit(part)
            self.may_bind |= self.binds - before
        self.binds = before

    visit_If = visit_While = visit_Try = visit_TryStar = visit_Match = visit_branching

    # --- scopes
    def _inside(self, body: Iterable, parameters: Iterable = (), shared: Iterable = ()) -> "Reader":
        """Read a scope of its own, which binds `shared` outside; return what it does to names outside and to what it is given."""
        self.known.variables.update(parameters)
        inner = Reader(self.known, body, parameters)
        own = (inner.binds | inner.may_bind).difference(inner.outer, shared)
        changes = connected(inner.changes | inner.outer, inner.aliases)
        inner.reads -= own
        inner.later -= own
        inner.changes = changes - own | ({GIVEN} if changes & set(parameters) else set())
        inner.changes |= {MADE} if inner.kept & own else set()
        inner.aliases = {pair for pair in inner.aliases if own.isdisjoint(pair)}
        return inner

    def _run(self, inner: "Reader") -> None:
        """Add what runs now, except what it binds."""
        self.reads |= inner.reads - self.binds
        self.later |= inner.later
        self.changes |= inner.changes.difference(MARKS)
        self.aliases |= inner.aliases

    def _function(self, node: ast.FunctionDef | ast.Lambda, own: str = "") -> "Reader":
        """Read the body of a function, which runs later."""
        self.visit(node.args)  # defaults and annotations
        args, every = node.args, ast.iter_child_nodes(node.args)
        parameters = [part.arg for part in every if isinstance(part, ast.arg)]
        inner = self._inside([node.body] if isinstance(node, ast.Lambda) else node.body, parameters)
        if GIVEN in inner.changes:  # which may be a default
            defaults = filter(None, (*args.defaults, *args.kw_defaults))
            inner.changes |= {root(d) or own for d in defaults if not isinstance(d, ast.Constant)}
        if any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in ast.walk(node)):
            inner.changes.add(MADE)
        self.later |= inner.reads | inner.later
        self.kept |= inner.changes
        return inner

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Bind a function."""
        for part in filter(None, (*node.decorator_list, node.returns)):
            self.visit(part)
        self.known.functions[node.name] |= self._function(node, node.name).changes
        self.binds.add(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Take a lambda to run now, and later."""
        self._run(self._function(node))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Run the body of a class; take a class that is named to run its methods."""
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        before, self.binds = self.binds, set(self.binds)  # its methods do not see its names
        for part in node.body:
            self.visit(part)
            if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.known.functions[node.name] |= self.known.functions[part.name].difference(MARKS)
        self.binds = before | {node.name}

    def visit_comprehension_of(self, node: ast.ListComp | ast.DictComp) -> None:
        """Run a comprehension now; its targets are its own, but for what it runs over first."""
        self.visit(node.generators[0].iter)
        parts = sorted(ast.iter_child_nodes(node), key=lambda part: part not in node.generators)
        walrus = {part.target.id for part in ast.walk(node) if isinstance(part, ast.NamedExpr)}
        self._run(self._inside(parts, shared=walrus))
        self.may_bind |= walrus

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehension_of  # type: ignore[assignment]

    # --- calls
    def visit_Call(self, node: ast.Call) -> None:
        """Note what a call may change: the object of a method, arguments."""
        name, method = called(node)
        owner = root(node.func) if method else ""
        given = [root(argument) for argument in node.args]
        named = {keyword.arg: root(keyword.value) for keyword in node.keywords}
        module = owner in self.known.modules
        of_object = method in CHANGE_SELF or method.startswith(CHANGE_SELF_BEGINS)
        if method in CHANGE_MODULE if module else of_object:
            self.changes.add(owner)
        if GIVEN in self.known.functions[name or method or root(node.func)] and not module:
            self.changes |= {owner, *given, *named.values()}
        if (method or name) in CHANGE_FIRST:
            self.changes |= set(given[:1])
        self.changes |= {named[keyword] for keyword in GIVEN_TO_CHANGE & named.keys()}
        self.generic_visit(node)


def connected(names: set[str], aliases: set[tuple[str, str]]) -> set[str]:
    """Return names with all that may share what they hold."""
    while more := {n for pair in aliases if not names.isdisjoint(pair) for n in pair} - names:
        names = names | more
    return names
