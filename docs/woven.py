"""The picture of a woven coupon in the README, from the results of solvers/woven.py.

python solvers/woven.py && python docs/woven.py
"""

from pathlib import Path
from typing import Any

import numpy as np

from dmn_fem.microstructure import vtk_messages, weave
from dmn_fem.plotting import new_figure

RESULTS = Path("results/woven")
COLOURS = {"warp": "#c8842c", "weft": "#3a6ea5"}


def yarns() -> Any:
    """Two by two cells of the weave without their matrix."""
    image = weave(0.45, gap=0.03).image(64)
    with vtk_messages() as (vista, _):
        plotter: Any = vista.Plotter(off_screen=True, window_size=(1100, 900))
        for name, colour in COLOURS.items():
            share = np.pad(np.tile(image.share(name), (2, 2, 1)), 1)
            grid: Any = vista.ImageData(dimensions=share.shape)
            grid.point_data["share"] = share.ravel(order="F")
            surface = grid.contour([0.5], scalars="share").smooth_taubin(n_iter=50)
            plotter.add_mesh(surface, color=colour, smooth_shading=True, specular=0.2)
        plotter.view_isometric()
        plotter.camera.elevation = 10
        plotter.camera.zoom(1.2)
        picture = plotter.screenshot(return_img=True)
        plotter.close()
    return picture


def cropped(picture: Any) -> Any:
    """A picture without its white margins."""
    inked = (picture[..., :3] < 250).any(axis=2)
    rows, columns = (np.flatnonzero(inked.any(axis=axis)) for axis in (1, 0))
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def main() -> None:
    """Weave, coupon and curves beside each other."""
    from PIL import Image

    figure = new_figure(16.0, 4.6)
    coupon = np.asarray(Image.open(RESULTS / "45" / "yarn_matrix.png").convert("RGB"))
    for number, (picture, title) in enumerate(
        (
            (yarns(), "a plain weave; each yarn is a bundle of fibres"),
            (coupon, "pulled at 45°: plastic strain of the matrix in the yarns"),
        ),
        start=1,
    ):
        axes = figure.add_subplot(1, 3, number)
        axes.imshow(cropped(picture))
        axes.set_title(title)
        axes.axis("off")
    axes = figure.add_subplot(1, 3, 3)
    for angle, label in ((0, "along the warp"), (45, "at 45°")):
        curve = np.loadtxt(RESULTS / f"stress_strain_{angle}.csv", delimiter=",", skiprows=1)
        axes.plot(100 * curve[:, 1], curve[:, 2], marker=".", label=label)
    axes.set(xlabel="mean strain, %", ylabel="mean stress, MPa", title="coupon with a hole")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=80)


if __name__ == "__main__":
    main()
