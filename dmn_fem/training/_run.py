"""A training as a sequence of steps, with all that determines the next one in its state."""

import copy
import math
import time
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from dmn_fem.network import Network
from dmn_fem.training._inelastic import InelasticSamples
from dmn_fem.training._model import TorchNetwork
from dmn_fem.training._samples import Samples
from dmn_fem.training._settings import Progress, Settings

CHUNK = 20
"""L-BFGS iterations between two reports."""


class Run:
    """A training on its way."""

    def __init__(
        self,
        network: Network,
        training: Samples,
        held_out: Samples,
        settings: Settings,
        inelastic: InelasticSamples | None,
        start: int,
    ) -> None:
        """Begin at a network.

        Raises:
            ValueError: If all of the network is frozen.
        """
        self.module = TorchNetwork(network)
        self.settings = settings
        self.inelastic = inelastic
        self.start = start
        self.history: list[Progress] = []
        self.best: dict[str, Tensor] = {}
        self.data = self._packed(training)
        self.held_out = self._packed(held_out)
        self.generator = torch.Generator().manual_seed(settings.seed)
        lengths = {
            "adam": settings.epochs,
            "lbfgs": math.ceil(settings.iterations / CHUNK) * CHUNK,
        }
        self.stages = [(name, lengths[name]) for name in settings.optimizer.split("+")]
        self.stage, self.step, self.done = 0, 0, 0
        self.seconds = 0.0
        self._freeze(network)
        self.optimizer = self._optimizer()

    @property
    def finished(self) -> bool:
        """Whether all optimizers have come to their end."""
        return self.stage == len(self.stages)

    def advance(self) -> Progress:
        """One epoch of Adam, or a chunk of L-BFGS."""
        before = time.perf_counter()
        name, steps = self.stages[self.stage]
        ended = self._adam(steps) if name == "adam" else self._lbfgs()
        self.seconds += time.perf_counter() - before
        steps_of_all = sum(length for _, length in self.stages)
        report = self.report(name, self.done + self.step, steps_of_all, self.seconds)
        if self.settings.patience is not None and report.monitored_error <= min(
            (each.monitored_error for each in self.history), default=math.inf
        ):
            self.best = copy.deepcopy(self.module.state_dict())
        self.history.append(report)
        if ended or self.step >= steps or self._stalled(name):
            self.stage, self.done, self.step = self.stage + 1, self.done + self.step, 0
            if not self.finished:
                self.optimizer = self._optimizer()
        return report

    def loss(self) -> Tensor:
        """The loss over all training samples, ()."""
        return self._loss(*self.data)

    def report(self, optimizer: str, step: int, steps: int, seconds: float) -> Progress:
        """How good the network is now."""
        inelastic_error = None
        if self.inelastic is not None:
            inelastic_error = self.inelastic.errors(self.module.network()).mean
        return Progress(
            start=self.start,
            optimizer=optimizer,
            step=step,
            steps=steps,
            training_error=self._error(*self.data),
            held_out_error=self._error(*self.held_out),
            inelastic_error=inelastic_error,
            seconds=seconds,
        )

    def result(self) -> Network:
        """The last network, with an early stop the best one."""
        if self.best:
            self.module.load_state_dict(self.best)
        return self.module.network()

    def state(self) -> dict[str, Any]:
        """All that determines what follows."""
        return {
            "module": self.module.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "place": (self.stage, self.step, self.done),
            "seconds": self.seconds,
            "history": [asdict(report) for report in self.history],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.module.load_state_dict(state["module"])
        self.best = state["best"]
        self.generator.set_state(state["generator"])
        self.stage, self.step, self.done = state["place"]
        self.seconds = state["seconds"]
        self.history = [Progress(**report) for report in state["history"]]
        if not self.finished:
            self.optimizer = self._optimizer()
            self.optimizer.load_state_dict(state["optimizer"])

    def _packed(self, samples: Samples) -> tuple[Tensor, Tensor]:
        pack = self.module.pack
        return pack(torch.tensor(samples.phase_stiffness)), pack(torch.tensor(samples.stiffness))

    def _freeze(self, network: Network) -> None:
        """Let no gradient reach what is frozen; neither Adam nor L-BFGS then moves it by a bit."""
        trained = self.settings.frozen.trained(network)
        for name, parameter in self.module.named_parameters():
            mask = torch.tensor(trained[name])
            if not mask.all():
                parameter.register_hook(mask.to(parameter.dtype).mul)

    def _optimizer(self) -> torch.optim.Optimizer:
        if self.stages[self.stage][0] == "adam":
            return torch.optim.Adam(self.module.parameters(), lr=self.settings.rate)
        return torch.optim.LBFGS(
            self.module.parameters(),
            max_iter=CHUNK,
            max_eval=25 * CHUNK,
            history_size=self.settings.memory,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

    def _adam(self, epochs: int) -> bool:
        rate = 0.5 * self.settings.rate * (1 + math.cos(math.pi * self.step / epochs))
        self.optimizer.param_groups[0]["lr"] = rate
        phases, reference = self.data
        order = torch.randperm(reference.shape[-1], generator=self.generator)
        for batch in order.split(self.settings.batch):
            self.optimizer.zero_grad()
            self._loss(phases[..., batch], reference[..., batch]).backward()
            self.optimizer.step()
        self.step += 1
        return False

    def _lbfgs(self) -> bool:
        def closure() -> Tensor:
            self.optimizer.zero_grad()
            loss = self.loss()
            loss.backward()
            return loss

        self.optimizer.step(closure)
        (memory,) = self.optimizer.state.values()
        before, self.step = self.step, memory["n_iter"]
        return self.step - before < CHUNK  # no step reduces the loss any more

    def _stalled(self, optimizer: str) -> bool:
        """Whether the latest reports of an optimizer brought too little."""
        patience = self.settings.patience
        errors = [each.monitored_error for each in self.history if each.optimizer == optimizer]
        if patience is None or len(errors) <= patience:
            return False
        return min(errors[-patience:]) > (1 - self.settings.improvement) * min(errors[:-patience])

    def _loss(self, phases: Tensor, reference: Tensor) -> Tensor:
        elastic = self._squared_errors(phases, reference).mean()
        return elastic if self.inelastic is None else elastic + self.inelastic.loss(self.module)

    @torch.no_grad()
    def _error(self, phases: Tensor, reference: Tensor) -> float:
        return float(self._squared_errors(phases, reference).sqrt().mean())

    def _squared_errors(self, phases: Tensor, reference: Tensor) -> Tensor:
        """‖C̄_dns - C̄_dmn‖² / ‖C̄_dns‖² of every sample."""
        squares = self.module.squares
        return squares(self.module.homogenise(phases) - reference) / squares(reference)
