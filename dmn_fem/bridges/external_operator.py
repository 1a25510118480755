"""A law as the external function of a ``FEMExternalOperator`` (dolfinx-external-operator)."""

from collections.abc import Callable

import numpy as np

from dmn_fem.bridges._failure import require_answers
from dmn_fem.laws import Law, State
from dmn_fem.notation import Array


class ExternalFunction:
    """The stress of a law, and its derivative, as functions of the strain at quadrature points.

    In a model of theirs::

        sigma = FEMExternalOperator(mandel_strain(u), function_space=S)
        sigma.external_function = function = ExternalFunction(law)
        ...  # replace_external_operators, evaluate_operands, evaluate_external_operators
        function.accept()  # when the step has converged

    The operand is the total strain in Mandel notation, the element a quadrature element of shape
    (strain size,). Points are those of the operand, ghost cells included.

    Args:
        law: Any law.

    Attributes:
        state: Internal variables of all points; None before the first evaluation.
        dt: Time step that the law is given.
    """

    def __init__(self, law: Law) -> None:
        self.law = law
        self.state: State | None = None
        self.dt = 0.0

    def __call__(self, derivatives: tuple[int, ...]) -> Callable[[Array], object]:
        """The stress for (0,); for (1,) tangent and stress.

        Raises:
            NotImplementedError: For higher derivatives.
        """
        if derivatives == (0,):
            return self._stress
        if derivatives == (1,):
            return self._tangent
        raise NotImplementedError(f"a law has no derivative {derivatives}, only (0,) and (1,)")

    def _integrate(self, strain: Array, tangent: Array | None) -> Array:
        strain = np.ascontiguousarray(strain).reshape(-1, self.law.strain_size)
        if self.state is None:
            self.state = self.law.allocate(len(strain))
        stress = np.empty_like(strain)
        require_answers(self.law.integrate(strain, self.state, stress, tangent, self.dt))
        return stress

    def _stress(self, strain: Array) -> Array:
        return self._integrate(strain, None).ravel()

    def _tangent(self, strain: Array) -> tuple[Array, Array]:
        size = self.law.strain_size
        tangent = np.empty((strain.size // size, size, size))
        stress = self._integrate(strain, tangent)
        return tangent.ravel(), stress.ravel()

    def accept(self) -> None:
        """The step converged: what was evaluated last becomes the past."""
        if self.state is not None:
            self.state.accept()

    def revert(self) -> None:
        """The step failed: forget what was evaluated."""
        if self.state is not None:
            self.state.revert()
