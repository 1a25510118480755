"""Laws in models of fewer strain components: plane strain, plane stress, bars.

Any law will do: it is asked, never opened.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dmn_fem.laws._condensed import CondensedLaw
from dmn_fem.laws._protocol import Law, Status
from dmn_fem.laws._state import State
from dmn_fem.notation import Array

_PLANE = [0, 1, 3]  # 11, 22 and √2·12, in a vector of 4 or 6


class PlaneStrain:
    """A law in space for a model in the plane, whose strains 13 and 23 are zero.

    Strain 33 is the model's: zero in plane strain, given or unknown in generalised plane strain,
    the hoop strain in axisymmetry (without torsion).

    Args:
        law: A law of dimension 3.

    Raises:
        ValueError: If it is of another dimension.
    """

    dimension, strain_size = 2, 4

    def __init__(self, law: Law) -> None:
        if law.dimension != 3:
            raise ValueError(f"the law has dimension {law.dimension}; PlaneStrain takes 3")
        self.law = law
        self.external = law.external

    def allocate(self, points: int, **options: Any) -> State:
        """See `Law`; with what the law takes besides."""
        return self.law.allocate(points, **options)

    def averages(self, state: State) -> dict[str, Array]:
        """See `Law`."""
        return self.law.averages(state)

    def maxima(self, state: State) -> dict[str, Array]:
        """See `Law`."""
        return self.law.maxima(state)

    def integrate(
        self,
        strain: Array,
        state: State,
        stress: Array,
        tangent: Array | None = None,
        dt: float = 0.0,
        external: Mapping[str, Array] | None = None,
    ) -> Status:
        """See `Law.integrate`."""
        points = len(strain)
        whole = np.zeros((points, 6))
        whole[:, :4] = strain
        stresses = np.empty((points, 6))
        tangents = None if tangent is None else np.empty((points, 6, 6))
        status = self.law.integrate(whole, state, stresses, tangents, dt, external)
        stress[:] = stresses[:, :4]
        if tangent is not None and tangents is not None:
            tangent[:] = tangents[:, :4, :4]
        return status


class PlaneStress(CondensedLaw):
    """A law in a thin sheet: stress 33, and in space 13 and 23, are zero at every point.

    The model is of dimension 2. What it takes for strain 33 is ignored; stress 33 is zero and so
    are its rows and columns of the tangent. The true strain is ``strain`` among the averages.

    Args:
        law: Any law of dimension 2 or 3.
        tolerance: Largest norm of the stresses that must vanish, relative to the norm of the
            tangent times that of the strain.
        max_iterations: Of Newton's method at a point.

    Raises:
        ValueError: If the law is of another dimension.
    """

    def __init__(self, law: Law, tolerance: float = 1e-9, max_iterations: int = 30) -> None:
        if law.dimension not in (2, 3):
            raise ValueError(f"the law has dimension {law.dimension}; PlaneStress takes 2 or 3")
        super().__init__(law, 2, 4, _PLANE, tolerance, max_iterations)


class UniaxialStress(CondensedLaw):
    """A law in a bar: all stresses but 11 are zero at every point.

    The model is of dimension 1, a mesh of intervals, with one component of strain and stress.

    Args:
        law: Any law of dimension 2 or 3.
        tolerance: As in `PlaneStress`.
        max_iterations: As in `PlaneStress`.

    Raises:
        ValueError: If the law is of another dimension.
    """

    def __init__(self, law: Law, tolerance: float = 1e-9, max_iterations: int = 30) -> None:
        if law.dimension not in (2, 3):
            raise ValueError(f"the law has dimension {law.dimension}; UniaxialStress takes 2 or 3")
        super().__init__(law, 1, 1, [0], tolerance, max_iterations)
