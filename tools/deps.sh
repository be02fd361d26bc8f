#!/bin/sh
# deps.sh - install the Debian packages that the build and the tests need, if they are missing.
# Quiet and without questions; a run with nothing to do takes a few milliseconds. Without apt it names
# what is missing and stops.
set -eu

# package: what shows that it is there (a command, or pc:MODULE for pkg-config, or file:PATH)
packages='
gcc              gcc
g++              g++
make             make
pkg-config       pkg-config
llvm-19-dev      llvm-config-19
libcriterion-dev pc:criterion
libmpfr-dev      pc:mpfr
zlib1g-dev       pc:zlib
libzstd-dev      pc:libzstd
python3          /usr/bin/python3
python3-numpy    file:/usr/lib/python3/dist-packages/numpy/__init__.py
'

present() {
    case $1 in
    pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
    file:*) [ -e "${1#file:}" ] ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

list_missing() {
    echo "$packages" | while read -r package probe; do
        [ -z "$package" ] || present "$probe" || printf '%s ' "$package"
    done
}

missing=$(list_missing)
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "braze needs these packages (Debian names), please install them: $missing" >&2
    exit 3
fi
sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "braze needs, as root: apt-get install $missing" >&2
        exit 3
    }
    sudo='sudo -n'
fi

mkdir -p build
log=build/deps.log
apt() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -y -qq "$@" >>"$log" 2>&1; }
echo "installing: $missing"
: >"$log"
# shellcheck disable=SC2086  # a list of names
if ! apt install --no-install-recommends $missing; then
    apt update || true
    apt install --no-install-recommends $missing || { tail -n 20 "$log" >&2; exit 3; }
fi
missing=$(list_missing)
if [ -n "$missing" ]; then
    echo "still missing after the installation: $missing (see $log)" >&2
    exit 3
fi
