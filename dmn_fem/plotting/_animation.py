"""Pictures and animations of results over time, from the files that ParaView opens."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dmn_fem.notation import Array


def plot_results(
    results: str | Path,
    path: str | Path,
    quantity: str,
    *,
    magnification: float = 1.0,
    seconds: float = 4.0,
) -> None:
    """Deformed body with a cell value in colours: its last time as PNG, or all times as a GIF.

    Needs PyVista (``pip install dmn-fem[vtk]``) and no display.

    Args:
        results: A ``.pvd`` file of `dmn_fem.fem.ResultFile`.
        path: ``.png`` or ``.gif``.
        quantity: Name of a cell value; of a tensor the von Mises equivalent is shown.
        magnification: Of the displacement.
        seconds: How long the animation runs.

    Raises:
        ValueError: If the suffix is another, or there is no such quantity.
    """
    import pyvista

    path = Path(path)
    if path.suffix not in (".png", ".gif"):
        raise ValueError(f"{path}: pictures of results go to .png or .gif")
    reader = pyvista.PVDReader(str(results))
    times = list(reader.time_values) if path.suffix == ".gif" else [reader.time_values[-1]]
    bodies = [_body(reader, time, quantity, magnification) for time in times]
    values = np.concatenate([body.cell_data[quantity] for body in bodies])
    frames = []
    for time, body in zip(times, bodies, strict=True):
        plotter = pyvista.Plotter(off_screen=True, window_size=(800, 600))
        # The line below the title keeps it clear of the numbers.
        bar = {"title": f"{quantity}\n", "color": "black", "fmt": "%.3g", "n_labels": 3}
        limits = (float(values.min()), float(values.max()))
        plotter.add_mesh(
            body,
            scalars=quantity,
            clim=limits,
            cmap="viridis",
            ambient=0.6,
            diffuse=0.5,
            lighting=body.bounds[5] > body.bounds[4],  # a plane shows its colours as they are
            scalar_bar_args=bar,
        )
        plotter.add_text(f"time {time:.4g}", font_size=12, color="black")
        plotter.set_background("white")
        plotter.camera_position = "iso" if body.bounds[5] > body.bounds[4] else "xy"
        plotter.reset_camera(bounds=_bounds(bodies))
        frames.append(Image.fromarray(plotter.screenshot(return_img=True)))
        plotter.close()
    first, *others = frames
    if others:
        duration = int(1000 * seconds / len(frames))
        first.save(path, save_all=True, append_images=others, duration=duration, loop=0)
    else:
        first.save(path)


def _body(reader: Any, time: float, quantity: str, magnification: float) -> Any:
    """The deformed body at a time, its cells with a scalar."""
    reader.set_active_time_value(time)
    body = reader.read().combine()
    if quantity not in body.cell_data:
        raise ValueError(
            f"{reader.path}: no cell value {quantity!r}; there are {', '.join(body.cell_data)}"
        )
    body.points += magnification * body.point_data["displacement"]
    body.cell_data[quantity] = _scalar(np.asarray(body.cell_data[quantity]))
    return body


def _scalar(values: Array) -> Array:
    """Values of cells, of tensors the von Mises equivalent."""
    if values.ndim == 1:
        return values
    tensor = values.reshape(-1, 3, 3)
    deviator = tensor - np.trace(tensor, axis1=1, axis2=2)[:, None, None] * np.eye(3) / 3
    return np.asarray(np.sqrt(1.5 * np.sum(deviator**2, axis=(1, 2))))


def _bounds(bodies: list[Any]) -> list[float]:
    """A box around all of them, so that the camera stands still."""
    each = np.array([body.bounds for body in bodies])
    low, high = each[:, ::2].min(axis=0), each[:, 1::2].max(axis=0)
    return np.column_stack([low, high]).ravel().tolist()
