#!/bin/sh
# test_deps.sh - tools/deps.sh on machines that lack packages: what it cannot install it says in one line with the command
# that helps, and it waits for nobody. The machine is made of stubs; the compiler that is missing is one that nobody has.
# shellcheck disable=SC2016  # the stubs are texts
set -u
src=${BRAZE_SRC:-.}
# shellcheck source=tests/support/expect.sh
. "$src/tests/support/expect.sh"
mkdir "$dir/bin" "$dir/bare"
cp "$src/tools/deps.sh" "$dir"

stub() { # NAME TEXT
    printf '#!/bin/sh\n%s\n' "$2" >"$dir/bin/$1"
    chmod +x "$dir/bin/$1"
}
someone() { # USER-ID SUDO: none, asks, or free
    stub id "echo $1"
    case $2 in
    asks) stub sudo 'case $1 in -n) exit 1 ;; -v) read -r p </dev/tty && [ "$p" = secret ] ;; *) exec "$@" ;; esac' ;;
    free) stub sudo '[ "$1" = -n ] && shift; echo "as root: $*" >>sudo.log; exec "$@"' ;;
    none) rm -f "$dir/bin/sudo" ;;
    esac
}
# Runs it without a terminal, with the stubs before the rest of $path.
deps() { (cd "$dir" && rm -rf build && PATH=$dir/bin:$path CC=compiler-of-nobody timeout 60 setsid sh deps.sh "$@" >said 2>&1 </dev/null); }
stops() { # PATTERN ARGUMENT...: status 3, and one line that matches (beside the line that names what is being installed)
    pattern=$1
    shift
    deps "$@"
    [ $? = 3 ] && grep -v '^braze: installing' "$dir/said" >"$dir/lines"
    if [ "$(wc -l <"$dir/lines")" = 1 ] && grep -qE -e "$pattern" "$dir/lines"; then return 0; fi
    cat "$dir/said" && false
}
installs() { deps "$@" && grep -q '^installed .*compiler-of-nobody' "$dir/apt.log"; }
run_by_root() { grep -q '^as root: .*apt-get' "$dir/sudo.log"; }

# A directory of the commands that the script itself uses, for machines without sudo or apt-get.
for c in sh env grep sed tail mkdir rm timeout setsid cat; do ln -s "$(command -v $c)" "$dir/bare/$c"; done
path=$PATH
command='as root: apt-get install --no-install-recommends gcc'
stub apt-get 'exit 100'

someone 1000 asks
expect "sudo that asks, no terminal" stops "sudo wants a password; $command" build
path=$dir/bare
someone 1000 none
expect "no sudo" stops "there is no sudo here; $command" build
rm "$dir/bin/apt-get"
expect "no apt-get" stops 'no apt-get here; Debian calls them: gcc' build
path=$PATH

stub apt-get 'echo "W: Failed to fetch http://example.org/InRelease  Temporary failure resolving"
    echo "E: Unable to locate package gcc"; exit 100'
someone 0 none
expect "no network" stops "is there a network\\?.*; $command" build
stub apt-get 'echo "E: something of its own"; exit 100'
expect "another failure, in apt-get's words" stops "apt-get says: something of its own .*; $command" build
stub apt-get 'exit 0'
expect "apt-get installs nothing" stops 'still missing after the installation' build

expect "--check installs nothing" stops "packages are missing: gcc.*; 'make deps' installs them" --check build
# Packages that are unknown until the lists are fetched; the installation brings the compiler.
stub apt-get 'case " $* " in
*" update "*) touch updated ;;
*) [ -e updated ] || { echo "E: Unable to locate package"; exit 100; }
   cp /bin/true bin/compiler-of-nobody; echo "installed $*: compiler-of-nobody" >>apt.log ;;
esac'
someone 1000 free
expect "sudo without a password installs" installs build
expect "as root" run_by_root
expect "then nothing is missing, and nothing is said" sh -c "cd '$dir' && PATH=$dir/bin:\$PATH CC=compiler-of-nobody sh deps.sh build >said 2>&1 && [ ! -s said ]"

# On a terminal sudo may ask (a chroot may have none to give).
answers() { # PASSWORD
    rm -rf "$dir/build" "$dir/bin/compiler-of-nobody"
    (cd "$dir" && echo "$1" | PATH=$dir/bin:$PATH CC=compiler-of-nobody timeout 60 script -qec 'sh deps.sh build' /dev/null) >"$dir/said"
}
refuses() {
    answers "$1"
    [ $? = 3 ] && grep -q "$command" "$dir/said"
}
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    someone 1000 asks
    expect "the right password" answers secret
    expect "installs" test -x "$dir/bin/compiler-of-nobody"
    expect "another password" refuses wrong
fi
report
