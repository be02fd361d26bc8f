#!/bin/sh
# test_fuzz.sh - each fuzzer for a few fixed seeds, so that none of them decays; `make fuzz` runs them for long.
b=${BRAZE_BUILD:-build}/tests
passed=0 failed=0
run() {
    if out=$("$b/$@" 2>&1); then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED: $*"
        echo "$out"
    fi
}
run fuzz_graphs 60 1 40
run fuzz_grads 60 1 500
run fuzz_api 60 1 15
run fuzz_text 1 1
run fuzz_loops 1 1
run fuzz_objload 1 1
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
