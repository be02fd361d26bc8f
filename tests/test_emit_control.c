/* test_emit_control.c - control flow, calls, vectors, tables, atomics and errors of compiled
 * kernels: all do what the interpreter does. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/ir/value.h"
#include "tests/support/jit_check.h"

static void check_text(const char *text, int64_t size, int64_t extent) {
    jit_check(&(jit_case){
        .text = text,
        .sizes = {size, size, size, size, size, size},
        .extents = {extent, extent},
        .scalars = {0x40490FDB, 0x4008000000000000, 0xFFFE, 1, 0x7FFFFFFFFFFFFFFF, 0xC0, 0x3C01}});
}

/* ---- control flow */

Test(emit_control, loops_carry_values_and_may_not_run) {
    static const char text[] = "kernel k(x: f32 in, y: f32 out; n) {\n"
                               "  %x = buffer x\n"
                               "  %y = buffer y\n"
                               "  %n = extent n\n"
                               "  %zero: f32x4 = const 0.0\n"
                               "  %p = loop parallel 0, 4 {\n"
                               "    %p9 = mul %p, 9\n"
                               "    %hi = minimum %n, %p9\n"
                               "    %l = loop serial 2, %hi step 4 (%zero, %p) {\n"
                               "      %a = carry %l [0]\n"
                               "      %b = carry %l [1]\n"
                               "      %v: f32x4 = load %x[%l]\n"
                               "      %in = loop serial 0, %b (%b) {\n"
                               "        %c = carry %in [0]\n"
                               "        %c2 = add %c, %in\n"
                               "        yield %c2\n"
                               "      }\n"
                               "      %ir: i64 = result %in [0]\n"
                               "      %a2 = sub %v, %a\n"
                               "      yield %a2, %ir\n"
                               "    }\n"
                               "    %r: f32x4 = result %l [0]\n"
                               "    %ri: i64 = result %l [1]\n"
                               "    %rf: f32 = cast %ri\n"
                               "    %rv: f32x4 = splat %rf\n"
                               "    %s = add %r, %rv\n"
                               "    %at = mul %p, 4\n"
                               "    store %y[%at], %s\n"
                               "  }\n"
                               "}\n";
    for (int64_t n = 0; n < 24; n += 5) check_text(text, 40, n);
}

Test(emit_control, unrolled_loops_are_written_out) {
    check_text("kernel k(x: f32 in, y: f32 out; n) {\n"
               "  %x = buffer x\n"
               "  %y = buffer y\n"
               "  %n = extent n\n"
               "  %p = loop parallel 0, %n {\n"
               "    %f = load %x[%p]\n"
               "    %u = loop unrolled 0, 7 step 2 (%f, %p) {\n"
               "      %a = carry %u [0]\n"
               "      %b = carry %u [1]\n"
               "      %tmp: *f32 = local [4] stack\n"
               "      store %tmp[1], %a\n"
               "      %w = loop unrolled 3, 4 (%a) {\n"
               "        %q = carry %w [0]\n"
               "        %q2 = mul %q, 0.5\n"
               "        yield %q2\n"
               "      }\n"
               "      %none = loop unrolled 5, 5 (%b) {\n"
               "        %z = carry %none [0]\n"
               "        %z2 = add %z, 1\n"
               "        yield %z2\n"
               "      }\n"
               "      %nr: i64 = result %none [0]\n"
               "      %wr: f32 = result %w [0]\n"
               "      %g = load %tmp[1]\n"
               "      %h = add %g, %wr\n"
               "      %b2 = add %nr, %u\n"
               "      yield %h, %b2\n"
               "    }\n"
               "    %r: f32 = result %u [0]\n"
               "    %rb: i64 = result %u [1]\n"
               "    %rf: f32 = cast %rb\n"
               "    %s = add %r, %rf\n"
               "    store %y[%p], %s\n"
               "  }\n"
               "}\n",
               20, 20);
}

Test(emit_control, ifs_choose_values_and_nest) {
    check_text("kernel k(x: i32 in, y: i64 inout; n) {\n"
               "  %x = buffer x\n"
               "  %y = buffer y\n"
               "  %n = extent n\n"
               "  %p = loop parallel 0, %n {\n"
               "    %v = load %x[%p]\n"
               "    %neg = lt %v, 0\n"
               "    %small = lt %v, 5\n"
               "    %a = if %neg {\n"
               "      yield %p, %v\n"
               "    } else {\n"
               "      %in = if %small {\n"
               "        %one: i32 = const 1\n"
               "        yield %one\n"
               "      } else {\n"
               "        %two: i32 = const 2\n"
               "        yield %two\n"
               "      }\n"
               "      %ir: i32 = result %in [0]\n"
               "      %p2 = mul %p, 3\n"
               "      yield %p2, %ir\n"
               "    }\n"
               "    %r0: i64 = result %a [0]\n"
               "    %r1: i32 = result %a [1]\n"
               "    %w: i64 = cast %r1\n"
               "    %s = add %r0, %w\n"
               "    if %small {\n"
               "      store %y[%p], %s\n"
               "    }\n"
               "  }\n"
               "}\n",
               50, 50);
}

Test(emit_control, whiles_run_until_told) {
    check_text("kernel k(x: i64 in, y: i64 out; n) {\n"
               "  %x = buffer x\n"
               "  %y = buffer y\n"
               "  %n = extent n\n"
               "  %p = loop parallel 0, %n {\n"
               "    %start = add %p, 1\n"
               "    %w = while (%start, 0) {\n"
               "      %v = carry %w [0]\n"
               "      %steps = carry %w [1]\n"
               "      %odd = bitwise_and %v, 1\n"
               "      %half = right_shift %v, 1\n"
               "      %v3 = mul %v, 3\n"
               "      %up = add %v3, 1\n"
               "      %is = ne %odd, 0\n"
               "      %next = where %is, %up, %half\n"
               "      %more = lt 1, %next\n"
               "      %s2 = add %steps, 1\n"
               "      yield %more, %next, %s2\n"
               "    }\n"
               "    %r: i64 = result %w [1]\n"
               "    store %y[%p], %r\n"
               "  }\n"
               "}\n",
               40, 40);
}

Test(emit_control, functions_call_functions_with_scratch_of_their_own) {
    check_text("function inner(x: f32 in, y: f32 out; n; s: f32, b: bool, h: f16) {\n"
               "  %x = buffer x\n"
               "  %y = buffer y\n"
               "  %n = extent n\n"
               "  %s = scalar s\n"
               "  %b = scalar b\n"
               "  %h = scalar h\n"
               "  %t: *f32 = local [20] scratch\n"
               "  %hf: f32 = cast %h\n"
               "  %l = loop serial 0, %n {\n"
               "    %v = load %x[%l]\n"
               "    %w = mul %v, %s\n"
               "    store %t[%l], %w\n"
               "  }\n"
               "  %m = loop serial 0, %n {\n"
               "    %v2 = load %t[%m]\n"
               "    %c = where %b, %v2, %hf\n"
               "    store %y[%m], %c\n"
               "  }\n"
               "}\n"
               "function outer(x: f32 in, y: f32 inout; n; s: f32) {\n"
               "  %x = buffer x\n"
               "  %y = buffer y\n"
               "  %n = extent n\n"
               "  %s = scalar s\n"
               "  %t: *f32 = local [20] scratch\n"
               "  %yes: bool = const 1\n"
               "  %no: bool = const 0\n"
               "  %h: f16 = const 1.5\n"
               "  %l = loop serial 0, %n {\n"
               "    %v = load %x[%l]\n"
               "    store %t[%l], %v\n"
               "  }\n"
               "  call inner(%x, %y, %n, %s, %yes, %h)\n"
               "  %m = loop serial 0, %n {\n"
               "    %v2 = load %t[%m]\n"
               "    %o = load %y[%m]\n"
               "    %q = add %o, %v2\n"
               "    store %y[%m], %q\n"
               "  }\n"
               "  %y2 = offset %y[%n]\n"
               "  call inner(%t, %y2, 2, %s, %no, %h)\n"
               "}\n"
               "kernel k(x: f32 in, y: f32 inout; n; s: f32) {\n"
               "  %x = buffer x\n"
               "  %y = buffer y\n"
               "  %n = extent n\n"
               "  %s = scalar s\n"
               "  %t: *f32 = local [40] scratch\n"
               "  %p = loop parallel 0, 3 {\n"
               "    %at = mul %p, 16\n"
               "    %xp = offset %x[%at]\n"
               "    %l = loop serial 0, 40 {\n"
               "      %c = mul %s, 2.0\n"
               "      store %t[%l], %c\n"
               "    }\n"
               "    call outer(%xp, %t, %n, %s)\n"
               "    %m = loop serial 0, 16 {\n"
               "      %v = load %t[%m]\n"
               "      %a = add %at, %m\n"
               "      store %y[%a], %v\n"
               "    }\n"
               "  }\n"
               "}\n",
               64, 12);
}

Test(emit_control, phases_recompute_top_level_values_and_share_arrays) {
    check_text("kernel k(x: i32 in, y: i32 out, w: i32 work; n) {\n"
               "  %x = buffer x\n"
               "  %y = buffer y\n"
               "  %w = buffer w\n"
               "  %n = extent n\n"
               "  %n2 = mul %n, 2\n"
               "  %half = floor_divide %n, 2\n"
               "  %p = loop parallel 0, %n {\n"
               "    %v = load %x[%p]\n"
               "    %k: i32 = cast %n2\n"
               "    %s = add %v, %k\n"
               "    store %w[%p], %s\n"
               "  }\n"
               "  %three = add %half, 3\n"
               "  %q = loop parallel 0, %half {\n"
               "    %q2 = mul %q, 2\n"
               "    %a = load %w[%q2]\n"
               "    %q3 = add %q2, 1\n"
               "    %b = load %w[%q3]\n"
               "    %t: i32 = cast %three\n"
               "    %c = sub %a, %b\n"
               "    %d = mul %c, %t\n"
               "    store %y[%q], %d\n"
               "  }\n"
               "}\n",
               40, 31);
}

Test(emit_control, scalars_of_every_dtype_arrive) {
    check_text("kernel k(y: f64 out, z: i64 out; n; a: f32, b: f64, c: i16, d: bool, e: i64, f: u8,"
               " g: f16) {\n"
               "  %y = buffer y\n"
               "  %z = buffer z\n"
               "  %a = scalar a\n"
               "  %b = scalar b\n"
               "  %c = scalar c\n"
               "  %d = scalar d\n"
               "  %e = scalar e\n"
               "  %f = scalar f\n"
               "  %g = scalar g\n"
               "  %p = loop parallel 0, 1 {\n"
               "    %a1: f64 = cast %a\n"
               "    store %y[0], %a1\n"
               "    store %y[1], %b\n"
               "    %g1: f64 = cast %g\n"
               "    store %y[2], %g1\n"
               "    %c1: i64 = cast %c\n"
               "    store %z[0], %c1\n"
               "    %d1: i64 = cast %d\n"
               "    store %z[1], %d1\n"
               "    store %z[2], %e\n"
               "    %f1: i64 = cast %f\n"
               "    store %z[3], %f1\n"
               "  }\n"
               "}\n",
               8, 8);
}

/* ---- vectors, tables, the rest of memory */

Test(emit_control, vectors_are_taken_apart_and_put_together) {
    check_text("kernel k(x: f32 in, y: f32 out, m: bool in, o: bool out; n) {\n"
               "  %x = buffer x\n"
               "  %y = buffer y\n"
               "  %m = buffer m\n"
               "  %o = buffer o\n"
               "  %p = loop parallel 0, 2 {\n"
               "    %at = mul %p, 16\n"
               "    %v: f32x8 = load %x[%at]\n"
               "    %w: f32x8 = load %x[%p]\n"
               "    %s: f32x4 = shuffle %v, %w [0, 15, 7, 8]\n"
               "    %one: f32 = shuffle %v, %w [9]\n"
               "    %e = extract %w [5]\n"
               "    %i = insert %s, %e [2]\n"
               "    %sp: f32x4 = splat %one\n"
               "    %both: f32x2 = shuffle %e, %one [1, 0]\n"
               "    %sum = add %i, %sp\n"
               "    store %y[%at], %sum\n"
               "    %a8 = add %at, 8\n"
               "    store %y[%a8], %both\n"
               "    %mask: boolx16 = load %m[%at]\n"
               "    %any = any %mask\n"
               "    %all = all %mask\n"
               "    %t: boolx3 = load %m[%p]\n"
               "    %tany = any %t\n"
               "    %tall = all %t\n"
               "    %eq = eq %v, %v\n"
               "    %eall = all %eq\n"
               "    %eq2 = ne %v, %v\n"
               "    %eany = any %eq2\n"
               "    store %o[%at], %any\n"
               "    %b1 = add %at, 1\n"
               "    store %o[%b1], %all\n"
               "    %b2 = add %at, 2\n"
               "    store %o[%b2], %tany\n"
               "    %b3 = add %at, 3\n"
               "    store %o[%b3], %tall\n"
               "    %b4 = add %at, 4\n"
               "    store %o[%b4], %eall\n"
               "    %b5 = add %at, 5\n"
               "    store %o[%b5], %eany\n"
               "  }\n"
               "}\n",
               48, 2);
}

/* Every constant table at every index, in vectors of one AVX-512 register, of 4 lanes and scalar.
 * */
Test(emit_control, tables_are_looked_up) {
    for (unsigned n = 0; n < ir_vtable_count; n++) {
        const ir_vtable *t = &ir_vtables[n];
        lp_kernel *k = lp_kernel_new("k");
        lp_builder *b = lp_builder_new(k);
        unsigned whole = 64u / (unsigned)ir_dtype_bytes(t->dtype);
        lp_val ix = lp_add_buffer(b, "ix", BZ_I64, LP_IN),
               y = lp_add_buffer(b, "y", t->dtype, LP_OUT);
        lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, 1), 1, NULL, 0, NULL);
        lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, 512), whole, NULL, 0, NULL);
        lp_val at = lp_load(b, ix, i, whole, 0, 0), at4 = lp_load(b, ix, i, 4, 0, 0),
               at1 = lp_load(b, ix, i, 1, 0, 0);
        lp_store(b, y, i, lp_table(b, n, t->dtype, at), 0, 0);
        lp_store(b, y, lp_iadd(b, i, lp_index(b, 512)), lp_table(b, n, t->dtype, at4), 0, 0);
        lp_store(b, y, lp_iadd(b, i, lp_index(b, 1024)), lp_table(b, n, t->dtype, at1), 0, 0);
        lp_end(b, NULL, 0, NULL);
        lp_end(b, NULL, 0, NULL);
        lp_builder_free(b);
        lp_module *m = jit_module(k);
        for (cg_isa isa = CG_BASE; isa <= jit_host(); isa++) {
            int64_t index[528];
            static _Alignas(64) char out[1600 * 8];
            for (unsigned e = 0; e < 528; e++) index[e] = (int64_t)((e * 7u) % t->n);
            void *buffers[2] = {index, out};
            jit j = jit_open(m, isa);
            jit_find(&j, "k", 0)(&(lp_frame){.buffers = buffers}, 0, 1);
            jit_close(&j);
            for (unsigned e = 0; e < 512; e++) {
                ir_bits want = ir_load_bits(
                    t->dtype, (const char *)t->data + (size_t)index[e] * ir_dtype_bytes(t->dtype));
                cr_assert_eq(ir_load_bits(t->dtype, out + e * ir_dtype_bytes(t->dtype)), want,
                             "%s[%ld]", t->name, (long)index[e]);
                unsigned r = e % whole;
                if (r < 4)
                    cr_assert_eq(ir_load_bits(t->dtype, out + (512 + e) * ir_dtype_bytes(t->dtype)),
                                 want);
                if (r < 1)
                    cr_assert_eq(
                        ir_load_bits(t->dtype, out + (1024 + e) * ir_dtype_bytes(t->dtype)), want);
            }
        }
        lp_module_free(m);
    }
}

Test(emit_control, atomics_copies_prefetches_and_streams) {
    static const struct {
        const char *op, *type;
    } atomics[] = {{"add", "i32"},         {"add", "i64"},       {"add", "u8"},
                   {"bitwise_and", "i16"}, {"bitwise_or", "i8"}, {"bitwise_xor", "i32"},
                   {"maximum", "i32"},     {"minimum", "i64"},   {"maximum", "u8"},
                   {"minimum", "u8"},      {"maximum", "f32"},   {"minimum", "f64"}};
    for (unsigned n = 0; n < BZ_LEN(atomics); n++) {
        char text[2048];
        const char *t = atomics[n].type;
        snprintf(text, sizeof text,
                 "kernel k(x: %s in, y: %s inout, z: %s out; n) {\n"
                 "  %%x = buffer x\n"
                 "  %%y = buffer y\n"
                 "  %%z = buffer z\n"
                 "  %%n = extent n\n"
                 "  %%p = loop parallel 0, %%n {\n"
                 "    %%v = load %%x[%%p]\n"
                 "    %%at = bitwise_and %%p, 7\n"
                 "    prefetch %%x[%%p] [0]\n"
                 "    prefetch %%y[%%p] [1]\n"
                 "    atomic %%y[%%at], %%v [%s]\n"
                 "    %%to = mul %%p, 4\n"
                 "    async_copy %%z[%%to], %%x[%%p] [3]\n"
                 "    async_group\n"
                 "    async_wait [0]\n"
                 "  }\n"
                 "}\n",
                 t, t, t, atomics[n].op);
        jit_check(
            &(jit_case){.text = text, .sizes = {64, 64, 256}, .extents = {60}, .specials = true});
    }
    check_text("kernel k(x: f32 in, y: f32 out; n) {\n"
               "  %x = buffer x\n"
               "  %y = buffer y\n"
               "  %n = extent n\n"
               "  %p = loop parallel 0, %n {\n"
               "    %at = mul %p, 16\n"
               "    %v: f32x16 = load %x[%at] stream aligned\n"
               "    store %y[%at], %v stream aligned\n"
               "  }\n"
               "}\n",
               64, 4);
}

Test(emit_control, the_lowest_error_wins) {
    static const char text[] = "kernel k(x: i32 in, y: i32 out; n) {\n"
                               "  %x = buffer x\n"
                               "  %y = buffer y\n"
                               "  %n = extent n\n"
                               "  %p = loop parallel 0, %n {\n"
                               "    %v = load %x[%p]\n"
                               "    %bad = lt %v, 0\n"
                               "    error %bad, %p [7]\n"
                               "    %worse = lt %v, -6\n"
                               "    %q = sub %p, 3\n"
                               "    error %worse, %q [9]\n"
                               "    store %y[%p], %v\n"
                               "  }\n"
                               "}\n";
    check_text(text, 40, 40);
    check_text(text, 40, 0);
}
