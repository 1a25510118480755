"""Hardening: how the yield stress grows with plastic strain, and how the yield surface moves."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import ConfigDict

from dmn_fem.laws._law import STRICT, check_not_negative, check_positive
from dmn_fem.laws.arithmetic import exp, power, where


class Hardening(ABC):
    """Growth of the yield stress with the equivalent plastic strain p.

    One of your own is a frozen dataclass with this one method.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    @abstractmethod
    def strength(self, yield_stress: Any, p: Any) -> Any:
        """The yield stress, written with `dmn_fem.laws.arithmetic`; it must not decrease."""


@dataclass(frozen=True)
class LinearHardening(Hardening):
    """σy = yield_stress + modulus p; a modulus of zero is perfect plasticity.

    Attributes:
        modulus: dσy/dp, stress, >= 0.
    """

    modulus: float

    def __post_init__(self) -> None:
        check_not_negative(**{"hardening modulus": self.modulus})

    def strength(self, yield_stress: Any, p: Any) -> Any:
        """The yield stress."""
        return yield_stress + self.modulus * p


PERFECT = LinearHardening(0.0)
"""Perfect plasticity."""


@dataclass(frozen=True)
class VoceHardening(Hardening):
    """σy = yield_stress + modulus p + saturation (1 - exp(-rate p)).

    Attributes:
        saturation: Stress, >= 0.
        rate: >= 0.
        modulus: dσy/dp of the linear part, stress, >= 0.
    """

    saturation: float
    rate: float
    modulus: float = 0.0

    def __post_init__(self) -> None:
        for name in ("saturation", "rate", "modulus"):
            check_not_negative(**{f"hardening {name}": getattr(self, name)})

    def strength(self, yield_stress: Any, p: Any) -> Any:
        """The yield stress."""
        saturated = self.saturation * (1.0 - exp(-(self.rate * p)))
        return yield_stress + self.modulus * p + saturated


@dataclass(frozen=True)
class PowerHardening(Hardening):
    """Swift's law: σy = yield_stress (1 + p / strain) ** exponent.

    Ludwik's law, yield_stress + K pⁿ, is not offered: its slope at p = 0 is infinite.

    Attributes:
        strain: ε0 > 0.
        exponent: 0 to 1.
    """

    strain: float
    exponent: float

    def __post_init__(self) -> None:
        check_positive(**{"hardening strain": self.strain})
        if not 0 <= self.exponent <= 1:
            raise ValueError(f"hardening exponent is {self.exponent}; it must lie between 0 and 1")

    def strength(self, yield_stress: Any, p: Any) -> Any:
        """The yield stress."""
        return yield_stress * power(1.0 + p / self.strain, self.exponent)


@dataclass(frozen=True)
class TabulatedHardening(Hardening):
    """Yield stress from a table, linear between its rows and constant behind the last.

    Attributes:
        plastic_strain: Equivalent plastic strains, increasing from 0.
        stress: Yield stresses, not decreasing; the first is the law's yield stress.
    """

    plastic_strain: tuple[float, ...]
    stress: tuple[float, ...]

    def __post_init__(self) -> None:
        strain, stress = np.asarray(self.plastic_strain), np.asarray(self.stress)
        if strain.shape != stress.shape or strain.size < 2:
            raise ValueError(
                f"hardening table has {strain.size} plastic strains and {stress.size} stresses; "
                "it needs equally many, at least two"
            )
        if strain[0] != 0 or not (np.diff(strain) > 0).all() or not np.isfinite(strain).all():
            raise ValueError("hardening table: plastic_strain must increase, from 0")
        if not (np.diff(stress) >= 0).all() or not np.isfinite(stress).all():
            raise ValueError("hardening table: stress must not decrease")

    def strength(self, yield_stress: Any, p: Any) -> Any:
        """The yield stress."""
        strain, stress = self.plastic_strain, self.stress
        value = stress[-1]
        for row in reversed(range(len(strain) - 1)):
            slope = (stress[row + 1] - stress[row]) / (strain[row + 1] - strain[row])
            here = stress[row] + slope * (p - strain[row])
            value = where(p < strain[row + 1], here, value)
        return value


def check_table(yield_stress: float, hardening: Hardening) -> None:
    """Raise ValueError if a table of hardening starts at another yield stress."""
    if isinstance(hardening, TabulatedHardening) and yield_stress != hardening.stress[0]:
        raise ValueError(
            f"yield_stress is {yield_stress} but the hardening table starts at "
            f"{hardening.stress[0]}; they must be equal"
        )
