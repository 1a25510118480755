"""What one rank cannot write or read ends all ranks with the same line: an MPI script."""

import sys
from pathlib import Path

import numpy as np
from fem_models import ELASTIC, Faulty, distorted, elastic_law, plastic_law, tension

from dmn_fem.fem import (
    History,
    MaterialField,
    ResultFile,
    Stepper,
    _mesh,
    draw_body,
    draw_cells,
    load_checkpoint,
    mandel_strain,
    read_mesh,
    save_checkpoint,
)
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw

# isort: split
from dolfinx import fem
from mpi4py import MPI

COMM = MPI.COMM_WORLD


def ends_together(action, kind, word):
    """An action must raise an error of a kind on every rank, with one line in common."""
    try:
        action()
    except Exception as error:
        told = (isinstance(error, kind), str(error))
    else:
        told = (False, "nothing was raised")
    everyone = COMM.allgather(told)
    assert len(set(everyone)) == 1, everyone
    assert told[0], everyone
    assert word in told[1], everyone
    assert "\n" not in told[1], everyone


def only_on(rank, folder):
    """A path that one rank cannot write to, and the others can."""
    return folder / "missing" if COMM.rank == rank else folder


def step_of(problem, material, load):
    stepper = Stepper(problem, [material], load)
    return stepper, next(stepper.run([0.0, 0.1, 0.2]))


def pictures(folder):
    for dimension, draw in ((2, draw_cells), (3, draw_body)):
        values = fem.Function(fem.functionspace(distorted(dimension, 2), ("DG", 0)))
        path = only_on(0, folder) / "picture.png"
        ends_together(lambda p=path, d=draw, v=values: d(p, v, "label"), OSError, "missing")


def results(folder):
    """Every rank has a file of its own to write, rank 0 the collection and the history as well."""
    for rank in range(COMM.size):
        problem, material, load, _ = tension(plastic_law(2), distorted(2, 2))
        _, step = step_of(problem, material, load)
        file = ResultFile(only_on(rank, folder) / "run.pvd", problem.u, material, points=True)
        ends_together(lambda f=file, t=step.time: f.write(t), OSError, "missing")
    path = only_on(0, folder) / "history.csv"
    ends_together(lambda: History(path, [material], {}), OSError, "missing")
    history = History(folder / "history.csv", [material], {})
    COMM.barrier()
    if COMM.rank == 0:
        (folder / "history.csv").unlink()
        (folder / "history.csv").mkdir()
    COMM.barrier()
    ends_together(lambda: history.write(step), OSError, "history.csv")


def checkpoints(folder):
    problem, material, load, _ = tension(plastic_law(2), distorted(2, 2))
    stepper, _ = step_of(problem, material, load)
    for rank in range(COMM.size):
        path = only_on(rank, folder) / "run"
        ends_together(lambda p=path: save_checkpoint(p, stepper), OSError, ".run.partial")
    # What is in the way is found at last, on rank 0, when the whole file is written.
    if COMM.rank == 0:
        (folder / "taken" / "inside").mkdir(parents=True)
    COMM.barrier()
    ends_together(lambda: save_checkpoint(folder / "taken", stepper), OSError, "taken")
    # Every rank may have a note of its own: that of rank 0 is written.
    save_checkpoint(folder / "run", stepper, {"rank": "0" * (1 + 8 * COMM.rank)})
    assert load_checkpoint(folder / "run", stepper) == {"rank": "0"}
    note = {"rank": COMM if COMM.rank == 0 else 0}
    ends_together(lambda: save_checkpoint(folder / "run", stepper, note), ValueError, "the note")


def failures(folder):
    """The folder of failed points, which rank 0 alone writes."""
    law = Faulty(plastic_law(2), limit=0.3, rank=COMM.size - 1)
    problem, material, load, _ = tension(law, distorted(2, 2))
    if COMM.rank == 0:
        (folder / "file").write_text("")
    COMM.barrier()
    stepper = Stepper(problem, [material], load, failures=folder / "file" / "failures")
    ends_together(lambda: list(stepper.run([0.0, 1.0])), OSError, "failures")


def fields(folder):
    """What a field is given, wrong on the last rank alone."""
    del folder
    last = COMM.rank == COMM.size - 1
    domain = distorted(2, 4)
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (2,))))
    owned = domain.topology.index_map(2).size_local
    frame = np.tile([1.0, 0.0], (owned, 1))
    field = MaterialField(elastic_law(2), mandel_strain(u), frame=frame)
    field.accept()
    frame[0] += 0.1 * last
    ends_together(field.accept, ValueError, "the frame has changed since the field was made")

    thickness = fem.Function(fem.functionspace(domain, ("DG", 0)))
    thickness.x.array[:] = 0.0 if last else 1.0
    ends_together(
        lambda: MaterialField(elastic_law(2), mandel_strain(u), weight=thickness),
        ValueError,
        "the weight is not positive",
    )
    rng = np.random.default_rng(1)
    network = Network.random(2, ("matrix",), [1.0], 4 if last else 8, rng)
    ends_together(
        lambda: MaterialField(NetworkLaw(network, {"matrix": ELASTIC}), mandel_strain(u)),
        ValueError,
        "laid out differently on other ranks",
    )
    both = NetworkLaw([network, network], {"matrix": ELASTIC})
    wrong = np.full(owned, 2 if last else 1)
    ends_together(
        lambda: MaterialField(both, mandel_strain(u), network=wrong), ValueError, "network of point"
    )


def meshes(folder):
    """Whatever a reader stumbles over on rank 0."""
    for error in (OSError("broken"), KeyError("broken"), IndexError("broken")):

        def fail(*_, error=error):
            assert COMM.rank == 0
            raise error

        read, _mesh._read = _mesh._read, fail
        ends_together(lambda: read_mesh(folder / "mesh.msh"), (ValueError, OSError), "broken")
        _mesh._read = read
    if COMM.rank == 0:
        (folder / "cut.msh").write_bytes(b"$MeshFormat\n4.1 0 8\n$EndMeshFormat\n$Nodes\n1 9 1 9\n")
        np.savez(folder / "mesh.vtu", a=1)
    COMM.barrier()
    for name in ("cut.msh", "mesh.vtu"):
        ends_together(lambda n=name: read_mesh(folder / n), ValueError, name)


if __name__ == "__main__":
    for check in (pictures, results, checkpoints, failures, fields, meshes):
        own = Path(sys.argv[1]) / check.__name__
        own.mkdir(exist_ok=True)
        COMM.barrier()
        check(own)
        if COMM.rank == 0:
            print(check.__name__, flush=True)
