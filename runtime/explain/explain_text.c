/* explain_text.c - an explanation as a table for people and as JSON for programs. */
#include "runtime/explain/explain.h"

#include <stdio.h>
#include <string.h>

/* ---- numbers for people */

static const char *show(char *dst, size_t room, double v, double step, const char *const *units,
                        unsigned n) {
    unsigned i = 0;
    while (i + 1 < n && v >= step * 0.9995) {
        v /= step;
        i++;
    }
    bz_snprintf(dst, room, v >= 99.95 || v == (double)(int64_t)v ? "%.0f %s" : "%.1f %s", v,
                units[i]);
    return dst;
}

const char *rt_show_bytes(char *dst, size_t room, double n) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    return show(dst, room, n, 1024, units, BZ_LEN(units));
}

const char *rt_show_count(char *dst, size_t room, double n) {
    static const char *const units[] = {"", "k", "M", "G", "T"};
    return show(dst, room, n, 1000, units, BZ_LEN(units));
}

const char *rt_show_time(char *dst, size_t room, double ns) {
    static const char *const units[] = {"ns", "us", "ms", "s"};
    return show(dst, room, ns, 1000, units, BZ_LEN(units));
}

bool rt_from_cache(const bz_kernel_report *k) {
    return k->ns > 0 && k->memory_bound && k->limit_ns > k->ns;
}

/* Appends a word and a blank; false when the rest is "...". */
static bool add_word(char *dst, size_t room, const char *word, int count) {
    char text[256];
    size_t at = strlen(dst);
    snprintf(text, sizeof text, count > 1 ? "%s%s*%d" : "%s%s", at ? " " : "", word, count);
    if (at + strlen(text) + 5 > room) {
        snprintf(dst + at, room - at, " ...");
        return false;
    }
    memcpy(dst + at, text, strlen(text) + 1);
    return true;
}

void rt_show_ops(char *dst, size_t room, const bz_kernel_report *k) {
    *dst = 0;
    for (int i = 0; i < k->nops && add_word(dst, room, k->ops[i], k->op_counts[i]);) i++;
}

void rt_show_sites(char *dst, size_t room, const bz_kernel_report *k) {
    *dst = 0;
    for (int i = 0; i < k->nsites && add_word(dst, room, k->sites[i], 1);) i++;
}

/* ---- the table */

static void print_times(bz_text *t, const bz_kernel_report *k) {
    char limit[24] = "-", took[24] = "-", share[24] = "";
    if (k->limit_ns > 0) rt_show_time(limit, sizeof limit, k->limit_ns);
    if (k->ns > 0) rt_show_time(took, sizeof took, k->ns);
    if (rt_from_cache(k))
        snprintf(share, sizeof share, "from cache");
    else if (k->ns > 0 && k->limit_ns > 0)
        bz_snprintf(share, sizeof share, "%.0f%%", k->limit_ns / k->ns * 100);
    bz_textf(t, " %9s %-7s %9s  %s\n", limit,
             k->limit_ns <= 0  ? ""
             : k->memory_bound ? "memory"
                               : "compute",
             took, share);
}

static void print_kernel(bz_text *t, int number, const bz_kernel_report *k) {
    char in[24], out[24], flops[24], ops[200], sites[200];
    bz_textf(t, "%3d  %-28.28s %9s %9s %9s", number, k->name,
             rt_show_bytes(in, sizeof in, (double)k->bytes_read),
             rt_show_bytes(out, sizeof out, (double)k->bytes_written),
             rt_show_count(flops, sizeof flops, (double)k->flops));
    print_times(t, k);
    rt_show_ops(ops, sizeof ops, k);
    rt_show_sites(sites, sizeof sites, k);
    if (*ops) bz_textf(t, "       %s", ops);
    if (k->segments > 1) bz_textf(t, "  (%d parts side by side)", k->segments);
    bz_text_str(t, *ops || k->segments > 1 ? "\n" : "");
    if (*sites) bz_textf(t, "       at %s\n", sites);
    if (*k->sizes) bz_textf(t, "       sizes told at launch: %s\n", k->sizes);
}

static void print_total(bz_text *t, const bz_explanation *x) {
    bz_kernel_report sum = {.name = "all"};
    for (int i = 0; i < x->nkernels; i++) {
        sum.bytes_read += x->kernels[i].bytes_read;
        sum.bytes_written += x->kernels[i].bytes_written;
        sum.flops += x->kernels[i].flops;
        sum.limit_ns += x->kernels[i].limit_ns;
        sum.ns += x->kernels[i].ns;
    }
    char in[24], out[24], flops[24], limit[24], took[24];
    bz_textf(t, "     %-28s %9s %9s %9s %9s %-7s %9s\n", "all",
             rt_show_bytes(in, sizeof in, (double)sum.bytes_read),
             rt_show_bytes(out, sizeof out, (double)sum.bytes_written),
             rt_show_count(flops, sizeof flops, (double)sum.flops),
             rt_show_time(limit, sizeof limit, sum.limit_ns), "",
             sum.ns > 0 ? rt_show_time(took, sizeof took, sum.ns) : "-");
}

static void print_apart(bz_text *t, const bz_apart_report *a) {
    bz_textf(t, "  %s%s%s", a->producer, *a->producer_site ? " at " : "", a->producer_site);
    if (a->producer_kernel >= 0) bz_textf(t, " (kernel %d)", a->producer_kernel);
    bz_textf(t, " | %s%s%s", a->consumer, *a->consumer_site ? " at " : "", a->consumer_site);
    if (a->consumer_kernel >= 0) bz_textf(t, " (kernel %d)", a->consumer_kernel);
    bz_textf(t, ": %s\n", a->reason);
}

void rt_explain_text(bz_text *t, const bz_explanation *x) {
    char arena[24], least[24], kept[24], bytes[24], flops[24];
    bz_textf(t, "%d kernel%s; temporaries %s (at least %s)", x->nkernels,
             x->nkernels == 1 ? "" : "s",
             rt_show_bytes(arena, sizeof arena, (double)x->arena_bytes),
             rt_show_bytes(least, sizeof least, (double)x->arena_bound));
    if (x->kept_bytes)
        bz_textf(t, "; packed to stay %s", rt_show_bytes(kept, sizeof kept, (double)x->kept_bytes));
    bz_text_str(t, "\n");
    if (x->machine.bytes_per_s > 0)
        bz_textf(t, "machine: %d threads, copies %s/s, %sflop/s\n", x->machine.threads,
                 rt_show_bytes(bytes, sizeof bytes, x->machine.bytes_per_s),
                 rt_show_count(flops, sizeof flops, x->machine.flops_per_s));
    bz_textf(t, "\n%3s  %-28s %9s %9s %9s %9s %-7s %9s  %s\n", "", "kernel", "read", "written",
             "flops", "limit", "", "took", "of limit");
    for (int i = 0; i < x->nkernels; i++) print_kernel(t, i, &x->kernels[i]);
    print_total(t, x);
    if (x->napart) bz_text_str(t, "\nneighbours that stayed apart\n");
    for (int i = 0; i < x->napart; i++) print_apart(t, &x->apart[i]);
}

/* ---- JSON */

static void key_text(bz_text *t, const char *key, const char *value) {
    bz_textf(t, "\"%s\": ", key);
    bz_text_json(t, value);
}

static void json_kernel(bz_text *t, const bz_kernel_report *k) {
    bz_text_str(t, "{");
    key_text(t, "name", k->name);
    bz_text_str(t, ", \"ops\": {");
    for (int i = 0; i < k->nops; i++)
        bz_textf(t, "%s\"%s\": %d", i ? ", " : "", k->ops[i], k->op_counts[i]);
    bz_text_str(t, "}, \"sites\": [");
    for (int i = 0; i < k->nsites; i++) {
        bz_text_str(t, i ? ", " : "");
        bz_text_json(t, k->sites[i]);
    }
    bz_text_str(t, "], \"sizes\": ");
    bz_text_json(t, k->sizes);
    bz_textf(t,
             ", \"segments\": %d, \"bytes_read\": %lld, \"bytes_written\": %lld, \"flops\": %lld, "
             "\"specials\": %lld",
             k->segments, (long long)k->bytes_read, (long long)k->bytes_written,
             (long long)k->flops, (long long)k->specials);
    bz_textf(t, ", \"limit_ns\": %.3f, \"bound\": \"%s\", \"runs\": %llu, \"ns\": %.3f}",
             k->limit_ns, k->memory_bound ? "memory" : "compute", (unsigned long long)k->runs,
             k->ns);
}

static void json_flow(bz_text *t, const bz_flow_report *f) {
    bz_textf(t, "{\"from\": %d, \"to\": %d, ", f->from, f->to);
    key_text(t, "name", f->name);
    bz_textf(t, ", \"dtype\": \"%s\", \"bytes\": %lld}", ir_dtypes[f->dtype].name,
             (long long)f->bytes);
}

static void json_apart(bz_text *t, const bz_apart_report *a) {
    const char *const keys[] = {"producer", "consumer", "producer_site", "consumer_site", "reason"};
    const char *const values[] = {a->producer, a->consumer, a->producer_site, a->consumer_site,
                                  a->reason};
    bz_text_str(t, "{");
    for (size_t i = 0; i < BZ_LEN(keys); i++) {
        key_text(t, keys[i], values[i]);
        bz_text_str(t, ", ");
    }
    bz_textf(t, "\"producer_kernel\": %d, \"consumer_kernel\": %d}", a->producer_kernel,
             a->consumer_kernel);
}

void rt_explain_json(bz_text *t, const bz_explanation *x) {
    bz_textf(t, "{\"machine\": {\"threads\": %d, \"bytes_per_s\": %.0f, \"flops_per_s\": %.0f},\n",
             x->machine.threads, x->machine.bytes_per_s, x->machine.flops_per_s);
    bz_textf(
        t, " \"arena_bytes\": %lld, \"arena_bound\": %lld, \"kept_bytes\": %lld,\n \"kernels\": [",
        (long long)x->arena_bytes, (long long)x->arena_bound, (long long)x->kept_bytes);
    for (int i = 0; i < x->nkernels; i++) {
        bz_text_str(t, i ? ",\n  " : "\n  ");
        json_kernel(t, &x->kernels[i]);
    }
    bz_text_str(t, "],\n \"flows\": [");
    for (int i = 0; i < x->nflows; i++) {
        bz_text_str(t, i ? ",\n  " : "\n  ");
        json_flow(t, &x->flows[i]);
    }
    bz_text_str(t, "],\n \"apart\": [");
    for (int i = 0; i < x->napart; i++) {
        bz_text_str(t, i ? ",\n  " : "\n  ");
        json_apart(t, &x->apart[i]);
    }
    bz_text_str(t, "]}\n");
}
