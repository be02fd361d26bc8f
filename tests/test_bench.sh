#!/bin/sh
# test_bench.sh - the programs of bench/ run to their end at tiny sizes, every goal of theirs has its figure, and the tables can be
# made of them. No time is looked at.
set -u
cd "$BRAZE_SRC" || exit 2
passed=0 failed=0
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
mkdir "$work/bench"
for p in "$BRAZE_BUILD"/bench/*; do
    [ -f "$p" ] && [ -x "$p" ] && ln -s "$p" "$work/bench/"
done

check() {
    if [ "$2" = 1 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $1"
    fi
}

# run.sh with other systems switched off, whatever the environment says
BRAZE_PEERS='' bench/run.sh "$work" --tiny --threads 2 >"$work/said" 2>&1
check "bench/run.sh --tiny" $((! $?))
has() {
    grep -qE "$1" "$work/said"
    check "a row '$1'" $((! $?))
}
has '^\| softmax 16384 x 1024 '
has '^\| sum 16384 x 1024 over 0 '
has '^\| argmax 300000 x 10 over 1 '
has '^\| MLP training step, Adam, b128 '
has '^\| overhead +\| training step, cold compile +\| <= 150 ms'
# a sanitizer opens files of its own while it watches
[ -n "${BRAZE_SANITIZE:-}" ] || has '^\| overhead +\| compiles where no process and no file .* 1 +\| pass'
has '^\| overhead +\| recording an op +\| <= 200 ns'
has '^\| overhead +\| 1 KiB written down a column of 64 MiB, lazy +\| <= 5 us'
has '^\| overhead +\| 1 KiB written down a column of 64 MiB, eager +\| <= 5 us'
has '^\| pointwise +\| fused against eager +\| >= 3 x'
has '^\| pointwise +\| slowest eager kernel that reads and writes, of copying '
has '^\| layernorm +\| fused against eager +\| >= 2 x'
has '^\| product/1024x1024x1024/n +\| fused, of multiply-adds +\| >= 85 %'
has '^\| mlp +\| kernels in a step +\| <= 13 +\| 1[0-3] +\| 1[0-3] +\| pass'
has '^\| mlp +\| allocations in a step +\| <= 0 +\| 0 +\| 0 +\| pass'
"${PYTHON:-python3}" -c '
import json, sys
b = json.load(open(sys.argv[1]))
assert len(b["times"]) >= 12 and all(t["ms"] > 0 for t in b["times"]), b["times"]
assert {f["threads"] for f in b["figures"]} == {0, 1, 2}, b["figures"]
' "$work/bench/bench.json" >>"$work/said" 2>&1
check "bench.json" $((! $?))

# usage
"$BRAZE_BUILD/bench/gemm" --rounds 0 >>"$work/said" 2>&1
check "--rounds 0 is refused" $(($? == 1))

[ $failed = 0 ] || cat "$work/said"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
