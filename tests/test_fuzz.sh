#!/bin/sh
# test_fuzz.sh - each fuzzer for a few fixed seeds, so that none of them decays; from $BRAZE_FUZZ_SEED too if it is set (.ci/run
# draws a fresh one: what a stranger runs is what was run before); and what coverage-guided runs have found (tests/cover).
# `make fuzz` and `make fuzz-cover` run them for long.
b=${BRAZE_BUILD:-build}/tests
export FUZZ_CODE=64 # a graph of 64 as machine code
passed=0 failed=0
run() {
    if out=$("$b/$@" 2>&1); then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED: $*"
        echo "$out"
    fi
}
run fuzz_graphs 60 1 2000
run fuzz_grads 60 1 3000
run fuzz_api 60 1 1500
run fuzz_mutants 60 1 15000
run fuzz_tool 60 1 150
run fuzz_npy 60 1 50000
run fuzz_npz 60 1 20000
run fuzz_text 60 1 20000
run fuzz_loops 60 1 30000
run fuzz_objload 60 1 100000

fresh=${BRAZE_FUZZ_SEED:-}
if [ -n "$fresh" ]; then
    echo "fresh seed: $fresh"
    run fuzz_graphs 60 "$fresh" 2000
    run fuzz_grads 60 "$fresh" 3000
    run fuzz_api 60 "$fresh" 1500
    run fuzz_mutants 60 "$fresh" 15000
    run fuzz_npy 60 "$fresh" 50000
    run fuzz_npz 60 "$fresh" 20000
    run fuzz_text 60 "$fresh" 20000
    run fuzz_loops 60 "$fresh" 30000
    run fuzz_objload 60 "$fresh" 100000
fi

for kept in "${BRAZE_SRC:-.}"/tests/cover/*/; do
    [ ! -d "$kept" ] || run "fuzz_$(basename "$kept")" "$kept"*
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
