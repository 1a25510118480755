"""A network from several, with barycentric weights."""

from collections.abc import Sequence

import numpy as np

from dmn_fem.database._errors import DatabaseError
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
    first = networks[0]
    fraction = weights @ np.stack([network.phase_fraction for network in networks])
    if (fraction < 0).any():
        raise DatabaseError(f"extrapolation leads to phase fractions {fraction}; they must be >= 0")
    fraction /= fraction.sum()
    shares, totals = zip(*(_shares(network) for network in networks), strict=True)
    # Totals mean nothing; carrying them along makes activations continuous, too.
    inside = np.maximum(weights, 0.0) / np.maximum(weights, 0.0).sum()
    weight = np.maximum(weights @ np.stack(shares), 0.0)
    weight *= (inside @ np.stack(totals))[first.leaf_phase]
    activation = np.full(weight.shape, -np.inf)
    activation[weight > 0] = softplus_inverse(weight[weight > 0])
    normals = _directions(np.stack([network.normals for network in networks]), weights)
    orientations = [
        network.leaf_orientation for network in networks if network.leaf_orientation is not None
    ]
    return Network(
        dimension=first.dimension,
        phases=first.phases,
        leaf_phase=first.leaf_phase,
        phase_fraction=fraction,
        leaf_activation=activation,
        normal_angles=angles_of_normals(normals, first.dimension),
        leaf_orientation=_directions(np.stack(orientations), weights) if orientations else None,
    )


def _shares(network: Network) -> tuple[Array, Array]:
    """Weights of sum one within each phase, (M,), and the totals they had, (P,)."""
    weight = softplus(network.leaf_activation)
    total = np.bincount(network.leaf_phase, weights=weight, minlength=len(network.phases))
    leaf_total = total[network.leaf_phase]
    return np.divide(weight, leaf_total, out=np.zeros_like(weight), where=leaf_total > 0), total


def _directions(vectors: Array, weights: Array) -> Array:
    """Principal eigenvectors (m, c) of Σ w_k u_k u_kᵀ for unit vectors u of shape (n, m, c)."""
    moment = np.einsum("k,kmi,kmj->mij", weights, vectors, vectors)
    _, eigenvectors = np.linalg.eigh(moment)
    return eigenvectors[:, :, -1]
