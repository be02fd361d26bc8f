/* vectors.c - conformance, faults and zoo on a real driver and on the interpreter, side by side.
 *
 *      gpu_vectors [GOLDEN]      the driver is $BRAZE_LIBCUDA, else libcuda.so.1
 *
 * Prints every case in which the driver disagrees with the oracle or with the interpreter, then
 * writes the driver's answers to GOLDEN, a line a case: "key hash" (of the case's text, of all its
 * results), so that the file stays small. test_conformance compares the interpreter with
 * tests/gpu/golden/sm*.txt. Without a device: says so, status 0. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/conf.h"
#include "conformance/faults.h"
#include "zoo.h"

static unsigned differences;

static void differ(const char *who, const char *why) {
    differences++;
    printf("%s: %s\n", who, why);
}

static void run_conformance(dev *real, dev *emulated, FILE *golden) {
    void (*const groups[])(conf_list *) = {conf_integers, conf_floats,   conf_converts, conf_memory,
                                           conf_warps,    conf_matrices, conf_flow};
    conf_list list = {0};
    char why[1200];
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) groups[i](&list);
    for (size_t i = 0; i < list.n; i++) {
        const conf_case *c = &list.at[i];
        uint64_t answers[2] = {0};
        if (c->sm > real->sm) continue;
        if (!conf_run(real, c, why, sizeof why, &answers[0])) differ("driver against oracle", why);
        if (!conf_run(emulated, c, why, sizeof why, &answers[1]))
            differ("interpreter against oracle", why);
        if (answers[0] != answers[1] && c->slack.ulp == 0 && c->slack.rel == 0 && c->slack.abs == 0)
            differ("driver against interpreter", c->text);
        if (golden) fprintf(golden, "%08x %016llx\n", conf_key(c), (unsigned long long)answers[0]);
    }
    printf("%zu conformance cases\n", list.n);
    conf_free(&list);
}

static void run_faults(dev *real, dev *emulated) {
    char why[1200];
    int code[2];
    for (size_t i = 0; i < fault_count(); i++) {
        if (!fault_run(real, &fault_table[i], code, why, sizeof why)) differ("driver", why);
        if (!fault_run(emulated, &fault_table[i], code, why, sizeof why))
            differ("interpreter", why);
    }
    printf("%zu faults\n", fault_count());
}

static void run_zoo(dev *real, dev *emulated) {
    char why[1200];
    for (size_t i = 0; i < zoo_count(); i++) {
        const zoo_case *c = zoo_at(i);
        char *ptx =
            zoo_fits(c, real->sm) ? zoo_ptx(c->file, zoo_arch(c, real->sm), why, sizeof why) : NULL;
        if (!ptx) continue;
        if (zoo_run(real, c, ptx, 1, 0, why, sizeof why) != ZOO_CLEAN) {
            printf("%s ", c->name);
            differ("on the driver", why);
        }
        if (zoo_run(emulated, c, ptx, 1, 0, why, sizeof why) != ZOO_CLEAN) {
            printf("%s ", c->name);
            differ("on the interpreter", why);
        }
        free(ptx);
    }
    printf("%zu zoo cases\n", zoo_count());
}

int main(int argc, char **argv) {
    const char *path = getenv("BRAZE_LIBCUDA");
    char why[400];
    dev *real = dev_open_driver(path ? path : "libcuda.so.1", why, sizeof why);
    if (!real) {
        printf("no device (%s)\n", why);
        return 0;
    }
    dev *emulated = dev_open_ptx(real->sm);
    FILE *golden = argc > 1 ? fopen(argv[1], "wb") : NULL;
    if (!emulated || (argc > 1 && !golden)) {
        fprintf(stderr, "gpu_vectors: cannot start\n");
        return 3;
    }
    printf("driver %s, sm_%u\n", path ? path : "libcuda.so.1", real->sm);
    run_conformance(real, emulated, golden);
    run_faults(real, emulated);
    run_zoo(real, emulated);
    if (golden) fclose(golden);
    real->ops->close(real);
    emulated->ops->close(emulated);
    printf("%u differences\n", differences);
    return differences == 0 ? 0 : 1;
}
