from dataclasses import replace

import numpy as np
import pytest
import ufl
from fem_models import ELASTIC, PETSC, PLASTIC, distorted, small_network

from dmn_fem.database import Database, Descriptor
from dmn_fem.fem import MaterialField, cell_values, mandel_strain
from dmn_fem.laws import LinearElastic, PlaneStrain, PlaneStress
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw

# isort: split
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem

PHASES = {"matrix": PLASTIC, "inclusion": LinearElastic(500.0, 0.19)}


def database(dimension):
    network = small_network(dimension)
    fractions = [[0.9, 0.1], [0.6, 0.4]]
    networks = [network.with_phase_fraction(each) for each in fractions]
    return Database(networks, [Descriptor("volume_fraction")], [[0.1], [0.4]])


def graded(x):
    """A fraction that differs from place to place, in few steps."""
    return 0.1 + 0.1 * np.floor(3.999 * x[1] * 0.9)


def pressed(domain, fields_of):
    """A square sheared by its upper side; its displacement at the end."""
    V = fem.functionspace(domain, ("Lagrange", 1, (2,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    fields = fields_of(u)
    F = sum(ufl.dot(field.stress, mandel_strain(v)) * field.dx for field in fields)
    held = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[1], 0))
    top = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[1], 1))
    moved = fem.Function(V)
    bcs = [fem.dirichletbc(fem.Function(V), held), fem.dirichletbc(moved, top)]
    problem = NonlinearProblem(
        F,
        u,
        J=fields[0].jacobian(F, u, *fields[1:]),
        bcs=bcs,
        petsc_options_prefix="graded_",
        petsc_options=PETSC,
    )
    for field in fields:
        field.attach(problem)
    for time in (0.5, 1.0):
        moved.x.array.reshape(-1, 2)[:] = (0.006 * time, 0.004 * time)
        problem.solve()
        assert problem.solver.getConvergedReason() > 0
        for field in fields:
            field.accept()
    return u.x.array.copy(), fields


@pytest.mark.parametrize("wrapper", [None, PlaneStress, PlaneStrain])
def test_a_network_for_each_cell_equals_a_field_for_each_network(wrapper):
    domain = distorted(2)
    composite = database(2 if wrapper is None else 3)
    wrap = wrapper or (lambda law: law)
    networks, number = composite.at_points(volume_fraction=cell_values(graded, domain))
    assert 3 <= len(networks) < number.size

    def one(u):
        law = wrap(NetworkLaw(networks, PHASES, tolerance=1e-12))
        return [MaterialField(law, mandel_strain(u), network=number)]

    cells = np.arange(number.size, dtype=np.int32)
    tags = mesh.meshtags(domain, 2, cells, number.astype(np.int32))

    def many(u):
        return [
            MaterialField(
                wrap(NetworkLaw(network, PHASES, tolerance=1e-12)),
                mandel_strain(u),
                subdomain=(tags, tag),
            )
            for tag, network in enumerate(networks)
        ]

    together, (field,) = pressed(domain, one)
    apart, fields = pressed(domain, many)
    np.testing.assert_allclose(together, apart, atol=1e-10 * np.abs(apart).max())
    name = "matrix.equivalent_plastic_strain"
    expected = sum(each.cell_average(name).x.array for each in fields)
    found = field.cell_average(name).x.array
    assert found.max() > 1e-4
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


def test_the_state_of_a_law_does_not_depend_on_the_points_it_is_asked_for():
    # A leaf that is dead at one end of the database: a rank whose cells are there has it all the
    # same, or the states of the ranks would not fit together.
    network = small_network(2)
    dead = network.leaf_activation.copy()
    dead[np.flatnonzero(network.leaf_phase == 0)[:2]] = -np.inf
    networks = [replace(network, leaf_activation=dead), network.with_phase_fraction([0.6, 0.4])]
    composite = Database(networks, [Descriptor("volume_fraction")], [[0.1], [0.4]])
    layouts, lives = [], []
    for fractions in ([0.1, 0.1], [0.25, 0.4], [0.1, 0.4], []):
        found, index = composite.at_points(volume_fraction=fractions)
        assert index.max(initial=0) < len(found)
        law = NetworkLaw(found, PHASES)
        layouts.append({name: each.shape for name, each in law.allocate(2).export().items()})
        lives.append(len(found))
    assert all(layout == layouts[0] for layout in layouts)
    assert lives == [2, 2, 2, 2]  # one that no point has where it is needed
    stress = np.zeros((2, 4))
    strain = np.tile([1e-4, 0.0, 0.0, 1e-4], (2, 1))
    found, index = composite.at_points(volume_fraction=[0.1, 0.1])
    law = NetworkLaw(found, PHASES)
    law.integrate(strain, law.allocate(2, network=index), stress)
    alone, expected = NetworkLaw(found[0], PHASES), np.zeros((2, 4))
    alone.integrate(strain, alone.allocate(2), expected)
    np.testing.assert_allclose(stress, expected, rtol=1e-9)


def test_networks_must_fit_the_cells():
    domain = distorted(2)
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (2,))))
    network = Network.random(2, ("matrix",), [1.0], 4, np.random.default_rng(0))
    law = NetworkLaw([network, network], {"matrix": ELASTIC})
    owned = domain.topology.index_map(2).size_local
    with pytest.raises(ValueError, match="network must have a row for every owned cell"):
        MaterialField(law, mandel_strain(u), network=np.zeros(3, dtype=int))
    with pytest.raises(ValueError, match="network of point"):
        MaterialField(law, mandel_strain(u), network=np.full(owned, 2))
