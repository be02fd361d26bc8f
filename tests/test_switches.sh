#!/bin/sh
# test_switches.sh - every switch of the environment does what docs/switches.md says, and refuses values that make no sense.
set -u
src=${BRAZE_SRC:-.} tool=${BRAZE_TOOL:-build/braze}
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
export BRAZE_CACHE_DIR=off
unset BRAZE_HELP BRAZE_DEBUG BRAZE_DUMP BRAZE_CHECK BRAZE_DEVICE BRAZE_THREADS BRAZE_ISA

cat >"$dir/p.bz" <<'EOT'
graph main(x: f32[3,40] = iota(start=-7, step=0.25)) {
    %1 = softmax %x
    %2 = argmax %1 {axes=[1]}
    return %1, %2 as where
}
EOT

# expect WHAT STATUS PATTERN...: the last `run` ended so, and $dir/all (output and errors) has a line for each pattern; !P: has none.
expect() {
    what=$1 want=$2 why=
    shift 2
    [ "$status" = "$want" ] || why="status $status, not $want"
    for p in "$@"; do
        case $p in
        !*) ! grep -qE -e "${p#!}" "$dir/all" || why="$why; found: ${p#!}" ;;
        *) grep -qE -e "$p" "$dir/all" || why="$why; not found: $p" ;;
        esac
    done
    if [ -z "$why" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $what: $why"
        head -n 8 "$dir/all"
    fi
}

run() { # [NAME=VALUE]... ARGUMENTS OF braze
    switches=
    while case ${1:-} in *=*) true ;; *) false ;; esac do
        switches="$switches $1"
        shift
    done
    # shellcheck disable=SC2086
    timeout 100 env $switches "$tool" "$@" >"$dir/out" 2>"$dir/err"
    status=$?
    cat "$dir/out" "$dir/err" >"$dir/all"
}

same() { # WHAT: the output of the last run is that of the plain one
    status=0
    cmp "$dir/out" "$dir/plain" >"$dir/all" 2>&1 || status=1
    expect "$1: the same output" 0
}

run run "$dir/p.bz"
expect "no switch" 0 'i64\[3\]' '!braze:'
cp "$dir/out" "$dir/plain"

# ---- the table, the page and the code name the same switches
run BRAZE_HELP=1 run "$dir/p.bz"
expect "BRAZE_HELP=1" 0 '^BRAZE_HELP ' '^letters of BRAZE_DUMP: g .*c canon.*f fuse.*l lower, p memory$'
same "BRAZE_HELP=1"
sed -n 's/^\(BRAZE_[A-Z_]*\) .*/\1/p' "$dir/err" | sort >"$dir/table"
sed -n 's/^| `\(BRAZE_[A-Z_]*\)` .*/\1/p' "$src/docs/switches.md" | sort >"$dir/page"
cat "$src"/runtime/*/*.c "$src"/src/*/*.c "$src"/src/ir/*/*.c "$src"/tools/*.c |
    grep -oE '"BRAZE_[A-Z_]+"' | tr -d '"' | sort -u >"$dir/code"
for list in page code; do
    status=0
    diff "$dir/table" "$dir/$list" >"$dir/all" || status=1
    expect "switches in the $list" 0
done
status=0
grep -l getenv "$src"/runtime/*/*.c "$src"/src/*/*.c "$src"/tools/*.c |
    grep -vE '/(base/env|aot/env|codegen/places|codegen/nvrtc|aot/cuda_driver|exec/store_dir|ir/ffi|ir/lapack)\.c$' >"$dir/all" && status=1
expect "nobody else reads the environment" 0
run BRAZE_HELP=0 run "$dir/p.bz"
expect "BRAZE_HELP=0" 0 '!BRAZE_DEBUG'

# ---- what each does
run BRAZE_DEBUG=0 run "$dir/p.bz"
expect "BRAZE_DEBUG=0" 0 '!braze:'
n=0
for shown in '^braze: compiled [0-9]+ nodes: passes .* ms [(]pairs .*, canon .*, lower .*[)], code .* ms' '^plan: ' '^kernel softmax_row_' '^define .*i32 @' '^[[:space:]]+\.text'; do
    n=$((n + 1))
    run BRAZE_DEBUG=$n run "$dir/p.bz"
    expect "BRAZE_DEBUG=$n" 0 "$shown" ${last:+"$last"}
    same "BRAZE_DEBUG=$n"
    last=$shown
    run BRAZE_DEBUG=$((n - 1)) run "$dir/p.bz"
    expect "BRAZE_DEBUG=$((n - 1))" 0 "!$shown"
done

run BRAZE_DUMP=g run "$dir/p.bz"
expect "BRAZE_DUMP=g" 0 '^-- recorded' 'kind=argmax' '!^-- (canon|expand|fuse|memory)'
run BRAZE_DUMP=cp run "$dir/p.bz"
expect "BRAZE_DUMP=cp" 0 '^-- canon' '^-- memory' '!^-- (recorded|expand|fuse)'
run 'BRAZE_DUMP=*' run "$dir/p.bz"
expect "BRAZE_DUMP=*" 0 '^-- recorded' '^-- canon' '^-- expand$' '^-- fuse$' '^-- schedule$' '^-- buffers$' '^-- lower$' '^-- memory$'
same "BRAZE_DUMP=*"

run BRAZE_CHECK=1 run "$dir/p.bz"
expect "BRAZE_CHECK=1" 0 '^braze: check: .*2 outputs.* the same bits' '!differ'
same "BRAZE_CHECK=1"
run BRAZE_CHECK=0 run "$dir/p.bz"
expect "BRAZE_CHECK=0" 0 '!check'

for d in cpu ref; do
    run BRAZE_DEVICE=$d BRAZE_DEBUG=1 run "$dir/p.bz"
    case $d in ref) expect "BRAZE_DEVICE=ref" 0 '!compiled' ;; *) expect "BRAZE_DEVICE=cpu" 0 compiled ;; esac
    same "BRAZE_DEVICE=$d"
done
run BRAZE_DEVICE=null run "$dir/p.bz"
expect "BRAZE_DEVICE=null: zeros" 0 '\[0 0 0\]' '![1-9]\.'
run BRAZE_DEVICE=null run "$dir/p.bz" --device cpu
same "--device goes before BRAZE_DEVICE"

for isa in base avx2 avx512; do
    run BRAZE_ISA=$isa run "$dir/p.bz"
    same "BRAZE_ISA=$isa"
done
run BRAZE_ISA=base BRAZE_DEBUG=4 run "$dir/p.bz"
expect "BRAZE_ISA=base: narrow vectors" 0 '<2 x (float|i64)' '!<(8|16) x (float|i32)>'
for threads in 0 1 2 4 256; do
    run BRAZE_THREADS=$threads run "$dir/p.bz"
    same "BRAZE_THREADS=$threads"
done
run BRAZE_THREADS=3 explain "$dir/p.bz"
expect "BRAZE_THREADS=3" 0 '^machine: 3 threads'

# ---- the plug-in
for command in "run" "run --mode eager" "explain" "export --out $dir/x"; do
    # shellcheck disable=SC2086
    run BRAZE_LLVM=/nonexistent $command "$dir/p.bz"
    expect "BRAZE_LLVM=/nonexistent braze $command" 3 'no usable libbraze-llvm.so \(set BRAZE_LLVM' '/nonexistent'
done
run BRAZE_LLVM=/nonexistent BRAZE_DEVICE=ref run "$dir/p.bz"
same "the interpreter needs no plug-in"
run "BRAZE_LLVM=$dir/p.bz" run "$dir/p.bz"
expect "BRAZE_LLVM=(no library)" 3 'no usable libbraze-llvm.so' 'p.bz'

# ---- values that make no sense
run BRAZE_NUMERICS=fast run "$dir/p.bz"
same "BRAZE_NUMERICS=fast on a CPU"
for wrong in DEVICE=gpu DEVICE=cp THREADS=junk THREADS=-1 THREADS=257 THREADS=1e3 THREADS=2x THREADS=99999999999999999999 NUMERICS=quick NUMERICS=FAST ISA=junk ISA=avx ISA='base|avx2' \
    DEBUG=6 DEBUG=x CHECK=yes HELP=2 DUMP=gz CACHE_DIR=here CACHE_DIR=./here CACHE_MIB=x CACHE_MIB=65537; do
    for command in run opt explain "ops exp"; do
        case $command in ops*) file= ;; *) file=$dir/p.bz ;; esac
        # shellcheck disable=SC2086
        run BRAZE_$wrong $command $file
        expect "BRAZE_$wrong braze $command" 3 "^braze: error: \[BRAZE_${wrong%%=*}\] '" "is none of" 'BRAZE_HELP=1'
    done
done
run BRAZE_DEVICE=gpu run "$dir/p.bz"
expect "the devices are listed" 3 'cpu\|ref\|null'
run BRAZE_DEVICE= BRAZE_THREADS= BRAZE_ISA= BRAZE_DEBUG= BRAZE_DUMP= BRAZE_CHECK= BRAZE_HELP= run "$dir/p.bz"
same "empty values"

# ---- the library alone: bz_open says it; an exported program, with libc alone, warns and works
cat >"$dir/open.c" <<'EOT'
#include <braze/braze.h>
int main(void) {
    bz_context *c;
    bz_status s = bz_open(NULL, &c);
    printf("%d %s %s\n", c == NULL, bz_status_text(s), bz_message(NULL));
    return (int)s != (int)bz_context_status(NULL);
}
EOT
sanitize=${BRAZE_SANITIZE:-}
"${CC:-cc}" $sanitize -std=c11 -I"$src/include" "$dir/open.c" -L"$BRAZE_BUILD" -lbraze -Wl,-rpath,"$BRAZE_BUILD" -o "$dir/open" >"$dir/all" 2>&1
status=$?
expect "a program compiles" 0
tool=$dir/open
run BRAZE_DEVICE=gpu
expect "bz_open with a device that is none" 0 "^1 device not usable \[BRAZE_DEVICE\] 'gpu' is none of cpu\|ref\|null"
run BRAZE_THREADS=many
expect "bz_open with threads that are no number" 0 "^1 bad argument \[BRAZE_THREADS\] 'many' is none of 0\.\.256"

cat >"$dir/aot.c" <<'EOT'
#include "runtime/aot/aot.h"
#include <stdio.h>
int main(void) {
    printf("isa %d of %d, threads %d\n", bz_rt_isa_selected(), bz_rt_isa_detect(), bz_rt_threads() > 0 && bz_rt_threads() > 0);
    return 0;
}
EOT
"${CC:-cc}" -std=c11 -I"$src" "$dir/aot.c" "$BRAZE_BUILD/aot_rt.o" -pthread -o "$dir/aot" >"$dir/all" 2>&1
status=$?
expect "an artefact's run time links" 0
tool=$dir/aot
run BRAZE_THREADS=junk BRAZE_ISA=sse9
expect "an artefact warns" 0 'threads 1' '^braze: BRAZE_THREADS=junk is ignored: it is none of 0\.\.256' \
    '^braze: BRAZE_ISA=sse9 is ignored: it is none of base\|avx2\|avx512'
[ "$(grep -c 'BRAZE_THREADS' "$dir/all")" = 1 ]
status=$?
expect "... once" 0
run BRAZE_THREADS=2 BRAZE_ISA=base
expect "an artefact takes good values" 0 '^isa 0' '!ignored'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
