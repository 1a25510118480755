import meshio
import numpy as np
import pytest

from dmn_fem.database import Database, Descriptor
from dmn_fem.network import Network

LENGTH, RADIUS, SPEED, DENSITY = 50.0, 5.0, 20e3, 1.6e-9
YOUNG_MODULUS = 6000.0


@pytest.fixture
def database(tmp_path):
    network = Network.random(3, ("matrix", "inclusion"), [0.7, 0.3], 4, np.random.default_rng(2))
    path = tmp_path / "small.safetensors"
    Database([network], [Descriptor("volume_fraction")], [[0.3]]).save(path)
    return path


@pytest.fixture
def fly(solve, database):
    def run(output, *arguments, ranks=1):
        same = ["--database", database, "--cells", 2, "--frames", 2, "--speed", 1e-3 * SPEED]
        status, _, said = solve("taylor_bar", output, *same, *arguments, ranks=ranks)
        assert status == 0, said
        return np.loadtxt(output / "history.csv", delimiter=",", skiprows=1)

    return run


def test_an_elastic_rod_leaves_the_wall_after_the_wave_has_gone_there_and_back(tmp_path, fly):
    elastic = f"young_modulus = {YOUNG_MODULUS}\npoisson_ratio = 0.0\n"
    phases = tmp_path / "phases.toml"
    phases.write_text(
        f'[matrix]\nlaw = "j2_plasticity"\nyield_stress = 1e9\n{elastic}'
        f'[inclusion]\nlaw = "linear_elastic"\n{elastic}'
    )
    rows = fly(tmp_path / "out", "--phases", phases, "--duration", 70)
    time, force, kinetic, work, lost = rows.T
    wave = np.sqrt(YOUNG_MODULUS / DENSITY)
    there_and_back = 2 * LENGTH / wave
    plateau = force[(time > 0.2 * there_and_back) & (time < 0.8 * there_and_back)].mean()
    assert plateau == pytest.approx(np.pi * RADIUS**2 * DENSITY * wave * SPEED, rel=0.01)
    assert time[np.flatnonzero(force > 0.0)[-1]] == pytest.approx(there_and_back, rel=0.05)
    mass = np.pi * RADIUS**2 * LENGTH * DENSITY
    assert kinetic[0] == pytest.approx(0.5 * mass * SPEED**2, rel=1e-12)
    np.testing.assert_allclose(kinetic + work + lost, kinetic[0], rtol=1e-12)
    assert kinetic[-1] > 0.9 * kinetic[0]
    # Of the impulse the rod gets back upwards all but what the waves in it keep.
    impulse = (force * time[1]).sum()
    assert impulse == pytest.approx(2 * mass * SPEED, rel=0.05)


def test_two_ranks_fly_as_one_does_and_the_end_at_the_wall_yields(tmp_path, fly):
    one, two = (
        fly(tmp_path / str(ranks), "--duration", 12, "--speed", 40, ranks=ranks) for ranks in (1, 2)
    )
    np.testing.assert_allclose(two, one, rtol=1e-9, atol=1e-9 * np.abs(one).max())
    assert (tmp_path / "2" / "plastic_strain.png").exists()
    frames = [meshio.read(each) for each in sorted((tmp_path / "1").glob("taylor_bar_*.vtu"))]
    first, *_, last = (
        each.cell_data["matrix.equivalent_plastic_strain"][0].ravel() for each in frames
    )
    assert not first.any()
    # The lower end, where the wave has been, has yielded; the upper one has not.
    height = frames[0].points[frames[0].cells[0].data, 1].mean(axis=1)
    assert last[height < 5.0].min() > 1e-5
    assert not last[height > 45.0].any()
