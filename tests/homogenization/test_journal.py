"""The journal of a campaign, and what is left of it after accidents."""

import fcntl
import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from dmn_fem.homogenization import EffectiveStiffness
from dmn_fem.homogenization._journal import Journal

IDENTITY = {"seed": 1}
PARTS = [
    ("stiffness", "<f8", (3, 3)),
    ("iterations", "<i8", (3,)),
    ("error", "<f8", ()),
]
KEYS = [("image", 0), ("image", 2), ("realisation_10", 7)]
FULL = """
import resource, sys
import numpy as np
from pathlib import Path
from dmn_fem.homogenization import EffectiveStiffness
from dmn_fem.homogenization._journal import Journal
path = Path(sys.argv[1])
parts = [("stiffness", "<f8", (3, 3)), ("iterations", "<i8", (3,)), ("error", "<f8", ())]
journal = Journal(path, {"seed": 1}, EffectiveStiffness, parts)
limit = path.stat().st_size + 50
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    journal.append(("image", 9), EffectiveStiffness(np.eye(3), np.zeros(3, int), 0.0))
except OSError as error:
    print(error)
"""


def result(number: int) -> EffectiveStiffness:
    return EffectiveStiffness(np.full((3, 3), number + 0.5), np.full(3, number), 1e-5 * number)


@pytest.fixture
def journal(tmp_path) -> Path:
    path = tmp_path / "journal"
    with closing(Journal(path, IDENTITY, EffectiveStiffness, PARTS)) as journal:
        for number, key in enumerate(KEYS):
            journal.append(key, result(number))
    return path


def test_keeps_what_it_was_given(journal: Path) -> None:
    with closing(Journal(journal, IDENTITY, EffectiveStiffness, PARTS)) as opened:
        results = opened.results()
    assert list(results) == KEYS
    for number, found in enumerate(results.values()):
        np.testing.assert_array_equal(found.stiffness, number + 0.5)
        np.testing.assert_array_equal(found.iterations, number)
        assert found.error == 1e-5 * number


def test_survives_a_kill_at_any_byte(journal: Path) -> None:
    whole = journal.read_bytes()
    start = whole.index(b"\n") + 1
    length = (len(whole) - start) // len(KEYS)
    for end in range(len(whole)):
        journal.write_bytes(whole[:end])
        with closing(Journal(journal, IDENTITY, EffectiveStiffness, PARTS)) as resumed:
            done = len(resumed.results())
            assert done == max(end - start, 0) // length
            for number in range(done, len(KEYS)):
                resumed.append(KEYS[number], result(number))
        assert journal.read_bytes() == whole


def test_full_disk_leaves_no_half_record(journal: Path) -> None:
    before = journal.read_bytes()
    command = [sys.executable, "-c", FULL, str(journal)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == f"[Errno 27] File too large: '{journal}'\n"
    assert journal.read_bytes() == before


def test_drops_a_damaged_record_and_what_follows(journal: Path) -> None:
    content = bytearray(journal.read_bytes())
    start = content.index(b"\n") + 1
    length = (len(content) - start) // len(KEYS)
    content[start + length + 20] ^= 1
    journal.write_bytes(content)
    with closing(Journal(journal, IDENTITY, EffectiveStiffness, PARTS)) as opened:
        assert list(opened.results()) == KEYS[:1]
    assert journal.stat().st_size == start + length


@pytest.mark.parametrize("content", [b"no json", b"no json\n", b"\xff\xfe\n", b"[1]\n"])
def test_foreign_file_is_refused_and_left_alone(tmp_path, content: bytes) -> None:
    path = tmp_path / "journal"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no journal of a campaign"):
        Journal(path, IDENTITY, EffectiveStiffness, PARTS)
    assert path.read_bytes() == content


def test_other_recipe_is_refused_and_left_alone(journal: Path) -> None:
    content = journal.read_bytes()
    with pytest.raises(ValueError, match=r"another recipe \(seed is 1 there, 2 here\)"):
        Journal(journal, {"seed": 2}, EffectiveStiffness, PARTS)
    assert journal.read_bytes() == content
    assert json.loads(content.splitlines()[0]) == IDENTITY


def test_one_campaign_at_a_time(journal: Path) -> None:
    with (
        closing(Journal(journal, IDENTITY, EffectiveStiffness, PARTS)),
        pytest.raises(ValueError, match="belongs to a campaign that is running"),
    ):
        Journal(journal, IDENTITY, EffectiveStiffness, PARTS)
    Journal(journal, IDENTITY, EffectiveStiffness, PARTS).close()


def test_journal_without_results_goes(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "journal", IDENTITY, EffectiveStiffness, PARTS)):
        assert (tmp_path / "journal").exists()
    assert not list(tmp_path.iterdir())


def test_journal_removed_while_it_was_opened_is_made_again(journal: Path, monkeypatch) -> None:
    """Another campaign ends between the opening and the holding."""
    lock = fcntl.flock

    def end_of_the_other(file, operation) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        os.unlink(journal)
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", end_of_the_other)
    with closing(Journal(journal, IDENTITY, EffectiveStiffness, PARTS)) as opened:
        assert not opened.results()
        opened.append(KEYS[0], result(0))
    with closing(Journal(journal, IDENTITY, EffectiveStiffness, PARTS)) as opened:
        assert list(opened.results()) == KEYS[:1]
