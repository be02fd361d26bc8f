/* test_gpu_golden.c - kernels for a GPU against recorded bits: what the graphs below give for inputs that a seed makes lies in
 * tests/golden/gpu.txt, as a hash of each output's bits and its first elements. The reference interpreter gives these bits, the emulated driver
 * does, and so must a GPU, of whatever kind: BRAZE_FAKECUDA=libcuda.so.1 runs them there (make gpu-check).
 *
 *     NAME OUTPUT DTYPE HASH FIRST...        hash: FNV-1a over the bytes in memory; elements as hexadecimal bits
 *
 * BRAZE_GOLDEN=update writes the file from what the interpreter gives. */
#include "tests/support/irtest.h"
#include "tests/support/plan_cuda.h"
#include "tests/support/plan_run.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN "tests/golden/gpu.txt"

enum { SEED = 17, OUTPUTS = 16, FIRST = 4 };

static const struct vector {
    const char *name, *text;
} vectors[] = {
    {"chain", "graph main(x: f32[64,1000], y: f32[64,1000], b: f32[1000]) { %s = add %x %y\n %t = "
              "mul %s %b\n %r = relu %t\n %z = sub %r %y\n return %z }"},
    {"halves", "graph main(x: bf16[40,100], y: f16[40,100]) { %a = exp %x\n %b = tanh %y\n %c = "
               "cast %a {dtype=f16}\n %d = add %b %c\n return %a, %d }"},
    {"functions",
     "graph main(x: f32[5000]) { %a = exp %x\n %b = sin %x\n %c = erf %x\n %d = abs %x\n %e = log "
     "%d\n %f = rsqrt %d\n %g = tanh %x\n return %a, %b, %c, %e, %f, %g }"},
    {"doubles", "graph main(x: f64[3000], y: f64[3000]) { %a = div %x %y\n %b = exp %x\n %c = "
                "atan2 %x %y\n %d = pow %b %y\n return %a, %c, %d }"},
    {"integers", "graph main(x: i32[900], y: i32[900], z: i64[900]) { %a = floor_divide %x %y\n %b "
                 "= remainder %x %y\n %c = mul %z %z\n %d = popcount %x\n return %a, %b, %c, %d }"},
    {"casts", "graph main(x: f64[600]) { %a = cast %x {dtype=f16}\n %b = cast %x {dtype=bf16}\n %c "
              "= cast %x {dtype=i8}\n %d = cast %x {dtype=f32}\n return %a, %b, %c, %d }"},
    {"softmax", "graph main(x: f32[33,1000]) { %y = softmax %x {axis=1}\n return %y }"},
    {"softmax_long", "graph main(x: f32[3,9001]) { %y = softmax %x {axis=1}\n return %y }"},
    {"norm", "graph main(x: f32[17,1024], w: f32[1024], b: f32[1024]) { %n = layer_norm %x %w %b\n "
             "%y = gelu %n\n return %y }"},
    {"row_sums", "graph main(x: f32[21,1000]) { %y = sum %x {axes=[1]}\n %m = max %x {axes=[1]}\n "
                 "%i = argmax %x {axes=[1]}\n return %y, %m, %i }"},
    {"column_sums", "graph main(x: f32[900,130]) { %y = sum %x {axes=[0]}\n %z = max %x "
                    "{axes=[0]}\n return %y, %z }"},
    {"whole_sum",
     "graph main(x: f32[150001]) { %y = sum %x\n %z = logsumexp %x {axes=[0]}\n return %y, %z }"},
    {"transpose", "graph main(x: f32[130,97], y: f32[97,130]) { %t = transpose %x\n %z = add %t "
                  "%y\n return %z }"},
    {"product", "graph main(x: f32[130,600], w: f32[600,65], b: f32[65]) { %d = matmul %x %w\n %s "
                "= add %d %b\n %y = relu %s\n return %y }"},
    {"product_nt",
     "graph main(x: f32[70,96], w: f32[50,96], b: f32[50]) { %y = linear %x %w %b\n return %y }"},
    {"product_f64", "graph main(x: f64[33,70], w: f64[70,40]) { %y = matmul %x %w\n return %y }"},
    {"product_bf16",
     "graph main(x: bf16[64,96], w: bf16[96,72]) { %y = matmul %x %w\n return %y }"},
    {"product_f16", "graph main(x: f16[64,96], w: f16[96,72]) { %y = matmul %x %w\n return %y }"},
    {"attention", "graph main(q: f32[2,40,16], k: f32[2,40,16], v: f32[2,40,16]) { %t = permute %k "
                  "{perm=[0,2,1]}\n %s = matmul %q %t\n %m = mul %s 0.25\n %p = softmax %m "
                  "{axis=2}\n %y = matmul %p %v\n return %y }"},
    {"gather", "graph main(x: f32[30,64], k: i64[50]) { %i = remainder %k 30\n %y = gather %x %i "
               "{axis=0}\n return %y }"},
    {"scan_sort", "graph main(x: f32[6,50]) { %y = cumsum %x {axis=1}\n %v, %i = sort %x "
                  "{axis=1}\n return %y, %v, %i }"},
    {"loss", "graph main(x: f32[48,20], t: i64[48]) { %k = remainder %t 20\n %l = cross_entropy %x "
             "%k\n return %l }"},
};

/* ---- lines */

static uint64_t hash_of(const unsigned char *p, size_t n) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static void say(bz_text *t, const char *name, const ir_value_array *out, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        const size_t element = ir_dtype_bytes(out[i].dtype), all = (size_t)irt_numel(&out[i]);
        const unsigned char *p = out[i].data;
        bz_textf(t, "%s %u %s %016" PRIx64, name, i, ir_dtypes[out[i].dtype].name,
                 hash_of(p, all * element));
        for (size_t k = 0; k < all && k < FIRST; k++) {
            uint64_t bits = 0;
            memcpy(&bits, p + k * element, element);
            bz_textf(t, " %0*" PRIx64, (int)(2 * element), bits);
        }
        bz_textf(t, "\n");
    }
}

typedef bz_status runs(const ir_graph *g, const ir_value_array *in, ir_value_array *out,
                       bz_error *e);

static bz_status as_interpreted(const ir_graph *g, const ir_value_array *in, ir_value_array *out,
                                bz_error *e) {
    return ir_interpret(g, in, out, e);
}

static bz_status on_device(const ir_graph *g, const ir_value_array *in, ir_value_array *out,
                           bz_error *e) {
    pass_plan *p = pass_compile(g, &pass_gpu_target, e);
    const bz_status s = p ? plan_cuda(p, in, out, e) : e->status;
    pass_plan_free(p);
    return s;
}

static void lines_of(bz_text *t, const struct vector *v, runs *run) {
    bz_error e = {0};
    ir_value_array in[OUTPUTS] = {{0}}, out[OUTPUTS] = {{0}};
    ir_module *m = irt_parse(v->text);
    const ir_graph *g = m->graphs.p[0];
    random_inputs(g, in, SEED);
    if (run(g, in, out, &e))
        bz_textf(t, "%s: %s\n", v->name, e.text);
    else
        say(t, v->name, out, g->outputs.n);
    free_values(in, g->inputs.n);
    free_values(out, g->outputs.n);
    ir_module_free(m);
}

/* ---- against what is recorded */

static char *recorded(void) {
    size_t n;
    char *all = irt_read(GOLDEN, &n);
    cr_assert(all, "there is no %s", GOLDEN);
    return all;
}

static void check(const char *who, runs *run) {
    char *all = recorded();
    for (size_t i = 0; i < BZ_LEN(vectors); i++) {
        bz_text t = {0};
        lines_of(&t, &vectors[i], run);
        cr_expect(strstr(all, bz_text_c(&t)), "%s: recorded is something else than\n%s", who,
                  bz_text_c(&t));
        bz_text_free(&t);
    }
    bz_mem_free(all);
}

static bool updates(void) {
    const char *how = getenv("BRAZE_GOLDEN");
    return how && !strcmp(how, "update");
}

Test(gpu_golden, interpreter) {
    char path[512];
    bz_text t = {0};
    if (!updates()) {
        check("interpreter", as_interpreted);
        return;
    }
    for (size_t i = 0; i < BZ_LEN(vectors); i++) lines_of(&t, &vectors[i], as_interpreted);
    snprintf(path, sizeof path, "%s/" GOLDEN, getenv("BRAZE_SRC") ? getenv("BRAZE_SRC") : ".");
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(bz_text_c(&t), f) >= 0 && !fclose(f));
    bz_text_free(&t);
}

Test(gpu_golden, device, .timeout = 600) {
    if (updates()) return;
    if (!plan_cuda_ready()) {
        fprintf(stderr, "skipped: no NVRTC, or no driver\n");
        return;
    }
    check("device", on_device);
}
