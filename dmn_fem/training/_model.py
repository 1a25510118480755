"""The network as a PyTorch module: the answer of `Network.stiffness`, differentiable."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dmn_fem.network import SOFTPLUS_BETA, Network
from dmn_fem.notation import SQRT2, Array
from dmn_fem.training._sweep import CompiledSweep, plain_sweep

_EXACT_BELOW = 40.0  # softplus(x) and x agree to double precision above
_DEAD = 1e-150  # weight of a node whose children's shares do not matter


type Index = Tensor | NDArray[np.integer]

_PAIRS = {
    2: np.array([[0, 0], [1, 1], [0, 1]]),
    3: np.array([[0, 0], [1, 1], [2, 2], [0, 1], [0, 2], [1, 2]]),
}  # indices of the strain components


class TorchNetwork(torch.nn.Module):
    """A network whose activations, normal angles and leaf orientations are trained.

    Stiffnesses are Mandel matrices, (..., 6, 6) in 3D and in-plane (..., 3, 3) (11, 22, √2·12) in
    2D, in float64. On the CPU the sweeps are compiled, see `CompiledSweep`.

    Attributes:
        leaf_activation: Parameter, (M,).
        normal_angles: Parameter, (M-1, dimension-1).
        leaf_orientation: Parameter, quaternions of any length, (M, 4), in 2D those about axis 3
            alone; None in a network without.
        phase_fraction: (P,), not trained: an input.
    """

    phase_fraction: Tensor
    _leaf_phase: Tensor
    _leaf_number: Tensor
    _membership: Tensor

    def __init__(self, network: Network) -> None:
        """Take over a network.

        Raises:
            ValueError: If leaves of a network in 2D are turned out of the plane.
        """
        super().__init__()
        self.dimension = network.dimension
        self.phases = network.phases
        self.leaves = network.leaves
        self.size = 3 if network.dimension == 2 else 6
        self.leaf_activation = torch.nn.Parameter(torch.tensor(network.leaf_activation))
        self.normal_angles = torch.nn.Parameter(torch.tensor(network.normal_angles))
        orientation = network.leaf_orientation
        if orientation is not None and network.dimension == 2 and orientation[:, 1:3].any():
            raise ValueError("leaf_orientation of a network in 2D must be about axis 3")
        self.leaf_orientation = (
            None if orientation is None else torch.nn.Parameter(torch.tensor(orientation))
        )
        self.register_buffer("phase_fraction", torch.tensor(network.phase_fraction))
        self.register_buffer("_leaf_phase", torch.tensor(network.leaf_phase))
        self.register_buffer("_leaf_number", torch.arange(network.leaves))
        self.register_buffer("_membership", torch.tensor(_membership(network.leaves)))
        rows, columns = np.triu_indices(self.size)
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
        unpack[rows, columns] = unpack[columns, rows] = np.arange(rows.size)
        self.register_buffer("_unpack", torch.tensor(unpack.ravel()))

    def network(self) -> Network:
        """The trained network in NumPy, independent of this module."""
        orientation = None
        if self.leaf_orientation is not None:
            unit = torch.nn.functional.normalize(self._quaternions().detach(), dim=1)
            orientation = unit.numpy().copy()
        return Network(
            dimension=self.dimension,
            phases=self.phases,
            leaf_phase=self._leaf_phase.numpy().copy(),
            phase_fraction=self.phase_fraction.numpy().copy(),
            leaf_activation=self.leaf_activation.detach().numpy().copy(),
            normal_angles=self.normal_angles.detach().numpy().copy(),
            leaf_orientation=orientation,
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

    def coordinates(self) -> list[Tensor]:
        """What tells networks of one tree apart, whatever their parameters are called.

        Returns:
            Weights of the leaves, relative to the mean leaf of their phase, (M, 1); dyads n nᵀ of
            the normals, (M-1, dimension²), and of the leaf orientations, (M, 16), if there are any.
            They are smooth where n turns into -n and at a pole of the angles.
        """
        leaves = torch.bincount(self._leaf_phase, minlength=len(self.phases))
        mean = (self.phase_fraction / leaves)[self._leaf_phase]
        shares = self.leaf_weights() / mean.masked_fill(mean == 0, 1.0)
        directions = [self.normals()]
        if self.leaf_orientation is not None:
            directions.append(torch.nn.functional.normalize(self._quaternions(), dim=1))
        dyads = [torch.einsum("mi,mj->mij", each, each).flatten(1) for each in directions]
        return [shares[:, None], *dyads]

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
        if self.leaf_orientation is None:
            return self._climb(phases, self._leaf_phase)
        return self.homogenise_leaves(torch.bmm(self._rotations(), phases[self._leaf_phase]))

    def homogenise_leaves(self, leaves: Tensor) -> Tensor:
        """The root's matrix, (c, n), where every leaf has one of its own, (M, c, n).

        Matrices are packed: distinct components row by row of the upper triangle, tensor components
        without √2, samples last. They may have more rows than the s of a stiffness, which jumps do
        not touch and which come last: the component 33 in 2D, and the row "1" that makes
        [[C, p], [pᵀ, 0]] of a law σ = C ε + p.
        """
        return self._climb(leaves, self._leaf_number)

    def _climb(self, columns: Tensor, source: Tensor) -> Tensor:
        if self.leaves == 1:
            return columns[source[0]]
        left, right = self._membership @ self.leaf_weights()
        total = left + right
        # Below a node of no weight the shares mean nothing, but they must be numbers, and so must
        # their derivatives, which the reciprocal of a tiny weight would make infinite.
        alive = total > _DEAD
        share = torch.where(alive, left / total.masked_fill(~alive, 1.0), 0.5)
        return self.sweep(columns, source, share, self.normals())

    @staticmethod
    def sweep(columns: Tensor, source: Tensor, share: Tensor, normals: Tensor) -> Tensor:
        """The root's matrix, compiled where it can be; see `plain_sweep` for the arguments."""
        compiled = columns.device.type == "cpu" and columns.dtype == torch.float64
        run = CompiledSweep.apply if compiled else plain_sweep
        return run(columns, source, share, normals)

    def _quaternions(self) -> Tensor:
        """Leaf orientations, of any length; in 2D about axis 3."""
        assert self.leaf_orientation is not None
        if self.dimension == 3:
            return self.leaf_orientation
        plane = torch.tensor([1.0, 0.0, 0.0, 1.0], dtype=self.leaf_orientation.dtype)
        return self.leaf_orientation * plane

    def _rotations(self) -> Tensor:
        """Maps of packed stiffnesses from the phases' axes to the global ones, (M, c, c)."""
        w, x, y, z = torch.nn.functional.normalize(self._quaternions(), dim=1).unbind(1)
        rows = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
        q = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
        # C'_IJ = T_IM T_JN C_MN with T_(ij)(mn) = Q_im Q_jn + Q_in Q_jm, the second for m ≠ n only.
        first, second = _PAIRS[self.dimension].T
        strain = _symmetric_product(q, first, second)
        return _symmetric_product(strain, self._rows, self._columns)


def _symmetric_product(matrix: Tensor, first: Index, second: Index) -> Tensor:
    """A_im A_jn + A_in A_jm (once for m = n), rows ij and columns mn being listed pairs."""
    i, m = matrix[:, first], matrix[:, second]
    direct = i[:, :, first] * m[:, :, second]
    crossed = i[:, :, second] * m[:, :, first]
    return direct + crossed * torch.as_tensor(first != second)


def _membership(leaves: int) -> Array:
    """Which leaves hang below the first and below the second child of every node, (2, M-1, M)."""
    below = np.zeros((2 * leaves - 1, leaves))
    below[leaves - 1 :] = np.eye(leaves)
    for node in reversed(range(leaves - 1)):
        below[node] = below[2 * node + 1] + below[2 * node + 2]
    return np.stack([below[1::2], below[2::2]])
