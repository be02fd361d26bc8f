/* test_nvrtc.c - NVIDIA's compiler of CUDA C: images, what its log says, errors in a text; what carries become in it. */
#include "src/codegen/cuda.h"
#include "src/codegen/nvrtc.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool present(void) {
    bz_error e = {0};
    const bool is = !nvrtc_open(&e);
    if (!is) fprintf(stderr, "skipped: no NVRTC\n");
    return is;
}

static nvrtc_image compiled(const char *text) {
    nvrtc_image i;
    bz_error e = {0};
    cr_assert(!nvrtc_compile(text, 80, true, &i, &e), "%s", e.text);
    return i;
}

Test(nvrtc, flags_of_the_environment) {
    nvrtc_image i;
    bz_error e = {0};
    if (!present()) return;
    setenv("BRAZE_NVRTCFLAGS", " -lineinfo  --Ofast-compile=max", 1);
    i = compiled("extern \"C\" __global__ void k(float *x) {\n    x[threadIdx.x] += 1;\n}\n");
    cr_expect(strstr(i.ptx, ".loc"));
    nvrtc_image_free(&i);
    setenv("BRAZE_NVRTCFLAGS", "--no-such-flag", 1);
    cr_expect_eq(nvrtc_compile("int x;", 80, false, &i, &e), BZ_ECOMPILE);
    cr_expect(strstr(e.text, "no-such-flag"), "%s", e.text);
}

/* ---- the log */

Test(nvrtc, the_log_names_registers_and_spills) {
    const char *log =
        "ptxas info    : 0 bytes gmem\n"
        "ptxas info    : Compiling entry function 'k_b_0' for 'sm_80'\n"
        "ptxas         .     16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads\n"
        "ptxas info    : Used 10 registers, used 1 barriers, 128 bytes smem, 360 bytes cmem[0]\n"
        "ptxas info    : Compiling entry function 'k_a_0' for 'sm_80'\n"
        "ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Used 255 registers, used 0 barriers, 364 bytes cmem[0]\n";
    nvrtc_use u;
    cr_assert(nvrtc_next_use(&log, &u));
    cr_expect(u.name_bytes == 5 && !strncmp(u.name, "k_b_0", 5));
    cr_expect(u.registers == 10 && u.shared == 128 && u.stack == 16 && u.spilled == 12);
    cr_assert(nvrtc_next_use(&log, &u));
    cr_expect(u.name_bytes == 5 && !strncmp(u.name, "k_a_0", 5));
    cr_expect(u.registers == 255 && u.shared == 0 && u.stack == 0 && u.spilled == 0);
    cr_expect(!nvrtc_next_use(&log, &u) && !nvrtc_next_use(&log, &u));
    log = NULL;
    cr_expect(!nvrtc_next_use(&log, &u));
}

static const char two[] = "extern \"C\" __global__ void k_a_0(float *a) { a[threadIdx.x] = 1; }\n"
                          "extern \"C\" __global__ void k_b_0(float *a) {\n"
                          "    __shared__ float s[32];\n"
                          "    s[threadIdx.x] = *a;\n"
                          "    __syncthreads();\n"
                          "    a[threadIdx.x] = s[31 - threadIdx.x];\n"
                          "}\n";

Test(nvrtc, the_log_is_what_it_is_read_as) {
    if (!present()) return;
    nvrtc_image i = compiled(two);
    const char *log = i.log;
    nvrtc_use u;
    unsigned n = 0;
    for (; nvrtc_next_use(&log, &u); n++) {
        cr_expect(u.name_bytes == 5 && u.registers > 0 && u.spilled == 0);
        cr_expect_eq(u.shared, u.name[2] == 'b' ? 128u : 0u);
    }
    cr_expect_eq(n, 2);
    nvrtc_image_free(&i);
}

/* ---- errors */

Test(nvrtc, an_error_shows_its_lines_and_function) {
    if (!present()) return;
    static const char text[] = "typedef long long i64;\n"
                               "extern \"C\" __global__ void k_softmax_0(float *b0, i64 tasks) {\n"
                               "    i64 a = 1;\n"
                               "    i64 b = 2;\n"
                               "    i64 c = 3;\n"
                               "    b0[0] = nothing;\n"
                               "    b0[1] = 4;\n"
                               "}\n";
    nvrtc_image i;
    bz_error e = {0};
    cr_expect_eq(nvrtc_compile(text, 80, true, &i, &e), BZ_ECOMPILE);
    cr_expect(strstr(e.text, "braze.cu(6): error"), "%s", e.text);
    cr_expect(strstr(e.text, "2  extern \"C\" __global__ void k_softmax_0\n"), "%s", e.text);
    cr_expect(strstr(e.text, ">    6      b0[0] = nothing;\n"), "%s", e.text);
    cr_expect(strstr(e.text, "     7      b0[1] = 4;"), "%s", e.text);
    cr_expect(!i.ptx && !i.cubin && !i.log);
}

/* ---- images */

static void write_file(const char *dir, const char *name, const void *bytes, size_t n) {
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

/* NVIDIA's own tool makes the same of the same code and PTX (of which it leaves comments out: it gets its own text). */
Test(nvrtc, an_image_is_as_their_tool_writes_it) {
    static const char tool[] = "/usr/local/cuda/bin/fatbinary";
    char dir[] = "/tmp/braze-fatbin-XXXXXX", command[1000], path[200];
    if (!present() || access(tool, X_OK) != 0) return;
    nvrtc_image i = compiled(two);
    cr_assert(mkdtemp(dir));
    write_file(dir, "k.cubin", i.cubin, i.cubin_bytes);
    write_file(dir, "k.ptx", i.ptx, i.ptx_bytes - 1);
    snprintf(
        command, sizeof command,
        "cd %s && %s -64 --create=k.fatbin --compress=false --image3=kind=elf,sm=80,file=k.cubin "
        "--image3=kind=ptx,sm=80,file=k.ptx",
        dir, tool);
    cr_assert_eq(system(command), 0);
    snprintf(path, sizeof path, "%s/k.fatbin", dir);
    FILE *f = fopen(path, "rb");
    static char theirs[1 << 20];
    const size_t theirs_n = fread(theirs, 1, sizeof theirs, f);
    fclose(f);
    const size_t ptx_at = 16 + 64 + (i.cubin_bytes + 7) / 8 * 8 + 80;
    cr_assert_lt(ptx_at, theirs_n);
    nvrtc_image same = i;
    same.ptx = theirs + ptx_at;
    same.ptx_bytes = strlen(same.ptx) + 1;
    size_t n;
    void *ours = fatbin_of(&same, &(unsigned){80}, 1, &n);
    cr_expect_eq(n, theirs_n, "%zu, %zu", n, theirs_n);
    for (size_t k = 0; k < n && k < theirs_n; k++)
        cr_assert_eq(((char *)ours)[k], theirs[k], "byte %zu", k);
    bz_mem_free(ours);
    nvrtc_image_free(&i);
    snprintf(command, sizeof command, "rm -r %s", dir);
    cr_expect_eq(system(command), 0);
}

/* ---- carries */

/* Two that change places, and lanes of one: who is set first is read before. */
Test(nvrtc, carries_that_change_places_are_read_before_they_are_set) {
    static const char loops[] =
        "kernel turn(x: f32 in, y: f32 out; n) {\n"
        "  %1: *f32 = buffer x\n  %2: *f32 = buffer y\n  %3: i64 = extent n\n"
        "  %4: i64 = const 0\n  %5: i64 = const 1\n"
        "  %6 = loop parallel %4, %5 {\n"
        "    %7: f32 = load %1[%4]\n    %8: f32 = load %1[%5]\n"
        "    %9 = loop serial %4, %3 (%7, %8) {\n"
        "      %10: f32 = carry %9 [0]\n      %11: f32 = carry %9 [1]\n"
        "      yield %11, %10\n    }\n"
        "    %12: f32 = result %9 [0]\n    %13: f32 = result %9 [1]\n"
        "    store %2[%4], %12\n    store %2[%5], %13\n  }\n}\n";
    bz_error e = {0};
    bz_text text = {0};
    lp_module *m = lp_parse(loops, strlen(loops), &e);
    cr_assert(m && !cuda_emit(m, &text, &e), "%s", e.text);
    const char *kept = strstr(bz_text_c(&text), "const float tc9_1_0 = c9_0_0;");
    const char *set = strstr(bz_text_c(&text), " c9_0_0 = c9_1_0;");
    cr_assert(kept && set && kept < set, "%s", bz_text_c(&text));
    cr_expect(strstr(set, " c9_1_0 = tc9_1_0;"));
    cr_expect(strstr(set, "p2[0] = c9_0_0;") && strstr(set, "p2[1] = c9_1_0;"));
    if (present()) {
        nvrtc_image i = compiled(bz_text_c(&text));
        nvrtc_image_free(&i);
    }
    bz_text_free(&text);
    lp_module_free(m);
}
