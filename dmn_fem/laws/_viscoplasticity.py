"""Rate-dependent von Mises flow: Perzyna's viscoplasticity and Norton's creep."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from dmn_fem.laws._hardening import PERFECT, Hardening, check_table
from dmn_fem.laws._law import Answer, check_positive
from dmn_fem.laws._plasticity import ELASTIC, ROOT_3_2, VonMises, radial_return, trial_state
from dmn_fem.laws.arithmetic import minimum, norm, power, root, value_of, where
from dmn_fem.notation import isotropic_stiffness


def _creep(
    law: VonMises,
    strain: Sequence[Any],
    old: SimpleNamespace,
    strength: Callable[[Any], Any],
    drag: Any,
    exponent: Any,
    share: Any,
) -> Answer:
    """Radial return with Δp = share · y ** exponent at an overstress of y · drag.

    In y the balance falls and is concave, so that Newton's method from above stays there. Both
    terms alone bound y; of the creep's bound the next step of Newton's method is known, n b / (n +
    b / a) with the bound a of the overstress.
    """
    before, stiff = old.equivalent_plastic_strain, 3.0 * law.shear * share
    elastic, trial = trial_state(law, strain, old)
    equivalent = ROOT_3_2 * norm(trial)
    over = equivalent - strength(before)
    flows = (over > ELASTIC * equivalent) & (share > 0.0)

    def excess(level: Any) -> Any:
        grown = power(level, exponent)
        return drag * level + stiff * grown + strength(before + share * grown) - equivalent

    free = where(flows, value_of(over), 0.0)
    bound, other = power(free / where(flows, stiff, 1.0), 1.0 / exponent), free / drag
    better = exponent * bound * other / where(flows, exponent * other + bound, 1.0)
    level = root(excess, minimum(other, better), 0.0, flows)
    increment = where(flows, share * power(level, exponent), 0.0)
    return radial_return(law, old, elastic, trial, increment, equivalent)


@dataclass(frozen=True)
class PerzynaViscoplasticity(VonMises):
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

    def formula(self, strain: Sequence[Any], old: SimpleNamespace, dt: Any) -> Answer:
        """Radial return with overstress."""

        def strength(p: Any) -> Any:
            return self.hardening.strength(self.yield_stress, p)

        return _creep(self, strain, old, strength, self.drag, self.exponent, dt / self.time)


@dataclass(frozen=True)
class NortonCreep(VonMises):
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

    def formula(self, strain: Sequence[Any], old: SimpleNamespace, dt: Any) -> Answer:
        """Radial return to creep."""
        return _creep(self, strain, old, lambda _: 0.0, self.stress, self.exponent, dt / self.time)


def _check_exponent(exponent: float) -> None:
    if not 1 <= exponent <= 100:
        raise ValueError(f"exponent is {exponent}; it must lie between 1 and 100")
