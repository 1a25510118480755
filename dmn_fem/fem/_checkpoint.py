"""Restart: everything that a run needs to go on, in one file, for any number of ranks.

The file starts with a line of JSON: what the model is, where every array lies, and the numbers of
the stepper. Then follow the arrays, one row a cell in the order of the mesh's input: displacement
at the degrees of freedom, stress and state at the quadrature points, and the positions of both, by
which those of a cell are found again whatever order another partition gives them.
"""

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from dmn_fem.fem._cell_file import CellFile
from dmn_fem.fem._material import MaterialField
from dmn_fem.fem._sites import all_sites
from dmn_fem.fem._stepper import Stepper
from dmn_fem.fem._together import on_first_rank
from dmn_fem.notation import Array

FORMAT = "dmn-fem/checkpoint"
VERSION = 2
_START = f'{{"format": "{FORMAT}"'.encode()
_PARTS = ("model", "stepper", "internal_work", "note", "places", "bytes")
_ALIKE = 1e-6  # answers of a law, relative to themselves


def save_checkpoint(
    path: str | Path, stepper: Stepper, note: Mapping[str, Any] | None = None
) -> None:
    """Write what a run needs to go on after its last accepted step. Collective.

    The file is whole or not there, also after a kill; the one before is kept as ``path.previous``.
    A run goes on from it bit by bit on as many ranks, and to round-off on others. (From three ranks
    on PETSc adds what ranks send in the order of arrival, so that no two runs are the same.)

    Args:
        path: Of the file, on a disk that all ranks see.
        stepper: Of the run.
        note: What else is to be found again, as JSON knows it; that of rank 0 is written.

    Raises:
        ValueError: If no step was accepted yet. On all ranks, if the note is none for JSON.
        OSError: On all ranks, if the file cannot be written; what was there stays.
    """
    path = Path(path)
    if stepper.time is None:
        raise ValueError(f"{path}: nothing to write, no step was accepted yet")
    sites = all_sites(stepper)
    places, size = {}, 0
    for each in sites:
        # Fields of some cells leave holes, which take no room on the disk.
        count = stepper.comm.allreduce(int(each.rows.max(initial=-1)) + 1, op=MPI.MAX)
        for name, width in each.widths.items():
            places[f"{each.name}.{name}"] = size
            size += 8 * width * count
    about = {
        "format": FORMAT,
        "format_version": VERSION,
        "model": _model(stepper),
        "stepper": stepper.export(),
        "internal_work": [field.internal_work for field in stepper.fields],
        "places": places,
        "bytes": size,
    }
    header = on_first_rank(stepper.comm, lambda: _header(path, about, note))
    written = path.with_name(f".{path.name}.partial")
    with CellFile(written, stepper.comm, len(header) + size) as file:
        file.write_start(header)
        for each in sites:
            for name, width in each.widths.items():
                values = partial(each.sorted_values, name)
                file.write(len(header) + places[f"{each.name}.{name}"], each.rows, width, values)
        file.sync()
        file.check()
    on_first_rank(stepper.comm, lambda: _replace(written, path))


def load_checkpoint(path: str | Path, stepper: Stepper) -> dict[str, Any]:
    """Bring a run to where `save_checkpoint` found it, on any number of ranks. Collective.

    Displacement, stresses, states and the stepper's step are set, and the loads of that time;
    `Stepper.run` goes on from there.

    Args:
        path: Of the file.
        stepper: Of the same model: mesh, element, fields and laws.

    Returns:
        The note.

    Raises:
        ValueError: On all ranks, if the file is none or of another model; nothing is changed.
        OSError: On all ranks, if it cannot be read; nothing is changed.
    """
    path = Path(path)
    about, start = on_first_rank(stepper.comm, lambda: _read_header(path))
    _compare(path, about["model"], _model(stepper))
    sites = all_sites(stepper, ghosts=True)
    arrays: dict[str, Array] = {}
    lost = -1
    with CellFile(path, stepper.comm) as file:
        for each in sites:
            places = {name: start + about["places"][f"{each.name}.{name}"] for name in each.widths}
            rows = file.read(places.pop("positions"), each.rows, each.widths["positions"])
            order, unknown = each.match(rows)
            lost = max(lost, unknown)
            for name, place in places.items():
                rows = file.read(place, each.rows, each.widths[name])
                arrays[f"{each.name}.{name}"] = each.unsorted(rows, order)
        file.check()
    lost = stepper.comm.allreduce(lost, op=MPI.MAX)
    if lost >= 0:
        raise ValueError(f"{path}: is of another mesh: its cell {lost} lies elsewhere")
    for number, field in enumerate(stepper.fields):
        _compare_answers(path, number, field, arrays[f"field {number}.answers"])

    rates = []
    for number, u in enumerate(stepper.unknowns):
        space, rate = u.function_space, np.zeros_like(u.x.array)
        for name, vector in (("values", u.x.array), ("rate", rate)):
            by_dof = vector.reshape(-1, space.dofmap.bs)
            by_dof[space.dofmap.list] = arrays[f"unknown {number}.{name}"]
        u.x.scatter_forward()
        rates.append(rate)
    # Loads first: the strain may hold constants that they set.
    stepper.restore(about["stepper"], rates)
    for number, field in enumerate(stepper.fields):
        stress, values = arrays[f"field {number}.stress"], arrays[f"field {number}.state"]
        values = values.reshape(-1, values.shape[2])
        empty, _ = field.export(np.zeros(0, dtype=np.int32))
        ends = np.cumsum([int(np.prod(each.shape[1:])) for each in empty.values()])
        state = {
            name: part.reshape(len(part), *empty[name].shape[1:])
            for name, part in zip(empty, np.split(values, ends[:-1], axis=1), strict=True)
        }
        field.load(state, stress, about["internal_work"][number])
    return dict(about["note"])


def _model(stepper: Stepper) -> dict[str, Any]:
    """What a file must agree with, in numbers and words. Collective; the same on all ranks."""
    comm, model = stepper.comm, {}
    for number, u in enumerate(stepper.unknowns):
        topology, dofmap = u.function_space.mesh.topology, u.function_space.dofmap
        model[f"unknown {number}"] = {
            "cell": topology.cell_type.name,
            "cells": topology.index_map(topology.dim).size_global,
            "components": dofmap.bs,
            "degrees of freedom of a cell": dofmap.list.shape[1],
        }
    for number, field in enumerate(stepper.fields):
        state, stress = field.export(np.zeros(0, dtype=np.int32))
        model[f"field {number}"] = {
            "cells": comm.allreduce(len(field.cells)),
            "quadrature points of a cell": stress.shape[1],
            "state": {name: list(values.shape[1:]) for name, values in state.items()},
        }
    return model


def _compare(path: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse a file of another model, by the first thing that differs."""
    if set(there) != set(here):
        raise ValueError(
            f"{path}: is of another model: it has {', '.join(there)}, here are {', '.join(here)}"
        )
    for part, numbers in here.items():
        for name, value in numbers.items():
            other = there[part].get(name)
            if other != value:
                raise ValueError(
                    f"{path}: is of another model: {part}: {name} is {other}, here it is {value}"
                )


def _compare_answers(path: Path, number: int, field: MaterialField, there: Array) -> None:
    """Refuse a file whose field answered strains by other stresses anywhere. Collective."""
    here = field.answers
    # Where the terms of a mean nearly cancel, it is compared with the others.
    least = _ALIKE**2 * np.nanmax(np.abs(here), initial=0.0)
    alike = np.isclose(there, here, rtol=_ALIKE, atol=least, equal_nan=True).all(axis=(1, 2))
    wrong = np.flatnonzero(~alike)
    cells = field.input_cells
    first = int(cells[wrong].min()) if wrong.size and cells is not None else np.iinfo(int).max
    comm = field.mesh.comm
    count, first = comm.allreduce(wrong.size), comm.allreduce(first, op=MPI.MIN)
    if count:
        raise ValueError(
            f"{path}: is of another model: the law of field {number} answered strains by other "
            f"stresses in {count} cells, the first is cell {first}; it needs the same networks, "
            "parameters and frames there"
        )


def _header(path: Path, about: Mapping[str, Any], note: Mapping[str, Any] | None) -> bytes:
    """The line of JSON, so long that the arrays start at a multiple of 8 bytes."""
    try:
        header = json.dumps({**about, "note": dict(note or {})}).encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: the note cannot be written as JSON: {error}") from None
    return header + b" " * (-(len(header) + 1) % 8) + b"\n"


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Header of a file and where its arrays start."""
    with path.open("rb") as file:
        start = file.read(len(_START))
        if start != _START:
            raise ValueError(f"{path}: is no checkpoint of {FORMAT.split('/')[0]}")
        try:
            about = json.loads(start + file.readline())
        except ValueError as error:
            raise ValueError(f"{path}: has a damaged header: {error}") from None
        version = about.get("format_version")
        if version != VERSION:
            raise ValueError(f"{path}: has version {version}, this program reads {VERSION}")
        if missing := [name for name in _PARTS if name not in about]:
            raise ValueError(f"{path}: has a damaged header: it lacks {', '.join(missing)}")
        begin, size = file.tell(), file.seek(0, os.SEEK_END)
        if size != begin + about["bytes"]:
            raise ValueError(f"{path}: has {size} bytes, it should have {begin + about['bytes']}")
    return about, begin


def _replace(written: Path, path: Path) -> None:
    """Put a file in place; at every moment there is a whole one."""
    if path.exists():
        link = path.with_name(f".{path.name}.link")
        link.unlink(missing_ok=True)
        os.link(path, link)
        os.replace(link, path.with_name(f"{path.name}.previous"))
    os.replace(written, path)
