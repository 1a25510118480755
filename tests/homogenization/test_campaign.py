"""Campaigns under accidents: whatever happens, the same bits are there in the end."""

import itertools
import os
import random
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest

from dmn_fem.homogenization import (
    CampaignError,
    DataRecipe,
    EffectiveStiffness,
    TrainingSet,
    Workers,
    homogenize,
    sample_family,
    start_processes,
)
from dmn_fem.microstructure import Cell, PhaseImage

RECIPE = """
name = "tiny"
dimension = 2
phases = ["binder", "grain"]
descriptors = { volume_fraction = [0.2, 0.3] }

[microstructure]
generator = "discs"
count = 4
seed = 0
gap = 0.15
grid = 24

[samples]
count = 16
seed = 0
tolerance = 1e-3

[error_budget]
samples = 2
realisations = 2
"""
RESULTS = 2 * (16 + 2 * (1 + 1 + 2))
"""Results of the whole campaign: samples, then tolerance, coarse grid and realisations."""
HOMOGENIZE = "dmn_fem.homogenization._plan.homogenize"
COMMAND = [sys.executable, "-c", "from dmn_fem.cli import main; main()", "sample"]
ENVIRONMENT = os.environ | {"UCX_TLS": "self,sm,tcp", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE)
    return path


def make(recipe: Path, directory: Path, workers: Workers | None = None) -> list[int]:
    """Run the campaign here; gives how many results there were at each report."""
    reports: list[int] = []

    def report(_: str, done: int, count: int) -> None:
        assert count == RESULTS
        reports.append(done)

    with start_processes() as here:
        sample_family(DataRecipe.load(recipe), directory, workers or here, report)
    return reports


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture(scope="module")
def expected(recipe: Path, tmp_path_factory) -> dict[str, bytes]:
    """The files of a campaign that nothing happened to."""
    directory = tmp_path_factory.mktemp("undisturbed")
    assert make(recipe, directory) == list(range(RESULTS + 1))
    found = files(directory)
    assert set(found) == {"image_0.2.npz", "image_0.3.npz", "samples_0.2.h5", "samples_0.3.h5"}
    return found


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def descendants(process: int) -> list[int]:
    """Processes below one."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [each for child in children for each in (int(child), *descendants(int(child)))]


def bytes_there(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("*.journal"))


def test_what_the_sets_hold(expected, tmp_path: Path) -> None:
    (tmp_path / "set.h5").write_bytes(expected["samples_0.3.h5"])
    found = TrainingSet.load(tmp_path / "set.h5")
    assert (found.phases, found.image.matrix) == (("binder", "grain"), "binder")
    assert found.descriptors == {"volume_fraction": 0.3}
    assert found.volume_fractions[1] == pytest.approx(0.3)
    assert found.recipe["microstructure"]["generator"] == "discs"
    budget = found.error_budget
    assert budget is not None
    assert set(budget.variants) == {"tolerance", "coarse", "realisation_1", "realisation_2"}
    assert budget.realisations is not None
    assert budget.realisations.count == 3
    assert 0 < budget.tolerance.maximum < 1e-3


def test_second_run_computes_nothing(recipe, expected, tmp_path: Path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a finished campaign computes")

    for name, content in expected.items():
        (tmp_path / name).write_bytes(content)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    monkeypatch.setattr(HOMOGENIZE, fail)
    assert make(recipe, tmp_path) == [RESULTS]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_killed_at_random_moments(recipe, expected, tmp_path: Path) -> None:
    """By a signal that no program can catch, with workers, which go with it."""
    seed = time.time_ns()
    print(f"seed {seed}")  # shown if it fails
    directory, rng = tmp_path / "work", random.Random(seed)
    directory.mkdir()
    for processes in (2, 1):
        command = [*COMMAND, recipe, "--directory", directory, "--processes", str(processes)]
        more = bytes_there(directory) + rng.randrange(1, 3000)
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as campaign:
            while bytes_there(directory) < more and campaign.poll() is None:
                time.sleep(0.005)
            below = descendants(campaign.pid)
            campaign.send_signal(signal.SIGKILL)
        patience = time.monotonic() + 60
        while any(is_running(each) for each in below):
            assert time.monotonic() < patience, "workers outlive a killed campaign"
            time.sleep(0.01)
        for path in directory.glob("*.h5"):
            assert path.read_bytes() == expected[path.name]
    make(recipe, directory)
    assert files(directory).items() >= expected.items()
    assert not list(directory.glob("*.journal"))


def test_killed_worker_ends_the_campaign_and_loses_nothing(recipe, expected, tmp_path) -> None:
    def report(_: str, done: int, __: int) -> None:
        if done == 3:
            victim = active_children()[0].pid
            assert victim is not None
            os.kill(victim, signal.SIGKILL)

    with start_processes(2) as workers, pytest.raises(CampaignError) as caught:
        sample_family(DataRecipe.load(recipe), tmp_path, workers, report)
    kept = int(str(caught.value).rpartition(" results of")[0].rpartition(" ")[2])
    assert "a worker ended abruptly" in str(caught.value)
    assert kept >= 3
    assert make(recipe, tmp_path)[0] == kept
    assert files(tmp_path) == expected


@pytest.mark.parametrize("cut", [1, 50, 500])
def test_truncated_journal(recipe, expected, tmp_path: Path, cut: int, monkeypatch) -> None:
    stop_at(12, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        make(recipe, tmp_path)
    monkeypatch.undo()
    journal = tmp_path / "samples_0.2.h5.journal"
    os.truncate(journal, journal.stat().st_size - cut)
    assert 0 < make(recipe, tmp_path)[0] < 12
    assert files(tmp_path) == expected


def stop_at(call: int, monkeypatch, error: type[BaseException] = KeyboardInterrupt) -> list[int]:
    """Let a call of the solver fail; gives the list of calls."""
    numbers, calls = itertools.count(), []

    def fail(*arguments) -> EffectiveStiffness:
        number = next(numbers)
        calls.append(number)
        if number == call:
            raise error("the full field did not converge")
        return homogenize(*arguments)

    monkeypatch.setattr(HOMOGENIZE, fail)
    return calls


@pytest.mark.parametrize(("call", "where"), [(5, ""), (20, r" \(\w+ of the error budget\)")])
def test_failing_sample_is_named_and_loses_nothing(
    recipe, expected, tmp_path: Path, monkeypatch, call: int, where: str
) -> None:
    calls = stop_at(call, monkeypatch, ValueError)
    message = rf"samples_0\.2\.h5: sample \d+{where}: the full field did not converge"
    with ThreadPoolExecutor(3) as executor, pytest.raises(CampaignError, match=message) as caught:
        make(recipe, tmp_path, Workers(executor, 6))
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert make(recipe, tmp_path)[0] == len(calls) - 1
    assert files(tmp_path) == expected


def test_microstructure_that_cannot_be_made_loses_nothing(recipe, expected, tmp_path) -> None:
    class Impossible(DataRecipe):
        def image(self, cell: Cell) -> PhaseImage:
            if cell.model_dump()["seed"] == 2:
                raise ValueError("they do not fit")
            return super().image(cell)

    with (
        start_processes() as workers,
        pytest.raises(CampaignError, match=r"0\.2\.h5: realisation_2 of the error budget: they"),
    ):
        sample_family(Impossible.load(recipe), tmp_path, workers)
    assert make(recipe, tmp_path)[0] == 16 + 2 * 3
    assert files(tmp_path) == expected


def test_full_disk(recipe, expected, tmp_path: Path) -> None:
    """A limit on the size of files stands for it: a write takes a part, then fails."""
    directory = tmp_path / "work"
    done = subprocess.run(
        [*COMMAND, recipe, "--directory", directory],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
        check=False,
    )
    assert done.returncode == 1
    assert f"{directory}/samples_0.2.h5.journal: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert make(recipe, directory)[0] > 0
    assert files(directory) == expected


def test_two_campaigns_at_once(recipe, expected, tmp_path: Path) -> None:
    """The second is refused while the first one runs, and the first is not disturbed."""
    plan = DataRecipe.load(recipe)

    def second(_: str, done: int, __: int) -> None:
        if done == 3:
            with start_processes() as here, pytest.raises(ValueError, match="that is running"):
                sample_family(plan, tmp_path, here)

    with start_processes() as workers:
        sample_family(plan, tmp_path, workers, second)
    assert files(tmp_path) == expected


def test_wrong_recipe_and_damaged_set_stop_before_anything_is_computed(
    recipe, expected, tmp_path: Path
) -> None:
    (tmp_path / "samples_0.3.h5").write_bytes(expected["samples_0.3.h5"])
    other = tmp_path / "other.toml"
    other.write_text(RECIPE.replace("gap = 0.15", "gap = 0.2"))
    with pytest.raises(ValueError, match=r"samples_0\.3\.h5 belongs to another recipe"):
        make(other, tmp_path)
    damaged = bytearray(expected["samples_0.3.h5"])
    damaged[5000] ^= 4
    (tmp_path / "samples_0.3.h5").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"samples_0\.3\.h5 is damaged"):
        make(recipe, tmp_path)
    assert files(tmp_path).keys() == {"other.toml", "samples_0.3.h5"}
    assert (tmp_path / "samples_0.3.h5").read_bytes() == damaged
    (tmp_path / "samples_0.3.h5").unlink()
    other.unlink()
    assert make(recipe, tmp_path)[0] == 0
    assert files(tmp_path) == expected


def test_leftover_journal_of_a_finished_set_goes(recipe, expected, tmp_path, monkeypatch) -> None:
    """A kill between the writing of the set and the removal of its journal."""
    monkeypatch.setattr("dmn_fem.homogenization._journal.Journal.remove", lambda _: None)
    make(recipe, tmp_path)
    assert len(list(tmp_path.glob("*.journal"))) == 2
    monkeypatch.undo()
    assert make(recipe, tmp_path) == [RESULTS]
    assert files(tmp_path) == expected


def test_family_grows(recipe, expected, tmp_path: Path) -> None:
    directory, larger = tmp_path / "work", tmp_path / "larger.toml"
    directory.mkdir()
    for name, content in expected.items():
        (directory / name).write_bytes(content)
    larger.write_text(
        RECIPE.replace("count = 16", "count = 20").replace("realisations = 2", "realisations = 3")
    )
    counts: list[tuple[int, int]] = []
    with start_processes() as workers:
        plan = DataRecipe.load(larger)
        sample_family(plan, directory, workers, lambda _, *count: counts.append(count))
        sample_family(plan, tmp_path / "at_once", workers)
    assert counts[0] == (RESULTS, RESULTS + 2 * (4 + 2))
    assert len(counts) == 1 + 2 * (4 + 2)
    assert files(directory) == files(tmp_path / "at_once")


def mpiexec(ranks: int, program: list[str], *arguments: object) -> subprocess.Popen[str]:
    launcher = Path(sys.executable).with_name("mpiexec")
    command = [launcher, "-n", ranks, *program, *arguments, "--mpi"]
    return subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def test_ranks_give_the_same_bits(recipe, expected, tmp_path: Path) -> None:
    with mpiexec(3, COMMAND, recipe, "--directory", tmp_path) as campaign:
        said, errors = campaign.communicate(timeout=100)
    assert (campaign.returncode, "Traceback" in errors) == (0, False), errors
    assert said.count("wrote 32 samples") == 1
    assert files(tmp_path) == expected


FAILING = """
import numpy as np
import dmn_fem.homogenization._plan as plan
from dmn_fem.cli import main
from dmn_fem.homogenization import draw_phase_stiffness, homogenize

def fail(image, stiffness, tolerance):
    if np.array_equal(stiffness, draw_phase_stiffness(2, 2, 16, 0)[9]):
        raise ValueError("the full field did not converge")
    return homogenize(image, stiffness, tolerance)

plan.homogenize = fail
main()
"""


def test_failing_sample_ends_all_ranks_with_one_line(recipe, expected, tmp_path: Path) -> None:
    script, directory = tmp_path / "failing.py", tmp_path / "work"
    script.write_text(FAILING)
    program = [sys.executable, script, "sample"]
    with mpiexec(2, program, recipe, "--directory", directory) as campaign:
        _, errors = campaign.communicate(timeout=100)
    assert campaign.returncode == 1
    assert errors.count("dmn-fem: ") == 1
    assert "samples_0.2.h5: sample 9: the full field did not converge" in errors
    assert "Traceback" not in errors
    assert make(recipe, directory)[0] >= 9
    assert files(directory) == expected


SLOW = """
import time
import dmn_fem.homogenization._plan as plan
from dmn_fem.cli import main
from dmn_fem.homogenization import homogenize

def slow(*arguments):
    time.sleep(0.1)
    return homogenize(*arguments)

plan.homogenize = slow
main()
"""


def test_killed_rank_ends_the_others(recipe, expected, tmp_path: Path) -> None:
    script, directory = tmp_path / "slow.py", tmp_path / "work"
    script.write_text(SLOW)
    program = [sys.executable, script, "sample"]
    with mpiexec(3, program, recipe, "--directory", directory) as campaign:
        while bytes_there(directory) < 1200:
            assert campaign.poll() is None
            time.sleep(0.005)
        ranks = [each for each in descendants(campaign.pid) if not descendants(each)]
        os.kill(ranks[-1], signal.SIGKILL)
        campaign.communicate(timeout=60)
    assert campaign.returncode != 0
    assert not any(is_running(each) for each in ranks)
    assert make(recipe, directory)[0] > 0
    assert files(directory).items() >= expected.items()


def test_results_do_not_depend_on_the_order(recipe, expected, tmp_path: Path) -> None:
    """Threads that finish in random order stand for processes and ranks."""
    rng = np.random.default_rng()

    class Shuffled(ThreadPoolExecutor):
        def submit(self, function, /, *arguments):
            def late() -> EffectiveStiffness:
                time.sleep(0.01 * rng.random())
                return function(*arguments)

            return super().submit(late)

    with Shuffled(4) as executor:
        make(recipe, tmp_path, Workers(executor, 8))
    assert files(tmp_path) == expected
