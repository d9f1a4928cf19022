#!/usr/bin/env bash
# Bring a virtual environment to what requirement files pin; quick when it is already there.
#
#   requirements/install.sh PYTHON VENV CHECK REQUIREMENTS...
#
# CHECK is Python code that only runs where the installation works. The environment carries a
# hash of what was asked for; a run that was interrupted leaves a mark, and the next one then
# starts afresh.
set -euo pipefail

python=$1 venv=$2 check=$3
shift 3

fail() {
    printf 'error: %s\n' "$@" >&2
    exit 1
}

command -v "$python" > /dev/null || fail "no '$python' on the PATH." \
    'Install Python 3.10 or newer (Debian, Ubuntu: apt-get install python3 python3-venv),' \
    'or name it: make PYTHON=/path/to/python3 ...'
version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
"$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' ||
    fail "Python 3.10 to 3.13 is needed (ROS 2's wheels end there), '$python' is $version." \
        'Name another: make PYTHON=python3.12 ...'

# Two runs at once wait for each other; the lock is on this file itself.
if command -v flock > /dev/null; then
    exec 9< "${BASH_SOURCE[0]}"
    flock 9
fi

stamp=$venv/.installed
unfinished=$venv/.unfinished
wanted=$({ echo "$version"; cat "$@"; } | sha256sum | cut -d ' ' -f 1)

# -I -S: without site-packages, so that only the interpreter itself is tried.
runs() { "$venv/bin/python" -I -S -c 'import encodings' > /dev/null 2>&1; }

if [ -e "$venv" ] && { [ -e "$unfinished" ] || ! runs; }; then
    echo "$venv is unfinished or broken: starting afresh"
    rm -rf "$venv"
fi
if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi

if [ ! -e "$venv" ]; then
    "$python" -c 'import venv, ensurepip' 2> /dev/null ||
        fail "'$python' cannot make virtual environments." \
            'Debian, Ubuntu: apt-get install python3-venv'
    echo "making $venv with Python $version"
    mkdir -p "$venv"
    touch "$unfinished"
    "$python" -m venv "$venv"
fi
rm -f "$stamp"
echo "installing $*"
files=()
for file in "$@"; do files+=(-r "$file"); done
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${files[@]}" &
pip=$!
next=0
trap 'kill "$pip" 2> /dev/null || true' EXIT
# Size and time tell that it goes on: a terminal gets a line that changes, a file one now and then.
progress() { printf '%4d s, %5d MB in %s' "$SECONDS" "$(du -sm "$venv" | cut -f 1)" "$venv"; }
while kill -0 "$pip" 2> /dev/null; do
    if [ -t 1 ]; then
        printf '\r%s' "$(progress)"
    elif [ "$SECONDS" -ge "$next" ]; then
        progress
        echo
        next=$((SECONDS + 10))
    fi
    sleep 1
done
wait "$pip"
trap - EXIT
[ ! -t 1 ] || echo
"$venv/bin/python" -c "$check" ||
    fail "what was installed into $venv does not work; 'make clean-venv' and try again"
echo "$wanted" > "$stamp"
rm -f "$unfinished"
