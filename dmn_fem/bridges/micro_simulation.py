"""A law as the ``MicroSimulation`` of the preCICE Micro Manager.

preCICE transfers vectors of three components, so that a strain comes in two of them and a tangent
goes in seven, as in the coupling of the Micro Manager with Abaqus and NASMAT.
"""

from typing import Any

import numpy as np

from dmn_fem.bridges._failure import require_answers
from dmn_fem.laws import Law
from dmn_fem.notation import Array, component_scale, stiffness_to_voigt

STRAINS = ("strains1to3", "strains4to6")
STRESSES = ("stresses1to3", "stresses4to6")
TANGENTS = tuple(f"cmat{number}" for number in range(1, 8))


def micro_simulation(law: Law, base: type = object) -> type:
    """A class for the script that the Micro Manager is pointed at.

    That script is::

        from micro_manager import MicroSimulationInterface
        MicroSimulation = micro_simulation(law, MicroSimulationInterface)

    A simulation is one point. It reads ``strains1to3`` (ε11, ε22, ε33) and ``strains4to6`` (2 ε12,
    2 ε13, 2 ε23), writes ``stresses1to3`` and ``stresses4to6``, and the upper triangle of the
    tangent, row by row, in ``cmat1`` to ``cmat7``.

    Args:
        law: A law of three dimensions.
        base: Base class; Micro Managers since 0.9 ask for their ``MicroSimulationInterface``.

    Raises:
        ValueError: If the law is one of two dimensions.
    """
    if law.dimension != 3:
        raise ValueError("the law is two-dimensional; strains of the Micro Manager have six parts")

    class MicroSimulation(base):
        """One point of the law."""

        def __init__(self, sim_id: int) -> None:
            self._id = sim_id
            self._state = law.allocate(1)

        def solve(self, macro_data: dict[str, Any], dt: float) -> dict[str, Array]:
            """Stress and tangent at the end of a step to this strain, which becomes the past.

            Raises:
                PointsFailed: If the law finds no stress; the state is as it was.
            """
            voigt = np.concatenate([np.asarray(macro_data[name], dtype=float) for name in STRAINS])
            strain = (voigt / component_scale(3))[None]
            stress, tangent = np.empty((1, 6)), np.empty((1, 6, 6))
            status = law.integrate(strain, self._state, stress, tangent, dt)
            if status.failed:
                self._state.revert()
            require_answers(status)
            self._state.accept()
            parts = (stress[0] / component_scale(3)).reshape(2, 3)
            entries = stiffness_to_voigt(tangent[0])[np.triu_indices(6)].reshape(7, 3)
            return dict(zip((*STRESSES, *TANGENTS), [*parts, *entries], strict=True))

        def get_state(self) -> dict[str, Array]:
            """Copies of the internal variables."""
            return self._state.export()

        def set_state(self, state: dict[str, Array]) -> None:
            """Go back to what `get_state` gave."""
            self._state.load(state)

        def get_global_id(self) -> int:
            """Number of the simulation."""
            return self._id

        def set_global_id(self, global_id: int) -> None:
            """Give the simulation another number."""
            self._id = global_id

    return MicroSimulation
