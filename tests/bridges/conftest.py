from importlib.util import find_spec

import numpy as np
import pytest

from dmn_fem.laws import J2Plasticity, LinearElastic, LinearHardening
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw

NEIGHBOURS = {
    "test_external_operator.py": "dolfinx_external_operator",
    "test_material_bridge.py": "dolfinx_materials",
    "test_small_strain_model.py": "fenics_constitutive",
}
# A bridge is tested where its neighbour is installed.
collect_ignore = [file for file, neighbour in NEIGHBOURS.items() if find_spec(neighbour) is None]


@pytest.fixture
def make_law():
    """Small networks of a plastic matrix and stiff inclusions, of a dimension."""

    def make(dimension):
        network = Network.random(
            dimension, ("matrix", "inclusion"), [0.7, 0.3], 4, np.random.default_rng(3)
        )
        laws = {
            "matrix": J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0)),
            "inclusion": LinearElastic(500.0, 0.2),
        }
        return NetworkLaw(network, laws)

    return make


@pytest.fixture
def path():
    """Strains of a point, into the plastic range and back, (steps, size), by the size."""

    def make(size):
        end = np.linspace(1.0, -0.5, size) * 4e-3
        return np.array([share * end for share in (0.3, 1.0, 2.0, 0.5)])

    return make


@pytest.fixture
def follow():
    """Stresses and tangents of one point of a law along a path, step by step."""

    def run(law, path, dt=1.0):
        size = law.strain_size
        state = law.allocate(1)
        answers = []
        for strain in path:
            stress, tangent = np.empty((1, size)), np.empty((1, size, size))
            assert law.integrate(strain[None], state, stress, tangent, dt).failed == 0
            state.accept()
            answers.append((stress[0], tangent[0]))
        return answers

    return run
