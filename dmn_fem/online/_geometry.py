"""The geometry of one network, or of several with one tree, laid out for `_kernels`."""

from collections.abc import Sequence

import numpy as np

from dmn_fem.network import Network
from dmn_fem.notation import Array, mandel_rotation, rotation_from_quaternion, strain_size


class Geometry:
    """Networks that share dimension, phases and the phases of their leaves, hence the tree.

    A leaf is kept if it has a weight in any of them.

    Args:
        networks: K networks.

    Attributes:
        tree: Of the first network; all have its children.
        leaf_weight: Volume fractions of the leaves, (K, leaves).
        numbers: Of every node f1, the normal, and f1 f2 times its weight, (K, nodes, 2 + d).
        rotation: Mandel rotations from the axes of the leaves' phases to the global ones,
            (K, leaves, s, s), or of no leaves where all phases are aligned with the global axes.

    Raises:
        ValueError: If there are no networks, or they differ in what they have to share.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        if not networks:
            raise ValueError("a law of no network; it needs at least one")
        first = networks[0]
        for number, network in enumerate(networks):
            for name in ("dimension", "phases", "leaves"):
                if getattr(network, name) != getattr(first, name):
                    raise ValueError(
                        f"network {number} has {name} {getattr(network, name)}; "
                        f"it must be that of network 0, {getattr(first, name)}"
                    )
            if not np.array_equal(network.leaf_phase, first.leaf_phase):
                raise ValueError(f"network {number} has another leaf_phase than network 0")
            if (network.leaf_orientation is None) != (first.leaf_orientation is None):
                raise ValueError("all networks of a law have leaf_orientation, or none has")
        weights = np.stack([network.leaf_weights for network in networks])
        self.tree = tree = first.tree((weights > 0).any(axis=0))
        leaves, nodes = len(tree.leaf_weight), len(tree.fraction)
        dimension, size = first.dimension, strain_size(first.dimension)
        weight = np.empty((len(networks), leaves + nodes))
        weight[:, :leaves] = self.leaf_weight = weights[:, tree.leaf_number]
        for node, (left, right) in enumerate(tree.children):
            weight[:, leaves + node] = weight[:, left] + weight[:, right]
        of_node, of_left = weight[:, leaves:], weight[:, tree.children[:, 0]]
        # In a node without weight any fraction will do.
        fraction = np.divide(of_left, of_node, out=np.full_like(of_node, 0.5), where=of_node > 0)
        self.numbers: Array = np.empty((len(networks), nodes, 2 + dimension))
        self.numbers[..., 0] = fraction
        for own, network in zip(self.numbers, networks, strict=True):
            own[:, 1:-1] = network.normals[tree.node_number, :dimension]
        self.numbers[..., -1] = fraction * (1.0 - fraction) * of_node
        self.rotation: Array = np.zeros((len(networks), 0, size, size))
        if first.leaf_orientation is not None:
            self.rotation = np.empty((len(networks), leaves, size, size))
            for turn, network in zip(self.rotation, networks, strict=True):
                assert network.leaf_orientation is not None
                quaternions = network.leaf_orientation[tree.leaf_number]
                turn[:] = mandel_rotation(rotation_from_quaternion(quaternions))[:, :size, :size]
