import numpy as np
import pytest

from dmn_fem.laws import Field, Record, State


@pytest.fixture
def state():
    record = Record("matrix", 3, (Field("plastic_strain", (4,)), Field("p", ())))
    state = State([Field("jumps", (2, 2)), record], 5)
    state.new[:] = np.arange(state.new.size).reshape(state.new.shape)
    return state


def test_accept_and_revert(state):
    assert not state.old.any()
    state.revert()
    assert not state.new.any()
    state.new[:] = 1.0
    state.accept()
    state.accept()
    assert (state.old == 1.0).all()
    assert (state.new == 1.0).all()


def test_fields_by_name(state):
    state.accept()
    assert state.names == ("jumps", "matrix.plastic_strain", "matrix.p")
    np.testing.assert_array_equal(state["jumps"][0], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(state["matrix.plastic_strain"][0, 1], [9, 10, 11, 12])
    np.testing.assert_array_equal(state["matrix.p"][0], [8, 13, 18])
    with pytest.raises(KeyError, match=r"no field 'p'.*jumps"):
        state["p"]


def test_export_and_load(state):
    state.accept()
    exported = state.export()
    assert exported["matrix.p"].shape == (5, 3)
    other = State(
        [
            Field("jumps", (2, 2)),
            Record("matrix", 3, (Field("plastic_strain", (4,)), Field("p", ()))),
        ],
        5,
    )
    other.load(exported)
    np.testing.assert_array_equal(other.old, state.old)
    np.testing.assert_array_equal(other.new, state.old)
    assert state.export(np.array([3]))["jumps"].shape == (1, 2, 2)
    before = other.old.copy()
    with pytest.raises(ValueError, match=r"matrix\.p has shape"):
        other.load(exported | {"jumps": exported["jumps"] + 1, "matrix.p": np.zeros((5, 2))})
    with pytest.raises(ValueError, match="has fields"):
        other.load({"jumps": exported["jumps"]})
    np.testing.assert_array_equal(other.old, before)


def test_deviatoric_fields_are_kept_without_33_and_given_in_full():
    record = Record("matrix", 2, (Field("p", ()), Field("back_stress", (3, 6), deviatoric=True)))
    state = State([Field("flow", (4,), deviatoric=True), record], 11, lanes=4)
    assert state.old.shape == (3, 3 + 2 * (1 + 3 * 5), 4)
    rng = np.random.default_rng(0)
    fields = {name: rng.normal(size=values.shape) for name, values in state.export().items()}
    assert fields["matrix.back_stress"].shape == (11, 2, 3, 6)
    with pytest.raises(ValueError, match="field flow has a trace"):
        state.load(fields)
    assert not state.old.any()
    for name in ("flow", "matrix.back_stress"):
        fields[name][..., :3] -= fields[name][..., :3].mean(axis=-1, keepdims=True)
    state.load(fields)
    for name, values in fields.items():
        np.testing.assert_allclose(state[name], values, atol=1e-15)
        np.testing.assert_array_equal(state.export(np.array([7, 2]))[name], state[name][[7, 2]])
    again = State([Field("flow", (4,), deviatoric=True), record], 11)
    again.load(state.export())
    np.testing.assert_array_equal(again["matrix.back_stress"], state["matrix.back_stress"])
    with pytest.raises(ValueError, match="a deviatoric one has 4 or 6"):
        Field("flow", (5,), deviatoric=True)


def test_some_points_alone_and_back():
    layout = [Field("jumps", (2,)), Record("matrix", 2, (Field("p", ()),))]
    state = State(layout, 11, lanes=4)
    state.load(
        {"jumps": np.arange(22.0).reshape(11, 2), "matrix.p": 100 + np.arange(22.0).reshape(11, 2)}
    )
    points = np.array([9, 2, 4, 10, 0])
    some = state.take(points)
    assert some.points == 5
    for name in state.names:
        np.testing.assert_array_equal(some[name], state[name][points])
    some.new += 0.5
    state.put(points, some)
    before = state.export()
    state.accept()
    others = np.setdiff1d(np.arange(11), points)
    for name, values in before.items():
        np.testing.assert_array_equal(state[name][points], values[points] + 0.5)
        np.testing.assert_array_equal(state[name][others], values[others])
