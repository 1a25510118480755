"""Scalar damage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from dmn_fem.laws._law import Answer, PhaseLaw, check_not_negative, check_positive
from dmn_fem.laws._state import Field
from dmn_fem.laws.arithmetic import add, deviator, dot, exp, sqrt, trace, where
from dmn_fem.notation import isotropic_stiffness


@dataclass(frozen=True)
class ScalarDamage(PhaseLaw):
    """Isotropic elasticity with scalar damage by the energy norm: σ = (1 - d) C ε.

    With τ = √(ε·Cε) and r the largest τ so far, at least r0 = strength / √E, damage is exponential,
    d = 1 - r0/r exp(softening (1 - r/r0)) (Oliver, Cervera, Oller and Lubliner 1990). With a time,
    the threshold follows late, time ṙ = τ - r (Simo and Ju 1987, Int. J. Solids Struct. 23, part
    I, section 4), which keeps softening networks solvable: a point of a network has no length to
    spread softening over. The tangent is symmetric.

    Attributes:
        young_modulus: E > 0, stress.
        poisson_ratio: -1 < ν < 0.5.
        strength: Uniaxial stress at which damage begins, > 0.
        softening: >= 0; zero is a constant stress after the strength.
        time: Of the viscous regularisation, >= 0; with zero there is none.
    """

    young_modulus: float
    poisson_ratio: float
    strength: float
    softening: float
    time: float = 0.0

    def __post_init__(self) -> None:
        isotropic_stiffness(self.young_modulus, self.poisson_ratio)
        check_positive(strength=self.strength)
        check_not_negative(softening=self.softening, time=self.time)

    def parameters(self, dimension: int) -> Mapping[str, Any]:
        """Moduli, r0, and how damage follows."""
        e, nu = self.young_modulus, self.poisson_ratio
        return {
            "bulk": e / (3 - 6 * nu),
            "twice_shear": e / (1 + nu),
            "threshold": self.strength / e**0.5,
            "softening": self.softening,
            "time": self.time,
        }

    def fields(self, dimension: int) -> tuple[Field, ...]:
        """Damage, and r / r0 - 1."""
        return (Field("damage", ()), Field("threshold_growth", ()))

    def formula(self, strain: Sequence[Any], old: SimpleNamespace, dt: Any) -> Answer:
        """Explicit: the strain decides alone."""
        law: Any = self
        elastic = add(
            [law.twice_shear * each for each in deviator(strain)], law.bulk * trace(strain)
        )
        energy = dot(elastic, strain)
        before = old.threshold_growth
        limit = law.threshold * (1.0 + before)
        grows = energy > limit * limit
        beyond = sqrt(where(grows, energy, limit * limit)) / law.threshold - 1.0 - before
        delayed = self.time > 0.0
        share = where(delayed, dt / where(delayed, dt + self.time, 1.0), 1.0)
        growth = before + share * where(grows, beyond, 0.0)
        whole = exp(-(self.softening * growth)) / (1.0 + growth)
        new = {"damage": 1.0 - whole, "threshold_growth": growth}
        return [whole * each for each in elastic], new
