"""A beam for three-point bending between steel pads, a quarter of it, in hexahedra.

Writes ``bend.msh`` and ``bend_coarse.msh`` next to this file, in millimetres. The beam lies along
x, its depth is along z, and the planes x = 0 and y = 0 are those of symmetry: the quarter is at
x < 0 and y < 0. A pad lies on the top at x = 0, another one under the beam at its support. Needs
Gmsh; the solvers read the files without it.
"""

from itertools import pairwise
from pathlib import Path

import gmsh

HALF_WIDTH, DEPTH = 3.0, 6.0
HALF_SPAN, OVERHANG = 20.0, 2.5
PAD, PAD_DEPTH = 1.0, 1.0
"""Half the length of a pad, and its depth."""

SIZES = {"bend": (1.2, 2, 10), "bend_coarse": (4.0, 1, 3)}
"""Length of the hexahedra, how many lie across the half width and over the depth, by name."""


def bend(length: float, across: int, over: int) -> None:
    """Mesh the quarter in the current Gmsh model: rectangles in the plane y = 0, extruded."""
    factory, model = gmsh.model.geo, gmsh.model
    x = [-HALF_SPAN - OVERHANG, -HALF_SPAN - PAD, -HALF_SPAN, -HALF_SPAN + PAD, -PAD, 0.0]
    z = [-PAD_DEPTH, 0.0, DEPTH, DEPTH + PAD_DEPTH]
    blocks = {(i, 1) for i in range(5)} | {(1, 0), (2, 0), (4, 2)}
    points = {
        (i + right, k + up): 0 for i, k in sorted(blocks) for right in (0, 1) for up in (0, 1)
    }
    for i, k in points:
        points[i, k] = factory.addPoint(x[i], 0, z[k])
    lines: dict[tuple[int, int], int] = {}

    def line(start: tuple[int, int], end: tuple[int, int]) -> int:
        """The line between two points, divided; negative if it was made the other way round."""
        ends = points[start], points[end]
        if ends[::-1] in lines:
            return -lines[ends[::-1]]
        if ends not in lines:
            lines[ends] = factory.addLine(*ends)
            count = max(1, round(abs(x[end[0]] - x[start[0]]) / length))
            if start[0] == end[0]:
                count = over if {start[1], end[1]} == {1, 2} else 1
            factory.mesh.setTransfiniteCurve(lines[ends], count + 1)
        return lines[ends]

    parts: dict[str, list[int]] = {"beam": [], "pads": []}
    for i, k in sorted(blocks):
        corners = [(i, k), (i + 1, k), (i + 1, k + 1), (i, k + 1)]
        border = [line(start, end) for start, end in pairwise([*corners, corners[0]])]
        surface = factory.addPlaneSurface([factory.addCurveLoop(border)])
        factory.mesh.setTransfiniteSurface(surface)
        factory.mesh.setRecombine(2, surface)
        made = factory.extrude([(2, surface)], 0, -HALF_WIDTH, 0, [across], recombine=True)
        parts["beam" if k == 1 else "pads"] += [tag for dim, tag in made if dim == 3]
    factory.synchronize()
    for tag, (name, volumes) in enumerate(parts.items(), start=1):
        model.addPhysicalGroup(3, volumes, tag, name)
    model.mesh.generate(3)


def main() -> None:
    """Write all meshes."""
    for name, sizes in SIZES.items():
        gmsh.initialize()
        gmsh.option.setNumber("General.Terminal", 0)
        bend(*sizes)
        gmsh.write(str(Path(__file__).with_name(f"{name}.msh")))
        print(f"{name}: {len(gmsh.model.mesh.getElementsByType(5)[0])} hexahedra")
        gmsh.finalize()


if __name__ == "__main__":
    main()
