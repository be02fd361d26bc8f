#!/bin/sh
# slow_cuda.sh - the tests of the API on a GPU, by the emulated driver, which reports what it finds wrong (a failure); the command without a driver.
set -u
src=${BRAZE_SRC:-.} tool=${BRAZE_TOOL:-build/braze}
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

cat >"$dir/p.bz" <<'EOT'
graph main(x: f32[3,40] = iota(start=-7, step=0.25), y: f32[64,3] = iota(start=-7, step=0.25)) {
    %1 = softmax %x
    %2 = argmax %1 {axes=[1]}
    %3 = exp %y
    %4 = sum %3 {axes=[1], keepdim}
    %5 = div %3 %4
    return %1, %2 as where, %5
}
EOT
without_driver() {
    BRAZE_LIBCUDA=/nowhere "$tool" run --device cuda "$dir/p.bz"
    [ $? = 3 ]
}
as_the_interpreter() {
    "$tool" run --device ref "$dir/p.bz" >"$dir/ref" || return 1
    for cc in 75 80 90 100; do
        BRAZE_FAKE_DEVICES=$cc "$tool" run --device cuda "$dir/p.bz" | cmp - "$dir/ref" || return 1
    done
}
check "no driver is exit status 3" without_driver
if "$tool" run --device cuda "$dir/p.bz" 2>&1 | grep -q 'no usable NVRTC'; then
    echo "skipped: programs, without NVRTC"
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit
fi
check "braze run" as_the_interpreter

# Trainings: the demo says itself that the bits are those of the CPU; two steps of a transformer and letters that it writes.
demo() {
    mkdir -p "$dir/demo" && "${BRAZE_BUILD:-build}/examples/mnist" --steps 3 --device cuda --out "$dir/demo"
}
gpt() {
    "${BRAZE_BUILD:-build}/examples/gpt" 2 10 >"$dir/cpu" && BRAZE_DEVICE=cuda "${BRAZE_BUILD:-build}/examples/gpt" 2 10 >"$dir/cuda" &&
        cmp "$dir/cpu" "$dir/cuda" && grep -q '^step 2 ' "$dir/cuda"
}
cd "$src" || exit 2
check "the demo" demo
check "a transformer" gpt

# Ops and programs for other machines and orders; test_ops_cuda itself has gone through all for 80.
for cc in 75 90 100; do
    check "ops for $cc" env BRAZE_QUICK=1 BRAZE_FAKE_DEVICES=$cc BRAZE_FAKE_SEED=$cc BRAZE_NVRTCFLAGS= \
        "${BRAZE_BUILD:-build}/tests/test_ops_cuda"
    check "bands for $cc" env BRAZE_FAKE_DEVICES=$cc BRAZE_FAKE_SEED=$cc "${BRAZE_BUILD:-build}/tests/test_gpu_bands"
    check "random graphs for $cc" env FUZZ_CUDA=1 FUZZ_CODE=0 BRAZE_FAKE_DEVICES=$cc BRAZE_FAKE_SEED=$cc \
        BRAZE_NVRTCFLAGS=--Ofast-compile=mid "${BRAZE_BUILD:-build}/tests/fuzz_graphs" 60 1$cc 100
done

for seed in 2 3; do
    check "products by matrix units, seed $seed" env GPU_FAST=5 BRAZE_FAKE_SEED=$seed \
        "${BRAZE_BUILD:-build}/tests/test_gpu_fast" --filter 'gpu_fast/{device,large}*'
done

check "training by matrix units" env GPU_FAST=1 "${BRAZE_BUILD:-build}/tests/test_cuda_fast"

# The tests of the API; NVRTC's quick way, which costs an eighth. Left out: what measures the host's page faults, and what compiles
# before each allocation that fails.
export BRAZE_TEST_FAR=cuda BRAZE_NVRTCFLAGS=--Ofast-compile=mid
for name in api api_ops callgrad calls customgrad donate edges errors index index_errors limits lineage memory misuse npz operands \
    overwrite record variables views vjp; do
    check "test_$name" "${BRAZE_BUILD:-build}/tests/test_$name"
done
check test_compile "${BRAZE_BUILD:-build}/tests/test_compile" --filter '!(compile/steady_loops_take_no_memory)'
check test_nomem "${BRAZE_BUILD:-build}/tests/test_nomem" --filter '!(nomem/code_that_is_not_cached)'
check "random calls" env FUZZ_CODE=1 "${BRAZE_BUILD:-build}/tests/fuzz_api" 100 1 100
# Exports for GPUs: on arrays of the host, as those for processors; a workspace of the host, and the alignment of its arrays, are none of theirs.
check test_export "${BRAZE_BUILD:-build}/tests/test_export" \
    --filter '!(export/a_workspace_of_the_caller|export/large_results_say_what_they_need)'
check test_export_sizes env BRAZE_QUICK=1 "${BRAZE_BUILD:-build}/tests/test_export_sizes"
for cc in 75 90 100; do
    check "test_api for $cc" env BRAZE_FAKE_DEVICES=$cc BRAZE_FAKE_SEED=$cc "${BRAZE_BUILD:-build}/tests/test_api"
    check "test_views for $cc" env BRAZE_FAKE_DEVICES=$cc BRAZE_FAKE_SEED=$cc "${BRAZE_BUILD:-build}/tests/test_views"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
