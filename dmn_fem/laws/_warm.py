"""Compiling ahead of time what a law needs."""

import numpy as np

from dmn_fem.laws._damage import ScalarDamage
from dmn_fem.laws._drucker_prager import DruckerPrager
from dmn_fem.laws._elasticity import (
    LinearElastic,
    OrthotropicElastic,
    TransverselyIsotropicElastic,
)
from dmn_fem.laws._hardening import LinearHardening, PowerHardening, VoceHardening
from dmn_fem.laws._law import PhaseLaw
from dmn_fem.laws._plasticity import J2Plasticity
from dmn_fem.laws._protocol import Law
from dmn_fem.laws._viscoplasticity import NortonCreep, PerzynaViscoplasticity

COMMON_LAWS: dict[str, PhaseLaw] = {
    "linear_elastic": LinearElastic(1.0, 0.3),
    "transversely_isotropic_elastic": TransverselyIsotropicElastic(9.0, 3.0, 0.2, 0.3, 2.0),
    "orthotropic_elastic": OrthotropicElastic((9.0, 5.0, 3.0), (0.2, 0.3, 0.1), (1.0, 2.0, 0.4)),
    "j2_plasticity, perfect": J2Plasticity(1.0, 0.3, 1e-3),
    "j2_plasticity, linear": J2Plasticity(1.0, 0.3, 1e-3, LinearHardening(0.1)),
    "j2_plasticity, voce": J2Plasticity(1.0, 0.3, 1e-3, VoceHardening(1e-3, 50.0, 0.1)),
    "j2_plasticity, power": J2Plasticity(1.0, 0.3, 1e-3, PowerHardening(0.01, 0.3)),
    "perzyna_viscoplasticity, linear": PerzynaViscoplasticity(
        1.0, 0.3, 1e-3, 1e-3, 5.0, 100.0, LinearHardening(0.1)
    ),
    "norton_creep": NortonCreep(1.0, 0.3, 1e-3, 5.0, 100.0),
    "drucker_prager": DruckerPrager(1.0, 0.3, 1e-3, 30.0, 10.0, 1.0),
    "scalar_damage": ScalarDamage(1.0, 0.3, 1e-3, 0.3, 0.5),
}
"""Laws whose machine code no parameter decides: numbers do not, how many there are in a list does.

The others (Prony terms, back stresses, tables) are compiled for the lists that they have.
"""


def warm_up(law: Law) -> None:
    """Let a law compile what it needs, or load what was kept, by asking it about one point."""
    size, state = law.strain_size, law.allocate(1)
    outside = {name: np.zeros(1) for name in law.external}
    stress, tangent = np.empty((1, size)), np.empty((1, size, size))
    law.integrate(np.zeros((1, size)), state, stress, tangent, 1.0, outside)
    law.averages(state)
