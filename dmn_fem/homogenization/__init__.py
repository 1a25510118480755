"""What a phase image answers: full-field homogenisation, bounds, and training sets."""

from dmn_fem.homogenization._elastic import EffectiveStiffness, effective_stiffness, homogenize
from dmn_fem.homogenization._full_field import LinearSolution, SpectralGrid, solve_linear

__all__ = [
    "EffectiveStiffness",
    "LinearSolution",
    "SpectralGrid",
    "effective_stiffness",
    "homogenize",
    "solve_linear",
]
