"""What all pictures share: figures without a display, and the formats of files."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


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
