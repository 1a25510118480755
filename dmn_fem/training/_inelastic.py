"""The inelastic stage: networks fitted to full-field stresses along short strain paths, as well.

To first order in the strain rate elastic localisation determines the inelastic response (Gajek,
Schneider and Böhlke 2020), beyond that it does not: networks of equal elastic error differ, and
fail where fields localise, most of all beside voids. Some stresses at plasticity, in the loss
beside the elastic samples, cure that; their gradient is exact (`NetworkLaw.sensitivity`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from dmn_fem.homogenization import InelasticSet
from dmn_fem.laws import PhaseLaw, phase_tables
from dmn_fem.network import Network
from dmn_fem.notation import Array
from dmn_fem.online import NetworkLaw
from dmn_fem.training._model import TorchNetwork
from dmn_fem.training._samples import Errors

HYDROSTATIC = 0.1
"""What the squared error of the mean stress weighs beside that of the deviator: it is nearly
elastic, and known from the elastic samples."""
_ITERATIONS = 200  # of Newton's method: a training set asks for large steps


@dataclass(frozen=True, eq=False)
class InelasticSamples:
    """Stresses of one microstructure along strain paths from the stress-free state.

    Attributes:
        materials: The law of every phase by the phase's name, for every material.
        material: Number of the material of every path, (n,).
        strain: Mandel strains at the ends of the K steps, a unit of time each, (n, K, s).
        stress: Mandel stresses there, (n, K, s).
        weight: Of this loss beside the elastic one.

    Raises:
        ValueError: If there is no path, or the weight is not positive.
    """

    materials: tuple[Mapping[str, PhaseLaw], ...]
    material: NDArray[np.int64]
    strain: Array
    stress: Array
    weight: float = 2.0

    def __post_init__(self) -> None:
        if self.material.size == 0:
            raise ValueError("no inelastic samples; there must be at least one path")
        if not 0 < self.weight < np.inf:
            raise ValueError(f"weight is {self.weight}; it must be positive")

    @classmethod
    def of(cls, data: InelasticSet, weight: float = 2.0) -> "InelasticSamples":
        """The samples of an inelastic training set."""
        return cls(data.materials, data.material, data.strain, data.stress, weight)

    def split(self, held_out: int) -> tuple["InelasticSamples", "InelasticSamples"]:
        """Samples to train on, and the last `held_out` paths of every material to check with.

        Raises:
            ValueError: If one of the two would be empty.
        """
        number = np.zeros_like(self.material)
        for material in range(len(self.materials)):
            ours = self.material == material
            number[ours] = np.arange(ours.sum())[::-1]
        kept = number >= held_out
        if held_out < 1 or not kept.any():
            raise ValueError(f"held_out is {held_out}; of every material 1 path or more must stay")
        training, checking = (
            replace(
                self,
                material=self.material[part],
                strain=self.strain[part],
                stress=self.stress[part],
            )
            for part in (kept, ~kept)
        )
        return training, checking

    def loss(self, module: TorchNetwork) -> Tensor:
        """Weighted mean over paths and steps of ‖dev Δσ̄‖² / max ‖dev σ̄‖² and the mean stress's.

        The largest values are those along a path of the full field. A path along which the network
        finds no equilibrium counts as not answered: with an error of one.
        """
        value, gradients = self._loss(module.network())
        parameters = (module.leaf_weights(), module.normals(), module.leaf_orientation)
        return _WithGradient.apply(value, gradients, *parameters)

    def digest(self) -> str:
        """SHA-256 of all that determines the loss."""
        tables = [phase_tables(laws) for laws in self.materials]
        digest = hashlib.sha256(json.dumps([tables, self.weight], sort_keys=True).encode())
        for array in (self.material, self.strain, self.stress):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def errors(self, network: Network) -> Errors:
        """Relative errors of the deviatoric stress, over the paths the largest of their steps."""
        error = np.ones(self.material.size)
        for laws, paths in self._by_material():
            stress, _ = _law(network, laws).follow(self.strain[paths])
            difference = _deviator(stress - self.stress[paths])
            largest = np.linalg.norm(_deviator(self.stress[paths]), axis=-1).max(axis=1)
            found = np.linalg.norm(difference, axis=-1).max(axis=1) / largest
            error[paths] = np.where(np.isfinite(found), found, 1.0)
        return Errors(float(error.mean()), float(np.percentile(error, 95)), float(error.max()))

    def _by_material(self) -> list[tuple[Mapping[str, PhaseLaw], NDArray[np.int64]]]:
        """Laws and path numbers of every material."""
        return [
            (laws, np.flatnonzero(self.material == material))
            for material, laws in enumerate(self.materials)
        ]

    def _loss(self, network: Network) -> tuple[float, "_Gradients"]:
        """Loss and its gradients by leaf weights, normals and leaf orientations."""
        total = 0.0
        share = np.zeros(network.leaves - 1)
        normal = np.zeros((network.leaves - 1, network.dimension))
        rotation = np.zeros((network.leaves, 3))
        scale = self.weight / self.stress[..., 0].size
        for laws, paths in self._by_material():
            law, strain, reference = _law(network, laws), self.strain[paths], self.stress[paths]
            stress, jumps = law.follow(strain)
            found = np.isfinite(stress).all(axis=(1, 2))
            total += scale * np.count_nonzero(~found) * strain.shape[1]
            difference, reference = stress[found] - reference[found], reference[found]
            deviator = _deviator(difference)
            by_deviator, by_stress = (
                (each**2).sum(axis=-1, keepdims=True).max(axis=1, keepdims=True)
                for each in (_deviator(reference), reference)
            )
            weighted = deviator / by_deviator + HYDROSTATIC * (difference - deviator) / by_stress
            total += scale * float((weighted * difference).sum())
            found_by = law.sensitivity(strain[found], jumps[found], 2 * scale * weighted)
            share += found_by.share
            normal += found_by.normal
            if found_by.rotation is not None:
                rotation += found_by.rotation
        return total, _Gradients(_by_weight(network, share), normal, rotation)


@dataclass(frozen=True)
class _Gradients:
    """Of a loss by leaf weights, (M,), normals, (M-1, d), and small leaf rotations, (M, 3)."""

    weight: Array
    normal: Array
    rotation: Array


class _WithGradient(torch.autograd.Function):
    """A value that is known together with its gradients."""

    @staticmethod
    def forward(
        ctx: Any,
        value: float,
        gradients: _Gradients,
        weight: Tensor,
        normal: Tensor,
        orientation: Tensor | None,
    ) -> Tensor:
        """The value."""
        ctx.gradients = gradients
        ctx.orientation = None if orientation is None else orientation.detach()
        return torch.tensor(value, dtype=weight.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, sensitivity: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients."""
        gradients, orientation = ctx.gradients, None
        if ctx.orientation is not None:
            # The quaternion q of the product of a small rotation r and q has the rate (0, r) q / 2.
            q, r = ctx.orientation.numpy(), gradients.rotation
            scalar = -(r * q[:, 1:]).sum(axis=1, keepdims=True)
            vector = q[:, :1] * r + np.cross(r, q[:, 1:])
            by_q = 2 * np.concatenate([scalar, vector], axis=1)
            by_q /= (q**2).sum(axis=1, keepdims=True)
            orientation = sensitivity * torch.from_numpy(by_q)
        by_weight, by_normal = (
            sensitivity * torch.from_numpy(each) for each in (gradients.weight, gradients.normal)
        )
        return None, None, by_weight, by_normal, orientation


def _law(network: Network, laws: Mapping[str, PhaseLaw]) -> NetworkLaw:
    return NetworkLaw(network, laws, max_iterations=_ITERATIONS)


def _deviator(stress: Array) -> Array:
    """Deviatoric part of Mandel vectors (..., s)."""
    result = stress.copy()
    result[..., :3] -= stress[..., :3].mean(axis=-1, keepdims=True)
    return result


def _by_weight(network: Network, by_share: Array) -> Array:
    """Derivatives by the leaf weights, (M,), from those by the shares of the inner nodes."""
    inner = network.leaves - 1
    weight = np.concatenate([np.zeros(inner), network.leaf_weights])
    for node in reversed(range(inner)):
        weight[node] = weight[2 * node + 1] + weight[2 * node + 2]
    result = np.zeros_like(weight)
    for node in range(inner):
        if weight[node] > 0:
            first, second = 2 * node + 1, 2 * node + 2
            # The square of the weight of a dying node would be zero.
            change = by_share[node] / weight[node]
            result[first] = result[node] + change * (weight[second] / weight[node])
            result[second] = result[node] - change * (weight[first] / weight[node])
    return result[inner:]
