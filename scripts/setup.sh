#!/bin/sh
# Creates .venv and installs cnnviz in it. make calls this script; by hand:
#
#     sh scripts/setup.sh [demo|test]
#
# demo (the default) installs cnnviz and its dependencies; test adds the optional models, ONNX and
# the checkers. PYTHON=/path/to/python3.12 selects the Python. An existing .venv keeps the Python
# it was created with (rm -rf .venv to change it). After an interruption, run the same command again.
set -eu
unset CDPATH
case $0 in
    */*) cd "${0%/*}/.." ;;
    *) cd .. ;;
esac
here=$(pwd -P)
log=.venv/setup.log

fail() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

# make continues with its next step; for a run by hand, print the next command.
finish() {
    if [ -z "${MAKELEVEL-}" ]; then
        echo "Ready. A first occlusion map: mkdir -p demo && .venv/bin/cnnviz occlude sample_images/chelsea.jpg -o demo/chelsea-occlude.png"
    fi
    exit 0
}

# The stamp contains the path of its folder, because the scripts of a moved .venv do not start.
stamp_is_ours() {
    read -r folder <"$1" && [ "$folder" = "$here" ]
}

# -nt has been in POSIX since 2024, and in dash, bash, ksh and busybox for much longer.
# shellcheck disable=SC3013
stamp_is_good() {
    [ -f "$1" ] && [ -x .venv/bin/python ] && stamp_is_ours "$1" &&
        ! [ pyproject.toml -nt "$1" ] && ! [ constraints.txt -nt "$1" ]
}

# An environment for test also serves for demo.
done_already() {
    stamp_is_good ".venv/ready-$kind" || stamp_is_good .venv/ready-test
}

# If pip is stopped while it unpacks, it can leave an incomplete package that it later treats as installed.
stopped_unpacking() {
    grep -q '^Installing collected packages' "$log" 2>/dev/null && ! grep -q '^Successfully installed' "$log"
}

# Whether the existing .venv is usable. If not, it is created again.
venv_is_sound() {
    [ -x .venv/bin/python ] || return 1
    .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || return 1
    for stamp in .venv/ready-demo .venv/ready-test; do
        if [ -f "$stamp" ] && ! stamp_is_ours "$stamp"; then return 1; fi
    done
    ! stopped_unpacking
}

# Prints "state version program". The base program, because python3 may be that of an active .venv,
# even of the one that is to be created again. Python 2 can run this code too.
question='
import sys
state = "ok"
if sys.version_info < (3, 11):
    state = "old"
else:
    try:
        import ensurepip, venv
    except ImportError:
        state = "bare"
print("%s %d.%d.%d %s" % ((state,) + tuple(sys.version_info[:3]) + (getattr(sys, "_base_executable", sys.executable),)))
'

# Sets python and version to the first suitable Python, or fails with what to install.
find_python() {
    if [ -n "${PYTHON-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3 python3.13 python3.12 python3.11
    fi
    old='' bare=''
    for name do
        answer=$("$name" -c "$question" 2>/dev/null) || continue
        rest=${answer#* }
        version=${rest%% *}
        python=${rest#* }
        case $answer in
            ok\ *) return ;;
            bare\ *) [ -n "$bare" ] || bare=$name bare_version=$version ;;
            old\ *) [ -n "$old" ] || old=$name old_version=$version ;;
        esac
    done
    if [ -n "$bare" ]; then
        case ${bare##*/} in
            python3*) package=${bare##*/}-venv ;;
            *) package=python3-venv ;;
        esac
        fail "$bare ($bare_version) cannot create a virtual environment. Debian, Ubuntu: apt install $package; then run the same command again."
    elif [ -n "$old" ]; then
        fail "cnnviz needs Python 3.11 or newer, and $old is $old_version. Install a newer one, or select one with PYTHON=/path/to/python3.12, then run the same command again."
    elif [ -n "${PYTHON-}" ]; then
        fail "PYTHON=$PYTHON does not run. Set PYTHON to a Python 3.11 or newer, or unset it."
    else
        fail "no Python found; cnnviz needs 3.11 or newer. Debian, Ubuntu: apt install python3 python3-venv; then run the same command again."
    fi
}

# Reduces pip's output to one line.
pip_failed() {
    if grep -q 'No space left on device' "$log"; then
        fail "the disk is full: .venv needs about 6 GB. Free some space, then run the same command again."
    elif grep -q -E 'connection broken by|ConnectionError|Temporary failure in name resolution' "$log"; then
        fail "the package index does not respond (no network?). Details in $log. Then run the same command again."
    fi
    reason=$(grep -i '^ *error' "$log" | tail -n 1)
    fail "pip failed (${reason:-no reason given}). Details in $log. Then run the same command again."
}

kind=${1:-demo}
case $kind in
    demo) what='.' ;;
    test) what='.[test]' ;;
    *) fail "unknown kind '$kind'. Usage: sh scripts/setup.sh [demo|test]" ;;
esac

if done_already; then finish; fi
if ! [ -f pyproject.toml ] || ! [ -f constraints.txt ]; then
    fail "no pyproject.toml or constraints.txt in $here: run this in a complete clone of the repository."
fi

# One set-up at a time (make -j). The system releases the lock when the last process that holds it
# ends, pip included, so a killed set-up leaves no lock behind.
if command -v flock >/dev/null 2>&1; then
    exec 9<pyproject.toml
    if ! flock -n 9 2>/dev/null; then
        echo "Another set-up is at work in this folder: waiting for it to end."
        flock 9 2>/dev/null || :
    fi
    if done_already; then finish; fi
fi

if venv_is_sound; then
    echo "Bringing .venv up to date for $kind: up to 5 minutes and 6 GB if little is installed yet (log: $log)"
else
    find_python
    echo "Setting up .venv for $kind with Python $version: 2 to 5 minutes, about 6 GB of disk (log: $log)"
    if ! said=$("$python" -m venv --clear .venv 2>&1); then
        reason=$(printf '%s\n' "$said" | tail -n 1)
        fail "$python -m venv .venv failed (${reason:-no reason given}). Fix this, then run the same command again."
    fi
fi

# The stamp has the time of the start of the installation: files changed meanwhile count as newer.
printf '%s\n' "$here" >.venv/stamp.new
.venv/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
    -c constraints.txt -e "$what" >"$log" 2>&1 </dev/null || pip_failed

# A server without a desktop lacks libraries that pip cannot install. Clips, adversarial and --colormap need them.
said=$(.venv/bin/python -c 'import cv2' 2>&1) || case $said in
    *'cannot open shared object file'*)
        library=${said##*ImportError: }
        echo "Note: OpenCV (for clips, adversarial and --colormap) needs the system library ${library%%:*}. Debian, Ubuntu: apt install libgl1 libglib2.0-0" >&2
        ;;
esac

mv .venv/stamp.new ".venv/ready-$kind"
finish
