"""A flat coupon with a hole, the upper half of its thickness.

Writes ``coupon.msh`` and ``coupon_coarse.msh`` next to this file, in millimetres: the coupon along
x, its middle plane at z = 0. Needs Gmsh; the solvers read the files without it.
"""

from pathlib import Path

import gmsh

LENGTH, WIDTH, HALF_THICKNESS, RADIUS = 48.0, 24.0, 1.0, 3.0
SIZES = {"coupon": (1.6, 5.0), "coupon_coarse": (4.0, 12.0)}
"""Size of the tetrahedra at the hole, and far from it, by name of the mesh."""


def coupon(size_fine: float, size_far: float) -> None:
    """Mesh the coupon in the current Gmsh model."""
    factory, model = gmsh.model.occ, gmsh.model
    box = factory.addBox(0, 0, 0, LENGTH, WIDTH, HALF_THICKNESS)
    hole = factory.addCylinder(LENGTH / 2, WIDTH / 2, -1, 0, 0, HALF_THICKNESS + 2, RADIUS)
    body, _ = factory.cut([(3, box)], [(3, hole)])
    factory.synchronize()
    model.addPhysicalGroup(3, [tag for _, tag in body], 1, "coupon")

    def faces(*box: float) -> list[int]:
        return [tag for _, tag in model.getEntitiesInBoundingBox(*box, dim=2)]

    small = 1e-3
    for number, name, start, end in (
        (2, "held", (0, 0, 0), (0, WIDTH, HALF_THICKNESS)),
        (3, "pulled", (LENGTH, 0, 0), (LENGTH, WIDTH, HALF_THICKNESS)),
        (4, "middle", (0, 0, 0), (LENGTH, WIDTH, 0)),
    ):
        found = faces(*(each - small for each in start), *(each + small for each in end))
        model.addPhysicalGroup(2, found, number, name)
    reach, x, y = RADIUS + small, LENGTH / 2, WIDTH / 2
    near = faces(x - reach, y - reach, -small, x + reach, y + reach, HALF_THICKNESS + small)

    fields = model.mesh.field
    distance = fields.add("Distance")
    fields.setNumbers(distance, "SurfacesList", near)
    fields.setNumber(distance, "Sampling", 60)
    size = fields.add("Threshold")
    limits = {"SizeMin": size_fine, "SizeMax": size_far, "DistMin": 0.5, "DistMax": 12.0}
    for name, value in {"InField": distance, **limits}.items():
        fields.setNumber(size, name, value)
    fields.setAsBackgroundMesh(size)
    for option in ("MeshSizeExtendFromBoundary", "MeshSizeFromPoints"):
        gmsh.option.setNumber(f"Mesh.{option}", 0)
    model.mesh.generate(3)
    model.mesh.optimize("Netgen")


def main() -> None:
    """Write all meshes."""
    for name, sizes in SIZES.items():
        gmsh.initialize()
        gmsh.option.setNumber("General.Terminal", 0)
        coupon(*sizes)
        gmsh.write(str(Path(__file__).with_name(f"{name}.msh")))
        print(f"{name}: {len(gmsh.model.mesh.getElementsByType(4)[0])} tetrahedra")
        gmsh.finalize()


if __name__ == "__main__":
    main()
