"""Laws that depend on temperature: thermal expansion, and parameters from a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from dmn_fem.laws._law import Answer, PhaseLaw
from dmn_fem.laws._state import Field
from dmn_fem.laws._tracing import code_key, like
from dmn_fem.laws.arithmetic import maximum, minimum, where

TEMPERATURE = "temperature"


@dataclass(frozen=True)
class TemperatureDependent(PhaseLaw):
    """A law whose parameters depend on temperature, linear between the rows of a table.

    What is interpolated is what its formula reads (`PhaseLaw.parameters`), such as the bulk and
    shear modulus of isotropic laws, the stiffness of anisotropic ones, yield stress and hardening.
    Outside the table a point fails.

    Attributes:
        temperature: Increasing, two at least.
        laws: The law at each of them. They may differ in numbers alone.
    """

    temperature: tuple[float, ...]
    laws: tuple[PhaseLaw, ...]

    def __post_init__(self) -> None:
        steps = np.diff(self.temperature)
        if len(self.temperature) != len(self.laws) or len(self.laws) < 2:
            raise ValueError(
                f"there are {len(self.temperature)} temperatures and {len(self.laws)} laws; "
                "there must be equally many, at least two"
            )
        if not (np.isfinite(self.temperature).all() and (steps > 0).all()):
            raise ValueError("temperature must be finite and increase from row to row")
        for law in self.laws:
            _check_formula(law)
        for law, temperature in zip(self.laws, self.temperature, strict=True):
            if code_key(law, 3) != code_key(self.laws[0], 3):
                raise ValueError(
                    f"the law at {temperature} is another one than that at {self.temperature[0]}; "
                    "laws of a table may differ in numbers alone"
                )

    @property
    def isotropic(self) -> bool:
        """If all laws are."""
        return all(law.isotropic for law in self.laws)

    @property
    def symmetric(self) -> bool:
        """If all laws are."""
        return all(law.symmetric for law in self.laws)

    @property
    def external(self) -> Mapping[str, float]:
        """The temperature, and what the laws read; where they are without stress or next to it."""
        first, last = self.temperature[0], self.temperature[-1]
        own = self.laws[0].external
        start = min(max(own.get(TEMPERATURE, first), first), last)
        return {**own, TEMPERATURE: start}

    def parameters(self, dimension: int) -> Mapping[str, Any]:
        """The table, row by row."""
        return {
            "temperature": self.temperature,
            "laws": [_description(law, dimension) for law in self.laws],
        }

    def fields(self, dimension: int) -> tuple[Field, ...]:
        """Those of the laws."""
        return self.laws[0].fields(dimension)

    def formula(
        self, strain: Sequence[Any], old: SimpleNamespace, dt: Any, *_: Any, **external: Any
    ) -> Answer:
        """From row to row, as far as the temperature goes."""
        table, temperature, laws = self.temperature, external[TEMPERATURE], self.laws
        law: Any = laws[0]
        for row in range(len(table) - 1):
            share = (temperature - table[row]) / (table[row + 1] - table[row])
            law = _between(law, laws[row + 1], maximum(minimum(share, 1.0), 0.0))
        stress, new = _answer(law, strain, old, dt, external)
        known = (temperature >= table[0]) & (temperature <= table[-1])
        return [where(known, each, float("nan")) for each in stress], new


@dataclass(frozen=True)
class ThermalExpansion(PhaseLaw):
    """A law of the strain without its thermal part: σ(ε - α (T - T0)).

    α is the secant coefficient, the mean between T0 and T, not the slope of the strain at T. One
    that depends on temperature is told by `TemperatureDependent` laws that expand.

    Attributes:
        mechanical: A law with a formula; also one that depends on temperature itself.
        coefficient: α per degree: a number, or three along the axes of the material.
        reference_temperature: T0, without thermal strain.
    """

    mechanical: PhaseLaw
    coefficient: float | tuple[float, float, float]
    reference_temperature: float

    def __post_init__(self) -> None:
        _check_formula(self.mechanical)
        for name in ("coefficient", "reference_temperature"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"{name} is {getattr(self, name)}; it must be finite")
        if isinstance(self.mechanical, TemperatureDependent):
            table = self.mechanical.temperature
            if not table[0] <= self.reference_temperature <= table[-1]:
                raise ValueError(
                    f"reference_temperature is {self.reference_temperature}; the mechanical law "
                    f"knows {table[0]} to {table[-1]}: to be without stress outside, let the laws "
                    "of its table expand"
                )

    @property
    def isotropic(self) -> bool:
        """If the law is, and has one coefficient."""
        return self.mechanical.isotropic and np.size(self.coefficient) == 1

    @property
    def symmetric(self) -> bool:
        """If the law is."""
        return self.mechanical.symmetric

    @property
    def external(self) -> Mapping[str, float]:
        """The temperature, and what the law itself reads."""
        return {**self.mechanical.external, TEMPERATURE: self.reference_temperature}

    def parameters(self, dimension: int) -> Mapping[str, Any]:
        """Those of the law, and three coefficients."""
        return {
            "mechanical": _description(self.mechanical, dimension),
            "coefficient": np.broadcast_to(self.coefficient, 3),
            "reference_temperature": self.reference_temperature,
        }

    def fields(self, dimension: int) -> tuple[Field, ...]:
        """Those of the law."""
        return self.mechanical.fields(dimension)

    def formula(
        self, strain: Sequence[Any], old: SimpleNamespace, dt: Any, *_: Any, **external: Any
    ) -> Answer:
        """The thermal strain has components along the axes alone."""
        law: Any = self
        rise = external[TEMPERATURE] - self.reference_temperature
        thermal = [each * rise for each in law.coefficient]
        rest = [e - thermal[i] if i < 3 else e for i, e in enumerate(strain)]
        return _answer(law.mechanical, rest, old, dt, external)


def _check_formula(law: PhaseLaw) -> None:
    if type(law).function is not None:
        raise ValueError(
            f"{type(law).__name__} is a function; what depends on temperature needs a formula"
        )


def _description(law: PhaseLaw, dimension: int) -> tuple[type, tuple[str, ...], Any]:
    """A law as a parameter of another one: its class, what it reads, and its parameters."""
    return type(law), tuple(law.external), law.parameters(dimension)


def _answer(
    description: Any,
    strain: Sequence[Any],
    old: SimpleNamespace,
    dt: Any,
    external: Mapping[str, Any],
) -> Answer:
    """By the formula of a law that is a parameter."""
    kind, names, parameters = description
    fields = {name: external[name] for name in names}
    return like(kind, parameters).formula(strain, old, dt, **fields)


def _between(one: Any, other: Any, share: Any) -> Any:
    """Numbers between those of parameters that differ in numbers alone."""
    if isinstance(one, bool | str | type | None):
        return one
    if isinstance(one, Mapping):
        return {name: _between(each, other[name], share) for name, each in one.items()}
    if isinstance(one, list | tuple):
        return [_between(*each, share) for each in zip(one, other, strict=True)]
    if is_dataclass(one):
        return like(type(one), _between(vars(one), vars(other), share))
    return one + share * (other - one)
