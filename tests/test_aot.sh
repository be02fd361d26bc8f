#!/bin/sh
# test_aot.sh - the run time of exported artefacts, as a stranger links it: libc and pthread alone.
# Two artefacts, each with a copy of the run time inside, go into one program and must share one pool.
set -u
build=${BRAZE_BUILD:-build} src=${BRAZE_SRC:-.} cc=${CC:-cc}
# shellcheck source=tests/support/expect.sh
. "$src/tests/support/expect.sh"

artefact() { # NAME: a function sum_NAME over the pool, and a look at where the pool is
    cat >"$dir/$1.c" <<EOF
#include "runtime/aot/aot.h"
extern char bz_rt_pool_v2[];
static _Atomic long total;
static void add(void *x, int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; i++) total += ((long *)x)[i];
    (void)thread;
}
long sum_$1(long *x, long n) {
    bz_rt_run run;
    total = 0;
    bz_rt_begin(&run, 3);
    bz_rt_for(&run, add, x, n);
    bz_rt_end(&run);
    return total;
}
const void *pool_$1(void) { return bz_rt_pool_v2; }
EOF
    "$cc" -O2 -fPIC -I"$src" -c "$dir/$1.c" -o "$dir/$1.own.o" &&
        "$cc" -r -nostdlib "$dir/$1.own.o" "$build/aot_rt.o" -o "$dir/$1.o"
}

cat >"$dir/main.c" <<'EOF'
#include <stdio.h>
long sum_a(long *, long), sum_b(long *, long);
const void *pool_a(void), *pool_b(void);
int main(void) {
    long x[1000];
    for (long i = 0; i < 1000; i++) x[i] = i;
    const char *pools = pool_a() == pool_b() ? "one pool" : "two pools";
    printf("%ld %ld %s\n", sum_a(x, 1000), sum_b(x, 1000), pools);
}
EOF

expect "artefact a compiles" artefact a
expect "artefact b compiles" artefact b
expect "both link into one program with libc and pthread alone" \
    "$cc" -std=c11 "$dir/main.c" "$dir/a.o" "$dir/b.o" -pthread -o "$dir/static"
prints() { [ "$("$1")" = "$2" ]; }
expect "they compute on one pool" prints "$dir/static" "499500 499500 one pool"
expect "shared libraries a and b link" sh -c "
    '$cc' -shared '$dir/a.o' -pthread -o '$dir/liba.so' &&
    '$cc' -shared '$dir/b.o' -pthread -o '$dir/libb.so' &&
    '$cc' '$dir/main.c' -L'$dir' -la -lb -Wl,-rpath,'$dir' -o '$dir/shared'"
expect "shared libraries meet in one pool too" prints "$dir/shared" "499500 499500 one pool"

libc='_GLOBAL_OFFSET_TABLE_|__sched_cpucount|calloc|clock_gettime|dprintf|free|getenv|madvise|memcpy|memset'
libc="$libc|posix_memalign|pthread_[a-z_]+|sched_[a-z]+|secure_getenv|sigfillset|snprintf|strcmp|strlen|strtol|syscall|sysconf"
needs_only_libc() { ! nm -u "$build/aot_rt.o" | grep -vE " U ($libc)\$"; }
expect "the object needs nothing but libc" needs_only_libc
report
