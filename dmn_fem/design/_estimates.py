"""Bounds and mean-field estimates beside what a network answers."""

from contextlib import suppress

import numpy as np

from dmn_fem.design._constants import elastic_constants, universal_anisotropy
from dmn_fem.homogenization import (
    Inclusion,
    Moduli,
    hashin_shtrikman,
    mori_tanaka,
    orientation_average,
    reuss,
    self_consistent,
    voigt,
)
from dmn_fem.notation import Array

ISOTROPIC = 0.05
"""Universal anisotropy up to which a composite is shown beside the bounds of isotropic ones."""


def estimates(
    composite: Array,
    fractions: Array,
    phases: Array,
    dimension: int,
    matrix: int | None = None,
    shape: Inclusion | None = None,
    orientation: Array | None = None,
    *,
    turned: bool = False,
) -> dict[str, dict[str, float]]:
    """Elastic constants by the name of the bound or estimate, those that exist for these phases.

    Young's and shear moduli of Voigt's and Reuss's matrices bound those of every composite, as the
    order of stiffnesses passes to the diagonal of the compliance; Poisson's ratios have no such
    bounds. Hashin-Shtrikman bounds need isotropic phases and an isotropic composite (`ISOTROPIC`).
    Mori-Tanaka needs a matrix; fibres of an orientation tensor are aligned in it first, and
    averaged over their directions then. A self-consistent medium is made of grains of one shape and
    direction, of all phases; it may not exist. Phases that are anisotropic and turned within the
    microstructure have none of all these, which know phases in one position alone.

    Args:
        composite: What the composite has, Mandel stiffness, (s, s).
        fractions: Volume fractions, (P,).
        phases: Mandel stiffnesses, (P, s, s).
        dimension: 2 or 3.
        matrix: The phase that surrounds the others, if one does.
        shape: Of the inclusions; spheres or discs if not given.
        orientation: Orientation tensor of fibres, (3, 3); all along the shape's axis if not given.
        turned: Whether the axes of the phases turn within the microstructure.
    """
    moduli = [Moduli.nearest(each) for each in phases]
    isotropic = all(one.describe(each) for one, each in zip(moduli, phases, strict=True))
    if turned and not isotropic:
        return {}
    result = {
        "reuss": _bounded(reuss(fractions, phases)),
        "voigt": _bounded(voigt(fractions, phases)),
    }
    if isotropic and universal_anisotropy(composite) <= ISOTROPIC:
        bulk, shear = np.transpose(moduli)
        lower, upper = hashin_shtrikman(fractions, bulk, shear, dimension)
        result["hashin_shtrikman_lower"] = _bounded(_isotropic(lower, dimension))
        result["hashin_shtrikman_upper"] = _bounded(_isotropic(upper, dimension))
    shape = Inclusion() if shape is None else shape
    if matrix is not None:
        found = mori_tanaka(fractions, phases, dimension, shape, matrix)
        if orientation is not None:
            found = orientation_average(found, orientation)
        result["mori_tanaka"] = elastic_constants(found)
    if orientation is None:
        with suppress(ValueError):
            found = self_consistent(fractions, phases, dimension, shape)
            result["self_consistent"] = elastic_constants(found)
    return {
        name: {quantity: float(value) for quantity, value in constants.items()}
        for name, constants in result.items()
    }


def _bounded(stiffness: Array) -> dict[str, Array]:
    """The elastic constants that a bound of the stiffness bounds."""
    return {
        name: value
        for name, value in elastic_constants(stiffness).items()
        if not name.startswith("poisson")
    }


def _isotropic(moduli: Moduli, dimension: int) -> Array:
    """Mandel stiffness of an isotropic medium, in 2D in plane, (6, 6) or (3, 3)."""
    size = 3 if dimension == 2 else 6
    stiffness = 2 * moduli.shear * np.eye(size)
    stiffness[:dimension, :dimension] += moduli.bulk - 2 * moduli.shear / dimension
    return stiffness
