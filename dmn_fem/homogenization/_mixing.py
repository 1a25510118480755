"""The stiffness of voxels that an interface cuts.

The strains of the two phases of a voxel differ by a jump that minimises the energy, free within a
space that the rule sets: nothing (Voigt), the kinematically compatible jumps sym(a ⊗ n)
(laminate), everything (Reuss). One formula serves them all, `dmn_fem.network.laminate`.

Around a stiff inclusion a laminate voxel ties the soft matrix to it along the interface, which
makes the inclusion too large; around a soft one it cuts thin ligaments of the matrix. Reuss and
Voigt voxels cure the one and the other. So a cut voxel is laminate in part and Reuss or Voigt for
the rest, side by side at the same mean strain, and the parts follow the contrast of an inclusion to
the matrix around it. Stiff fibres want laminates up to higher contrasts: along them a cut voxel
carries its share of their load. Where no phase surrounds the other, laminates err least, in 3D with
a small Voigt part for what they cut of thin walls. Beside a void a voxel has the share of the
stiffness that is there: laminates would cut it off.

References:
    Kabel, Merkert and Schneider (2015), Use of composite voxels in FFT-based homogenization, CMAME
    294.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dmn_fem.microstructure import PhaseImage
from dmn_fem.network import jump_operator, laminate
from dmn_fem.notation import IN_PLANE, Array, mandel_rotation, rotation_from_quaternion

# Contrast at which half of a cut voxel is no laminate, and how sharply that part grows with it: for
# inclusions stiffer and softer than the matrix. Measured: benchmarks/composite_voxels.py.
_STIFF = (11.0, 1.5)
_SOFT = (40.0, 1.0)
_STIFF_FIBRE = (120.0, 1.0)  # which shares its load with the voxels along its surface
# Largest Voigt part where neither phase surrounds the other, in 3D, and the contrast of its half.
_WEB, _WEB_HALF = 0.12, 100.0
_FLOW = 0.04  # stiffness of a matrix that flows, of its elastic one
_LEAST = 0.01  # part of a voxel below which a rule is left out
_CHUNK = 8192  # voxels mixed at once: memory of the temporaries


class Mixing(StrEnum):
    """How the two phases of a cut voxel share its strain."""

    VOIGT = "voigt"
    LAMINATE = "laminate"
    REUSS = "reuss"


def mixture(
    first: Array,
    second: Array,
    matrix: int | None,
    dimension: int,
    slender: bool = False,
    flows: bool = False,
) -> dict[Mixing, float]:
    """Which part of a voxel of two phases follows which rule.

    Args:
        first: Stiffness (or conductivity) of the one phase, (s, s); it may be zero.
        second: Of the other.
        matrix: Which of them, 0 or 1, surrounds the other; None if neither does.
        dimension: 2 or 3.
        slender: Whether the other is fibres.
        flows: Whether the matrix is inelastic and the inclusion is not: it becomes the stiffer one
            then, unless it is very soft.
    """
    laminate_alone = {Mixing.LAMINATE: 1.0}
    if not (first.any() and second.any()):
        return {Mixing.VOIGT: 1.0}
    plane = np.ix_(IN_PLANE, IN_PLANE) if len(first) == 4 else ...
    # The geometric mean of the eigenvalues measures an anisotropic stiffness.
    level = [np.linalg.det(each[plane]) ** (1 / len(each[plane])) for each in (first, second)]
    if not max(level) > 0.0:
        return laminate_alone
    if matrix is None:
        rule = Mixing.VOIGT
        part = _WEB / (1.0 + _WEB_HALF * min(level) / max(level)) if dimension == 3 else 0.0
    else:
        inclusion = 1 - matrix
        if flows and level[inclusion] > _FLOW * level[matrix]:
            level[matrix] *= _FLOW
        stiff = level[inclusion] > level[matrix]
        rule, (half, exponent) = Mixing.VOIGT, _SOFT
        if stiff:
            rule, (half, exponent) = Mixing.REUSS, _STIFF_FIBRE if slender else _STIFF
        part = 1.0 / (1.0 + (half * min(level) / max(level)) ** exponent)
    if part < _LEAST:
        return laminate_alone
    if part > 1 - _LEAST:
        return {rule: 1.0}
    return {Mixing.LAMINATE: 1.0 - part, rule: part}


def jumps(rule: Mixing, normal: Array, size: int, straight: int | None = None) -> Array:
    """Basis of the jumps of strain (or gradient) that a rule allows, (m, size, k).

    Args:
        rule: The rule.
        normal: Unit normals, (m, dimension).
        size: Of a strain: 6; in 2D 3 (in plane) or 4 (the 33 component does not jump); or of a
            gradient: the dimension.
        straight: Axis along which the phases go straight through, see `straight_axis`: the strain
            (or gradient) along it is the same in all of them.
    """
    count, dimension = normal.shape
    if rule == Mixing.VOIGT:
        return np.zeros((count, size, 0))
    if rule == Mixing.LAMINATE:
        if size == dimension:
            return normal[..., None]
        rows = np.arange(size) if size != 3 else np.array(IN_PLANE)
        return np.ascontiguousarray(jump_operator(normal, dimension)[:, rows])
    free = np.eye(size)
    if size == 4:
        free = free[:, IN_PLANE]
    if straight is not None:
        free = np.delete(free, straight, axis=1)
    return np.tile(free, (count, 1, 1))


def straight_axis(image: PhaseImage) -> int | None:
    """The axis along which a 3D image, and only along it, is one voxel long; None without one.

    Nothing varies along it, as in unidirectional fibres, which go straight through.
    """
    axes = [axis for axis, length in enumerate(image.shape) if length == 1]
    return axes[0] if image.dimension == 3 and len(axes) == 1 else None


class Part(NamedTuple):
    """Cut voxels of one pair of phases, and the part of each that follows one rule.

    Attributes:
        first: Number of the voxels' first phase.
        second: Number of their second phase.
        rule: How strains mix in this part.
        weight: Part of the voxel, from 0 to 1.
        members: Which of the image's cut voxels these are, (m,).
    """

    first: int
    second: int
    rule: Mixing
    weight: float
    members: NDArray[np.intp]


def parts(
    image: PhaseImage,
    phase_stiffness: Array,
    rule: Mixing | None = None,
    inelastic: Sequence[bool] | None = None,
) -> list[Part]:
    """All parts of the cut voxels of an image.

    Args:
        image: The image.
        phase_stiffness: Stiffness (or conductivity) of every phase, (P, s, s).
        rule: Of all cut voxels; if not given, each pair of phases has the mixture that suits.
        inelastic: Which phases are; none, if not given.
    """
    cut, count = image.cut, len(image.names)
    if cut is None:
        return []
    matrix = None if image.matrix is None else image.names.index(image.matrix)
    pair = image.phases.ravel()[cut.voxel].astype(np.int64) * count + cut.phase
    result = []
    for code in np.unique(pair):
        first, second = divmod(int(code), count)
        if rule is None:
            surrounding = None if matrix is None else {first: 0, second: 1}.get(matrix)
            other = second if surrounding == 0 else first
            flows = inelastic is not None and inelastic[matrix or 0] and not inelastic[other]
            mixed = mixture(
                phase_stiffness[first],
                phase_stiffness[second],
                surrounding,
                image.dimension,
                image.slender,
                flows,
            )
        else:
            mixed = {rule: 1.0}
        members = np.flatnonzero(pair == code)
        result += [Part(first, second, each, weight, members) for each, weight in mixed.items()]
    return result


def axes_of(image: PhaseImage, size: int) -> tuple[Array, NDArray[np.int32]]:
    """Rotations from the axes of the phases to the global ones, and who has which.

    Args:
        image: The image.
        size: Of a strain, see `jumps`, or of a gradient: the dimension.

    Returns:
        Rotations of strains (or gradients), (T, size, size), and their numbers, (P, voxels); one,
        of no angle, if the image has no axes.
    """
    count, voxels = len(image.names), image.phases.size
    if image.axes is None:
        return np.eye(size)[None], np.zeros((count, voxels), dtype=np.int32)
    rotation = rotation_from_quaternion(image.axes.quaternion)
    rows = np.arange(size)
    if size != image.dimension:
        rotation = mandel_rotation(rotation)
        rows = np.array(IN_PLANE) if size == 3 else rows
    number = image.axes.number.reshape(count, voxels).astype(np.int32)
    return rotation[:, rows[:, None], rows], number


def voxel_stiffness(
    image: PhaseImage, phase_stiffness: Array, rule: Mixing | None = None
) -> tuple[Array, NDArray[np.int32]]:
    """Stiffness of every voxel, as a table and each voxel's row in it.

    The rows are the phases, again for each of the axes that the image has, then the cut voxels.

    Args:
        image: The image.
        phase_stiffness: Stiffness (or conductivity) of every phase, (P, s, s).
        rule: Of all cut voxels, see `parts`.

    Returns:
        Stiffnesses, (T P + cut voxels, s, s) with T axes, one if the image has none, and rows,
        (voxels,).
    """
    phase, cut = image.phases.ravel(), image.cut
    phases, size = len(phase_stiffness), phase_stiffness.shape[-1]
    rotation, turn = axes_of(image, size)
    turned = rotation[:, None] @ phase_stiffness @ np.swapaxes(rotation, 1, 2)[:, None]
    turned = turned.reshape(-1, size, size)
    row = np.arange(phases, dtype=np.int32)[:, None] + phases * turn
    index: NDArray[np.int32] = row[phase, np.arange(phase.size)]
    if cut is None:
        return turned, index
    count = len(turned)
    straight = straight_axis(image)
    index[cut.voxel] = count + np.arange(cut.voxel.size, dtype=np.int32)
    table = np.zeros((count + cut.voxel.size, size, size))
    table[:count] = turned
    for part in parts(image, phase_stiffness, rule):
        if not phase_stiffness[[part.first, part.second]].any():
            continue  # two voids
        for start in range(0, part.members.size, _CHUNK):
            chunk = part.members[start : start + _CHUNK]
            voxel = cut.voxel[chunk]
            table[count + chunk] += part.weight * laminate(
                turned[row[part.first, voxel]],
                turned[row[part.second, voxel]],
                1.0 - cut.share[chunk],
                jumps(part.rule, cut.normal[chunk], size, straight),
            )
    return table, index
