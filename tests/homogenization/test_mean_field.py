"""Hill's tensor and mean-field estimates against closed forms and limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_fem.homogenization import (
    Inclusion,
    dilute,
    draw_phase_stiffness,
    eshelby,
    hashin_shtrikman,
    hashin_shtrikman_conductivity,
    hill,
    mori_tanaka,
    reuss,
    self_consistent,
    voigt,
)
from dmn_fem.network import jump_operator
from dmn_fem.network import laminate as laminate_stiffness
from dmn_fem.notation import (
    IN_PLANE,
    isotropic_stiffness,
    mandel_rotation,
    rotation_from_quaternion,
)

ASPECTS = [1e-3, 0.2, 0.999, 1.0, 3.0, 100.0, 1e4]
TURN = rotation_from_quaternion([0.3, -0.5, 0.7, 0.2])


def turned_stiffness(seed: int) -> np.ndarray:
    """A stiffness of no symmetry in the global axes."""
    turn = mandel_rotation(TURN)
    return turn @ draw_phase_stiffness(3, 1, 1, seed)[0, 0] @ turn.T


def isotropic(values, dimension: int) -> np.ndarray:
    return np.asarray(values)[:, None, None] * np.eye(dimension)


@pytest.mark.parametrize("nu", [0.0, 0.3, 0.499])
def test_sphere_is_eshelbys(nu: float) -> None:
    tensor = eshelby(isotropic_stiffness(2.0, nu), 3)
    expected = 2 * (4 - 5 * nu) / (15 * (1 - nu)) * np.eye(6)
    expected[:3, :3] += (5 * nu - 1) / (15 * (1 - nu))
    np.testing.assert_allclose(tensor, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("nu", [0.0, 0.3, 0.499])
def test_circular_cylinder_is_eshelbys(nu: float) -> None:
    """Mura (1987), 11.22: in 2D, and as a fibre along 3 in 3D."""
    c = 8 * (1 - nu)
    expected = np.zeros((6, 6))
    expected[:2, :2] = [[5 - 4 * nu, 4 * nu - 1], [4 * nu - 1, 5 - 4 * nu]]
    expected[:2, 2] = 4 * nu
    expected[3, 3] = 2 * (3 - 4 * nu)
    expected[4, 4] = expected[5, 5] = c / 2
    expected /= c
    fibre = eshelby(isotropic_stiffness(2.0, nu), 3, Inclusion(np.inf, (0, 0, 1)))
    np.testing.assert_allclose(fibre, expected, rtol=0, atol=1e-12)
    disc = eshelby(isotropic_stiffness(2.0, nu, 2), 2)
    np.testing.assert_allclose(disc, expected[:4, :4], rtol=0, atol=1e-12)
    plane = isotropic_stiffness(2.0, nu, 2)[np.ix_(IN_PLANE, IN_PLANE)]
    in_plane = expected[:4, :4][np.ix_(IN_PLANE, IN_PLANE)]
    np.testing.assert_allclose(eshelby(plane, 2), in_plane, rtol=0, atol=1e-12)


def test_spheroids_agree_with_another_program() -> None:
    """Components 1111, 2222, 1122, 2233, 2·1212, 2·2323 of mechmean 0.1, E = 2, ν = 0.3."""
    expected = {
        10.0: [0.0219673, 0.30107593, -0.00721627, -0.11191275, 0.31716037, 0.41298868],
        0.2: [0.37038829, 0.10966431, -0.04581856, -0.01750705, 0.47727015, 0.12717136],
    }
    rows, columns = [0, 1, 0, 1, 3, 5], [0, 1, 1, 2, 3, 5]
    for aspect_ratio, values in expected.items():
        tensor = hill(isotropic_stiffness(2.0, 0.3), 3, Inclusion(aspect_ratio))
        np.testing.assert_allclose(tensor[rows, columns], values, rtol=0, atol=1e-8)


@pytest.mark.parametrize("aspect_ratio", ASPECTS)
def test_depolarisation_factors_are_the_textbooks(aspect_ratio: float) -> None:
    """Of spheroids (Landau and Lifshitz, Electrodynamics of continuous media, § 4), ellipses."""
    a = aspect_ratio
    if a > 1:
        root = np.sqrt(a * a - 1)
        along = (a / root * np.log(a + root) - 1) / root**2
    elif a < 1:
        e = np.sqrt(1 / a**2 - 1)
        along = (1 + e * e) / e**3 * (e - np.arctan(e))
    else:
        along = 1 / 3
    across = (1 - along) / 2
    np.testing.assert_allclose(
        hill(np.eye(3), 3, Inclusion(a)), np.diag([along, across, across]), rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(
        hill(np.eye(2), 2, Inclusion(a)), np.diag([1, a]) / (1 + a), rtol=0, atol=1e-12
    )


def test_depolarisation_of_an_anisotropic_medium() -> None:
    """Stretching the axes makes a conductor isotropic: P = k^-½ L(stretched) k^-½."""
    k, aspect_ratio = np.array([9.0, 1.0, 1.0]), 2.0
    across = hill(np.eye(3), 3, Inclusion(aspect_ratio / 3))
    np.testing.assert_allclose(
        hill(np.diag(k), 3, Inclusion(aspect_ratio)), across / np.sqrt(np.outer(k, k)), atol=1e-10
    )


@pytest.mark.parametrize("aspect_ratio", [0.1, 1.0, 5.0, np.inf])
def test_turning_everything_turns_hills_tensor(aspect_ratio: float) -> None:
    stiffness, turn = draw_phase_stiffness(3, 1, 1, 3)[0, 0], mandel_rotation(TURN)
    straight = hill(stiffness, 3, Inclusion(aspect_ratio))
    np.testing.assert_array_less(-1e-12, np.linalg.eigvalsh(straight))
    np.testing.assert_allclose(straight, straight.T, rtol=0, atol=1e-14)
    turned = hill(turn @ stiffness @ turn.T, 3, Inclusion(aspect_ratio, tuple(TURN[:, 0])))
    scale = abs(straight).max()
    np.testing.assert_allclose(turned, turn @ straight @ turn.T, rtol=0, atol=2e-6 * scale)


def test_flat_inclusions_are_laminates() -> None:
    stiffness = np.stack([turned_stiffness(0), 3 * turned_stiffness(1)])
    expected = laminate_stiffness(*stiffness, 0.6, jump_operator([0.0, 1.0, 0.0], 3))
    for scheme in (mori_tanaka, self_consistent):
        found = scheme([0.6, 0.4], stiffness, 3, Inclusion(1e-9, (0, 1, 0)))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * abs(expected).max())


def test_spheres_and_discs_are_hashin_and_shtrikmans() -> None:
    """Mori-Tanaka with the softest (stiffest) phase around three phases."""
    young, nu, fractions = [1.0, 5.0, 20.0], [0.3, 0.2, 0.25], [0.5, 0.2, 0.3]
    for d in (2, 3):
        full = [isotropic_stiffness(e, n, d) for e, n in zip(young, nu, strict=True)]
        stiffness = np.stack([c if d == 3 else c[np.ix_(IN_PLANE, IN_PLANE)] for c in full])
        bulk, shear = stiffness[:, :d, :d].mean(axis=(1, 2)), stiffness[:, -1, -1] / 2
        bounds = hashin_shtrikman(fractions, bulk, shear, d)
        conductors = hashin_shtrikman_conductivity(fractions, young, d)
        for matrix, bound, conductor in zip((0, 2), bounds, conductors, strict=True):
            found = mori_tanaka(fractions, stiffness, d, matrix=matrix)
            assert found[:d, :d].mean() == pytest.approx(bound.bulk, rel=1e-10)
            assert found[-1, -1] / 2 == pytest.approx(bound.shear, rel=1e-10)
            found = mori_tanaka(fractions, isotropic(young, d), d, matrix=matrix)
            np.testing.assert_allclose(found, conductor * np.eye(d), rtol=0, atol=1e-10)


@pytest.mark.parametrize("scheme", [mori_tanaka, self_consistent])
@pytest.mark.parametrize("aspect_ratio", [0.2, 1.0, 5.0])
def test_few_inclusions_are_dilute(scheme, aspect_ratio: float) -> None:
    stiffness = np.stack([isotropic_stiffness(1.0, 0.3), turned_stiffness(2)])
    inclusion = Inclusion(aspect_ratio)
    f = 1e-4
    first_order = dilute([1 - f, f], stiffness, 3, inclusion) - stiffness[0]
    found = scheme([1 - f, f], stiffness, 3, inclusion) - stiffness[0]
    assert np.linalg.norm(found - first_order) < 20 * f * np.linalg.norm(first_order)


@given(st.floats(0.05, 0.95), st.floats(0.01, 100.0), st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_symmetric_and_between_the_means(f: float, aspect_ratio: float, seed: int) -> None:
    stiffness = draw_phase_stiffness(3, 2, 1, seed)[0]
    inclusion = Inclusion(aspect_ratio, (1.0, 2.0, -1.0))
    upper, lower = voigt([f, 1 - f], stiffness), reuss([f, 1 - f], stiffness)
    found = mori_tanaka([f, 1 - f], stiffness, 3, inclusion)
    np.testing.assert_array_equal(found, found.T)
    # Relative to the bound, as the phases' stiffnesses differ by up to six decades.
    for larger, smaller in ((upper, found), (found, lower)):
        factor = np.linalg.inv(np.linalg.cholesky(larger))
        assert np.linalg.eigvalsh(factor @ smaller @ factor.T).max() < 1 + 1e-6


def test_self_consistent_is_bruggemans() -> None:
    """Σ f (k - K) / (k + (d-1) K) = 0, and in 2D √(k1 k2) at equal fractions."""
    k, fractions = np.array([1.0, 30.0, 4.0]), np.array([0.5, 0.2, 0.3])
    for d in (2, 3):
        found = self_consistent(fractions, isotropic(k, d), d)
        np.testing.assert_allclose(found, found[0, 0] * np.eye(d), rtol=0, atol=1e-10)
        assert np.sum(fractions * (k - found[0, 0]) / (k + (d - 1) * found[0, 0])) == (
            pytest.approx(0, abs=1e-10)
        )
    assert self_consistent([0.5, 0.5], isotropic(k[:2], 2), 2)[0, 0] == pytest.approx(np.sqrt(30))


def test_self_consistent_medium_is_budianskys() -> None:
    """Spheres: Σ f (k - K) / (3k + 4G) = 0 and its like in shear (Budiansky 1965, Hill 1965)."""
    fractions = np.array([0.6, 0.4])
    stiffness = np.stack([isotropic_stiffness(1.0, 0.3), isotropic_stiffness(40.0, 0.2)])
    bulk, shear = stiffness[:, :3, :3].mean(axis=(1, 2)), stiffness[:, 5, 5] / 2
    found = self_consistent(fractions, stiffness, 3)
    k, g = found[:3, :3].mean(), found[5, 5] / 2
    constraint = g * (9 * k + 8 * g) / (6 * (k + 2 * g))
    assert np.sum(fractions * (bulk - k) / (3 * bulk + 4 * g)) == pytest.approx(0, abs=1e-10)
    assert np.sum(fractions * (shear - g) / (shear + constraint)) == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize(("dimension", "limit"), [(2, 1 / 2), (3, 2 / 3)])
def test_insulators_percolate(dimension: int, limit: float) -> None:
    k = isotropic([1.0, 0.0], dimension)
    found = self_consistent([0.8, 0.2], k, dimension)
    np.testing.assert_allclose(found, (1 - 0.2 / limit) * np.eye(dimension), atol=1e-10)
    with pytest.raises(ValueError, match="voids take it apart"):
        self_consistent([0.3, 0.7], k, dimension)
    with pytest.raises(ValueError, match="voids take it apart"):
        self_consistent([0, 1], k, dimension)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Inclusion(0.0), "aspect_ratio is 0.0; it must be positive"),
        (lambda: Inclusion(2.0, (0, 0, 0)), "must have a direction"),
        (lambda: hill(np.eye(3), 3, Inclusion(2.0, (1, 0))), "axis has 2 components"),
        (lambda: hill(np.eye(5), 3), r"s = 3 or 6 in dimension 3"),
        (lambda: hill(np.eye(6), 2), r"s = 2 or 3 or 4 in dimension 2"),
        (lambda: hill(np.zeros((6, 6)), 3), "must be positive definite"),
        (lambda: dilute([0.5, 0.5], np.eye(3)[None], 3), "1 phase properties for 2"),
        (lambda: mori_tanaka([0.5, 0.6], np.ones((2, 3, 3)), 3), "sum to one"),
    ],
)
def test_wrong_arguments_are_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
