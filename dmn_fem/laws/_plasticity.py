"""Rate-independent von Mises plasticity with isotropic and kinematic hardening."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

from pydantic import ConfigDict

from dmn_fem.laws._hardening import PERFECT, Hardening, check_table
from dmn_fem.laws._law import STRICT, Answer, PhaseLaw, check_not_negative, check_positive
from dmn_fem.laws._state import Field
from dmn_fem.laws.arithmetic import (
    add,
    deviator,
    norm,
    root,
    trace,
)
from dmn_fem.notation import isotropic_stiffness, strain_size

ROOT_3_2 = 1.5**0.5
ELASTIC = 1e-12
"""Share of a trial stress by which it must pass the yield stress to flow."""


class VonMises(PhaseLaw):
    """What von Mises laws share: isotropic elasticity and what they remember."""

    bulk: Any
    shear: Any

    def parameters(self, dimension: int) -> Mapping[str, Any]:
        """Bulk and shear modulus instead of E and ν."""
        given = dict(super().parameters(dimension))
        e, nu = given.pop("young_modulus"), given.pop("poisson_ratio")
        return {"bulk": e / (3 - 6 * nu), "shear": e / (2 + 2 * nu), **given}

    def fields(self, dimension: int) -> tuple[Field, ...]:
        """Plastic strain and equivalent plastic strain."""
        return (
            Field("plastic_strain", (strain_size(dimension),), deviatoric=True),
            Field("equivalent_plastic_strain", ()),
        )


@dataclass(frozen=True)
class J2Plasticity(VonMises):
    """Rate-independent von Mises plasticity with isotropic hardening, small strain.

    Radial return and consistent tangent of Simo and Hughes (1998), Computational Inelasticity,
    box 3.2, for hardening in any form.

    Attributes:
        young_modulus: E > 0, stress.
        poisson_ratio: -1 < ν < 0.5.
        yield_stress: Initial yield stress > 0.
        hardening: Perfect plasticity by default.
    """

    young_modulus: float
    poisson_ratio: float
    yield_stress: float
    hardening: Hardening = PERFECT

    def __post_init__(self) -> None:
        isotropic_stiffness(self.young_modulus, self.poisson_ratio)
        check_positive(yield_stress=self.yield_stress)
        check_table(self.yield_stress, self.hardening)

    def formula(self, strain: Sequence[Any], old: SimpleNamespace, dt: Any) -> Answer:
        """Radial return: ‖s_trial‖ - 3 G Δp = σy(p + Δp), whose left side falls."""
        shear, before = self.shear, old.equivalent_plastic_strain
        elastic, trial = trial_state(self, strain, old)
        equivalent = ROOT_3_2 * norm(trial)

        def residual(increment: Any) -> Any:
            limit = self.hardening.strength(self.yield_stress, before + increment)
            return equivalent - 3.0 * shear * increment - limit

        flows = residual(0.0) > ELASTIC * equivalent
        increment = root(residual, 0.0, equivalent / (3.0 * shear), flows)
        return radial_return(self, old, elastic, trial, increment, equivalent)


def trial_state(
    law: VonMises, strain: Sequence[Any], old: SimpleNamespace
) -> tuple[list[Any], list[Any]]:
    """Elastic strain and deviator of the stress if nothing flowed."""
    elastic = [e - p for e, p in zip(strain, old.plastic_strain, strict=True)]
    return elastic, [2.0 * law.shear * each for each in deviator(elastic)]


def radial_return(
    law: VonMises,
    old: SimpleNamespace,
    elastic: list[Any],
    trial: list[Any],
    increment: Any,
    equivalent: Any,
) -> Answer:
    """Stress and internal variables when p grows by an increment along the trial stress."""
    ratio = 1.5 * increment / equivalent
    shrink = 1.0 - 2.0 * law.shear * ratio
    new = {
        "plastic_strain": [p + ratio * s for p, s in zip(old.plastic_strain, trial, strict=True)],
        "equivalent_plastic_strain": old.equivalent_plastic_strain + increment,
    }
    return add([shrink * each for each in trial], law.bulk * trace(elastic)), new


@dataclass(frozen=True)
class BackStress:
    """One part X of the centre of the yield surface: Ẋ = 2/3 modulus ε̇p - recall X ṗ.

    Attributes:
        modulus: C > 0, stress.
        recall: γ >= 0; zero is Prager's linear kinematic hardening. X saturates at C / γ.
    """

    modulus: float
    recall: float = 0.0
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        check_positive(**{"kinematic modulus": self.modulus})
        check_not_negative(**{"kinematic recall": self.recall})


@dataclass(frozen=True)
class ChabochePlasticity(VonMises):
    """Von Mises plasticity with kinematic hardening of several parts, and isotropic hardening.

    Prager's law is one part without recall, that of Armstrong and Frederick (1966) one with it;
    several are Chaboche's (1986, Int. J. Plasticity 2). Implicit Euler: with w = 1 / (1 + γ Δp) the
    increment solves ‖s_trial - Σ w X‖ - (3 G + Σ w C) Δp = σy(p + Δp), Kobayashi and Ohno (2002,
    Int. J. Numer. Meth. Engng 53). The tangent is not symmetric where recall is not zero.

    Attributes:
        young_modulus: E > 0, stress.
        poisson_ratio: -1 < ν < 0.5.
        yield_stress: Initial yield stress > 0.
        kinematic: Parts of the back stress.
        hardening: None by default.
    """

    young_modulus: float
    poisson_ratio: float
    yield_stress: float
    kinematic: tuple[BackStress, ...]
    hardening: Hardening = PERFECT

    def __post_init__(self) -> None:
        isotropic_stiffness(self.young_modulus, self.poisson_ratio)
        check_positive(yield_stress=self.yield_stress)
        check_table(self.yield_stress, self.hardening)
        if not self.kinematic:
            raise ValueError("kinematic is empty; it needs one part of the back stress at least")

    @property
    def symmetric(self) -> bool:
        """Without recall."""
        return not any(part.recall for part in self.kinematic)

    def fields(self, dimension: int) -> tuple[Field, ...]:
        """Plastic strain, equivalent plastic strain, parts of the back stress."""
        shape = (len(self.kinematic), strain_size(dimension))
        return (*super().fields(dimension), Field("back_stress", shape, "stress", deviatoric=True))

    def formula(self, strain: Sequence[Any], old: SimpleNamespace, dt: Any) -> Answer:
        """Return to a yield surface that moves."""
        shear, before = self.shear, old.equivalent_plastic_strain
        elastic, trial = trial_state(self, strain, old)

        def relative(increment: Any) -> tuple[list[Any], list[Any], Any]:
            """Weights w, trial stress from the weighted centre, and 3 G + Σ w C."""
            weights = [1.0 / (1.0 + part.recall * increment) for part in self.kinematic]
            stiff, shifted = 3.0 * shear, trial
            for w, part, centre in zip(weights, self.kinematic, old.back_stress, strict=True):
                stiff = stiff + w * part.modulus
                shifted = [s - w * x for s, x in zip(shifted, centre, strict=True)]
            return weights, shifted, stiff

        def residual(increment: Any) -> Any:
            _, shifted, stiff = relative(increment)
            limit = self.hardening.strength(self.yield_stress, before + increment)
            return ROOT_3_2 * norm(shifted) - stiff * increment - limit

        flows = residual(0.0) > ELASTIC * self.yield_stress
        far = norm(trial)
        for centre in old.back_stress:
            far = far + norm(centre)
        increment = root(residual, 0.0, far * (ROOT_3_2 / 3.0 / shear), flows)
        weights, shifted, _ = relative(increment)
        amount = ROOT_3_2 * increment / norm(shifted)
        flow = [amount * each for each in shifted]
        stress = [s - 2.0 * shear * each for s, each in zip(trial, flow, strict=True)]
        centres = [
            [
                w * (x + part.modulus * (2.0 / 3.0) * each)
                for x, each in zip(centre, flow, strict=True)
            ]
            for w, part, centre in zip(weights, self.kinematic, old.back_stress, strict=True)
        ]
        new = {
            "plastic_strain": [p + f for p, f in zip(old.plastic_strain, flow, strict=True)],
            "equivalent_plastic_strain": before + increment,
            "back_stress": centres,
        }
        return add(stress, self.bulk * trace(elastic)), new
