"""The journal of a campaign, and what is left of it after accidents."""

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from dmn_fem.homogenization import EffectiveStiffness
from dmn_fem.homogenization._journal import Journal

RECIPE = {"seed": 1, "count": 3}


def result(number: int) -> EffectiveStiffness:
    return EffectiveStiffness(np.full((3, 3), number + 0.5), np.full(3, number), 1e-5 * number)


@pytest.fixture
def journal(tmp_path) -> Path:
    path = tmp_path / "journal"
    with closing(Journal(path, RECIPE, 3)) as journal:
        for number in range(3):
            journal.append(result(number))
    return path


def test_keeps_what_it_was_given(journal: Path) -> None:
    with closing(Journal(journal, RECIPE, 3)) as opened:
        records = opened.records()
    for number in range(3):
        np.testing.assert_array_equal(records["stiffness"][number], number + 0.5)
        np.testing.assert_array_equal(records["iterations"][number], number)
    np.testing.assert_array_equal(records["residual"], [0, 1e-5, 2e-5])


def test_survives_a_kill_at_any_byte(journal: Path) -> None:
    whole = journal.read_bytes()
    start = whole.index(b"\n") + 1
    length = (len(whole) - start) // 3
    for end in range(start, len(whole)):
        journal.write_bytes(whole[:end])
        with closing(Journal(journal, RECIPE, 3)) as resumed:
            done = len(resumed.records())
            assert done == (end - start) // length
            for number in range(done, 3):
                resumed.append(result(number))
        assert journal.read_bytes() == whole


def test_drops_a_damaged_record_and_what_follows(journal: Path) -> None:
    content = bytearray(journal.read_bytes())
    start = content.index(b"\n") + 1
    length = (len(content) - start) // 3
    content[start + length + 20] ^= 1
    journal.write_bytes(content)
    with closing(Journal(journal, RECIPE, 3)) as opened:
        assert len(opened.records()) == 1
    assert journal.stat().st_size == start + length


@pytest.mark.parametrize("content", [b"", b"no json\n", b"\xff\xfe\n", b"[1]\n"])
def test_foreign_file_is_refused_and_left_alone(tmp_path, content: bytes) -> None:
    path = tmp_path / "journal"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no journal of a campaign"):
        Journal(path, RECIPE, 3)
    assert path.read_bytes() == content


def test_other_recipe_is_refused_and_left_alone(journal: Path) -> None:
    content = journal.read_bytes()
    with pytest.raises(ValueError, match=r"another recipe \(seed is 1 there, 2 here\)"):
        Journal(journal, RECIPE | {"seed": 2}, 3)
    assert journal.read_bytes() == content
    assert json.loads(content.splitlines()[0]) == RECIPE


def test_one_campaign_at_a_time(journal: Path) -> None:
    with (
        closing(Journal(journal, RECIPE, 3)),
        pytest.raises(ValueError, match="belongs to a campaign that is running"),
    ):
        Journal(journal, RECIPE, 3)
    Journal(journal, RECIPE, 3).close()
