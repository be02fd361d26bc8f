/* test_ptxrun.c - ptxrun as a program: its exit statuses, what it prints, the files it reads. */
#include <criterion/criterion.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char scale[] =
    ".version 8.0\n.target sm_80\n.address_size 64\n"
    ".visible .entry scale(.param .u64 a, .param .f32 s, .param .u32 n) {\n.reg .pred %p;\n"
    ".reg .b32 %r<4>;\n.reg .b64 %d<3>;\n.reg .f32 %f<4>;\nld.param.u64 %d1, [a];\n"
    "ld.param.f32 %f1, [s];\nld.param.u32 %r1, [n];\nmov.u32 %r2, %tid.x;\n"
    "setp.ge.u32 %p, %r2, %r1;\n@%p ret;\nmad.wide.u32 %d1, %r2, 4, %d1;\n"
    "ld.global.f32 %f2, [%d1];\nmul.f32 %f3, %f1, %f2;\nst.global.f32 [%d1], %f3;\nret;\n}\n";

static char dir[64];

static void make_directory(void) {
    snprintf(dir, sizeof dir, "/tmp/test_ptxrun_XXXXXX");
    cr_assert(mkdtemp(dir));
}

static void remove_directory(void) {
    char line[128];
    snprintf(line, sizeof line, "rm -r %s", dir);
    cr_assert_eq(system(line), 0);
}

TestSuite(ptxrun, .init = make_directory, .fini = remove_directory);

static void write_file(const char *name, const void *bytes, size_t n) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    cr_assert(f);
    cr_assert_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

/* Runs "build/ptxrun ARGS" in the directory of the files; its output, both streams, goes to `out`.
 */
static int run(const char *args, char *out, size_t cap) {
    char line[1024], here[512];
    cr_assert(getcwd(here, sizeof here));
    snprintf(line, sizeof line, "cd %s && %s/build/ptxrun %s 2>&1", dir, here, args);
    FILE *p = popen(line, "r");
    cr_assert(p);
    size_t n = fread(out, 1, cap - 1, p);
    out[n] = 0;
    int status = pclose(p);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *args, int status, const char *text) {
    char out[16384];
    int got = run(args, out, sizeof out);
    cr_expect_eq(got, status, "%s: status %d, not %d: %s", args, got, status, out);
    cr_expect(strstr(out, text), "%s: \"%s\" is not in \"%s\"", args, text, out);
}

Test(ptxrun, says_what_is_wrong_with_its_words) {
    write_file("scale.ptx", scale, strlen(scale));
    write_file("bad.ptx", "nonsense", 8);
    expect("--help", 0, "Usage: ptxrun FILE");
    expect("", 2, "expected one FILE");
    expect("--wobble scale.ptx", 2, "Try 'ptxrun --help'");
    expect("missing.ptx", 2, "can't read missing.ptx");
    expect("bad.ptx", 2, "bad.ptx:1:1: error: ");
    expect("scale.ptx --kernel other", 2, "there is no kernel 'other'; scale.ptx has: scale");
    expect("scale.ptx", 2, "scale takes 3 arguments, 0 were given");
    expect("scale.ptx -a 'f32[8]=ones' -a f64=1 -a i32=8", 2,
           "argument 1 of scale has 4 bytes, 'f64=1' has 8");
    expect("scale.ptx -a 'x32[8]=ones'", 2, "the type must be one of");
    expect("scale.ptx -a 'f32[8'", 2, "expected TYPE[COUNT]");
    expect("scale.ptx -a 'f32[8]=many' -a f32=1 -a i32=8", 2, "expected a number, zeros");
    expect("scale.ptx -g 1,0", 2, "is not x[,y[,z]]");
    expect("scale.ptx --arch sm_42", 2, "the device must be");
    expect("scale.ptx -b 2000 -a 'f32[8]=ones' -a f32=1 -a i32=8", 2, "at most 1024 threads");
    expect("scale.ptx --arch sm_75 -a 'f32[8]=ones' -a f32=1 -a i32=8", 2, "the device is sm_75");
}

Test(ptxrun, runs_and_writes_arrays) {
    write_file("scale.ptx", scale, strlen(scale));
    expect("scale.ptx -a 'f32[8]=iota' -a f32=0.5 -a i32=8 --seeds 3 --out y.npy", 0,
           "3 schedules, no findings");
    expect("scale.ptx -a 'f32[8]=@y.npy' -a f32=4 -a i32=8 --out 0:z.npy", 0, "no findings");
    char path[128];
    float z[8];
    snprintf(path, sizeof path, "%s/z.npy", dir);
    FILE *f = fopen(path, "rb");
    cr_assert(f);
    cr_assert_eq(fseek(f, 128, SEEK_SET), 0);
    cr_assert_eq(fread(z, 4, 8, f), 8);
    fclose(f);
    for (int i = 0; i < 8; i++) cr_expect_float_eq(z[i], 2.0f * (float)i, 0);
    expect("scale.ptx -a 'f32[8]=ones' -a f32=1 -a i32=8 --counters", 0,
           "global_load_sectors          1\n");
}

Test(ptxrun, writes_several_arrays) {
    write_file("scale.ptx", scale, strlen(scale));
    expect(
        "scale.ptx -a 'f32[8]=iota' -a f32=1 -a i32=8 --out a.npy --out 0:b.npy && cmp a.npy b.npy",
        0, "no findings");
    expect("scale.ptx -a 'f32[8]=iota' -a f32=1 -a i32=8 --out 0:a.npy --out 1:b.npy", 2,
           "'1:b.npy' names no buffer argument");
}

Test(ptxrun, endless_loops_end) {
    static const char endless[] = ".version 8.0\n.target sm_80\n.address_size 64\n"
                                  ".visible .entry k() {\nmore:\nbra more;\n}\n";
    write_file("endless.ptx", endless, strlen(endless));
    expect("endless.ptx --limit 100000", 1, "instructions without an end");
    expect("endless.ptx --limit 1000000000000 --time-limit 1", 1, "the time limit is over");
}

Test(ptxrun, reports_findings) {
    write_file("scale.ptx", scale, strlen(scale));
    expect("scale.ptx -a 'f32[8]=ones' -a f32=1 -a i32=9", 1,
           "out of bounds: load of 4 bytes, 32 past the start");
    expect("scale.ptx -a 'f32[8]' -a f32=1 -a i32=8", 1, "uninitialised read");
    expect("scale.ptx -a 'f32[8]' -a f32=1 -a i32=8 --no-checks", 0, "no findings");
}

/* A fatbin with one entry of plain PTX. */
Test(ptxrun, opens_fatbins) {
    struct {
        uint32_t magic;
        uint16_t version, header;
        uint64_t size;
        uint16_t kind, entry_version;
        uint32_t entry_header;
        uint64_t bytes;
        uint32_t packed, unknown;
        uint16_t minor, major;
        uint32_t arch, name, name_length;
        uint64_t flags, zero, unpacked;
        char text[sizeof scale + 8 - sizeof scale % 8];
    } f = {.magic = 0xba55ed50,
           .version = 1,
           .header = 16,
           .size = 64 + sizeof f.text,
           .kind = 1,
           .entry_version = 0x101,
           .entry_header = 64,
           .bytes = sizeof f.text,
           .minor = 0,
           .major = 8,
           .arch = 80,
           .flags = 1};
    memcpy(f.text, scale, sizeof scale);
    write_file("scale.fatbin", &f, sizeof f);
    expect("scale.fatbin -a 'f32[8]=ones' -a f32=2 -a i32=8", 0, "no findings");
    write_file("scale.cubin", "\177ELF and more", 13);
    expect("scale.cubin", 2, "holds no PTX");
}

Test(ptxrun, compiles_cuda) {
    static const char source[] =
        "extern \"C\" __global__ void k(float *x) {\n    x[threadIdx.x] += 1;\n}\n";
    write_file("k.cu", source, strlen(source));
    write_file("bad.cu", "oops", 4);
    char out[4096];
    if (run("k.cu -a 'f32[32]=ones'", out, sizeof out) == 3) cr_skip_test("NVRTC is not here");
    expect("k.cu -a 'f32[32]=ones' --arch 75", 0, "no findings");
    expect("k.cu -a 'f32[31]=ones' --arch 100", 1, "k.cu:2)");
    expect("bad.cu", 2, "doesn't compile");
    static const char including[] =
        "#include \"add.h\"\n"
        "extern \"C\" __global__ void k(float *x) { x[threadIdx.x] += ADD; }\n";
    write_file("inc.cu", including, strlen(including));
    write_file("add.h", "#define ADD (A + 1)\n", 20);
    expect("inc.cu -a 'f32[32]=ones' -I . -D A=2", 0, "no findings");
    expect("inc.cu -a 'f32[32]=ones' -I .", 2, "doesn't compile");
}

/* Two kernels on the same inputs: another program for the same function, and one for another. */
Test(ptxrun, compares_two_kernels) {
    char twice[sizeof scale + 64], *mul;
    write_file("scale.ptx", scale, strlen(scale));
    strcpy(twice, scale);
    mul = strstr(twice, "mul.f32 %f3, %f1, %f2;");
    cr_assert(mul);
    memcpy(mul, "add.f32 %f3, %f2, %f2;", strlen("add.f32 %f3, %f2, %f2;"));
    write_file("twice.ptx", twice, strlen(twice));
    expect("scale.ptx -a 'f32[8]=iota' -a f32=2 -a i32=8 --seeds 2 --against twice.ptx", 0,
           "the same bits as twice.ptx");
    expect("scale.ptx -a 'f32[8]=iota' -a f32=3 -a i32=8 --against twice.ptx", 1,
           "argument 0: element 1 is 3, in twice.ptx 2");
    expect("scale.ptx -a 'f32[8]=iota' -a f32=2 -a i32=8 --against twice.ptx --against-block 4", 1,
           "element 4 is 8, in twice.ptx 4");
    expect("scale.ptx -a 'f32[8]=iota' -a f32=2 -a i32=8 --against none.ptx", 2, "none.ptx");
}

Test(ptxrun, clusters_and_targets_of_their_own) {
    static const char text[] =
        ".version 8.0\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 a) {\n"
        ".reg .b32 %r<4>;\n.reg .b64 %d<4>;\nld.param.u64 %d1, [a];\nmov.u32 %r1, %ctaid.x;\n"
        "mul.wide.u32 %d2, %r1, 4;\nadd.u64 %d1, %d1, %d2;\nmov.u32 %r2, %cluster_ctarank;\n"
        "barrier.cluster.arrive;\nbarrier.cluster.wait;\nst.global.u32 [%d1], %r2;\nret;\n}\n";
    write_file("k.ptx", text, strlen(text));
    expect("k.ptx --arch sm_90a --grid 4 --cluster 2 --seeds 3 -a 'u32[4]=empty'", 0, "");
    expect("k.ptx --grid 4 --cluster 3 -a 'u32[4]=empty'", 2, "no multiple of its clusters");
    expect("k.ptx --arch sm_90b -a 'u32[4]=empty'", 2, "the device must be");
}
