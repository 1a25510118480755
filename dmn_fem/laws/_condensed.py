"""Laws some of whose stresses a model holds at zero.

The strains that go with them are found by Newton's method at every point, on the law's own
consistent tangent, and condensed out of it (de Borst 1991, The zero-normal-stress condition in
plane-stress and shell elastoplasticity).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dmn_fem.laws._protocol import Code, Law, Status
from dmn_fem.laws._state import Field, State
from dmn_fem.notation import Array

_SHORTEST = 1e-3
"""Share of a Newton step below which a point gives up."""


class _FreeState(State):
    """State of a law and, of each point, prescribed and free strains and how these respond."""

    def __init__(self, law: State, points: int, prescribed: int, free: int) -> None:
        layout = [
            Field("condensed.strain", (prescribed,)),
            Field("condensed.free_strain", (free,)),
            Field("condensed.response", (free, prescribed)),
        ]
        super().__init__(layout, points)
        self.law, self.network = law, law.network

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.law.names, *super().names)

    def accept(self) -> None:
        super().accept()
        self.law.accept()

    def revert(self) -> None:
        super().revert()
        self.law.revert()

    def take(self, points: NDArray[np.integer]) -> Self:
        taken = super().take(points)
        taken.law = self.law.take(points)
        return taken

    def put(self, points: NDArray[np.integer], other: Self) -> None:
        super().put(points, other)
        self.law.put(points, other.law)

    def __getitem__(self, name: str) -> Array:
        return self.law[name] if name in self.law.names else super().__getitem__(name)

    def at(self, name: str, points: NDArray[np.integer]) -> Array:
        inner = name in self.law.names
        return self.law.at(name, points) if inner else super().at(name, points)

    def export(self, points: NDArray[np.integer] | slice = slice(None)) -> dict[str, Array]:
        return {**self.law.export(points), **super().export(points)}

    def load(self, fields: Mapping[str, Array]) -> None:
        own = set(super().names)
        before = self.law.export()
        self.law.load({name: each for name, each in fields.items() if name not in own})
        try:
            super().load({name: each for name, each in fields.items() if name in own})
        except ValueError:
            self.law.load(before)
            raise


class CondensedLaw:
    """A law some of whose stresses are zero.

    Newton's method starts from the free strains of the last step and their response then; a step
    that does not lessen the stresses that must vanish is halved. Only points that have not
    converged are asked again.
    """

    def __init__(
        self,
        law: Law,
        dimension: int,
        strain_size: int,
        prescribed: Sequence[int],
        tolerance: float,
        max_iterations: int,
    ) -> None:
        self.law = law
        self.external = law.external
        self.dimension, self.strain_size = dimension, strain_size
        self.tolerance, self.max_iterations = tolerance, max_iterations
        # Where strains stand, those of the model in its vector as in that of the law.
        self._prescribed = np.array(prescribed)
        self._free = np.setdiff1d(np.arange(law.strain_size), self._prescribed)

    def allocate(self, points: int, **options: Any) -> State:
        """See `Law`; with what the law takes besides."""
        inner = self.law.allocate(points, **options)
        return _FreeState(inner, points, self._prescribed.size, self._free.size)

    def averages(self, state: State) -> dict[str, Array]:
        """See `Law`; also ``strain``, with the strains that the model does not know."""
        assert isinstance(state, _FreeState)
        strain = np.zeros((state.points, self.law.strain_size))
        strain[:, self._prescribed] = state["condensed.strain"]
        strain[:, self._free] = state["condensed.free_strain"]
        return {**self.law.averages(state.law), "strain": strain}

    def maxima(self, state: State) -> dict[str, Array]:
        """See `Law`."""
        assert isinstance(state, _FreeState)
        return self.law.maxima(state.law)

    def integrate(
        self,
        strain: Array,
        state: State,
        stress: Array,
        tangent: Array | None = None,
        dt: float = 0.0,
        external: Mapping[str, Array] | None = None,
    ) -> Status:
        """See `Law.integrate`."""
        assert isinstance(state, _FreeState)
        points, free, known = len(strain), self._free, self._prescribed
        rows, columns = np.ix_(free, free), np.ix_(free, known)
        old = state.old[:, :, 0]
        strain_before, free_before, response = np.split(
            old, [known.size, known.size + free.size], axis=1
        )
        response = response.reshape(points, free.size, known.size)
        whole = np.empty((points, self.law.strain_size))
        whole[:, known] = strain[:, known]
        base = free_before.copy()
        change = whole[:, known] - strain_before
        step = np.einsum("pfk,pk->pf", response, change)
        share = np.ones(points)
        least = np.full(points, np.inf)
        stresses = np.full((points, self.law.strain_size), np.nan)
        tangents = np.full((points, self.law.strain_size, self.law.strain_size), np.nan)
        codes = np.full(points, Code.FAILED, dtype=np.int8)
        iterations = np.zeros(points, dtype=np.int32)

        active = np.arange(points)
        for number in range(1, self.max_iterations + 1):
            whole[np.ix_(active, free)] = base[active] + share[active, None] * step[active]
            part = state.law if active.size == points else state.law.take(active)
            found = np.empty((active.size, whole.shape[1]))
            slope = np.empty((active.size, whole.shape[1], whole.shape[1]))
            status = self.law.integrate(
                np.ascontiguousarray(whole[active]), part, found, slope, dt, _at(external, active)
            )
            iterations[active] = np.maximum(iterations[active], status.iterations)
            iterations[active] = np.maximum(iterations[active], number)
            rest = np.linalg.norm(found[:, free], axis=1)
            # Written so that a NaN is no improvement.
            better = (status.codes != Code.FAILED) & (rest < least[active])
            enough = self.tolerance * np.linalg.norm(slope, axis=(1, 2))
            done = better & (rest <= enough * np.linalg.norm(whole[active], axis=1))
            points_better = active[better]
            least[points_better] = rest[better]
            stresses[points_better], tangents[points_better] = found[better], slope[better]
            base[points_better] = whole[np.ix_(points_better, free)]
            step[points_better] = -_solve(slope[better][:, *rows], found[better][:, free, None])[
                ..., 0
            ]
            share[active] = np.where(better, 1.0, 0.5 * share[active])
            if part is not state.law:
                state.law.put(active, part)
            codes[active[done]] = status.codes[done]
            active = active[~done & (share[active] > _SHORTEST)]
            if active.size == 0:
                break

        response = -_solve(tangents[:, *rows], tangents[:, *columns])
        codes[~np.isfinite(response).all(axis=(1, 2))] = Code.FAILED
        failed = codes == Code.FAILED
        stress[:] = 0.0
        stress[:, known] = stresses[:, known]
        stress[failed] = np.nan
        if tangent is not None:
            inner = tangents[:, *np.ix_(known, known)]
            tangent[:] = 0.0
            tangent[:, *np.ix_(known, known)] = inner + tangents[:, *np.ix_(known, free)] @ response
            tangent[failed] = np.nan
        new = (whole[:, known], whole[:, free], response.reshape(points, free.size * known.size))
        state.new[:, :, 0] = np.concatenate(new, axis=1)
        none = np.flatnonzero(failed)
        if none.size:  # a point that fails leaves nothing behind
            state.new[none] = state.old[none]
            past = state.law.take(none)
            past.revert()
            state.law.put(none, past)
        return Status(codes, iterations)


def _solve(matrices: Array, right: Array) -> Array:
    """Solutions of many small systems; NaN where a matrix is singular or holds NaN."""
    scale = np.abs(matrices).max(axis=(1, 2), initial=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = matrices / scale[:, None, None]
        sound = np.abs(np.linalg.det(scaled)) > 0.0  # a NaN is not
    solutions = np.full(right.shape, np.nan)
    solutions[sound] = np.linalg.solve(matrices[sound], right[sound])
    return solutions


def _at(external: Mapping[str, Array] | None, points: NDArray[np.integer]) -> dict[str, Array]:
    """External fields at some points."""
    given = {name: np.asarray(values) for name, values in (external or {}).items()}
    return {name: values[points] if values.ndim else values for name, values in given.items()}
