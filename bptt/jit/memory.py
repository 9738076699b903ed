"""Read and write entries of arrays that are known not to overlap, so that loops become vector instructions.

The compiler may keep two entries in one register only if no write between them can change them. A loop over a cell's
twenty arrays would need hundreds of comparisons of addresses before it could say so; LLVM gives up. Here every array
of a loop has a scope of its own, and every access says in LLVM's metadata to which scope it belongs.

Source: LLVM Language Reference, metadata "noalias" and "alias.scope", intrinsic "llvm.experimental.noalias.scope.decl".
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from bptt.jit.untyped import Builder, Context, Intrinsic, Module, NumbaType, Signature, Value

SCOPES = 64  # arrays beyond this number are read and written without metadata


def _scopes(module: Module) -> list[Value]:
    domain = module.add_metadata(["bptt"])
    return [module.add_metadata([f"bptt {k}", domain]) for k in range(SCOPES)]


@intrinsic
def begin(_: Context) -> Intrinsic:
    """Declare that from here until the next call the scopes do not overlap."""

    def build(context: Context, builder: Builder, __: Signature, ___: tuple[Value, ...]) -> Value:
        module = builder.module
        kind = ir.FunctionType(ir.VoidType(), [ir.MetaDataType()])
        name = "llvm.experimental.noalias.scope.decl"
        declare = cgutils.get_or_insert_function(module, kind, name)
        for scope in _scopes(module):
            builder.call(declare, [module.add_metadata([scope])])
        return context.get_dummy_value()

    return types.void(), build


def _address(
    context: Context, builder: Builder, kind: NumbaType, array: Value, index: Value
) -> Value:
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(data, [index])


def _mark(instruction: Value, module: Module, scope: int) -> None:
    if scope < SCOPES:
        scopes = _scopes(module)
        others = scopes[:scope] + scopes[scope + 1 :]
        instruction.set_metadata("alias.scope", module.add_metadata([scopes[scope]]))
        instruction.set_metadata("noalias", module.add_metadata(others))


@intrinsic
def load(_: Context, scope: NumbaType, array: NumbaType, index: NumbaType) -> Intrinsic:  # noqa: ARG001 - used by its code
    """Return ``array[index]``, of a one-dimensional array of the scope with this number."""
    if not isinstance(scope, types.IntegerLiteral):
        return None
    number = scope.literal_value

    def build(
        context: Context, builder: Builder, signature: Signature, args: tuple[Value, ...]
    ) -> Value:
        address = _address(context, builder, signature.args[1], args[1], args[2])
        found = builder.load(address)
        _mark(found, builder.module, number)
        return found

    return array.dtype(scope, array, types.intp), build


@intrinsic
def store(
    _: Context, scope: NumbaType, array: NumbaType, index: NumbaType, value: NumbaType
) -> Intrinsic:
    """Do ``array[index] = value``, of a one-dimensional array of the scope with this number."""
    del index, value  # of these types whatever comes: Numba converts them
    if not isinstance(scope, types.IntegerLiteral):
        return None
    number = scope.literal_value

    def build(
        context: Context, builder: Builder, signature: Signature, args: tuple[Value, ...]
    ) -> Value:
        address = _address(context, builder, signature.args[1], args[1], args[2])
        _mark(builder.store(args[3], address), builder.module, number)
        return context.get_dummy_value()

    return types.void(scope, array, types.intp, array.dtype), build
