"""What a phase image answers: full-field homogenisation, bounds, and training sets."""

from dmn_fem.homogenization._budget import BudgetSettings, ErrorBudget, Spread
from dmn_fem.homogenization._campaign import CampaignError
from dmn_fem.homogenization._conduction import (
    EffectiveConductivity,
    ScalarGrid,
    effective_conductivity,
)
from dmn_fem.homogenization._draw import draw_phase_stiffness
from dmn_fem.homogenization._elastic import EffectiveStiffness, effective_stiffness, homogenize
from dmn_fem.homogenization._executors import Workers, start_processes, start_ranks
from dmn_fem.homogenization._full_field import LinearSolution, SpectralGrid, solve_linear
from dmn_fem.homogenization._inelastic import (
    InelasticPlan,
    sample_inelastic,
    sample_inelastic_family,
)
from dmn_fem.homogenization._inelastic_set import InelasticSet
from dmn_fem.homogenization._local_fields import LOCAL_FORMATS, LocalFields
from dmn_fem.homogenization._mixing import Mixing
from dmn_fem.homogenization._orientation import orientation_average
from dmn_fem.homogenization._recipe import DataRecipe, Member, sample_family
from dmn_fem.homogenization._sampling import sample
from dmn_fem.homogenization._thermal import EffectiveThermoelasticity, thermoelastic
from dmn_fem.homogenization._training_set import TrainingSet
from dmn_fem.homogenization._unit_cell import UnitCellLaw
from dmn_fem.homogenization.bounds import (
    Moduli,
    hashin_shtrikman,
    hashin_shtrikman_conductivity,
    reuss,
    voigt,
)
from dmn_fem.homogenization.mean_field import (
    Inclusion,
    dilute,
    eshelby,
    hill,
    mori_tanaka,
    self_consistent,
)

__all__ = [
    "LOCAL_FORMATS",
    "BudgetSettings",
    "CampaignError",
    "DataRecipe",
    "EffectiveConductivity",
    "EffectiveStiffness",
    "EffectiveThermoelasticity",
    "ErrorBudget",
    "Inclusion",
    "InelasticPlan",
    "InelasticSet",
    "LinearSolution",
    "LocalFields",
    "Member",
    "Mixing",
    "Moduli",
    "ScalarGrid",
    "SpectralGrid",
    "Spread",
    "TrainingSet",
    "UnitCellLaw",
    "Workers",
    "dilute",
    "draw_phase_stiffness",
    "effective_conductivity",
    "effective_stiffness",
    "eshelby",
    "hashin_shtrikman",
    "hashin_shtrikman_conductivity",
    "hill",
    "homogenize",
    "mori_tanaka",
    "orientation_average",
    "reuss",
    "sample",
    "sample_family",
    "sample_inelastic",
    "sample_inelastic_family",
    "self_consistent",
    "solve_linear",
    "start_processes",
    "start_ranks",
    "thermoelastic",
    "voigt",
]
