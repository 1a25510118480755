from dataclasses import replace

import numpy as np
import pytest

from dmn_fem.laws import (
    Code,
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    NortonCreep,
    PointRecord,
    ScalarDamage,
    replay,
)
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw, material_law

PLASTIC = J2Plasticity(100.0, 0.3, 0.1, LinearHardening(modulus=5.0))


@pytest.fixture
def law():
    return material_law(PLASTIC, 3)


@pytest.fixture
def record(law):
    """A plastic step from a plastic state."""
    before = np.array([0.002, -0.001, 0.0, 0.0005, 0.0, 0.0])
    state, stress = law.allocate(1), np.zeros((1, 6))
    law.integrate(before[None], state, stress)
    state.accept()
    return PointRecord(
        strain=before + np.array([0.001, 0.0, 0.0, 0.002, 0.0, 0.0]),
        strain_before=before,
        state={name: values[0] for name, values in state.export().items()},
        dt=0.25,
        position=np.array([0.1, 0.2, 0.3]),
        cell=17,
        point=2,
        message="it failed – here",
    )


def test_what_is_saved_is_loaded(tmp_path, record):
    record = replace(record, external={"temperature": 293.0})
    record.save(tmp_path / "point.npz")
    loaded = PointRecord.load(tmp_path / "point.npz")
    assert loaded.where == "cell 17, point 2 at [0.1, 0.2, 0.3]"
    for name in ("dt", "external", "cell", "point", "message"):
        assert getattr(loaded, name) == getattr(record, name)
    for name in ("strain", "strain_before", "position"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(record, name))
    assert set(loaded.state) == set(record.state)
    for name, values in record.state.items():
        np.testing.assert_array_equal(loaded.state[name], values)


def test_strains_are_told_in_tensor_components(record):
    assert record.components == "11 0.003, 22 -0.001, 33 0, 12 0.00176777, 13 0, 23 0"
    assert replace(record, strain=np.array([0.1])).components == "0.1"  # of a bar


def test_replay_answers_as_the_law_did(law, record):
    state, stress = law.allocate(1), np.zeros((1, 6))
    for strain in (record.strain_before, record.strain):
        status = law.integrate(np.ascontiguousarray(strain[None]), state, stress, dt=0.25)
        state.accept()
    once, twice = replay(law, record, (1, 2))
    np.testing.assert_array_equal(once.stress, stress[0])
    assert (once.code, once.iterations, once.reached) == (1, status.iterations[0], 1.0)
    assert twice.substeps == 2
    difference = np.abs(twice.stress - once.stress).max() / np.abs(once.stress).max()
    assert 1e-8 < difference < 0.05  # backward Euler, with half the step


def test_substeps_share_the_time(record):
    creep = material_law(NortonCreep(100.0, 0.3, 0.1, 1.0, 1000.0), 3)
    hold = PointRecord(
        np.zeros(6), np.zeros(6), {n: v[0] for n, v in creep.allocate(1).export().items()}, dt=0.5
    )
    pulled = PointRecord(record.strain, hold.strain_before, hold.state, dt=hold.dt)
    stresses = [attempt.stress for attempt in replay(creep, pulled, (8, 16, 32))]
    # The sub-steps converge to the solution of the same time, at first order.
    changes = np.linalg.norm(np.diff(stresses, axis=0), axis=1)
    assert changes[0] / changes[1] == pytest.approx(2.0, rel=0.05)


def test_a_failing_replay_says_how_far_it_came(record):
    class Limited:
        """Takes no more than 0.3 of the step at once, and stops at 0.8 of it."""

        dimension, strain_size, external = 3, 6, ()

        def __init__(self, law):
            self.law, self.allocate = law, law.allocate
            self.before = record.strain_before

        def integrate(self, strain, state, stress, tangent=None, dt=0.0, external=None):
            status = self.law.integrate(strain, state, stress, tangent, dt, external)
            share = np.linalg.norm(strain[0] - record.strain_before)
            share /= np.linalg.norm(record.strain - record.strain_before)
            status.codes[dt > 0.3 * record.dt or share > 0.8] = Code.FAILED
            return status

    attempts = replay(Limited(material_law(PLASTIC, 3)), record, (1, 4))
    assert [attempt.code for attempt in attempts] == [Code.FAILED, Code.FAILED]
    assert [attempt.reached for attempt in attempts] == [0.0, 0.75]
    assert np.isnan(attempts[1].stress).all()


def test_another_law_is_refused(record):
    with pytest.raises(ValueError, match="6 strain components, the law 4"):
        replay(material_law(PLASTIC, 2), record)
    with pytest.raises(ValueError, match="state has fields"):
        replay(material_law(ScalarDamage(100.0, 0.2, 1.0, 0.1), 3), record)
    with pytest.raises(ValueError, match="no external fields and is given temperature"):
        replay(material_law(PLASTIC, 3), replace(record, external={"temperature": 293.0}))


@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_a_foreign_file_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "foreign.npz"
    if content is None:
        np.savez(path, strain=np.zeros(6))
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"foreign.npz: not a record of a point") as error:
        PointRecord.load(path)
    assert "\n" not in str(error.value)


def test_a_point_is_replayed_with_its_own_network(tmp_path):
    networks = [
        Network.random(2, ("a", "b"), (0.5, 0.5), 4, np.random.default_rng(seed)) for seed in (0, 1)
    ]
    phases = {"a": LinearElastic(1.0, 0.3), "b": LinearElastic(50.0, 0.2)}
    law = NetworkLaw(networks, phases)
    strain, stress = np.array([[1e-3, 0.0, 0.0, 2e-3]]), np.empty((1, 4))
    state = law.allocate(1, network=np.array([1]))
    law.integrate(strain, state, stress)
    own = {name: values[0] for name, values in state.export().items()}
    record = PointRecord(strain[0], np.zeros(4), own, network=1)
    record.save(tmp_path / "point.npz")
    (attempt,) = replay(law, PointRecord.load(tmp_path / "point.npz"))
    np.testing.assert_array_equal(attempt.stress, stress[0])
