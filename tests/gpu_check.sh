#!/bin/sh
# gpu_check.sh - braze on a GPU: is every bit right, and how fast is it. `make gpu-check` runs it on the machine's driver.
#
#   tests/gpu_check.sh [--tiny] [--part correct|times]... [--json FILE]
#
#   correct   recorded vectors, op harness, programs, random graphs, tests of the API, models: bits against the CPU's and the interpreter's
#   times     bench/gpu: kernels, steps, peers; a table, and FILE (build/gpu_check.json), with what the emulated driver counts of small sizes
#
# The driver is $BRAZE_LIBCUDA, else libcuda.so.1. Without a driver or a device it says "no device" and what was looked for, and ends well;
# else the last line is `N passed, N failed`. --tiny: a part of the tests and small sizes, for the emulated driver.
set -u
src=${BRAZE_SRC:-.} json= tiny= parts=
while [ $# -gt 0 ]; do
    case $1 in
    --tiny) tiny=--tiny ;;
    --json) json=$2 && shift ;;
    --part) parts="$parts $2" && shift ;;
    *) echo "usage: gpu_check.sh [--tiny] [--part correct|times]... [--json FILE]" >&2 && exit 2 ;;
    esac
    shift
done
case $json in '' | /*) ;; *) json=$PWD/$json ;; esac
cd "$src" || exit 2
b=${BRAZE_BUILD:-$PWD/build}
json=${json:-$b/gpu_check.json}
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
export BRAZE_CACHE_DIR=off BRAZE_SRC="$PWD" BRAZE_LLVM="${BRAZE_LLVM:-$b/libbraze-llvm.so}"
fake=${BRAZE_FAKECUDA:-$PWD/build/libbraze-fakecuda.so}
driver=${BRAZE_LIBCUDA:-libcuda.so.1}
passed=0 failed=0

"$b/bench/gpu" --probe >"$dir/device" 2>&1
status=$?
cat "$dir/device"
[ $status = 3 ] && exit 0
[ $status = 0 ] || exit 1

# Without a compiler there is nothing to check; tests would say that they are skipped.
echo 'graph main(x: f32[4] = iota()) { %y = exp %x' >"$dir/p.bz" && echo 'return %y }' >>"$dir/p.bz"
if ! "$b/braze" run --device cuda "$dir/p.bz" >"$dir/said" 2>&1; then
    cat "$dir/said"
    echo "0 passed, 1 failed"
    exit 1
fi

wants() { case "${parts:-correct times}" in *$1*) true ;; *) false ;; esac }

check() { # WHAT COMMAND...
    what=$1
    shift
    if "$@" >"$dir/said" 2>&1 && ! grep -q '^fakecuda: ' "$dir/said"; then
        passed=$((passed + 1))
        echo "ok      $what"
    else
        failed=$((failed + 1))
        echo "FAILED  $what"
        grep -m 5 '^fakecuda: ' "$dir/said"
        tail -n 20 "$dir/said"
    fi
}

# ---- is every bit right. BRAZE_FAKECUDA: the driver that tests of plans run on

as_cpu() { # PROGRAM ARGUMENTS...: prints the same as on the CPU
    "$@" >"$dir/cpu" && BRAZE_DEVICE=cuda "$@" >"$dir/cuda" && cmp "$dir/cpu" "$dir/cuda"
}
plans() {
    BRAZE_FAKECUDA=$driver "$@"
}
api() {
    BRAZE_TEST_FAR=cuda "$@"
}
demo() { # STEPS
    mkdir -p "$dir/demo" && "$b/examples/mnist" --steps "$1" --device cuda --out "$dir/demo"
}

correct_part() {
    check "recorded vectors" plans "$b/tests/test_gpu_golden"
    check "ops, a part" plans env BRAZE_QUICK=1 "$b/tests/slow_ops_cuda" --filter 'ops_cuda/reductions'
    check "views" api "$b/tests/test_views"
    check "the demo" demo 1
    check "a transformer" as_cpu "$b/examples/gpt" 1 2
}

correct_all() {
    check "recorded vectors" plans "$b/tests/test_gpu_golden"
    check "ops" plans "$b/tests/slow_ops_cuda"
    check "plans" plans "$b/tests/slow_gpu_plans"
    check "fast mode" plans env GPU_FAST=1 "$b/tests/slow_gpu_fast"
    check "random graphs" plans env FUZZ_CUDA=1 FUZZ_CODE=0 "$b/tests/fuzz_graphs" 120 1 400
    for name in api api_ops autocast callgrad calls compile customgrad donate edges errors index index_errors lineage memory misuse npz \
        operands overwrite record variables view_bits views vjp; do
        check "test_$name" api "$b/tests/test_$name"
    done
    check "exports" api "$b/tests/test_export" \
        --filter '!(export/a_workspace_of_the_caller|export/large_results_say_what_they_need)'
    check "conformance" "$PWD/build/gpu/gpu_vectors" "$PWD/build/gpu/vectors.txt"
    check "random calls" api "$b/tests/fuzz_api" 120 1 2000
    check "the demo" demo 100
    check "a transformer" as_cpu "$b/examples/gpt" 20 40
    check "mixed precision" as_cpu "$b/examples/mixed"
}

# ---- how fast

# What the emulated driver counts for this kind of GPU, unless that is the driver.
count() {
    grep -q emulated "$dir/device" && return 0
    [ -e "$fake" ] || return 0
    arch=$(sed -n 's/.* sm_\([0-9]*\),.*/\1/p' "$dir/device")
    BRAZE_PEERS='' BRAZE_LIBCUDA=$fake BRAZE_FAKE_DEVICES=$arch BRAZE_FAKE_COUNTERS=/dev/null \
        "$b/bench/gpu" --tiny --out "$dir/counted" || rm -f "$dir/counted"
}
measure() {
    count >"$dir/counting" 2>&1
    BRAZE_FAKE_COUNTERS=/dev/null "$b/bench/gpu" $tiny --out "$dir/figures" || return 1
    BRAZE_FAKE_COUNTERS=/dev/null "$b/bench/gpu" $tiny --fast --out "$dir/fast" || return 1
    grep -v '"kind": "device"' "$dir/fast" >>"$dir/figures"
    counted=
    [ -e "$dir/counted" ] && counted=$dir/counted
    "${PYTHON:-python3}" bench/gpu_table.py "$dir/figures" $counted --json "$json" >"$dir/table"
}

if wants correct; then
    if [ -n "$tiny" ]; then correct_part; else correct_all; fi
fi
if wants times; then
    check "times" measure
    [ -e "$dir/table" ] && cat "$dir/table" && echo "$json"
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
