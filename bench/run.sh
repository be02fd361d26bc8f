#!/bin/sh
# run.sh BUILD [--rounds N] [--threads N] [--tiny] - every program of bench/, then two tables: braze beside other systems, and its
# goals. Writes BUILD/bench/bench.json.
#
# BRAZE_PEERS names a Python that has NumPy, PyTorch or JAX; without it the columns of the peers stay empty.
set -eu
cd "$(dirname "$0")/.."
build=$1
shift
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
lines=$build/bench/bench.jsonl
rm -f "$lines"
[ -n "${BRAZE_PEERS:-}" ] || echo "no peers: set BRAZE_PEERS"
for program in overhead scale pointwise softmax channels layernorm gelu reduce order move gemm attention conv mlp; do
    echo "== $program"
    "$build/bench/$program" --out "$lines" "$@"
done
"${PYTHON:-python3}" bench/table.py "$lines" "$build/bench/bench.json"
