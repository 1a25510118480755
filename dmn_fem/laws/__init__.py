"""Phase laws, how a user writes one, and the interface that every law fulfils."""

from dmn_fem.laws._check import LawReport, check, initial_stiffness
from dmn_fem.laws._damage import ScalarDamage
from dmn_fem.laws._drucker_prager import DruckerPrager
from dmn_fem.laws._elasticity import (
    LinearElastic,
    OrthotropicElastic,
    TransverselyIsotropicElastic,
)
from dmn_fem.laws._functions import law_function
from dmn_fem.laws._hardening import (
    Hardening,
    LinearHardening,
    PowerHardening,
    TabulatedHardening,
    VoceHardening,
)
from dmn_fem.laws._law import PhaseLaw
from dmn_fem.laws._phases import parse_phases, phase_tables, read_phases
from dmn_fem.laws._plasticity import BackStress, ChabochePlasticity, J2Plasticity
from dmn_fem.laws._point_record import Attempt, PointRecord, replay
from dmn_fem.laws._protocol import Code, Law, Status, check_sizes
from dmn_fem.laws._reduced import PlaneStrain, PlaneStress, UniaxialStress
from dmn_fem.laws._state import Field, Record, State
from dmn_fem.laws._temperature import TemperatureDependent, ThermalExpansion
from dmn_fem.laws._viscoelasticity import GeneralisedMaxwell, PronyTerm
from dmn_fem.laws._viscoplasticity import NortonCreep, PerzynaViscoplasticity
from dmn_fem.laws._void import VOID, void
from dmn_fem.laws._warm import COMMON_LAWS, warm_up

__all__ = [
    "COMMON_LAWS",
    "VOID",
    "Attempt",
    "BackStress",
    "ChabochePlasticity",
    "Code",
    "DruckerPrager",
    "Field",
    "GeneralisedMaxwell",
    "Hardening",
    "J2Plasticity",
    "Law",
    "LawReport",
    "LinearElastic",
    "LinearHardening",
    "NortonCreep",
    "OrthotropicElastic",
    "PerzynaViscoplasticity",
    "PhaseLaw",
    "PlaneStrain",
    "PlaneStress",
    "PointRecord",
    "PowerHardening",
    "PronyTerm",
    "Record",
    "ScalarDamage",
    "State",
    "Status",
    "TabulatedHardening",
    "TemperatureDependent",
    "ThermalExpansion",
    "TransverselyIsotropicElastic",
    "UniaxialStress",
    "VoceHardening",
    "check",
    "check_sizes",
    "initial_stiffness",
    "law_function",
    "parse_phases",
    "phase_tables",
    "read_phases",
    "replay",
    "void",
    "warm_up",
]
