"""The verbs that make data: microstructure and sample."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dmn_fem.cli._console import console, progress_bar
from dmn_fem.microstructure import PhaseImage, discs, spheres


class Particles(StrEnum):
    """What `dmn-fem microstructure` generates."""

    discs = "discs"
    spheres = "spheres"


def microstructure(
    kind: Annotated[Particles, typer.Argument(help="What the cell is made of.")],
    output: Annotated[Path, typer.Option("--output", metavar="NPZ")],
    volume_fraction: Annotated[float, typer.Option(help="Of the particles.")],
    count: Annotated[int, typer.Option(help="Number of particles.")] = 30,
    seed: Annotated[int, typer.Option(help="Of the random placement.")] = 0,
    gap: Annotated[float, typer.Option(help="Least gap between particles, in diameters.")] = 0.05,
    grid: Annotated[int, typer.Option(help="Voxels along each axis.")] = 128,
    picture: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw it.")] = None,
) -> None:
    """Generate a periodic cell: discs or spheres of prescribed volume fraction.

    Example: `dmn-fem microstructure discs --volume-fraction 0.3 --output cell.npz`
    """
    generator = {Particles.discs: discs, Particles.spheres: spheres}[kind]
    image = generator(volume_fraction, count, seed, gap).image(grid)
    image.save(output)
    if picture is not None:
        from dmn_fem.plotting import plot_image

        plot_image(image, picture)
    parts = zip(image.names, image.volume_fractions, strict=True)
    console.print(f"wrote {output}: " + ", ".join(f"{name} {part:.4f}" for name, part in parts))


def sample_image(
    image: Annotated[Path, typer.Argument(metavar="NPZ", help="A phase image.")],
    output: Annotated[Path, typer.Option("--output", metavar="H5")],
    count: Annotated[int, typer.Option(help="Number of samples.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the phase stiffnesses.")] = 0,
    tolerance: Annotated[float, typer.Option(help="Residual of the full fields.")] = 1e-4,
    processes: Annotated[int, typer.Option(help="Processes that compute.")] = 1,
) -> None:
    """Homogenise a phase image for random phase stiffnesses: a training set.

    A call that was interrupted goes on where it was; a finished one computes nothing.

    Example: `dmn-fem sample cell.npz --count 200 --output samples.h5`
    """
    from dmn_fem.homogenization import sample

    phases = PhaseImage.load(image)
    with progress_bar() as bar:
        task = bar.add_task(output.name, total=count, note="")
        sample(
            phases,
            output,
            count,
            seed,
            tolerance,
            processes,
            {"volume_fraction": float(phases.volume_fractions[-1])},
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    console.print(f"wrote {output}: {count} samples")
