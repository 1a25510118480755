import numpy as np
import pytest
import pyvista
from fem_models import GRADIENT, distorted, model, network_law, plastic_law, tension
from PIL import Image

from dmn_fem.fem import (
    History,
    MaterialField,
    ResultFile,
    Stepper,
    mandel_strain,
    reaction_force,
)
from dmn_fem.laws import PlaneStrain
from dmn_fem.plotting import plot_results

# isort: split
from dolfinx import fem

PHASES = (("matrix", 0.7), ("inclusion", 0.3))  # of `network_law`


def test_files_open_elsewhere_with_the_right_values(tmp_path):
    problem, material, load = model(plastic_law(2), distorted(2))
    quantities = ("stress", "matrix.equivalent_plastic_strain")
    file = ResultFile(tmp_path / "run.pvd", problem.u, material, quantities, points=True)
    for step in Stepper(problem, [material], load).run([0.0, 0.5, 1.0]):
        file.write(step.time)
    reader = pyvista.PVDReader(tmp_path / "run.pvd")
    assert reader.time_values == [0.5, 1.0]
    reader.set_active_time_value(1.0)
    grid = reader.read()[0]
    expected = grid.points[:, :2] @ GRADIENT[:2, :2].T
    np.testing.assert_allclose(grid["displacement"][:, :2], expected, atol=1e-15)
    stress = material.cell_average("stress").x.array.reshape(-1, 9)
    np.testing.assert_allclose(grid.cell_data["stress"], stress, atol=1e-12)
    plastic = grid.cell_data["matrix.equivalent_plastic_strain"]
    np.testing.assert_allclose(plastic, plastic[0], rtol=1e-9)
    assert plastic[0] > 0

    cloud = pyvista.PVDReader(tmp_path / "run_points.pvd")
    cloud.set_active_time_value(1.0)
    points = cloud.read()[0]
    positions = material.positions(material.cells).reshape(-1, 2)
    np.testing.assert_allclose(points.points[:, :2], positions, atol=1e-15)
    np.testing.assert_allclose(points["stress"], stress[[0] * len(positions)], atol=1e-9)
    np.testing.assert_allclose(points["matrix.equivalent_plastic_strain.max"], plastic[0])


def test_points_of_a_field_with_axes_of_its_own_are_along_the_global_ones(tmp_path):
    domain = distorted(2)
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (2,))))
    owned = domain.topology.index_map(2).size_local
    frame = np.tile([0.6, 0.8], (owned, 1))
    material = MaterialField(network_law(2), mandel_strain(u), frame=frame)
    u.interpolate(lambda x: GRADIENT[:2, :2] @ x[:2])
    material.accept()
    ResultFile(tmp_path / "run.pvd", u, material, points=True).write(1.0)
    cloud = pyvista.PVDReader(tmp_path / "run_points.pvd").read()[0]
    strain = (GRADIENT[:2, :2] + GRADIENT[:2, :2].T) / 2
    # Strains of the phases add up to the strain along the same axes as the body's.
    parts = [share * cloud[f"{phase}.strain"] for phase, share in PHASES]
    mean = sum(parts).reshape(-1, 3, 3)[:, :2, :2]
    np.testing.assert_allclose(mean, np.broadcast_to(strain, mean.shape), atol=1e-15)
    for name in ("matrix.plastic_strain", "stress"):
        average = material.cell_average(name).x.array.reshape(-1, 9)
        points = cloud[name].reshape(owned, -1, 9)
        np.testing.assert_allclose(points, np.broadcast_to(average[:, None], points.shape))
    assert np.abs(cloud["matrix.plastic_strain"]).max() > 1e-4


def test_results_and_histories_go_on_after_a_restart(tmp_path):
    problem, material, load, dofs = tension(plastic_law(2), distorted(2, 2))
    stepper = Stepper(problem, [material], load)

    def outputs(**resume):
        force = {"force": lambda: reaction_force(problem, dofs)}
        return (
            ResultFile(tmp_path / "run.pvd", problem.u, material, **resume),
            History(tmp_path / "history.csv", [material], force, **resume),
        )

    results, history = outputs()
    for step in stepper.run([0.0, 0.25, 0.5, 0.75]):
        results.write(step.time)
        history.write(step)
    whole = (tmp_path / "history.csv").read_text()
    (tmp_path / "history.csv").write_text(whole + "0.8,0.0")  # killed in the middle of a row
    results, history = outputs(resume=0.5)
    assert pyvista.PVDReader(tmp_path / "run.pvd").time_values == [0.25, 0.5, 0.75]
    results.write(0.6)
    history.write(step)
    assert (tmp_path / "history.csv").read_text() == whole
    reader = pyvista.PVDReader(tmp_path / "run.pvd")
    assert reader.time_values == [0.25, 0.5, 0.6]
    rows = np.loadtxt(tmp_path / "history.csv", delimiter=",", skiprows=1)
    assert whole.splitlines()[0] == "time,dt,iterations,cutbacks,internal_work,force"
    np.testing.assert_array_equal(rows[:, 0], [0.25, 0.5, 0.75])
    assert rows[-1, 4] == material.internal_work
    assert rows[-1, 5] == reaction_force(problem, dofs)


def test_a_foreign_file_is_not_gone_on_with(tmp_path):
    problem, material, _, _ = tension(plastic_law(2), distorted(2, 1))
    for name in ("run.pvd", "history.csv"):
        (tmp_path / name).write_text("something else\n")
    with pytest.raises(ValueError, match=r"run.pvd: is no collection of results"):
        ResultFile(tmp_path / "run.pvd", problem.u, material, resume=0.5)
    with pytest.raises(ValueError, match=r"history.csv: has not the columns time, dt"):
        History(tmp_path / "history.csv", [material], {}, resume=0.5)
    elsewhere = tension(plastic_law(2), distorted(2, 1))[1]
    with pytest.raises(ValueError, match=r"other.pvd: the field is on another mesh"):
        ResultFile(tmp_path / "other.pvd", problem.u, elsewhere)


def test_results_as_picture_and_animation(tmp_path):
    problem, material, load, _ = tension(plastic_law(2), distorted(2, 2))
    file = ResultFile(tmp_path / "run.pvd", problem.u, material)
    for step in Stepper(problem, [material], load).run([0.0, 1.0, 2.0]):
        file.write(step.time)
    for name in ("run.gif", "run.png"):
        plot_results(tmp_path / "run.pvd", tmp_path / name, "stress", magnification=50)
    with Image.open(tmp_path / "run.gif") as animation:
        assert animation.n_frames == 2
        frames = []
        for number in range(2):
            animation.seek(number)
            frames.append(np.asarray(animation.convert("RGB"), dtype=float))
    with Image.open(tmp_path / "run.png") as picture:
        last = np.asarray(picture.convert("RGB"), dtype=float)
    # The body moves under a still camera, and is a good part of the picture.
    assert np.abs(frames[1] - frames[0]).mean() > 5
    assert (last < 200).any(axis=2).mean() > 0.1
    with pytest.raises(ValueError, match="no cell value 'strain'; there are stress"):
        plot_results(tmp_path / "run.pvd", tmp_path / "run.png", "strain")
    with pytest.raises(ValueError, match=r"run.mp4: pictures of results go to .png or .gif"):
        plot_results(tmp_path / "run.pvd", tmp_path / "run.mp4", "stress")


class Parted(PlaneStrain):
    """A law in space within the plane with a back stress of two parts."""

    def averages(self, state):
        known = super().averages(state)
        plastic = known["matrix.plastic_strain"]
        return known | {"matrix.back_stress": np.stack([plastic, -2 * plastic], axis=1)}

    def maxima(self, state):
        norms = np.linalg.norm(self.averages(state)["matrix.back_stress"], axis=-1)
        return super().maxima(state) | {"matrix.back_stress": norms}


def test_parts_of_six_components_are_quantities_of_their_own_along_the_global_axes(tmp_path):
    domain = distorted(2)
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (2,))))
    frame = np.tile([0.6, 0.8], (domain.topology.index_map(2).size_local, 1))
    material = MaterialField(Parted(network_law(3)), mandel_strain(u), frame=frame)
    u.interpolate(lambda x: GRADIENT[:2, :2] @ x[:2])
    material.accept()
    names = ["matrix.plastic_strain", "matrix.back_stress.1", "matrix.back_stress.2"]
    ResultFile(tmp_path / "run.pvd", u, material, names, points=True).write(1.0)
    grid = pyvista.PVDReader(tmp_path / "run.pvd").read()[0]
    cloud = pyvista.PVDReader(tmp_path / "run_points.pvd").read()[0]
    plastic = grid.cell_data[names[0]]
    assert np.linalg.norm(plastic, axis=1).min() > 1e-4
    for name, factor in zip(names, (1, 1, -2), strict=True):
        np.testing.assert_allclose(grid.cell_data[name], factor * plastic, atol=1e-15)
        points = cloud[name].reshape(len(plastic), -1, 9)
        expected = np.broadcast_to(grid.cell_data[name][:, None], points.shape)
        np.testing.assert_allclose(points, expected, atol=1e-12)
        if name != names[0]:
            norms = np.linalg.norm(points.reshape(-1, 9), axis=1)
            np.testing.assert_allclose(cloud[f"{name}.max"], norms)
    assert "matrix.back_stress" not in cloud.point_data
