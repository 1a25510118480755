"""Partitions that share out the points that yield."""

from collections.abc import Callable
from typing import Any

import numpy as np
from dolfinx.graph import partitioner
from dolfinx.mesh import GhostMode, create_cell_partitioner
from mpi4py import MPI


def interleaved_partitioner(
    pieces: int = 8, ghost_mode: GhostMode = GhostMode.none
) -> Callable[..., Any]:
    """A partition of cells that gives every rank several pieces from all over the body.

    Points that yield cost more than elastic ones and lie together: where every rank has one compact
    part, those of the plastic zone let the others wait. Here the body is cut into more pieces than
    there are ranks, and these are dealt out in turn. The price is a larger surface between ranks.

    Args:
        pieces: How many each rank gets; one is the partition of DOLFINx itself.
        ghost_mode: Of the mesh.

    Returns:
        What `dolfinx.mesh.create_mesh`, `create_box` and the like, and `read_mesh` take as
        ``partitioner``.

    Raises:
        ValueError: If there is not one piece at least.
    """
    if pieces < 1:
        raise ValueError(f"every rank needs one piece at least, got {pieces}")
    cut = partitioner()

    def deal(comm: MPI.Intracomm, ranks: int, graph: Any, ghosting: bool) -> Any:
        parts = cut(comm, pieces * ranks, graph, ghosting)
        owners = np.asarray(parts.array) % ranks  # neighbouring parts have close numbers
        # The first destination of a cell owns it, others have it as a ghost: each of them once.
        cells = np.repeat(np.arange(parts.num_nodes), np.diff(parts.offsets))
        kept = np.sort(np.unique(cells * ranks + owners, return_index=True)[1])
        counts = np.bincount(cells[kept], minlength=parts.num_nodes)
        ends = np.cumsum(counts, dtype=np.int32)
        return type(parts)(owners[kept].astype(np.int32), np.append(np.int32(0), ends))

    return create_cell_partitioner(deal, ghost_mode, 2)
