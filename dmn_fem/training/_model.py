"""The network as a PyTorch module: the answer of `Network.stiffness`, differentiable.

A level of the tree is one batched matrix product over all its nodes and all samples. With
stiffnesses as columns of their c distinct components, one matrix per node maps those of the two
children to the three linear ingredients of a laminate (f1 C1 + f2 C2, D H and K of the theory).
What follows eliminates the jump by Cholesky steps in K, so that no library solves small systems.
"""

import numpy as np
import torch
from torch import Tensor

from dmn_fem.network import SOFTPLUS_BETA, Network
from dmn_fem.notation import COMPONENTS, SQRT2, Array

_EXACT_BELOW = 40.0  # softplus(x) and x agree to double precision above


class TorchNetwork(torch.nn.Module):
    """A network whose activations and normal angles are trained.

    Stiffnesses are Mandel matrices, (..., 6, 6) in 3D and in-plane (..., 3, 3) (11, 22, √2·12) in
    2D, in float64.

    Attributes:
        leaf_activation: Parameter, (M,).
        normal_angles: Parameter, (M-1, dimension-1).
        phase_fraction: (P,), not trained: an input.
    """

    phase_fraction: Tensor
    _leaf_phase: Tensor
    _membership: Tensor
    _jump: Tensor
    _acoustic: Tensor

    def __init__(self, network: Network) -> None:
        """Take over a network.

        Raises:
            ValueError: If the network has leaf orientations, which are not trained.
        """
        super().__init__()
        if network.leaf_orientation is not None:
            raise ValueError("network has leaf_orientation; training needs a network without")
        self.dimension = network.dimension
        self.phases = network.phases
        self.leaves = network.leaves
        self.leaf_activation = torch.nn.Parameter(torch.tensor(network.leaf_activation))
        self.normal_angles = torch.nn.Parameter(torch.tensor(network.normal_angles))
        self.register_buffer("phase_fraction", torch.tensor(network.phase_fraction))
        self.register_buffer("_leaf_phase", torch.tensor(network.leaf_phase))
        self.register_buffer("_membership", torch.tensor(_membership(network.leaves)))
        pairs, jump, acoustic = _operators(network.dimension)
        self.register_buffer("_jump", torch.tensor(jump))
        self.register_buffer("_acoustic", torch.tensor(acoustic))
        self.size = 3 if network.dimension == 2 else 6
        rows, columns = pairs.T
        self.register_buffer("_rows", torch.tensor(rows))
        self.register_buffer("_columns", torch.tensor(columns))
        # Tensor components, without √2, keep the coefficients of H at the normal's own components.
        scale = np.where(np.arange(self.size) < self.dimension, 1.0, SQRT2)
        self.register_buffer("_scale", torch.tensor(np.outer(scale, scale)[rows, columns]))
        multiplicity = (
            np.where(rows == columns, 1.0, 2.0) * np.outer(scale, scale)[rows, columns] ** 2
        )
        self.register_buffer("_multiplicity", torch.tensor(multiplicity))
        unpack = np.zeros((self.size, self.size), dtype=np.int64)
        unpack[rows, columns] = unpack[columns, rows] = np.arange(len(pairs))
        self.register_buffer("_unpack", torch.tensor(unpack.ravel()))

    def network(self) -> Network:
        """The trained network in NumPy, independent of this module."""
        return Network(
            dimension=self.dimension,
            phases=self.phases,
            leaf_phase=self._leaf_phase.numpy().copy(),
            phase_fraction=self.phase_fraction.numpy().copy(),
            leaf_activation=self.leaf_activation.detach().numpy().copy(),
            normal_angles=self.normal_angles.detach().numpy().copy(),
        )

    def leaf_weights(self) -> Tensor:
        """Volume fractions of the leaves, (M,): w_j = v_p a(z_j) / Σ_{i of phase p} a(z_i)."""
        weight = torch.nn.functional.softplus(self.leaf_activation, SOFTPLUS_BETA, _EXACT_BELOW)
        total = torch.zeros_like(self.phase_fraction).index_add(0, self._leaf_phase, weight)
        empty = total == 0
        scale = self.phase_fraction / total.masked_fill(empty, 1.0)
        return weight * scale[self._leaf_phase]

    def normals(self) -> Tensor:
        """Unit normals of the inner nodes, (M-1, dimension)."""
        phi = self.normal_angles[:, -1]
        if self.dimension == 2:
            return torch.stack([phi.cos(), phi.sin()], dim=1)
        theta = self.normal_angles[:, 0]
        return torch.stack([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], dim=1)

    def forward(self, phase_stiffness: Tensor) -> Tensor:
        """Homogenised stiffness, (n, s, s), of the stiffnesses of the phases, (n, P, s, s)."""
        return self.unpack(self.homogenise(self.pack(phase_stiffness)))

    def pack(self, stiffness: Tensor) -> Tensor:
        """Distinct tensor components, samples last, (..., c, n), of matrices (n, ..., s, s)."""
        distinct = stiffness[..., self._rows, self._columns] / self._scale
        return distinct.movedim(0, -1).contiguous()

    def unpack(self, packed: Tensor) -> Tensor:
        """Mandel matrices (n, s, s) of what `pack` gives, (c, n)."""
        return (packed.T * self._scale)[:, self._unpack].reshape(-1, self.size, self.size)

    def squares(self, packed: Tensor) -> Tensor:
        """Squared Frobenius norms, (n,), of the Mandel matrices that (c, n) stands for."""
        return self._multiplicity @ packed.square()

    def homogenise(self, phases: Tensor) -> Tensor:
        """`forward` on packed stiffnesses: (P, c, n) to (c, n)."""
        columns = phases[self._leaf_phase]
        if self.leaves == 1:
            return columns[0]
        left, right = self._membership @ self.leaf_weights()
        total = left + right
        # Below a node of weight zero the shares mean nothing, but must be numbers.
        share = torch.where(total > 0, left / total.masked_fill(total == 0, 1.0), 0.5)
        maps = self._level_maps(share)
        coupling = (share * (1 - share))[:, None, None]
        # The deepest level holds the last leaves; those before them join one level higher.
        depth = (self.leaves - 1).bit_length()
        shallow = 2**depth - self.leaves
        waiting, current = columns[:shallow], columns[shallow:]
        for level in reversed(range(depth)):
            first = 2**level - 1
            nodes = slice(first, first + current.shape[0] // 2)
            pairs = current.reshape(current.shape[0] // 2, -1, current.shape[-1])
            current = self._relax(torch.bmm(maps[nodes], pairs), coupling[nodes])
            if level == depth - 1 and shallow:
                current = torch.cat([current, waiting])
        return current[0]

    def _level_maps(self, share: Tensor) -> Tensor:
        """From both children to f1 C1 + f2 C2, D H and K, (M-1, c + s d + d(d+1)/2, 2c)."""
        normals = self.normals()
        f1, f2 = share[:, None, None], 1 - share[:, None, None]
        identity = torch.eye(self._jump.shape[-1], dtype=share.dtype)
        jump = torch.einsum("nb,bij->nij", normals, self._jump)
        acoustic = torch.einsum("nb,nc,bcij->nij", normals, normals, self._acoustic)
        first = torch.cat([f1 * identity, jump, f2 * acoustic], dim=1)
        second = torch.cat([f2 * identity, -jump, f1 * acoustic], dim=1)
        return torch.cat([first, second], dim=2)

    def _relax(self, ingredients: Tensor, coupling: Tensor) -> Tensor:
        """f1 C1 + f2 C2 - f1 f2 (D H) K⁻¹ (D H)ᵀ, (nodes, c, n), by elimination of the jump."""
        d, s, c = self.dimension, self.size, self._jump.shape[-1]
        stiffness, jumps, acoustic = ingredients.split([c, s * d, d * (d + 1) // 2], dim=1)
        g = list(jumps.split(s, dim=1))
        entries = iter(acoustic.split(1, dim=1))
        k = {(i, j): next(entries) for i in range(d) for j in range(i, d)}
        for i in range(d):
            scaled = coupling / k[i, i] * g[i]
            stiffness = stiffness - scaled[:, self._rows] * g[i][:, self._columns]
            for j in range(i + 1, d):
                ratio = k[i, j] / k[i, i]
                g[j] = g[j] - ratio * g[i]
                for m in range(j, d):
                    k[j, m] = k[j, m] - ratio * k[i, m]
        return stiffness


def _membership(leaves: int) -> Array:
    """Which leaves hang below the first and below the second child of every node, (2, M-1, M)."""
    below = np.zeros((2 * leaves - 1, leaves))
    below[leaves - 1 :] = np.eye(leaves)
    for node in reversed(range(leaves - 1)):
        below[node] = below[2 * node + 1] + below[2 * node + 2]
    return np.stack([below[1::2], below[2::2]])


def _operators(dimension: int) -> tuple[np.ndarray, Array, Array]:
    """Where the distinct components stand, and the coefficients of D H and Hᵀ C H in the normal.

    Returns:
        Row and column of every distinct component, (c, 2); coefficients of n_b in D H (column by
        column), (d, d s, c); of n_b n_e in the upper triangle of K, (d, d, d(d+1)/2, c).
    """
    axes = range(dimension)
    # In-plane components only: 33 is none of two dimensions' own.
    names = [name for name in COMPONENTS[dimension] if name != f"{dimension + 1}" * 2]
    index = {(i, j): names.index(f"{min(i, j) + 1}{max(i, j) + 1}") for i in axes for j in axes}
    size = len(names)
    pairs = [(i, j) for i in range(size) for j in range(i, size)]
    component = {pair: number for number, pair in enumerate(pairs)}
    component |= {(j, i): number for (i, j), number in component.items()}
    triangle = [(a, e) for a in axes for e in range(a, dimension)]
    jump = np.zeros((dimension, dimension * size, len(pairs)))
    acoustic = np.zeros((dimension, dimension, len(triangle), len(pairs)))
    for b in axes:
        for a in axes:
            for row in range(size):
                jump[b, a * size + row, component[row, index[a, b]]] = 1.0
        for e in axes:
            for number, (i, j) in enumerate(triangle):
                acoustic[b, e, number, component[index[i, b], index[j, e]]] += 1.0
    return np.array(pairs), jump, acoustic
