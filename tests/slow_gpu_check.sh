#!/bin/sh
# slow_gpu_check.sh - `make gpu-check` on the emulated driver, at small sizes, from end to end; and where there is no device. No time is looked at.
set -u
src=${BRAZE_SRC:-.}
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
fake=${BRAZE_FAKECUDA:-$PWD/build/libbraze-fakecuda.so}
passed=0 failed=0

check() { # WHAT COMMAND...
    what=$1
    shift
    if "$@" >"$dir/said" 2>&1; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED $what"
        tail -n 30 "$dir/said"
    fi
}
says() { # FILE PATTERN
    grep -qE -e "$2" "$1" || { echo "no '$2' in" && cat "$1" && false; }
}

# A driver that is not there, and one without a device.
without_driver() {
    BRAZE_LIBCUDA=/nowhere/libcuda.so.1 "$src/tests/gpu_check.sh" >"$dir/none" 2>&1 && says "$dir/none" '^no device: .*/nowhere/libcuda.so.1'
}
without_device() {
    BRAZE_LIBCUDA=$fake BRAZE_FAKE_DEVICES=0 "$src/tests/gpu_check.sh" >"$dir/none" 2>&1 && says "$dir/none" '^no device: '
}
check "no driver" without_driver
check "no device" without_device

echo 'graph main(x: f32[4] = iota()) { %y = exp %x' >"$dir/p.bz" && echo 'return %y }' >>"$dir/p.bz"
export BRAZE_LIBCUDA="$fake" BRAZE_FAKE_DEVICES=90 BRAZE_NVRTCFLAGS=--Ofast-compile=mid
if "${BRAZE_TOOL:-build/braze}" run --device cuda "$dir/p.bz" 2>&1 | grep -q 'no usable NVRTC'; then
    echo "skipped: programs, without NVRTC"
    echo "$passed passed, $failed failed"
    [ $failed = 0 ]
    exit
fi

# A cuBLAS of ours, which multiplies on the host: are its arguments right?
${CC:-cc} -std=c11 -D_GNU_SOURCE -shared -fPIC -o "$dir/libcublas.so" "$src/tests/gpu/cublas.c" -ldl || exit 1
# A Python without other systems, as most are: the protocol alone.
reduced() {
    BRAZE_CUBLAS="$dir/libcublas.so" BRAZE_PEERS="${PYTHON:-python3}" "$src/tests/gpu_check.sh" --tiny --json "$dir/check.json" >"$dir/all" 2>&1
}
check "the whole, reduced" reduced
cat "$dir/all"
for row in negate pointwise softmax layernorm column_sums transpose product/4096x4096x4096/n/f32 product/4096x4096x4096/n/bf16 product/4096x4096x4096/n/f16 \
    attention/causal/f32 attention/causal/bf16 mlp gpt product/4096x4096x4096/n/f32/fast product/4096x4096x4096/n/bf16/fast gpt/fast; do
    check "a row of $row" says "$dir/all" "^\| $row +\|"
done
check "limits" says "$dir/all" '^limits: copies [0-9.e+]+ GB/s, f32 FMAs [0-9.e+]+ TFLOP/s, mma.sync of bf16 [0-9.e+]+ TFLOP/s'
check "the JSON" "${PYTHON:-python3}" -c '
import json, sys
a = json.load(open(sys.argv[1]))
works = {w["name"]: w for w in a["works"]}
assert a["device"]["emulated"] and a["device"]["arch"] == 90, a["device"]
assert all(a["limits"][k] > 0 for k in ("copy", "fma", "mma")), a["limits"]
assert len(works) == 20 and all(w["ms"] > 0 and w["launches"] > 0 for w in works.values()), works
assert all(w["counted"]["lane_instructions"] > 0 and w["counted"]["sectors"] >= 1 for w in works.values()), works
for name in ("negate", "pointwise", "softmax"):
    assert 1 <= works[name]["counted"]["bytes"] < 1.1, works[name]
for t, most in (("f32", 1e-5), ("bf16", 1e-2), ("f16", 2e-3), ("f32/fast", 2e-3), ("bf16/fast", 1e-2), ("f16/fast", 2e-3)):
    peers = works["product/4096x4096x4096/n/" + t]["peers"]
    assert peers["cuBLAS 99.1.2"]["differs"] < most, peers
' "$dir/check.json"
# The same driver without what tells that it is emulated: machine code in the images, and counters of another run beside the times.
as_real() {
    "${PYTHON:-python3}" -c '
import sys
d = open(sys.argv[1], "rb").read()
for name in (b"braze_fake_reports", b"braze_fake_counter"):
    at = d.index(b"\0" + name + b"\0") + 1
    d = d[:at] + b"?" + d[at + 1:]
open(sys.argv[2], "wb").write(d)' "$fake" "$dir/real.so" &&
        BRAZE_FAKECUDA="$dir/real.so" "${BRAZE_BUILD:-build}/tests/test_gpu_golden" &&
        BRAZE_LIBCUDA="$dir/real.so" "${BRAZE_BUILD:-build}/bench/gpu" --tiny --only softmax --out "$dir/figures" >"$dir/all" &&
        BRAZE_FAKE_COUNTERS=/dev/null "${BRAZE_BUILD:-build}/bench/gpu" --tiny --only softmax --out "$dir/counted" &&
        "${PYTHON:-python3}" "$src/bench/gpu_table.py" "$dir/figures" "$dir/counted" >"$dir/table" &&
        ! grep -q emulated "$dir/all" && says "$dir/table" '^\| softmax .*\| 1 +\| 1 +\| '
}
check "a driver that is not the emulated one" as_real
echo "$passed passed, $failed failed"
[ $failed = 0 ]
