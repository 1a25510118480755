"""Networks from several, with barycentric weights."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dmn_fem.database._errors import refuse
from dmn_fem.network import Network, angles_of_normals, softplus, softplus_inverse
from dmn_fem.notation import Array


def interpolate(networks: Sequence[Network], weights: Array) -> Network:
    """The network between several, or beyond them where weights are negative.

    The weights within each phase (of sum one, so that all networks have the same total) and the
    fractions of the phases are linear in the weights. A normal is the direction that the networks'
    normals n_k share most, the principal eigenvector of Σ w_k n_k n_kᵀ, for which n and -n are the
    same; leaf orientations likewise. Nothing depends on the order of the networks.

    Where the normals of three networks in 2D go once around, as 0, 60 and 120 degrees do, there is
    a point between them at which the direction jumps: no interpolation is continuous there. The
    networks of a database have to resemble each other more than that.

    Args:
        networks: n networks that share dimension, phases and `leaf_phase`.
        weights: Of sum one, (n,). A leaf whose weight would turn negative is dead.

    Raises:
        DatabaseError: If phase fractions would turn negative.
    """
    return interpolate_many(networks, np.arange(len(networks))[None], weights[None])[0]


def interpolate_many(
    networks: Sequence[Network], members: NDArray[np.integer], weights: Array
) -> list[Network]:
    """`interpolate` for many points at once.

    Args:
        networks: K networks.
        members: Which of them answer at the points, (points, k).
        weights: Their weights, (points, k).
    """
    first = networks[0]

    def mixed(shares: Array, values: Array) -> Array:
        result: Array = np.einsum("nk,nk...->n...", shares, values[members])
        return result

    fraction = mixed(weights, np.stack([network.phase_fraction for network in networks]))
    refuse(
        (fraction < 0).any(axis=1),
        lambda point: (
            f"extrapolation leads to phase fractions {fraction[point]}; they must be >= 0"
        ),
    )
    fraction /= fraction.sum(axis=1, keepdims=True)
    shares, totals = (
        np.stack(each) for each in zip(*(_shares(network) for network in networks), strict=True)
    )
    # Totals mean nothing; carrying them along makes activations continuous, too.
    inside = np.maximum(weights, 0.0)
    inside /= inside.sum(axis=1, keepdims=True)
    weight = np.maximum(mixed(weights, shares), 0.0)
    weight *= mixed(inside, totals)[:, first.leaf_phase]
    activation = np.full(weight.shape, -np.inf)
    activation[weight > 0] = softplus_inverse(weight[weight > 0])
    normals = _directions(np.stack([network.normals for network in networks]), members, weights)
    angles = angles_of_normals(normals.reshape(-1, 3), first.dimension)
    angles = angles.reshape(*normals.shape[:2], first.dimension - 1)
    given = [each.leaf_orientation for each in networks if each.leaf_orientation is not None]
    orientation = _directions(np.stack(given), members, weights) if given else None
    return [
        Network(
            dimension=first.dimension,
            phases=first.phases,
            leaf_phase=first.leaf_phase,
            phase_fraction=fraction[point],
            leaf_activation=activation[point],
            normal_angles=angles[point],
            leaf_orientation=None if orientation is None else orientation[point],
        )
        for point in range(len(members))
    ]


def _shares(network: Network) -> tuple[Array, Array]:
    """Weights of sum one within each phase, (M,), and the totals they had, (P,)."""
    weight = softplus(network.leaf_activation)
    total = np.bincount(network.leaf_phase, weights=weight, minlength=len(network.phases))
    leaf_total = total[network.leaf_phase]
    return np.divide(weight, leaf_total, out=np.zeros_like(weight), where=leaf_total > 0), total


def _directions(vectors: Array, members: NDArray[np.integer], weights: Array) -> Array:
    """Principal eigenvectors (n, m, c) of Σ w_k u_k u_kᵀ for unit vectors u of shape (K, m, c)."""
    products = np.einsum("kmi,kmj->kmij", vectors, vectors)
    moment = np.einsum("nk,nkmij->nmij", weights, products[members])
    _, eigenvectors = np.linalg.eigh(moment)
    return eigenvectors[..., -1]
