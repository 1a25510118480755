"""Yield stress and hardening of a composite under one stress component."""

from typing import NamedTuple

import numpy as np

from dmn_fem.laws import Law
from dmn_fem.notation import COMPONENTS, Array, component_scale
from dmn_fem.online import LoadPath, drive

OFFSET = 0.002
"""Plastic strain at which a composite counts as yielding."""
_ROWS = 20  # the yield stress is then 0.2 % low, at a strain of ten times the offset
_SPAN = 0.01  # half the part of the strain over which the hardening is a difference


class Hardening(NamedTuple):
    """How a composite yields; a yield stress that was not reached is NaN.

    Attributes:
        yield_stress: Stress at a plastic strain of `OFFSET`.
        hardening_modulus: dσ/dε_p at the end; NaN if there is no plastic strain.
    """

    yield_stress: float
    hardening_modulus: float


def hardening(law: Law, direction: str, strain: float) -> Hardening:
    """Pull, or shear, a point of a law under one stress component, all others being zero.

    The plastic strain is what is left of the strain without the elastic one, ε_p = ε - σ/E, with
    the modulus E at zero stress; of a shear it is the engineering one, γ_p = γ - τ/G. In 2D the
    strain 33 is zero (plane strain), hence E that of plane strain.

    Args:
        law: Any law, rate-independent.
        direction: Which stress: ``11``, ``12``, … (not ``33`` in 2D).
        strain: Strain (of a shear γ) at which the hardening is asked for.

    Raises:
        ValueError: If there is no such direction, or the strain is not positive.
        RuntimeError: If the law fails on the way.
    """
    names = COMPONENTS[law.dimension]
    allowed = [name for name in names if law.dimension == 3 or name != "33"]
    if direction not in allowed:
        raise ValueError(f"direction is {direction}; it must be one of {', '.join(allowed)}")
    if not 0 < strain < np.inf:
        raise ValueError(f"strain is {strain}; it must be positive")
    place = names.index(direction)
    # Engineering shear strain is √2 times, shear stress 1/√2 times the Mandel component.
    scale = float(component_scale(law.dimension)[place])
    steps = np.append(np.linspace(0, 1 - _SPAN, _ROWS + 1)[1:], 1 + _SPAN)
    # The first row is in the elastic range of everything: it tells the modulus.
    levels = strain * np.concatenate([[1e-6], steps])
    prescribed = np.full((len(levels), law.strain_size), np.nan)
    stress = np.zeros_like(prescribed)
    prescribed[:, place], stress[:, place] = levels / scale, np.nan
    if law.dimension == 2:
        prescribed[:, 2], stress[:, 2] = 0.0, np.nan
    response = drive(law, LoadPath(np.arange(1.0, len(levels) + 1), prescribed, stress))
    if response.failed:
        raise RuntimeError(
            f"no convergence at a strain {direction} of {levels[len(response.status) - 1]:.3g}"
        )
    return _read(levels, response.stress[:, place] / scale)


def _read(strain: Array, stress: Array) -> Hardening:
    """Yield stress and hardening from a curve whose first point is elastic."""
    plastic = strain - stress * strain[0] / stress[0]
    reached = np.flatnonzero(plastic >= OFFSET)
    yield_stress = np.nan
    if reached.size:
        two = slice(reached[0] - 1, reached[0] + 1)
        yield_stress = float(np.interp(OFFSET, plastic[two], stress[two]))
    change = plastic[-1] - plastic[-2]
    modulus = np.nan if change <= 1e-9 * strain[-1] else (stress[-1] - stress[-2]) / change
    return Hardening(yield_stress, float(modulus))
