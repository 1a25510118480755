"""Running the formula of a law on any kind of number, and what decides its machine code."""

import ast
import hashlib
import inspect
import sys
from abc import ABC
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.util import resolve_name
from math import prod
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any
from uuid import uuid4

import numpy as np

from dmn_fem import _lanes
from dmn_fem.laws import arithmetic
from dmn_fem.laws._law import PhaseLaw
from dmn_fem.laws._state import Field
from dmn_fem.notation import Array


def replace(value: Any, number: Callable[[float], Any]) -> Any:
    """A copy of a parameter with each number in it replaced; what is not a number stays."""
    if isinstance(value, bool | str | type | None):
        return value
    if isinstance(value, int | float | np.number):
        return number(float(value))
    if isinstance(value, Mapping):
        return {name: replace(each, number) for name, each in value.items()}
    if isinstance(value, Sequence | np.ndarray):
        return [replace(each, number) for each in value]
    if is_dataclass(value):
        parts = {each.name: getattr(value, each.name) for each in fields(value)}
        return like(type(value), replace(parts, number))
    raise TypeError(f"a parameter is {value!r}; formulas read numbers, sequences and dataclasses")


def like(kind: type, attributes: Mapping[str, Any]) -> Any:
    """An object of a class with these attributes, unchecked."""
    copy: Any = object.__new__(kind)
    for name, each in attributes.items():
        object.__setattr__(copy, name, each)
    return copy


def numbers_of(law: PhaseLaw, dimension: int) -> Array:
    """The parameters of a law in one row."""
    numbers: list[float] = []
    given = law.parameters(dimension)
    if isinstance(given, np.ndarray):
        return given
    replace(given, lambda number: numbers.append(number))
    return np.array(numbers)


def apply(
    law: PhaseLaw,
    dimension: int,
    numbers: Iterator[Any],
    strain: Sequence[Any],
    old: Any,
    dt: Any,
    external: Sequence[Any] = (),
) -> tuple[list[Any], list[list[Any]], list[Any]]:
    """Stress, rows of the tangent, and new internal variables in one row.

    Args:
        law: The law; which numbers its parameters have does not matter.
        dimension: 2 or 3.
        numbers: Its parameters, as in `numbers_of`.
        strain: Mandel components.
        old: Internal variables as they are kept, by position.
        dt: Time step.
        external: Values of the external fields, in the order of `PhaseLaw.external`.
    """
    copy = like(type(law), replace(law.parameters(dimension), lambda _: next(numbers)))
    own = law.fields(dimension)
    past, place = SimpleNamespace(), 0
    for field in own:
        kept = [old[place + i] for i in range(field.size)]
        setattr(past, field.name, _nested(_in_full(kept, field), field.shape))
        place += field.size
    seeds = [arithmetic.Dual(each, {i: 1.0}) for i, each in enumerate(strain)]
    duals, new = copy.formula(seeds, past, dt, **dict(zip(law.external, external, strict=True)))
    stress = [arithmetic.value_of(each) for each in duals]
    tangent = [
        [getattr(each, "slopes", {}).get(i, 0.0) for i in range(len(strain))] for each in duals
    ]
    after: list[Any] = []
    for field in own:
        values = [arithmetic.value_of(each) for each in _flat(new[field.name])]
        if len(values) != prod(field.shape):
            raise ValueError(
                f"{type(law).__name__}: {field.name} has {len(values)} new values; "
                f"its field has {prod(field.shape)}"
            )
        after += _to_keep(values, field)
    return stress, tangent, after


def _in_full(kept: list[Any], field: Field) -> list[Any]:
    """Components of a field from those that are kept."""
    if not field.deviatoric:
        return kept
    width = field.kept_shape[-1]
    tensors = [kept[start : start + width] for start in range(0, len(kept), width)]
    return [each for a, b, *shears in tensors for each in (a, b, -(a + b), *shears)]


def _to_keep(values: list[Any], field: Field) -> list[Any]:
    """Those components of a field that are kept."""
    if not field.deviatoric:
        return values
    return [each for i, each in enumerate(values) if i % field.shape[-1] != 2]


def _nested(values: list[Any], shape: tuple[int, ...]) -> Any:
    if len(shape) < 2:
        return values if shape else values[0]
    part = len(values) // shape[0]
    return [_nested(values[i * part : (i + 1) * part], shape[1:]) for i in range(shape[0])]


def _flat(values: Any) -> list[Any]:
    if isinstance(values, list | tuple):
        return [each for value in values for each in _flat(value)]
    return [values]


def code_key(law: PhaseLaw, dimension: int) -> str:
    """What decides the machine code of a law."""
    kind: type = type(law)
    text = f"{_describe_class(kind)} {_describe(law.parameters(dimension))}"
    text += f" {law.fields(dimension)} {tuple(law.external)}"
    text += f" {_digest(_lanes)} {_digest(arithmetic)}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{kind.__module__}.{kind.__qualname__} {dimension} {digest}"


def _describe(value: Any) -> str:
    """A parameter without its numbers."""
    if isinstance(value, type):
        return _describe_class(value)
    if isinstance(value, bool | str | None):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + " ".join(f"{name}:{_describe(each)}" for name, each in value.items()) + "}"
    if isinstance(value, Sequence | np.ndarray):
        return "[" + " ".join(_describe(each) for each in value) + "]"
    if is_dataclass(value):
        parts = {each.name: getattr(value, each.name) for each in fields(value)}
        kind: type = type(value)
        return _describe_class(kind) + _describe(parts)
    return "1"


@cache
def _describe_class(kind: type) -> str:
    """The name of a class and digests of the modules that it comes from."""
    own = [each for each in kind.__mro__ if each not in (object, ABC, PhaseLaw)]
    return " ".join(
        [kind.__qualname__, *(_digest(sys.modules.get(each.__module__)) for each in own)]
    )


@cache
def _digest(module: ModuleType | None) -> str:
    """Of the source of a module and of those that it is made of."""
    try:
        functions = [each for each in vars(module).values() if isinstance(each, FunctionType)]
        modules = {id(module): module} | {
            id(each): each for each in (inspect.getmodule(function) for function in functions)
        }
        modules |= {id(each): each for each in _imports_of(module)}
        source = "".join(inspect.getsource(each) for each in modules.values() if each is not None)
    except (OSError, TypeError):  # without a file, as at a prompt: compiled anew in every process
        source = str(uuid4())
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def _imports_of(module: ModuleType | None) -> list[ModuleType]:
    """All modules of a user's own that one imports, directly or not."""
    found: list[ModuleType] = []
    waiting = [] if module is None else [module]
    while waiting:
        each = waiting.pop()
        for node in ast.walk(ast.parse(inspect.getsource(each))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                name = "." * node.level + (node.module or "")
                origin = resolve_name(name, each.__package__) if node.level else name
                names = [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
            for name in names:
                other = sys.modules.get(name)
                if other is not None and other not in found and _is_own(other):
                    found.append(other)
                    waiting.append(other)
    return found


def _is_own(module: ModuleType) -> bool:
    """Whether a module is a user's: no part of Python, of this package or of one installed."""
    package, _, _ = module.__name__.partition(".")
    file = getattr(module, "__file__", None)
    known = package in sys.stdlib_module_names or package == __name__.partition(".")[0]
    return not known and file is not None and "site-packages" not in Path(file).parts
