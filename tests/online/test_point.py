import csv

import numpy as np
import pytest

from dmn_fem.laws import (
    Code,
    GeneralisedMaxwell,
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    PronyTerm,
    ScalarDamage,
    ThermalExpansion,
)
from dmn_fem.network import Network
from dmn_fem.notation import isotropic_stiffness
from dmn_fem.online import LoadPath, NetworkLaw, drive, material_law

J2 = J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0))


def write(tmp_path, text):
    file = tmp_path / "path.csv"
    file.write_text(text)
    return file


def test_uniaxial_stress_of_plasticity_is_the_textbook_curve(tmp_path):
    rows = "\n".join(f"{k},{0.0005 * k},0,0" for k in range(1, 21))
    file = write(tmp_path, "time,strain_11,stress_22,stress_33\n" + rows)
    response = drive(material_law(J2, 3), LoadPath.read(file, 3))
    assert not response.failed
    strain = response.strain[:, 0]
    hardening = 100 * 5 / (100 + 5)
    expected = np.where(strain < 0.001, 100 * strain, 0.1 + hardening * (strain - 0.001))
    np.testing.assert_allclose(response.stress[:, 0], expected, rtol=1e-8)
    assert np.abs(response.stress[:, 1:]).max() < 1e-8 * 0.1


def test_plane_stress_of_elasticity():
    time, nan = np.array([1.0]), np.nan
    strain = np.array([[0.01, 0.0, nan, 0.0]])
    stress = np.array([[nan, nan, 0.0, nan]])
    response = drive(material_law(LinearElastic(10.0, 0.25), 2), LoadPath(time, strain, stress))
    assert response.stress[0, 0] == pytest.approx(10.0 / (1 - 0.25**2) * 0.01, rel=1e-9)
    assert response.strain[0, 2] == pytest.approx(-0.25 / 0.75 * 0.01, rel=1e-9)


def test_stress_driven_cycle_returns_to_zero_stress():
    law = NetworkLaw(
        Network.random(3, ("m", "i"), (0.7, 0.3), 16, np.random.default_rng(0)),
        {"m": J2, "i": LinearElastic(500.0, 0.2)},
    )
    target = np.array([0.0, 0.2, 0.1, 0.0])[:, None] * np.array([1.0, 0, 0, 0, 0, 0])
    path = LoadPath(np.array([1.0, 2, 3, 4]), np.full((4, 6), np.nan), target)
    response = drive(law, path)
    np.testing.assert_allclose(response.stress, target, atol=1e-8)
    assert response.strain[-1, 0] > 1e-5
    assert response.averages["m.equivalent_plastic_strain"][-1] > 0


def test_substeps_rescue_an_increment_that_is_too_large():
    """Uniaxial stress in one step of 200 yield strains equals many small steps."""
    law = material_law(J2, 3)
    nan = np.nan
    one = LoadPath(
        np.array([1.0]),
        np.array([[0.2, nan, nan, 0, 0, 0]]),
        np.array([[nan, 0, 0, nan, nan, nan]]),
    )
    strain = 0.1 + 100 * 5 / 105 * (0.2 - 0.001)
    assert drive(law, one).stress[0, 0] == pytest.approx(strain, rel=1e-8)


def test_a_softening_bar_contracts_and_is_not_taken_for_one_that_ran_away():
    """Where the strain of an increment runs away all stresses vanish, those prescribed too."""
    law = ScalarDamage(100.0, 0.3, 0.1, 0.5)
    unknown = np.full((1, 5), np.nan)
    path = LoadPath(
        np.array([1.0]), np.hstack([[[0.02]], unknown]), np.array([[np.nan, 0, 0, 0, 0, 0]])
    )
    response = drive(material_law(law, 3), path)
    assert not response.failed
    np.testing.assert_allclose(response.strain[0, 1:3], -0.3 * 0.02, rtol=1e-4)
    remains = np.exp(0.5 * (1.0 - 20.0)) / 20.0
    assert response.stress[0, 0] == pytest.approx(100.0 * 0.02 * remains, rel=1e-3)


def test_failure_ends_the_path_with_a_marked_row():
    limit = 0.1 * np.eye(6)[0]
    perfect = J2Plasticity(100.0, 0.3, 0.1)
    path = LoadPath(
        np.array([1.0, 2.0, 3.0]),
        np.full((3, 6), np.nan),
        np.array([0.5 * limit, 5.0 * limit, limit]),
    )
    response = drive(material_law(perfect, 3), path)
    assert response.failed
    assert list(response.status) == [Code.CONVERGED, Code.FAILED]
    assert np.isnan(response.stress[-1]).all()
    assert np.isfinite(response.stress[0]).all()
    # Also in the first increment: there is no largest stress then, and no warning of it.
    first = LoadPath(path.time[:1], path.strain[:1], np.array([5.0 * limit]))
    at_once = drive(material_law(perfect, 3), first)
    assert np.isnan(at_once.summary()["largest_stress"]["11"])


def test_csv_in_tensor_components_both_ways(tmp_path):
    file = write(tmp_path, "time, strain_12, strain_11\n0.5, 0.01,\n1,0.02,0.03\n")
    with pytest.raises(ValueError, match="row 1: component 11 has neither"):
        LoadPath.read(file, 2)
    file = write(tmp_path, "time, strain_12, strain_11\n0.5, 0.01,0\n1,0.02,0.03\n")
    path = LoadPath.read(file, 2)
    np.testing.assert_allclose(path.strain[1], [0.03, 0, 0, 0.02 * np.sqrt(2)])
    law = material_law(LinearElastic(10.0, 0.25), 2)
    drive(law, path).write(tmp_path / "result.csv")
    with (tmp_path / "result.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert (
        list(rows[0])[:11]
        == (
            "time strain_11 strain_22 strain_33 strain_12 "
            "stress_11 stress_22 stress_33 stress_12 iterations status"
        ).split()
    )
    assert float(rows[1]["stress_12"]) == pytest.approx(2 * 4.0 * 0.02)
    assert float(rows[1]["matrix.stress_12"]) == pytest.approx(2 * 4.0 * 0.02)
    stiffness = isotropic_stiffness(10.0, 0.25, 2)
    assert float(rows[1]["stress_33"]) == pytest.approx(stiffness[2, 0] * 0.03)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strain_11\n1\n", "no column time"),
        ("time,strain_13\n1,1\n", "unknown column 'strain_13'"),
        ("time,strain_11\n", "no rows"),
        ("", "no column time"),
        ("time,strain_11\n1,x\n", "row 1"),
        ("time,strain_11\n1,0,3\n", "row 1 has not 2"),
        ("time,strain_11\n1\n", "row 1 has not 2"),
        ("time,strain_11\n1,0\n1,0\n", "increase"),
        ("time,strain_11\n-1,0\n", "increase"),
        ("time,strain_11\n1,nan\n", "neither"),
        ("time,strain_11,stress_11\n1,0,0\n", "both"),
        ("time,time\n1,1\n", "twice"),
        ("time,increments,strain_11\n1,0,0\n", "row 1: increments is 0; it must be a whole"),
        ("time,increments,strain_11\n1,2.5,0\n", "row 1: increments is 2.5"),
        ("time,increments,strain_11\n1,,0\n", "row 1: increments is nan"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path, text, message):
    file = write(tmp_path, text)
    with pytest.raises(ValueError, match=message) as error:
        LoadPath.read(file, 2)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


def test_dimension_of_path_and_law():
    with pytest.raises(ValueError, match="one is 2D"):
        drive(material_law(J2, 3), LoadPath.strain_driven(np.zeros((1, 4))))


def test_rows_in_increments_end_where_rows_of_their_own_end(tmp_path):
    """Turning points with a number of increments equal the same rows written out, also mixed."""
    file = write(
        tmp_path, "time,increments,strain_11,stress_22,stress_33\n1,4,0.004,0,0\n3,2,-0.002,0,0\n"
    )
    few = LoadPath.read(file, 3)
    rows = "1,0.001\n2,0.002\n3,0.003\n4,0.004\n8,0.001\n12,-0.002\n".splitlines()
    lines = [f"{int(r.split(',')[0]) / 4},{r.split(',')[1]},0,0" for r in rows]
    many = LoadPath.read(
        write(tmp_path, "time,strain_11,stress_22,stress_33\n" + "\n".join(lines)), 3
    )
    assert few.rows == many.rows == 6
    one, other = (drive(material_law(J2, 3), each) for each in (few, many))
    np.testing.assert_allclose(one.time, other.time)
    np.testing.assert_allclose(one.strain, other.strain, atol=1e-15)
    np.testing.assert_allclose(one.stress, other.stress, atol=1e-9)
    assert few.refined(3).rows == 18
    fine = drive(material_law(J2, 3), few.refined(3))
    np.testing.assert_allclose(fine.stress[2::3], one.stress, atol=2e-3)


def test_cycles_follow_one_another():
    path = LoadPath.strain_driven(0.002 * np.array([[1.0], [-1.0], [0.0]]) * np.eye(4)[0])
    twice = path.repeated(2).refined(2)
    np.testing.assert_array_equal(twice.time, [1, 2, 3, 4, 5, 6])
    response = drive(material_law(J2, 2), twice)
    assert len(response.status) == 12
    np.testing.assert_allclose(response.strain[[1, 3, 5]], response.strain[[7, 9, 11]])
    summary = response.summary()
    assert summary["converged"]
    assert summary["rows"] == 12
    assert summary["strain"]["11"] == 0.0
    assert summary["largest_stress"]["11"] == np.abs(response.stress[:, 0]).max()
    averages = summary["averages"]
    assert averages["matrix.stress"]["11"] == pytest.approx(response.stress[-1, 0])
    with pytest.raises(ValueError, match="cycles is 0"):
        path.repeated(0)
    start = LoadPath.strain_driven(np.zeros((2, 4)), np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="begins after it"):
        start.repeated(2)


def test_external_fields_are_those_of_every_increment():
    law = material_law(ThermalExpansion(LinearElastic(10.0, 0.25), 0.001, 20.0), 2)
    nan = np.full((2, 4), np.nan)
    path = LoadPath(
        np.array([1.0, 2.0]), nan, np.zeros((2, 4)), {"temperature": np.array([20.0, 60.0])}, 2
    )
    response = drive(law, path)
    np.testing.assert_allclose(response.external["temperature"], [20, 20, 40, 60])
    np.testing.assert_allclose(response.strain[:, 0], [0, 0, 0.02, 0.04], atol=1e-9)


def test_several_tensors_of_a_law_are_written_under_names_of_their_own(tmp_path):
    terms = (PronyTerm(1.0, 0.3), PronyTerm(5.0, 0.4, 0.1))
    law = material_law(GeneralisedMaxwell(100.0, 0.3, terms), 2)
    response = drive(law, LoadPath.strain_driven([[1e-3, 0, 0, 0]] * 2, [0.5, 1.0]))
    response.write(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    (name,) = (each for each in response.averages if response.averages[each].ndim == 3)
    for term in range(2):
        expected = response.averages[name][-1, term, 0]
        assert float(last[f"{name}_{term + 1}_11"]) == pytest.approx(expected)
        assert response.summary()["averages"][f"{name}_{term + 1}"]["11"] == pytest.approx(expected)
    largest = law.maxima(law.allocate(3))[name]
    assert largest.shape == (3, 2)
