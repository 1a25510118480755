"""What is needed to integrate one point of a model again, alone: a small file."""

import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import numpy as np

from dmn_fem._files import write_atomically
from dmn_fem.laws._protocol import Code, Law
from dmn_fem.notation import COMPONENTS, Array, component_scale

FORMAT = "dmn-fem/point"


@dataclass(frozen=True)
class PointRecord:
    """A step of one point: what its law was given, and where the point is.

    Attributes:
        strain: Total strain at the end of the step, Mandel, (4,) or (6,).
        strain_before: Total strain at its start.
        state: Internal variables at its start, by name, as `State.export` gives them for a point.
        dt: Time step.
        external: External fields at the end of the step, by name.
        position: Coordinates of the point; empty if it is not in a model.
        cell: Number of its cell in the mesh's input, -1 if it is not in a model.
        point: Number of the quadrature point in the cell.
        network: Which of the networks of its law the point has.
        message: What happened.
    """

    strain: Array
    strain_before: Array
    state: Mapping[str, Array]
    dt: float = 0.0
    external: Mapping[str, float] = field(default_factory=dict)
    position: Array = field(default_factory=lambda: np.zeros(0))
    cell: int = -1
    point: int = -1
    network: int = 0
    message: str = ""

    @property
    def where(self) -> str:
        """Cell, point and position in words."""
        position = ", ".join(f"{value:.6g}" for value in self.position)
        return f"cell {self.cell}, point {self.point} at [{position}]"

    @property
    def components(self) -> str:
        """The strain at the end of the step in words: its tensor components."""
        dimension = {4: 2, 6: 3}.get(self.strain.size)
        if dimension is None:  # of a bar
            return ", ".join(f"{value:.6g}" for value in self.strain)
        values = zip(COMPONENTS[dimension], self.strain / component_scale(dimension), strict=True)
        return ", ".join(f"{name} {value:.6g}" for name, value in values)

    def save(self, path: str | Path) -> None:
        """Write it to a ``.npz`` file, whole or not at all."""
        about = {
            "format": FORMAT,
            "format_version": 1,
            "dt": self.dt,
            "external": dict(self.external),
            "cell": self.cell,
            "point": self.point,
            "network": self.network,
            "message": self.message,
        }
        arrays = {"strain": self.strain, "strain_before": self.strain_before}
        arrays |= {"position": self.position}
        arrays |= {f"state/{name}": values for name, values in self.state.items()}
        content = BytesIO()
        np.savez(content, about=np.array(json.dumps(about)), **_plain(arrays))
        write_atomically(path, content.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: If the file is no record of a point.
            OSError: If it cannot be read.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            about = json.loads(str(arrays.pop("about")))
            if about["format"] != FORMAT or about["format_version"] != 1:
                raise ValueError("another format")
            state = {
                name.removeprefix("state/"): arrays.pop(name)
                for name in tuple(arrays)
                if name.startswith("state/")
            }
            keys = ("dt", "external", "cell", "point", "network", "message")
            return cls(state=state, **arrays, **{key: about[key] for key in keys})
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path}: not a record of a point: {error}") from None


@dataclass(frozen=True)
class Attempt:
    """What a law says of a recorded step that is taken in equal sub-steps.

    Attributes:
        substeps: In how many.
        code: The lowest `Code` of the sub-steps.
        iterations: Summed over the sub-steps.
        reached: Share of the step that was integrated, 1 unless a sub-step failed.
        stress: At the end of the step, Mandel; NaN if a sub-step failed.
    """

    substeps: int
    code: Code
    iterations: int
    reached: float
    stress: Array


def replay(law: Law, record: PointRecord, substeps: Iterable[int] = (1,)) -> list[Attempt]:
    """Integrate a recorded point alone, along a straight strain, in so many equal sub-steps.

    External fields have their values at the end of the step throughout.

    Raises:
        ValueError: If the record is of a law with another strain, state or external fields.
    """
    if record.strain.shape != (law.strain_size,):
        raise ValueError(
            f"the record has {record.strain.size} strain components, the law {law.strain_size}"
        )
    return [_attempt(law, record, count) for count in substeps]


def _attempt(law: Law, record: PointRecord, substeps: int) -> Attempt:
    allocate: Any = law.allocate  # of a law that has networks
    own = {"network": np.array([record.network])} if record.network else {}
    state = allocate(1, **own)
    state.load({name: np.asarray(values)[None] for name, values in record.state.items()})
    stress = np.full((1, law.strain_size), np.nan)
    code, iterations = Code.CONVERGED, 0
    change = record.strain - record.strain_before
    outside = {name: np.array([value]) for name, value in record.external.items()}
    for number in range(1, substeps + 1):
        # The last one is exactly the recorded strain, also where the state knows no other.
        remaining = 1.0 - number / substeps
        strain = np.ascontiguousarray((record.strain - remaining * change)[None])
        status = law.integrate(strain, state, stress, None, record.dt / substeps, outside)
        code = min(code, Code(int(status.codes[0])))
        iterations += int(status.iterations[0])
        if code == Code.FAILED:
            nothing = np.full(law.strain_size, np.nan)
            return Attempt(substeps, code, iterations, (number - 1) / substeps, nothing)
        state.accept()
    return Attempt(substeps, code, iterations, 1.0, stress[0])


def _plain(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """As plain keyword arguments of `numpy.savez`."""
    return {name: np.asarray(values, dtype=float) for name, values in arrays.items()}
