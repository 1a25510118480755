#!/usr/bin/env bash
# Create the virtual environment VENV if it is missing, and install the package into it with an extra.
# Usage: ./bootstrap.sh VENV EXTRA
set -euo pipefail
venv=$1
extra=$2

works() { # A candidate may be the shim of a version manager that only prints an error: run it.
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in "${PYTHON_FOR_VENV:-}" python3.14 python3.13 python3.12 python3 python \
        "$HOME"/.pyenv/versions/*/bin/python3 "$HOME"/.local/share/uv/python/*/bin/python3 \
        "$HOME"/{mini,}{forge,conda}3/bin/python3 /opt/*/bin/python3 /usr/local/bin/python3.* \
        /usr/bin/python3.*; do
        if [ -n "$candidate" ] && works "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "bootstrap.sh: no working Python >= 3.12 with venv found; install one (Debian, Ubuntu:" \
        "python3 python3-venv) or name it in PYTHON_FOR_VENV" >&2
    return 1
}

if ! works "$venv/bin/python"; then
    python=$(find_python)
    echo "creating $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi
command -v cc >/dev/null || {
    echo "bootstrap.sh: no C compiler (cc) found; FEniCSx compiles forms with it (Debian, Ubuntu: gcc)" >&2
    exit 1
}
# An environment that uv made has no pip.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null
# uv installs by hard links from its cache, in seconds; pip does the same work where uv is not to be had.
if "$venv/bin/python" -m pip install --quiet --constraint constraints.txt uv; then
    installer=("$venv/bin/python" -m uv pip install --quiet --python "$venv/bin/python")
else
    installer=("$venv/bin/python" -m pip install --quiet)
fi
"${installer[@]}" --constraint constraints.txt --editable ".[$extra]"
if [ "$extra" = dev ]; then # a neighbour in tests; its requirements name another distribution of DOLFINx
    "${installer[@]}" --constraint constraints.txt --no-deps dolfinx-external-operator
fi
