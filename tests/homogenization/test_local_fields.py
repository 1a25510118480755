"""Fields within a cell: what they add up to, and the energy that they store and dissipate."""

import numpy as np
import pytest
import pyvista

from dmn_fem.homogenization import LocalFields, Mixing, UnitCellLaw
from dmn_fem.laws import J2Plasticity, LinearElastic, LinearHardening
from dmn_fem.microstructure import PhaseImage, discs, spheres
from dmn_fem.notation import to_tensor

MODULUS, YIELD_STRESS = 5.0, 0.1
J2 = J2Plasticity(100.0, 0.3, YIELD_STRESS, LinearHardening(MODULUS))
STIFF, SOFT = LinearElastic(500.0, 0.19), LinearElastic(5.0, 0.2)
LOAD = np.array([0.006, -0.003, 0.001, 0.004, -0.002, 0.003])


def follow(law, path):
    """Stress of every increment of a path of strains, and the local fields after it."""
    state, answers = law.allocate(1), []
    for strain in path:
        stress = np.zeros((1, law.strain_size))
        assert law.integrate(strain[None], state, stress).failed == 0
        state.accept()
        answers.append((stress[0], law.local_fields(state), law.averages(state)))
    return answers


@pytest.mark.parametrize("other", [STIFF, SOFT])
@pytest.mark.parametrize("dimension", [2, 3])
def test_averages_and_hill_mandel(dimension, other):
    image = discs(0.4, 4, 0).image(24) if dimension == 2 else spheres(0.3, 2, 0).image(8)
    law = UnitCellLaw(image, {"matrix": J2, "inclusion": other}, tolerance=1e-10)
    path = np.outer([0.5, 1.0, 0.7], LOAD[: law.strain_size])
    for strain, (stress, fields, averages) in zip(path, follow(law, path), strict=True):
        weight = fields.weight
        shares = np.bincount(fields.phase, weight)
        np.testing.assert_allclose(shares, image.volume_fractions, rtol=1e-12)
        np.testing.assert_allclose(weight @ fields.strain, strain, atol=1e-13)
        np.testing.assert_allclose(weight @ fields.stress, stress, atol=1e-8 * abs(stress).max())
        local_work = weight @ (fields.stress * fields.strain).sum(axis=1)
        np.testing.assert_allclose(local_work, stress @ strain, rtol=1e-7)
        for number, name in enumerate(image.names):
            ours = fields.phase == number
            share = weight[ours] / weight[ours].sum()
            known = {"strain": fields.strain, "stress": fields.stress}
            if name == "matrix":
                known |= fields.internal
            for quantity, values in known.items():
                expected = averages[f"{name}.{quantity}"][0]
                np.testing.assert_allclose(share @ values[ours], expected, rtol=1e-9, atol=1e-11)
        assert np.isnan(fields.internal["equivalent_plastic_strain"][fields.phase == 1]).all()
    assert fields.internal["equivalent_plastic_strain"][fields.phase == 0].max() > 0.001


@pytest.mark.parametrize("mixing", Mixing)
def test_strains_and_stresses_of_the_two_members_of_a_cut_voxel(mixing):
    """Voigt: one strain; Reuss: one in-plane stress; laminate: compatible, tractions in balance."""
    image = discs(0.4, 4, 0).image(24)
    law = UnitCellLaw(image, {"matrix": J2, "inclusion": STIFF}, tolerance=1e-10, mixing=mixing)
    ((_, fields, _),) = follow(law, LOAD[None, :4])
    whole = image.phases.size - image.cut.voxel.size
    first, second = np.split(np.arange(whole, fields.voxel.size), 2)
    np.testing.assert_array_equal(fields.voxel[first], fields.voxel[second])
    assert (fields.phase[first] != fields.phase[second]).all()
    order = np.argsort(fields.voxel[first])
    first, second = first[order], second[order]
    np.testing.assert_array_equal(fields.voxel[first], image.cut.voxel)
    np.testing.assert_allclose(fields.weight[second] * image.phases.size, image.cut.share)
    strain = to_tensor(fields.strain[first] - fields.strain[second])
    stress = to_tensor(fields.stress[first] - fields.stress[second])
    normal = np.pad(image.cut.normal, ((0, 0), (0, 1)))
    tangent = np.stack([-normal[:, 1], normal[:, 0], normal[:, 2]], axis=1)
    largest = np.abs(fields.stress).max()
    np.testing.assert_allclose(strain[:, 2], 0.0, atol=1e-15)
    if mixing == Mixing.VOIGT:
        np.testing.assert_array_equal(strain, 0.0)
    elif mixing == Mixing.REUSS:
        np.testing.assert_allclose(stress[:, :2, :2], 0.0, atol=1e-7 * largest)
    else:
        along = np.einsum("ni,nij,nj->n", tangent, strain, tangent)
        np.testing.assert_allclose(along, 0.0, atol=1e-14)
        traction = np.einsum("nij,nj->ni", stress, normal)
        np.testing.assert_allclose(traction, 0.0, atol=1e-7 * largest)
        assert np.abs(strain).max() > 1e-4


def energies(fields):
    """Stored elastic energy, energy of hardening, and what is dissipated, per volume."""
    plastic = np.nan_to_num(fields.internal["plastic_strain"])
    equivalent = np.nan_to_num(fields.internal["equivalent_plastic_strain"])
    elastic = 0.5 * (fields.stress * (fields.strain - plastic)).sum(axis=1)
    hardening, dissipation = 0.5 * MODULUS * equivalent**2, YIELD_STRESS * equivalent
    return fields.weight @ np.stack([elastic, hardening, dissipation], axis=1)


def test_work_is_stored_or_dissipated_to_second_order_in_the_step():
    """By the trapezoidal rule; stresses within the yield surface can only lack work."""
    image = discs(0.4, 3, 0).image(16)
    law = UnitCellLaw(image, {"matrix": J2, "inclusion": STIFF}, tolerance=1e-9)
    errors = []
    for steps in (16, 32, 64, 128):
        time = np.arange(1, steps + 1)[:, None] / steps
        path = np.array([0.01, -0.008, 0.0, 0.0]) * np.sin(4.0 * time)
        path[:, 3] = 0.006 * time[:, 0] ** 2
        answers = follow(law, path)
        stress = np.vstack([np.zeros(4), [answer[0] for answer in answers]])
        increments = np.diff(path, axis=0, prepend=0.0)
        work = (0.5 * (stress[1:] + stress[:-1]) * increments).sum()
        elastic, hardening, dissipation = energies(answers[-1][1])
        assert min(elastic, hardening, dissipation) > 0.01 * work
        errors.append((work - elastic - hardening - dissipation) / work)
    assert max(errors) < 0.0
    order = np.log2(errors[0] / errors[-1]) / 3
    assert order == pytest.approx(2.0, abs=0.25), errors
    assert abs(errors[-1]) < 1e-3


def test_no_member_ever_gains_energy_by_plastic_flow():
    law = UnitCellLaw(discs(0.4, 4, 0).image(24), {"matrix": J2, "inclusion": STIFF})
    path = np.outer([0.5, 1.0, 0.4, -0.6, 0.3], LOAD[:4])
    plastic, equivalent = 0.0, 0.0
    for _, fields, _ in follow(law, path):
        new = np.nan_to_num(fields.internal["plastic_strain"])
        new_equivalent = np.nan_to_num(fields.internal["equivalent_plastic_strain"])
        stored = 0.5 * MODULUS * (new_equivalent**2 - equivalent**2)
        dissipated = (fields.stress * (new - plastic)).sum(axis=1) - stored
        assert dissipated.min() >= -1e-12 * dissipated.max()
        assert dissipated.max() > 0.0
        plastic, equivalent = new, new_equivalent


@pytest.fixture(scope="module")
def strained():
    """Local fields of a cell with cut voxels that yields, and its image."""
    image = discs(0.4, 4, 0).image(24)
    law = UnitCellLaw(image, {"matrix": J2, "inclusion": STIFF})
    return follow(law, LOAD[None, :4])[0][1], image


def test_histograms_sum_to_the_volume_fractions(strained):
    fields, image = strained
    for name, fraction in zip(image.names, image.volume_fractions, strict=True):
        for bins in (20, np.linspace(0.0, 100.0, 7)):
            volume, edges = fields.histogram(name, fields.equivalent_stress, bins)
            assert volume.sum() == pytest.approx(fraction, rel=1e-12)
            assert edges.size == volume.size + 1
    with pytest.raises(ValueError, match="no phase is 'void'; the phases are matrix, inclusion"):
        fields.histogram("void", fields.equivalent_stress)
    with pytest.raises(ValueError, match="inclusion has no such value"):
        fields.histogram("inclusion", fields.internal["equivalent_plastic_strain"])


def test_equivalent_stress_and_averages_over_voxels():
    """Uniaxial tension 3, pure shear 2, pressure; one voxel is cut, one is elastic."""
    stress = np.array([[3.0, 0, 0, 0], [0, 0, 0, 2.0 * np.sqrt(2)], [5.0, 5, 5, 0]])
    fields = LocalFields(
        (1, 2),
        ("matrix", "inclusion"),
        np.array([0, 0, 1]),
        np.array([0, 1, 1]),
        np.array([0.125, 0.375, 0.5]),
        np.zeros((3, 4)),
        stress,
        {"damage": np.array([0.5, np.nan, np.nan])},
    )
    np.testing.assert_allclose(fields.equivalent_stress, [3.0, 2.0 * np.sqrt(3), 0], atol=1e-14)
    np.testing.assert_allclose(fields.on_voxels(stress)[0, 0], 0.25 * stress[0] + 0.75 * stress[1])
    np.testing.assert_array_equal(fields.on_voxels(fields.internal["damage"]), [[0.5, np.nan]])


def test_saved_fields_are_tensor_components_on_voxels(strained, tmp_path):
    fields, image = strained
    fields.save(tmp_path / "fields.npz")
    fields.save(tmp_path / "fields.vti")
    with np.load(tmp_path / "fields.npz") as stored:
        arrays = dict(stored)
    grid = pyvista.read(tmp_path / "fields.vti")
    assert set(grid.cell_data) == set(arrays)
    for name, values in arrays.items():
        on_grid = np.asarray(grid.cell_data[name]).reshape(image.shape, order="F")
        np.testing.assert_array_equal(on_grid, values)
    np.testing.assert_array_equal(arrays["phase"], image.phases)
    shear = fields.on_voxels(fields.strain)[..., 3] / np.sqrt(2)
    np.testing.assert_array_equal(arrays["strain_12"], shear)
    assert arrays["strain_12"].mean() == pytest.approx(LOAD[3] / np.sqrt(2))
    inside = image.share("matrix") == 0.0
    np.testing.assert_array_equal(np.isnan(arrays["equivalent_plastic_strain"]), inside)
    with pytest.raises(ValueError, match=r"fields.csv: local fields go to .npz or .vti"):
        fields.save(tmp_path / "fields.csv")


def test_an_absent_phase_has_no_fields():
    image = PhaseImage(np.zeros((4, 4), dtype=np.uint8), ("bulk", "absent"))
    ((_, fields, _),) = follow(UnitCellLaw(image, {"bulk": STIFF, "absent": J2}), LOAD[None, :4])
    assert fields.internal == {}
    np.testing.assert_allclose(fields.strain, np.tile(LOAD[:4], (16, 1)))
