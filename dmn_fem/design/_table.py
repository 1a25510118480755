"""Design maps as tables: columns of quantities, and the CSV file."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dmn_fem._files import write_atomically
from dmn_fem.notation import Array

NETWORK = "network"
"""The source of values that a network answers; others have the names of `estimates`."""
FULL_FIELD = "full_field"


@dataclass(frozen=True)
class DesignMap:
    """Properties of a composite at N points of a descriptor space.

    Attributes:
        descriptors: Names of the D descriptors that vary.
        points: Their values, (N, D).
        fixed: The other descriptors.
        nodes: Values of the D descriptors at the stored networks that have the fixed ones, (K, D).
        values: By quantity (``young_modulus_1``, ``yield_stress_11`` …), then by source:
            ``network``, bounds and estimates (``reuss``, ``voigt``, ``hashin_shtrikman_lower``,
            ``hashin_shtrikman_upper``, ``mori_tanaka``, ``self_consistent``) and ``full_field``.
            Each (N,), NaN where there is no value. In the units of the phase laws.
    """

    descriptors: tuple[str, ...]
    points: Array
    fixed: Mapping[str, Any]
    nodes: Array
    values: Mapping[str, Mapping[str, Array]]

    def write(self, path: str | Path) -> None:
        """Write a CSV file: descriptors, then a column for every quantity and source.

        Values of the network are in the column of the quantity itself, others in
        ``quantity.source``; where there is no value the entry is empty.
        """
        header = [*self.descriptors, *self.fixed]
        held = [" ".join(f"{part:.12g}" for part in np.ravel(each)) for each in self.fixed.values()]
        columns = []
        for quantity, sources in self.values.items():
            for source, column in sources.items():
                header.append(quantity if source == NETWORK else f"{quantity}.{source}")
                columns.append(["" if np.isnan(value) else f"{value:.10g}" for value in column])
        stream = io.StringIO(newline="")
        writer = csv.writer(stream)
        writer.writerow(header)
        for point, *row in zip(self.points, *columns, strict=True):
            writer.writerow([*(f"{value:.12g}" for value in point), *held, *row])
        write_atomically(path, stream.getvalue().encode())
