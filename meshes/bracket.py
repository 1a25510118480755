"""An L-shaped bracket with a rounded inner corner, bolted through a hole in its upright flange.

Writes ``bracket.msh``, ``bracket_coarse.msh`` and ``bracket_flow.csv`` next to this file, in
millimetres: the upright flange in the plane x = 0 with a hole along x, the shelf along x at z = 0.
Needs Gmsh; the solvers read the files without it.
"""

from pathlib import Path

import gmsh
import numpy as np

LENGTH, HEIGHT, WIDTH, THICKNESS = 40.0, 40.0, 24.0, 6.0
FILLET, HOLE_RADIUS, HOLE_HEIGHT = 5.0, 4.5, 28.0
SIZES = {"bracket": (1.7, 4.2), "bracket_coarse": (4.5, 11.0)}
"""Size of the tetrahedra at fillet and hole, and far from them, by name of the mesh."""


def bracket(size_fine: float, size_far: float) -> None:
    """Mesh the bracket in the current Gmsh model."""
    factory, model = gmsh.model.occ, gmsh.model
    flange = factory.addBox(0, 0, 0, THICKNESS, WIDTH, HEIGHT)
    shelf = factory.addBox(0, 0, 0, LENGTH, WIDTH, THICKNESS)
    # The fillet fills the inner corner: a square rod less a cylinder.
    corner = factory.addBox(THICKNESS, 0, THICKNESS, FILLET, WIDTH, FILLET)
    rod = factory.addCylinder(THICKNESS + FILLET, 0, THICKNESS + FILLET, 0, WIDTH, 0, FILLET)
    fillet, _ = factory.cut([(3, corner)], [(3, rod)])
    body, _ = factory.fuse([(3, flange)], [(3, shelf), *fillet])
    hole = factory.addCylinder(-1, WIDTH / 2, HOLE_HEIGHT, THICKNESS + 2, 0, 0, HOLE_RADIUS)
    body, _ = factory.cut(body, [(3, hole)])
    factory.synchronize()
    model.addPhysicalGroup(3, [tag for _, tag in body], 1, "bracket")

    def faces(*box: float) -> list[int]:
        return [tag for _, tag in model.getEntitiesInBoundingBox(*box, dim=2)]

    small, y, z = 1e-3, WIDTH / 2, HOLE_HEIGHT
    reach = HOLE_RADIUS + small
    bolted = faces(-small, y - reach, z - reach, THICKNESS + small, y + reach, z + reach)
    tip = faces(LENGTH - small, -small, -small, LENGTH + small, WIDTH + small, HEIGHT)
    model.addPhysicalGroup(2, bolted, 2, "bolted")
    model.addPhysicalGroup(2, tip, 3, "tip")

    fields = model.mesh.field
    near = faces(
        THICKNESS - small,
        -small,
        THICKNESS - small,
        THICKNESS + FILLET + small,
        WIDTH + small,
        THICKNESS + FILLET + small,
    )
    distance = fields.add("Distance")
    fields.setNumbers(distance, "SurfacesList", [*bolted, *near])
    fields.setNumber(distance, "Sampling", 60)
    size = fields.add("Threshold")
    for name, value in {
        "InField": distance,
        "SizeMin": size_fine,
        "SizeMax": size_far,
        "DistMin": 1.0,
        "DistMax": 15.0,
    }.items():
        fields.setNumber(size, name, value)
    fields.setAsBackgroundMesh(size)
    for option in ("MeshSizeExtendFromBoundary", "MeshSizeFromPoints"):
        gmsh.option.setNumber(f"Mesh.{option}", 0)
    model.mesh.generate(3)
    model.mesh.optimize("Netgen")


def flow(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Volume fraction and orientation tensors as moulding from the tip of the shelf leaves them.

    The melt runs along the shelf and turns up into the flange. Near the walls shear aligns fibres
    with the flow, in the core they lie across it; along the flow their fraction grows a little.

    Args:
        x: Places, (n, 3).

    Returns:
        (n,) and (n, 3, 3).
    """
    middle = THICKNESS / 2
    turn = np.clip((x[:, 0] - middle) / (x[:, 0] + x[:, 2] - 2 * middle + 1e-9), 0.0, 1.0)
    angle = 0.5 * np.pi * np.where(x[:, 0] + x[:, 2] < 2 * middle, 0.5, turn)
    along = np.column_stack([-np.sin(angle), np.zeros(len(x)), np.cos(angle)])
    across = np.broadcast_to([0.0, 1.0, 0.0], along.shape)
    depth = np.minimum(x[:, 0], x[:, 2]) / middle - 1.0  # -1 and 1 at the walls, 0 in the core
    skin = np.clip(np.abs(depth), 0.0, 1.0)
    one, other = 0.3 + 0.5 * skin, 0.55 - 0.42 * skin
    rest = 1.0 - one - other
    orientation = rest[:, None, None] * np.eye(3)
    for share, axis in ((one - rest, along), (other - rest, across)):
        orientation += share[:, None, None] * axis[:, :, None] * axis[:, None, :]
    length = (LENGTH - x[:, 0] + x[:, 2]) / (LENGTH + HEIGHT)
    return 0.12 + 0.06 * length, orientation


def write_flow(path: Path) -> None:
    """A table of the flow over a grid of places in the bracket."""
    steps = [
        np.linspace(0.0, end, count) for end, count in ((LENGTH, 28), (WIDTH, 5), (HEIGHT, 28))
    ]
    grid = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    reach = THICKNESS + FILLET
    x = grid[np.minimum(grid[:, 0], grid[:, 2]) <= reach]
    fraction, a = flow(x)
    components = [a[:, i, j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]
    names = [f"orientation_{each}" for each in ("11", "22", "33", "12", "13", "23")]
    header = ",".join(["x", "y", "z", "volume_fraction", *names])
    table = np.column_stack([x, fraction, *components])
    np.savetxt(path, table, fmt="%.4f", delimiter=",", header=header, comments="")


def main() -> None:
    """Write all meshes and the table of the flow."""
    write_flow(Path(__file__).with_name("bracket_flow.csv"))
    for name, sizes in SIZES.items():
        gmsh.initialize()
        gmsh.option.setNumber("General.Terminal", 0)
        bracket(*sizes)
        gmsh.write(str(Path(__file__).with_name(f"{name}.msh")))
        print(f"{name}: {len(gmsh.model.mesh.getElementsByType(4)[0])} tetrahedra")
        gmsh.finalize()


if __name__ == "__main__":
    main()
