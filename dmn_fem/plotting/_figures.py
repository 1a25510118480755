"""What all pictures share: figures without a display, formats of files, colours of phases."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dmn_fem.notation import Array


def new_figure(width: float = 6.0, height: float = 4.5) -> Figure:
    """A figure that needs no display and leaves pyplot's global state alone."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def check_picture(path: str | Path) -> None:
    """Whether a picture can be written to a file of this name.

    Raises:
        ValueError: If its suffix is no format of pictures.
    """
    formats = FigureCanvasAgg.get_supported_filetypes()
    if Path(path).suffix.removeprefix(".") not in formats:
        raise ValueError(f"{path}: pictures go to .{', .'.join(sorted(formats))}")


def phase_colours(names: Sequence[str]) -> dict[str, Array]:
    """A colour (red, green, blue) for every phase."""
    places = np.linspace(0, 1, max(len(names), 2))
    return {
        name: np.array(colormaps["cividis"](place)[:3])
        for name, place in zip(names, places, strict=False)
    }
