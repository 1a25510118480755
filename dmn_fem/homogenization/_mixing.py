"""The stiffness of voxels that an interface cuts.

The strains of the two phases of a voxel differ by a jump that minimises the energy, free within a
space that the rule sets: nothing (Voigt), the kinematically compatible jumps sym(a ⊗ n)
(laminate), everything (Reuss). One formula serves them all, `dmn_fem.network.laminate`.

Around a stiff inclusion a laminate voxel ties the soft matrix to it along the interface, which makes
the inclusion too large; around a soft one it cuts thin ligaments of the matrix. Reuss and Voigt
voxels cure the one and the other. So a cut voxel is laminate in part and Reuss or Voigt for the
rest, side by side at the same mean strain, and the parts follow the contrast of an inclusion to the
matrix around it. Where no phase surrounds the other, laminates are all there is.

References:
    Kabel, Merkert and Schneider (2015), Use of composite voxels in FFT-based homogenization, CMAME
    294.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from dmn_fem.microstructure import CutVoxels, PhaseImage
from dmn_fem.network import jump_operator, laminate
from dmn_fem.notation import IN_PLANE, Array

# Contrast at which half of a cut voxel is no laminate, and how sharply that part grows with it: for
# inclusions stiffer and softer than the matrix. Measured: benchmarks/composite_voxels.py.
_STIFF = (11.0, 1.5)
_SOFT = (40.0, 1.0)
_LEAST = 0.01  # part of a voxel below which a rule is left out
_CHUNK = 8192  # voxels mixed at once: memory of the temporaries


class Mixing(StrEnum):
    """How the two phases of a cut voxel share its strain."""

    VOIGT = "voigt"
    LAMINATE = "laminate"
    REUSS = "reuss"


def mixture(first: Array, second: Array, matrix: int | None) -> dict[Mixing, float]:
    """Which part of a voxel of two phases follows which rule.

    Args:
        first: Stiffness (or conductivity) of the one phase, (s, s); it may be zero.
        second: Of the other.
        matrix: Which of them, 0 or 1, surrounds the other; None if neither does.
    """
    if matrix is None:
        return {Mixing.LAMINATE: 1.0}
    surrounding, inclusion = (first, second) if matrix == 0 else (second, first)
    # The geometric mean of the eigenvalues measures an anisotropic stiffness.
    level = [np.linalg.det(each) ** (1 / len(first)) for each in (surrounding, inclusion)]
    rule, (half, exponent) = (
        (Mixing.REUSS, _STIFF) if level[1] > level[0] else (Mixing.VOIGT, _SOFT)
    )
    inverse_contrast = min(level) / max(level)
    part = 1.0 / (1.0 + (half * inverse_contrast) ** exponent)
    if part < _LEAST:
        return {Mixing.LAMINATE: 1.0}
    if part > 1 - _LEAST:
        return {rule: 1.0}
    return {Mixing.LAMINATE: 1.0 - part, rule: part}


def jumps(rule: Mixing, normal: Array, size: int) -> Array:
    """Basis of the jumps of strain (or gradient) that a rule allows, (m, size, k).

    Args:
        rule: The rule.
        normal: Unit normals, (m, dimension).
        size: Of a strain: 6; in 2D 3 (in plane) or 4 (the 33 component does not jump); or of a
            gradient: the dimension.
    """
    count, dimension = normal.shape
    if rule == Mixing.VOIGT:
        return np.zeros((count, size, 0))
    if size == dimension:
        return (
            normal[..., None] if rule == Mixing.LAMINATE else np.tile(np.eye(size), (count, 1, 1))
        )
    rows = np.arange(size) if size != 3 else np.array(IN_PLANE)
    if rule == Mixing.LAMINATE:
        return np.ascontiguousarray(jump_operator(normal, dimension)[:, rows])
    basis = np.eye(2 * dimension)[rows]
    return np.tile(basis[:, IN_PLANE] if dimension == 2 else basis, (count, 1, 1))


def pairs(image: PhaseImage, cut: CutVoxels) -> list[tuple[int, int, NDArray[np.intp]]]:
    """Pairs of phases that share voxels, and which of the cut voxels are theirs."""
    first = image.phases.ravel()[cut.voxel].astype(np.int64)
    code = first * len(image.names) + cut.phase
    return [
        (int(pair) // len(image.names), int(pair) % len(image.names), np.flatnonzero(code == pair))
        for pair in np.unique(code)
    ]


def mixture_of(
    image: PhaseImage, phase_stiffness: Array, first: int, second: int, rule: Mixing | None = None
) -> dict[Mixing, float]:
    """The mixture for two phases of an image by their stiffnesses, (P, s, s), or the given rule."""
    if rule is not None:
        return {rule: 1.0}
    matrix = None
    if image.matrix is not None:
        matrix = {first: 0, second: 1}.get(image.names.index(image.matrix))
    return mixture(phase_stiffness[first], phase_stiffness[second], matrix)


def voxel_stiffness(
    image: PhaseImage, phase_stiffness: Array, rule: Mixing | None = None
) -> tuple[Array, NDArray[np.int32]]:
    """Stiffness of every voxel, as a table and each voxel's row in it.

    Args:
        image: The image.
        phase_stiffness: Stiffness (or conductivity) of every phase, (P, s, s).
        rule: Of all cut voxels; if not given, each pair of phases has the mixture that suits.

    Returns:
        Stiffnesses, (P + cut voxels, s, s), and rows, (voxels,).
    """
    index = image.phases.ravel().astype(np.int32)
    cut = image.cut
    if cut is None:
        return phase_stiffness, index
    count, size = len(phase_stiffness), phase_stiffness.shape[-1]
    index[cut.voxel] = count + np.arange(cut.voxel.size, dtype=np.int32)
    table = np.zeros((count + cut.voxel.size, size, size))
    table[:count] = phase_stiffness
    for first, second, members in pairs(image, cut):
        parts = mixture_of(image, phase_stiffness, first, second, rule)
        for start in range(0, members.size, _CHUNK):
            chunk = members[start : start + _CHUNK]
            for each, part in parts.items():
                table[count + chunk] += part * laminate(
                    phase_stiffness[first],
                    phase_stiffness[second],
                    1.0 - cut.share[chunk],
                    jumps(each, cut.normal[chunk], size),
                )
    return table, index
