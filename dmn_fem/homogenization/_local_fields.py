"""Fields within one unit cell: strain, stress and internal variables of every member."""

import io
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmn_fem._files import write_atomically
from dmn_fem.microstructure import vtk_messages
from dmn_fem.notation import COMPONENTS, Array, component_scale

LOCAL_FORMATS = (".npz", ".vti")


@dataclass(frozen=True)
class LocalFields:
    """Fields within one unit cell, a row for every member: a whole voxel, or a phase in a cut one.

    A voxel whose parts follow two rules of mixing has four members, two of each phase.

    Attributes:
        shape: Voxels along each axis.
        names: Names of the phases.
        voxel: Number of the voxel in C order, (members,).
        phase: Number of the phase, (members,).
        weight: Volume fraction of the member, (members,), sums to one.
        strain: Mandel, (members, s).
        stress: Mandel, (members, s).
        internal: Internal variables by name, (members, ...), Mandel vectors along the global axes;
            NaN where the law has no such one.
    """

    shape: tuple[int, ...]
    names: tuple[str, ...]
    voxel: NDArray[np.int64]
    phase: NDArray[np.int64]
    weight: Array
    strain: Array
    stress: Array
    internal: dict[str, Array] = field(default_factory=dict)

    @property
    def equivalent_stress(self) -> Array:
        """Von Mises' equivalent stress, (members,)."""
        deviator = self.stress.copy()
        deviator[:, :3] -= deviator[:, :3].mean(axis=1, keepdims=True)
        result: Array = np.sqrt(1.5) * np.linalg.norm(deviator, axis=1)
        return result

    def on_voxels(self, values: Array) -> Array:
        """Averages of member values (members, ...) over each voxel, (n1, ..., nd, ...).

        Members without a value (NaN) do not count; a voxel of such members alone has NaN.
        """
        flat = values.reshape(len(values), -1)
        known = np.isfinite(flat).all(axis=1)
        voxel, weight = self.voxel[known], self.weight[known]
        count = int(np.prod(self.shape))
        total = np.bincount(voxel, weight, count)
        total[total == 0.0] = np.nan
        result = np.empty((count, flat.shape[1]))
        for position, column in enumerate(flat[known].T):
            result[:, position] = np.bincount(voxel, weight * column, count) / total
        return result.reshape(*self.shape, *values.shape[1:])

    def histogram(
        self, phase: str, values: Array, bins: ArrayLike | int = 50
    ) -> tuple[Array, Array]:
        """How much volume of a phase has which values; both members of cut voxels count.

        Args:
            phase: Name of the phase.
            values: Of all members, (members,); those of other phases are not looked at.
            bins: Number of bins between the phase's extremes, or their edges.

        Returns:
            Volume fraction of the cell in every bin, (bins,), and edges, (bins + 1,). The sum is
            the volume fraction of the phase, unless values lie outside of given edges.

        Raises:
            ValueError: If the cell has no such phase, or its members have no such value.
        """
        if phase not in self.names:
            raise ValueError(f"no phase is {phase!r}; the phases are {', '.join(self.names)}")
        chosen = self.phase == self.names.index(phase)
        if np.isnan(values[chosen]).any():
            raise ValueError(f"phase {phase} has no such value in all of its voxels")
        volume, edges = np.histogram(values[chosen], bins, weights=self.weight[chosen])
        return volume, edges

    def save(self, path: str | Path) -> None:
        """Write the fields, averaged over each voxel, complete or not at all.

        Tensor components have names as ``stress_12``, without the √2; ``phase`` is the phase that
        fills most of a voxel.

        Args:
            path: ``.npz`` (arrays of the cell's shape) or ``.vti`` (cell data, for ParaView).

        Raises:
            ValueError: If the suffix is another one.
            RuntimeError: If a ``.vti`` file is written without PyVista.
        """
        path = Path(path)
        if path.suffix == ".npz":
            stream = io.BytesIO()
            np.savez_compressed(stream, **self._columns())
            write_atomically(path, stream.getvalue())
        elif path.suffix == ".vti":
            with vtk_messages() as (vista, _):
                lengths = [*self.shape, 1][:3]
                grid: Any = vista.ImageData(dimensions=[length + 1 for length in lengths])
            for name, values in self._columns().items():
                grid.cell_data[name] = values.ravel(order="F")
            with tempfile.TemporaryDirectory() as folder:
                grid.save(Path(folder) / "fields.vti")
                write_atomically(path, (Path(folder) / "fields.vti").read_bytes())
        else:
            raise ValueError(f"{path}: local fields go to {' or '.join(LOCAL_FORMATS)}")

    def _columns(self) -> dict[str, Any]:
        """Scalar voxel fields by name, each of the cell's shape."""
        dimension = len(self.shape)
        names, scale = COMPONENTS[dimension], component_scale(dimension)
        phase = np.empty(int(np.prod(self.shape)), dtype=np.int64)
        order = np.argsort(self.weight, kind="stable")
        phase[self.voxel[order]] = self.phase[order]  # the last of a voxel is its largest
        columns: dict[str, Any] = {"phase": phase.reshape(self.shape)}
        fields = {"strain": self.strain, "stress": self.stress, **self.internal}
        fields["equivalent_stress"] = self.equivalent_stress
        for name, values in fields.items():
            on_voxels = self.on_voxels(values)
            if values.ndim == 1:
                columns[name] = on_voxels
            elif values.shape[1:] == (len(names),):
                for position, component in enumerate(names):
                    column = on_voxels[..., position] / scale[position]
                    columns[f"{name}_{component}"] = column
            else:
                flat = on_voxels.reshape(*self.shape, -1)
                for number in range(flat.shape[-1]):
                    columns[f"{name}_{number + 1}"] = flat[..., number]
        return columns
