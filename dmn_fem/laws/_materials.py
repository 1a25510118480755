"""Phase laws as user-facing objects: textbook parameters, checked when they are given."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import ConfigDict

from dmn_fem.laws import _formulas
from dmn_fem.laws._functions import j2_plasticity, linear_elastic
from dmn_fem.laws._protocol import Field
from dmn_fem.notation import Array, isotropic_stiffness, orthotropic_stiffness, strain_size

_STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class PhaseLaw(ABC):
    """What one phase does at one point: parameters, internal variables and a compiled function.

    A user's own law is a frozen dataclass that names its `function`, gives the `parameters` the
    function reads, and declares its internal variables in `fields`.
    """

    function: ClassVar[Any]
    """A `law_function`."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    @abstractmethod
    def parameters(self, dimension: int) -> Array:
        """The vector that the law function receives."""

    @property
    def formula(self) -> Callable[..., Any] | None:
        """The function again, as arithmetic for eight points at once: see `_formulas`.

        Networks call a law without one point by point.
        """
        return None

    def fields(self, dimension: int) -> tuple[Field, ...]:
        """Internal variables, in the order of the law function's ``old`` and ``new``; or none."""
        return ()


@dataclass(frozen=True)
class LinearElastic(PhaseLaw):
    """Isotropic linear elasticity.

    Attributes:
        young_modulus: E > 0, stress.
        poisson_ratio: -1 < ν < 0.5.
    """

    young_modulus: float
    poisson_ratio: float
    function: ClassVar[Any] = linear_elastic

    def __post_init__(self) -> None:
        isotropic_stiffness(self.young_modulus, self.poisson_ratio)

    @property
    def formula(self) -> Callable[..., Any]:
        """σ = C ε."""
        return _formulas.linear_elastic

    def parameters(self, dimension: int) -> Array:
        """The stiffness, row by row."""
        return isotropic_stiffness(self.young_modulus, self.poisson_ratio, dimension).ravel()


@dataclass(frozen=True)
class OrthotropicElastic(PhaseLaw):
    """Orthotropic linear elasticity in the material's axes.

    Attributes:
        young_moduli: E1, E2, E3, stress.
        poisson_ratios: ν12, ν13, ν23.
        shear_moduli: G12, G13, G23, stress.
    """

    young_moduli: tuple[float, float, float]
    poisson_ratios: tuple[float, float, float]
    shear_moduli: tuple[float, float, float]
    function: ClassVar[Any] = linear_elastic

    def __post_init__(self) -> None:
        self.parameters(3)

    @property
    def formula(self) -> Callable[..., Any]:
        """σ = C ε."""
        return _formulas.linear_elastic

    def parameters(self, dimension: int) -> Array:
        """The stiffness, row by row."""
        return orthotropic_stiffness(
            self.young_moduli, self.poisson_ratios, self.shear_moduli, dimension
        ).ravel()


class Hardening(ABC):
    """Growth of the yield stress with the equivalent plastic strain p."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    @abstractmethod
    def parameters(self, yield_stress: float) -> Sequence[float]:
        """Parameters behind the elastic ones, as `j2_plasticity` reads them."""


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
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise ValueError(f"hardening {name} is {value}; it must be >= 0 and finite")

    def parameters(self, yield_stress: float) -> Sequence[float]:
        """Kind 0, then yield stress, modulus, saturation, rate."""
        return (0.0, yield_stress, self.modulus, self.saturation, self.rate)


@dataclass(frozen=True)
class LinearHardening(Hardening):
    """σy = yield_stress + modulus p; a modulus of zero is perfect plasticity.

    Attributes:
        modulus: dσy/dp, stress, >= 0.
    """

    modulus: float

    def __post_init__(self) -> None:
        VoceHardening(0.0, 0.0, self.modulus)

    def parameters(self, yield_stress: float) -> Sequence[float]:
        """Those of Voce's law without saturation."""
        return VoceHardening(0.0, 0.0, self.modulus).parameters(yield_stress)


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
        if strain[0] != 0 or not (np.diff(strain) > 0).all():
            raise ValueError("hardening table: plastic_strain must increase, from 0")
        if not (np.diff(stress) >= 0).all() or not np.isfinite(stress).all():
            raise ValueError("hardening table: stress must not decrease")

    def parameters(self, yield_stress: float) -> Sequence[float]:
        """Number of rows, then plastic strains, then stresses."""
        if yield_stress != self.stress[0]:
            raise ValueError(
                f"yield_stress is {yield_stress} but the hardening table starts at "
                f"{self.stress[0]}; they must be equal"
            )
        return (float(len(self.stress)), *self.plastic_strain, *self.stress)


_CLOSED = VoceHardening | LinearHardening


@dataclass(frozen=True)
class J2Plasticity(PhaseLaw):
    """Rate-independent von Mises plasticity with isotropic hardening, small strain.

    Attributes:
        young_modulus: E > 0, stress.
        poisson_ratio: -1 < ν < 0.5.
        yield_stress: Initial yield stress > 0.
        hardening: Perfect plasticity by default.
    """

    young_modulus: float
    poisson_ratio: float
    yield_stress: float
    hardening: Hardening = LinearHardening(0.0)
    function: ClassVar[Any] = j2_plasticity

    def __post_init__(self) -> None:
        isotropic_stiffness(self.young_modulus, self.poisson_ratio)
        if not 0 < self.yield_stress < np.inf:
            raise ValueError(f"yield_stress is {self.yield_stress}; it must be positive and finite")
        self.parameters(3)

    @property
    def formula(self) -> Callable[..., Any] | None:
        """For hardening in closed form."""
        return _formulas.j2_plasticity if isinstance(self.hardening, _CLOSED) else None

    def parameters(self, dimension: int) -> Array:
        """E, ν, then those of the hardening."""
        hardening = self.hardening.parameters(self.yield_stress)
        return np.array([self.young_modulus, self.poisson_ratio, *hardening])

    def fields(self, dimension: int) -> tuple[Field, ...]:
        """Plastic strain and equivalent plastic strain."""
        return (
            Field("plastic_strain", (strain_size(dimension),)),
            Field("equivalent_plastic_strain", ()),
        )
