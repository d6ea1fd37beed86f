#!/bin/sh
# Makes a virtual environment and installs the pinned requirements and fersyn itself:
#   scripts/setup.sh VENV PYTHON
# Installs with uv where it is on PATH, otherwise, or when uv fails, with pip.
set -eu
venv=$1
python=$2

if ! command -v "$python" >/dev/null 2>&1; then
    echo "fersyn: no '$python' on PATH. Install Python 3.10 or newer, or name one: make PYTHON=python3.12 report" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "fersyn: $("$python" --version 2>&1) is too old; Python 3.10 or newer is needed. Name one: make PYTHON=python3.12 report" >&2
    exit 1
fi

free=$(df -Pk . 2>/dev/null | awk 'NR == 2 { print int($4 / 1048576) }')
if [ "${free:-99}" -lt 11 ]; then
    echo "fersyn: $free GB are free here; the packages take 8 GB, and 3 more while they are installed (PyTorch brings CUDA along)" >&2
fi

# uv does not read pip's settings, so a user's own package index is handed on to it.
pip_setting() {
    for section in :env: install global user; do
        "$python" -m pip config get "$section.$1" 2>/dev/null && return
    done
    true
}
adopt() { # adopt VARIABLE pip-setting [separator]: leaves a variable alone that the user has set
    eval "current=\${$1:-}"
    [ -n "$current" ] && return
    value=$(pip_setting "$2" | tr -s '[:space:]' ' ' | sed 's/^ //; s/ $//' | tr ' ' "${3:- }")
    if [ -n "$value" ]; then export "$1=$value"; fi
}
with_uv() {
    adopt UV_DEFAULT_INDEX index-url
    adopt UV_INDEX extra-index-url
    adopt UV_FIND_LINKS find-links ,
    # pip looks at every index for the best version; uv by default stops at the first that has the name.
    export UV_INDEX_STRATEGY="${UV_INDEX_STRATEGY:-unsafe-best-match}"
    "$venv/bin/python" -c '' 2>/dev/null || uv venv --quiet --clear --seed --python "$(command -v "$python")" "$venv"
    uv pip install --python "$venv/bin/python" -r requirements-dev.txt &&
        uv pip install --quiet --python "$venv/bin/python" --no-build-isolation --no-deps -e .
}
with_pip() {
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv" || {
        echo "fersyn: '$python -m venv' failed (on Debian and Ubuntu: apt install python3-venv), and there is no uv." >&2
        exit 1
    }
    "$venv/bin/python" -m pip install --progress-bar off -r requirements-dev.txt &&
        "$venv/bin/python" -m pip install --quiet --no-build-isolation --no-deps -e .
}

if command -v uv >/dev/null 2>&1; then
    with_uv || { echo "fersyn: uv could not install; trying pip" >&2; with_pip; }
else
    with_pip
fi
