#!/bin/sh
# slow_stranger.sh - tests on a machine that is less kind than this one: the tree lies where no other user can look, no CUDA
# toolkit and none of the commands below is to be seen, the environment is bare, and who runs them is once root and once a user
# who owns nothing else.
#
#   copy of the tree, 0700 --root----> the programs that become another user
#                          --nobody--> the programs that write files, start compilers or look for a toolkit
# Without root's rights the second part alone, as whoever runs it.
set -u
src=${BRAZE_SRC:-.} build=${BRAZE_BUILD:-build}
# shellcheck source=tests/support/expect.sh
. "$src/tests/support/expect.sh"
tree=$dir/home/braze nobody=65534
hidden='clang* nvcc* ptxas* gdb valgrind perf jq curl wget rsync cmake ninja bc xxd file strace ccache shellcheck'

tracked() { (cd "$src" && git ls-files -z -c -o --exclude-standard 2>/dev/null || find . -path ./build -prune -o -type f -print0); }
copy() {
    mkdir -p "$tree/build/tests" "$tree/build/gpu" "$dir/home/tmp" && chmod 700 "$dir" "$dir/home" &&
        tracked | tar -C "$src" --null -T - -cf - | tar -C "$tree" -xf - &&
        cp -R "$build"/libbraze* "$build"/braze "$build"/aot_rt.o "$build"/examples "$tree/build" &&
        cp -R "$build"/tests/objects "$build"/tests/test_* "$build"/tests/slow_* "$tree/build/tests" &&
        find "$src/build/gpu" -maxdepth 1 -type f -perm -u+x -exec cp {} "$tree/build/gpu" \;
    cp "$src/build/ptxrun" "$src/build/libbraze-fakecuda.so" "$tree/build" 2>/dev/null || true
}
# A directory of this machine's commands but the hidden ones.
commands() {
    # shellcheck disable=SC2086  # patterns
    mkdir "$dir/home/bin" && ln -s /usr/bin/* /usr/sbin/* "$dir/home/bin" 2>/dev/null
    (cd "$dir/home/bin" && rm -f $hidden && [ -e sh ] && [ -e gcc ])
}

# COMMAND... in the copy, with nothing of this machine but its commands.
bare() {
    (cd "$tree" && env -i HOME="$dir/home" TMPDIR="$dir/home/tmp" PATH="$dir/home/bin" \
        BRAZE_NVRTC=/dev/null CUDA_HOME=/nonexistent CC="${CC:-cc}" PYTHON="${PYTHON:-python3}" BRAZE_SANITIZE="${BRAZE_SANITIZE:-}" \
        BRAZE_BUILD="$tree/build" BRAZE_SRC="$tree" BRAZE_LLVM="$tree/build/libbraze-llvm.so" BRAZE_TOOL="$tree/build/braze" \
        BRAZE_QUICK=1 BRAZE_TEST_JOBS="${BRAZE_TEST_JOBS:-$(nproc)}" "$@")
}

# The sum of what the programs report is added to ours.
suite() { # WHAT COMMAND... PROGRAM...
    what=$1
    shift
    bare "$@" >"$dir/log" 2>&1
    sum=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$dir/log" | tail -n 1)
    bad=${sum##* passed, }
    passed=$((passed + ${sum%% *})) failed=$((failed + ${bad%% *}))
    [ -n "$sum" ] && [ "${bad%% *}" = 0 ] || { echo "FAILED: $what" && cat "$dir/log"; }
    [ -n "$sum" ] || failed=$((failed + 1))
}

expect "a copy of the tree" copy
expect "commands" commands
cd "$tree" || exit 2
if [ "$(id -u)" = 0 ]; then
    # shellcheck disable=SC2046  # a list of names
    suite "as root" tests/run.sh build $(grep -lE 'sete?uid|65534' tests/test_*.c tests/test_*.py tests/test_*.sh | sed 's|\(.*\)\.c$|build/\1|')
    chown -R "$nobody:$nobody" "$dir/home"
    chmod 711 "$dir"
    user="setpriv --reuid=$nobody --regid=$nobody --clear-groups"
fi
# shellcheck disable=SC2046,SC2086  # lists of words
suite "as a user without rights" ${user:-} tests/run.sh build tests/test_export_names.py tests/test_tool.py tests/test_examples.sh \
    tests/test_switches.sh tests/test_aot.sh tests/test_deps.sh tests/test_languages.sh $(ls build/tests/test_export build/tests/test_bz_export build/tests/test_npy \
        build/tests/test_explain build/tests/test_nomem build/tests/test_cubin build/tests/test_cuda* build/tests/slow_cuda_* build/tests/test_gpus build/gpu/test_zoo build/gpu/test_ptxrun build/gpu/test_abi build/gpu/test_module)

# Where the compiler is missing, `make` says what to do: one line, and no alarm before it.
lacks() { # TARGET PATTERN
    bare ${user:-} make B=build/empty CC=compiler-of-nobody "$1" >"$dir/said" 2>&1
    if head -n 1 "$dir/said" | grep -q "$2" && [ "$(grep -vc '^make' "$dir/said")" = 1 ]; then return 0; fi
    cat "$dir/said" && false
}
expect "make without packages" lacks all "packages are missing:.*'make deps' installs them"
report
