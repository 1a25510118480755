"""Cost of a plastic increment of a network, by dimension and number of leaves, on one core.

python benchmarks/online.py
"""

import time

import numpy as np
from rich.console import Console
from rich.table import Table

from dmn_fem.laws import J2Plasticity, LinearElastic, VoceHardening
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw

MATRIX = J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.1, 50.0, 1.0))
LAWS = {"matrix": MATRIX, "inclusion": LinearElastic(2000.0, 0.2)}
POINTS, INCREMENTS = 64, 10


def main() -> None:
    """Time batches of points on one core."""
    table = Table(
        "dimension", "leaves", "iterations", "us / increment", "us / iteration", "B / point"
    )
    for dimension in (2, 3):
        for leaves in (8, 32, 128, 512):
            rng = np.random.default_rng(0)
            network = Network.random(dimension, ("matrix", "inclusion"), (0.7, 0.3), leaves, rng)
            law = NetworkLaw(network, LAWS)
            size = law.strain_size
            stress, tangent = np.zeros((POINTS, size)), np.zeros((POINTS, size, size))
            law.integrate(np.zeros((1, size)), law.allocate(1), stress[:1], tangent[:1])  # compiles
            direction = rng.normal(size=(POINTS, size))
            direction *= 0.0015 / np.linalg.norm(direction, axis=1, keepdims=True)
            state, iterations = law.allocate(POINTS), 0.0
            start = time.process_time()
            for step in range(1, INCREMENTS + 1):
                status = law.integrate(step * direction, state, stress, tangent)
                iterations += float(status.iterations.mean()) / INCREMENTS
                state.accept()
            microseconds = (time.process_time() - start) / POINTS / INCREMENTS * 1e6
            table.add_row(
                str(dimension),
                str(leaves),
                f"{iterations:.1f}",
                f"{microseconds:.1f}",
                f"{microseconds / (iterations + 1):.1f}",
                f"{state.old.nbytes / POINTS:.0f}",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
