"""Fitting: it learns, and goes on after a kill to the same bits."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dmn_fem.network import Network
from dmn_fem.training import (
    CheckpointError,
    CheckpointWarning,
    Fit,
    Progress,
    Samples,
    Settings,
    evaluate,
    fit,
)

OPTIMIZERS = {
    "lbfgs": Settings(optimizer="lbfgs", iterations=80),
    "adam": Settings(optimizer="adam", epochs=4, batch=7),
    "adam+lbfgs": Settings(optimizer="adam+lbfgs", epochs=2, iterations=40),
}


class Killed(Exception):
    pass


def kill_after(reports: int) -> Callable[[Progress], None]:
    seen: list[Progress] = []

    def progress(report: Progress) -> None:
        seen.append(report)
        if len(seen) == reports:
            raise Killed

    return progress


def assert_equal_bits(ours: Fit, theirs: Fit) -> None:
    np.testing.assert_array_equal(ours.network.leaf_activation, theirs.network.leaf_activation)
    np.testing.assert_array_equal(ours.network.normal_angles, theirs.network.normal_angles)
    np.testing.assert_array_equal(ours.network.leaf_orientation, theirs.network.leaf_orientation)
    assert (ours.training, ours.held_out) == (theirs.training, theirs.held_out)
    assert ours.history == theirs.history


@pytest.fixture
def problem(
    random_network: Callable[..., Network], sampled: Callable[..., Samples]
) -> tuple[Network, Samples, Samples]:
    """A start, and samples of another network."""
    return random_network(8, seed=1), *sampled(random_network(16), 40).split(10)


ONE_THREAD = """
import numba, torch
from dmn_fem.training._fit import one_thread
with one_thread():
    numba.get_num_threads()
    inside = torch.get_num_threads()
print(inside, torch.get_num_threads())
"""


def test_runs_on_one_thread_of_pytorch() -> None:
    """Numba's threads, when they start, set those of PyTorch: they must have started before."""
    run = subprocess.run(
        [sys.executable, "-c", ONE_THREAD],
        env=os.environ | {"NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["1", "2"]


@pytest.mark.parametrize("dimension", [2, 3])
def test_learns_a_laminate_exactly(
    dimension: int, random_network: Callable[..., Network], sampled: Callable[..., Samples]
) -> None:
    laminate = random_network(2, 0.37, seed=5, dimension=dimension)
    training, held_out = sampled(laminate, 30).split(10)
    start = random_network(2, 0.5, seed=6, dimension=dimension)
    result = fit(start, training, held_out, Settings(iterations=100))
    assert result.held_out.stiffness.maximum < 1e-6
    normal, expected = result.network.normals[0], laminate.normals[0]
    assert abs(normal @ expected) == pytest.approx(1.0, abs=1e-8)
    np.testing.assert_array_equal(result.network.phase_fraction, laminate.phase_fraction)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_learns(name: str, problem: tuple[Network, Samples, Samples]) -> None:
    result = fit(*problem, OPTIMIZERS[name])
    first = fit(*problem, Settings(optimizer="adam", epochs=1, rate=1e-9))
    assert result.held_out.stiffness.mean < 0.8 * first.held_out.stiffness.mean
    assert result.history[-1].training_error == pytest.approx(result.training.stiffness.mean)
    assert result.history[-1].held_out_error == pytest.approx(result.held_out.stiffness.mean)


def test_learns_a_network_to_a_fraction_of_a_percent(
    random_network: Callable[..., Network], sampled: Callable[..., Samples]
) -> None:
    training, held_out = sampled(random_network(4), 60).split(20)
    result = fit(random_network(16, seed=3), training, held_out, Settings(iterations=300))
    assert result.held_out.stiffness.mean < 5e-3
    assert result.training.stiffness.mean <= result.history[0].training_error


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("reports", [1, 3])
def test_killed_training_ends_at_the_same_bits(
    tmp_path: Path, name: str, reports: int, problem: tuple[Network, Samples, Samples]
) -> None:
    settings = OPTIMIZERS[name]
    whole = fit(*problem, settings)
    file = tmp_path / "run.checkpoint"
    with pytest.raises(Killed):
        fit(*problem, settings, checkpoint=file, progress=kill_after(reports))
    assert_equal_bits(fit(*problem, settings, checkpoint=file), whole)
    assert_equal_bits(
        fit(*problem, settings, checkpoint=file, progress=kill_after(1)), whole
    )  # finished: no step is made


@pytest.mark.parametrize("fault", ["truncated", "flipped", "empty", "foreign"])
def test_damaged_checkpoint_is_refused_and_the_one_before_it_used(
    tmp_path: Path, fault: str, problem: tuple[Network, Samples, Samples]
) -> None:
    settings = OPTIMIZERS["lbfgs"]
    whole = fit(*problem, settings)
    file = tmp_path / "run.checkpoint"
    with pytest.raises(Killed):
        fit(*problem, settings, checkpoint=file, progress=kill_after(3))
    damage(file, fault)
    seen: list[Progress] = []
    with pytest.warns(
        CheckpointWarning, match=r"run\.checkpoint: damaged .* the checkpoint before"
    ):
        result = fit(*problem, settings, checkpoint=file, progress=seen.append)
    assert [report.step for report in seen] == [60, 80]
    assert_equal_bits(result, whole)


def test_damaged_checkpoint_never_takes_the_place_of_the_one_before_it(
    tmp_path: Path, problem: tuple[Network, Samples, Samples]
) -> None:
    settings = OPTIMIZERS["lbfgs"]
    file = tmp_path / "run.checkpoint"
    previous = file.with_name("run.checkpoint.previous")
    with pytest.raises(Killed):
        fit(*problem, settings, checkpoint=file, progress=kill_after(2))
    good = previous.read_bytes()
    damage(file, "flipped")
    with pytest.warns(CheckpointWarning), pytest.raises(Killed):
        fit(*problem, settings, checkpoint=file, progress=kill_after(1))
    assert previous.read_bytes() == good


def test_two_damaged_checkpoints_start_again_and_say_so(
    tmp_path: Path, problem: tuple[Network, Samples, Samples]
) -> None:
    settings = OPTIMIZERS["lbfgs"]
    file = tmp_path / "run.checkpoint"
    with pytest.raises(Killed):
        fit(*problem, settings, checkpoint=file, progress=kill_after(2))
    damage(file, "truncated")
    damage(file.with_name("run.checkpoint.previous"), "flipped")
    seen: list[Progress] = []
    with pytest.warns(CheckpointWarning) as caught:
        fit(*problem, settings, checkpoint=file, progress=seen.append)
    messages = [str(each.message) for each in caught]
    assert len(messages) == 2
    assert messages[1].endswith("training goes on from the start")
    assert all("\n" not in message for message in messages)
    assert seen[0].step == 20


def damage(file: Path, fault: str) -> None:
    content = file.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    damaged = {
        "truncated": content[:middle],
        "flipped": flipped,
        "empty": b"",
        "foreign": b"PK\x03\x04" * 100,
    }
    file.write_bytes(damaged[fault])


def test_checkpoint_of_another_training_is_refused(
    tmp_path: Path, problem: tuple[Network, Samples, Samples]
) -> None:
    start, training, held_out = problem
    settings = OPTIMIZERS["adam"]
    file = tmp_path / "run.checkpoint"
    fit(start, training, held_out, settings, checkpoint=file)
    content = file.read_bytes()
    others: list[tuple[Any, ...]] = [
        (start, training, held_out, OPTIMIZERS["lbfgs"]),
        (start, held_out, training, settings),
        (fit(*problem, settings).network, training, held_out, settings),
    ]
    for other in others:
        with pytest.raises(CheckpointError, match=r"run\.checkpoint: checkpoint of another"):
            fit(*other, checkpoint=file)
    assert file.read_bytes() == content


def test_what_does_not_fit_is_refused(
    random_network: Callable[..., Network],
    sampled: Callable[..., Samples],
    problem: tuple[Network, Samples, Samples],
) -> None:
    start, training, held_out = problem
    with pytest.raises(ValueError, match=r"2 phases of 3 components; .* 3 phases of 6 components"):
        fit(random_network(8, dimension=3, phases=3), training, held_out)
    other = sampled(random_network(8, phases=3), 5)
    with pytest.raises(ValueError, match="3 phases of 3 components"):
        fit(start, training, other)
    with pytest.raises(ValueError, match="one leaf"):
        fit(random_network(1, phases=1), training, held_out)


def test_learning_curve_is_what_was_reported(problem: tuple[Network, Samples, Samples]) -> None:
    result = fit(*problem, OPTIMIZERS["adam+lbfgs"])
    assert [row[0] for row in result.learning_curve] == [1, 2, 22, 42]
    assert {report.steps for report in result.history} == {42}
    assert result.learning_curve[-1][1] == pytest.approx(result.training.stiffness.mean)
    assert result.learning_curve[-1][2] == pytest.approx(result.held_out.stiffness.mean)
    seconds = [report.seconds for report in result.history]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


@pytest.mark.parametrize(("leaves", "phases"), [(2, 2), (3, 3), (512, 2), (50, 5)])
def test_any_number_of_leaves_and_phases(
    leaves: int,
    phases: int,
    random_network: Callable[..., Network],
    sampled: Callable[..., Samples],
) -> None:
    training, held_out = sampled(random_network(6, phases=phases, seed=2), 12).split(4)
    start = random_network(leaves, phases=phases, seed=1)
    before = evaluate(start, training).stiffness.mean
    result = fit(start, training, held_out, Settings(iterations=20))
    assert result.training.stiffness.mean < (0.5 if leaves > 10 else 1.0) * before
    weights = result.network.leaf_weights
    shares = np.bincount(result.network.leaf_phase, weights=weights)
    np.testing.assert_allclose(shares, training.phase_fraction, rtol=1e-12)


@pytest.mark.parametrize(("dimension", "phases"), [(2, 1), (3, 1), (2, 2)])
def test_orientations_of_anisotropic_phases_are_trained(
    tmp_path: Path,
    dimension: int,
    phases: int,
    random_network: Callable[..., Network],
    sampled: Callable[..., Samples],
) -> None:
    """A polycrystal of one phase, and a matrix with inclusions that are turned."""
    kind = {"dimension": dimension, "phases": phases, "oriented": True}
    data = sampled(random_network(6, seed=2, **kind), 30).split(10)
    start = random_network(12, seed=1, **kind)
    settings = Settings(iterations=60)
    whole = fit(start, *data, settings)
    aligned = fit(replace(start, leaf_orientation=None), *data, settings)
    assert whole.held_out.stiffness.mean < 0.1 * evaluate(start, data[1]).stiffness.mean
    assert whole.held_out.stiffness.mean < 0.2 * aligned.held_out.stiffness.mean
    assert np.linalg.norm(whole.network.leaf_orientation, axis=1) == pytest.approx(np.ones(12))
    file = tmp_path / "run.checkpoint"
    with pytest.raises(Killed):
        fit(start, *data, settings, checkpoint=file, progress=kill_after(1))
    assert_equal_bits(fit(start, *data, settings, checkpoint=file), whole)
    turned = replace(start, leaf_orientation=np.roll(start.leaf_orientation, 1, axis=0))
    for other in (turned, replace(start, leaf_orientation=None)):
        with pytest.raises(CheckpointError):
            fit(other, *data, settings, checkpoint=file)
