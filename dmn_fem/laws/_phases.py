"""Reading ``phases.toml``: a table a phase, the same names as in Python."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dmn_fem.laws._materials import (
    Hardening,
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    OrthotropicElastic,
    PhaseLaw,
    TabulatedHardening,
    VoceHardening,
)
from dmn_fem.laws._void import void

LAWS: dict[str, type[PhaseLaw]] = {
    "linear_elastic": LinearElastic,
    "orthotropic_elastic": OrthotropicElastic,
    "j2_plasticity": J2Plasticity,
}
HARDENINGS: dict[str, type[Hardening]] = {
    "linear": LinearHardening,
    "voce": VoceHardening,
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


def read_phases(path: str | Path) -> dict[str, PhaseLaw]:
    """Phase laws by name of the phase.

    Beside the laws of Python there is ``law = "void"``, ``beside = "matrix"``: see `void`.

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
    laws: dict[str, PhaseLaw] = {}
    solid = {phase: table for phase, table in tables.items() if not _is_void(table)}
    for phase, table in solid.items():
        where = f"{path}: [{phase}]"
        if isinstance(table, dict) and "hardening" in table:
            hardening = _construct(HARDENINGS, "type", table["hardening"], f"{where} hardening")
            table = {**table, "hardening": hardening}
        laws[phase] = _construct(LAWS, "law", table, where)
    voids = {
        phase: _void(table, laws, f"{path}: [{phase}]")
        for phase, table in tables.items()
        if phase not in solid
    }
    return {phase: voids.get(phase) or laws[phase] for phase in tables}


def _is_void(table: Any) -> bool:
    return isinstance(table, dict) and table.get("law") == "void"


def _void(table: dict[str, Any], laws: dict[str, PhaseLaw], where: str) -> PhaseLaw:
    """The law of a void, from that of a phase beside it."""
    if sorted(table) != ["beside", "law"] or table["beside"] not in laws:
        raise ValueError(
            f"{where}: a void has one entry more, beside; it must be one of {', '.join(laws)}"
        )
    return void(laws[table["beside"]])
