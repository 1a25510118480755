"""Abaqus' input files: what meshio would read wrong of their sets is put right, or refused."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import meshio
import numpy as np


class _Block(NamedTuple):
    """A keyword with its options and, of sets, the entries of its data; else its lines alone."""

    keyword: str
    options: dict[str, str]
    entries: list[str]
    lines: list[str]


def read_abaqus(path: Path) -> meshio.Mesh:
    """Points, cells, element sets and node sets of an input file of one part, in its order.

    meshio reads the last block of nodes alone, takes the element set of an ``*ELEMENT`` block for
    that of another one where some have none, keeps the last of equal names, wants sets behind all
    elements and cannot tell sets of sets. Surfaces it does not read; sets that Abaqus keeps for
    itself (``INTERNAL``) are left out.

    Raises:
        ValueError: If there are several blocks of nodes, files to include, sets of sets, or sets of
            the same name.
    """
    sets: dict[tuple[str, str], list[int]] = {}
    every_node: list[str] = []
    elements = nodes = 0
    lines: list[str] = []
    lines_of_sets: list[str] = []
    for block in _blocks(path):
        keyword = block.keyword
        nodes += keyword == "NODE"
        if keyword == "INCLUDE" or nodes > 1:
            raise ValueError(
                "it includes files or has several *NODE blocks, of which meshio reads one alone; "
                "write the mesh as one part into one file"
            )
        if keyword in ("ELSET", "NSET"):
            if "INTERNAL" in block.options:
                continue
            name = block.options.get(keyword, "")
            if not all(entry.isdigit() for entry in block.entries):
                raise ValueError(f"{keyword} {name} is made of other sets; list its numbers")
            if (keyword, name) in sets:
                raise ValueError(f"{keyword} {name} is there twice")
            sets[keyword, name] = []
            lines_of_sets += block.lines
            continue
        if keyword == "NODE" and "NSET" in block.options:
            every_node.append(block.options["NSET"])
        if keyword == "ELEMENT":
            if "ELSET" in block.options:
                name = block.options.pop("ELSET")
                if sets.get(("ELSET", name)) == []:
                    raise ValueError(f"ELSET {name} is there twice")
                sets.setdefault(("ELSET", name), []).append(elements)
            elements += 1
            options = [f", {key}={value}" for key, value in block.options.items()]
            block.lines[0] = f"*ELEMENT{''.join(options)}\n"
        lines += block.lines
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.inp"
        copy.write_text("".join(lines + lines_of_sets), encoding="utf-8")
        content = meshio.read(copy)
    for (keyword, name), own in sets.items():
        if keyword == "ELSET" and own:
            content.cell_sets[name] = [
                np.arange(len(each.data) if number in own else 0)
                for number, each in enumerate(content.cells)
            ]
    in_order = [name for keyword, name in sets if keyword == "ELSET"]
    content.cell_sets = {name: content.cell_sets[name] for name in in_order}
    content.point_sets |= {name: np.arange(len(content.points)) for name in every_node}
    return content


def _blocks(path: Path) -> Iterator[_Block]:
    block: _Block | None = None
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("**"):
                continue
            entries = [entry.strip() for entry in line.split(",") if entry.strip()]
            if line.startswith("*"):
                if block is not None:
                    yield block
                pairs = (entry.partition("=") for entry in entries[1:])
                options = {key.strip().upper(): value.strip() for key, _, value in pairs}
                block = _Block(entries[0].lstrip("*").strip().upper(), options, [], [line])
            elif block is not None:
                block.lines.append(line)
                if block.keyword in ("ELSET", "NSET"):
                    block.entries.extend(entries)
    if block is not None:
        yield block
