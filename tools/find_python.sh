#!/bin/sh
# Prints a Python that can run the hub: the one that is named, else the first found that is 3.11 or newer.
set -u

fits() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${1:-}" ]; then
    if fits "$1"; then
        echo "$1"
        exit 0
    fi
    echo "PYTHON=$1 is not a Python 3.11 or newer with its venv module; name another one, or none to have one found." >&2
    exit 1
fi
for python in python3.11 python3.12 python3.13 python3.14 python3 python; do
    if fits "$python"; then
        echo "$python"
        exit 0
    fi
done
echo "The hub needs Python 3.11 or newer with its venv module, and none was found. Install one (Debian and Ubuntu: apt" \
    "install python3-venv; macOS: brew install python3), or name the one you have: make PYTHON=/path/to/python3 …" >&2
exit 1
