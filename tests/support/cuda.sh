# cuda.sh - for scripts that run programs on the emulated driver, which reports what it finds wrong (a failure). Sourced; the script ends with `sum`.
set -u
src=${BRAZE_SRC:-.}
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
export BRAZE_CACHE_DIR=off BRAZE_LIBCUDA="${BRAZE_FAKECUDA:-$PWD/build/libbraze-fakecuda.so}" BRAZE_FAKE_DEVICES=80 BRAZE_FAKE_THREADS=1
passed=0 failed=0

check() { # WHAT COMMAND...
    what=$1
    shift
    if "$@" >"$dir/said" 2>&1 && ! grep -q '^fakecuda: ' "$dir/said"; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED $what"
        grep -m 5 '^fakecuda: ' "$dir/said"
        tail -n 20 "$dir/said"
    fi
}

# Machines besides 80, which has gone through all: one in each run, by the fuzzers' seed; BRAZE_FULL=1: all of them.
others() {
    set -- 75 90 100
    [ -n "${BRAZE_FULL:-}" ] || shift $((${BRAZE_FUZZ_SEED:-0} % 3))
    [ -n "${BRAZE_FULL:-}" ] && echo "$@" || echo "$1"
}

# Every other word, from one that the seed says; BRAZE_FULL=1: all of them.
half() {
    n=${BRAZE_FUZZ_SEED:-0}
    for word in "$@"; do
        n=$((n + 1))
        if [ -n "${BRAZE_FULL:-}" ] || [ $((n % 2)) = 1 ]; then echo "$word"; fi
    done
}

sum() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
