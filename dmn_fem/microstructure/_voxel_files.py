"""Voxel files of other programs: pictures, NumPy arrays, VTK image data and raw voxels.

Axis 0 of every array is direction 1, axis 1 direction 2, axis 2 direction 3. In a picture direction
1 points to the right and direction 2 up; the pages of a stack follow along direction 3.
"""

import contextlib
import io
import os
import struct
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from dmn_fem._files import write_atomically
from dmn_fem.microstructure._image import PhaseImage

Order = Literal["C", "F"]

FORMATS = (".png", ".tif", ".tiff", ".npy", ".vti", ".raw")

# What a foreign or damaged picture raises on its way through Pillow.
_DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    KeyError,
    IndexError,
    struct.error,
    zlib.error,
    UserWarning,
    Image.DecompressionBombError,
)
# Pillow warns of a damaged directory of a TIFF and goes on without what it has lost.
_DAMAGE_WARNING = "Corrupt|Possibly corrupt|Truncated|Tag (data|offset)"
_GREY_MODES = ("L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def read_voxels(
    path: str | os.PathLike[str],
    *,
    array: str | None = None,
    shape: Sequence[int] | None = None,
    dtype: str | None = None,
    order: Order | None = None,
) -> NDArray[Any]:
    """Read the grey values or labels of the voxels of a file; its suffix tells the format.

    Args:
        path: A picture (``.png``, ``.tif``, ``.tiff``; colours become grey by their luma; the
            pages of a TIFF make a 3D image), a NumPy array (``.npy``), VTK image data (``.vti``) or
            raw voxels (``.raw``).
        array: Name of the cell or point array of a ``.vti`` file; needed if it holds several.
        shape: Voxels along each axis, of raw voxels.
        dtype: Type of raw voxels as NumPy writes it, with its byte order: ``uint8``, ``<u2``.
        order: Which axis of raw voxels runs fastest: the first (``F``, as in VTK and ImageJ, if not
            given) or the last (``C``).

    Returns:
        Numbers, (n1, n2) or (n1, n2, n3).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or of no known format, or arguments do not suit it.
        RuntimeError: If a ``.vti`` file is read without PyVista.
    """
    path = Path(path)
    suffix = _format(path)
    if suffix == ".raw":
        if shape is None or dtype is None:
            raise ValueError(f"{path}: raw voxels need a shape and a dtype")
    elif shape is not None or dtype is not None or order is not None:
        raise ValueError(f"{path}: shape, dtype and order are for raw voxels (.raw) alone")
    if array is not None and suffix != ".vti":
        raise ValueError(f"{path}: only .vti files have named arrays")
    content = path.read_bytes()
    if suffix == ".raw":
        values = _from_raw(path, content, tuple(shape or ()), str(dtype), order or "F")
    elif suffix == ".npy":
        try:
            values = np.load(io.BytesIO(content), allow_pickle=False)
        except (ValueError, EOFError, SyntaxError) as error:
            raise ValueError(f"{path} is not a whole .npy file: {error}") from error
    elif suffix == ".vti":
        values = _from_vti(path, array)
    else:
        values = _from_picture(path, content)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "buif":
        raise ValueError(f"{path} holds no array of numbers")
    if values.ndim not in (2, 3) or values.size == 0:
        raise ValueError(f"{path} has shape {values.shape}; an image has 2 or 3 axes")
    return values


def write_voxels(
    image: PhaseImage, path: str | os.PathLike[str], *, order: Order | None = None
) -> None:
    """Write the phases of an image, numbered from 0, to a file of another program.

    Only ``.vti`` has room for cut voxels: cell data ``share_NAME`` of every phase, beside
    ``phase``. In all other files a cut voxel counts as filled by the phase that it holds most of.
    None has room for axes. Pictures spread the phases evenly from black to white.

    Args:
        image: What is written.
        path: Its suffix tells the format, see `read_voxels`. A ``.png`` holds two dimensions.
        order: Which axis of raw voxels runs fastest; ``F``, if not given.

    Raises:
        ValueError: If the format is unknown, cannot hold the image or has no such order.
        RuntimeError: If a ``.vti`` file is written without PyVista.
    """
    path = Path(path)
    suffix = _format(path)
    if order is not None and suffix != ".raw":
        raise ValueError(f"{path}: order is for raw voxels (.raw) alone")
    if suffix == ".raw":
        content = image.phases.tobytes(order or "F")
    elif suffix == ".npy":
        stream = io.BytesIO()
        np.save(stream, image.phases, allow_pickle=False)
        content = stream.getvalue()
    elif suffix == ".vti":
        content = _to_vti(image)
    else:
        content = _to_picture(image, path)
    write_atomically(path, content)


@contextlib.contextmanager
def vtk_messages() -> Iterator[tuple[ModuleType, Callable[[], str]]]:
    """PyVista, and what VTK has said so far within the context instead of on standard error.

    Raises:
        RuntimeError: If PyVista, which is an optional dependency, is not installed.
    """
    try:
        import pyvista
        from vtkmodules.vtkCommonCore import vtkLogger, vtkOutputWindow, vtkStringOutputWindow
    except ImportError as error:
        raise RuntimeError(
            ".vti files and pictures in 3D need PyVista: pip install 'dmn-fem[vtk]'"
        ) from error
    usual, window = vtkOutputWindow.GetInstance(), vtkStringOutputWindow()
    vtkOutputWindow.SetInstance(window)
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        yield pyvista, window.GetOutput
    finally:
        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_INFO)
        vtkOutputWindow.SetInstance(usual)


def _format(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(f"{path}: no known voxel file; one of {', '.join(FORMATS)} is")
    return suffix


def _from_raw(
    path: Path, content: bytes, shape: tuple[int, ...], dtype: str, order: Order
) -> NDArray[Any]:
    try:
        kind = np.dtype(dtype)
    except TypeError as error:
        raise ValueError(f"dtype is {dtype!r}; NumPy has no such type") from error
    if kind.kind not in "buif":
        raise ValueError(f"dtype is {dtype!r}; voxels must be numbers")
    expected = int(np.prod(shape)) * kind.itemsize
    if min(shape, default=0) < 1 or len(content) != expected:
        raise ValueError(
            f"{path} has {len(content)} bytes; shape {shape} of {kind} needs {expected}"
        )
    return np.frombuffer(content, kind).reshape(shape, order=order)


def _from_picture(path: Path, content: bytes) -> NDArray[Any]:
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content)) as picture:
            warnings.filterwarnings("error", _DAMAGE_WARNING, UserWarning)
            pages = [
                np.asarray(page if page.mode in _GREY_MODES else page.convert("L"))
                for page in ImageSequence.Iterator(picture)
            ]
    except _DAMAGE as error:
        raise ValueError(f"{path} is not a whole picture: {error}") from error
    if len({(page.shape, page.dtype) for page in pages}) > 1:
        raise ValueError(f"{path}: its pages differ in size or type")
    # Rows run down from the top: direction 2 points up.
    oriented = [page[::-1].T for page in pages]
    return oriented[0] if len(oriented) == 1 else np.stack(oriented, axis=-1)


def _to_picture(image: PhaseImage, path: Path) -> bytes:
    if image.dimension == 3 and path.suffix.lower() == ".png":
        raise ValueError(f"{path}: a .png holds 2 dimensions; a stack of pages is a .tif")
    if len(image.names) > 256:
        raise ValueError(f"{path}: a picture holds 256 phases; the image has {len(image.names)}")
    grey = np.rint(np.linspace(0, 255, max(len(image.names), 2))).astype(np.uint8)[image.phases]
    planes = [grey] if image.dimension == 2 else list(np.moveaxis(grey, 2, 0))
    pages = [Image.fromarray(np.ascontiguousarray(plane.T[::-1])) for plane in planes]
    stream = io.BytesIO()
    if path.suffix.lower() == ".png":
        pages[0].save(stream, "PNG")
    else:
        pages[0].save(
            stream, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_deflate"
        )
    return stream.getvalue()


def _from_vti(path: Path, name: str | None) -> NDArray[Any]:
    with vtk_messages() as (vista, messages):
        from vtkmodules.vtkIOXML import vtkXMLImageDataReader

        reader = vtkXMLImageDataReader()
        reader.SetFileName(str(path))
        # The reader says what is wrong with a file and goes on.
        if not reader.CanReadFile(str(path)):
            raise ValueError(f"{path} holds no VTK image data")
        reader.Update()
        if messages():
            # "ERROR: In SOURCE, line N\nCLASS (ADDRESS): what is wrong", and what follows from it.
            reason = messages().partition("): ")[2].partition("\n")[0]
            raise ValueError(f"{path} is not whole VTK image data: {reason}")
        grid: Any = vista.wrap(reader.GetOutput())
    if not np.allclose(grid.spacing, grid.spacing[0], rtol=1e-6, atol=0):
        raise ValueError(f"{path}: its spacing is {grid.spacing}; voxels must be squares or cubes")
    points = tuple(grid.dimensions)
    cells = tuple(max(length - 1, 1) for length in points)
    found = {key: (values, cells) for key, values in grid.cell_data.items()}
    found |= {key: (values, points) for key, values in grid.point_data.items()}
    if name is None and len(found) == 1:
        name = next(iter(found))
    if name not in found:
        raise ValueError(
            f"{path}: name one of its arrays, {', '.join(found)}"
            if found
            else f"{path} holds no array"
        )
    values, lengths = found[name]
    if np.ndim(values) != 1:
        raise ValueError(f"{path}: array {name} has several components a voxel; an image has one")
    values = np.asarray(values).reshape(lengths, order="F")
    return values[:, :, 0] if lengths[2] == 1 else values


def _to_vti(image: PhaseImage) -> bytes:
    lengths = [*image.shape, 1][:3]
    with vtk_messages() as (vista, _):
        grid: Any = vista.ImageData(dimensions=[length + 1 for length in lengths])
    grid.cell_data["phase"] = image.phases.ravel(order="F")
    if image.cut is not None:
        for name in image.names:
            grid.cell_data[f"share_{name}"] = image.share(name).ravel(order="F")
    with tempfile.TemporaryDirectory() as folder:
        grid.save(Path(folder) / "image.vti")
        return (Path(folder) / "image.vti").read_bytes()
