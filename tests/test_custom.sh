#!/bin/sh
# test_custom.sh - ops of a shared object in the tool: run, grad, export; an exported program that calls them, linked by the C compiler.
set -u
src=${BRAZE_SRC:-.} tool=${BRAZE_TOOL:-build/braze} cc=${CC:-cc}
. "$src/tests/support/expect.sh"
src=$(cd "$src" && pwd) tool=$(cd "$(dirname "$tool")" && pwd)/$(basename "$tool")
export tool cc
cd "$dir" || exit 2

cat >ops.c <<'END'
#include <braze/custom.h>
int shrink(void *user, float by, const float *x, float *r, int64_t n) {
    float *shift = user;
    if (by == 0) return 300;
    for (int64_t i = 0; i < n; i++) r[i] = x[i] / by + (shift ? *shift : 0);
    return 0;
}
int shrink_grad(void *user, float by, const float *x, const float *r, const float *d, float *dby, float *dx, int64_t n) {
    (void)user, (void)r;
    *dby = 0;
    for (int64_t i = 0; i < n; i++) dx[i] = d[i] / by, *dby -= d[i] * x[i] / (by * by);
    return 0;
}
bz_status bz_ops(bz_op_add *add, void *to);
bz_status bz_ops(bz_op_add *add, void *to) {
    bz_status s = add(to, &(bz_op){BZ_OP("shrink_grad", "f32, f32[n], f32[n], f32[n] -> f32, f32[n]", shrink_grad)});
    return s ? s : add(to, &(bz_op){BZ_OP("shrink", "f32, f32[n] -> f32[n]", shrink), .vjp_op = "shrink_grad"});
}
END
$cc -shared -fPIC -I"$src/include" ops.c -o ops.so
cat >p.bz <<'END'
graph main(x: f32[4] = iota(start=1, step=1), by: scalar f32 = 2.0) {
    %a = neg %x
    %b = shrink %by, %a
    %c = shrink 4, %b
    %l = sum %c
    return %c as c, %l as l
}
END

cat >lib.sh <<'STEP'
fails() { # STATUS WORDS ARGUMENTS...
    want=$1 words=$2 status=0
    shift 2
    "$tool" "$@" >out.txt 2>&1 || status=$?
    cat out.txt
    [ "$status" = "$want" ] && grep -q -e "$words" out.txt
}
STEP

step() { # DESCRIPTION: the commands of standard input, each of which must succeed
    cat >step.sh
    expect "$1" sh -e -c '. ./lib.sh; . ./step.sh'
}

step "the same on processors and by the interpreter" <<'STEP'
"$tool" run p.bz --load ./ops.so >cpu.txt
grep -q -- '-0\.125 *-0\.25 *-0\.375 *-0\.5' cpu.txt
"$tool" run p.bz --load ./ops.so --device ref | cmp - cpu.txt
"$tool" run p.bz --load ./ops.so --mode eager | cmp - cpu.txt
STEP

step "the text names the op, and is read again" <<'STEP'
"$tool" opt p.bz --load ./ops.so --passes canon >q.bz
grep -q 'external %by, %[0-9]* {op=shrink} : (f32\[4\])' q.bz
"$tool" run q.bz --load ./ops.so | cmp - cpu.txt
STEP

step "its gradient is another op" <<'STEP'
printf 'graph main(x: f32[4] = iota(start=1, step=1), by: f32 = 2.0) {\n %%b = shrink %%by, %%x\n %%l = sum %%b\n return %%l as l\n}\n' >l.bz
"$tool" grad l.bz --load ./ops.so --wrt x,by >g.bz
grep -q 'op=shrink_grad' g.bz
"$tool" run g.bz --load ./ops.so >g.txt
grep -q '0\.5 *0\.5 *0\.5 *0\.5' g.txt
grep -q -- '-2\.5' g.txt
STEP

step "mistakes have words and places" <<'STEP'
fails 1 "no op is named 'shrink'" run p.bz
fails 1 'cannot open shared object' run p.bz --load ./none.so
printf 'int x;\n' | $cc -shared -fPIC -xc - -o empty.so
fails 1 'defines no bz_ops' run p.bz --load ./empty.so
fails 1 'there is an op of this name already' run p.bz --load ./ops.so --load ./ops.so
fails 1 'shrink takes 2 operands, not 1' run --load ./ops.so - <<'END'
graph main(x: f32[4] = 1.0) {
    %b = shrink %x
    return %b as b
}
END
fails 1 'p.bz:3:5: error: \[shrink\] its function gave status 300' run p.bz --load ./ops.so --in by=0
fails 1 'p.bz:3:5: error: \[shrink\] its function gave status 300' run p.bz --load ./ops.so --in by=0 --device ref
STEP

step "an export calls the symbol, which the header declares" <<'STEP'
"$tool" export p.bz --load ./ops.so --out p
grep -q '^int shrink(void \*user, float x0, const float \*x1, float \*r0, int64_t n);$' p.h
cat >main.c <<'END'
#include "p.h"
#include <stdio.h>
#include <string.h>
int shrink(void *user, float by, const float *x, float *r, int64_t n) {
    if (user || by == 0) return 7;
    for (int64_t i = 0; i < n; i++) r[i] = x[i] / by;
    return 0;
}
int main(void) {
    float x[4] = {1, 2, 3, 4}, c[4], l;
    struct p_args a = {.x = x, .by = 2, .c = c, .l = &l};
    int s = p(&a);
    if (s || c[0] != -0.125f || c[3] != -0.5f || l != -1.25f) return printf("%d %g\n", s, l), 1;
    a.by = 0;
    s = p(&a);
    printf("%s\n", p_error(s));
    return (s & 255) != p_EFUNCTION;
}
END
$cc -Wall -Wextra -Werror main.c p.o braze_rt.o -lm -lpthread -o main
./main >words.txt
grep -q '^\[shrink\] its function gave status 7 at p.bz:3$' words.txt
$cc -DNONE -Dshrink=other main.c p.o braze_rt.o -lm -lpthread -o none 2>link.txt && exit 1
grep -q shrink link.txt
STEP

step "an export that is told a size" <<'STEP'
sed 's/f32\[4\]/f32[n]/; s/main(/main(n: sym(1, 9), /' p.bz >s.bz
"$tool" export s.bz --load ./ops.so --out s
sed 's/p_/s_/g; s/ p(/ s(/g; s/"p.h"/"s.h"/; s/{.x/{.n = 4, .x/; s/ int s =/ int st =/; s/\bs = s(/st = s(/; s/if (s ||/if (st ||/; s/, s, l)/, st, l)/; s/error(s)/error(st)/; s/(s \& 255)/(st \& 255)/' main.c >smain.c
$cc smain.c s.o braze_rt.o -lm -lpthread -o smain
./smain >words.txt
grep -q '^\[shrink\] its function gave status 7 at s.bz:3$' words.txt
STEP

step "no GPU's program holds it" <<'STEP'
fails 1 'is run between kernels' opt p.bz --load ./ops.so --device cuda --plan
STEP

step "without libffi processors do, the interpreter says what it looked for" <<'STEP'
BRAZE_LIBFFI=/nowhere "$tool" run p.bz --load ./ops.so | cmp - cpu.txt
BRAZE_LIBFFI=/nowhere "$tool" run p.bz --load ./ops.so --device ref >out.txt 2>&1 && exit 1
grep -q '\[shrink\] no libffi: /nowhere: .*BRAZE_LIBFFI names the library' out.txt
STEP

step "without LAPACK its ops say what was looked for" <<'STEP'
cat >a.bz <<'END'
graph main() {
    %a = eye {n=3, m=3}
    %b = inv %a
    return %b as b
}
END
"$tool" run a.bz | grep -q '1\. *0\. *0\.'
BRAZE_LAPACK=/nowhere "$tool" run a.bz >out.txt 2>&1 && exit 1
grep -q 'a.bz:3:5: error: \[linalg.solve.f32\] no LAPACK: /nowhere: .*BRAZE_LAPACK names the library' out.txt || { cat out.txt; exit 1; }
"$tool" export a.bz --out a >out.txt 2>&1 && exit 1
grep -q 'a library computes it at run time' out.txt
STEP

report
