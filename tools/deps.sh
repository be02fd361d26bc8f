#!/bin/sh
# deps.sh - install the Debian packages that are missing.
#   tools/deps.sh build|test          what building needs; what the tests need beside that
#   tools/deps.sh --check build|test  installs nothing: says what is missing
# Quiet; a run with nothing to do takes a few milliseconds. What it cannot do it says in one line, with the command that
# whoever can should run, and the status is 3. It asks for nothing but sudo's password, and that only on a terminal.
set -u

cc=${CC:-gcc} python=${PYTHON:-/usr/bin/python3} compiler=gcc
case $cc in *clang*) compiler=clang ;; esac

# package: what shows that it is there (a command, a header, a shared library, a file, or a Python module)
for_build="
$compiler        cc
g++              g++
make             make
llvm-19-dev      llvm-config-19
zlib1g-dev       header:zlib.h
libminizip-dev   header:minizip/zip.h
libzstd-dev      header:zstd.h
libffi-dev       header:ffi.h
"
for_test="$for_build
pkg-config       pkg-config
libcriterion-dev header:criterion/criterion.h
libmpfr-dev      header:mpfr.h
python3          python
python3-numpy    module:numpy
python3-onnx     module:onnx
libonnx-testdata file:/usr/share/libonnx-testdata/data/node
liblapack3       lib:liblapack.so.3
"

check=
[ "${1:-}" != --check ] || { check=1 && shift; }
case ${1:-} in
build) packages=$for_build ;;
test) packages=$for_test ;;
*) echo "usage: tools/deps.sh [--check] build|test" >&2 && exit 2 ;;
esac

present() {
    # shellcheck disable=SC2086  # CC may be `ccache gcc`
    case $1 in
    cc) command -v ${cc%% *} ;;
    python) command -v "$python" ;;
    module:*) "$python" -c "import importlib.util as u, sys; sys.exit(not u.find_spec('${1#module:}'))" ;;
    file:*) ls "${1#file:}" ;;
    lib:*) ls /usr/lib/"${1#lib:}" /usr/lib/*/"${1#lib:}" /usr/lib64/"${1#lib:}" 2>/dev/null | grep . ;;
    header:*) echo "#include <${1#header:}>" | $cc -E - ;;
    *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

list_missing() {
    echo "$packages" | while read -r package probe; do
        [ -z "$package" ] || present "$probe" || printf ' %s' "$package"
    done
}

stop() { # REASON [WHAT TO DO]
    echo "braze: $1; ${2:-as root: apt-get install --no-install-recommends$missing}" >&2
    exit 3
}

# Sets sudo to what makes a command root's; asks for a password only where someone can answer.
become_root() {
    sudo=
    [ "$(id -u)" != 0 ] || return 0
    command -v sudo >/dev/null 2>&1 || stop "packages are missing, and there is no sudo here"
    sudo='sudo -n'
    $sudo true 2>/dev/null && return 0
    { [ -t 2 ] && (: </dev/tty) 2>/dev/null; } || stop "packages are missing, and sudo wants a password"
    sudo=sudo
    echo "braze: packages are missing:$missing (about 1 GB)" >&2
    $sudo -v || stop "packages are missing"
}

apt() {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=30 \
        -o DPkg::Lock::Timeout=300 -o APT::Keep-Downloaded-Packages=false "$@" >>"$log" 2>&1 </dev/null
}

# Why apt-get failed, in its own words or better ones.
reason() {
    if grep -qE 'resolv|connect|Failed to fetch|unreachable|timed out' "$log"; then
        echo "apt-get cannot fetch packages (is there a network? see $log)"
    else
        echo "apt-get says: $(sed -n 's/^E: //p' "$log" | tail -n 1) (see $log)"
    fi
}

missing=$(list_missing)
[ -n "$missing" ] || exit 0
[ -z "$check" ] ||
    stop "packages are missing:$missing" "'make deps' installs them"
command -v apt-get >/dev/null 2>&1 || stop "packages are missing, and there is no apt-get here" "Debian calls them:$missing"
become_root
log=build/deps.log
mkdir -p build && : >"$log" || exit 3
echo "braze: installing$missing (log in $log)"
# shellcheck disable=SC2086  # a list of names
apt install --no-install-recommends $missing ||
    { : >"$log" && apt update && apt install --no-install-recommends $missing; } || stop "$(reason)"
missing=$(list_missing)
[ -z "$missing" ] || stop "still missing after the installation (see $log):$missing"
