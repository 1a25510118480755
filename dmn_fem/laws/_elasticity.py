"""Linear elasticity: isotropic, transversely isotropic, orthotropic."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

from dmn_fem.laws._law import Answer, PhaseLaw, check_positive
from dmn_fem.laws.arithmetic import dot
from dmn_fem.notation import Array, isotropic_stiffness, orthotropic_stiffness


class _Elastic(PhaseLaw, ABC):
    """σ = C ε; nothing is remembered."""

    rows: Any

    @abstractmethod
    def stiffness(self, dimension: int) -> Array:
        """Mandel stiffness in the axes of the material, (4, 4) or (6, 6)."""

    def parameters(self, dimension: int) -> Mapping[str, Any]:
        """The stiffness."""
        return {"rows": self.stiffness(dimension)}

    def formula(self, strain: Sequence[Any], old: SimpleNamespace, dt: Any) -> Answer:
        """σ = C ε."""
        size = range(len(strain))
        rows = [[self.rows[min(i, j)][max(i, j)] for j in size] for i in size]
        return [dot(row, strain) for row in rows], {}


@dataclass(frozen=True)
class LinearElastic(_Elastic):
    """Isotropic linear elasticity.

    Attributes:
        young_modulus: E > 0, stress.
        poisson_ratio: -1 < ν < 0.5.
    """

    young_modulus: float
    poisson_ratio: float

    def __post_init__(self) -> None:
        isotropic_stiffness(self.young_modulus, self.poisson_ratio)

    def stiffness(self, dimension: int) -> Array:
        """Mandel stiffness."""
        return isotropic_stiffness(self.young_modulus, self.poisson_ratio, dimension)


@dataclass(frozen=True)
class TransverselyIsotropicElastic(_Elastic):
    """Linear elasticity that is isotropic in the plane across the axis 1 of the material.

    Attributes:
        axial_modulus: E1 > 0, stress.
        transverse_modulus: E2 = E3 > 0, stress.
        axial_poisson_ratio: ν12 = ν13, contraction across under a stress along the axis.
        transverse_poisson_ratio: ν23.
        axial_shear_modulus: G12 = G13 > 0, stress; G23 = E2 / (2 + 2 ν23).
    """

    axial_modulus: float
    transverse_modulus: float
    axial_poisson_ratio: float
    transverse_poisson_ratio: float
    axial_shear_modulus: float
    isotropic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_positive(
            axial_modulus=self.axial_modulus,
            transverse_modulus=self.transverse_modulus,
            axial_shear_modulus=self.axial_shear_modulus,
        )
        if not -1 < self.transverse_poisson_ratio < 1:
            raise ValueError(
                f"transverse_poisson_ratio is {self.transverse_poisson_ratio}; "
                "it must lie between -1 and 1"
            )
        self.stiffness(3)

    def stiffness(self, dimension: int) -> Array:
        """Mandel stiffness in the axes of the material."""
        across = self.transverse_modulus
        plane = across / (2.0 + 2.0 * self.transverse_poisson_ratio)
        axial = self.axial_poisson_ratio
        return orthotropic_stiffness(
            (self.axial_modulus, across, across),
            (axial, axial, self.transverse_poisson_ratio),
            (self.axial_shear_modulus, self.axial_shear_modulus, plane),
            dimension,
        )


@dataclass(frozen=True)
class OrthotropicElastic(_Elastic):
    """Orthotropic linear elasticity in the material's axes.

    Attributes:
        young_moduli: E1, E2, E3, stress.
        poisson_ratios: ν12, ν13, ν23.
        shear_moduli: G12, G13, G23, stress.
    """

    young_moduli: tuple[float, float, float]
    poisson_ratios: tuple[float, float, float]
    shear_moduli: tuple[float, float, float]
    isotropic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.stiffness(3)

    def stiffness(self, dimension: int) -> Array:
        """Mandel stiffness in the axes of the material."""
        return orthotropic_stiffness(
            self.young_moduli, self.poisson_ratios, self.shear_moduli, dimension
        )
