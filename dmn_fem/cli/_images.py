"""The verbs that exchange phase images with other programs and describe them."""

import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from dmn_fem.cli._console import console

if TYPE_CHECKING:
    from dmn_fem.microstructure import PhaseDescription, PhaseImage

ImageFile = Annotated[Path, typer.Argument(metavar="NPZ", help="A phase image.")]
Picture = Annotated[Path | None, typer.Option(metavar="PNG", help="Draw it.")]


class Closure(StrEnum):
    """How a picture becomes periodic."""

    mirror = "mirror"
    cut = "cut"


class VoxelOrder(StrEnum):
    """Which axis of raw voxels runs fastest: the last (C) or the first (F)."""

    C = "C"
    F = "F"


Order = Annotated[
    VoxelOrder | None,
    typer.Option(help="Raw voxels: the first (F, if not given) or last (C) axis runs fastest."),
]


def import_image(
    file: Annotated[Path, typer.Argument(help="A .png, .tif, .tiff, .npy, .vti or .raw file.")],
    output: Annotated[Path, typer.Option("--output", metavar="NPZ")],
    threshold: Annotated[
        str | None, typer.Option(metavar="A,B…", help="Grey values that begin a brighter phase.")
    ] = None,
    use_otsu: Annotated[
        bool, typer.Option("--otsu", help="Thresholds by Otsu's method, for as many --phases.")
    ] = False,
    labels: Annotated[
        str | None, typer.Option(metavar="A,B…", help="Value of every phase in a labelled image.")
    ] = None,
    phases: Annotated[
        str | None, typer.Option(metavar="A,B…", help="Names, from dark to bright.")
    ] = None,
    matrix: Annotated[
        str | None, typer.Option(help="The phase that surrounds all others as inclusions.")
    ] = None,
    crop: Annotated[
        str | None, typer.Option(metavar="A:B,C:D…", help="Voxels to keep along each direction.")
    ] = None,
    periodic: Annotated[
        Closure | None, typer.Option(help="Add mirror images, or stitch opposite margins.")
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(help="Voxels that stitching costs; else an eighth of the edge.")
    ] = None,
    coarsen: Annotated[
        int, typer.Option(help="Voxels along an edge that become one, cut by interfaces.")
    ] = 1,
    array: Annotated[str | None, typer.Option(help="Array of a .vti file.")] = None,
    shape: Annotated[
        str | None, typer.Option(metavar="N,N…", help="Voxels along each axis of a .raw file.")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="Type in a .raw file, as uint8, <u2.")] = None,
    order: Order = None,
    picture: Picture = None,
) -> None:
    """Make a phase image from a picture, a stack of pictures, an array or voxels.

    Without --threshold or --otsu every value of the file is the label of a phase. In a picture
    direction 1 points to the right and direction 2 up, so that `--crop :,60:` takes 60 rows off
    its bottom.

    Example: `dmn-fem image import sem.png --crop :,60: --otsu --phases matrix,fibre --periodic cut
    --output cell.npz`
    """
    from dmn_fem.microstructure import from_labels, mirror, otsu, read_voxels, segment, stitch

    if sum([threshold is not None, use_otsu, labels is not None]) > 1:
        raise typer.BadParameter("give one of --threshold, --otsu and --labels")
    if overlap is not None and periodic is not Closure.cut:
        raise typer.BadParameter("--overlap goes with --periodic cut")
    names = None if phases is None else [name.strip() for name in phases.split(",")]
    values = read_voxels(
        file,
        array=array,
        shape=None if shape is None else _numbers(shape, "--shape", int),
        dtype=dtype,
        order=None if order is None else order.value,
    )
    if crop is not None:
        values = _cropped(values, crop)
    try:
        if use_otsu:
            image = segment(values, otsu(values, len(names) if names else 2), names, matrix)
        elif threshold is not None:
            image = segment(values, _numbers(threshold, "--threshold", float), names, matrix)
        else:
            known = None if labels is None else _numbers(labels, "--labels", float)
            image = from_labels(values, names, known, matrix)
        if periodic is not None:
            image = mirror(image) if periodic is Closure.mirror else stitch(image, overlap)
        if coarsen != 1:
            image = image.coarsen(coarsen)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    image.save(output)
    if picture is not None:
        from dmn_fem.plotting import plot_image

        plot_image(image, picture)
    parts = zip(image.names, image.volume_fractions, strict=True)
    grid = " x ".join(str(length) for length in image.shape)
    console.print(
        f"wrote {output}: {grid} voxels, " + ", ".join(f"{name} {part:.4f}" for name, part in parts)
    )


def export_image(
    image: ImageFile,
    file: Annotated[Path, typer.Argument(help="A .png, .tif, .tiff, .npy, .vti or .raw file.")],
    order: Order = None,
) -> None:
    """Write a phase image to a file of other programs.

    Only .vti holds cut voxels, as the share of every phase.

    Example: `dmn-fem image export cell.npz cell.vti`
    """
    from dmn_fem.microstructure import PhaseImage, write_voxels

    phases = PhaseImage.load(image)
    write_voxels(phases, file, order=None if order is None else order.value)
    numbers = ", ".join(f"{number} {name}" for number, name in enumerate(phases.names))
    console.print(f"wrote {file}: {numbers}")


def describe_image(
    image: ImageFile,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw the correlation functions.")
    ] = None,
) -> None:
    """Descriptors: fractions, surfaces, orientations, two-point correlation, lineal path.

    Lengths are in edges of a voxel.

    Example: `dmn-fem image describe cell.npz --picture curves.png`
    """
    from dmn_fem.microstructure import PhaseImage, describe

    phases = PhaseImage.load(image)
    descriptions = describe(phases)
    if picture is not None:
        from dmn_fem.plotting import plot_descriptions

        plot_descriptions(descriptions, picture)
    if as_json:
        answer = {
            "shape": phases.shape,
            "matrix": phases.matrix,
            "cut_voxels": 0 if phases.cut is None else phases.cut.voxel.size,
            "phases": {name: each.to_json() for name, each in descriptions.items()},
        }
        print(json.dumps(answer))
        return
    console.print(_table(phases, descriptions))


def _table(image: "PhaseImage", descriptions: "dict[str, PhaseDescription]") -> Table:
    cut = 0 if image.cut is None else image.cut.voxel.size / image.phases.size
    grid = " x ".join(str(length) for length in image.shape)
    table = Table(
        "phase",
        "volume fraction",
        "specific surface",
        "mean chords",
        "orientation tensor",
        title=f"{grid} voxels, {100 * cut:.1f} % of them cut",
    )
    for name, each in descriptions.items():
        table.add_row(
            name,
            f"{each.volume_fraction:.5f}",
            f"{each.specific_surface:.5f}",
            ", ".join(f"{_mean_chord(path):.1f}" for path in each.lineal_path),
            "" if each.orientation_tensor is None else _rows(each.orientation_tensor),
        )
    return table


def _mean_chord(path: NDArray[np.float64]) -> float:
    """The lineal path begins with the slope -(chords per length): L(0) / (L(0) - L(1))."""
    return float(path[0] / (path[0] - path[1])) if path[0] > path[1] else float("inf")


def _rows(tensor: NDArray[np.float64]) -> str:
    return "\n".join(" ".join(f"{value:6.3f}" for value in row) for row in tensor)


def _numbers(text: str, option: str, kind: Callable[[str], Any]) -> list[Any]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{option} is {text!r}; it takes numbers as 1,2") from None


def _cropped(values: NDArray[Any], text: str) -> NDArray[Any]:
    """The voxels of a range along each axis, given as Python writes them."""
    ranges = [part.split(":") for part in text.split(",")]
    if len(ranges) != values.ndim or any(len(ends) != 2 for ends in ranges):
        raise typer.BadParameter(
            f"--crop is {text!r}; {values.ndim} directions need " + ",".join(["A:B"] * values.ndim)
        )
    parts = []
    for (first, last), length in zip(ranges, values.shape, strict=True):
        begin = _numbers(first, "--crop", int)[0] if first.strip() else 0
        end = _numbers(last, "--crop", int)[0] if last.strip() else length
        begin, end = begin + length * (begin < 0), end + length * (end < 0)
        if not 0 <= begin < end <= length:
            raise typer.BadParameter(f"--crop keeps {first}:{last} of {length} voxels")
        parts.append(slice(begin, end))
    return values[tuple(parts)]
