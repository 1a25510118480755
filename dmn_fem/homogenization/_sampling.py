"""The training set of one phase image."""

import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

from dmn_fem.homogenization._budget import BudgetSettings
from dmn_fem.homogenization._campaign import Progress, run, silent
from dmn_fem.homogenization._executors import Workers, start_processes
from dmn_fem.homogenization._plan import SetPlan
from dmn_fem.homogenization._training_set import TrainingSet
from dmn_fem.microstructure import PhaseImage


def sample(
    image: PhaseImage,
    path: str | os.PathLike[str],
    count: int,
    seed: int,
    tolerance: float = 1e-4,
    *,
    void: str | None = None,
    descriptors: Mapping[str, float] | None = None,
    budget: BudgetSettings | None = None,
    workers: Workers | None = None,
    progress: Progress = silent,
) -> TrainingSet:
    """Make a training set, or finish one that was interrupted, or read one that is there.

    The result depends on image, count, seed, tolerance, void and budget alone, to the last bit: not
    on interruptions and not on who computes. A finished set may be asked for more samples: only
    those are computed.

    Args:
        image: The microstructure.
        path: The HDF5 file to write; the journal of an unfinished set stands beside it.
        count: Number of samples.
        seed: Of the phase stiffnesses, see `draw_phase_stiffness`.
        tolerance: Relative error of the energies, see `homogenize`.
        void: Name of the phase that is void, if one is, see `draw_phase_stiffness`.
        descriptors: What describes the microstructure, by name; if not given, ``volume_fraction``,
            as of generated cells that of all phases but the first.
        budget: Size of the error budget. Its coarser grid is the image coarsened by two, if it can
            be; there are no realisations.
        workers: Who computes; this process, if not given.
        progress: Called after every result, and once before the first.

    Raises:
        ValueError: If the file or the journal is damaged, foreign, of another recipe, larger than
            asked for or in use (it is left as it is), or if arguments are out of range.
        CampaignError: If a full field does not converge; all others are kept.
    """
    if void is not None and void not in image.names:
        raise ValueError(f"void is {void!r}; the image has {', '.join(image.names)}")
    if descriptors is None:
        descriptors = {"volume_fraction": float(image.volume_fractions[1:].sum())}
    variants = {}
    if image.axes is None and all(length % 2 == 0 for length in image.shape):
        variants["coarse"] = lambda: image.coarsen(2)
    plan = SetPlan(
        Path(path),
        image,
        count,
        seed,
        tolerance,
        descriptors,
        budget or BudgetSettings(),
        variants,
        void=void,
    )
    with nullcontext(workers) if workers else start_processes() as chosen:
        run([plan], chosen, progress)
    return TrainingSet.load(plan.path)
