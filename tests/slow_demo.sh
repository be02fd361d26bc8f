#!/bin/sh
# slow_demo.sh - the demo as `make demo` runs it: enough digits are recognised, few kernels, the same bits in all four rows.
set -u
export BRAZE_CACHE_DIR=off
cd "$BRAZE_SRC" || exit 2
out=$(mktemp -d) || exit 2
trap 'rm -rf "$out"' EXIT
"$BRAZE_BUILD/examples/mnist" --out "$out" || { echo "0 passed, 1 failed"; exit 1; }
"$PYTHON" - "$out/report.json" <<'EOF'
import json
import sys

rows = {r["mode"]: r for r in json.load(open(sys.argv[1]))["rows"]}
checks = {
    "four rows": list(rows) == ["eager", "lazy", "compiled", "exported"],
    "94 % of the digits": all(r["accuracy"] >= 0.94 for r in rows.values()),
    "one loss": len({r["loss_bits"] for r in rows.values()}) == 1,
    "at most 13 kernels": all(rows[m]["kernels_per_step"] <= 13 for m in ("lazy", "compiled", "exported")),
    "eager runs each op": rows["eager"]["kernels_per_step"] > 50,
    "compiling saves memory": rows["compiled"]["peak_bytes"] < rows["eager"]["peak_bytes"],
}
for what, good in checks.items():
    if not good:
        print("FAILED", what)
bad = list(checks.values()).count(False)
print(f"{len(checks) - bad} passed, {bad} failed")
sys.exit(bad > 0)
EOF
