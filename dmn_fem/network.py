"""The deep material network itself: a binary tree of laminates, and its elastic answer in NumPy.

A network of M leaves is stored in heap order: the inner nodes are 0 … M-2, the children of node i
are 2i+1 and 2i+2, and leaf j is node M-1+j. Every inner node is a laminate of its two children with
a unit interface normal in the global frame (Gajek, Schneider and Böhlke 2020; Noels and Nguyen
2022); a leaf has a weight and a phase. Weights are normalised within each phase, so that the phase
fractions are an exact input of the network.

References:
    Liu, Wu and Koishi (2019), A deep material network for multiscale topology learning and
    accelerated nonlinear modeling of heterogeneous materials, CMAME 345.
    Gajek, Schneider and Böhlke (2020), On the micromechanics of deep material networks, JMPS 142.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmn_fem.notation import (
    IN_PLANE,
    SQRT2,
    Array,
    mandel_rotation,
    rotation_from_quaternion,
    strain_size,
)

SOFTPLUS_BETA = 4.0
"""Sharpness of the softplus that turns activations into weights."""


def softplus(activation: ArrayLike) -> Array:
    """Unnormalised weight ln(1 + exp(βz))/β of an activation z."""
    return np.logaddexp(0.0, SOFTPLUS_BETA * np.asarray(activation, dtype=float)) / SOFTPLUS_BETA


def softplus_inverse(weight: ArrayLike) -> Array:
    """Activation z with ``softplus(z) = weight``; the weight must be positive."""
    weight = np.asarray(weight, dtype=float)
    return weight + np.log(-np.expm1(-SOFTPLUS_BETA * weight)) / SOFTPLUS_BETA


def unit_normals(angles: ArrayLike) -> Array:
    """Unit normals (..., 3) of angles (radians), (..., 1) = φ in 2D, (..., 2) = θ, φ in 3D."""
    angles = np.asarray(angles, dtype=float)
    phi = angles[..., -1]
    theta = np.full_like(phi, np.pi / 2) if angles.shape[-1] == 1 else angles[..., 0]
    in_plane = np.sin(theta)
    out_of_plane = np.zeros_like(phi) if angles.shape[-1] == 1 else np.cos(theta)
    return np.stack([in_plane * np.cos(phi), in_plane * np.sin(phi), out_of_plane], axis=-1)


def angles_of_normals(normals: Array, dimension: int) -> Array:
    """Angles of normals (m, 3), (m, dimension - 1); inverts `unit_normals` up to the sign."""
    azimuth = np.arctan2(normals[:, 1], normals[:, 0])
    if dimension == 2:
        return azimuth[:, None]
    polar = np.arctan2(np.hypot(normals[:, 0], normals[:, 1]), normals[:, 2])
    return np.stack([polar, azimuth], axis=-1)


def jump_operator(normals: ArrayLike, dimension: int) -> Array:
    """H(n), (..., strain_size, dimension): maps a jump a to sym(a ⊗ n) in Mandel notation."""
    n = np.asarray(normals, dtype=float)
    operator = np.zeros((*n.shape[:-1], strain_size(dimension), dimension))
    for i in range(dimension):
        operator[..., i, i] = n[..., i]
    operator[..., 3, 0], operator[..., 3, 1] = n[..., 1] / SQRT2, n[..., 0] / SQRT2
    if dimension == 3:
        operator[..., 4, 0], operator[..., 4, 2] = n[..., 2] / SQRT2, n[..., 0] / SQRT2
        operator[..., 5, 1], operator[..., 5, 2] = n[..., 2] / SQRT2, n[..., 1] / SQRT2
    return operator


def laminate(
    stiffness_1: Array, stiffness_2: Array, fraction_1: ArrayLike, operator: Array
) -> Array:
    """Stiffness of a laminate of two (theory: f1 C1 + f2 C2 - f1 f2 D H K⁻¹ Hᵀ D).

    Args:
        stiffness_1: Mandel stiffness of the first layer, (..., s, s).
        stiffness_2: Mandel stiffness of the second layer, (..., s, s).
        fraction_1: Volume fraction of the first layer, (...).
        operator: H of the interface normal, (..., s, d); see `jump_operator`.
    """
    f1 = np.asarray(fraction_1, dtype=float)[..., None, None]
    f2 = 1.0 - f1
    difference = stiffness_1 - stiffness_2
    transposed = np.swapaxes(operator, -1, -2)
    acoustic = transposed @ (f2 * stiffness_1 + f1 * stiffness_2) @ operator
    coupling = difference @ operator
    relaxed = coupling @ np.linalg.solve(acoustic, np.swapaxes(coupling, -1, -2))
    return f1 * stiffness_1 + f2 * stiffness_2 - f1 * f2 * relaxed


@dataclass(frozen=True)
class Tree:
    """A network stripped for evaluation: leaves of zero weight are gone, nodes stand in post-order.

    Children are numbered leaves first: child c < leaves is leaf c, otherwise it is inner node
    c - leaves. The last node is the root; of a single leaf there are no nodes.

    Attributes:
        leaf_weight: Volume fraction of every leaf, (leaves,), sums to one.
        leaf_phase: Phase of every leaf, (leaves,), sorted: leaves of a phase are neighbours.
        leaf_rotation: Mandel rotation from the phase's axes to the global ones, (leaves, s, s), or
            None.
        children: (nodes, 2).
        fraction: Share of the first child in its node, (nodes,).
        normal: Unit interface normals, (nodes, 3).
        node_weight: Volume fraction below every node, (nodes,).
        leaf_number: Which leaf of the network every leaf is, (leaves,).
        node_number: Which inner node of the network every node is, (nodes,).
    """

    leaf_weight: Array
    leaf_phase: NDArray[np.int64]
    leaf_rotation: Array | None
    children: NDArray[np.int64]
    fraction: Array
    normal: Array
    node_weight: Array
    leaf_number: NDArray[np.int64]
    node_number: NDArray[np.int64]


@dataclass(frozen=True)
class Network:
    """A deep material network.

    Attributes:
        dimension: 2 or 3.
        phases: Names of the P phases.
        leaf_phase: Phase index of every leaf, (M,) int64.
        phase_fraction: Volume fractions of the phases, (P,), sum to one.
        leaf_activation: z, (M,); within a phase weights are proportional to `softplus` of it.
            An activation of -inf is a dead leaf.
        normal_angles: Radians, (M-1, 1) = φ in 2D, (M-1, 2) = θ, φ in 3D.
        leaf_orientation: Unit quaternions, scalar first, from the phase's axes to the global ones,
            (M, 4), or None where all phases are aligned with the global axes.

    Raises:
        ValueError: If the arrays do not fit together or the fractions are none.
    """

    dimension: int
    phases: tuple[str, ...]
    leaf_phase: NDArray[np.int64]
    phase_fraction: Array
    leaf_activation: Array
    normal_angles: Array
    leaf_orientation: Array | None = None

    def __post_init__(self) -> None:
        leaves = self.leaf_phase.shape[0]
        strain_size(self.dimension)
        expected = {
            "leaf_phase": (leaves,),
            "phase_fraction": (len(self.phases),),
            "leaf_activation": (leaves,),
            "normal_angles": (leaves - 1, self.dimension - 1),
        }
        if self.leaf_orientation is not None:
            expected["leaf_orientation"] = (leaves, 4)
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} has shape {getattr(self, name).shape}; it must be {shape}"
                )
        if set(np.unique(self.leaf_phase)) - set(range(len(self.phases))):
            raise ValueError(f"leaf_phase must lie in 0 … {len(self.phases) - 1}")
        fraction = self.phase_fraction
        if not ((fraction >= 0).all() and abs(fraction.sum() - 1.0) < 1e-12):
            raise ValueError(f"phase_fraction is {fraction}; it must be >= 0 and sum to one")
        alive = np.bincount(
            self.leaf_phase, weights=softplus(self.leaf_activation), minlength=len(self.phases)
        )
        if not np.isfinite(alive).all() or not np.isfinite(self.normal_angles).all():
            raise ValueError("activations and angles of a network must be finite")
        for phase, name in enumerate(self.phases):
            if fraction[phase] > 0 and not alive[phase] > 0:
                raise ValueError(f"phase {name} has fraction {fraction[phase]} but no leaf")

    @classmethod
    def homogeneous(cls, phase: str, dimension: int) -> "Network":
        """The network of one leaf: a single-phase material."""
        return cls(
            dimension,
            (phase,),
            np.zeros(1, dtype=np.int64),
            np.ones(1),
            np.ones(1),
            np.zeros((0, dimension - 1)),
        )

    @classmethod
    def random(
        cls,
        dimension: int,
        phases: tuple[str, ...],
        phase_fraction: ArrayLike,
        leaves: int,
        rng: np.random.Generator,
        *,
        oriented: bool = False,
    ) -> "Network":
        """A random start for training: z ~ U(.2, .8), uniform angles, phases in alternation.

        Args:
            dimension: 2 or 3.
            phases: Names of the P phases; one for a polycrystal.
            phase_fraction: Their volume fractions, (P,).
            leaves: Number of leaves.
            rng: Random numbers.
            oriented: Whether the leaves get orientations, at random (in 2D about axis 3), as
                anisotropic phases need them.
        """
        activation = rng.uniform(0.2, 0.8, leaves)
        angles = rng.uniform(0.0, np.pi, (leaves - 1, dimension - 1))
        orientation = None
        if oriented:
            quaternion = rng.normal(size=(leaves, 4))
            if dimension == 2:
                quaternion[:, 1:3] = 0.0
            orientation = quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)
        return cls(
            dimension,
            phases,
            np.arange(leaves, dtype=np.int64) % len(phases),
            np.asarray(phase_fraction, dtype=float),
            activation,
            angles,
            orientation,
        )

    @property
    def leaves(self) -> int:
        """Number of leaves M, dead ones included."""
        return self.leaf_phase.shape[0]

    @cached_property
    def leaf_weights(self) -> Array:
        """Volume fractions of the leaves, (M,): w_j = v_p a(z_j) / Σ_{i of phase p} a(z_i)."""
        unnormalised = softplus(self.leaf_activation)
        total = np.bincount(self.leaf_phase, weights=unnormalised, minlength=len(self.phases))
        scale = np.divide(self.phase_fraction, total, out=np.zeros_like(total), where=total > 0)
        return unnormalised * scale[self.leaf_phase]

    @property
    def normals(self) -> Array:
        """Unit interface normals of the inner nodes, (M-1, 3)."""
        return unit_normals(self.normal_angles)

    def with_phase_fraction(self, phase_fraction: ArrayLike) -> "Network":
        """The same geometry at other volume fractions."""
        return replace(self, phase_fraction=np.asarray(phase_fraction, dtype=float))

    def aligned(self) -> "Network":
        """The same network with leaf orientations: those of no rotation."""
        return replace(self, leaf_orientation=np.tile([1.0, 0.0, 0.0, 0.0], (self.leaves, 1)))

    def rotated(self, rotation: ArrayLike) -> "Network":
        """The network of the rotated microstructure: normals R n, leaf orientations R composed.

        With leaf orientations all turns as one body, and the stiffness is the rotated one for
        phases of any symmetry. Without, the phases have no axes of their own but the global ones,
        where they stay; then this is the rotated microstructure for isotropic phases alone. For
        anisotropic phases that shall turn, give the network leaf orientations first (`aligned`).

        Args:
            rotation: Rotation matrix R, (3, 3); in 2D about axis 3.

        Raises:
            ValueError: If it is none, or leads out of the plane of a network in 2D.
        """
        matrix = np.asarray(rotation, dtype=float)
        if (
            matrix.shape != (3, 3)
            or not np.allclose(matrix @ matrix.T, np.eye(3), rtol=0, atol=1e-9)
            or np.linalg.det(matrix) < 0
        ):
            raise ValueError(f"rotation is {matrix.tolist()}; it must be a rotation matrix (3, 3)")
        if self.dimension == 2 and abs(matrix[2, 2] - 1.0) > 1e-9:
            raise ValueError("a network in 2D is rotated about axis 3 alone")
        orientation = None
        if self.leaf_orientation is not None:
            from scipy.spatial.transform import Rotation  # half a second for every import

            own = Rotation.from_quat(self.leaf_orientation, scalar_first=True)
            orientation = (Rotation.from_matrix(matrix) * own).as_quat(scalar_first=True)
        return replace(
            self,
            normal_angles=angles_of_normals(self.normals @ matrix.T, self.dimension),
            leaf_orientation=orientation,
        )

    def grafted(self, networks: Mapping[str, "Network"]) -> "Network":
        """One network of two scales: leaves of some phases are networks themselves.

        So a yarn of a weave is a bundle of fibres. The scales are apart: a grafted network answers
        where its leaf was, in the axes of that leaf, and its phases join those of this network;
        phases of one name are one.

        Args:
            networks: What becomes of all leaves of a phase, by the phase's name.

        Raises:
            ValueError: If a phase is not there, or a network has another dimension.
        """
        for name, network in networks.items():
            if name not in self.phases:
                raise ValueError(f"no phase {name!r}; there are {', '.join(self.phases)}")
            if network.dimension != self.dimension:
                raise ValueError(
                    f"the network for {name} has dimension {network.dimension}, "
                    f"this one {self.dimension}"
                )
        kept = [Network.homogeneous(name, self.dimension) for name in self.phases]
        parts = [networks.get(phase, own) for phase, own in zip(self.phases, kept, strict=True)]
        phases = tuple(dict.fromkeys(name for part in parts for name in part.phases))
        oriented = any(each.leaf_orientation is not None for each in (self, *parts))
        own_depth = (self.leaves - 1).bit_length()
        depth = own_depth + max((part.leaves - 1).bit_length() for part in parts)
        leaves = 2**depth
        weight, phase = np.zeros(leaves), np.zeros(leaves, dtype=np.int64)
        normal = np.tile([1.0, 0.0, 0.0], (leaves - 1, 1))
        orientation = np.tile([1.0, 0.0, 0.0, 0.0], (leaves, 1))
        normal[: self.leaves - 1] = self.normals
        turns = self.leaf_orientation
        for leaf, number in enumerate(self.leaf_phase):
            part = parts[number]
            if turns is not None:
                whole = part if part.leaf_orientation is not None else part.aligned()
                part = whole.rotated(rotation_from_quaternion(turns[leaf]))
            inner = part.leaves - 1
            places = np.empty(2 * part.leaves - 1, dtype=np.int64)
            places[0] = self.leaves - 1 + leaf
            for node in range(inner):
                places[2 * node + 1 : 2 * node + 3] = 2 * places[node] + (1, 2)
            normal[places[:inner]] = part.normals
            ends = places[inner:]
            while (ends < leaves - 1).any():  # all leaves to the lowest level, first children
                ends = np.where(ends < leaves - 1, 2 * ends + 1, ends)
            ends -= leaves - 1
            weight[ends] = self.leaf_weights[leaf] * part.leaf_weights
            phase[ends] = np.array([phases.index(name) for name in part.phases])[part.leaf_phase]
            if part.leaf_orientation is not None:
                orientation[ends] = part.leaf_orientation
        activation = np.full(leaves, -np.inf)
        activation[weight > 0] = softplus_inverse(weight[weight > 0])
        total = np.bincount(phase, weight, minlength=len(phases))
        return Network(
            self.dimension,
            phases,
            phase,
            total / total.sum(),
            activation,
            angles_of_normals(normal, self.dimension),
            orientation if oriented else None,
        )

    def tree(self, kept: NDArray[np.bool_] | None = None) -> Tree:
        """The network without its zero-weight leaves, ready for evaluation.

        Args:
            kept: Leaves to keep in place of those that have a weight, (M,): those that have one in
                any of several networks. A node without weight has the fraction one half.
        """
        weights = self.leaf_weights
        alive = np.flatnonzero(weights > 0 if kept is None else kept)
        alive = alive[np.argsort(self.leaf_phase[alive], kind="stable")]
        leaf_number = {int(leaf): number for number, leaf in enumerate(alive)}
        inner = self.leaves - 1
        nodes: list[tuple[int, int, float, float, int]] = []

        def collect(node: int) -> tuple[int, float] | None:
            """Number and weight of what is left below a node, None if nothing is."""
            if node >= inner:
                leaf = leaf_number.get(node - inner)
                return None if leaf is None else (leaf, float(weights[node - inner]))
            left, right = collect(2 * node + 1), collect(2 * node + 2)
            if left is None or right is None:
                return left or right
            weight = left[1] + right[1]
            fraction = left[1] / weight if weight > 0 else 0.5
            nodes.append((left[0], right[0], fraction, weight, node))
            return len(alive) + len(nodes) - 1, weight

        collect(0)
        node_number = np.array([node[4] for node in nodes], dtype=np.int64)
        rotation = None
        if self.leaf_orientation is not None:
            size = strain_size(self.dimension)
            matrices = rotation_from_quaternion(self.leaf_orientation[alive])
            rotation = mandel_rotation(matrices)[:, :size, :size]
        return Tree(
            leaf_weight=weights[alive],
            leaf_phase=self.leaf_phase[alive],
            leaf_rotation=rotation,
            children=np.array([node[:2] for node in nodes], dtype=np.int64).reshape(-1, 2),
            fraction=np.array([node[2] for node in nodes]),
            normal=self.normals[node_number],
            node_weight=np.array([node[3] for node in nodes]),
            leaf_number=alive,
            node_number=node_number,
        )

    def stiffness(self, phase_stiffness: ArrayLike) -> Array:
        """Homogenised elastic stiffness.

        Args:
            phase_stiffness: Mandel stiffness of every phase, (..., P, s, s) with s = 4 or 6 by
                dimension, or s = 3 for in-plane stiffnesses (11, 22, √2·12) of a 2D network.

        Returns:
            Homogenised stiffness, (..., s, s).
        """
        phase_stiffness = np.asarray(phase_stiffness, dtype=float)
        tree = self.tree()
        operators = jump_operator(tree.normal, self.dimension)
        if phase_stiffness.shape[-1] == 3:
            operators = operators[:, IN_PLANE, :]
        parts = [phase_stiffness[..., phase, :, :] for phase in tree.leaf_phase]
        if tree.leaf_rotation is not None:
            rotations = tree.leaf_rotation
            if phase_stiffness.shape[-1] == 3:
                rotations = rotations[:, IN_PLANE][:, :, IN_PLANE]
            parts = [q @ part @ q.T for q, part in zip(rotations, parts, strict=True)]
        for (left, right), fraction, operator in zip(
            tree.children, tree.fraction, operators, strict=True
        ):
            parts.append(laminate(parts[left], parts[right], fraction, operator))
        return parts[-1]
