"""Linear viscoelasticity: a spring and Maxwell branches side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

from pydantic import ConfigDict

from dmn_fem.laws._law import STRICT, Answer, PhaseLaw, check_positive
from dmn_fem.laws._state import Field
from dmn_fem.laws.arithmetic import add, deviator, exp, trace, where
from dmn_fem.notation import isotropic_stiffness, strain_size


@dataclass(frozen=True)
class PronyTerm:
    """A Maxwell branch: the part of the instantaneous moduli that relaxes in a time.

    Attributes:
        relaxation_time: τ > 0.
        shear_ratio: g, 0 to 1.
        bulk_ratio: k, 0 to 1.
    """

    relaxation_time: float
    shear_ratio: float
    bulk_ratio: float = 0.0
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        check_positive(relaxation_time=self.relaxation_time)
        for name in ("shear_ratio", "bulk_ratio"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}; it must lie between 0 and 1")


@dataclass(frozen=True)
class GeneralisedMaxwell(PhaseLaw):
    """Isotropic linear viscoelasticity: G(t) = G (1 - Σ g + Σ g exp(-t/τ)), K(t) likewise.

    The recurrence of Taylor, Pister and Goudreau (1970, Int. J. Numer. Meth. Engng 2), exact where
    the strain is linear in time within each step.

    Attributes:
        young_modulus: Instantaneous, E > 0, stress.
        poisson_ratio: Instantaneous, -1 < ν < 0.5.
        terms: The branches; the sums of their ratios must not exceed one.
    """

    young_modulus: float
    poisson_ratio: float
    terms: tuple[PronyTerm, ...]

    def __post_init__(self) -> None:
        isotropic_stiffness(self.young_modulus, self.poisson_ratio)
        if not self.terms:
            raise ValueError("terms is empty; it needs one Prony term at least")
        for name in ("shear_ratio", "bulk_ratio"):
            total = sum(getattr(term, name) for term in self.terms)
            if not total <= 1 + 1e-12:
                raise ValueError(f"{name} of all terms is {total}; the sum must not exceed 1")

    def parameters(self, dimension: int) -> Mapping[str, Any]:
        """Relaxation times, and twice the shear and the bulk modulus: long-term, of branches."""
        bulk = self.young_modulus / (3 - 6 * self.poisson_ratio)
        twice_shear = self.young_modulus / (1 + self.poisson_ratio)
        shear_ratios = [term.shear_ratio for term in self.terms]
        bulk_ratios = [term.bulk_ratio for term in self.terms]
        return {
            "times": [term.relaxation_time for term in self.terms],
            "moduli": [
                [twice_shear * g, bulk * k]
                for g, k in zip(
                    [1 - sum(shear_ratios), *shear_ratios],
                    [1 - sum(bulk_ratios), *bulk_ratios],
                    strict=True,
                )
            ],
        }

    def fields(self, dimension: int) -> tuple[Field, ...]:
        """Strain before, and stresses of the branches."""
        size = strain_size(dimension)
        return (
            Field("strain_before", (size,)),
            Field("branch_stress", (len(self.terms), size), "stress"),
        )

    def formula(self, strain: Sequence[Any], old: SimpleNamespace, dt: Any) -> Answer:
        """Stresses of the branches decay while strain loads them."""
        step = [now - before for now, before in zip(strain, old.strain_before, strict=True)]
        law: Any = self
        total, branches = _elastic(strain, *law.moduli[0]), []
        for time, moduli, before in zip(law.times, law.moduli[1:], old.branch_stress, strict=True):
            decay = exp(-(dt / time))
            # (1 - exp(-x)) / x, whose difference is of no use where x is small.
            small = dt < 1e-4 * time
            series = 1.0 - dt / time * (0.5 - dt / time * (1.0 / 6.0))
            load = where(small, series, (1.0 - decay) * time / where(small, 1.0, dt))
            loaded = _elastic(step, *moduli)
            after = [decay * s + load * e for s, e in zip(before, loaded, strict=True)]
            branches.append(after)
            total = [s + e for s, e in zip(total, after, strict=True)]
        return total, {"strain_before": list(strain), "branch_stress": branches}


def _elastic(strain: Sequence[Any], twice_shear: Any, bulk: Any) -> list[Any]:
    """2 G dev ε + K tr ε."""
    return add([twice_shear * each for each in deviator(strain)], bulk * trace(strain))
