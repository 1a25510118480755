"""External fields: every point has its own values, whoever asks the law."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from dmn_fem._lanes import LANES
from dmn_fem.homogenization import UnitCellLaw
from dmn_fem.laws import Field, LinearElastic, PhaseLaw, check, law_function
from dmn_fem.laws._respond import respond_compiled, respond_many
from dmn_fem.microstructure import PhaseImage
from dmn_fem.network import Network
from dmn_fem.online import LoadPath, NetworkLaw, drive, material_law

POINTS = LANES + 3


@dataclass(frozen=True)
class Swelling(PhaseLaw):
    """σ = E(T) (ε - swelling · moisture), told in two fields."""

    modulus: float
    softening: float
    swelling: float
    external: ClassVar[Mapping[str, float]] = {"temperature": 20.0, "moisture": 0.0}

    def formula(self, strain, old, dt, temperature, moisture):
        modulus = self.modulus * (1.0 - self.softening * temperature)
        swollen = self.swelling * moisture
        free = [swollen if i < 3 else 0.0 for i in range(len(strain))]
        return [modulus * (e - s) for e, s in zip(strain, free, strict=True)], {}


@law_function
def swelling(parameters, strain, old, new, dt, stress, tangent):
    if not 0.0 <= parameters[4] <= 1.0:
        return -1
    modulus = parameters[0] * (1.0 - parameters[1] * parameters[3])
    for i in range(strain.size):
        stress[i] = modulus * (strain[i] - (parameters[2] * parameters[4] if i < 3 else 0.0))
        for j in range(strain.size):
            tangent[i, j] = modulus if i == j else 0.0
    return 1


class Branching(Swelling):
    """The same as a function of one point, which refuses moistures that there are not."""

    function = swelling

    def parameters(self, dimension):
        return np.array([self.modulus, self.softening, self.swelling])


@dataclass(frozen=True)
class Heated(PhaseLaw):
    """Reads the fields of `Swelling` in part."""

    modulus: float
    external: ClassVar[Mapping[str, float]] = {"temperature": 20.0}

    def formula(self, strain, old, dt, temperature):
        return [self.modulus * (1.0 + 0.001 * temperature) * e for e in strain], {}


def fields(rng, points=POINTS):
    return {"temperature": rng.uniform(0, 90, points), "moisture": rng.uniform(0, 1, points)}


def stress_of(strain, outside):
    modulus = 10.0 * (1.0 - 0.005 * outside["temperature"])
    expected = modulus[:, None] * strain
    expected[:, :3] -= (modulus * 0.02 * outside["moisture"])[:, None]
    return expected


@pytest.mark.parametrize("kind", [Swelling, Branching])
@pytest.mark.parametrize("dimension", [2, 3])
def test_every_point_has_its_own_values(kind, dimension):
    rng, law = np.random.default_rng(0), kind(10.0, 0.005, 0.02)
    outside, strain = fields(rng), rng.normal(size=(POINTS, 2 * dimension))
    expected = stress_of(strain, outside)
    none = np.zeros((POINTS, 0))
    np.testing.assert_allclose(respond_many(law, strain, none, 0.0, outside)[0], expected)
    material = material_law(law, dimension)
    assert material.external == ("temperature", "moisture")
    stress = np.empty_like(strain)
    tangent = np.empty((*strain.shape, 2 * dimension))
    status = material.integrate(
        strain, material.allocate(POINTS), stress, tangent, external=outside
    )
    assert (status.codes == 1).all()
    np.testing.assert_allclose(stress, expected, atol=1e-14)
    scale = 10.0 * (1.0 - 0.005 * outside["temperature"])
    np.testing.assert_allclose(
        np.diagonal(tangent, axis1=1, axis2=2), np.tile(scale, (2 * dimension, 1)).T
    )


def test_machine_code_reads_what_arrays_read():
    rng, law = np.random.default_rng(1), Swelling(10.0, 0.005, 0.02)
    outside, strain, none = fields(rng, LANES), rng.normal(size=(LANES, 6)), np.zeros((LANES, 0))
    expected = respond_many(law, strain, none, 0.0, outside)
    for found in respond_compiled(law, strain, none, 0.0, outside):
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("oriented", [False, True])
def test_a_network_of_laws_with_different_fields(oriented):
    """A formula and a function give the same; a point alone is as in its batch."""
    rng = np.random.default_rng(2)
    network = Network.random(3, ("a", "b", "c"), (0.5, 0.3, 0.2), 12, rng)
    if oriented:
        quaternion = rng.normal(size=(12, 4))
        quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
        network = Network(**(vars(network) | {"leaf_orientation": quaternion}))
    outside, strain = fields(rng), rng.normal(size=(POINTS, 6))
    answers = []
    for kind in (Swelling, Branching):
        laws = {"a": Heated(3.0), "b": kind(10.0, 0.005, 0.02), "c": LinearElastic(5.0, 0.2)}
        law = NetworkLaw(network, laws, 1e-12)
        stress = np.empty((POINTS, 6))
        status = law.integrate(strain, law.allocate(POINTS), stress, external=outside)
        assert (status.codes == 1).all()
        answers.append(stress)
    np.testing.assert_allclose(*answers, atol=1e-10)
    alone = np.empty((1, 6))
    for point in (0, LANES, POINTS - 1):
        own = {name: values[point : point + 1] for name, values in outside.items()}
        law.integrate(strain[point : point + 1], law.allocate(1), alone, external=own)
        np.testing.assert_allclose(alone[0], stress[point], atol=1e-12)


def test_a_unit_cell_of_layers_is_their_laminate():
    """Layers across 1 under strains along 1: σ11 is uniform, point by point."""
    phases = np.zeros((8, 4), dtype=np.uint8)
    phases[4:] = 1
    image = PhaseImage(phases, ("a", "b"))
    laws = {"a": Swelling(10.0, 0.005, 0.02), "b": Heated(3.0)}
    cell = UnitCellLaw(image, laws, 1e-10)
    assert cell.external == ("temperature", "moisture")
    outside = fields(np.random.default_rng(3), 3)
    strain = np.array([[0.01, 0.0, 0.0, 0.0]] * 3)
    state, stress = cell.allocate(3), np.empty((3, 4))
    assert cell.integrate(strain, state, stress, external=outside).failed == 0
    one = 10.0 * (1.0 - 0.005 * outside["temperature"])
    other = 3.0 * (1.0 + 0.001 * outside["temperature"])
    swollen = 0.02 * outside["moisture"]
    expected = (0.01 - 0.5 * swollen) / (0.5 / one + 0.5 / other)
    np.testing.assert_allclose(stress[:, 0], expected, rtol=1e-8)
    state.accept()
    for name in ("a.temperature", "b.temperature"):
        np.testing.assert_array_equal(state[name], outside["temperature"])
    np.testing.assert_allclose(cell.averages(state)["b.stress"][:, 0], expected, rtol=1e-7)
    local = cell.local_fields(state, 1)
    np.testing.assert_allclose(local.stress[:, 0], expected[1], rtol=1e-7)


def test_a_function_may_refuse_values():
    law = material_law(Branching(10.0, 0.005, 0.02), 3)
    strain, stress = np.ones((3, 6)), np.empty((3, 6))
    outside = {"temperature": np.zeros(3), "moisture": np.array([0.5, 1.5, 1.0])}
    status = law.integrate(strain, law.allocate(3), stress, external=outside)
    assert status.codes.tolist() == [1, -1, 1]


@pytest.mark.parametrize("kind", [Swelling, Branching])
def test_a_value_that_is_none_fails_its_point_alone(kind):
    law = material_law(kind(10.0, 0.005, 0.02), 3)
    strain, stress = np.ones((3, 6)), np.empty((3, 6))
    outside = {"temperature": np.array([1.0, np.nan, 3.0]), "moisture": np.zeros(3)}
    status = law.integrate(strain, law.allocate(3), stress, external=outside)
    assert status.codes.tolist() == [1, -1, 1]
    np.testing.assert_allclose(stress[[0, 2]], stress_of(strain, outside)[[0, 2]])


def test_checks_know_external_fields():
    law = Swelling(10.0, 0.005, 0.02)
    assert check(law).failures == ()
    wet = check(law, external={"temperature": 50.0, "moisture": 0.7})
    assert wet.failures == (), str(wet)
    assert check(Branching(10.0, 0.005, 0.02)).failures == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "reads moisture, temperature and is given no external fields"),
        ({"temperature": 1.0}, "is given temperature; it needs a value of each"),
        ({"temperature": 1.0, "moisture": 1.0, "age": 1.0}, "is given age, moisture, temperature"),
        ({"temperature": np.ones(2), "moisture": 1.0}, r"temperature has shape \(2,\)"),
    ],
)
def test_fields_that_do_not_fit_are_named(given, message):
    swollen = Swelling(1.0, 0.0, 0.0)
    image = PhaseImage(np.array([[0, 1], [1, 0]], dtype=np.uint8), ("a", "b"))
    cell = UnitCellLaw(image, {"a": swollen, "b": LinearElastic(1.0, 0.2)})
    for law in (material_law(swollen, 2), cell):
        with pytest.raises(ValueError, match=message) as error:
            law.integrate(np.zeros((3, 4)), law.allocate(3), np.zeros((3, 4)), external=given)
        assert "\n" not in str(error.value)
    law, one = material_law(LinearElastic(1.0, 0.2), 2), np.zeros((1, 4))
    with pytest.raises(ValueError, match="reads no external fields and is given temperature"):
        law.integrate(one, law.allocate(1), one.copy(), external={"temperature": np.ones(1)})
    with pytest.raises(ValueError, match="no external fields; the laws read temperature, moisture"):
        material_law(swollen, 2).follow(np.zeros((1, 1, 4)))


def test_the_driver_reads_columns_of_their_names(tmp_path):
    file = tmp_path / "path.csv"
    file.write_text("time,temperature,moisture,stress_11\n0,20,0,0\n1,40,0.5,0\n2,80,1,0.3\n")
    law = material_law(Swelling(10.0, 0.005, 0.02), 3)
    path = LoadPath.read(file, 3, law.external)
    response = drive(law, path)
    assert not response.failed
    np.testing.assert_allclose(response.strain[:, 0], [0.0, 0.01, 0.02 + 0.3 / 6.0], atol=1e-12)
    np.testing.assert_allclose(response.stress[:, 1], [0.0, -0.08, -0.12])
    response.write(tmp_path / "out.csv")
    header, *rows = (tmp_path / "out.csv").read_text().splitlines()
    assert header.startswith("time,temperature,moisture,strain_11")
    assert rows[1].startswith("1.0,40.0,0.5,")
    with pytest.raises(ValueError, match="there is no column pressure"):
        LoadPath.read(file, 3, ("pressure",))
    with pytest.raises(ValueError, match="unknown column 'temperature'; in 3D there may be time"):
        LoadPath.read(file, 3)
    file.write_text("time,temperature,moisture,stress_11\n0,,0,0\n")
    with pytest.raises(ValueError, match="temperature must have a value in every row"):
        LoadPath.read(file, 3, law.external)
    with pytest.raises(ValueError, match="reads moisture, temperature and is given no external"):
        drive(law, LoadPath.strain_driven(np.zeros((1, 6))))


def test_leaves_of_a_state_have_the_stress_at_its_external_fields():
    laws = {"a": Swelling(10.0, 0.005, 0.02), "b": Heated(3.0)}
    law = NetworkLaw(Network.random(3, ("a", "b"), (0.4, 0.6), 8, np.random.default_rng(2)), laws)
    outside = fields(np.random.default_rng(3), POINTS)
    state, stress = law.allocate(POINTS), np.empty((POINTS, 6))
    for name in ("a.stress", "b.stress"):
        assert not law.averages(state)[name].any()
    law.integrate(np.full((POINTS, 6), 0.01), state, stress, external=outside)
    state.accept()
    averages = law.averages(state)
    mixed = 0.4 * averages["a.stress"] + 0.6 * averages["b.stress"]
    np.testing.assert_allclose(mixed, stress, rtol=1e-8)


def test_an_external_field_with_the_name_of_an_internal_variable_is_refused():
    class Both(Heated):
        def fields(self, dimension):
            return (Field("temperature", ()),)

    with pytest.raises(ValueError, match="temperature of the law of m is an internal variable and"):
        material_law(Both(3.0), 2, "m")
