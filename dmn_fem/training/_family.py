"""A family of networks over descriptors, trained together so that it is smooth.

Between its networks a database answers with one whose weights and normals are interpolated. It errs
where they do not go straight on from network to network, and after a transfer they do not: the loss
is flat in many directions, and every training goes a way of its own along them. Here all networks
are trained at once, and what their samples do not determine is settled by smoothness.
"""

import copy
import hashlib
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from dmn_fem.database import Descriptor, DescriptorSpace
from dmn_fem.network import Network
from dmn_fem.notation import Array
from dmn_fem.training._checkpoint import Checkpoint
from dmn_fem.training._fit import Fit, check, fingerprint_of, one_thread
from dmn_fem.training._inelastic import InelasticSamples
from dmn_fem.training._run import CHUNK, Run
from dmn_fem.training._samples import Samples, evaluate
from dmn_fem.training._settings import Progress, Settings


def fit_family(
    networks: Sequence[Network],
    targets: Sequence[tuple[Samples, Samples]],
    values: ArrayLike,
    settings: Settings | None = None,
    *,
    smoothness: float = 1e-4,
    inelastic: Sequence[InelasticSamples | None] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[Fit]:
    """Fit all networks of a family at once, and make it smooth in its descriptors.

    The loss is, over K networks and F pairs of simplices that share a facet,

        1/K Σ_k L_k + smoothness/F Σ_f [mean_j (Σ_k c_fk s_kj)² + mean_i |Σ_k c_fk n_ki n_kiᵀ|²]

    where L_k is the loss of `fit`, s_kj the weight of leaf j relative to the mean leaf of its
    phase, and n_ki the normal of node i; leaf orientations, if there are any, count as normals do.
    c_f are the coefficients of the affine dependency of the D + 2 points of a pair: the sum is the
    jump of the gradient from one simplex to the other, over one evenly spaced descriptor the second
    difference, c = (1, -2, 1). The simplices are those that the database interpolates in.

    Args:
        networks: A family whose networks descend from one another by transfer, K of them.
        targets: Training and held-out samples of every network.
        values: Descriptors of every network, (K, D).
        settings: Of L-BFGS, which alone is used, and what of the networks stays.
        smoothness: Its weight in the loss.
        inelastic: Inelastic answers of every network to fit as well, None where there are none.
        checkpoint: A file that keeps the state, as in `fit`.
        progress: Called after every 20 iterations with the mean errors of the family.

    Returns:
        The fit of every network, each with its own history.

    Raises:
        ValueError: If networks, samples and values do not fit together, or the settings ask for
            another optimizer or for an early stop.
        DatabaseError: If the values span no descriptor space.
        CheckpointError: If the checkpoint belongs to another training.

    Warns:
        CheckpointWarning: If a checkpoint is damaged and an older state is used.
    """
    settings = settings or Settings()
    if settings.optimizer != "lbfgs" or settings.patience is not None:
        raise ValueError("a family is fitted by lbfgs to its last iteration; see Settings")
    if not (smoothness >= 0 and math.isfinite(smoothness)):
        raise ValueError(f"smoothness is {smoothness}; it must be at least 0")
    answers = [None] * len(networks) if inelastic is None else list(inelastic)
    values = np.asarray(values, dtype=float)
    if not len(networks) == len(targets) == len(answers) == len(values):
        raise ValueError(
            f"{len(networks)} networks, {len(targets)} targets, {len(answers)} inelastic answers "
            f"and {len(values)} values; there must be as many of each"
        )
    if any(not np.array_equal(each.leaf_phase, networks[0].leaf_phase) for each in networks):
        raise ValueError("the networks of a family must share leaf_phase")
    members, coefficients = _pairs_of_simplices(values)
    networks = [
        network.with_phase_fraction(training.phase_fraction)
        for network, (training, _) in zip(networks, targets, strict=True)
    ]
    marks = [repr((members.tolist(), coefficients.tolist(), smoothness))]
    for network, (training, held_out), answer in zip(networks, targets, answers, strict=True):
        check(network, training)
        check(network, held_out)
        marks.append(fingerprint_of(network, training, held_out, settings, answer))
    mark = hashlib.sha256("".join(marks).encode()).hexdigest()
    store = None if checkpoint is None else Checkpoint(checkpoint, mark)
    with one_thread():
        runs = [
            Run(network, training, held_out, settings, answer, number)
            for number, (network, (training, held_out), answer) in enumerate(
                zip(networks, targets, answers, strict=True)
            )
        ]
        family = _Family(runs, members, coefficients, settings, smoothness)
        state = store.load() if store else None
        if state is not None:
            family.load(state)
        while not family.finished:
            report = family.advance()
            if store:
                store.save(family.state())
            if progress:
                progress(report)
        return [
            Fit(
                network=run.result(),
                training=evaluate(run.result(), training),
                held_out=evaluate(run.result(), held_out),
                inelastic=None if answer is None else answer.errors(run.result()),
                history=run.history,
            )
            for run, (training, held_out), answer in zip(runs, targets, answers, strict=True)
        ]


class _Family:
    """The training of a family, with all that determines its next step in its state."""

    def __init__(
        self,
        runs: Sequence[Run],
        members: NDArray[np.int64],
        coefficients: Array,
        settings: Settings,
        smoothness: float,
    ) -> None:
        self.runs = runs
        self.members, self.coefficients = torch.tensor(members), torch.tensor(coefficients)
        self.smoothness = smoothness
        self.steps = math.ceil(settings.iterations / CHUNK) * CHUNK
        self.step, self.seconds, self.stuck = 0, 0.0, False
        self.optimizer = torch.optim.LBFGS(
            [parameter for run in runs for parameter in run.module.parameters()],
            max_iter=CHUNK,
            max_eval=25 * CHUNK,
            history_size=settings.memory,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

    @property
    def finished(self) -> bool:
        return self.stuck or self.step >= self.steps

    def advance(self) -> Progress:
        """A chunk of L-BFGS."""
        before = time.perf_counter()
        self.optimizer.step(self._closure)
        (memory,) = self.optimizer.state.values()
        self.stuck = memory["n_iter"] - self.step < CHUNK
        self.step = memory["n_iter"]
        self.seconds += time.perf_counter() - before
        reports = [run.report("lbfgs", self.step, self.steps, self.seconds) for run in self.runs]
        for run, report in zip(self.runs, reports, strict=True):
            run.history.append(report)
        inelastic = [each.inelastic_error for each in reports if each.inelastic_error is not None]
        return Progress(
            start=0,
            optimizer="lbfgs",
            step=self.step,
            steps=self.steps,
            training_error=float(np.mean([each.training_error for each in reports])),
            held_out_error=float(np.mean([each.held_out_error for each in reports])),
            inelastic_error=float(np.mean(inelastic)) if inelastic else None,
            seconds=self.seconds,
        )

    def state(self) -> dict[str, Any]:
        return {
            "modules": [run.module.state_dict() for run in self.runs],
            "histories": [[asdict(report) for report in run.history] for run in self.runs],
            "optimizer": self.optimizer.state_dict(),
            "place": (self.step, self.seconds, self.stuck),
        }

    def load(self, state: dict[str, Any]) -> None:
        for run, module, history in zip(
            self.runs, state["modules"], state["histories"], strict=True
        ):
            run.module.load_state_dict(module)
            run.history = [Progress(**report) for report in history]
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.step, self.seconds, self.stuck = state["place"]

    def _closure(self) -> Tensor:
        self.optimizer.zero_grad()
        loss = torch.stack([run.loss() for run in self.runs]).mean()
        if self.smoothness and len(self.members):
            loss = loss + self.smoothness * self._roughness()
        loss.backward()
        return loss

    def _roughness(self) -> Tensor:
        """Mean squares of the jumps of the gradient."""
        parts = []
        for kind in zip(*(run.module.coordinates() for run in self.runs), strict=True):
            points = torch.stack(kind)[self.members]  # (F, D+2, parts, components)
            jumps = torch.einsum("fk,fkmc->fmc", self.coefficients, points)
            parts.append(jumps.square().sum(-1).mean())
        return torch.stack(parts).sum()


def _pairs_of_simplices(values: Array) -> tuple[NDArray[np.int64], Array]:
    """The D + 2 points of every two simplices that share a facet, and their affine dependency.

    Args:
        values: Descriptors of the networks, (K, D).

    Returns:
        Numbers of the networks, (F, D+2), and coefficients, (F, D+2): their sum is zero, their
        weighted points have none either, and their absolute values have the sum 4, as 1, -2, 1.
    """
    dimension = values.shape[1]
    descriptors = [Descriptor(f"descriptor {number}") for number in range(dimension)]
    sharing: dict[tuple[int, ...], list[int]] = {}
    for simplex in DescriptorSpace(descriptors, values).simplices.tolist():
        for apex in simplex:
            facet = tuple(sorted(set(simplex) - {apex}))
            sharing.setdefault(facet, []).append(apex)
    found = [(*facet, *apexes) for facet, apexes in sharing.items() if len(apexes) == 2]
    members = np.array(found, dtype=np.int64).reshape(-1, dimension + 2)
    span = np.ptp(values, axis=0)
    points = values / np.where(span > 0, span, 1.0)
    coefficients = np.empty(members.shape)
    for number, corners in enumerate(members):
        conditions = np.vstack([points[corners].T, np.ones(dimension + 2)])
        dependency = np.linalg.svd(conditions)[2][-1]
        coefficients[number] = 4 * dependency / np.abs(dependency).sum()
    return members, coefficients
