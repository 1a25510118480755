"""Law functions: what one phase does at one point, compiled once and called through its address.

Every law function has the same signature, so that networks and unit cells are compiled once for all
laws and a new law costs the compilation of its own few lines.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from dmn_fem._compiled import njit

_VECTOR = types.float64[::1]
_MATRIX = types.float64[:, ::1]
LAW_SIGNATURE = types.int64(_VECTOR, _VECTOR, _VECTOR, _VECTOR, types.float64, _VECTOR, _MATRIX)
"""``law(parameters, strain, old, new, dt, stress, tangent) -> code``."""

FASTMATH = {"contract", "reassoc", "nsz", "arcp"}
"""Freedom for the compiler that keeps NaN and infinity meaningful."""


def law_function(function: Callable[..., int]) -> Any:
    """Compile ``law(parameters, strain, old, new, dt, stress, tangent) -> code`` of one point.

    ``strain`` has 4 or 6 Mandel components; ``old`` holds the internal variables at the start of
    the step; ``new``, ``stress`` and the consistent ``tangent`` are to be written; the code is that
    of `dmn_fem.laws.Code`. An exception or a NaN counts as a failed point. External fields follow
    the law's ``parameters``, in the order of `PhaseLaw.external`.

    This is for laws that branch and loop as they like; a `PhaseLaw.formula` is shorter and needs no
    tangent. Networks call a function point by point: with a Maxwell element in 90 of 128 leaves a
    sweep took 2.3 times as long as with its formula (8.9 against 3.8 µs a point, AVX-512).
    """
    return njit(LAW_SIGNATURE, cache=True, error_model="numpy", fastmath=FASTMATH)(function)


def law_address(function: Any) -> int:
    """Address of the machine code of a `law_function`, for `call_law`."""
    compiled = function.get_compile_result(LAW_SIGNATURE)
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


@intrinsic
def call_law(typingctx, address, parameters, strain, old, new, dt, stress, tangent):
    """Call the law function at an address; a Python exception inside it becomes the code -1."""

    def codegen(context, builder, signature, args):
        convention = context.call_conv
        arguments = LAW_SIGNATURE.args
        function_type = convention.get_function_type(LAW_SIGNATURE.return_type, arguments)
        pointer = builder.inttoptr(args[0], function_type.as_pointer())
        status, code = convention.call_function(
            builder, pointer, LAW_SIGNATURE.return_type, arguments, args[1:]
        )
        result = cgutils.alloca_once_value(builder, code)
        with builder.if_then(status.is_error, likely=False):
            builder.store(ir.Constant(ir.IntType(64), -1), result)
        return builder.load(result)

    return LAW_SIGNATURE.return_type(types.int64, *LAW_SIGNATURE.args), codegen
