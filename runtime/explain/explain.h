/* explain.h - explanations from inside: made from any plan, written into any text. */
#ifndef RT_EXPLAIN_H
#define RT_EXPLAIN_H

#include "braze/explain.h"
#include "runtime/exec/device.h"

/* ---- explain.c. measured: the program of the plan, for times (NULL: none). NULL when out of memory. */
bz_explanation *rt_explain(const pass_plan *p, const rt_program *measured, const bz_machine *m);

/* ---- explain_text.c, explain_svg.c */
void rt_explain_text(bz_text *t, const bz_explanation *x);
void rt_explain_json(bz_text *t, const bz_explanation *x);
void rt_explain_svg(bz_text *t, const bz_explanation *x);
/* "1.5 MiB", "980 B"; "1.5 G", "12 k"; "3.2 us": at most room bytes. */
const char *rt_show_bytes(char *dst, size_t room, double n);
const char *rt_show_count(char *dst, size_t room, double n);
const char *rt_show_time(char *dst, size_t room, double ns);
/* The kernel was timed, and faster than memory allows: its operands were in a cache. */
bool rt_from_cache(const bz_kernel_report *k);
/* "add*2 mul exp" and "a.c:3 a.c:4", cut off with "..." at room - 1 bytes. */
void rt_show_ops(char *dst, size_t room, const bz_kernel_report *k);
void rt_show_sites(char *dst, size_t room, const bz_kernel_report *k);

#endif
