"""Cells of recipes."""

import pytest
from pydantic import TypeAdapter, ValidationError

from dmn_fem.microstructure import (
    Cell,
    ParticleCell,
    PhaseImage,
    discs,
    extrude,
    fibres,
    read_cell,
)

CELLS = {
    "discs": {"count": 6, "seed": 0, "gap": 0.1, "grid": 32},
    "cylinders": {"count": 6, "seed": 0, "gap": 0.1, "grid": 32},
    "mixed_discs": {"count": 6, "seed": 0, "gap": 0.1, "share": 0.5, "grid": 32},
    "spheres": {"count": 6, "seed": 0, "gap": 0.1, "variation": 0.2, "grid": 16},
    "fibres": {
        "count": 30,
        "seed": 0,
        "gap": 0.05,
        "aspect_ratio": 4.0,
        "orientation": [0.6, 0.3, 0.1],
        "grid": 24,
    },
    "random_field": {"dimension": 2, "seed": 0, "wavelength": 0.2, "grid": 32},
    "layers": {"dimension": 3, "axis": 2, "grid": 11},
    "weave": {"height": 0.25, "width": 0.45, "gap": 0.02, "grid": 32},
}
adapter: TypeAdapter[Cell] = TypeAdapter(Cell)


@pytest.mark.parametrize("generator", CELLS)
def test_cells_make_images_of_any_fraction(generator: str) -> None:
    table = {"generator": generator, "volume_fraction": 0.12} | CELLS[generator]
    for volume_fraction in (0.12, 0.3):
        cell = read_cell(table | {"volume_fraction": volume_fraction})
        image = cell.image()
        assert image.names == cell.phases
        assert image.dimension == cell.dimension
        assert image.volume_fractions[1:].sum() == pytest.approx(volume_fraction, abs=1e-6)
    finer = cell.model_copy(update={"grid": 2 * cell.grid}).image()
    assert finer.shape == tuple(2 * length if length > 1 else 1 for length in image.shape)
    assert adapter.validate_json(cell.model_dump_json()) == cell


def test_cells_are_their_generators() -> None:
    cell = ParticleCell(generator="discs", volume_fraction=0.3, count=6, seed=3, gap=0.1, grid=32)
    assert same(cell.image(), discs(0.3, 6, 3, 0.1).image(32))
    drawn_out = cell.model_copy(update={"generator": "cylinders"})
    assert drawn_out.dimension == 3
    assert same(drawn_out.image(), extrude(discs(0.3, 6, 3, 0.1).image(32)))
    tensor = [[0.6, 0.1, 0.0], [0.1, 0.3, 0.0], [0.0, 0.0, 0.1]]
    table = {"generator": "fibres", "volume_fraction": 0.1, "placed_at": 0.15} | CELLS["fibres"]
    fibre_cell = read_cell(table | {"orientation": tensor})
    assert same(fibre_cell.image(), fibres(0.1, 30, 0, 4.0, tensor, placed_at=0.15).image(24))


def same(first: PhaseImage, second: PhaseImage) -> bool:
    return first.digest == second.digest and first.names == second.names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"generator": "rods"},
            "'discs', 'spheres', 'cylinders', 'mixed_discs', 'fibres', 'random",
        ),
        ({"volume_fraction": 1.0}, "less than 1"),
        ({"gap": -1}, "greater than or equal to 0"),
        ({"grid": 0}, "greater than or equal to 1"),
        ({"width": 0.4}, "Extra inputs"),
    ],
)
def test_wrong_cells_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read_cell({"generator": "discs", "volume_fraction": 0.3} | CELLS["discs"] | change)
