#!/bin/sh
# slow_cuda.sh - programs, ops and trainings on the emulated GPU, and the command without a driver; slow_cuda_api.sh: the tests of the API.
. "${BRAZE_SRC:-.}/tests/support/cuda.sh"
tool=${BRAZE_TOOL:-build/braze}

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
    sum
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

# Ops and programs for other machines and orders.
for cc in $(others); do
    check "ops for $cc" env BRAZE_QUICK=1 BRAZE_FAKE_DEVICES=$cc BRAZE_FAKE_SEED=$cc BRAZE_NVRTCFLAGS= \
        "${BRAZE_BUILD:-build}/tests/slow_ops_cuda"
    check "bands for $cc" env BRAZE_FAKE_DEVICES=$cc BRAZE_FAKE_SEED=$cc "${BRAZE_BUILD:-build}/tests/slow_gpu_bands"
    check "random graphs for $cc" env FUZZ_CUDA=1 FUZZ_CODE=0 BRAZE_FAKE_DEVICES=$cc BRAZE_FAKE_SEED=$cc \
        BRAZE_NVRTCFLAGS=--Ofast-compile=mid "${BRAZE_BUILD:-build}/tests/fuzz_graphs" 60 1$cc 100
done

for seed in 2 3; do
    check "products by matrix units, seed $seed" env GPU_FAST=5 BRAZE_FAKE_SEED=$seed \
        "${BRAZE_BUILD:-build}/tests/slow_gpu_fast" --filter 'gpu_fast/{device,large}*'
done

check "training by matrix units" env GPU_FAST=1 "${BRAZE_BUILD:-build}/tests/slow_cuda_fast"

sum
