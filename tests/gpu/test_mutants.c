/* test_mutants.c - the daily part of the mutation proof: a sample of the kernels' mutants, all of the
 * client's. `make -f mk/gpu.mk gpu-mutate` tries every one. */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { NO_COMPILER = 3 };

static int run(const char *command) {
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(mutants, kernels) {
    int status =
        run("build/gpu/mutate --sample 150 --reasons tests/gpu/mutate_survivors.txt kernels");
    if (status == NO_COMPILER) cr_skip("no NVRTC");
    cr_expect_eq(status, 0);
}

Test(mutants, client) {
    if (run("cc --version >/dev/null 2>&1") != 0) cr_skip("no C compiler");
    cr_expect_eq(run("build/gpu/mutate --reasons tests/gpu/mutate_survivors.txt host "
                     "tests/gpu/host_client.c build/libbraze-fakecuda.so"),
                 0);
}
