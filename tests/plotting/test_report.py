import base64
import re
from html.parser import HTMLParser

import families
import numpy as np
import pytest

from dmn_fem.database import Database
from dmn_fem.network import Network
from dmn_fem.plotting import write_report
from dmn_fem.plotting._report_maps import default_laws

VOID_TAGS = {"meta", "img"}


class Page(HTMLParser):
    """What a page holds; every element must be closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.images, self.captions, self.rows = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in VOID_TAGS:
            self.open.append(tag)
        if tag == "img":
            self.images.append(dict(attrs)["src"])
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)

    @property
    def missing(self):
        return re.findall(r"(\w[\w ]+): not recorded", " ".join(self.text))


def report(database, tmp_path):
    path = tmp_path / "report.html"
    write_report(database, path)
    return Page(path.read_text(encoding="utf-8")), path.read_text(encoding="utf-8")


def test_a_report_holds_all_that_is_known(tmp_path):
    page, text = report(families.over_fraction(families.told(3)), tmp_path)
    assert page.missing == []
    assert "a <b>&c" in page.text
    assert "<b>" not in text
    assert ["microstructure.generator", "discs"] in page.rows
    assert ["versions.python", "3.12.1"] in page.rows
    assert ["0.2", "0123abcd" * 8] in page.rows
    errors = [row for row in page.rows if len(row) == 9]
    assert errors[1] == ["0.1", *["0.2 / 0.5 / 1.1"] * 5, *["0.4 / 0.9"] * 3]
    assert errors[2][-3:] == ["–"] * 3
    # Errors, learning curves, the map and a tree for each network.
    assert len(page.images) == 3 + 3
    kinds = {"image/svg+xml": b"<?xml", "image/png": b"\x89PNG"}
    for source in page.images:
        kind, data = re.fullmatch(r"data:([\w/+]+);base64,(.+)", source).groups()
        assert base64.b64decode(data).startswith(kinds[kind])
    assert not re.search(r"<(script|link|iframe)|src=\"http|url\(", text)
    assert "prefers-color-scheme: dark" in text


def test_inelastic_errors_stand_beside_the_others(tmp_path):
    told = families.told(3) | {"inelastic_errors": [{"training": {"mean": 0.01}}, None, None]}
    page, _ = report(families.over_fraction(told), tmp_path)
    errors = [row for row in page.rows if len(row) == 10]
    assert [row[-1] for row in errors] == ["training, inelastic", "1", "–", "–"]
    assert page.missing == []


def test_tables_in_lists_are_rows_of_their_own(tmp_path):
    """As the materials of an inelastic stage."""
    told = {"recipe": {"materials": [{"fibre": {"law": "elastic"}}, {"fibre": {"law": "j2"}}]}}
    page, text = report(families.over_fraction(told), tmp_path)
    assert ["materials.2.fibre.law", "j2"] in page.rows
    assert "{" not in re.sub("<style>.*</style>", "", text, flags=re.DOTALL)


def test_what_is_not_known_is_said(tmp_path):
    page, _ = report(families.over_fraction(), tmp_path)
    assert page.missing == [
        "The recipe",
        "Versions and seeds",
        "Hashes of the sample files",
        "The errors of the networks",
        "The error budget of the data",
        "The learning curves",
        "What an estimate of the error between the networks needs",
    ]
    assert len(page.images) == 1 + 3


@pytest.mark.parametrize(
    "entries",
    [
        {"recipe": None, "errors": {"0.1": {}}, "learning_curves": [None] * 3},
        {"recipe": "text", "errors": [{}], "error_budgets": [None] * 3, "learning_curves": []},
        {"errors": [None, {}, {"training": None, "held_out": families.REPORT}]},
        {"samples_sha256": {"0.1": "ab"}, "recipe": {"samples": None}},
    ],
)
def test_a_provenance_in_parts_makes_a_report(entries, tmp_path):
    page, _ = report(families.over_fraction(entries), tmp_path)
    assert "The learning curves" in page.missing


def test_one_network(tmp_path):
    database = families.family(("volume_fraction",), [(0.3,)], dimension=3)
    page, _ = report(database, tmp_path)
    assert any(row[0] == "young modulus 3" for row in page.rows)
    assert len(page.images) == 1


def test_three_phases_over_two_descriptors(tmp_path):
    corners = [(0.5, 0.1), (1.0, 0.1), (0.5, 0.4), (1.0, 0.4)]
    phases = ("matrix", "soft", "stiff")
    database = families.family(("aspect_ratio", "volume_fraction"), corners, phases=phases)
    page, _ = report(database, tmp_path)
    assert any("Over aspect ratio and volume fraction" in each for each in page.text)
    assert any("soft 3.16" in each for each in page.text)
    assert len(page.images) == 1 + 4


def test_orientations_and_fractions(tmp_path):
    page, _ = report(families.over_orientation(families.told(6)), tmp_path)
    captions = [each for each in page.text if each.startswith("Over ")]
    assert captions == [
        f"Over orientation 1 and orientation 2, at volume fraction {part}. "
        "Crosses are stored networks."
        for part in (0.1, 0.2)
    ]
    assert len(page.images) == 2 + 2 + 6


@pytest.mark.parametrize(
    "made_from",
    [
        {"recipe": {"samples": {"void": "inclusion"}}},
        {"samples": [None, {"void": "inclusion"}, {"void": None}]},
    ],
)
def test_voids_are_nearly_nothing(made_from):
    database = families.over_fraction(made_from)
    moduli = {name: law.young_modulus for name, law in default_laws(database).items()}
    assert moduli == {"matrix": 1.0, "inclusion": pytest.approx(1e-6)}


def test_a_network_of_one_phase(tmp_path):
    database = Database([Network.homogeneous("only", 2)], [], np.zeros((1, 0)))
    page, _ = report(database, tmp_path)
    assert len(page.images) == 1
