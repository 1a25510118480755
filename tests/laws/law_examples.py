"""One example of every law, in units where yield begins at strains of 1e-3."""

from dmn_fem.laws import (
    BackStress,
    ChabochePlasticity,
    DruckerPrager,
    GeneralisedMaxwell,
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    NortonCreep,
    OrthotropicElastic,
    PerzynaViscoplasticity,
    PowerHardening,
    PronyTerm,
    ScalarDamage,
    TabulatedHardening,
    TemperatureDependent,
    ThermalExpansion,
    TransverselyIsotropicElastic,
    VoceHardening,
)

LAWS = {
    "elastic": LinearElastic(100.0, 0.3),
    "transverse": TransverselyIsotropicElastic(90.0, 30.0, 0.2, 0.3, 20.0),
    "orthotropic": OrthotropicElastic((90.0, 50.0, 30.0), (0.2, 0.3, 0.1), (10.0, 20.0, 4.0)),
    "perfect": J2Plasticity(100.0, 0.3, 0.1),
    "linear": J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0)),
    "voce": J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.1, 50.0, 1.0)),
    "power": J2Plasticity(100.0, 0.3, 0.1, PowerHardening(0.01, 0.3)),
    "table": J2Plasticity(
        100.0, 0.3, 0.1, TabulatedHardening((0.0, 0.01, 0.02, 0.05), (0.1, 0.15, 0.16, 0.2))
    ),
    "prager": ChabochePlasticity(100.0, 0.3, 0.1, (BackStress(5.0),)),
    "chaboche": ChabochePlasticity(
        100.0, 0.3, 0.1, (BackStress(20.0, 200.0), BackStress(2.0, 10.0)), VoceHardening(0.1, 50.0)
    ),
    "perzyna": PerzynaViscoplasticity(100.0, 0.3, 0.1, 0.05, 5.0, 100.0, LinearHardening(2.0)),
    "norton": NortonCreep(100.0, 0.3, 0.1, 5.0, 100.0),
    "maxwell": GeneralisedMaxwell(100.0, 0.3, (PronyTerm(1.0, 0.3, 0.1), PronyTerm(10.0, 0.2))),
    "drucker_prager": DruckerPrager(100.0, 0.3, 0.1, 30.0, 10.0, 1.0),
    "damage": ScalarDamage(100.0, 0.3, 0.1, 0.3, 0.5),
}
LAWS["hot"] = TemperatureDependent(
    (20.0, 100.0, 200.0),
    (
        LAWS["voce"],
        J2Plasticity(90.0, 0.3, 0.08, VoceHardening(0.08, 40.0, 1.0)),
        J2Plasticity(60.0, 0.32, 0.04, VoceHardening(0.02, 40.0, 0.5)),
    ),
)
LAWS["expanding"] = ThermalExpansion(LAWS["transverse"], (1e-5, 3e-5, 3e-5), 20.0)
