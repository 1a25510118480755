"""The picture of a graded beam in the README, from the results of solvers/bend.py.

python solvers/bend.py && python docs/bend.py
"""

from pathlib import Path

import numpy as np
from PIL import Image
from woven import cropped

from dmn_fem.plotting import new_figure

RESULTS = Path("results/bend")


def main() -> None:
    """Volume fraction and plastic strain above each other, the loops beside them."""
    figure = new_figure(11.5, 5.2)
    grid = figure.add_gridspec(2, 2, width_ratios=[1.5, 1])
    for row, name in enumerate(("volume_fraction", "matrix_plastic_strain")):
        axes = figure.add_subplot(grid[row, 0])
        picture = np.asarray(Image.open(RESULTS / f"{name}.png").convert("RGB"))
        axes.imshow(cropped(picture), interpolation="lanczos")
        axes.axis("off")
    history = np.genfromtxt(RESULTS / "history.csv", delimiter=",", names=True)
    deflection, force = (np.append(0.0, history[name]) for name in ("deflection", "force"))
    axes = figure.add_subplot(grid[:, 1])
    axes.plot(deflection, force / 1e3, marker=".")
    axes.set(xlabel="deflection, mm", ylabel="force, kN")
    axes.grid(alpha=0.3)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=140)


if __name__ == "__main__":
    main()
