"""These ranks find what one rank has found and written to a folder: an MPI script."""

import json
import sys
from pathlib import Path

import mixed_checks
import path_checks

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    mixed_checks.compare(folder)
    mixed_checks.refuse(folder)
    path_checks.compare(json.loads((folder / "path").read_text()))
