"""What tells a field from another one: what its law answers at every point to fixed strains."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dmn_fem.fem._frame import Frame
from dmn_fem.laws import Law
from dmn_fem.notation import Array

PROBES = ((1e-3, 20.0), (1e-2, 300.0))
"""Strains and external fields of which a law is asked."""
_CHUNK = 256  # networks whose states are in memory at once


def answers(law: Law, networks: NDArray[np.integer], frame: Frame | None) -> Array:
    """A number for every probe at every point; other networks, laws or frames have others.

    They do not depend on the partition, and cost little: every network is asked once.

    Args:
        law: The law.
        networks: Number of the network of every point, (cells, points).
        frame: Axes of the law.

    Returns:
        A mean of the components of the stress along global axes, (cells, points, probes).
    """
    size = law.strain_size
    distinct, place = np.unique(networks, return_inverse=True)
    chunks = [distinct[first : first + _CHUNK] for first in range(0, distinct.size, _CHUNK)]
    answered = np.concatenate([np.zeros((0, len(PROBES), size)), *(_ask(law, c) for c in chunks)])
    stresses = answered[place.reshape(networks.shape)]
    mean = np.sin(np.arange(1.0, size + 1.0))
    result = np.empty((*networks.shape, len(PROBES)))
    for probe in range(len(PROBES)):
        stress = stresses[:, :, probe]
        result[..., probe] = (stress if frame is None else frame.to_global(stress)) @ mean
    return result


def _ask(law: Law, networks: NDArray[np.integer]) -> Array:
    """Stresses that some networks of a law answer, (networks, probes, strain_size)."""
    count, size = len(networks), law.strain_size
    allocate: Any = law.allocate  # of a law that has networks
    own = {"network": networks} if networks.any() else {}
    result = np.zeros((count, len(PROBES), size))
    for probe, (amplitude, external) in enumerate(PROBES):
        strain = np.tile(amplitude * np.cos(np.arange(1.0, size + 1.0)), (count, 1))
        stress = np.zeros_like(strain)
        outside = {name: np.full(count, external) for name in law.external}
        law.integrate(strain, allocate(count, **own), stress, None, 1.0, outside)
        result[:, probe] = stress
    return result
