#!/bin/sh
# test_examples.sh - every example runs and says what it should; the demo gives one set of bits for other problems too; the
# program in README.md compiles against the public headers alone and runs.
set -u
export BRAZE_CACHE_DIR=off
cd "$BRAZE_SRC" || exit 2
passed=0 failed=0
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

# check NAME PATTERN COMMAND...: the command succeeds and prints a line that matches.
check() {
    name=$1 pattern=$2
    shift 2
    if "$@" >"$work/out" 2>&1 && grep -qE -e "$pattern" "$work/out"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $name"
        tail -n 8 "$work/out"
    fi
}

# refuse NAME PATTERN COMMAND...: the command fails with a message.
refuse() {
    name=$1 pattern=$2
    shift 2
    if ! "$@" >"$work/out" 2>&1 && grep -qE -e "$pattern" "$work/out"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $name"
        tail -n 8 "$work/out"
    fi
}

e=$BRAZE_BUILD/examples
check regression '^y = (2\.9|3\.0)[0-9]* x \+ (1\.9|2\.0)' "$e/regression"
check derivatives '^-cos x' "$e/derivatives"
check newton '^after [0-9]+ turns every x is 1 within [0-9]e-(0[6-9]|1[0-9])' "$e/newton"
check custom '^the rate was 0.4, 0.(39|40)[0-9] was found' "$e/custom"
check logistic '^9[5-9].* % of the points on their side' "$e/logistic"
check kmeans '^[0-9]+ turns, mean squared distance [12]\.' "$e/kmeans"
check mlp '^(9[5-9]|100).* % of the points on their arm' "$e/mlp"
check mixed '^turn 400 .* 394 steps taken$' "$e/mixed"
if [ -n "${BRAZE_QUICK:-}" ]; then
    check cnn '^step 20  loss [01]\.' "$e/cnn" 20
else
    check cnn '^9[89]\.. % of the digits that it has not seen$' "$e/cnn"
fi
check wave '^energy .* 5 programs compiled$' "$e/wave"
check gpt '^step 50  loss [12]\.' "$e/gpt" 50
[ -n "${BRAZE_QUICK:-}" ] || check gru '^step 60  loss 0\.0' "$e/gru"
check npy '^ \[|^\[\[' "$e/npy" "$work/a.npy"
check export_one '^wrote' "$e/export_one" "$work"
check 'the exported header' '^int gelu\(' cat "$work/gelu.h"

mkdir -p "$work/demo"
check demo '^the same bits in every mode' "$e/mnist" --steps 3 --hidden 24 --out "$work/demo"
check 'four rows in the report' '^4$' grep -c '"loss_bits"' "$work/demo/report.json"
check 'one loss in the report' '^1$' sh -c "grep -o '\"loss_bits\": \"[^\"]*\"' '$work/demo/report.json' | sort -u | wc -l"
check 'loss.svg is XML' '^ok' "$PYTHON" -c "import xml.dom.minidom as m; m.parse('$work/demo/loss.svg'); m.parse('$work/demo/graph.svg'); print('ok')"
check 'demo: odd sizes' '^the same bits in every mode' "$e/mnist" --steps 2 --hidden 7 --batch 3 --seed 9 --out "$work/demo"
refuse 'demo: batch too large' "^mnist: --batch: '9000' is no number from 1 to 8500" "$e/mnist" --batch 9000 --out "$work/demo"
refuse 'demo: no batch' "^mnist: --batch: '' is no number" "$e/mnist" --batch '' --out "$work/demo"
refuse 'demo: a seed of 80 bits' '^mnist: --seed: .* is no number' "$e/mnist" --seed 999999999999999999999999 --out "$work/demo"
refuse 'demo: no data' 'cannot be read' "$e/mnist" --data "$work" --out "$work/demo"

# The first ```c block of README.md.
awk '/^```c$/ {on = 1; next} /^```$/ {if (on) exit} on' README.md >"$work/readme.c"
check 'README: compiles' '^compiled' sh -c '"$@" && echo compiled' - ${CC:-cc} ${BRAZE_SANITIZE:-} -std=c11 -Wall -Wextra -Werror -Iinclude "$work/readme.c" -L"$BRAZE_BUILD" -lbraze \
    -Wl,-rpath,"$BRAZE_BUILD" -o "$work/readme"
check 'README: runs' '[0-9]' "$work/readme"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
