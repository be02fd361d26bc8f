#!/bin/sh
# slow_cuda_api.sh - the tests of the API, their contexts on the emulated GPU.
. "${BRAZE_SRC:-.}/tests/support/cuda.sh"
cd "$src" || exit 2
if ! "${BRAZE_TOOL:-build/braze}" run --device cuda --dim n=2 tests/ir/mlp.bz >"$dir/said" 2>&1 && grep -q 'no usable NVRTC' "$dir/said"; then
    echo "skipped: programs, without NVRTC"
    sum
    exit
fi

# The tests of the API; NVRTC's quick way, which costs an eighth. Left out: what measures the host's page faults, and what compiles
# before each allocation that fails.
export BRAZE_TEST_FAR=cuda BRAZE_NVRTCFLAGS=--Ofast-compile=mid
for name in $(half api api_ops callgrad calls customgrad donate edges errors index index_errors limits lineage memory misuse npz operands \
    overwrite record variables views vjp); do
    check "test_$name" "${BRAZE_BUILD:-build}/tests/test_$name"
done
check test_compile "${BRAZE_BUILD:-build}/tests/test_compile" --filter '!(compile/steady_loops_take_no_memory)'
check test_nomem "${BRAZE_BUILD:-build}/tests/test_nomem" --filter '!(nomem/code_that_is_not_cached)'
check "random calls" env FUZZ_CODE=1 "${BRAZE_BUILD:-build}/tests/fuzz_api" 100 1 100
# Exports for GPUs: on arrays of the host, as those for processors; a workspace of the host, and the alignment of its arrays, are none of theirs.
check test_export "${BRAZE_BUILD:-build}/tests/test_export" \
    --filter '!(export/a_workspace_of_the_caller|export/large_results_say_what_they_need)'
check slow_export_sizes env BRAZE_QUICK=1 "${BRAZE_BUILD:-build}/tests/slow_export_sizes"
for cc in $(others); do
    check "test_api for $cc" env BRAZE_FAKE_DEVICES=$cc BRAZE_FAKE_SEED=$cc "${BRAZE_BUILD:-build}/tests/test_api"
    check "test_views for $cc" env BRAZE_FAKE_DEVICES=$cc BRAZE_FAKE_SEED=$cc "${BRAZE_BUILD:-build}/tests/test_views"
done
sum
