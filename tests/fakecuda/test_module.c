/* test_module.c - images of every kind, JIT options, variables, libraries, attributes, launch
 * limits. */
#include "test_fake.h"

#include <unistd.h>

Test(module, functions_and_variables) {
    start();
    CUmodule m;
    CUfunction f;
    CUdeviceptr p;
    size_t bytes;
    unsigned n, value;
    ok(cuModuleLoadData(&m, kernels));
    ok(cuModuleGetFunction(&f, m, "scale"));
    is(cuModuleGetFunction(&f, m, "nothing"), CUDA_ERROR_NOT_FOUND);
    is(cuModuleGetFunction(&f, m, NULL), CUDA_ERROR_INVALID_VALUE);
    is(cuModuleGetFunction(&f, NULL, "scale"), CUDA_ERROR_INVALID_HANDLE);
    ok(cuModuleGetFunctionCount(&n, m));
    cr_assert(n == 5);
    ok(cuModuleGetGlobal_v2(&p, &bytes, m, "counter"));
    cr_assert(bytes == 4);
    ok(cuMemcpyDtoH_v2(&value, p, 4));
    cr_assert(value == 7);
    is(cuMemFree_v2(p), CUDA_ERROR_INVALID_VALUE);
    float table[2];
    ok(cuModuleGetGlobal_v2(&p, &bytes, m, "table"));
    ok(cuMemcpyDtoH_v2(table, p, bytes));
    cr_assert(table[0] == 1 && table[1] == 2);
    is(cuModuleGetGlobal_v2(&p, &bytes, m, "nothing"), CUDA_ERROR_NOT_FOUND);
    ok(cuModuleUnload(m));
    is(cuModuleUnload(m), CUDA_ERROR_INVALID_HANDLE);
    is(cuFuncLoad(f), CUDA_ERROR_INVALID_HANDLE);
    no_reports();
}

Test(module, a_wrong_text_is_refused_with_its_line) {
    start();
    CUmodule m;
    char errors[256] = "", info[64] = "x";
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
                              CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES,
                              CU_JIT_WALL_TIME};
    void *values[] = {errors, (void *)(uintptr_t)sizeof errors, info,
                      (void *)(uintptr_t)sizeof info, NULL};
    const char *bad = ".version 7.0\n.target sm_75\n.address_size 64\n"
                      ".visible .entry k()\n{\nfrobnicate.u32 %r1, %r2;\nret;\n}\n";
    is(cuModuleLoadDataEx(&m, bad, 5, options, values), CUDA_ERROR_INVALID_PTX);
    cr_assert(strstr(errors, "6:") == errors, "log: %s", errors);
    cr_assert((size_t)(uintptr_t)values[1] == strlen(errors) + 1 && info[0] == 0);
    values[1] = (void *)(uintptr_t)8;
    is(cuModuleLoadDataEx(&m, bad, 2, options, values), CUDA_ERROR_INVALID_PTX);
    cr_assert(strlen(errors) == 7, "cut to its buffer");
    options[0] = (CUjit_option)99;
    is(cuModuleLoadDataEx(&m, kernels, 2, options, values), CUDA_ERROR_INVALID_VALUE);
    is(cuModuleLoadDataEx(&m, kernels, 1, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
    is(cuModuleLoadData(&m, NULL), CUDA_ERROR_INVALID_VALUE);
    is(cuModuleLoadData(&m, "\x01\x02\x03\x04garbage garbage"), CUDA_ERROR_INVALID_IMAGE);
    is(cuModuleLoad(&m, "/no/such/file"), CUDA_ERROR_FILE_NOT_FOUND);
}

Test(module, a_newer_text_needs_a_newer_driver) {
    setenv("BRAZE_FAKE_DRIVER", "12000", 1);
    start();
    CUmodule m;
    is(cuModuleLoadData(&m, ".version 8.5\n.target sm_75\n.address_size 64\n"),
       CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
    ok(cuModuleLoadData(&m, ".version 8.0\n.target sm_75\n.address_size 64\n"));
}

Test(module, a_text_for_a_newer_device) {
    setenv("BRAZE_FAKE_DEVICES", "75", 1);
    start();
    CUmodule m;
    is(cuModuleLoadData(&m, ".version 8.0\n.target sm_90\n.address_size 64\n"),
       CUDA_ERROR_INVALID_PTX);
}

/* ---- fatbins --------------------------------------------------------------------------------- */

typedef struct {
    unsigned char bytes[16384];
    size_t n;
} fatbin;

static void put(fatbin *f, size_t at, uint64_t v, size_t n) {
    memcpy(f->bytes + at, &v, n);
}

static void begin(fatbin *f) {
    memset(f, 0, sizeof *f);
    put(f, 0, 0xBA55ED50u, 4);
    put(f, 4, 1, 2);
    put(f, 6, 16, 2);
    f->n = 16;
}

static void add(fatbin *f, unsigned kind, unsigned arch, const void *payload, size_t size) {
    const size_t rounded = (size + 7) / 8 * 8;
    put(f, f->n, kind, 2);
    put(f, f->n + 4, 64, 4);
    put(f, f->n + 8, rounded, 8);
    put(f, f->n + 28, arch, 4);
    memcpy(f->bytes + f->n + 64, payload, size);
    f->n += 64 + rounded;
    put(f, 8, f->n - 16, 8);
}

static size_t ptx_named(char *out, size_t room, const char *name) {
    return (size_t)snprintf(out, room,
                            ".version 7.0\n.target sm_75\n.address_size 64\n"
                            ".visible .entry %s()\n{\nret;\n}\n",
                            name) +
           1;
}

Test(module, the_best_text_of_a_fatbin) {
    start();
    static fatbin f;
    char text[256];
    CUmodule m;
    CUfunction func;
    begin(&f);
    add(&f, 1, 75, text, ptx_named(text, sizeof text, "for75"));
    add(&f, 1, 80, text, ptx_named(text, sizeof text, "for80"));
    add(&f, 1, 90, text, ptx_named(text, sizeof text, "for90"));
    ok(cuModuleLoadData(&m, f.bytes));
    ok(cuModuleGetFunction(&func, m, "for80"));
    is(cuModuleGetFunction(&func, m, "for75"), CUDA_ERROR_NOT_FOUND);
    struct {
        uint32_t magic, version;
        const void *data;
        const void *rest;
    } wrapper = {0x466243B1u, 1, f.bytes, NULL};
    ok(cuModuleLoadFatBinary(&m, &wrapper));
    ok(cuModuleGetFunction(&func, m, "for80"));
}

Test(module, a_fatbin_without_text_for_us) {
    start();
    static fatbin f;
    char text[256], errors[256] = "";
    CUmodule m;
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[] = {errors, (void *)(uintptr_t)sizeof errors};
    begin(&f);
    add(&f, 1, 90, text, ptx_named(text, sizeof text, "for90"));
    is(cuModuleLoadDataEx(&m, f.bytes, 2, options, values), CUDA_ERROR_NO_BINARY_FOR_GPU);
    add(&f, 2, 80, "\177ELF", 4);
    values[1] = (void *)(uintptr_t)sizeof errors;
    is(cuModuleLoadDataEx(&m, f.bytes, 2, options, values), CUDA_ERROR_NO_BINARY_FOR_GPU);
    cr_assert(strstr(errors, "no PTX"), "log: %s", errors);
    is(cuModuleLoadData(&m, "\177ELF and so on"), CUDA_ERROR_NO_BINARY_FOR_GPU);
    /* damaged sizes */
    put(&f, 16 + 8, UINT64_MAX, 8);
    is(cuModuleLoadData(&m, f.bytes), CUDA_ERROR_NO_BINARY_FOR_GPU);
}

/* A fatbin as the toolkit makes it, compressed and with a cubin: says "skipped" without the
 * toolkit. */
Test(module, a_real_fatbin) {
    const char *tools = "/usr/local/cuda/bin";
    char path[128];
    snprintf(path, sizeof path, "%s/ptxas", tools);
    if (access(path, X_OK) != 0) cr_skip_test("no CUDA toolkit");
    char dir[] = "/tmp/fakecuda-XXXXXX", command[1024], file[64];
    cr_assert(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/k.ptx", dir);
    FILE *out = fopen(file, "w");
    fputs(kernels, out);
    fclose(out);
    snprintf(
        command, sizeof command,
        "cd %s && %s/ptxas -arch=sm_80 k.ptx -o k.cubin && %s/fatbinary --64 --create=k.fatbin "
        "--image3=kind=elf,sm=80,file=k.cubin --image3=kind=ptx,sm=75,file=k.ptx",
        dir, tools, tools);
    cr_assert(system(command) == 0);
    start();
    CUmodule m;
    CUfunction f;
    int registers;
    snprintf(file, sizeof file, "%s/k.fatbin", dir);
    ok(cuModuleLoad(&m, file));
    ok(cuModuleGetFunction(&f, m, "scale"));
    ok(cuFuncGetAttribute(&registers, CU_FUNC_ATTRIBUTE_NUM_REGS, f));
    cr_assert(registers >= 8 && registers <= 32, "%d registers, from the cubin", registers);
    snprintf(file, sizeof file, "%s/k.cubin", dir);
    is(cuModuleLoad(&m, file), CUDA_ERROR_NO_BINARY_FOR_GPU);
    snprintf(command, sizeof command, "rm -r %s", dir);
    cr_assert(system(command) == 0);
}

/* ---- the linker ------------------------------------------------------------------------------ */

Test(module, texts_are_linked) {
    start();
    CUlinkState state;
    CUmodule m;
    CUfunction f;
    void *image;
    size_t size;
    char first[256], second[256];
    ptx_named(first, sizeof first, "one");
    const size_t n = ptx_named(second, sizeof second, "two");
    /* the arrays may go, the buffer for the log stays */
    char log[100] = "";
    CUjit_option option[2] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *value[2] = {log, (void *)sizeof log};
    ok(cuLinkCreate_v2(2, option, value, &state));
    option[0] = CU_JIT_OPTIONS_KNOWN;
    value[0] = value[1] = NULL;
    is(cuLinkComplete(state, &image, &size), CUDA_ERROR_INVALID_VALUE);
    ok(cuLinkAddData_v2(state, CU_JIT_INPUT_PTX, first, strlen(first), "first", 0, NULL, NULL));
    ok(cuLinkAddData_v2(state, CU_JIT_INPUT_PTX, second, n, NULL, 0, NULL, NULL));
    is(cuLinkAddData_v2(state, CU_JIT_INPUT_CUBIN, second, n, NULL, 0, NULL, NULL),
       CUDA_ERROR_NO_BINARY_FOR_GPU);
    cr_assert(strstr(log, "only PTX"), "%s", log);
    ok(cuLinkComplete(state, &image, &size));
    ok(cuModuleLoadData(&m, image));
    ok(cuModuleGetFunction(&f, m, "one"));
    ok(cuModuleGetFunction(&f, m, "two"));
    ok(cuLinkDestroy(state));
    is(cuLinkDestroy(state), CUDA_ERROR_INVALID_HANDLE);
}

/* ---- libraries ------------------------------------------------------------------------------- */

Test(module, libraries_need_no_context) {
    ok(cuInit(0));
    CUlibrary lib;
    CUkernel k, list[5];
    CUfunction f;
    CUmodule m;
    const char *name;
    unsigned n;
    ok(cuLibraryLoadData(&lib, kernels, NULL, NULL, 0, NULL, NULL, 0));
    ok(cuLibraryGetKernel(&k, lib, "ticket"));
    is(cuLibraryGetKernel(&k, lib, "nothing"), CUDA_ERROR_NOT_FOUND);
    ok(cuLibraryGetKernelCount(&n, lib));
    ok(cuLibraryEnumerateKernels(list, 5, lib));
    cr_assert(n == 5 && list[4] != NULL);
    ok(cuKernelGetName(&name, k));
    cr_assert(strcmp(name, "ticket") == 0);
    is(cuKernelGetFunction(&f, k), CUDA_ERROR_INVALID_CONTEXT);
    start();
    ok(cuKernelGetFunction(&f, k));
    ok(cuLibraryGetModule(&m, lib));
    is(cuModuleUnload(m), CUDA_ERROR_NOT_PERMITTED);
    CUdeviceptr p;
    size_t bytes, offset, size;
    ok(cuLibraryGetGlobal(&p, &bytes, lib, "counter"));
    is(cuLibraryGetManaged(&p, &bytes, lib, "counter"), CUDA_ERROR_NOT_FOUND);
    ok(cuKernelGetParamInfo(k, 0, &offset, &size));
    cr_assert(offset == 0 && size == 8);
    is(cuKernelGetParamInfo(k, 1, &offset, &size), CUDA_ERROR_INVALID_VALUE);
    int value;
    ok(cuKernelGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, k, 0));
    cr_assert(value == 1024);
    ok(cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 100000, k, 0));
    is(cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 200000, k, 0),
       CUDA_ERROR_INVALID_VALUE);
    unsigned zero = 0;
    ok(cuMemcpyHtoD_v2(p, &zero, 4));
    void *params[] = {&p};
    /* a kernel may stand where a function is asked for */
    ok(cuLaunchKernel((CUfunction)k, 4, 1, 1, 32, 1, 1, 90000, NULL, params, NULL));
    ok(cuMemcpyDtoH_v2(&zero, p, 4));
    cr_assert(zero == 128);
    ok(cuLibraryUnload(lib));
    is(cuLibraryUnload(lib), CUDA_ERROR_INVALID_HANDLE);
    is(cuLaunchKernel((CUfunction)k, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL),
       CUDA_ERROR_INVALID_HANDLE);
}

/* ---- launches -------------------------------------------------------------------------------- */

Test(module, launch_limits) {
    start();
    CUdeviceptr p = device(64);
    void *params[] = {&p};
    CUfunction f = kernel("poke"), wide = kernel("wide"), none = kernel("crash");
    size_t size = 8;
    void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &p, CU_LAUNCH_PARAM_BUFFER_SIZE, &size,
                     CU_LAUNCH_PARAM_END};
    is(cuLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_HANDLE);
    is(cuLaunchKernel(f, 0, 1, 1, 1, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE);
    is(cuLaunchKernel(f, 1, 65536, 1, 1, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE);
    is(cuLaunchKernel(f, 1, 1, 1, 1025, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE);
    is(cuLaunchKernel(f, 1, 1, 1, 32, 32, 2, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE);
    is(cuLaunchKernel(f, 1, 1, 1, 1, 1, 65, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE);
    is(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 49153, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE);
    is(cuLaunchKernel(wide, 1, 1, 1, 65, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE);
    is(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, params, extra), CUDA_ERROR_INVALID_VALUE);
    is(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
    is(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, (CUstream)0x99, params, NULL),
       CUDA_ERROR_INVALID_HANDLE);
    size = 4;
    is(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra), CUDA_ERROR_INVALID_VALUE);
    size = 8;
    ok(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra));
    CUlaunchAttribute cluster = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
                                 .value.clusterDim = {2, 1, 1}};
    CUlaunchConfig config = {2, 1, 1, 1, 1, 1, 0, NULL, &cluster, 1};
    is(cuLaunchKernelEx(&config, f, params, NULL),
       CUDA_ERROR_NOT_SUPPORTED); /* not on this device */
    cluster.value.clusterDim.x = 1;
    ok(cuLaunchKernelEx(&config, f, params, NULL));
    is(cuLaunchCooperativeKernel(f, 1u << 20, 1, 1, 1024, 1, 1, 0, NULL, params),
       CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
    ok(cuLaunchCooperativeKernel(f, 2, 1, 1, 32, 1, 1, 0, NULL, params));
    unsigned got;
    ok(cuMemcpyDtoH_v2(&got, p, 4));
    cr_assert(got == 1);
    (void)none;
}

Test(module, occupancy) {
    start();
    CUfunction f = kernel("scale");
    int blocks, grid, block;
    size_t shared;
    ok(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 1024, 0));
    cr_assert(blocks == 2, "%d blocks of 1024 in 2048 threads", blocks);
    ok(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 32, 0));
    cr_assert(blocks == 32);
    ok(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 128, 48 << 10));
    cr_assert(blocks == 3, "%d blocks of 49 KiB in 164", blocks);
    is(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 0, 0), CUDA_ERROR_INVALID_VALUE);
    ok(cuOccupancyMaxPotentialBlockSize(&grid, &block, f, NULL, 0, 0));
    cr_assert(block == 1024 && grid == 2 * 108);
    ok(cuOccupancyAvailableDynamicSMemPerBlock(&shared, f, 2, 1024));
    cr_assert(shared == 48 << 10, "%zu without asking for more", shared);
    ok(cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 100000));
    ok(cuOccupancyAvailableDynamicSMemPerBlock(&shared, f, 2, 1024));
    cr_assert(shared == (82 << 10) - 1024, "%zu", shared);
    int value;
    ok(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, kernel("wide")));
    cr_assert(value == 0 || value == 1024);
    ok(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, kernel("wide")));
    cr_assert(value == 64);
    ok(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES, f));
    cr_assert(value == 8);
    CUmodule capped;
    CUfunction few;
    CUjit_option option = CU_JIT_MAX_REGISTERS;
    void *most = (void *)(uintptr_t)8;
    ok(cuModuleLoadDataEx(&capped, kernels, 1, &option, &most));
    ok(cuModuleGetFunction(&few, capped, "scale"));
    ok(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, few));
    cr_assert(value == 8);
    is(cuFuncGetAttribute(&value, (CUfunction_attribute)16, f), CUDA_ERROR_INVALID_VALUE);
    is(cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_NUM_REGS, 1), CUDA_ERROR_INVALID_VALUE);
}

Test(module, a_fault_names_the_kernel_and_the_memory) {
    start();
    CUdeviceptr p = device(64);
    CUdeviceptr beyond = p + 64;
    void *params[] = {&beyond};
    ok(cuLaunchKernel(kernel("poke"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
    is(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    has_report("poke");
    has_report("cuMemAlloc #");
}

Test(module, freed_memory_is_a_fault_with_its_name) {
    start();
    CUdeviceptr p = device(64);
    void *params[] = {&p};
    ok(cuMemFree_v2(p));
    ok(cuLaunchKernel(kernel("poke"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
    is(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    has_report("cuMemAlloc #");
}

Test(module, the_warp_size_is_a_constant) {
    start();
    CUmodule m;
    CUfunction f;
    ok(cuModuleLoadData(&m,
                        ".version 7.0\n.target sm_75\n.address_size 64\n"
                        ".visible .entry k(.param .u64 p)\n{\n.reg .b32 %r<2>;\n.reg .b64 %rd<2>;\n"
                        "ld.param.u64 %rd1, [p];\nmov.u32 %r1, WARP_SZ;\n"
                        "st.global.u32 [%rd1], %r1;\nret;\n}\n"));
    ok(cuModuleGetFunction(&f, m, "k"));
    CUdeviceptr p = device(4);
    void *params[] = {&p};
    unsigned got;
    ok(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
    ok(cuMemcpyDtoH_v2(&got, p, 4));
    cr_assert(got == 32);
}

Test(module, null_mode_launches_nothing) {
    setenv("BRAZE_FAKE_NULL", "1", 1);
    start();
    CUdeviceptr p = device(64);
    void *params[] = {&p};
    unsigned got;
    ok(cuMemsetD32_v2(p, 9, 1));
    ok(cuLaunchKernel(kernel("poke"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
    ok(cuMemcpyDtoH_v2(&got, p, 4));
    cr_assert(got == 9);
    cr_assert(braze_fake_commands("kernel") == 1);
}

/* who(out): each block stores its rank plus 10 times the size of its cluster; pair: in pairs, by its text. */
#define WHO(name, more)                                                                            \
    ".visible .entry " name "(.param .u64 out) " more "{\n.reg .b32 %r<4>;\n.reg .b64 %d<4>;\n"    \
    "ld.param.u64 %d1, [out];\nmov.u32 %r1, %ctaid.x;\nmul.wide.u32 %d2, %r1, 4;\nadd.u64 %d1, "   \
    "%d1, %d2;\nmov.u32 %r2, %cluster_ctarank;\nmov.u32 %r3, %cluster_nctarank;\nmad.lo.u32 %r2, " \
    "%r3, 10, %r2;\nst.global.u32 [%d1], %r2;\nret;\n}\n"
static const char clusters[] = ".version 8.0\n.target sm_90\n.address_size 64\n" WHO("who", "")
    WHO("pair", ".reqnctapercluster 2, 1, 1 ") WHO("must", ".explicitcluster .maxclusterrank 4 ");

static CUresult in_clusters(CUfunction f, unsigned blocks, unsigned size, CUdeviceptr *out) {
    CUlaunchAttribute a = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
                           .value.clusterDim = {size, 1, 1}};
    CUlaunchConfig config = {blocks, 1, 1, 32, 1, 1, 0, NULL, &a, 1};
    void *params[] = {out};
    return cuLaunchKernelEx(&config, f, params, NULL);
}

static void expect_clusters(CUdeviceptr out, unsigned size) {
    unsigned got[16];
    ok(cuMemcpyDtoH_v2(got, out, sizeof got));
    for (unsigned k = 0; k < 16; k++)
        cr_assert(got[k] == 10 * size + k % size, "block %u: %u", k, got[k]);
}

static CUfunction cluster_kernel(const char *name) {
    CUmodule module;
    CUfunction f;
    ok(cuModuleLoadData(&module, clusters));
    ok(cuModuleGetFunction(&f, module, name));
    return f;
}

static int attribute_of(CUfunction f, CUfunction_attribute attribute) {
    int value = -1;
    ok(cuFuncGetAttribute(&value, attribute, f));
    return value;
}

Test(module, clusters_of_a_launch) {
    setenv("BRAZE_FAKE_DEVICES", "90", 1);
    start();
    CUdeviceptr out = device(64);
    CUfunction who = cluster_kernel("who"), pair = cluster_kernel("pair"),
               must = cluster_kernel("must");
    void *params[] = {&out};
    ok(in_clusters(who, 16, 8, &out));
    expect_clusters(out, 8);
    is(in_clusters(who, 16, 16, &out), CUDA_ERROR_INVALID_CLUSTER_SIZE);
    ok(cuFuncSetAttribute(who, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1));
    ok(in_clusters(who, 16, 16, &out));
    expect_clusters(out, 16);
    is(in_clusters(who, 16, 3, &out), CUDA_ERROR_INVALID_VALUE);
    is(in_clusters(who, 16, 0, &out), CUDA_ERROR_INVALID_VALUE);
    ok(cuFuncSetAttribute(who, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH, 4));
    ok(cuFuncSetAttribute(who, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT, 1));
    ok(cuFuncSetAttribute(who, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH, 1));
    ok(cuLaunchKernel(who, 16, 1, 1, 32, 1, 1, 0, NULL, params, NULL));
    expect_clusters(out, 4);
    is(in_clusters(who, 16, 2, &out), CUDA_ERROR_INVALID_CLUSTER_SIZE);
    cr_assert(attribute_of(pair, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH) == 2);
    is(cuFuncSetAttribute(pair, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH, 4),
       CUDA_ERROR_NOT_PERMITTED);
    ok(cuLaunchKernel(pair, 16, 1, 1, 32, 1, 1, 0, NULL, params, NULL));
    expect_clusters(out, 2);
    is(cuLaunchKernel(pair, 15, 1, 1, 32, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE);
    cr_assert(attribute_of(must, CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET) == 1);
    is(cuLaunchKernel(must, 16, 1, 1, 32, 1, 1, 0, NULL, params, NULL),
       CUDA_ERROR_INVALID_CLUSTER_SIZE);
    ok(in_clusters(must, 16, 4, &out));
    is(in_clusters(must, 16, 8, &out), CUDA_ERROR_INVALID_CLUSTER_SIZE);
    expect_clusters(out, 4);
}

/* Captured with its clusters, given other parameters, still with them. */
Test(module, clusters_of_a_graph) {
    setenv("BRAZE_FAKE_DEVICES", "90", 1);
    start();
    CUdeviceptr one = device(64), two = device(64);
    CUfunction who = cluster_kernel("who");
    CUstream stream;
    CUgraph graph;
    CUgraphExec exec;
    CUgraphNode node;
    size_t n = 1;
    ok(cuStreamCreate(&stream, 1));
    ok(cuStreamBeginCapture_v2(stream, 0));
    CUlaunchAttribute a = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
                           .value.clusterDim = {4, 1, 1}};
    CUlaunchConfig config = {16, 1, 1, 32, 1, 1, 0, stream, &a, 1};
    void *params[] = {&one}, *others[] = {&two};
    ok(cuLaunchKernelEx(&config, who, params, NULL));
    ok(cuStreamEndCapture(stream, &graph));
    ok(cuGraphGetNodes(graph, &node, &n));
    CUDA_KERNEL_NODE_PARAMS_v2 p;
    ok(cuGraphKernelNodeGetParams_v2(node, &p));
    p.kernelParams = others;
    ok(cuGraphKernelNodeSetParams_v2(node, &p));
    ok(cuGraphInstantiateWithFlags(&exec, graph, 0));
    ok(cuGraphLaunch(exec, stream));
    ok(cuStreamSynchronize(stream));
    expect_clusters(two, 4);
    p.kernelParams = params;
    ok(cuGraphExecKernelNodeSetParams_v2(exec, node, &p));
    ok(cuGraphLaunch(exec, stream));
    ok(cuStreamSynchronize(stream));
    expect_clusters(one, 4);
}

Test(module, clusters_that_fit) {
    setenv("BRAZE_FAKE_DEVICES", "90", 1);
    start();
    CUfunction who = cluster_kernel("who"), pair = cluster_kernel("pair");
    CUlaunchAttribute a = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
                           .value.clusterDim = {4, 1, 1}};
    CUlaunchConfig config = {16, 1, 1, 1024, 1, 1, 0, NULL, &a, 1};
    int n = 0, launchable = 0, blocks = 0, sms = 0;
    ok(cuOccupancyMaxActiveClusters(&n, who, &config));
    ok(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, who, 1024, 0));
    ok(cuDeviceGetAttribute(&sms, 16, 0));
    cr_assert(n == blocks * sms / 4, "%d", n);
    is(cuOccupancyMaxActiveClusters(&n, pair, &config), CUDA_ERROR_INVALID_CLUSTER_SIZE);
    ok(cuOccupancyMaxPotentialClusterSize(&n, who, &config));
    cr_assert(n == 8, "%d", n);
    ok(cuOccupancyMaxPotentialClusterSize(&n, pair, &config));
    cr_assert(n == 2, "%d", n);
    ok(cuDeviceGetAttribute(&launchable, 120, 0));
    cr_assert(launchable == 1);
}
