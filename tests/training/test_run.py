"""A training on its way: what is frozen stays, inelastic answers count, it stops when it stalls."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dmn_fem.network import Network
from dmn_fem.notation import Array
from dmn_fem.training import (
    CheckpointError,
    Errors,
    Fit,
    Frozen,
    Progress,
    Samples,
    Settings,
    TorchNetwork,
    evaluate,
    fit,
)


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
    for name in ("leaf_activation", "normal_angles", "leaf_orientation"):
        np.testing.assert_array_equal(getattr(ours.network, name), getattr(theirs.network, name))
    assert ours.history == theirs.history


@pytest.fixture
def problem(
    random_network: Callable[..., Network], sampled: Callable[..., Samples]
) -> tuple[Network, Samples, Samples]:
    """A start, and samples of another network."""
    return random_network(8, seed=1), *sampled(random_network(16), 40).split(10)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam+lbfgs"])
@pytest.mark.parametrize(
    "frozen",
    [
        Frozen(weights=True),
        Frozen(normals=True),
        Frozen(upper_levels=2),
        Frozen(weights=True, lower_levels=1),
    ],
)
def test_what_is_frozen_does_not_move_by_a_bit(
    tmp_path: Path, optimizer: str, frozen: Frozen, problem: tuple[Network, Samples, Samples]
) -> None:
    start = problem[0]
    settings = Settings(optimizer=optimizer, epochs=2, iterations=40, frozen=frozen)  # type: ignore[arg-type]
    result = fit(*problem, settings)
    for name, trained in frozen.trained(start).items():
        old, new = getattr(start, name), getattr(result.network, name)
        np.testing.assert_array_equal(new[~trained], old[~trained])
        assert (new[trained] != old[trained]).all()
    before = evaluate(start.with_phase_fraction(problem[1].phase_fraction), problem[1])
    assert result.training.stiffness.mean < before.stiffness.mean
    file = tmp_path / "run.checkpoint"
    with pytest.raises(Killed):
        fit(*problem, settings, checkpoint=file, progress=kill_after(1))
    assert_equal_bits(fit(*problem, settings, checkpoint=file), result)
    with pytest.raises(CheckpointError):
        fit(*problem, replace(settings, frozen=Frozen()), checkpoint=file)


@pytest.fixture
def stalling(
    random_network: Callable[..., Network], sampled: Callable[..., Samples]
) -> tuple[Network, Samples, Samples]:
    """A problem of few, noisy samples: held-out errors rise again."""
    samples = sampled(random_network(16), 26)
    noise = 1 + 0.1 * np.random.default_rng(0).uniform(-1, 1, (26, 1, 1))
    return random_network(12, seed=1), *replace(samples, stiffness=noise * samples.stiffness).split(
        20
    )


def test_early_stop_gives_the_best_network(
    tmp_path: Path, stalling: tuple[Network, Samples, Samples]
) -> None:
    settings = Settings(iterations=600)
    whole, stopped = fit(*stalling, settings), fit(*stalling, replace(settings, patience=3))
    held_out = [report.held_out_error for report in stopped.history]
    count, best = len(held_out), int(np.argmin(held_out))
    assert 3 < count < len(whole.history)
    assert whole.history[:count] == stopped.history
    assert min(held_out[-3:]) > 0.99 * min(held_out[:-3])
    assert best < count - 1
    assert stopped.held_out.stiffness.mean == pytest.approx(held_out[best], rel=1e-12)
    assert whole.held_out.stiffness.mean > stopped.held_out.stiffness.mean
    assert_equal_bits_after_kills(stalling, replace(settings, patience=3), tmp_path, stopped)


def assert_equal_bits_after_kills(
    problem: tuple[Network, Samples, Samples], settings: Settings, folder: Path, whole: Fit
) -> None:
    for reports in (1, len(whole.history) - 1, len(whole.history)):
        file = folder / f"{reports}.checkpoint"
        with pytest.raises(Killed):
            fit(*problem, settings, checkpoint=file, progress=kill_after(reports))
        again = fit(*problem, settings, checkpoint=file)
        assert_equal_bits(again, whole)
        assert again.held_out == whole.held_out


def test_early_stop_waits_while_there_is_progress(
    problem: tuple[Network, Samples, Samples],
) -> None:
    settings = Settings(iterations=100, patience=2, improvement=0.0)
    result = fit(*problem, settings)
    errors = [report.held_out_error for report in result.history]
    assert len(errors) == 5 or min(errors[-2:]) > min(errors[:-2])


def test_every_optimizer_may_stop_early(stalling: tuple[Network, Samples, Samples]) -> None:
    settings = Settings(
        optimizer="adam+lbfgs", epochs=200, iterations=400, patience=4, improvement=0.05
    )
    result = fit(*stalling, settings)
    adam = [report for report in result.history if report.optimizer == "adam"]
    lbfgs = [report for report in result.history if report.optimizer == "lbfgs"]
    assert 4 < len(adam) < 200
    assert 4 < len(lbfgs) < 20
    steps = [report.step for report in result.history]
    assert steps == [
        *range(1, len(adam) + 1),
        *(len(adam) + 20 * k for k in range(1, len(lbfgs) + 1)),
    ]
    assert {report.steps for report in result.history} == {600}


@dataclass(frozen=True)
class Answers:
    """Stands in for inelastic answers: stiffnesses of one more pair of phases, half as stiff."""

    phases: Array
    stiffness: Array

    def loss(self, module: TorchNetwork) -> torch.Tensor:
        found = module(torch.tensor(self.phases))
        return ((found - torch.tensor(self.stiffness)) ** 2).sum() / (self.stiffness**2).sum()

    def errors(self, network: Network) -> Errors:
        return Errors.between(network.stiffness(self.phases), self.stiffness)

    def digest(self) -> str:
        return hashlib.sha256(self.phases.tobytes() + self.stiffness.tobytes()).hexdigest()


@pytest.fixture
def answers(problem: tuple[Network, Samples, Samples]) -> Answers:
    held_out = problem[2]
    return Answers(held_out.phase_stiffness[:3], 0.9 * held_out.stiffness[:3])


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_inelastic_answers_are_fitted_as_well(
    tmp_path: Path,
    optimizer: str,
    problem: tuple[Network, Samples, Samples],
    answers: Answers,
) -> None:
    settings = Settings(optimizer=optimizer, iterations=60, epochs=3)  # type: ignore[arg-type]
    elastic, both = fit(*problem, settings), fit(*problem, settings, inelastic=answers)
    assert elastic.inelastic is None
    assert {report.inelastic_error for report in elastic.history} == {None}
    assert both.inelastic == answers.errors(both.network)
    assert both.history[-1].inelastic_error == both.inelastic.mean
    assert both.inelastic.mean < answers.errors(elastic.network).mean
    last = both.history[-1]
    assert last.monitored_error == last.held_out_error + both.inelastic.mean
    file = tmp_path / "run.checkpoint"
    with pytest.raises(Killed):
        fit(*problem, settings, inelastic=answers, checkpoint=file, progress=kill_after(1))
    assert_equal_bits(fit(*problem, settings, inelastic=answers, checkpoint=file), both)
    for other in (None, replace(answers, stiffness=2 * answers.stiffness)):
        with pytest.raises(CheckpointError):
            fit(*problem, settings, inelastic=other, checkpoint=file)
