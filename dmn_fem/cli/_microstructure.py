"""The verb microstructure: one sub-command a generator."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from dmn_fem.cli._console import console

if TYPE_CHECKING:
    from dmn_fem.microstructure import PhaseImage

microstructure_app = typer.Typer(
    help="Generate a periodic cell, of exact volume fraction (grains: to the grid).\n\n"
    "Example: `dmn-fem microstructure discs --volume-fraction 0.3 --output cell.npz`"
)

Output = Annotated[Path, typer.Option("--output", metavar="NPZ")]
Picture = Annotated[Path | None, typer.Option(metavar="PNG", help="Draw it.")]
Seed = Annotated[int, typer.Option(min=0, help="Of all that is random.")]
Grid = Annotated[int, typer.Option(help="Voxels along each axis.")]
Gap = Annotated[float, typer.Option(help="Least gap between two of them, in mean diameters.")]
Variation = Annotated[float, typer.Option(help="Coefficient of variation of the diameters.")]
PlacedAt = Annotated[
    float | None,
    typer.Option(help="Volume fraction at which they find their places, where they then shrink."),
]
Dimension = Annotated[int, typer.Option(help="2 or 3.")]


@microstructure_app.callback(invoke_without_command=True)
def _without_generator(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@microstructure_app.command("discs")
def make_discs(
    output: Output,
    volume_fraction: Annotated[float, typer.Option(help="Of the discs.")],
    count: Annotated[int, typer.Option(help="Number of discs.")] = 30,
    seed: Seed = 0,
    gap: Gap = 0.05,
    variation: Variation = 0.0,
    placed_at: PlacedAt = None,
    grid: Grid = 128,
    picture: Picture = None,
) -> None:
    """Discs in 2D: particles, or the section of unidirectional fibres.

    Example: `dmn-fem microstructure discs --volume-fraction 0.6 --variation 0.3 --output cell.npz`
    """
    from dmn_fem.microstructure import discs

    cell = discs(volume_fraction, count, seed, gap, variation, placed_at)
    _write(cell.image(grid), output, picture)


@microstructure_app.command("spheres")
def make_spheres(
    output: Output,
    volume_fraction: Annotated[float, typer.Option(help="Of the spheres.")],
    count: Annotated[int, typer.Option(help="Number of spheres.")] = 30,
    seed: Seed = 0,
    gap: Gap = 0.01,
    variation: Variation = 0.0,
    placed_at: PlacedAt = None,
    grid: Grid = 64,
    picture: Picture = None,
) -> None:
    """Spheres in 3D.

    Example: `dmn-fem microstructure spheres --volume-fraction 0.3 --output cell.npz`
    """
    from dmn_fem.microstructure import spheres

    cell = spheres(volume_fraction, count, seed, gap, variation, placed_at)
    _write(cell.image(grid), output, picture)


@microstructure_app.command("fibres")
def make_fibres(
    output: Output,
    volume_fraction: Annotated[float, typer.Option(help="Of the fibres.")],
    count: Annotated[int, typer.Option(help="Number of fibres.")] = 100,
    aspect_ratio: Annotated[float, typer.Option(help="Length over diameter.")] = 10.0,
    orientation: Annotated[
        tuple[float, float, float],
        typer.Option(metavar="A11 A22 A33", help="Diagonal of the orientation tensor."),
    ] = (1 / 3, 1 / 3, 1 / 3),
    seed: Seed = 0,
    gap: Gap = 0.05,
    placed_at: PlacedAt = None,
    grid: Grid = 64,
    picture: Picture = None,
) -> None:
    """Straight short fibres in 3D, of prescribed orientation tensor.

    Example: `dmn-fem microstructure fibres --volume-fraction 0.15 --orientation 0.7 0.2 0.1
    --output cell.npz`
    """
    from dmn_fem.microstructure import fibres

    cell = fibres(volume_fraction, count, seed, aspect_ratio, orientation, gap, placed_at)
    _write(cell.image(grid), output, picture)


@microstructure_app.command("polycrystal")
def make_polycrystal(
    output: Output,
    dimension: Dimension = 3,
    count: Annotated[int, typer.Option(help="Number of grains.")] = 50,
    variation: Annotated[
        float | None,
        typer.Option(
            help="Laguerre grains whose volumes have this coefficient of variation; "
            "without it those of Voronoi."
        ),
    ] = None,
    orientations: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Write volumes and orientations (quaternions)."),
    ] = None,
    seed: Seed = 0,
    grid: Grid = 64,
    picture: Picture = None,
) -> None:
    """Grains of Voronoi or, of prescribed volumes, of Laguerre; every grain is a phase.

    Example: `dmn-fem microstructure polycrystal --variation 0.4 --orientations grains.csv
    --output cell.npz`
    """
    from dmn_fem.microstructure import laguerre, voronoi

    if variation is None:
        cell = voronoi(dimension, count, seed)
    else:
        cell = laguerre(dimension, count, seed, variation)
    image = cell.image(grid)
    if orientations is not None:
        rows = [
            ",".join([name, *(f"{float(value)!r}" for value in (volume, *quaternion))])
            for name, volume, quaternion in zip(
                image.names, cell.volumes, cell.orientation, strict=True
            )
        ]
        lines = ["grain,volume,q0,q1,q2,q3", *rows]
        orientations.write_text("\n".join(lines) + "\n", encoding="utf-8")
    _write(image, output, picture)


@microstructure_app.command("random-field")
def make_random_field(
    output: Output,
    volume_fraction: Annotated[float, typer.Option(help="Of the second phase.")] = 0.5,
    dimension: Dimension = 3,
    wavelength: Annotated[float, typer.Option(help="In edges of the cell.")] = 0.125,
    bandwidth: Annotated[float, typer.Option(help="Relative width of the band of waves.")] = 0.2,
    seed: Seed = 0,
    grid: Grid = 64,
    picture: Picture = None,
) -> None:
    """Bicontinuous phases, as after spinodal decomposition.

    Example: `dmn-fem microstructure random-field --volume-fraction 0.4 --output cell.npz`
    """
    from dmn_fem.microstructure import random_field

    cell = random_field(dimension, volume_fraction, seed, wavelength, bandwidth)
    _write(cell.image(grid), output, picture)


@microstructure_app.command("layers")
def make_layers(
    fractions: Annotated[list[float], typer.Argument(help="Volume fractions, of sum one.")],
    output: Output,
    dimension: Dimension = 2,
    axis: Annotated[int, typer.Option(help="Normal direction: 1, 2 or 3.")] = 1,
    grid: Grid = 64,
    picture: Picture = None,
) -> None:
    """Layers, each a phase.

    Example: `dmn-fem microstructure layers 0.25 0.45 0.3 --output cell.npz`
    """
    from dmn_fem.microstructure import layers

    if not 1 <= axis <= dimension:
        raise ValueError(f"axis is {axis}; it must be 1 … {dimension}")
    _write(layers(dimension, grid, fractions, axis - 1), output, picture)


@microstructure_app.command("weave")
def make_weave(
    output: Output,
    volume_fraction: Annotated[float, typer.Option(help="Of all yarns.")] = 0.4,
    height: Annotated[float, typer.Option(help="Of the cell, in wavelengths.")] = 0.25,
    width: Annotated[float, typer.Option(help="Of a yarn, in wavelengths.")] = 0.45,
    gap: Annotated[float, typer.Option(help="Where yarns cross, in wavelengths.")] = 0.02,
    grid: Annotated[int, typer.Option(help="Voxels along directions 1 and 2.")] = 64,
    picture: Picture = None,
) -> None:
    """A plain weave: warp along direction 1, weft along direction 2, in a flat cell.

    Example: `dmn-fem microstructure weave --volume-fraction 0.5 --output cell.npz`
    """
    from dmn_fem.microstructure import weave

    _write(weave(volume_fraction, height, width, gap).image(grid), output, picture)


def _write(image: "PhaseImage", output: Path, picture: Path | None) -> None:
    """Save an image, draw it if asked to, and say what it holds."""
    image.save(output)
    if picture is not None:
        from dmn_fem.plotting import plot_image

        plot_image(image, picture)
    fractions = image.volume_fractions
    if len(image.names) > 4:
        spread = fractions.std() / np.mean(fractions)
        content = f"{len(image.names)} phases, coefficient of variation {spread:.3f}"
    else:
        parts = zip(image.names, fractions, strict=True)
        content = ", ".join(f"{name} {part:.4f}" for name, part in parts)
    console.print(f"wrote {output}: {content}")
