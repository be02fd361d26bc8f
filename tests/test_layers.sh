#!/bin/sh
# test_layers.sh - tools/layers.sh accepts the right arrows and names each kind of wrong one.
set -u
src=${BRAZE_SRC:-.}
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
mkdir -p "$dir/include/braze" "$dir/src/ir" "$dir/src/passes" "$dir/src/codegen" "$dir/runtime/aot" \
    "$dir/runtime/base" "$dir/runtime/value" "$dir/runtime/exec" "$dir/runtime/eval" "$dir/runtime/io" "$dir/runtime/gpu" \
    "$dir/runtime/api" "$dir/tests/ptx"
for header in include/braze/braze.h src/ir/ir.h src/passes/pass.h src/codegen/cg.h runtime/base/context.h \
    runtime/value/tensor.h runtime/exec/device.h runtime/eval/eval.h runtime/io/array.h runtime/gpu/gpu.h runtime/aot/aot.h tests/ptx/ptx.h; do
    : >"$dir/$header"
done

# FILE INCLUDE VERDICT: a file with this one include is fine (0) or not (1).
check() {
    echo "#include $2" >"$dir/$1"
    "$src/tools/layers.sh" "$dir" >"$dir/log"
    if [ $? = "$3" ] && { [ "$3" = 0 ] || grep -q "^$1:1: " "$dir/log"; }; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $1 with $2, expected status $3:"
        cat "$dir/log"
    fi
    rm "$dir/$1"
}

# FILE TEXT VERDICT: the same for a file with this line.
check_text() {
    mkdir -p "$dir/$(dirname "$1")"
    printf '%s\n' "$2" >"$dir/$1"
    "$src/tools/layers.sh" "$dir" >"$dir/log"
    if [ $? = "$3" ] && { [ "$3" = 0 ] || grep -q "^$1:1: floats" "$dir/log"; }; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $1 with '$2', expected status $3:"
        cat "$dir/log"
    fi
    rm "$dir/$1"
}

check include/braze/a.h '<stddef.h>' 0
check include/braze/a.h '"src/ir/ir.h"' 1
check src/ir/a.c '<braze/braze.h>' 0
check src/ir/a.c '"ir.h"' 0
check src/ir/a.c '"src/passes/pass.h"' 1
check src/ir/a.c '"../codegen/cg.h"' 1
check src/passes/a.c '"src/ir/ir.h"' 0
check src/passes/a.c '"src/codegen/cg.h"' 1
check src/passes/a.c '"runtime/base/context.h"' 1
check src/codegen/a.c '"src/ir/ir.h"' 0
check src/codegen/a.c '"src/passes/pass.h"' 1
check src/codegen/a.c '<llvm-c/Core.h>' 1
check src/codegen/llvm_a.c '<llvm-c/Core.h>' 0
check runtime/base/a.c '"src/passes/pass.h"' 0
check runtime/exec/a.c '"runtime/aot/aot.h"' 0
check runtime/exec/a.c '"runtime/base/context.h"' 0
check runtime/base/a.c '"runtime/exec/device.h"' 1
check runtime/exec/a.c '"runtime/value/tensor.h"' 1
check runtime/value/a.c '"runtime/exec/device.h"' 1
check runtime/eval/a.c '"runtime/exec/device.h"' 0
check runtime/value/a.c '"runtime/eval/eval.h"' 1
check runtime/io/a.c '"src/ir/ir.h"' 0
check runtime/io/a.c '"runtime/base/context.h"' 1
check runtime/api/a.c '"runtime/io/array.h"' 0
check runtime/gpu/a.c '"runtime/exec/device.h"' 0
check runtime/gpu/a.c '"gpu.h"' 0
check runtime/gpu/a.c '"runtime/eval/eval.h"' 1
check runtime/exec/a.c '"runtime/gpu/gpu.h"' 1
check tests/a.c '"runtime/eval/eval.h"' 0
check runtime/base/a.c '  "llvm-c/Core.h"' 1
check runtime/aot/a.c '<pthread.h>' 0
check runtime/aot/a.c '"runtime/base/context.h"' 1
check runtime/aot/a.c '<braze/braze.h>' 1
check tests/ptx/a.c '"ptx.h"' 0
check tests/ptx/a.c '"src/ir/ir.h"' 1
check tests/a.c '"tests/ptx/ptx.h"' 1
check tests/a.c '"src/ir/ir.h"' 0
check src/ir/a.h '"tests/ptx/ptx.h"' 1
check_text src/ir/a.c 'double x = strtod(s, &end);' 1
check_text src/ir/base/number.c 'double x = strtod(s, &end);' 0
check_text runtime/base/a.c 'y = my_strtod(s), n = strtol(s, &end, 10);' 0
check_text runtime/base/a.c 'snprintf(s, n, "%.17g", x);' 1
check_text runtime/base/a.c 'fprintf(stderr, "%s of %-*.3lf\n",
    s, 3, x);' 1
check_text runtime/aot/a.c 'printf("%a", x);' 1
check_text runtime/base/a.c 'n = sscanf(s, "%lf", &x);' 1
check_text runtime/base/a.c 'bz_snprintf(s, n, "%.17g", x);' 0
check_text runtime/base/a.c 'fprintf(stderr, "%d %% gone, %" PRId64 "\n", n, m);' 0
check_text tests/a.c 'printf("%g\n", x);' 0
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
