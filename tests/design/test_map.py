import csv

import numpy as np
import pytest

from dmn_fem.database import Database, DatabaseError, Descriptor
from dmn_fem.design import design_map, grid
from dmn_fem.laws import (
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    TransverselyIsotropicElastic,
)
from dmn_fem.network import Network

LAWS = {
    "layer_1": J2Plasticity(1.0, 0.0, 0.002, LinearHardening(0.1)),
    "layer_2": LinearElastic(8.0, 0.0),
}
RECIPE = {
    "name": "layers",
    "dimension": 2,
    "phases": ["layer_1", "layer_2"],
    "descriptors": {"volume_fraction": [0.25, 0.75]},
    "microstructure": {"generator": "layers", "dimension": 2, "axis": 0, "grid": 8},
    "samples": {"count": 4, "seed": 0, "tolerance": 1e-3},
}


def laminates(provenance=None):
    """Layers across direction 1, over the volume fraction of the stiff one."""
    fractions = (0.25, 0.75)
    networks = [
        Network(
            2,
            ("layer_1", "layer_2"),
            np.array([0, 1]),
            np.array([1 - part, part]),
            np.ones(2),
            np.zeros((1, 1)),
        )
        for part in fractions
    ]
    values = np.array(fractions)[:, None]
    return Database(networks, [Descriptor("volume_fraction")], values, provenance)


def test_moduli_of_a_laminate_without_lateral_contraction():
    points = {"volume_fraction": [0.25, 0.4, 0.5]}
    found = design_map(laminates(), LAWS, points)
    part = np.array(points["volume_fraction"])
    mean, harmonic = 1 - part + 8 * part, 1 / (1 - part + part / 8)
    across, along = found.values["young_modulus_1"], found.values["young_modulus_2"]
    np.testing.assert_allclose(across["network"], harmonic, rtol=1e-12)
    np.testing.assert_allclose(along["network"], mean, rtol=1e-12)
    np.testing.assert_allclose(across["reuss"], harmonic, rtol=1e-12)
    np.testing.assert_allclose(along["voigt"], mean, rtol=1e-12)
    np.testing.assert_allclose(found.values["shear_modulus_12"]["network"], harmonic / 2, rtol=1e-9)
    assert (found.values["anisotropy"]["network"] > 0.3).all()
    np.testing.assert_array_equal(found.nodes, [[0.25], [0.75]])


def test_full_fields_of_the_recipe_answer_as_the_network_that_they_are():
    points = {"volume_fraction": [0.25, 0.375, 0.5]}
    done = []
    found = design_map(
        laminates({"recipe": RECIPE}),
        LAWS,
        points,
        quantities=("young_modulus", "yield_stress", "hardening_modulus"),
        directions=("11", "22"),
        full_fields=2,
        progress=lambda *each: done.append(each),
    )
    assert done == [(number, 5) for number in range(1, 6)]
    assert set(found.values) == {
        "young_modulus_1",
        "young_modulus_2",
        "yield_stress_11",
        "yield_stress_22",
        "hardening_modulus_11_at_0.02",
        "hardening_modulus_22_at_0.02",
    }
    for sources in found.values.values():
        assert np.isnan(sources["full_field"][1])
        np.testing.assert_allclose(
            sources["full_field"][[0, 2]], sources["network"][[0, 2]], rtol=1e-4
        )
    assert np.isfinite(found.values["yield_stress_11"]["network"]).all()
    # Layers along the stress: the elastic ones let no such plastic strain happen.
    assert np.isnan(found.values["yield_stress_22"]["network"][2])


def test_the_estimated_error_is_a_quantity():
    parts = {"mean": 0.01, "percentile_95": 0.02, "maximum": 0.03}
    report = {"stiffness": parts, "compliance": parts}
    errors = [{"training": report, "held_out": report, "leave_one_out": None}] * 2
    database = laminates({"errors": errors})
    found = design_map(database, LAWS, {"volume_fraction": [0.25]}, quantities=("estimated_error",))
    assert found.values["estimated_error"]["network"] == pytest.approx(
        [database.estimated_error(volume_fraction=0.25)]
    )
    # At a stored network there is one, beside it there is none: nothing is computed.
    asked = {"points": {"volume_fraction": [0.25, 0.3]}, "quantities": ("estimated_error",)}
    for case, message in (
        (database, "no leave-one-out"),
        (laminates(), "does not hold the errors"),
    ):
        with pytest.raises(DatabaseError, match=message):
            design_map(case, LAWS, **asked, progress=lambda *_: pytest.fail("the work had begun"))


def test_the_table_is_what_was_found(tmp_path):
    points = {"volume_fraction": np.linspace(0.25, 0.75, 5)}
    database = laminates({"recipe": RECIPE})
    found = design_map(database, LAWS, points, quantities=("young_modulus",), full_fields=1)
    found.write(tmp_path / "map.csv")
    with (tmp_path / "map.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[:3] == ["volume_fraction", "young_modulus_1", "young_modulus_1.reuss"]
    assert [float(row["young_modulus_2"]) for row in rows] == pytest.approx(
        found.values["young_modulus_2"]["network"]
    )
    assert [row["young_modulus_1.full_field"] == "" for row in rows] == [False, *[True] * 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"laws": {"layer_1": LAWS["layer_1"]}}, "laws are given for layer_1; the database needs"),
        ({"quantities": ("stiffness",)}, "'stiffness' is unknown"),
        ({"directions": ("33",)}, "direction is 33"),
        ({"points": {"volume_fraction": [0.9]}}, "holds 0.25 to 0.75"),
        ({"full_fields": 2}, "2 full fields are asked for at 1 points"),
        ({"full_fields": 1}, "records no recipe"),
        ({"fixed": {"aspect_ratio": 2.0}}, "aspect_ratio"),
    ],
)
def test_faults_are_said_before_the_work(change, message):
    asked = {"laws": LAWS, "points": {"volume_fraction": [0.3]}, **change}
    with pytest.raises(ValueError, match=message):
        design_map(laminates(), **asked, progress=lambda *_: pytest.fail("the work had begun"))


def test_yield_needs_a_phase_that_yields():
    elastic = dict.fromkeys(LAWS, LinearElastic(1.0, 0.3))
    with pytest.raises(ValueError, match="need a phase that yields"):
        design_map(laminates(), elastic, {"volume_fraction": [0.3]}, quantities=("yield_stress",))


def test_a_recipe_that_cannot_be_read_is_said():
    database = laminates({"recipe": {**RECIPE, "microstructure": {"generator": "sponge"}}})
    with pytest.raises(ValueError, match="recipe cannot be read for full fields"):
        design_map(database, LAWS, {"volume_fraction": [0.3]}, full_fields=1)


def test_other_descriptors_are_held_fixed():
    base = laminates().networks[0]
    values = [(part, ratio) for part in (0.2, 0.6) for ratio in (1.0, 2.0)]
    networks = [base.with_phase_fraction([1 - part, part]) for part, _ in values]
    descriptors = [Descriptor("volume_fraction"), Descriptor("aspect_ratio")]
    database = Database(networks, descriptors, values)
    fixed = {"aspect_ratio": 2.0}
    points = grid(database, {"volume_fraction": [0.3, 0.5]}, fixed)
    found = design_map(database, LAWS, points, fixed, quantities=("young_modulus",))
    assert found.descriptors == ("volume_fraction",)
    np.testing.assert_array_equal(found.nodes, [[0.2], [0.6]])
    np.testing.assert_allclose(
        found.values["young_modulus_2"]["network"], [0.7 + 2.4, 0.5 + 4.0], rtol=1e-9
    )


def test_no_bounds_of_anisotropic_phases_beside_a_network_that_turns_them():
    """Layers of a fibre bundle across its axis: its modulus along 1 is no bound of what turns."""
    along, across = [1.0, 0.0, 0.0, 0.0], [np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]
    network = Network(
        3,
        ("matrix", "yarn"),
        np.array([0, 1]),
        np.array([0.1, 0.9]),
        np.ones(2),
        np.array([[0.0, 0.0]]),
        np.array([along, across]),
    )
    database = Database([network], [Descriptor("volume_fraction")], [[0.9]])
    yarn = TransverselyIsotropicElastic(100.0, 5.0, 0.3, 0.3, 2.0)
    point = {"volume_fraction": [0.9]}
    turned = design_map(database, {"matrix": LinearElastic(2.0, 0.3), "yarn": yarn}, point).values
    assert turned["young_modulus_2"]["network"] > 80.0
    assert all(list(sources) == ["network"] for sources in turned.values())
    laws = {"matrix": LinearElastic(2.0, 0.3), "yarn": LinearElastic(8.0, 0.3)}
    plain = design_map(database, laws, point).values["young_modulus_1"]
    assert {"reuss", "voigt"} < set(plain)
