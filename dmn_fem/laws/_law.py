"""What a phase law is: named parameters, internal variables, and a formula or a function."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from pydantic import ConfigDict

from dmn_fem.laws._state import Field
from dmn_fem.notation import Array

type Answer = tuple[Sequence[Any], Mapping[str, Any]]
"""Components of the stress and internal variables by name."""

STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class PhaseLaw:
    """What one phase does at one point.

    A user's own law is a frozen dataclass of its parameters that declares its internal variables in
    `fields` and has a `formula`. A law that branches has a `function` instead.
    """

    function: ClassVar[Any] = None
    """A `law_function`, of a law without a formula."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    @property
    def isotropic(self) -> bool:
        """Whether the law claims to know no directions, for `dmn_fem.laws.check`."""
        return True

    @property
    def symmetric(self) -> bool:
        """Whether the law claims a symmetric tangent; networks keep one triangle of it then."""
        return True

    @property
    def external(self) -> Mapping[str, float]:
        """External fields that the law reads at every point, and where they are without stress.

        For example ``{"temperature": 20.0}``. The formula receives their values at the end of the
        step as further arguments of these names; a function finds them behind its parameters.
        """
        return {}

    def formula(
        self, strain: Sequence[Any], old: SimpleNamespace, dt: Any, *_: Any, **external: Any
    ) -> Answer:
        """Stress and internal variables at the end of a step.

        Plain arithmetic with what `dmn_fem.laws.arithmetic` offers. It runs on arrays, and is
        traced once into machine code for one point and for several at once, where each
        parameter in `self` stands for a number: Python's ``if`` may ask for the length of a tuple
        but not for values.

        Args:
            strain: The 4 or 6 Mandel components of the strain at the end of the step.
            old: The internal variables at its start, by name: a list of Mandel components, a
                number, or nested lists.
            dt: Time step.
            **external: The values of the `external` fields at the end of the step.

        Returns:
            Mandel components of the stress, and the internal variables by name. The consistent
            tangent is their derivative, which nobody writes.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither a formula nor a function")

    def parameters(self, dimension: int) -> Mapping[str, Any] | Array:
        """What the formula reads in `self`, by name: all the fields by default.

        Of a law with a function: the vector that it receives.
        """
        return {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]

    def fields(self, dimension: int) -> tuple[Field, ...]:
        """Internal variables; or none. ``old`` of a function has what they keep, in this order."""
        return ()


def check_positive(**parameters: float) -> None:
    """Raise ValueError for a parameter that is not positive and finite."""
    for name, value in parameters.items():
        if not 0 < value < np.inf:
            raise ValueError(f"{name} is {value}; it must be positive and finite")


def check_not_negative(**parameters: float) -> None:
    """Raise ValueError for a parameter that is negative or not finite."""
    for name, value in parameters.items():
        if not 0 <= value < np.inf:
            raise ValueError(f"{name} is {value}; it must be >= 0 and finite")
