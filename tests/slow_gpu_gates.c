/* slow_gpu_gates.c - the quality of kernels for a GPU, without one: the assembler's figures and the machine code for sm_80, sm_90 and sm_100, and what
 * the emulated driver counts of a run. Every launch of graphs as benchmarks have them is a row of the table that is printed; `gates`
 * says what its figures must be.
 *
 *     regs spill frame   a thread's registers, bytes that did not fit into them, bytes of local memory
 *     128                bytes that a warp's load or store of global memory moves, of 512
 *     bytes              moved by loads and stores, of what the launch has to read and write
 *     sectors            of 32 bytes touched, of as few as would do for each instruction
 *     bank               turns that shared memory takes, of as few as would do
 *     ffma               share of multiplications in the loop that has most of them
 *     mma                of the same loop in fast mode: products of matrices for each ldmatrix */
#include "src/codegen/cubin.h"
#include "src/codegen/cuda.h"
#include "src/codegen/nvrtc.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_cuda.h"
#include "tests/support/plan_run.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *text;
} graphs[] = {
    {"chain f32",
     "graph main(x: f32[64,1000], y: f32[64,1000], b: f32[1000]) { %s = add %x %y\n %r = relu %s\n "
     "%m = mul %r %x\n %z = sub %m %y\n return %z }"},
    {"chain bf16",
     "graph main(x: bf16[64,1000], y: bf16[64,1000]) { %s = add %x %y\n %r = relu %s\n %z = mul %r "
     "%x\n return %z }"},
    {"bias gelu",
     "graph main(x: f32[64,1000], b: f32[1000]) { %s = add %x %b\n %y = gelu %s\n return %y }"},
    {"cast", "graph main(x: f32[64,1000]) { %y = cast %x {dtype=bf16}\n return %y }"},
    {"softmax", "graph main(x: f32[64,1000]) { %y = softmax %x {axis=1}\n return %y }"},
    {"softmax long", "graph main(x: f32[16,4096]) { %y = softmax %x {axis=1}\n return %y }"},
    {"softmax blocks", "graph main(x: f32[16,11000]) { %r = reshape %x {shape=[32,5500]}\n %y = "
                       "softmax %r {axis=1}\n return %y }"},
    {"norm gelu",
     "graph main(x: f32[64,1024], w: f32[1024], b: f32[1024]) { %n = layer_norm %x %w %b\n %y = "
     "gelu %n\n return %y }"},
    {"transpose", "graph main(x: f32[320,256], y: f32[256,320]) { %t = transpose %x\n %z = add %t "
                  "%y\n return %z }"},
    {"row sum", "graph main(x: f32[256,1000]) { %y = sum %x {axes=[1]}\n return %y }"},
    {"column sum", "graph main(x: f32[2048,1024]) { %y = sum %x {axes=[0]}\n return %y }"},
    {"all", "graph main(x: f32[100000]) { %y = sum %x\n return %y }"},
    {"linear", "graph main(x: f32[128,512], w: f32[512,256], b: f32[256]) { %d = matmul %x %w\n %s "
               "= add %d %b\n "
               "%y = relu %s\n return %y }"},
    {"linear nt",
     "graph main(x: f32[128,512], w: f32[256,512], b: f32[256]) { %y = linear %x %w %b\n return "
     "%y }"},
    {"fast bf16",
     "graph main(x: bf16[1152,512], w: bf16[512,1280], b: bf16[1280]) { %d = matmul %x %w\n %s = "
     "add %d %b\n %y = relu %s\n return %y }"},
    {"fast f16 nt",
     "graph main(x: f16[1152,512], w: f16[1280,512], b: f16[1280]) { %y = linear %x %w %b\n "
     "return %y }"},
    {"fast f32",
     "graph main(x: f32[1152,256], w: f32[256,1280], b: f32[1280]) { %d = matmul %x %w\n %s = add "
     "%d %b\n %y = relu %s\n return %y }"},
    {"fast small bf16",
     "graph main(x: bf16[256,512], w: bf16[256,512]) { %t = transpose %w\n %y = matmul %x %t\n "
     "return %y }"},
    {"fast turned bf16",
     "graph main(x: bf16[512,256], w: bf16[512,256]) { %t = transpose %x\n %y = matmul %t %w\n "
     "return %y }"},
    {"fast tall bf16",
     "graph main(x: bf16[2048,128], w: bf16[2048,96]) { %t = transpose %x\n %y = matmul %t %w\n "
     "return %y }"},
    {"short sort", "graph main(x: f32[64,1000]) { %v, %i = sort %x {axis=1}\n return %v, %i }"},
    {"long sort", "graph main(x: f32[2,10000]) { %v, %i = sort %x {axis=1}\n return %v, %i }"},
    {"short cumsum", "graph main(x: f32[64,1000]) { %y = cumsum %x {axis=1}\n return %y }"},
    {"long cumsum", "graph main(x: f32[2,30000]) { %y = cumsum %x {axis=1}\n return %y }"},
    {"down cumsum", "graph main(x: f32[1000,64]) { %y = cumsum %x {axis=0}\n return %y }"},
    {"embedding",
     "graph main(x: f32[512,256], k: i64[512]) { %i = remainder %k 1000\n %y = scatter_rows %x %i "
     "{axis=0, size=1000}\n return %y }"},
    {"adam", "graph main(t: f64, p: f32[1000], g: f32[1000], m: f32[1000], v: f32[1000], q: "
             "f32[99,100], h: "
             "f32[99,100], n: f32[99,100], w: f32[99,100]) { %a, %b, %c = adam_step %p, %g, %m, "
             "%v, %t, 0.1\n "
             "%d, %e, %f = adam_step %q, %h, %n, %w, %t, 0.1\n return %a, %b, %c, %d, %e, %f }"},
    {"grad norm",
     "graph main(s: f32, g: f32[50000], h: f32[999,100], k: f32[77]) { %n, %f = grad_norm %s, %g, "
     "%h, %k\n return %n, %f }"},
    {"attention",
     "graph main(q: f32[2,256,64], k: f32[2,256,64], v: f32[2,256,64]) { %t = permute %k "
     "{perm=[0,2,1]}\n %s = matmul %q %t\n %m = mul %s 0.125\n %p = softmax %m\n %y = matmul %p "
     "%v\n return %y }"},
    {"attention causal",
     "graph main(q: f32[2,256,64], k: f32[2,256,64], v: f32[2,256,64]) { %t = permute %k "
     "{perm=[0,2,1]}\n %s = matmul %q %t\n %r = iota {shape=[256,1]}\n %c = iota {shape=[256]}\n "
     "%l = gt %c %r\n %m = where %l -inf %s\n %p = softmax %m\n %y = matmul %p %v\n return %y }"},
    {"middle softmax", "graph main(x: f32[8,96,512]) { %y = softmax %x {axis=1}\n return %y }"},
    {"middle chains", "graph main(x: f32[4,300,512]) { %y = log_softmax %x {axis=1}\n return %y }"},
    {"middle norm",
     "graph main(x: f32[8,100,256], b: f32[256]) { %m = mean %x {axes=[1], keepdim=true}\n %d = sub "
     "%x %m\n %q = mul %d %d\n %v = mean %q {axes=[1], keepdim=true}\n %s = add %v 1e-5\n %r = "
     "rsqrt %s\n %n = mul %d %r\n %y = add %n %b\n return %y, %m }"},
    {"deep product",
     "graph main(x: f32[128,1032], w: f32[1032,256]) { %y = matmul %x %w\n return %y }"},
};

/* What figures of launches must be; 0: whatever they are. */
static const struct gate {
    const char *graph, *launch; /* where these words stand in the name */
    double vectors, bytes, sectors, bank, ffma, mma;
    unsigned registers;
    const char *why; /* the general gate is missed: the figure may only improve */
} gates[] = {
    {"chain", "map", 0.95, 1.02, 1.05, 0, 0, 0, 40, NULL},
    {"bias gelu", "map", 0, 0, 1.05, 0, 0, 0, 40, NULL},
    {"softmax", "row", 0.95, 1.02, 1.05, 1.1, 0, 0, 0, NULL},
    {"norm gelu", "row", 0.95, 0, 1.05, 1.1, 0, 0, 0, NULL},
    {"transpose", "map", 0, 1.02, 1.1, 1.0, 0, 0, 0, NULL},
    {"row sum", "row", 0.85, 1.02, 1.05, 1.1, 0, 0, 0, NULL},
    {"train step", "row", 0, 0, 1.05, 1.1, 0, 0, 0, NULL},
    {"column sum", "col", 0.9, 1.02, 1.05, 1.1, 0, 0, 0, NULL},
    {"all", "row", 0.85, 1.02, 1.05, 1.1, 0, 0, 0, NULL},
    {"fast", "gemm", 0, 0, 1.0, 1.0, 0, 2.5, 128, NULL},
    {"linear", "gemm", 0.95, 1.32, 1.05, 1.1, 0.85, 0, 168, NULL},
    {"adam", "map_sub", 0.85, 1.05, 1.05, 1.0, 0, 0, 64, NULL},
    {"grad norm", "row", 0.85, 1.02, 1.05, 1.1, 0, 0, 64, NULL},
    {"short sort", "sort", 0.29, 1.02, 1.05, 1.25, 0, 0, 40, NULL},
    {"long sort", "sort", 0.25, 6.7, 1.05, 1.25, 0, 0, 64,
     "keys and places go through memory once for each doubling of the runs"},
    {"short cumsum", "cumsum", 0.94, 1.02, 1.05, 1.1, 0, 0, 64, NULL},
    {"long cumsum", "cumsum", 0.64, 1.65, 1.05, 1.1, 0, 0, 64,
     "elements are read twice: for the sums of chains, and again"},
    {"down cumsum", "cumsum", 0.25, 1.52, 1.05, 1.0, 0, 0, 40, "elements are read twice"},
    {"embedding", "scatter", 0.5, 1.45, 1.05, 1.2, 0, 0, 48,
     "indices are sorted, and found for each vector of a row"},
    {"attention", "attention", 0.95, 9.2, 1.05, 1.1, 0.6, 0, 168,
     "k and v are read by each band of 16 rows, here 16 times; 16 rows and 64 columns are 8 sums a "
     "thread"},
    {"middle", "col", 0.24, 1.09, 1.05, 1.0, 0, 0, 64,
     "a thread has one column: a warp moves 128 bytes, of neighbours"},
    {"deep", "gemm", 0.95, 1.32, 1.05, 1.1, 0.845, 0, 192,
     "the sums of the blocks of 512 before keep 64 registers: addresses are computed again"},
};

static const unsigned machines[] = {80, 90, 100};

typedef struct figures {
    unsigned registers, spilled, frame;
    double ffma, mma; /* -1: it has none */
    double moved, bytes, requests, sectors, least_sectors, turns, least_turns;
} figures;

static double ratio(double x, double y) {
    return y > 0 ? x / y : x > 0 ? 1e9 : 1;
}

/* ---- figures */

static void add_code(figures *f, const cubin_kernel *k) {
    f->registers = k->registers > f->registers ? k->registers : f->registers;
    f->spilled += k->spilled;
    f->frame += k->frame;
    if (k->mix[CUBIN_FMA] >= 64) f->ffma = ratio(k->loop_fma, k->loop);
    if (k->mix[CUBIN_MATRIX]) f->mma = ratio(k->loop_matrix, k->loop_ldmatrix);
}

static void add_run(figures *f, const char *function) {
#define BOTH(what)                                                                                 \
    (plan_cuda_counter(function, "global_load_" what) +                                            \
     plan_cuda_counter(function, "global_store_" what))
    f->moved += BOTH("bytes");
    f->requests += BOTH("requests");
    f->sectors += BOTH("sectors");
    f->least_sectors += BOTH("sectors_ideal");
#undef BOTH
    f->turns += plan_cuda_counter(function, "shared_wavefronts");
    f->least_turns += plan_cuda_counter(function, "shared_wavefronts_ideal");
}

typedef void visit(void *ctx, const char *function);

static bool is_first(const pass_launch *l, uint32_t s) {
    for (uint32_t i = 0; i < s; i++)
        if (l->segments[i].kernel == l->segments[s].kernel) return false;
    return true;
}

/* The functions of a launch, each once. */
static void each_function(const pass_plan *p, const pass_launch *l, visit *do_it, void *ctx) {
    for (uint32_t s = 0; s < l->nsegments; s++) {
        const lp_kernel *k = p->code->k.p[l->segments[s].kernel];
        if (!is_first(l, s)) continue;
        for (unsigned ph = 0; ph < lp_phase_count(k); ph++) {
            bz_text name = {0};
            cuda_symbol(&name, k->name, ph);
            do_it(ctx, bz_text_c(&name));
            bz_text_free(&name);
        }
    }
}

typedef struct reading {
    figures f;
    const nvrtc_image *image;
    unsigned machine;
} reading;

static void read_function(void *ctx, const char *function) {
    reading *r = ctx;
    cubin_kernel k;
    cr_assert(cubin_read(r->image, r->machine, function, &k), "%s", function);
    add_code(&r->f, &k);
    add_run(&r->f, function);
}

/* ---- gates */

static bool all_pass;

static void expect(bool holds, const char *what, double is, double wanted, const char *why) {
    if (holds) return;
    fprintf(stderr, "  ^ %s is %.3f, not %.3f%s%s\n", what, is, wanted, why ? ": " : "",
            why ? why : "");
    all_pass = false;
}

static void check_gate(const struct gate *g, const figures *f) {
    const double vectors = ratio(f->moved, 512 * f->requests), bytes = ratio(f->moved, f->bytes),
                 sectors = ratio(f->sectors, f->least_sectors),
                 bank = ratio(f->turns, f->least_turns);
    expect(vectors >= g->vectors, "128", vectors, g->vectors, g->why);
    expect(!(g->bytes > 0) || bytes <= g->bytes, "bytes", bytes, g->bytes, g->why);
    expect(!(g->sectors > 0) || sectors <= g->sectors, "sectors", sectors, g->sectors, g->why);
    expect(!(g->bank > 0) || bank <= g->bank, "bank", bank, g->bank, g->why);
    expect(!(g->ffma > 0) || f->ffma >= g->ffma, "ffma", f->ffma, g->ffma, g->why);
    expect(!(g->mma > 0) || f->mma >= g->mma, "mma", f->mma, g->mma, g->why);
    expect(!g->registers || f->registers <= g->registers, "regs", f->registers, g->registers,
           g->why);
}

static void check_launch(const char *graph, const char *launch, unsigned machine,
                         const figures *f) {
    fprintf(stderr, "%-13s %-26s %4u %4u %5u %5u %5.2f %6.3f %7.3f %5.2f", graph, launch, machine,
            f->registers, f->spilled, f->frame, ratio(f->moved, 512 * f->requests),
            ratio(f->moved, f->bytes), ratio(f->sectors, f->least_sectors),
            ratio(f->turns, f->least_turns));
    fprintf(stderr, f->ffma < 0 ? "     -" : " %5.2f", f->ffma);
    fprintf(stderr, f->mma < 0 ? "     -\n" : " %5.2f\n", f->mma);
    expect(!f->spilled, "spill", f->spilled, 0, NULL);
    expect(!f->frame, "frame", f->frame, 0, NULL);
    for (size_t i = 0; i < BZ_LEN(gates); i++)
        if (strstr(graph, gates[i].graph) && strstr(launch, gates[i].launch))
            check_gate(&gates[i], f);
}

/* ---- graphs */

static void run_plan(pass_plan *p, const ir_graph *g) {
    ir_value_array in[16] = {{0}}, out[16] = {{0}};
    bz_error e = {0};
    random_inputs(g, in, 7);
    cr_assert_eq(plan_cuda(p, in, out, &e), BZ_OK, "%s", e.text);
    free_values(in, g->inputs.n);
    free_values(out, g->outputs.n);
}

static void check_graph(const char *name, const ir_graph *g) {
    bz_error e = {0};
    bz_text text = {0};
    const pass_target t = pass_gpu_of(machines[0], strstr(name, "fast") != NULL);
    pass_plan *p = pass_compile(g, &t, &e);
    cr_assert(p, "%s: %s", name, e.text);
    run_plan(p, g);
    cr_assert_eq(cuda_emit(p->code, &text, &e), BZ_OK, "%s: %s", name, e.text);
    for (size_t m = 0; m < BZ_LEN(machines); m++) {
        nvrtc_image image;
        cr_assert_eq(nvrtc_compile(bz_text_c(&text), machines[m], true, &image, &e), BZ_OK,
                     "%s: %s", name, e.text);
        for (uint32_t i = 0; i < p->launches.n; i++) {
            const pass_launch *l = &p->launches.p[i];
            reading r = {.image = &image, .machine = machines[m], .f = {.ffma = -1, .mma = -1}};
            r.f.bytes = (double)(l->bytes_read + l->bytes_written);
            each_function(p, l, read_function, &r);
            check_launch(name, l->name, machines[m], &r.f);
        }
        nvrtc_image_free(&image);
    }
    bz_text_free(&text);
    pass_plan_free(p);
}

/* A step of training: the loss of an MLP, its gradients, the weights after it. */
static const char step_text[] =
    "graph main(x: f32[64,256], t: i64[64], w: f32[256,128], b: f32[128], v: f32[128,16], c: "
    "f32[16]) {\n"
    " %d = matmul %x %w\n %s = add %d %b\n %h = relu %s\n %e = matmul %h %v\n %y = add %e %c\n"
    " %k = remainder %t 16\n %l = cross_entropy %y %k\n return %l }";

static void check_step(void) {
    ir_module *m = irt_parse(step_text);
    ir_graph *g = m->graphs.p[0];
    ir_ref wrt[4], grad[4];
    for (unsigned i = 0; i < 4; i++) wrt[i] = g->inputs.p[i + 2].node;
    cr_assert_eq(pass_grad(g, g->outputs.p[0].node, 0, wrt, 4, grad), BZ_OK);
    for (unsigned i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "g%u", i);
        cr_assert_eq(ir_output_add(g, name, grad[i], -1), BZ_OK);
    }
    check_graph("train step", g);
    ir_module_free(m);
}

Test(gpu_gates, table) {
    setenv("BRAZE_FAKE_COUNTERS", "/dev/null", 1);
    if (!plan_cuda_ready()) {
        fprintf(stderr, "skipped: no NVRTC, or no driver\n");
        return;
    }
    const char *only = getenv("GATES_ONLY");
    all_pass = true;
    fprintf(stderr, "%-13s %-26s %4s %4s %5s %5s %5s %6s %7s %5s %5s %5s\n", "graph", "launch",
            "sm", "regs", "spill", "frame", "128", "bytes", "sectors", "bank", "ffma", "mma");
    for (size_t i = 0; i < BZ_LEN(graphs); i++) {
        if (only && !strstr(graphs[i].name, only)) continue;
        ir_module *m = irt_parse(graphs[i].text);
        check_graph(graphs[i].name, m->graphs.p[0]);
        ir_module_free(m);
    }
    if (!only || strstr("train step", only)) check_step();
    cr_expect(all_pass);
}
