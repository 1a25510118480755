"""The verb that asks a phase image for its effective properties: homogenize."""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from dmn_fem.cli._console import console, matrix_table
from dmn_fem.notation import COMPONENTS, Array

if TYPE_CHECKING:
    from dmn_fem.microstructure import PhaseImage

type Estimates = dict[str, float]

_TITLES = {
    "reuss": "Reuss",
    "hashin_shtrikman_lower": "Hashin-Shtrikman, lower",
    "mori_tanaka": "Mori-Tanaka",
    "self_consistent": "self-consistent",
    "full_field": "full field",
    "hashin_shtrikman_upper": "Hashin-Shtrikman, upper",
    "voigt": "Voigt",
}


def homogenize_image(
    file: Annotated[Path, typer.Argument(metavar="NPZ", help="A phase image.")],
    phases: Annotated[
        Path | None, typer.Option("--phases", metavar="TOML", help="The law of every phase.")
    ] = None,
    expansion: Annotated[
        list[str] | None,
        typer.Option(
            "--expansion",
            metavar="PHASE=VALUE",
            help="Thermal strain per degree, of every phase: one number, or three for 11,22,33.",
        ),
    ] = None,
    conductivity: Annotated[
        list[str] | None,
        typer.Option(
            "--conductivity",
            metavar="PHASE=VALUE",
            help="Of every phase: one number, or one for every axis: 1.2,0.4.",
        ),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(help="Relative error of the energies (of the fields, with an expansion)."),
    ] = 1e-4,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Effective stiffness, thermal expansion (both Mandel) and conductivity of a phase image.

    Bounds and mean-field estimates stand beside: of bulk modulus (in 2D the transverse one,
    in plane strain), shear modulus and mean conductivity. Where anisotropic phases are turned in
    the voxels, Voigt's stands there alone.

    Example: `dmn-fem homogenize cell.npz --phases phases.toml --expansion matrix=6e-5
    --expansion inclusion=5e-6 --conductivity matrix=0.2 --conductivity inclusion=1.1`
    """
    from dmn_fem.homogenization import effective_conductivity, homogenize, thermoelastic
    from dmn_fem.microstructure import PhaseImage

    image = PhaseImage.load(file)
    if phases is None and expansion:
        raise ValueError("--expansion needs the stiffnesses of --phases")
    if phases is None and not conductivity:
        raise ValueError("nothing to homogenise; give --phases or --conductivity")
    fractions = image.volume_fractions
    answer: dict[str, Any] = {
        "volume_fractions": dict(zip(image.names, fractions.tolist(), strict=True))
    }
    estimates: dict[str, Estimates] = {}
    if phases is not None:
        stiffness = _stiffnesses(phases, image)
        answer |= {"notation": "mandel", "components": list(COMPONENTS[image.dimension])}
        if expansion:
            values = np.zeros(stiffness.shape[:2])
            values[:, :3] = _by_phase("--expansion", expansion, image, 3)
            result = thermoelastic(image, stiffness, values, tolerance)
            answer["expansion"] = result.expansion.tolist()
            found = result.stiffness
        else:
            found = homogenize(image, stiffness, tolerance).stiffness
        answer["stiffness"] = found.tolist()
        estimates |= _moduli(image, stiffness, found)
    if conductivity:
        diagonals = _by_phase("--conductivity", conductivity, image, image.dimension)
        phase_conductivity = diagonals[:, :, None] * np.eye(image.dimension)
        found = effective_conductivity(image, phase_conductivity, tolerance).conductivity
        answer["conductivity"] = found.tolist()
        estimates["mean_conductivity"] = _mean_conductivities(image, phase_conductivity, found)
    if as_json:
        print(json.dumps(answer | estimates))
    else:
        _show(answer, estimates)


def _stiffnesses(path: Path, image: "PhaseImage") -> Array:
    """Initial stiffness of every phase, (P, s, s)."""
    from dmn_fem.laws import initial_stiffness, read_phases

    laws = read_phases(path)
    if set(laws) != set(image.names):
        raise ValueError(
            f"{path}: has the phases {', '.join(laws) or '(none)'}; "
            f"the image needs {', '.join(image.names)}"
        )
    return np.stack([initial_stiffness(laws[name], image.dimension) for name in image.names])


def _by_phase(option: str, entries: list[str], image: "PhaseImage", count: int) -> Array:
    """Values of options PHASE=VALUE, one for each phase, (P, count).

    Raises:
        ValueError: If an entry is no such thing, or a phase has none or two.
    """
    values: dict[str, list[float]] = {}
    for entry in entries:
        name, _, text = entry.partition("=")
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) not in (1, count) or not np.isfinite(numbers).all():
            raise ValueError(f"{option} {entry}: it must be PHASE=NUMBER, or {count} numbers")
        if name in values:
            raise ValueError(f"{option} {entry}: {name} is given twice")
        values[name] = numbers * (count // len(numbers))
    if set(values) != set(image.names):
        raise ValueError(
            f"{option} is given for {', '.join(values)}; "
            f"the phases of the image are {', '.join(image.names)}"
        )
    return np.array([values[name] for name in image.names])


def _moduli(image: "PhaseImage", stiffness: Array, found: Array) -> dict[str, Estimates]:
    """Bulk and shear moduli of the full field, beside their estimates."""
    from dmn_fem.homogenization import Moduli, hashin_shtrikman

    phases = [Moduli.nearest(each) for each in stiffness]
    isotropic = all(one.describe(each) for one, each in zip(phases, stiffness, strict=True))
    matrices = _matrices(image, stiffness, found, isotropic)
    moduli = {name: Moduli.nearest(each) for name, each in matrices.items()}
    if isotropic:
        bulk, shear = np.transpose(phases)
        lower, upper = hashin_shtrikman(image.volume_fractions, bulk, shear, image.dimension)
        moduli |= {"hashin_shtrikman_lower": lower, "hashin_shtrikman_upper": upper}
    return {
        "bulk_modulus": {name: each.bulk for name, each in moduli.items()},
        "shear_modulus": {name: each.shear for name, each in moduli.items()},
    }


def _mean_conductivities(image: "PhaseImage", conductivity: Array, found: Array) -> Estimates:
    """Mean over the axes of the full field's conductivity, beside its estimates."""
    from dmn_fem.homogenization import hashin_shtrikman_conductivity

    d = image.dimension
    values = conductivity[:, 0, 0]
    isotropic = bool((conductivity == values[:, None, None] * np.eye(d)).all())
    matrices = _matrices(image, conductivity, found, isotropic)
    means = {name: float(np.trace(each)) / d for name, each in matrices.items()}
    if isotropic:
        lower, upper = hashin_shtrikman_conductivity(image.volume_fractions, values, d)
        means |= {"hashin_shtrikman_lower": lower, "hashin_shtrikman_upper": upper}
    return means


def _matrices(
    image: "PhaseImage", phases: Array, found: Array, isotropic: bool
) -> dict[str, Array]:
    """What was found, and all estimates that exist for these phases.

    They know of no turned phases. Voigt's mean of them is another matrix, but of the same moduli.
    """
    from dmn_fem.homogenization import mori_tanaka, reuss, self_consistent, voigt

    fractions, dimension = image.volume_fractions, image.dimension
    matrices = {"full_field": found, "voigt": voigt(fractions, phases)}
    if image.axes is not None and not isotropic:
        return matrices
    matrices["reuss"] = reuss(fractions, phases)
    # Insulators may take the medium apart that surrounds the inclusions.
    if image.matrix is not None and phases[image.names.index(image.matrix)].any():
        matrix = image.names.index(image.matrix)
        matrices["mori_tanaka"] = mori_tanaka(fractions, phases, dimension, matrix=matrix)
    with suppress(ValueError):
        matrices["self_consistent"] = self_consistent(fractions, phases, dimension)
    return matrices


def _show(answer: dict[str, Any], estimates: dict[str, Estimates]) -> None:
    """Print the effective properties as tables."""
    parts = answer["volume_fractions"].items()
    console.print("volume fractions: " + ", ".join(f"{name} {part:.4f}" for name, part in parts))
    components = answer.get("components", [])
    axes = [str(axis + 1) for axis in range(len(answer.get("conductivity", [])))]
    tables = [("stiffness", components), ("expansion", components), ("conductivity", axes)]
    for title, names in tables:
        if title not in answer:
            continue
        matrix = np.atleast_2d(answer[title])
        console.print(matrix_table(title, names if len(matrix) > 1 else [""], names, matrix))
    table = Table("", *(name.replace("_", " ") for name in estimates))
    for key, title in _TITLES.items():
        if any(key in each for each in estimates.values()):
            values = [f"{each[key]:.6g}" if key in each else "" for each in estimates.values()]
            table.add_row(title, *values)
    console.print(table)
    if any("reuss" not in each for each in estimates.values()):
        console.print("anisotropic phases are turned in the voxels: of the bounds, Voigt's alone")
