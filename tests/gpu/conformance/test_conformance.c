/* test_conformance.c - every spelling against its oracle, a test a group; the oracles against
 * hardware's facts; faults against their codes; every spelling that the zoo's PTX has against the
 * list. */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../zoo.h"
#include "conf.h"
#include "facts.h"
#include "faults.h"

typedef void (*group)(conf_list *);

static const group groups[] = {conf_integers, conf_floats,   conf_converts, conf_memory,
                               conf_warps,    conf_matrices, conf_flow};

static void judge(group g) {
    conf_list list = {0};
    dev *d = dev_open_ptx(120);
    char why[1200];
    cr_assert_not_null(d);
    g(&list);
    for (size_t i = 0; i < list.n; i++)
        cr_expect(conf_run(d, &list.at[i], why, sizeof why, NULL), "%s", why);
    d->ops->close(d);
    conf_free(&list);
}

Test(conformance, integers) {
    judge(conf_integers);
}
Test(conformance, floats) {
    judge(conf_floats);
}
Test(conformance, converts) {
    judge(conf_converts);
}
Test(conformance, memory) {
    judge(conf_memory);
}
Test(conformance, warps) {
    judge(conf_warps);
}
Test(conformance, matrices) {
    judge(conf_matrices);
}
Test(conformance, flow) {
    judge(conf_flow);
}

static conf_list everything(void) {
    conf_list list = {0};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) groups[i](&list);
    return list;
}

Test(conformance, oracles_agree_with_hardware) {
    conf_list list = everything();
    char why[400] = "";
    cr_expect_eq(facts_check(&list, why, sizeof why), 0, "%s", why);
    conf_free(&list);
}

Test(conformance, faults) {
    dev *d = dev_open_ptx(90);
    char why[1200];
    int code[2];
    cr_assert_not_null(d);
    for (size_t i = 0; i < fault_count(); i++)
        cr_expect(fault_run(d, &fault_table[i], code, why, sizeof why), "%s", why);
    d->ops->close(d);
}

/* ---- what real devices answered, where it was recorded (make gpu-vectors) ------------------------- */

/* The hash that the file has for this case, 0 when it has none. */
static uint64_t recorded(const char *golden, const conf_case *c) {
    char key[16];
    snprintf(key, sizeof key, "%08x ", conf_key(c));
    const char *at = strstr(golden, key);
    return at ? strtoull(at + strlen(key), NULL, 16) : 0;
}

Test(conformance, real_answers) {
    glob_t found;
    if (glob("tests/gpu/golden/sm*.txt", 0, NULL, &found) != 0) {
        cr_log_info("no device's answers are recorded");
        return;
    }
    conf_list list = everything();
    dev *d = dev_open_ptx(120);
    char why[1200];
    for (size_t f = 0; d && f < found.gl_pathc; f++) {
        char *golden = zoo_read_file(found.gl_pathv[f]);
        for (size_t i = 0; golden && i < list.n; i++) {
            const conf_case *c = &list.at[i];
            uint64_t want = recorded(golden, c), got = 0;
            bool exact = c->slack.ulp == 0 && c->slack.rel == 0 && c->slack.abs == 0;
            if (!exact || want == 0) continue;
            conf_run(d, c, why, sizeof why, &got);
            cr_expect_eq(got, want, "%s: %s", found.gl_pathv[f], c->text);
        }
        free(golden);
    }
    if (d) d->ops->close(d);
    globfree(&found);
    conf_free(&list);
}

/* ---- no spelling without a case -------------------------------------------------------------- */

/* The instruction's name at the start of a line, after a guard, or an empty string. */
static const char *spelling(const char *line, char *name, size_t cap) {
    size_t n = 0;
    line += strspn(line, " \t{");
    if (*line == '@') {
        line += strcspn(line, " \t\n");
        line += strspn(line, " \t");
    }
    while (islower((unsigned char)line[n]) ||
           (n > 0 && (isalnum((unsigned char)line[n]) || strchr("._:", line[n]))))
        if (++n + 1 >= cap || line[n] == '\0') break;
    snprintf(name, cap, "%.*s", (int)n, line);
    return name;
}

static bool has_spelling(const char *text, const char *name) {
    size_t n = strlen(name);
    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name))
        if ((at == text || strchr(" \t\n", at[-1])) && strchr(" ;\n", at[n])) return true;
    return false;
}

static bool is_covered(const conf_list *list, const char *name) {
    static char text[16384];
    for (size_t i = 0; i < list->n; i++) {
        conf_ptx(&list->at[i], text,
                 sizeof text); /* moves and address arithmetic of every kernel count */
        if (has_spelling(text, name)) return true;
        if (i > 0 && list->at[i].text[0] == '\0') break;
    }
    return false;
}

static void expect_covered(const conf_list *list, const char *ptx, const char *file) {
    char seen[8192] = " ", name[80], key[82];
    for (const char *line = strchr(ptx, '{'); line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        spelling(line, name, sizeof name);
        snprintf(key, sizeof key, " %s ", name);
        const char *end = line + strcspn(line, ";:\n");
        if (name[0] == '\0' || *end != ';' || strstr(seen, key) ||
            strlen(seen) + strlen(key) >= sizeof seen)
            continue;
        strcat(seen, key);
        cr_expect(is_covered(list, name), "%s in %s has no conformance case", name, file);
    }
}

/* What sm_90a alone has needs warpgroups and clusters: tests/ptx/test_wgmma.c, test_cluster.c. */
Test(conformance, covers_the_zoo) {
    conf_list list = everything();
    for (size_t i = 0; i < zoo_count(); i++)
        for (unsigned sm = zoo_at(i)->min_sm; sm <= 100 && !zoo_at(i)->only_sm;
             sm += 100 - zoo_at(i)->min_sm) {
            char path[200];
            snprintf(path, sizeof path, "tests/gpu/zoo/ptx/%s.%u.ptx", zoo_at(i)->file, sm);
            char *ptx = zoo_read_file(path);
            cr_assert_not_null(ptx, "%s", path);
            expect_covered(&list, ptx, path);
            free(ptx);
            if (sm == 100) break;
        }
    conf_free(&list);
}
