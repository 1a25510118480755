import json

import mixed_checks
import path_checks


def test_two_and_three_ranks_find_what_one_finds(tmp_path, mpiexec):
    """To 1e-10: all at once, from the start and from a checkpoint; and a path beyond snap-back."""
    mixed_checks.run(tmp_path)
    mixed_checks.refuse(tmp_path)
    (tmp_path / "path").write_text(json.dumps(path_checks.follow(path_checks.bar())))
    for ranks in (2, 3):
        mpiexec("rank_checks.py", tmp_path, ranks=ranks)
