"""Law functions: what one phase does at one point, compiled once and called through its address.

Every law function has the same signature, so that networks and unit cells are compiled once for all
laws and a new law costs the compilation of its own few lines.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

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
    of `dmn_fem.laws.Code`. An exception or a NaN counts as a failed point.
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


@law_function
def linear_elastic(parameters, strain, old, new, dt, stress, tangent):
    """σ = C ε; the parameters are the stiffness, row by row."""
    size = strain.size
    for i in range(size):
        total = 0.0
        for j in range(size):
            tangent[i, j] = parameters[i * size + j]
            total += tangent[i, j] * strain[j]
        stress[i] = total
    return 1


@njit(cache=True, error_model="numpy", inline="always")
def _yield_stress(hardening, equivalent):
    """Yield stress and its slope at an equivalent plastic strain; see `J2Plasticity.parameters`."""
    if hardening[0] == 0.0:
        decay = hardening[3] * np.exp(-hardening[4] * equivalent)
        return (
            hardening[1] + hardening[2] * equivalent + hardening[3] - decay,
            hardening[2] + hardening[4] * decay,
        )
    rows = int(hardening[0])
    for row in range(rows - 1):
        left, right = hardening[1 + row], hardening[2 + row]
        if equivalent < right:
            slope = (hardening[2 + rows + row] - hardening[1 + rows + row]) / (right - left)
            return hardening[1 + rows + row] + slope * (equivalent - left), slope
    return hardening[2 * rows], 0.0


@law_function
def j2_plasticity(parameters, strain, old, new, dt, stress, tangent):
    """Radial return, isotropic hardening, consistent tangent (Simo and Hughes 1998, box 3.2)."""
    size = strain.size
    young_modulus, poisson_ratio = parameters[0], parameters[1]
    hardening = parameters[2:]
    bulk = young_modulus / (3.0 * (1.0 - 2.0 * poisson_ratio))
    shear = young_modulus / (2.0 * (1.0 + poisson_ratio))
    equivalent_old = old[size]

    # The trial deviator goes to `stress`, its norm decides.
    mean = (strain[0] + strain[1] + strain[2] - old[0] - old[1] - old[2]) / 3.0
    norm_squared = 0.0
    for i in range(size):
        stress[i] = 2.0 * shear * (strain[i] - old[i] - (mean if i < 3 else 0.0))
        norm_squared += stress[i] * stress[i]
    norm = np.sqrt(norm_squared)
    trial = np.sqrt(1.5) * norm
    limit, slope = _yield_stress(hardening, equivalent_old)

    increment = 0.0
    if not trial <= limit * (1.0 + 1e-12):
        # Newton on the decreasing function trial - 3Gx - σy(p + x), kept inside the bracket of its
        # root.
        low, high = 0.0, (trial - limit) / (3.0 * shear)
        increment = (trial - limit) / (3.0 * shear + slope)
        for _ in range(50):
            limit, slope = _yield_stress(hardening, equivalent_old + increment)
            residual = trial - 3.0 * shear * increment - limit
            if abs(residual) <= 1e-13 * trial:
                break
            if residual > 0.0:
                low = increment
            else:
                high = increment
            increment += residual / (3.0 * shear + slope)
            if not low <= increment <= high:
                increment = 0.5 * (low + high)
    shrink, rank_one = 1.0, 0.0
    if increment > 0.0:
        shrink = 1.0 - 3.0 * shear * increment / trial
        rank_one = 2.0 * shear * (1.0 / (1.0 + slope / (3.0 * shear)) - (1.0 - shrink))
        rank_one /= norm_squared

    for i in range(size):
        new[i] = old[i] + 1.5 * increment / trial * stress[i] if increment > 0.0 else old[i]
    new[size] = equivalent_old + increment
    for i in range(size):
        for j in range(size):
            tangent[i, j] = -rank_one * stress[i] * stress[j]
        tangent[i, i] += 2.0 * shear * shrink
    for i in range(3):
        for j in range(3):
            tangent[i, j] += bulk - 2.0 * shear * shrink / 3.0
    for i in range(size):
        stress[i] *= shrink
        if i < 3:
            stress[i] += 3.0 * bulk * mean
    return 1
