"""Networks by dense linear algebra: all jumps at once, no sweeps, nothing compiled.

Leaf strains are ε + A a with the jumps a of all nodes in one vector, and the balance is
Aᵀ W σ(ε + A a) = 0 (Gajek, Schneider and Böhlke 2020). A is put together from the tree of the
network as it is stored, dead leaves included; laws run on arrays, in Mandel notation, and keep
their own tangents, symmetric or not.
"""

from collections.abc import Mapping

import numpy as np
from scipy.spatial.transform import Rotation

from dmn_fem.laws import PhaseLaw
from dmn_fem.laws._respond import respond_many
from dmn_fem.network import Network, jump_operator
from dmn_fem.notation import Array, mandel_rotation


class DenseNetwork:
    """One point of a network, from the stress-free state on.

    Attributes:
        old: Internal variables of the leaves of every phase as accepted, (leaves, ...) each.
        new: Those of the last answer.
        iterations: Of Newton's method in it.
    """

    def __init__(self, network: Network, laws: dict[str, PhaseLaw]) -> None:
        self.laws = [laws[phase] for phase in network.phases]
        weights, dimension = network.leaf_weights, network.dimension
        alive = weights > 0
        inner, size = network.leaves - 1, 2 * dimension
        below = np.concatenate([np.zeros(inner), weights])
        for node in reversed(range(inner)):
            below[node] = below[2 * node + 1] + below[2 * node + 2]
        members = np.zeros((inner + network.leaves, size, inner * dimension))
        operators = jump_operator(network.normals, dimension)
        for node in range(inner):
            left, right = 2 * node + 1, 2 * node + 2
            members[left] = members[right] = members[node]
            if below[left] > 0 and below[right] > 0:
                place = slice(node * dimension, (node + 1) * dimension)
                share = below[left] / below[node]
                members[left][:, place] = (1 - share) * operators[node]
                members[right][:, place] = -share * operators[node]
        used = np.abs(members).max(axis=(0, 1)) > 0
        self.localisation = np.ascontiguousarray(members[inner:][alive][:, :, used])
        self.weights = weights[alive]
        self.leaves = [
            np.flatnonzero(network.leaf_phase[alive] == phase) for phase in range(len(self.laws))
        ]
        self.rotation = np.broadcast_to(np.eye(size), (len(self.weights), size, size))
        if network.leaf_orientation is not None:
            turns = Rotation.from_quat(network.leaf_orientation[alive], scalar_first=True)
            self.rotation = np.stack(
                [mandel_rotation(each)[:size, :size] for each in turns.as_matrix()]
            )
        self.jumps = np.zeros(self.localisation.shape[2])
        self.old = [
            np.zeros((len(leaves), sum(field.size for field in law.fields(dimension))))
            for law, leaves in zip(self.laws, self.leaves, strict=True)
        ]
        self.new = self.old

    def respond(
        self, strain: Array, jumps: Array, dt: float, external: Mapping[str, Array]
    ) -> tuple[Array, Array, list[Array]]:
        """Stresses (leaves, s), tangents (leaves, s, s), and new internal variables."""
        turn, back = self.rotation, np.swapaxes(self.rotation, 1, 2)
        local = np.einsum("lji,lj->li", turn, strain + self.localisation @ jumps)
        stress, tangent, new = np.empty(local.shape), np.empty(turn.shape), []
        for law, leaves, old in zip(self.laws, self.leaves, self.old, strict=True):
            known = {name: np.full(len(leaves), external[name]) for name in law.external}
            answer = respond_many(law, local[leaves], old, dt, known)
            stress[leaves], tangent[leaves], after = answer
            new.append(after)
        return np.einsum("lij,lj->li", turn, stress), turn @ tangent @ back, new

    def integrate(
        self, strain: Array, dt: float = 0.0, external: Mapping[str, Array] | None = None
    ) -> tuple[Array, Array]:
        """Stress and consistent tangent, to what round-off allows.

        Raises:
            RuntimeError: If Newton's method does not get there.
        """
        stiff = self.localisation.reshape(self.weights.size * strain.size, -1)
        weighted = np.repeat(self.weights, strain.size)[:, None] * stiff
        outside, jumps, before = external or {}, self.jumps, np.inf
        stress, tangent, new = self.respond(strain, jumps, dt, outside)
        for self.iterations in range(100):
            coupled = (tangent @ self.localisation).reshape(stiff.shape)
            matrix, residual = weighted.T @ coupled, weighted.T @ stress.ravel()
            # A strain of a millionth counts as none.
            whole = np.abs(stress).max() + 1e-6 * np.abs(tangent).max()
            size = np.abs(residual).max(initial=0.0) / whole
            if not size > 1e-15 or (size < 1e-11 and size > 0.5 * before):
                break
            try:
                step = -np.linalg.solve(matrix, residual)
            except np.linalg.LinAlgError:
                raise RuntimeError("the matrix of the dense solve is singular") from None
            # Never beyond the minimum along the step, of a potential that need not exist.
            slope, share = residual @ step, 1.0
            for _ in range(30):
                stress, tangent, new = self.respond(strain, jumps + share * step, dt, outside)
                now = (weighted.T @ stress.ravel()) @ step
                if slope >= 0 or now <= 0.5 * abs(slope) or size < 1e-9:
                    break
                share *= 0.5
            jumps, before = jumps + share * step, size
        else:
            raise RuntimeError(f"the dense solve is left with {size:.1e}")
        self.found, self.new = jumps, new
        across = np.tensordot(self.weights, tangent @ self.localisation, 1)
        each = weighted.reshape(self.localisation.shape)
        up = np.tensordot(each, tangent, ((0, 1), (0, 1)))
        macro = np.einsum("l,lij->ij", self.weights, tangent)
        return self.weights @ stress, macro - across @ np.linalg.solve(matrix, up)

    def accept(self) -> None:
        """What was integrated becomes the past."""
        self.jumps, self.old = self.found, self.new
