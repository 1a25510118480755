"""Gradient of the elastic loss: the compiled sweeps against plain PyTorch, side by side.

Loss and gradient with respect to activations and normals, of one network and all samples, on one
thread each. The plain path is the reference and what runs on GPUs. CPU time, medians of
alternating runs.

    python benchmarks/training.py --leaves 128 --samples 400
"""

import argparse
import statistics
import time

import numba
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from dmn_fem.homogenization import draw_phase_stiffness
from dmn_fem.network import Network
from dmn_fem.training import TorchNetwork
from dmn_fem.training._sweep import plain_sweep


class PlainNetwork(TorchNetwork):
    """The network without compiled code."""

    sweep = staticmethod(plain_sweep)


def gradient(module: TorchNetwork, phases: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The gradient, all parameters in one vector, and the CPU seconds it took."""
    reference = 1.1 * phases.mean(0)
    start = time.process_time()
    difference = module.homogenise(phases) - reference
    loss = (module.squares(difference) / module.squares(reference)).mean()
    parts = torch.autograd.grad(loss, list(module.parameters()))
    return torch.cat([part.ravel() for part in parts]), time.process_time() - start


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=128)
    parser.add_argument("--samples", type=int, nargs="+", default=[200, 400])
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    table = Table(
        "", "samples", "compiled, ms", "plain, ms", "ratio", "difference",
        title=f"gradient, {arguments.leaves} leaves, one core",
    )  # fmt: skip
    for dimension in (2, 3):
        names, rng = ("matrix", "inclusion"), np.random.default_rng(0)
        network = Network.random(dimension, names, [0.7, 0.3], arguments.leaves, rng)
        compiled, plain = TorchNetwork(network), PlainNetwork(network)
        for samples in arguments.samples:
            phases = compiled.pack(torch.tensor(draw_phase_stiffness(dimension, 2, samples, 1)))
            times: dict[TorchNetwork, list[float]] = {compiled: [], plain: []}
            found = {}
            for _ in range(arguments.runs):
                for module, seconds in times.items():
                    found[module], elapsed = gradient(module, phases)
                    seconds.append(elapsed)
            ours, theirs = (1e3 * statistics.median(each[1:]) for each in times.values())
            largest = float(found[plain].abs().max())
            difference = float((found[compiled] - found[plain]).abs().max()) / largest
            table.add_row(
                f"{dimension}D", str(samples), f"{ours:.2f}", f"{theirs:.1f}",
                f"{theirs / ours:.1f}", f"{difference:.0e}",
            )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
