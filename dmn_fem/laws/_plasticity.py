"""Von Mises plasticity: rate-independent with isotropic or kinematic hardening, viscoplastic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

from pydantic import ConfigDict

from dmn_fem.laws._hardening import PERFECT, Hardening, check_table
from dmn_fem.laws._law import STRICT, PhaseLaw, check_not_negative, check_positive
from dmn_fem.laws._protocol import Field
from dmn_fem.laws.arithmetic import (
    Dual,
    add,
    deviator,
    dot,
    maximum,
    norm,
    power,
    repeat,
    root,
    sqrt,
    trace,
    where,
)
from dmn_fem.notation import isotropic_stiffness, strain_size

_ROOT_3_2 = 1.5**0.5
_ELASTIC = 1.0 + 1e-12
"""Of the yield stress: below this a trial stress does not flow."""


class _Plastic(PhaseLaw):
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
            Field("plastic_strain", (strain_size(dimension),)),
            Field("equivalent_plastic_strain", ()),
        )


@dataclass(frozen=True)
class J2Plasticity(_Plastic):
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
    gives_tangent: ClassVar[bool] = True

    def __post_init__(self) -> None:
        isotropic_stiffness(self.young_modulus, self.poisson_ratio)
        check_positive(yield_stress=self.yield_stress)
        check_table(self.yield_stress, self.hardening)

    def formula(self, strain: Sequence[Any], old: SimpleNamespace, dt: Any) -> tuple[Any, ...]:
        """The tangent is written by hand: this is the law of most leaves."""
        bulk, shear, size = self.bulk, self.shear, len(strain)
        before = old.equivalent_plastic_strain

        def strength(increment: Any) -> tuple[Any, Any]:
            found = self.hardening.strength(self.yield_stress, Dual(before + increment, {0: 1.0}))
            return found.value, found.slopes.get(0, 0.0)

        elastic = [e - p for e, p in zip(strain, old.plastic_strain, strict=True)]
        trial = [2.0 * shear * each for each in deviator(elastic)]
        equivalent = sqrt(1.5 * dot(trial, trial))
        flows = equivalent > strength(0.0 * before)[0] * _ELASTIC

        def step(increment: Any, lower: Any, upper: Any) -> tuple[Any, ...]:
            limit, slope = strength(increment)
            residual = equivalent - 3.0 * shear * increment - limit
            lower = where(residual >= 0.0, increment, lower)
            upper = where(residual <= 0.0, increment, upper)
            newton = increment + residual / (3.0 * shear + slope)
            inside = (newton >= lower) & (newton <= upper)
            newton = where(inside, newton, 0.5 * (lower + upper))
            more = residual * residual > 1e-26 * (equivalent * equivalent)
            return flows & more, where(flows & more, newton, increment), lower, upper

        zero = 0.0 * equivalent
        increment, _, _ = repeat(step, [zero, zero, equivalent / (3.0 * shear)], 50)
        slope = strength(increment)[1]
        size_of = where(flows, equivalent, 1.0)
        ratio = increment / size_of
        shrink = 1.0 - 3.0 * shear * ratio
        rank_one = 2.0 * shear * (1.0 / (1.0 + slope / (3.0 * shear)) - (1.0 - shrink))
        rank_one = where(flows, 1.5 * rank_one / (size_of * size_of), 0.0)
        scaled = [rank_one * each for each in trial]
        soft = 2.0 * shear * shrink
        volume = bulk - soft * (1.0 / 3.0)
        tangent = [[zero] * size for _ in range(size)]
        for i in range(size):
            for j in range(i, size):
                entry = -(scaled[i] * trial[j])
                if i == j:
                    entry = entry + soft
                if j < 3:
                    entry = entry + volume
                tangent[i][j] = tangent[j][i] = entry
        stress = add([shrink * each for each in trial], bulk * trace(elastic))
        flow = [p + 1.5 * ratio * s for p, s in zip(old.plastic_strain, trial, strict=True)]
        new = {"plastic_strain": flow, "equivalent_plastic_strain": before + increment}
        return stress, new, tangent


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
class ChabochePlasticity(_Plastic):
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

    def fields(self, dimension: int) -> tuple[Field, ...]:
        """Plastic strain, equivalent plastic strain, parts of the back stress."""
        shape = (len(self.kinematic), strain_size(dimension))
        return (*super().fields(dimension), Field("back_stress", shape, "stress"))

    def formula(self, strain: Sequence[Any], old: SimpleNamespace, dt: Any) -> tuple[Any, ...]:
        """Return to a yield surface that moves."""
        bulk, shear = self.bulk, self.shear
        before = old.equivalent_plastic_strain
        elastic = [e - p for e, p in zip(strain, old.plastic_strain, strict=True)]
        trial = [2.0 * shear * each for each in deviator(elastic)]

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
            return _ROOT_3_2 * norm(shifted) - stiff * increment - limit

        start = 0.0 * before
        limit = self.hardening.strength(self.yield_stress, before)
        flows = _ROOT_3_2 * norm(relative(start)[1]) > limit * _ELASTIC
        far = norm(trial)
        for centre in old.back_stress:
            far = far + norm(centre)
        increment = root(residual, start, far * (_ROOT_3_2 / 3.0 / shear), flows)
        weights, shifted, _ = relative(increment)
        amount = _ROOT_3_2 * increment / norm(shifted)
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
        return add(stress, bulk * trace(elastic)), new


def _creep(law: Any, strain: Sequence[Any], old: SimpleNamespace, speed: Any) -> tuple[Any, ...]:
    """Radial return when the increment of p is ``speed(σeq, p)``, which grows with σeq."""
    before, shear = old.equivalent_plastic_strain, law.shear
    elastic = [e - p for e, p in zip(strain, old.plastic_strain, strict=True)]
    trial = [2.0 * shear * each for each in deviator(elastic)]
    equivalent = _ROOT_3_2 * norm(trial)

    def residual(increment: Any) -> Any:
        return speed(equivalent - 3.0 * shear * increment, before + increment) - increment

    flows = speed(equivalent, before) > 0.0
    increment = root(residual, 0.0 * before, equivalent / (3.0 * shear), flows)
    ratio = 1.5 * increment / equivalent
    stress = [(1.0 - 2.0 * shear * ratio) * each for each in trial]
    new = {
        "plastic_strain": [p + ratio * s for p, s in zip(old.plastic_strain, trial, strict=True)],
        "equivalent_plastic_strain": before + increment,
    }
    return add(stress, law.bulk * trace(elastic)), new


@dataclass(frozen=True)
class PerzynaViscoplasticity(_Plastic):
    """Von Mises viscoplasticity: ṗ = <(σeq - σy(p)) / drag> ** exponent / time, implicit Euler.

    Perzyna (1966, Adv. Appl. Mech. 9). Without a time step the response is elastic.

    Attributes:
        young_modulus: E > 0, stress.
        poisson_ratio: -1 < ν < 0.5.
        yield_stress: Initial yield stress > 0.
        drag: Stress > 0.
        exponent: >= 1.
        time: > 0; at an overstress of `drag` the plastic strain grows by one in it.
        hardening: Perfect plasticity by default.
    """

    young_modulus: float
    poisson_ratio: float
    yield_stress: float
    drag: float
    exponent: float
    time: float
    hardening: Hardening = PERFECT

    def __post_init__(self) -> None:
        isotropic_stiffness(self.young_modulus, self.poisson_ratio)
        check_positive(yield_stress=self.yield_stress, drag=self.drag, time=self.time)
        check_table(self.yield_stress, self.hardening)
        _check_exponent(self.exponent)

    def formula(self, strain: Sequence[Any], old: SimpleNamespace, dt: Any) -> tuple[Any, ...]:
        """Radial return with overstress."""

        def speed(stress: Any, p: Any) -> Any:
            over = stress - self.hardening.strength(self.yield_stress, p)
            return (dt / self.time) * power(maximum(over / self.drag, 0.0), self.exponent)

        return _creep(self, strain, old, speed)


@dataclass(frozen=True)
class NortonCreep(_Plastic):
    """Secondary creep without a yield stress: ṗ = (σeq / stress) ** exponent / time.

    Norton (1929), Odqvist's form for many axes; implicit Euler. Without a time step the response is
    elastic.

    Attributes:
        young_modulus: E > 0, stress.
        poisson_ratio: -1 < ν < 0.5.
        stress: Reference stress > 0.
        exponent: >= 1; one is Maxwell's fluid of shear viscosity stress * time / 3.
        time: > 0; at the reference stress the creep strain grows by one in it.
    """

    young_modulus: float
    poisson_ratio: float
    stress: float
    exponent: float
    time: float

    def __post_init__(self) -> None:
        isotropic_stiffness(self.young_modulus, self.poisson_ratio)
        check_positive(stress=self.stress, time=self.time)
        _check_exponent(self.exponent)

    def formula(self, strain: Sequence[Any], old: SimpleNamespace, dt: Any) -> tuple[Any, ...]:
        """Radial return to creep."""
        return _creep(
            self,
            strain,
            old,
            lambda stress, p: (
                (dt / self.time) * power(maximum(stress / self.stress, 0.0), self.exponent)
            ),
        )


def _check_exponent(exponent: float) -> None:
    if not 1 <= exponent <= 100:
        raise ValueError(f"exponent is {exponent}; it must lie between 1 and 100")
