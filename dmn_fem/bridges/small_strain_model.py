"""A law as an ``IncrSmallStrainModel`` of fenics-constitutive."""

import numpy as np
from fenics_constitutive.models.interfaces import IncrSmallStrainModel, StressStrainConstraint

from dmn_fem.bridges._failure import require_answers
from dmn_fem.laws import Law
from dmn_fem.notation import Array, to_mandel

STRAIN = "total_strain"
"""Name of the history variable that adds up the increments of the strain."""


class SmallStrainModel(IncrSmallStrainModel):
    """A law in plane strain or in three dimensions, for their ``IncrSmallStrainProblem``.

    Their solver owns the history: it is copied into the state of the law and back at every
    evaluation.

    Args:
        law: Any law.
    """

    def __init__(self, law: Law) -> None:
        self.law = law
        self._state = law.allocate(1)
        self._shapes = {name: part.shape[1:] for name, part in self._state.export().items()}

    @property
    def constraint(self) -> StressStrainConstraint:
        """Plane strain or full."""
        plane = self.law.dimension == 2
        return StressStrainConstraint.PLANE_STRAIN if plane else StressStrainConstraint.FULL

    @property
    def history_dim(self) -> dict[str, int | tuple[int, int]]:
        """Sizes of the history variables of a point: the total strain and the law's own."""
        sizes = {name: int(np.prod(shape, dtype=int)) for name, shape in self._shapes.items()}
        return {STRAIN: self.law.strain_size, **sizes}

    def evaluate(
        self,
        t: float,
        del_t: float,
        grad_del_u: Array,
        stress: Array,
        tangent: Array,
        history: dict[str, Array] | None,
    ) -> None:
        """Overwrite stress, tangent and history with those at the end of a step.

        Raises:
            PointsFailed: If the law finds no stress at a point.
            ValueError: Without history.
        """
        if history is None:
            raise ValueError("the model needs its history; see history_dim")
        size, dimension = self.law.strain_size, self.law.dimension
        points = stress.size // size
        gradient = np.zeros((points, 3, 3))
        gradient[:, :dimension, :dimension] = grad_del_u.reshape(points, dimension, dimension)
        increment = to_mandel(0.5 * (gradient + gradient.swapaxes(1, 2)), dimension)
        strain = history[STRAIN].reshape(points, size) + increment
        if self._state.points != points:
            self._state = self.law.allocate(points)
        state = self._state
        state.load(
            {name: history[name].reshape(points, *shape) for name, shape in self._shapes.items()}
        )
        found, slope = np.empty((points, size)), np.empty((points, size, size))
        require_answers(self.law.integrate(strain, state, found, slope, del_t))
        state.accept()
        stress[:], tangent[:] = found.ravel(), slope.ravel()
        history[STRAIN][:] = strain.ravel()
        for name, values in state.export().items():
            history[name][:] = values.ravel()
