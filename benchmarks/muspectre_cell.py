"""muSpectre on a voxel image, with the discretisation of the package's full field."""

from collections.abc import Sequence

import muSpectre
import numpy as np
from muFFT import Stencils2D, Stencils3D
from numpy.typing import NDArray

from dmn_fem.notation import Array


class MuSpectreCell:
    """A periodic cell of isotropic phases.

    Args:
        phases: Phase of every voxel, odd numbers of them.
        moduli: Young's modulus and Poisson's ratio of every phase.
    """

    def __init__(
        self, phases: NDArray[np.unsignedinteger], moduli: Sequence[tuple[float, float]]
    ) -> None:
        self.dimension = phases.ndim
        self._cell = muSpectre.Cell(
            list(phases.shape),
            [float(n) for n in phases.shape],
            muSpectre.Formulation.small_strain,
            list((Stencils2D if self.dimension == 2 else Stencils3D).averaged_upwind),
        )
        kind = getattr(muSpectre.material, f"MaterialLinearElastic1_{self.dimension}d")
        materials = [
            kind.make(self._cell, str(phase), *values) for phase, values in enumerate(moduli)
        ]
        flat = phases.ravel(order="F")
        for pixel, _ in self._cell.pixels.enumerate():
            materials[flat[pixel]].add_pixel(pixel)
        self._cell.initialise()

    def column(self, case: int, tolerance: float) -> tuple[Array, int]:
        """Mean stress under one unit Mandel strain, and the iterations it took."""
        d = self.dimension
        rows, columns = np.triu_indices(d, 1)
        rows, columns = np.append(np.arange(d), rows), np.append(np.arange(d), columns)
        scale = np.where(rows == columns, 1.0, np.sqrt(2.0))
        strain = np.zeros((d, d), order="F")
        strain[rows[case], columns[case]] = strain[columns[case], rows[case]] = 1 / scale[case]
        solver = muSpectre.solvers.KrylovSolverCG(self._cell, tolerance, 5000)
        # The phases are linear: one Newton step, whose own tolerances shall not ask for more.
        result = muSpectre.solvers.newton_cg(self._cell, strain, solver, 0.5, 0.5)
        stress = result.stress.reshape(d, d, -1, order="F").mean(axis=-1)
        return scale * stress[rows, columns], solver.counter
