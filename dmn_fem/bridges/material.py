"""A law as a ``Material`` of dolfinx_materials."""

import numpy as np
from dolfinx_materials.generic import DataManager, Material

from dmn_fem.bridges._failure import require_answers
from dmn_fem.laws import Law
from dmn_fem.notation import Array


class LawMaterial(Material):
    """A law for their ``QuadratureMap``, with gradient ``Strain`` and flux ``Stress``.

    Register the total strain in Mandel notation, as their ``symmetric_gradient`` gives it.

    Args:
        law: Any law.

    Attributes:
        state: Internal variables, once there is a ``QuadratureMap``; what they average over the
            phases is ``law.averages(material.state)``.
    """

    def __init__(self, law: Law) -> None:
        self.law = law
        super().__init__()

    @property
    def gradients(self) -> dict[str, int]:
        """The strain and its size."""
        return {"Strain": self.law.strain_size}

    @property
    def fluxes(self) -> dict[str, int]:
        """The stress and its size."""
        return {"Stress": self.law.strain_size}

    def set_data_manager(self, ngauss: int) -> None:
        """Allocate for so many points."""
        self.state = self.law.allocate(ngauss)
        self.data_manager = _Data(self, ngauss)

    def integrate(self, gradients: Array, dt: float = 0.0) -> tuple[Array, Array, Array]:
        """Stress, no internal variables, and tangent at these strains.

        Raises:
            PointsFailed: If the law finds no stress at a point.
        """
        strain = np.ascontiguousarray(gradients)
        points, size = strain.shape
        stress, tangent = np.empty((points, size)), np.empty((points, size, size))
        require_answers(self.law.integrate(strain, self.state, stress, tangent, dt))
        self.data_manager.s1.set_item({"Strain": strain, "Stress": stress})
        return stress, np.empty((points, 0)), tangent.reshape(points, -1)


class _Data(DataManager):
    """Their bookkeeping, with the law's own state beside it."""

    def __init__(self, material: LawMaterial, points: int) -> None:
        super().__init__(material, points)
        self._state = material.state

    def update(self) -> None:
        super().update()
        self._state.accept()

    def revert(self) -> None:
        super().revert()
        self._state.revert()
