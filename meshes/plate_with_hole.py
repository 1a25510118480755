"""Quarter of a square plate with a circular hole, the unit square without a disc around the origin.

Writes ``plate_with_hole.msh`` and ``plate_with_hole_coarse.msh`` next to this file. Needs Gmsh; the
solvers read the meshes without it.
"""

from itertools import pairwise
from pathlib import Path

import gmsh

HOLE_RADIUS = 0.3
SIZES = {"plate_with_hole": (0.018, 0.07), "plate_with_hole_coarse": (0.16, 0.5)}
"""Size of the triangles at the hole and at the far corner, by name of the mesh."""


def plate_with_hole(size_at_hole: float, size_far: float) -> None:
    """Mesh the plate in the current Gmsh model."""
    factory = gmsh.model.geo
    center = factory.addPoint(0, 0, 0)
    first = factory.addPoint(HOLE_RADIUS, 0, 0, size_at_hole)
    last = factory.addPoint(0, HOLE_RADIUS, 0, size_at_hole)
    corners = [factory.addPoint(x, y, 0, size_far) for x, y in ((1, 0), (1, 1), (0, 1))]
    border = [first, *corners, last]
    lines = [factory.addLine(a, b) for a, b in pairwise(border)]
    hole = factory.addCircleArc(last, center, first)
    plate = factory.addPlaneSurface([factory.addCurveLoop([*lines, hole])])
    factory.synchronize()
    gmsh.model.addPhysicalGroup(2, [plate], name="plate")
    gmsh.model.mesh.generate(2)


def main() -> None:
    """Write all meshes."""
    for name, sizes in SIZES.items():
        gmsh.initialize()
        gmsh.option.setNumber("General.Terminal", 0)
        plate_with_hole(*sizes)
        gmsh.write(str(Path(__file__).with_name(f"{name}.msh")))
        triangles = gmsh.model.mesh.getElementsByType(2)[0]
        print(f"{name}: {len(triangles)} triangles")
        gmsh.finalize()


if __name__ == "__main__":
    main()
