"""Pictures of phase images and of their descriptors."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dmn_fem.microstructure import PhaseDescription, PhaseImage, vtk_messages
from dmn_fem.notation import Array
from dmn_fem.plotting._figures import new_figure, phase_colours

_NAMED = 6  # phases that a legend names


def plot_image(image: PhaseImage, path: str | Path) -> None:
    """Draw a phase image; of a cell in 3D all phases but the matrix, and its three middle planes.

    Raises:
        RuntimeError: If a cell in 3D is drawn without PyVista.
    """
    colours = phase_colours(image.names)
    shade = np.zeros((*image.shape, 3))
    for name, colour in colours.items():
        shade += image.share(name)[..., None] * colour
    planes = {"12": shade}
    if image.dimension == 3:
        first, second, third = (length // 2 for length in image.shape)
        planes = {"12": shade[:, :, third], "13": shade[:, second], "23": shade[first]}
    views = len(planes) + (image.dimension == 3)
    figure = new_figure(4.0 * views, 4.3)
    for number, (name, plane) in enumerate(planes.items(), start=1):
        axes = figure.add_subplot(1, views, number)
        axes.imshow(np.clip(np.swapaxes(plane, 0, 1), 0, 1), origin="lower")
        axes.set(xlabel=f"$x_{name[0]}$", ylabel=f"$x_{name[1]}$", xticks=[], yticks=[])
    if image.dimension == 3:
        axes = figure.add_subplot(1, views, views)
        axes.imshow(_perspective(image, colours))
        axes.axis("off")
    parts = list(zip(image.names, image.volume_fractions, strict=True))
    if len(parts) <= _NAMED:
        for name, colour in colours.items():
            axes.plot([], [], "s", color=colour, markeredgecolor="grey", label=name)
        figure.legend(loc="outside lower center", ncols=len(parts), frameon=False)
        figure.suptitle(", ".join(f"{phase} {fraction:.3f}" for phase, fraction in parts))
    figure.savefig(path, dpi=150)


def plot_descriptions(descriptions: Mapping[str, PhaseDescription], path: str | Path) -> None:
    """Draw the two-point correlation and the lineal paths of every phase over the distance."""
    figure = new_figure(4.0 * len(descriptions), 4.0)
    for number, (name, each) in enumerate(descriptions.items(), start=1):
        axes = figure.add_subplot(1, len(descriptions), number)
        correlation = each.two_point_correlation
        axes.plot(correlation, "k", label="two-point correlation")
        axes.axhline(each.volume_fraction**2, color="k", ls=":", lw=1, label="volume fraction²")
        for axis, lineal in enumerate(each.lineal_path, start=1):
            axes.plot(lineal[: correlation.size], ls="--", label=f"lineal path along {axis}")
        axes.set(xlabel="distance in voxels", title=f"{name} {each.volume_fraction:.3f}")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=150)


def _perspective(image: PhaseImage, colours: Mapping[str, Array]) -> NDArray[np.uint8]:
    """A cell in 3D without its matrix, (rows, columns, 3)."""
    with vtk_messages() as (vista, _):
        return _render(vista, image, colours)


def _render(vista: ModuleType, image: PhaseImage, colours: Mapping[str, Array]) -> Any:
    grid: Any = vista.ImageData(dimensions=[length + 1 for length in image.shape])
    grid.cell_data["phase"] = image.phases.ravel(order="F")
    plotter: Any = vista.Plotter(off_screen=True, window_size=(800, 800))
    for phase, name in enumerate(image.names):
        voxels = grid.threshold((phase, phase), scalars="phase")
        if name != image.matrix and voxels.n_cells:
            plotter.add_mesh(voxels, color=colours[name])
    plotter.add_mesh(grid.outline(), color="black")
    plotter.add_axes(xlabel="1", ylabel="2", zlabel="3")
    picture = plotter.screenshot(return_img=True)
    plotter.close()
    return picture
