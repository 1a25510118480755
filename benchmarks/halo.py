"""What the ranks of a large model have to tell each other, from the partition of a small one.

A cube of quadratic tetrahedra is cut into parts of as many points as a rank would have, in one
process. Counted are, for the mean part: the unknowns of others that it shares (they are sent at
every update of the displacement and come back at every assembly of a residual), the parts that own
them, and the entries of the Jacobian that it assembles into rows of others.

    python benchmarks/halo.py                       # 10⁴ points a rank, a minute
    python benchmarks/halo.py --points 40000 --ranks 27
"""

import argparse
from typing import Any

import dmn_fem.fem  # noqa: F401 - prepares DOLFINx

# isort: split
import numpy as np
from dolfinx import fem, graph, mesh
from mpi4py import MPI
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_array

POINTS = 4  # of a cell
ENTRY = 12  # bytes of a number and its column


def main() -> None:
    """Partition, count, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10_000, help="of a rank")
    parser.add_argument("--ranks", type=int, default=27)
    parser.add_argument("--pieces", type=int, nargs="+", default=[1, 2, 4, 8], help="of a rank")
    arguments = parser.parse_args()
    through = round((arguments.points * arguments.ranks / POINTS / 6) ** (1 / 3))
    table = Table(title=f"A rank of {arguments.ranks}, {arguments.points} points, 3D")
    for heading in (
        "pieces", "unknowns", "of others", "%", "neighbours", "entries for others, MB",
        "bytes of the matrix, a point",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for pieces in arguments.pieces:
        domain, owner = cut(through, arguments.ranks, pieces)
        table.add_row(str(pieces), *counts(domain, owner, arguments.ranks))
    Console().print(table)


def cut(through: int, ranks: int, pieces: int) -> tuple[mesh.Mesh, np.ndarray]:
    """A cube in one process, and the rank that every cell would have."""
    found: list[np.ndarray] = []

    def keep(comm: MPI.Intracomm, parts: int, dual: Any, ghosting: bool) -> Any:
        found.append(graph.partitioner()(comm, ranks * pieces, dual, False).array % ranks)
        return graph.partitioner()(comm, parts, dual, ghosting)

    domain = mesh.create_unit_cube(
        MPI.COMM_SELF,
        *(3 * [through]),
        partitioner=mesh.create_cell_partitioner(keep, mesh.GhostMode.none, 2),
    )
    return domain, found[0][domain.topology.original_cell_index]


def counts(domain: mesh.Mesh, owner: np.ndarray, ranks: int) -> list[str]:
    """Entries of a row of the table."""
    nodes = fem.functionspace(domain, ("Lagrange", 2)).dofmap.list
    total = int(nodes.max()) + 1
    # Pairs of a node and a rank whose cells have it; the lowest of the ranks owns the node.
    node, rank = np.divmod(np.unique(nodes * ranks + owner[:, None]), ranks)
    lowest = np.full(total, ranks)
    np.minimum.at(lowest, node, rank)
    foreign = rank != lowest[node]
    neighbours = np.unique(np.stack([rank[foreign], lowest[node[foreign]]]), axis=1).shape[1]
    # Entries of the Jacobian, once for every rank that has a cell with both nodes.
    ends = np.arange(0, nodes.size + 1, nodes.shape[1])
    holds = csr_array((np.ones(nodes.size, dtype=bool), nodes.ravel(), ends))
    entries = (holds.T @ holds).nnz
    shape = (*nodes.shape, nodes.shape[1])
    row, column = (np.broadcast_to(each, shape) for each in (nodes[:, :, None], nodes[:, None]))
    who = np.broadcast_to(owner.astype(np.int64)[:, None, None], shape)
    abroad = lowest[row] != who
    sent = np.unique((who[abroad] * total + row[abroad]) * total + column[abroad]).size
    points = POINTS * len(owner)
    return [
        f"{3 * total / ranks:.0f}",
        f"{3 * foreign.sum() / ranks:.0f}",
        f"{100 * foreign.sum() / total:.0f}",
        f"{neighbours / ranks:.1f}",
        f"{9 * sent * ENTRY / ranks / 1e6:.2f}",
        f"{9 * entries * ENTRY / points:.0f}",
    ]


if __name__ == "__main__":
    main()
