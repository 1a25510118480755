"""Points at which Newton's method fails in one step, and those at which nothing helps."""

import numpy as np
import pytest

from dmn_fem.laws import Code, Field, J2Plasticity, LinearElastic, ScalarDamage, State, Status
from dmn_fem.network import Network
from dmn_fem.online import LoadPath, NetworkLaw, drive
from dmn_fem.online._substeps import Step, integrate_in_parts

SOFT = LinearElastic(2.0, 0.2)
PERFECT = J2Plasticity(100.0, 0.3, 0.1)
DAMAGE = ScalarDamage(100.0, 0.3, 0.1, 0.3, 0.5)
DT = 1.0


def law_of(matrix, dimension, seed, **options):
    """A law that lets Newton's method take few iterations where it would otherwise not fail."""
    rng = np.random.default_rng(seed)
    phases = ("matrix", "inclusion")
    network = Network.random(dimension, phases, rng.dirichlet([3.0, 3.0]), 32, rng)
    if matrix is PERFECT:
        options = {"max_iterations": 2 + dimension} | options
    return NetworkLaw(network, {"matrix": matrix, "inclusion": SOFT}, **options)


def strains_of(dimension, seed, size):
    """Where one step goes to from zero, large for the law."""
    return size * np.random.default_rng(seed).normal(size=(8, 2 * dimension))


def in_parts(law, begin, end, state, parts):
    """Stresses and codes after equal steps, with the state as it is then."""
    stress, codes = np.empty(begin.shape), np.ones(len(begin), dtype=int)
    for part in range(1, parts + 1):
        strain = (1 - part / parts) * begin + part / parts * end
        codes = np.minimum(codes, law.integrate(strain, state, stress, None, DT / parts).codes)
        state.accept()
    return stress, codes


CASES = [
    (PERFECT, 2, 1e-4, 0.01),
    (PERFECT, 3, 1e-4, 0.01),
    (DAMAGE, 2, 1e-4, 0.004),
    (DAMAGE, 3, 1e-4, 0.003),
]


@pytest.mark.parametrize(("matrix", "dimension", "first", "size"), CASES)
def test_failed_points_get_the_answer_of_the_fewest_parts(matrix, dimension, first, size):
    rescued = 0
    for seed in range(6):
        law = law_of(matrix, dimension, seed)
        plain = law_of(matrix, dimension, seed, max_substeps=1)
        begin = first * strains_of(dimension, seed, 1.0)
        end = strains_of(dimension, seed + 100, size)
        state, stress = law.allocate(8), np.empty(end.shape)
        assert law.integrate(begin, state, stress, None, DT).failed == 0
        state.accept()
        before = state.export()

        def again(plain=plain, before=before):
            state = plain.allocate(8)
            state.load(before)
            return state

        status = law.integrate(end, state, stress, None, DT)
        state.accept()
        alone = plain.integrate(end, again(), np.empty(end.shape), None, DT)
        left = alone.codes == Code.FAILED
        np.testing.assert_array_equal(status.codes[~left], alone.codes[~left])
        for parts in (2, 4, 8, 16, 32, 64):
            walked = again()
            found, codes = in_parts(plain, begin, end, walked, parts)
            now = left & (codes >= 0)
            assert (status.codes[now] == Code.UNRELIABLE).all()
            assert (status.iterations[now] > alone.iterations[now]).all()
            np.testing.assert_allclose(stress[now], found[now], rtol=1e-12, atol=1e-14)
            for name, values in state.export().items():
                np.testing.assert_allclose(values[now], walked[name][now], rtol=1e-12, atol=1e-14)
            left &= ~now
            rescued += np.count_nonzero(now)
        assert (status.codes[left] == Code.FAILED).all()
        assert np.isnan(stress[left]).all()
        for name, values in before.items():
            np.testing.assert_array_equal(state[name][left], values[left])
    assert rescued >= 3


@pytest.mark.parametrize("dimension", [2, 3])
def test_tangent_is_the_derivative_over_all_parts(dimension):
    checked = 0
    for seed in range(12):
        law = law_of(PERFECT, dimension, seed, tolerance=1e-12, max_iterations=3 + dimension)
        strain = strains_of(dimension, seed, 0.01)
        stress, size = np.empty(strain.shape), strain.shape[1]
        tangent = np.empty((8, size, size))
        law.integrate(strain, law.allocate(8), stress, tangent, DT)
        plain = law_of(
            PERFECT, dimension, seed, tolerance=1e-12, max_iterations=3 + dimension, max_substeps=1
        )
        alone = plain.integrate(strain, plain.allocate(8), np.empty(strain.shape), None, DT)
        rescued = (alone.codes == Code.FAILED) & np.isfinite(stress[:, 0])
        asked_for_none = np.empty(strain.shape)
        law.integrate(strain, law.allocate(8), asked_for_none, None, DT)
        np.testing.assert_array_equal(stress, asked_for_none)
        for point in np.flatnonzero(rescued):
            change = 3e-7 * np.concatenate([np.eye(size), -np.eye(size)])
            near, ends = np.empty((2 * size, size)), strain[point] + change
            codes = law.integrate(ends, law.allocate(2 * size), near, None, DT).codes
            if (codes != Code.UNRELIABLE).any():
                continue
            slopes = (near[:size] - near[size:]).T / 6e-7
            error = np.abs(slopes - tangent[point]).max() / np.abs(tangent[point]).max()
            assert error < 1e-6
            checked += 1
    assert checked >= 3


def test_external_fields_change_along_with_the_strain():
    """A sweep that fails in steps longer than 0.3 is shown four parts of everything."""
    shown = []

    def sweep(strain, state, stress, tangent, dt, external, tolerance):
        shown.append((strain.copy(), dt, external[0].copy()))
        stress[:] = strain
        code = Code.FAILED if dt > 0.3 else Code.CONVERGED
        return Status(np.full(len(strain), code, np.int8), np.ones(len(strain), np.int32))

    state = State([Field("strain", (4,))], 3)
    start, end = np.zeros((2, 4)), np.ones((2, 4))
    past, present = np.array([[20.0, 30.0]]), np.array([[60.0, 30.0]])
    places = np.array([0, 2])
    step = Step(start, end, state.take(places), 1.0, past, present)
    stress, tangent = np.full((3, 4), np.nan), np.full((3, 4, 4), np.nan)
    status = Status(np.full(3, Code.FAILED, np.int8), np.full(3, 5, np.int32))
    integrate_in_parts(sweep, step, places, (state, stress, tangent, status), 1e-9, 64)
    walked = shown[1:5]
    assert [dt for _, dt, _ in shown[:5]] == [0.5, 0.25, 0.25, 0.25, 0.25]
    np.testing.assert_allclose([strain[0, 0] for strain, _, _ in walked], [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(
        [field for *_, field in walked], [[30, 30], [40, 30], [50, 30], [60, 30]]
    )
    np.testing.assert_array_equal(status.codes, [Code.UNRELIABLE, Code.FAILED, Code.UNRELIABLE])
    np.testing.assert_array_equal(status.iterations, [10, 5, 10])
    np.testing.assert_array_equal(stress[places], end)
    np.testing.assert_allclose(tangent[places], np.broadcast_to(np.eye(4), (2, 4, 4)), rtol=1e-8)
    assert np.isnan(stress[1]).all()
    assert np.isnan(tangent[1]).all()


def test_driver_and_network_cut_a_row_alike():
    law, plain = (law_of(DAMAGE, 3, 0, max_substeps=most) for most in (64, 1))
    ends = strains_of(3, 100, 0.003)
    alone = plain.integrate(ends, plain.allocate(8), np.empty(ends.shape), None, DT)
    compared = 0
    for end in ends[alone.codes == Code.FAILED]:
        path = LoadPath.strain_driven(end[None])
        ours, theirs = drive(law, path), drive(plain, path)
        assert ours.status == (Code.UNRELIABLE,)
        assert theirs.status[0] >= 0
        _, codes = in_parts(plain, 0 * end[None], end[None], plain.allocate(1), 2)
        if codes[0] >= 0:  # the driver halves only what is left; then both take two halves
            compared += 1
            np.testing.assert_allclose(ours.stress, theirs.stress, rtol=1e-12)
    assert compared >= 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200, 1.7e308])
def test_what_is_beyond_numbers_gives_a_status_and_nothing_else(value):
    """Neighbours in the same block stay as they are, bit for bit; no warning either."""
    law = law_of(PERFECT, 2, 3, max_iterations=30)
    strain = strains_of(2, 7, 0.002)
    state, stress, tangent = law.allocate(8), np.empty((8, 4)), np.empty((8, 4, 4))
    law.integrate(0.5 * strain, state, stress, tangent)
    state.accept()
    clean = state.take(np.arange(8))
    law.integrate(strain, clean, stress, tangent)
    poisoned = strain.copy()
    poisoned[2, 1] = value
    other_stress, other_tangent = np.empty((8, 4)), np.empty((8, 4, 4))
    status = law.integrate(poisoned, state, other_stress, other_tangent)
    others = np.delete(np.arange(8), 2)
    assert status.codes.tolist() == [1, 1, -1, 1, 1, 1, 1, 1]
    assert np.isnan(other_stress[2]).all()
    assert np.isnan(other_tangent[2]).all()
    np.testing.assert_array_equal(state.new[:, :, 2], state.old[:, :, 2])
    np.testing.assert_array_equal(other_stress[others], stress[others])
    np.testing.assert_array_equal(other_tangent[others], tangent[others])
    np.testing.assert_array_equal(state.new[:, :, others], clean.new[:, :, others])


def test_no_parts_are_refused():
    with pytest.raises(ValueError, match="max_substeps is 0; it must be at least 1"):
        law_of(SOFT, 2, 0, max_substeps=0)
