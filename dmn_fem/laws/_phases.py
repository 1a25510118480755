"""Reading ``phases.toml``: a table a phase, the same names as in Python."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dmn_fem.laws._damage import ScalarDamage
from dmn_fem.laws._drucker_prager import DruckerPrager
from dmn_fem.laws._elasticity import (
    LinearElastic,
    OrthotropicElastic,
    TransverselyIsotropicElastic,
)
from dmn_fem.laws._hardening import (
    Hardening,
    LinearHardening,
    PowerHardening,
    TabulatedHardening,
    VoceHardening,
)
from dmn_fem.laws._law import PhaseLaw
from dmn_fem.laws._plasticity import ChabochePlasticity, J2Plasticity
from dmn_fem.laws._temperature import TemperatureDependent, ThermalExpansion
from dmn_fem.laws._viscoelasticity import GeneralisedMaxwell
from dmn_fem.laws._viscoplasticity import NortonCreep, PerzynaViscoplasticity
from dmn_fem.laws._void import void

LAWS: dict[str, type[PhaseLaw]] = {
    "linear_elastic": LinearElastic,
    "transversely_isotropic_elastic": TransverselyIsotropicElastic,
    "orthotropic_elastic": OrthotropicElastic,
    "j2_plasticity": J2Plasticity,
    "chaboche_plasticity": ChabochePlasticity,
    "perzyna_viscoplasticity": PerzynaViscoplasticity,
    "norton_creep": NortonCreep,
    "generalised_maxwell": GeneralisedMaxwell,
    "drucker_prager": DruckerPrager,
    "scalar_damage": ScalarDamage,
    "thermal_expansion": ThermalExpansion,
    "temperature_dependent": TemperatureDependent,
}
HARDENINGS: dict[str, type[Hardening]] = {
    "linear": LinearHardening,
    "voce": VoceHardening,
    "power": PowerHardening,
    "table": TabulatedHardening,
}


def _construct(kinds: dict[str, type], key: str, table: Any, where: str) -> Any:
    """Object of the class that ``table[key]`` names, from the other entries of the table."""
    if not isinstance(table, dict) or key not in table:
        raise ValueError(f"{where}: {key} is missing; it must be one of {', '.join(kinds)}")
    if table[key] not in kinds:
        raise ValueError(f"{where}: {key} is {table[key]!r}; it must be one of {', '.join(kinds)}")
    entries = {name: value for name, value in table.items() if name != key}
    try:
        return TypeAdapter(kinds[table[key]]).validate_python(entries)
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{where}: {entry + ': ' if entry else ''}{message}") from None


def _law(table: Any, where: str) -> Any:
    """The law of a table, which may hold those of other laws."""

    def entry(name: str, value: Any) -> Any:
        if name == "hardening":
            return _construct(HARDENINGS, "type", value, f"{where} {name}")
        if name == "mechanical":
            return _law(value, f"{where} {name}")
        if name == "laws" and isinstance(value, list):
            return [_law(each, f"{where} laws.{row}") for row, each in enumerate(value)]
        return value

    if isinstance(table, dict):
        table = {name: entry(name, value) for name, value in table.items()}
    return _construct(LAWS, "law", table, where)


def read_phases(path: str | Path) -> dict[str, PhaseLaw]:
    """Phase laws by name of the phase, see `parse_phases`.

    Raises:
        ValueError: With file, phase and entry, if the file is not TOML, or a law or its parameters
            are not right.
        OSError: If the file cannot be read.
    """
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a TOML file: {error}") from None
    return parse_phases(tables, str(path))


def parse_phases(tables: Mapping[str, Any], where: str) -> dict[str, PhaseLaw]:
    """Phase laws by name of the phase, from the tables of a ``phases.toml``.

    Beside the laws of Python there is ``law = "void"``, ``beside = "matrix"``: see `void`.

    Args:
        tables: By name of the phase.
        where: What errors begin with.

    Raises:
        ValueError: With phase and entry, if a law or its parameters are not right.
    """
    laws = dict[str, PhaseLaw]()
    solid = {phase: table for phase, table in tables.items() if not _is_void(table)}
    for phase, table in solid.items():
        laws[phase] = _law(table, f"{where}: [{phase}]")
    voids = {
        phase: _void(table, laws, f"{where}: [{phase}]")
        for phase, table in tables.items()
        if phase not in solid
    }
    return {phase: voids.get(phase) or laws[phase] for phase in tables}


def phase_tables(laws: Mapping[str, PhaseLaw]) -> dict[str, dict[str, Any]]:
    """The tables that `parse_phases` makes these laws of, with all their parameters.

    Raises:
        ValueError: If a law is none of those that a file can name.
    """
    tables: dict[str, dict[str, Any]] = {}
    for phase, law in laws.items():
        try:
            tables[phase] = _table(law)
        except ValueError as error:
            raise ValueError(f"{phase}: {error}") from None
    return tables


def _table(law: PhaseLaw) -> dict[str, Any]:
    names = {kind: name for name, kind in LAWS.items()}
    if type(law) not in names:
        raise ValueError(
            f"{type(law).__name__} has no name in phases.toml; there are {', '.join(LAWS)}"
        )
    return {"law": names[type(law)]} | _entries(law)


def _entries(parameters: Any) -> dict[str, Any]:
    """Fields of a dataclass, as JSON and TOML know them."""
    return {each.name: _entry(getattr(parameters, each.name)) for each in fields(parameters)}


def _entry(value: Any) -> Any:
    if isinstance(value, PhaseLaw):
        return _table(value)
    if isinstance(value, Hardening):
        kinds = {kind: name for name, kind in HARDENINGS.items()}
        if type(value) not in kinds:
            raise ValueError(
                f"{type(value).__name__} has no name in phases.toml; "
                f"there are {', '.join(HARDENINGS)}"
            )
        return {"type": kinds[type(value)]} | _entries(value)
    if isinstance(value, tuple):
        return [_entry(each) for each in value]
    return _entries(value) if is_dataclass(value) else value


def _is_void(table: Any) -> bool:
    return isinstance(table, dict) and table.get("law") == "void"


def _void(table: dict[str, Any], laws: dict[str, PhaseLaw], where: str) -> PhaseLaw:
    """The law of a void, from that of a phase beside it."""
    if sorted(table) != ["beside", "law"] or table["beside"] not in laws:
        raise ValueError(
            f"{where}: a void has one entry more, beside; it must be one of {', '.join(laws)}"
        )
    return void(laws[table["beside"]])
