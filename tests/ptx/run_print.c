/* run_print.c - findings, counters and statuses for people and, with --json, for programs. */
#include "ptxrun.h"

#include <string.h>

void json_text(FILE *out, const char *text) {
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c < 32)
            fprintf(out, "\\u%04x", *c);
        else
            fputc(*c, out);
    }
    fputc('"', out);
}

void print_report(void *ctx, const ptx_report *r) {
    run_printer *p = ctx;
    if (!p->json) {
        fprintf(p->out, "seed %llu: %s", (unsigned long long)p->seed, r->text);
        fprintf(p->out, r->count > 1 ? " (%llu times)\n" : "\n", (unsigned long long)r->count);
        return;
    }
    fprintf(p->out, "%s\n    {\"seed\": %llu, \"kind\": ", p->first ? "" : ",",
            (unsigned long long)p->seed);
    json_text(p->out, ptx_report_name(r->kind));
    fprintf(p->out, ", \"kernel\": ");
    json_text(p->out, r->kernel);
    fprintf(p->out, ", \"ptx_line\": %u, \"file\": ", r->ptx_line);
    json_text(p->out, r->file ? r->file : "");
    fprintf(p->out, ", \"cuda_line\": %u, \"block\": [%u, %u, %u], \"thread\": [%u, %u, %u]",
            r->cuda_line, r->block[0], r->block[1], r->block[2], r->thread[0], r->thread[1],
            r->thread[2]);
    fprintf(p->out, ", \"address\": %llu, \"owner\": ", (unsigned long long)r->address);
    json_text(p->out, r->owner ? r->owner : "");
    fprintf(p->out, ", \"count\": %llu, \"text\": ", (unsigned long long)r->count);
    json_text(p->out, r->text);
    fputc('}', p->out);
    p->first = false;
}

void print_status(run_printer *p, const ptx_result *r) {
    if (p->json || r->status == PTX_OK) return;
    fprintf(p->out, "seed %llu ended with: %s%s%s\n", (unsigned long long)p->seed,
            ptx_status_name(r->status), r->status == PTX_INVALID ? ": " : "",
            r->status == PTX_INVALID ? r->message : "");
}

void print_counters(run_printer *p, const ptx_counters *c, double seconds) {
    if (p->json)
        fprintf(p->out, "\"seconds\": %.6f", seconds);
    else
        fprintf(p->out, "counters of one run (%.3f ms, %.2f G lane instructions/s):\n",
                seconds * 1e3, (double)c->lane_instructions / seconds * 1e-9);
    for (size_t k = 0; k < PTX_COUNTER_NAMES; k++)
        fprintf(p->out, p->json ? ",\n    \"%s\": %llu" : "  %-28s %llu\n", ptx_counter_names[k],
                (unsigned long long)((const uint64_t *)(const void *)c)[k]);
    for (unsigned k = 0; k < PTX_CLASSES; k++)
        if (c->by_class[k])
            fprintf(p->out, p->json ? ",\n    \"class_%s\": %llu" : "  instructions: %-14s %llu\n",
                    ptx_class_names[k], (unsigned long long)c->by_class[k]);
}
