"""Phase laws, how a user writes one, and the interface that every law fulfils."""

from dmn_fem.laws._check import check_tangent, initial_stiffness
from dmn_fem.laws._functions import law_function
from dmn_fem.laws._materials import (
    Hardening,
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    OrthotropicElastic,
    PhaseLaw,
    TabulatedHardening,
    VoceHardening,
)
from dmn_fem.laws._phases import parse_phases, phase_tables, read_phases
from dmn_fem.laws._protocol import Code, Field, Law, Record, State, Status
from dmn_fem.laws._void import VOID, void

__all__ = [
    "VOID",
    "Code",
    "Field",
    "Hardening",
    "J2Plasticity",
    "Law",
    "LinearElastic",
    "LinearHardening",
    "OrthotropicElastic",
    "PhaseLaw",
    "Record",
    "State",
    "Status",
    "TabulatedHardening",
    "VoceHardening",
    "check_tangent",
    "initial_stiffness",
    "law_function",
    "parse_phases",
    "phase_tables",
    "read_phases",
    "void",
]
