"""Laws that depend on temperature, alone and in composites, against closed forms."""

from collections.abc import Callable

import numpy as np
import pytest
from law_examples import LAWS

from dmn_fem.homogenization import UnitCellLaw, thermoelastic
from dmn_fem.laws import (
    Code,
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    OrthotropicElastic,
    PerzynaViscoplasticity,
    PhaseLaw,
    TemperatureDependent,
    ThermalExpansion,
    VoceHardening,
    check,
    initial_stiffness,
    law_function,
    phase_tables,
)
from dmn_fem.laws._respond import respond, respond_many
from dmn_fem.microstructure import discs
from dmn_fem.network import Network
from dmn_fem.online import LoadPath, NetworkLaw, drive, material_law

IDENTITY = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])


def j2(young_modulus: float, yield_stress: float, modulus: float = 5.0) -> J2Plasticity:
    return J2Plasticity(young_modulus, 0.3, yield_stress, LinearHardening(modulus))


SOFTENING = TemperatureDependent(
    (20.0, 100.0, 300.0), (j2(100.0, 0.1), j2(90.0, 0.07), j2(50.0, 0.02, 1.0))
)


def free(law: PhaseLaw, *temperatures: float) -> np.ndarray:
    """Strains of a free point at temperatures one after the other."""
    rows = len(temperatures)
    nothing = np.full((rows, 6), np.nan), np.zeros((rows, 6))
    path = LoadPath(np.arange(1.0, rows + 1), *nothing, {"temperature": np.array(temperatures)})
    response = drive(material_law(law, 3), path)
    assert not response.failed
    assert np.abs(response.stress).max() < 1e-8
    return response.strain


def test_rows_and_what_is_between_them() -> None:
    strain, old = np.random.default_rng(0).normal(size=(6, 6)), np.zeros((6, 6))
    for temperature, same in ((20.0, SOFTENING.laws[0]), (300.0, SOFTENING.laws[2])):
        found = respond_many(SOFTENING, strain, old, 0.0, {"temperature": temperature})
        for one, other in zip(found, respond_many(same, strain, old), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-13)
    bulk, shear = 0.75 * 90 / 1.2 + 0.25 * 50 / 1.2, 0.75 * 90 / 2.6 + 0.25 * 50 / 2.6
    strain[:] = [0.01, 0, 0, 0.02, 0, 0]  # far beyond yield
    _, stress, _, new = respond(SOFTENING, strain[0], None, 0.0, {"temperature": 150.0})
    assert stress[:3].mean() == pytest.approx(bulk * 0.01)
    deviator = stress - stress[:3].mean() * IDENTITY
    limit = (0.75 * 0.07 + 0.25 * 0.02) + (0.75 * 5.0 + 0.25 * 1.0) * new[5]
    assert np.sqrt(1.5) * np.linalg.norm(deviator) == pytest.approx(limit, rel=1e-12)
    plastic = SOFTENING.fields(3)[0].in_full(new[:5])
    elastic = strain[0] - plastic - 0.01 / 3 * IDENTITY
    np.testing.assert_allclose(deviator, 2 * shear * elastic, atol=1e-12)


@pytest.mark.parametrize("temperature", [19.99, 300.01, np.nan, -np.inf])
def test_outside_the_table_a_point_fails(temperature: float) -> None:
    law, strain = material_law(SOFTENING, 3), np.full((3, 6), 0.003)
    stress, tangent, state = np.empty((3, 6)), np.empty((3, 6, 6)), law.allocate(3)
    outside = {"temperature": np.array([20.0, temperature, 300.0])}
    status = law.integrate(strain, state, stress, tangent, external=outside)
    assert status.codes.tolist() == [Code.CONVERGED, Code.FAILED, Code.CONVERGED]
    assert np.isnan(stress[1]).all()
    assert np.isfinite(stress[[0, 2]]).all()
    np.testing.assert_array_equal(state.new[0, :, 1], state.old[0, :, 1])
    assert respond(SOFTENING, strain[0], None, 0.0, {"temperature": temperature})[0] == -1


EXPANDING = [ThermalExpansion(j2(100, y), a, 25.0) for y, a in ((0.1, 1e-5), (0.05, 2e-5))]
VISCOUS = [PerzynaViscoplasticity(100.0 - t, 0.3, 0.1, 0.05, 5.0 - t / 50, 100.0) for t in (0, 50)]


@pytest.mark.parametrize(
    "law",
    [
        SOFTENING,
        ThermalExpansion(SOFTENING, 2e-5, 25.0),
        TemperatureDependent((0.0, 200.0), tuple(EXPANDING)),
        TemperatureDependent((0.0, 200.0), tuple(VISCOUS)),
        ThermalExpansion(LAWS["chaboche"], 2e-5, 25.0),
        ThermalExpansion(LAWS["damage"], -2e-6, 25.0),
        LAWS["hot"],
    ],
)
@pytest.mark.parametrize("dimension", [2, 3])
def test_sound_at_any_temperature(law: PhaseLaw, dimension: int) -> None:
    """Tangent, objectivity, work of closed cycles at one temperature, machine code."""
    for temperature in (30.0, 100.0, 187.0):
        report = check(law, dimension, 0.003, external={"temperature": temperature})
        assert report.failures == (), str(report)
        assert report.objectivity is not None


def test_free_expansion_is_that_of_the_secant_coefficient() -> None:
    constant = ThermalExpansion(j2(100.0, 0.1), 2e-5, 20.0)
    found = free(constant, 20.0, 70.0, -30.0)
    np.testing.assert_allclose(found, [0 * IDENTITY, 1e-3 * IDENTITY, -1e-3 * IDENTITY], atol=1e-12)
    rows = [ThermalExpansion(j2(e, 0.1), a, 20.0) for e, a in ((100.0, 1e-5), (50.0, 2e-5))]
    table = TemperatureDependent((0.0, 100.0), tuple(rows))
    found = free(table, 20.0, 60.0, 100.0)
    expected = [0.0, 40 * 1.6e-5, 80 * 2e-5]
    np.testing.assert_allclose(found, np.outer(expected, IDENTITY), atol=1e-12)


def test_three_coefficients_along_the_axes() -> None:
    orthotropic = OrthotropicElastic((90.0, 50.0, 30.0), (0.2, 0.3, 0.1), (10.0, 20.0, 4.0))
    law = ThermalExpansion(orthotropic, (1e-5, 2e-5, 3e-5), 20.0)
    assert not law.isotropic
    found = free(law, 120.0)[0]
    np.testing.assert_allclose(found, [1e-3, 2e-3, 3e-3, 0, 0, 0], atol=1e-12)
    turned = Network.homogeneous("m", 3)
    quarter = np.array([[np.sqrt(0.5), 0, 0, np.sqrt(0.5)]])  # axis 1 goes to 2
    turned = Network(**(vars(turned) | {"leaf_orientation": quarter}))
    composite, strain = NetworkLaw(turned, {"m": law}), np.array([[2e-3, 1e-3, 3e-3, 0, 0, 0]])
    stress = np.empty((1, 6))
    composite.integrate(strain, composite.allocate(1), stress, external={"temperature": 120.0})
    np.testing.assert_allclose(stress, 0.0, atol=1e-12)


def test_a_clamped_bar_yields_in_compression() -> None:
    """-E α ΔT until it yields, then the hardening curve; cold again it is under tension."""
    law = material_law(ThermalExpansion(j2(100.0, 0.1), 2e-5, 20.0), 3)
    temperature = np.array([20.0, 45.0, 220.0, 20.0])
    strain, stress = np.full((4, 6), np.nan), np.zeros((4, 6))
    strain[:, 0], stress[:, 0] = 0.0, np.nan
    path = LoadPath(np.arange(4.0), strain, stress, {"temperature": temperature})
    found = drive(law, path).stress[:, 0]
    slope = 100 * 5 / (100 + 5)
    hot = -(0.1 + slope * (2e-5 * 200 - 0.001))
    # Back, from a yield stress of -hot: elastic by 100 · 4e-3, more than twice -hot.
    cold = -hot + slope * (0.4 - 2 * -hot) / 100
    np.testing.assert_allclose(found, [0.0, -0.05, hot, cold], rtol=1e-7, atol=1e-9)


THERMOELASTIC = (LinearElastic(100.0, 0.3), 3e-5), (LinearElastic(700.0, 0.2), 5e-6)


def levin(effective: np.ndarray, volume_fraction: float, dimension: int) -> np.ndarray:
    """ᾱ of two isotropic phases from their effective stiffness, Levin (1967)."""
    size = 2 * dimension
    compliance = [np.linalg.inv(initial_stiffness(law, dimension)) for law, _ in THERMOELASTIC]
    alpha = [coefficient * IDENTITY[:size] for _, coefficient in THERMOELASTIC]
    mean = [(1 - volume_fraction) * a + volume_fraction * b for a, b in (compliance, alpha)]
    polar = np.linalg.solve(compliance[0] - compliance[1], alpha[0] - alpha[1])
    return mean[1] + (np.linalg.inv(effective) - mean[0]) @ polar


@pytest.mark.parametrize("leaves", [2, 31])
def test_a_network_of_two_phases_expands_as_levin_says(leaves: int) -> None:
    network = Network.random(3, ("a", "b"), (0.7, 0.3), leaves, np.random.default_rng(leaves))
    laws = [ThermalExpansion(law, alpha, 20.0) for law, alpha in THERMOELASTIC]
    law = NetworkLaw(network, dict(zip("ab", laws, strict=True)), 1e-12)
    nothing = np.full((1, 6), np.nan), np.zeros((1, 6))
    path = LoadPath(np.array([1.0]), *nothing, {"temperature": np.array([120.0])})
    found = drive(law, path, 1e-12).strain[0] / 100.0
    effective = network.stiffness([initial_stiffness(each, 3) for each, _ in THERMOELASTIC])
    tree = network.tree()
    expected = levin(effective, tree.leaf_weight[tree.leaf_phase == 1].sum(), 3)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)


def test_a_unit_cell_is_its_thermoelastic_full_field() -> None:
    image = discs(0.3, 3, 1, 0.1).image(16)
    laws = [ThermalExpansion(law, alpha, 20.0) for law, alpha in THERMOELASTIC]
    cell = UnitCellLaw(image, dict(zip(image.names, laws, strict=True)), 1e-9)
    state, stress = cell.allocate(1), np.empty((1, 4))
    outside = {"temperature": np.array([120.0])}
    assert cell.integrate(np.zeros((1, 4)), state, stress, external=outside).failed == 0
    expected = thermoelastic(
        image,
        [initial_stiffness(law, 2) for law, _ in THERMOELASTIC],
        [alpha * IDENTITY[:4] for _, alpha in THERMOELASTIC],
    )
    np.testing.assert_allclose(stress[0], 100.0 * expected.thermal_stress, rtol=1e-5, atol=1e-7)


@law_function
def _nothing(parameters, strain, old, new, dt, stress, tangent):
    return 1


class Function(LinearElastic):
    function = _nothing


VOCE = J2Plasticity(1.0, 0.3, 0.1, VoceHardening(0.1, 50.0))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: TemperatureDependent((1.0,), (VOCE,)), "1 temperatures and 1 laws"),
        (lambda: TemperatureDependent((1.0, 2.0), (VOCE,)), "2 temperatures and 1 laws"),
        (lambda: TemperatureDependent((2.0, 2.0), (VOCE, VOCE)), "increase from row to row"),
        (lambda: TemperatureDependent((2.0, np.nan), (VOCE, VOCE)), "must be finite"),
        (lambda: TemperatureDependent((1.0, 2.0), (VOCE, j2(1.0, 0.1))), "law at 2.0 is another"),
        (lambda: TemperatureDependent((1.0, 2.0), (Function(1.0, 0.0),) * 2), "Function is a func"),
        (lambda: ThermalExpansion(Function(1.0, 0.0), 1e-5, 20.0), "Function is a function"),
        (lambda: ThermalExpansion(VOCE, np.nan, 20.0), "coefficient is nan; it must be finite"),
        (lambda: ThermalExpansion(VOCE, 0.0, np.inf), "reference_temperature is inf"),
        (lambda: ThermalExpansion(SOFTENING, 0.0, 10.0), "the mechanical law knows 20.0 to 300.0"),
    ],
)
def test_bad_tables_are_refused_in_one_line(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        build()
    assert "\n" not in str(error.value)


def test_stress_free_outside_the_table_starts_at_its_end() -> None:
    rows = [ThermalExpansion(j2(e, 0.1), 1e-5, 180.0) for e in (100.0, 60.0)]
    law = TemperatureDependent((20.0, 120.0), tuple(rows))
    assert law.external == {"temperature": 120.0}
    assert np.isfinite(initial_stiffness(law, 3)).all()


def test_tables_within_tables() -> None:
    tables = phase_tables({"m": ThermalExpansion(SOFTENING, (1e-5, 2e-5, 3e-5), 20.0)})
    assert tables["m"]["coefficient"] == [1e-5, 2e-5, 3e-5]
    assert [row["yield_stress"] for row in tables["m"]["mechanical"]["laws"]] == [0.1, 0.07, 0.02]
