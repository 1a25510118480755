"""What a phase image answers: full-field homogenisation, bounds, and training sets."""

from dmn_fem.homogenization._draw import draw_phase_stiffness
from dmn_fem.homogenization._elastic import EffectiveStiffness, effective_stiffness, homogenize
from dmn_fem.homogenization._full_field import LinearSolution, SpectralGrid, solve_linear
from dmn_fem.homogenization._mixing import Mixing
from dmn_fem.homogenization._sampling import sample
from dmn_fem.homogenization._training_set import TrainingSet
from dmn_fem.homogenization._unit_cell import UnitCellLaw
from dmn_fem.homogenization.bounds import Moduli, hashin_shtrikman, reuss, voigt

__all__ = [
    "EffectiveStiffness",
    "LinearSolution",
    "Mixing",
    "Moduli",
    "SpectralGrid",
    "TrainingSet",
    "UnitCellLaw",
    "draw_phase_stiffness",
    "effective_stiffness",
    "hashin_shtrikman",
    "homogenize",
    "reuss",
    "sample",
    "solve_linear",
    "voigt",
]
