#!/bin/sh
# slow_far.sh - the tests of the API once more, each context on a device whose memory the host cannot read (tests/far): where the
# runtime follows an address of a device, it crashes here.
b=${BRAZE_BUILD:-build}/tests
export BRAZE_TEST_FAR="${BRAZE_TEST_FAR:-1}"
passed=0 failed=0

run() { # PROGRAM [ARGUMENT...]
    if log=$("$b/$@" 2>&1); then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED far away: $*"
        echo "$log" | tail -n 20
    fi
}

for name in api api_ops bz_export callgrad calls compile customgrad donate edges errors index index_errors limits lineage memory \
    misuse nomem npz operands overwrite record variables views vjp; do
    run "test_$name"
done
run test_explain --filter '!(*/nothing_to_explain)' # it wants the device's name
run test_custom --filter '!(*/a_launch_of_the_plan_on_processors)' # the host calls the functions
run fuzz_api 60 1 1500
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
