"""Campaigns: what they make, and that nothing is lost when they are killed."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from dmn_fem.homogenization import TrainingSet, draw_phase_stiffness, homogenize, sample
from dmn_fem.microstructure import PhaseImage, discs, laminate

COUNT, SEED = 60, 3
CAMPAIGN = textwrap.dedent(
    """
    import sys
    import time

    from dmn_fem.homogenization import sample
    from dmn_fem.microstructure import discs

    path, processes, stop = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


    def wait_for_the_end(done: int, count: int) -> None:
        print(done, flush=True)
        if done == stop:
            time.sleep(600)


    if __name__ == "__main__":
        image = discs(0.4, 5, 0).image(48)
        sample(image, path, 60, 3, processes=processes, progress=wait_for_the_end)
    """
)


@pytest.fixture(scope="module")
def image() -> PhaseImage:
    return discs(0.4, 5, 0).image(48)


@pytest.fixture(scope="module")
def uninterrupted(image: PhaseImage, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("campaign") / "samples.h5"
    sample(image, path, COUNT, SEED)
    return path


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def run_until_killed(script: Path, path: Path, processes: int, done: int) -> None:
    """Start a campaign, kill it outright after so many samples, and see its workers go."""
    command = [sys.executable, str(script), str(path), str(processes), str(done)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as campaign:
        assert campaign.stdout is not None
        for line in campaign.stdout:
            if int(line) == done:
                break
        children = Path(f"/proc/{campaign.pid}/task/{campaign.pid}/children").read_text().split()
        campaign.send_signal(signal.SIGKILL)
    assert campaign.returncode == -signal.SIGKILL
    assert len(children) >= (processes if processes > 1 else 0)
    patience = time.monotonic() + 60
    while any(is_running(int(child)) for child in children):
        assert time.monotonic() < patience, "workers outlive a killed campaign"
        time.sleep(0.05)


def test_samples_are_those_of_the_law_and_the_full_field(image, uninterrupted: Path) -> None:
    training_set = TrainingSet.load(uninterrupted)
    expected = draw_phase_stiffness(2, 2, COUNT, SEED)
    np.testing.assert_array_equal(training_set.phase_stiffness, expected)
    np.testing.assert_array_equal(training_set.image.phases, image.phases)
    for number in (0, COUNT - 1):
        found = homogenize(image, expected[number])
        np.testing.assert_array_equal(training_set.stiffness[number], found.stiffness)
        np.testing.assert_array_equal(training_set.iterations[number], found.iterations)
    assert training_set.residual.max() <= 1e-4
    assert training_set.descriptors == {"volume_fraction": image.volume_fractions[1]}
    assert [path.name for path in uninterrupted.parent.iterdir()] == ["samples.h5"]


def test_killed_campaign_goes_on_to_the_same_bits(image, uninterrupted: Path, tmp_path) -> None:
    script, path = tmp_path / "campaign.py", tmp_path / "samples.h5"
    script.write_text(CAMPAIGN)
    run_until_killed(script, path, 2, 5)
    assert not path.exists()
    run_until_killed(script, path, 1, 12)
    journal = tmp_path / "samples.h5.journal"
    with journal.open("ab") as file:
        file.write(b"half a record")
    reports: list[int] = []
    sample(image, path, COUNT, SEED, progress=lambda done, count: reports.append(done))
    assert reports == list(range(12, COUNT + 1))
    assert path.read_bytes() == uninterrupted.read_bytes()
    assert not journal.exists()


def test_finished_campaign_computes_nothing(image, uninterrupted: Path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a finished campaign computes")

    monkeypatch.setattr("dmn_fem.homogenization._sampling.homogenize", fail)
    before = uninterrupted.read_bytes()
    reports: list[tuple[int, int]] = []
    training_set = sample(
        image, uninterrupted, COUNT, SEED, progress=lambda *report: reports.append(report)
    )
    assert reports == [(COUNT, COUNT)]
    assert len(training_set.stiffness) == COUNT
    assert uninterrupted.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 4}, "seed is 3 there, 4 here"),
        ({"count": 61}, "count is 60 there, 61 here"),
        ({"tolerance": 1e-3}, "tolerance is 0.0001 there, 0.001 here"),
        ({"descriptors": {"volume_fraction": 0.4}}, "descriptors is"),
        ({"image": discs(0.4, 5, 1).image(48)}, "phase_image is"),
    ],
)
def test_file_of_another_recipe_is_left_alone(image, uninterrupted, change, message) -> None:
    before = uninterrupted.read_bytes()
    arguments = {"image": image, "path": uninterrupted, "count": COUNT, "seed": SEED} | change
    with pytest.raises(ValueError, match=f"belongs to another recipe .{message}") as caught:
        sample(**arguments)
    assert "\n" not in str(caught.value)
    assert uninterrupted.read_bytes() == before


def test_damaged_file_is_left_alone(image, uninterrupted: Path, tmp_path) -> None:
    path = tmp_path / "samples.h5"
    path.write_bytes(uninterrupted.read_bytes()[:1000])
    with pytest.raises(ValueError, match="truncated or no HDF5 file"):
        sample(image, path, COUNT, SEED)
    assert path.stat().st_size == 1000


def test_three_phases_in_3d(tmp_path) -> None:
    training_set = sample(laminate(3, 4, [0.25, 0.25, 0.5]), tmp_path / "layers.h5", 2, 0)
    assert training_set.phase_stiffness.shape == (2, 3, 6, 6)
    assert training_set.stiffness.shape == (2, 6, 6)


def test_no_processes_are_refused(image, tmp_path) -> None:
    with pytest.raises(ValueError, match="processes is 0"):
        sample(image, tmp_path / "samples.h5", 2, 0, processes=0)
    assert not list(tmp_path.iterdir())


def test_room_imports_neither_torch_nor_dolfinx() -> None:
    code = (
        "import sys; import dmn_fem.homogenization;"
        "sys.exit(bool({'torch', 'dolfinx', 'petsc4py', 'h5py'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
