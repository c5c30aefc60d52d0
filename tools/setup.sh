#!/bin/sh
# Makes a checkout ready to use: system packages, .venv, edgemcu and what it needs in it.
#
#     tools/setup.sh [run|dev]
#
# "run" is enough for the demo and for work with edgemcu; "dev" adds what tests and linters need.
# Quick when all is there. System packages are installed with apt where that needs no password;
# otherwise the line to run is printed, and that is all.
#
#     PYTHON=python3.12      the interpreter to build .venv with (3.10 or later)
#     EDGEMCU_APT=no         never install system packages, only say which
set -eu

level=${1:-run}
case $level in
run | dev) ;;
*)
    echo "usage: tools/setup.sh [run|dev]" >&2
    exit 2
    ;;
esac

cd -- "$(dirname -- "$0")/.."
venv=.venv
stamp=$venv/.edgemcu-setup

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "setup: $*"
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# An active environment elsewhere must not leak into the one that is made here.
unset PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1

python_is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1
}

find_python() {
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11 python3.10; do
        if python_is_new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail "Python 3.10 or later is needed; say which one with PYTHON=… if it is not on PATH"
}

# Debian splits ensurepip off into python3-venv; without it, pip or virtualenv can stand in.
can_make_venv() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
        "$1" -m virtualenv --version >/dev/null 2>&1 ||
        "$1" -m pip --version >/dev/null 2>&1
}

make_venv() {
    if "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        "$1" -m venv --clear "$venv"
    elif "$1" -m virtualenv --version >/dev/null 2>&1; then
        "$1" -m virtualenv --quiet --clear "$venv"
    else
        borrowed=$(mktemp -d)
        trap 'rm -rf "$borrowed"' EXIT
        "$1" -m pip install --quiet --target "$borrowed" virtualenv
        PYTHONPATH=$borrowed "$1" -m virtualenv --quiet --clear "$venv"
        rm -rf "$borrowed"
    fi
}

venv_works() { python_is_new_enough "$venv/bin/python" && "$venv/bin/python" -m pip -V >/dev/null 2>&1; }

# --- What is missing ---------------------------------------------------------------------------

missing=
need() { missing="$missing${missing:+ }$*"; }

# Prints the bare name back when there is no newlib-nano.
has_newlib() { [ "$(arm-none-eabi-gcc -print-file-name=nano.specs 2>/dev/null)" != nano.specs ]; }

find_missing() {
    missing=
    has arm-none-eabi-gcc || need gcc-arm-none-eabi
    { has arm-none-eabi-gcc && has_newlib; } || need libnewlib-arm-none-eabi
    has qemu-system-arm || need qemu-system-arm
    has gcc || need gcc libc6-dev
    if [ "$level" = dev ]; then
        has g++ || need g++
        has clang || need clang
    fi
    $ready || venv_works || can_make_venv "$python" || need python3-venv
}

# --- System packages ---------------------------------------------------------------------------

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

may_install() {
    [ "${EDGEMCU_APT:-yes}" != no ] && has apt-get &&
        { [ "$(id -u)" = 0 ] || { has sudo && sudo -n true 2>/dev/null; }; }
}

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@"; }

say_what_to_run() {
    if has apt-get; then
        say "setup: this needs system packages; run this line, then try again:"
        say ""
        sudo="sudo "
        [ "$(id -u)" != 0 ] || sudo=
        say "    ${sudo}apt-get update && ${sudo}apt-get install --no-install-recommends $missing"
    elif has brew; then
        say "setup: this needs programs that are not installed; run these lines, then try again:"
        say ""
        say "    brew install --cask gcc-arm-embedded"
        say "    brew install qemu"
    else
        say "setup: these are missing (by their Debian names); install them, then try again:"
        say ""
        say "    $missing"
    fi
}

install_missing() {
    if ! may_install; then
        say_what_to_run
        exit 1
    fi
    say "setup: installing with apt: $missing"
    # A broken third-party source must not stop what the other sources can give.
    apt_get update >/dev/null || true
    # shellcheck disable=SC2086 # one package a word
    apt_get install --no-install-recommends $missing >&2 ||
        fail "apt could not install: $missing"
    find_missing
    [ -z "$missing" ] || fail "still missing after apt: $missing"
}

# Tests that stand in for an ESP32-S3 need a compiler and an emulator for Xtensa cores, which not
# every distribution has (100 MB); without them those tests are skipped, and say so.
find_wanted() {
    wanted=
    for pair in clang-22:clang-22 llvm-mc-22:llvm-22 qemu-system-xtensa:qemu-system-misc \
        xtensa-lx106-elf-ld:binutils-xtensa-lx106; do
        has "${pair%%:*}" || wanted="$wanted${wanted:+ }${pair#*:}"
    done
}

install_wanted() {
    may_install || return 0
    say "setup: installing with apt, for tests of the ESP32-S3: $wanted"
    apt_get update >/dev/null || true
    # shellcheck disable=SC2086 # one package a word
    apt_get install --no-install-recommends $wanted >&2 ||
        say "setup: not all of these can be had here; the tests that need them will be skipped"
}

# --- The environment ---------------------------------------------------------------------------

# A checkout that was moved, and a package list that changed, need another look.
fingerprint() { cat -- pyproject.toml edgemcu/_version.py tools/setup.sh | cksum && pwd -P; }

# "dev" holds all that "run" does.
is_set_up() {
    [ -f "$stamp" ] && python_is_new_enough "$venv/bin/python" &&
        { [ "$(cat "$stamp")" = "dev $(fingerprint)" ] || [ "$(cat "$stamp")" = "$level $(fingerprint)" ]; }
}

install_edgemcu() {
    # Scripts in a moved environment point at the old place.
    if [ -f "$stamp" ] && [ "$(sed -n '$p' "$stamp")" != "$(pwd -P)" ] || ! venv_works; then
        say "setup: making $venv with $("$python" --version 2>&1)"
        make_venv "$python"
    fi
    rm -f "$stamp"
    extras=train
    [ "$level" = run ] || extras=train,dev
    say "setup: installing edgemcu[$extras] into $venv (the first time: about 1.7 GB, some minutes)"
    quiet=
    [ -t 2 ] || quiet=--quiet
    # shellcheck disable=SC2086 # empty or one word
    "$venv/bin/python" -m pip install $quiet --editable ".[$extras]" >&2 ||
        fail "pip could not install edgemcu[$extras]; its message is above"
    printf '%s %s\n' "$level" "$(fingerprint)" >"$stamp.new"
    mv -- "$stamp.new" "$stamp"
}

ready=false
is_set_up && ready=true
$ready || python=$(find_python)
find_missing
[ -z "$missing" ] || install_missing
if [ "$level" = dev ] && ! $ready; then
    find_wanted
    [ -z "$wanted" ] || install_wanted
fi
$ready || install_edgemcu
if ! has npm && ! "$venv/bin/python" tools/can_get_photos.py; then
    missing=npm
    install_missing
fi
