"""Plasticity that depends on pressure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, radians, sin, sqrt
from types import SimpleNamespace
from typing import Any

from dmn_fem.laws._law import Answer, PhaseLaw, check_not_negative, check_positive
from dmn_fem.laws._state import Field
from dmn_fem.laws.arithmetic import add, deviator, norm, trace, where
from dmn_fem.notation import isotropic_stiffness, strain_size


@dataclass(frozen=True)
class DruckerPrager(PhaseLaw):
    """Drucker-Prager plasticity: √J2 + η p <= ξ (cohesion + modulus ε̄p), with return to the apex.

    The cone through the compressive meridian of Mohr and Coulomb: η = 6 sin φ / √3 / (3 - sin φ),
    ξ = 6 cos φ / √3 / (3 - sin φ), and in the flow potential η̄ from the dilatancy angle. De Souza
    Neto, Perić and Owen (2008), Computational Methods for Plasticity, boxes 8.8 to 8.10. The
    tangent is symmetric if both angles are equal. Tension is positive.

    Attributes:
        young_modulus: E > 0, stress.
        poisson_ratio: -1 < ν < 0.5.
        cohesion: Stress > 0.
        friction_angle: φ in degrees, 0 to 90.
        dilatancy_angle: In degrees, above 0 and not above φ: the apex is reached by dilatancy.
        modulus: Of the linear hardening of the cohesion, >= 0.
    """

    young_modulus: float
    poisson_ratio: float
    cohesion: float
    friction_angle: float
    dilatancy_angle: float
    modulus: float = 0.0

    def __post_init__(self) -> None:
        isotropic_stiffness(self.young_modulus, self.poisson_ratio)
        check_positive(cohesion=self.cohesion)
        check_not_negative(modulus=self.modulus)
        if not 0 < self.friction_angle < 90:
            raise ValueError(
                f"friction_angle is {self.friction_angle}; it must lie between 0 and 90 degrees"
            )
        if not 0 < self.dilatancy_angle <= self.friction_angle:
            raise ValueError(
                f"dilatancy_angle is {self.dilatancy_angle}; it must be positive and not above "
                f"the friction_angle, {self.friction_angle}"
            )

    @property
    def symmetric(self) -> bool:
        """With equal angles."""
        return self.dilatancy_angle == self.friction_angle

    def parameters(self, dimension: int) -> Mapping[str, Any]:
        """Moduli and slopes of the cone."""
        e, nu, phi = self.young_modulus, self.poisson_ratio, radians(self.friction_angle)
        return {
            "bulk": e / (3 - 6 * nu),
            "shear": e / (2 + 2 * nu),
            "friction": _slope(phi),
            "dilatancy": _slope(radians(self.dilatancy_angle)),
            "adhesion": _slope(phi) * cos(phi) / sin(phi),
            "cohesion": self.cohesion,
            "modulus": self.modulus,
        }

    def fields(self, dimension: int) -> tuple[Field, ...]:
        """Plastic strain and equivalent plastic strain, ξ times the plastic multiplier."""
        return (
            Field("plastic_strain", (strain_size(dimension),)),
            Field("equivalent_plastic_strain", ()),
        )

    def formula(self, strain: Sequence[Any], old: SimpleNamespace, dt: Any) -> Answer:
        """Return to the cone and, where that passes its apex, to the apex."""
        law: Any = self
        bulk, shear, friction, dilatancy = law.bulk, law.shear, law.friction, law.dilatancy
        before = old.equivalent_plastic_strain
        elastic = [e - p for e, p in zip(strain, old.plastic_strain, strict=True)]
        trial = [2.0 * shear * each for each in deviator(elastic)]
        pressure = bulk * trace(elastic)
        size = norm(trial) * _ROOT_1_2
        cohesion = self.cohesion + self.modulus * before
        excess = size + friction * pressure - law.adhesion * cohesion
        flows = excess > 1e-12 * law.adhesion * cohesion
        multiplier = excess / (
            shear + bulk * friction * dilatancy + law.adhesion * law.adhesion * self.modulus
        )
        apex = flows & (size < shear * multiplier)
        # At the apex no deviator is left; the volume strain follows from its height.
        height = law.adhesion / friction
        growth = law.adhesion / dilatancy
        volume = (pressure - height * cohesion) / (bulk + height * growth * self.modulus)
        scale = where(apex, 0.0, where(flows, 1.0 - shear * multiplier / size, 1.0))
        volume = where(apex, volume, where(flows, dilatancy * multiplier, 0.0))
        increment = where(apex, growth * volume, where(flows, law.adhesion * multiplier, 0.0))
        deviatoric = [scale * each for each in trial]
        flow = [(t - s) * (0.5 / shear) for t, s in zip(trial, deviatoric, strict=True)]
        flow = add(flow, volume * (1.0 / 3.0))
        new = {
            "plastic_strain": [p + f for p, f in zip(old.plastic_strain, flow, strict=True)],
            "equivalent_plastic_strain": before + increment,
        }
        return add(deviatoric, pressure - bulk * volume), new


_ROOT_1_2 = 0.5**0.5


def _slope(angle: float) -> float:
    """η of an angle."""
    return 6 * sin(angle) / (sqrt(3) * (3 - sin(angle)))
