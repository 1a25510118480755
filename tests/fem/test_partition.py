import coupling_checks
import pytest

from dmn_fem.fem import interleaved_partitioner


def test_one_rank_has_all_cells():  # and three: see test_coupling
    coupling_checks.interleaved()


def test_a_mesh_of_no_pieces_is_refused():
    with pytest.raises(ValueError, match="one piece at least, got 0"):
        interleaved_partitioner(0)
