import numpy as np
import pytest

from dmn_fem.plotting import check_picture, new_figure
from dmn_fem.plotting._figures import phase_colours


def test_formats_of_pictures():
    for name in ("a.png", "b.svg", "c.pdf"):
        check_picture(name)
    with pytest.raises(ValueError, match=r"a\.txt: pictures go to \."):
        check_picture("a.txt")


def test_figures_need_no_display(tmp_path):
    new_figure(2.0, 1.0).savefig(tmp_path / "empty.png")
    assert (tmp_path / "empty.png").read_bytes().startswith(b"\x89PNG")


def test_every_phase_has_its_colour():
    colours = phase_colours(("a", "b", "c"))
    assert list(colours) == ["a", "b", "c"]
    assert len(np.unique(np.stack(list(colours.values())), axis=0)) == 3
    assert list(phase_colours(("only",))) == ["only"]
