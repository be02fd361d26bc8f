/* kreport.c - the report on kernels for a GPU as text and as JSON. */
#include "tools/kreport.h"
#include "runtime/explain/explain.h"

#include <stdio.h>

double kreport_vectors(const cubin_kernel *k) {
    const unsigned all = k->global[CUBIN_32] + k->global[CUBIN_64] + k->global[CUBIN_128];
    return all ? (double)k->global[CUBIN_128] / all : -1;
}

/* Turns in which the blocks of the grid go through all processors. */
static double waves(const kreport_machine *m, const kreport_function *f) {
    const unsigned at_once = f->fit.blocks * m->kind->processors;
    return at_once ? (double)f->grid.blocks / at_once : 0;
}

/* ---- text */

static void print_function(bz_text *t, const kreport_machine *m, const kreport_function *f) {
    const cubin_kernel *k = &f->code;
    char vectors[16] = "-";
    if (kreport_vectors(k) >= 0) bz_snprintf(vectors, sizeof vectors, "%.2f", kreport_vectors(k));
    bz_textf(t, " %4u %5u %5u %6u %7u %7u %5.2f %3.0f%% %-9s %4s %6u", k->registers, k->spilled,
             k->frame, k->shared, f->grid.threads, f->grid.blocks, waves(m, f), f->fit.share * 100,
             f->fit.limit, vectors, k->all);
}

static void print_mix(bz_text *t, const cubin_kernel *k) {
    bz_text_str(t, "      ");
    for (unsigned c = 0; c < CUBIN_NCLASSES; c++)
        if (k->mix[c]) bz_textf(t, " %s %u", cubin_classes[c], k->mix[c]);
    bz_text_str(t, "\n");
}

static void print_launch(bz_text *t, const kreport_machine *m, uint32_t number) {
    const kreport_launch *l = &m->launches[number];
    char bytes[24], flops[24], ns[24];
    for (uint32_t i = 0; i < l->n; i++) {
        if (i == 0)
            bz_textf(t, "%3u  %-28.28s", number, l->of->name);
        else
            bz_textf(t, "       %-26.26s", l->functions[i].name);
        print_function(t, m, &l->functions[i]);
        if (i == 0)
            bz_textf(t, " %9s %8s %9s %s", rt_show_bytes(bytes, sizeof bytes, l->work.bytes),
                     rt_show_count(flops, sizeof flops, l->work.flops),
                     rt_show_time(ns, sizeof ns, l->roof.ns), l->roof.bound);
        bz_text_str(t, "\n");
        print_mix(t, &l->functions[i].code);
    }
}

void kreport_text(bz_text *t, const kreport_machine *m) {
    char flops[24];
    const gpu_kind *g = m->kind;
    double sum = 0;
    bz_textf(t, "%s; limits are estimates for a card, %s: %u processors, %.0f GB/s, %sflop/s\n",
             g->name, g->card, g->processors, g->bytes_per_s / 1e9,
             rt_show_count(flops, sizeof flops, 2.0 * g->f32 * g->processors * g->hz));
    bz_textf(t, "%3s  %-28s %4s %5s %5s %6s %7s %7s %5s %4s %-9s %4s %6s %9s %8s %9s\n", "",
             "kernel", "regs", "spill", "frame", "shared", "threads", "blocks", "waves", "occ",
             "by", "128", "instr", "bytes", "flops", "limit");
    for (uint32_t i = 0; i < m->n; i++) {
        print_launch(t, m, i);
        sum += m->launches[i].roof.ns;
    }
    bz_textf(t, "%3s  %-28s %91s %9s\n\n", "", "all", "", rt_show_time(flops, sizeof flops, sum));
}

/* ---- JSON */

static void json_function(bz_text *t, const kreport_machine *m, const kreport_function *f) {
    const cubin_kernel *k = &f->code;
    bz_textf(t,
             "{\"name\": \"%s\", \"registers\": %u, \"spilled\": %u, \"frame\": %u, \"shared\": "
             "%u, \"threads\": %u, \"blocks\": %u, \"waves\": %.3f, \"occupancy\": %.4f, "
             "\"resident\": %u, \"occupancy_limit\": \"%s\", ",
             f->name, k->registers, k->spilled, k->frame, k->shared, f->grid.threads,
             f->grid.blocks, waves(m, f), f->fit.share, f->fit.blocks, f->fit.limit);
    bz_textf(t, "\"global\": {\"32\": %u, \"64\": %u, \"128\": %u}, \"share_128\": ",
             k->global[CUBIN_32], k->global[CUBIN_64], k->global[CUBIN_128]);
    if (kreport_vectors(k) < 0)
        bz_text_str(t, "null");
    else
        bz_textf(t, "%.4f", kreport_vectors(k));
    bz_textf(t,
             ", \"instructions\": %u, \"barriers\": %u, \"loop\": {\"instructions\": %u, "
             "\"fma\": %u, \"matrix\": %u, \"ldmatrix\": %u}, \"mix\": {",
             k->all, k->barriers, k->loop, k->loop_fma, k->loop_matrix, k->loop_ldmatrix);
    for (unsigned c = 0; c < CUBIN_NCLASSES; c++)
        bz_textf(t, "%s\"%s\": %u", c ? ", " : "", cubin_classes[c], k->mix[c]);
    bz_text_str(t, "}}");
}

static void json_launch(bz_text *t, const kreport_machine *m, const kreport_launch *l) {
    bz_textf(t,
             "{\"name\": \"%s\", \"bytes_read\": %lld, \"bytes_written\": %lld, \"flops\": %lld, "
             "\"specials\": %lld, ",
             l->of->name, (long long)l->of->bytes_read, (long long)l->of->bytes_written,
             (long long)l->of->flops, (long long)l->of->specials);
    bz_textf(t,
             "\"memory_ns\": %.3f, \"math_ns\": %.3f, \"special_ns\": %.3f, \"launch_ns\": %.3f, "
             "\"limit_ns\": %.3f, \"bound\": \"%s\", \"functions\": [",
             l->roof.memory, l->roof.math, l->roof.special, l->roof.launch, l->roof.ns,
             l->roof.bound);
    for (uint32_t i = 0; i < l->n; i++) {
        bz_text_str(t, i ? ",\n    " : "\n    ");
        json_function(t, m, &l->functions[i]);
    }
    bz_text_str(t, "]}");
}

void kreport_json(bz_text *t, const kreport_machine *m) {
    const gpu_kind *g = m->kind;
    bz_textf(t,
             "{\"arch\": \"%s\", \"estimates\": {\"card\": \"%s\", \"processors\": %u, \"hz\": "
             "%.0f, \"bytes_per_s\": %.0f, \"flops_per_s\": %.0f},\n  \"kernels\": [",
             g->name, g->card, g->processors, g->hz, g->bytes_per_s,
             2.0 * g->f32 * g->processors * g->hz);
    for (uint32_t i = 0; i < m->n; i++) {
        bz_text_str(t, i ? ",\n   " : "\n   ");
        json_launch(t, m, &m->launches[i]);
    }
    bz_text_str(t, "]}");
}
