import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_fem.design import elastic_constants, estimates
from dmn_fem.homogenization import Inclusion, mori_tanaka, orientation_average
from dmn_fem.network import Network
from dmn_fem.notation import isotropic_stiffness, orthotropic_stiffness

FRACTIONS = np.array([0.7, 0.3])


def phases(dimension, contrast=10.0):
    return np.stack(
        [
            isotropic_stiffness(1.0, 0.35, dimension),
            isotropic_stiffness(contrast, 0.2, dimension),
        ]
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3]), st.floats(0.05, 0.95))
def test_the_constants_of_every_network_lie_between_those_of_reuss_and_voigt(seed, dimension, part):
    fractions = np.array([1 - part, part])
    network = Network.random(dimension, ("a", "b"), fractions, 8, np.random.default_rng(seed))
    stiffness = network.stiffness(phases(dimension))
    found = estimates(stiffness, fractions, phases(dimension), dimension)
    assert not any(name.startswith("poisson") for name in found["reuss"])
    for name, lower in found["reuss"].items():
        value = float(elastic_constants(stiffness)[name])
        assert lower * (1 - 1e-9) <= value <= found["voigt"][name] * (1 + 1e-9)


@pytest.mark.parametrize("dimension", [2, 3])
def test_around_stiff_spheres_mori_tanaka_is_the_lower_hashin_shtrikman_bound(dimension):
    both = phases(dimension)
    composite = mori_tanaka(FRACTIONS, both, dimension)
    found = estimates(composite, FRACTIONS, both, dimension, matrix=0)
    for name, lower in found["hashin_shtrikman_lower"].items():
        assert found["mori_tanaka"][name] == pytest.approx(lower, rel=1e-6)
        assert lower < found["self_consistent"][name] < found["hashin_shtrikman_upper"][name]


def test_isotropic_bounds_are_not_shown_beside_what_is_not_isotropic():
    both = phases(3)
    fibres = mori_tanaka(FRACTIONS, both, 3, Inclusion(np.inf))
    assert "hashin_shtrikman_lower" not in estimates(fibres, FRACTIONS, both, 3)
    both[1] = orthotropic_stiffness((5.0, 5.0, 9.0), (0.2,) * 3, (2.0,) * 3)
    isotropic = isotropic_stiffness(2.0, 0.3)
    assert "hashin_shtrikman_lower" not in estimates(isotropic, FRACTIONS, both, 3)


def test_fibres_are_averaged_over_their_directions():
    both, shape = phases(3), Inclusion(8.0)
    aligned = mori_tanaka(FRACTIONS, both, 3, shape)
    tensor = np.diag([0.6, 0.3, 0.1])
    found = estimates(aligned, FRACTIONS, both, 3, 0, shape, tensor)
    expected = elastic_constants(orientation_average(aligned, tensor))
    assert found["mori_tanaka"] == pytest.approx({k: float(v) for k, v in expected.items()})
    assert "self_consistent" not in found
    without = estimates(aligned, FRACTIONS, both, 3, 0, shape)
    assert without["mori_tanaka"]["young_modulus_1"] > found["mori_tanaka"]["young_modulus_1"]


def test_without_a_matrix_there_is_no_mori_tanaka():
    assert "mori_tanaka" not in estimates(phases(2)[0], FRACTIONS, phases(2), 2)
