"""Hashin's coated discs and spheres in the medium that they do not disturb, as full fields.

The mean field of such a cell is uniform outside of the coating, so the effective property is that
of the surrounding medium, Hashin and Shtrikman's bound: an exact answer of a curved microstructure
of three phases (Hashin 1962, Hashin and Shtrikman 1962, Hashin and Rosen 1964).
"""

import numpy as np
import pytest

from dmn_fem.homogenization import (
    Mixing,
    effective_conductivity,
    hashin_shtrikman,
    hashin_shtrikman_conductivity,
    homogenize,
    thermoelastic,
)
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import IN_PLANE

RADII = 0.27, 0.41  # of core and coating, in edges of the cell
CENTER = 0.493  # off the symmetry of the grid


def coated(dimension: int, grid: int) -> PhaseImage:
    """Medium, coating and core, in composite voxels."""
    factor = 8 if dimension == 2 else 4
    points = (np.indices((grid * factor,) * dimension) + 0.5) / (grid * factor)
    distance = np.linalg.norm(points - CENTER, axis=0)
    phases = (distance < RADII[0]).astype(np.uint8) + (distance < RADII[1])
    return PhaseImage(phases, ("medium", "coating", "core")).coarsen(factor)


def fractions(dimension: int) -> list[float]:
    """Of coating and core within the coated particle."""
    core = (RADII[0] / RADII[1]) ** dimension
    return [1 - core, core]


def stiffnesses(bulk, shear, dimension: int) -> np.ndarray:
    """Isotropic stiffnesses (P, s, s) of bulk (in 2D transverse) and shear moduli."""
    size = 4 if dimension == 2 else 6
    stiffness = np.zeros((len(bulk), size, size))
    for matrix, k, g in zip(stiffness, bulk, shear, strict=True):
        matrix += 2 * g * np.eye(size)
        matrix[:3, :3] += k - 2 * g / dimension
    return stiffness


@pytest.mark.parametrize("core", [0.1, 10.0])
@pytest.mark.parametrize(("dimension", "grids"), [(2, (32, 128)), (3, (12, 36))])
def test_conductors(core: float, dimension: int, grids) -> None:
    bounds = hashin_shtrikman_conductivity(fractions(dimension), [1.0, core], dimension)
    exact = bounds[0] if core > 1 else bounds[1]
    k = np.multiply.outer([exact, 1.0, core], np.eye(dimension))
    errors = []
    for grid in grids:
        # Three nested phases have no thin walls, which the default keeps a Voigt part for in 3D.
        found = effective_conductivity(
            coated(dimension, grid), k, mixing=Mixing.LAMINATE
        ).conductivity
        errors.append(np.linalg.norm(found / exact - np.eye(dimension)))
    assert errors[-1] < 1e-3
    assert errors[-1] < 0.4 * errors[0]


@pytest.mark.parametrize("core", [0.1, 10.0])
@pytest.mark.parametrize(("dimension", "grids"), [(2, (32, 128)), (3, (12, 24))])
def test_bulk_moduli(core: float, dimension: int, grids) -> None:
    """Under equal strains along all axes; the medium's shear modulus does not matter."""
    bulk, shear = np.array([1.0, core]), np.array([0.6, 0.4 * core])
    bounds = hashin_shtrikman(fractions(dimension), bulk, shear, dimension)
    exact = (bounds[0] if core > 1 else bounds[1]).bulk
    stiffness = stiffnesses([exact, *bulk], [0.5, *shear], dimension)
    if dimension == 2:
        stiffness = stiffness[:, IN_PLANE][:, :, IN_PLANE]
    errors = []
    for grid in grids:
        found = homogenize(coated(dimension, grid), stiffness).stiffness
        pressure = found[:, :dimension].sum(axis=1) / dimension
        expected = np.where(np.arange(len(pressure)) < dimension, exact, 0.0)
        errors.append(np.linalg.norm(pressure - expected) / exact)
    assert errors[-1] < 2e-3
    assert errors[-1] < 0.6 * errors[0]


def test_expansion() -> None:
    """The surrounding medium has Levin's expansion of the coated sphere."""
    bulk, shear, alpha = np.array([1.0, 8.0]), np.array([0.6, 3.0]), np.array([1.0, 0.1])
    exact = hashin_shtrikman(fractions(3), bulk, shear, 3)[0].bulk
    slope = np.diff(alpha)[0] / np.diff(1 / bulk)[0]
    expansion = fractions(3) @ alpha + slope * (1 / exact - fractions(3) @ (1 / bulk))
    stiffness = stiffnesses([exact, *bulk], [0.5, *shear], 3)
    errors = []
    for grid in (12, 24):
        found = thermoelastic(coated(3, grid), stiffness, [expansion, *alpha]).expansion
        errors.append(np.linalg.norm(found / expansion - [1, 1, 1, 0, 0, 0]))
    assert errors[1] < 2e-3
    assert errors[1] < 0.6 * errors[0]
