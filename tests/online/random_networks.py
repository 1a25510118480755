"""Random networks, laws and paths for proofs: everything that a network may be made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from dmn_fem.laws import (
    BackStress,
    ChabochePlasticity,
    DruckerPrager,
    Field,
    GeneralisedMaxwell,
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    NortonCreep,
    OrthotropicElastic,
    PerzynaViscoplasticity,
    PhaseLaw,
    PowerHardening,
    PronyTerm,
    ScalarDamage,
    TabulatedHardening,
    TemperatureDependent,
    ThermalExpansion,
    TransverselyIsotropicElastic,
    VoceHardening,
    law_function,
)
from dmn_fem.network import Network
from dmn_fem.notation import Array

PHASES = ("matrix", "fibre", "grain")


@law_function
def stiffening(parameters, strain, old, new, dt, stress, tangent):
    """K tr ε + 2 G (1 + γ |dev ε|²) dev ε, which remembers the largest |dev ε|²."""
    bulk, shear, growth = parameters
    volume, squared = strain[0] + strain[1] + strain[2], 0.0
    deviator = strain.copy()
    deviator[:3] -= volume / 3.0
    for each in deviator:
        squared += each * each
    if squared > old[0]:
        new[0] = squared
    else:
        new[0] = old[0]
    factor = 2.0 * shear * (1.0 + growth * squared)
    for i in range(strain.size):
        stress[i] = factor * deviator[i] + (bulk * volume if i < 3 else 0.0)
        for j in range(strain.size):
            tangent[i, j] = 4.0 * shear * growth * deviator[i] * deviator[j]
            tangent[i, j] += factor if i == j else 0.0
            tangent[i, j] += bulk - factor / 3.0 if i < 3 and j < 3 else 0.0
    return 1


@dataclass(frozen=True)
class Stiffening(PhaseLaw):
    """A law of one's own that is called point by point."""

    bulk: float
    shear: float
    growth: float
    function: ClassVar[Any] = stiffening

    def parameters(self, dimension: int) -> Array:
        return np.array([self.bulk, self.shear, self.growth])

    def fields(self, dimension: int) -> tuple[Field, ...]:
        return (Field("largest", ()),)


def _table(u: Callable[[float, float], float]) -> TabulatedHardening:
    stress = tuple(np.cumsum([0.1, u(0.01, 0.1), u(0.01, 0.1), u(0.01, 0.1)]))
    return TabulatedHardening((0.0, 0.01, 0.02, 0.05), stress)


def _chaboche(u: Callable[[float, float], float], recall: float) -> ChabochePlasticity:
    parts = (BackStress(u(5, 30), recall * u(50, 300)), BackStress(u(1, 5), recall * u(1, 20)))
    return ChabochePlasticity(u(50, 200), 0.3, 0.1, parts, VoceHardening(u(0, 0.2), u(10, 80)))


def _voce(u: Callable[[float, float], float], limit: float) -> J2Plasticity:
    return J2Plasticity(
        u(50, 200), u(0, 0.45), limit, VoceHardening(u(0, 0.2), u(10, 100), u(0, 2))
    )


def _transverse(u: Callable[[float, float], float]) -> TransverselyIsotropicElastic:
    return TransverselyIsotropicElastic(u(50, 900), u(20, 50), u(0.1, 0.3), u(0.2, 0.4), u(10, 40))


# u(a, b) is a number between the two. Numbers of parts stay, so that code is compiled once.
LAWS: dict[str, Callable[[Callable[[float, float], float]], PhaseLaw]] = {
    "elastic": lambda u: LinearElastic(10 ** u(0, 4), u(0, 0.45)),
    "transverse": _transverse,
    "orthotropic": lambda u: OrthotropicElastic(
        (u(60, 900), u(40, 60), u(20, 40)), (0.2, u(0.1, 0.3), 0.1), (u(5, 20), 20.0, u(4, 40))
    ),
    "perfect": lambda u: J2Plasticity(u(50, 200), u(0, 0.45), u(0.05, 0.2)),
    "linear": lambda u: J2Plasticity(u(50, 200), 0.3, u(0.05, 0.2), LinearHardening(u(0, 10))),
    "voce": lambda u: _voce(u, 0.1),
    "power": lambda u: J2Plasticity(u(50, 200), 0.3, 0.1, PowerHardening(u(1e-3, 0.1), u(0, 0.5))),
    "table": lambda u: J2Plasticity(u(50, 200), 0.3, 0.1, _table(u)),
    "prager": lambda u: ChabochePlasticity(u(50, 200), 0.3, 0.1, (BackStress(u(1, 20)),)),
    "chaboche": lambda u: _chaboche(u, 1.0),
    "perzyna": lambda u: PerzynaViscoplasticity(
        u(50, 200), 0.3, 0.1, u(0.02, 0.1), u(1, 8), u(10, 1000), LinearHardening(u(0, 5))
    ),
    "norton": lambda u: NortonCreep(u(50, 200), 0.3, u(0.05, 0.2), u(1, 8), u(10, 1000)),
    "maxwell": lambda u: GeneralisedMaxwell(
        u(50, 200), u(0, 0.45), (PronyTerm(u(0.1, 2), u(0, 0.5), 0.1), PronyTerm(10.0, u(0, 0.5)))
    ),
    "associated": lambda u: DruckerPrager(u(50, 200), 0.3, u(0.05, 0.2), 15.0, 15.0, u(0.1, 5)),
    "drucker_prager": lambda u: DruckerPrager(100.0, 0.3, 0.1, u(10, 20), u(5, 10), u(0.5, 5)),
    "damage": lambda u: ScalarDamage(u(50, 200), 0.3, u(0.1, 0.3), u(0, 0.1), u(10, 50)),
    "function": lambda u: Stiffening(u(50, 200), u(20, 100), u(1e4, 1e5)),
    "hot": lambda u: TemperatureDependent(
        (20.0, 100.0, 200.0), (_voce(u, 0.1), _voce(u, 0.08), _voce(u, 0.05))
    ),
    "expanding": lambda u: ThermalExpansion(_transverse(u), (u(0, 1e-5), 3e-5, 3e-5), 20.0),
}
PRESSURE = ("associated", "drucker_prager")
"""Where two of their leaves at the apex meet, the jump between them is anything."""


def random_law(name: str, rng: np.random.Generator) -> PhaseLaw:
    """A law of a kind with random parameters."""
    return LAWS[name](lambda low, high: float(rng.uniform(low, high)))


def random_network(
    dimension: int,
    phases: int,
    leaves: int,
    rng: np.random.Generator,
    *,
    pruned: bool = False,
    oriented: bool = False,
) -> Network:
    """Leaves of very different weights in any phase, some of them dead if pruned."""
    leaf_phase = rng.integers(phases, size=leaves)
    leaf_phase[rng.permutation(leaves)[:phases]] = np.arange(phases)
    activation = rng.uniform(-0.5, 1.0, leaves)
    if pruned:
        kept = [rng.choice(np.flatnonzero(leaf_phase == phase)) for phase in range(phases)]
        dead = rng.random(leaves) < 0.4
        dead[kept] = False
        activation[dead] = -np.inf
    quaternion = rng.normal(size=(leaves, 4))
    if dimension == 2:
        quaternion[:, 1:3] = 0.0
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    return Network(
        dimension,
        PHASES[:phases],
        leaf_phase,
        rng.dirichlet(np.full(phases, 3.0)),
        activation,
        rng.uniform(0.0, np.pi, (leaves - 1, dimension - 1)),
        quaternion if oriented else None,
    )


def random_paths(dimension: int, points: int, size: float, rng: np.random.Generator) -> Array:
    """Strains at the ends of increments, (increments, points, s): each point its own programme.

    Loading, unloading and reversal; a corner and the way back; or a random walk.
    """
    one, other = size * rng.normal(size=(2, points, 2 * dimension))
    zero = np.zeros_like(one)
    walk = np.cumsum(0.6 * size * rng.normal(size=(6, points, 2 * dimension)), axis=0)
    programmes = np.stack([
        np.stack([0.5 * one, one, 0.8 * one, -0.3 * one, -one, 0.4 * one]),
        np.stack([0.5 * one, one, one + 0.5 * other, one + other, other, zero]),
        walk,
    ])  # fmt: skip
    kind = rng.integers(3, size=points)
    return np.ascontiguousarray(programmes[kind, :, np.arange(points)].swapaxes(0, 1))


@dataclass(frozen=True)
class Problem:
    """A network, the laws of its phases, and what to ask of it."""

    network: Network
    laws: dict[str, PhaseLaw]
    strain: Array
    temperature: Array
    dt: float

    def external(
        self, step: int, points: slice | NDArray[np.integer] = slice(None)
    ) -> dict[str, Array]:
        """The temperature of some points at the end of an increment, if a law asks for it."""
        asked = any(law.external for law in self.laws.values())
        return {"temperature": self.temperature[step, points]} if asked else {}


@st.composite
def problems(
    draw: st.DrawFn,
    names: Sequence[str],
    *,
    points: int = 1,
    leaves: int = 32,
    sizes: Sequence[float] = (0.0005, 0.002, 0.005),
) -> Problem:
    """Networks of two or three phases with laws of these names, and paths of several points."""
    rng = np.random.default_rng(draw(st.integers(0, 100_000)))
    dimension, phases = draw(st.sampled_from([2, 3])), draw(st.sampled_from([2, 3]))
    laws = {phase: random_law(draw(st.sampled_from(names)), rng) for phase in PHASES[:phases]}
    network = random_network(
        dimension,
        phases,
        draw(st.integers(phases, leaves)),
        rng,
        pruned=draw(st.booleans()),
        oriented=draw(st.booleans()),
    )
    strain = random_paths(dimension, points, draw(st.sampled_from(sizes)), rng)
    temperature = rng.uniform(20.0, 200.0, strain.shape[:2])
    return Problem(network, laws, strain, temperature, draw(st.sampled_from([0.1, 1.0])))
