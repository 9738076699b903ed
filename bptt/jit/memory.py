"""Read and write entries of arrays that are known not to overlap, so that loops become vector instructions.

The compiler may keep two entries in one register only if no write between them can change them. A loop over a cell's
twenty arrays would need hundreds of comparisons of addresses before it could say so; LLVM gives up. Here every array
of a loop has a scope of its own, and every access says in LLVM's metadata to which scope it belongs.

Source: LLVM Language Reference, metadata "noalias" and "alias.scope", intrinsic "llvm.experimental.noalias.scope.decl".
"""

from collections.abc import Callable

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from bptt.jit.untyped import Intrinsic, Untyped

SCOPES = 64  # arrays beyond this number are read and written without metadata


def _scopes(module: Untyped) -> list[Untyped]:
    domain = module.add_metadata(["bptt"])
    return [module.add_metadata([f"bptt {k}", domain]) for k in range(SCOPES)]


@intrinsic
def begin(_: Untyped) -> Intrinsic:
    """Declare that from here until the next call the scopes do not overlap."""

    def build(context: Untyped, builder: Untyped, __: Untyped, ___: Untyped) -> Untyped:
        module = builder.module
        kind = ir.FunctionType(ir.VoidType(), [ir.MetaDataType()])
        name = "llvm.experimental.noalias.scope.decl"
        declare = cgutils.get_or_insert_function(module, kind, name)
        for scope in _scopes(module):
            builder.call(declare, [module.add_metadata([scope])])
        return context.get_dummy_value()

    return types.void(), build


def _access(scope: Untyped, signature: Untyped, instruction: Callable[..., Untyped]) -> Intrinsic:
    """Return what reads or writes one entry of an array of the scope with this number."""
    if not isinstance(scope, types.IntegerLiteral):
        return None

    def build(context: Untyped, builder: Untyped, signature: Untyped, args: Untyped) -> Untyped:
        data = context.make_array(signature.args[1])(context, builder, args[1]).data
        found = instruction(builder, builder.gep(data, [args[2]]), *args[3:])
        if (k := scope.literal_value) < SCOPES:
            module, scopes = builder.module, _scopes(builder.module)
            found.set_metadata("alias.scope", module.add_metadata([scopes[k]]))
            found.set_metadata("noalias", module.add_metadata(scopes[:k] + scopes[k + 1 :]))
        return found if len(args) == 3 else context.get_dummy_value()

    return signature, build


@intrinsic
def load(_: Untyped, scope: Untyped, array: Untyped, _at: Untyped) -> Intrinsic:
    """Return ``array[index]``, of a one-dimensional array of the scope with this number."""
    # The index is of this type whatever comes: Numba converts it.
    signature = array.dtype(scope, array, types.intp)
    return _access(scope, signature, lambda builder, address: builder.load(address))


@intrinsic
def store(_: Untyped, scope: Untyped, array: Untyped, _at: Untyped, _new: Untyped) -> Intrinsic:
    """Do ``array[index] = value``, of a one-dimensional array of the scope with this number."""
    signature = types.void(scope, array, types.intp, array.dtype)
    return _access(scope, signature, lambda builder, address, new: builder.store(new, address))
