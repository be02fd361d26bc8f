/* conf.h - conformance: one tiny kernel an opcode spelling, judged by an oracle that knows only
 * the ISA.
 *
 *      text "add.s32 $0, $1, $2;"  signature "w:ww"  --conf_ptx--> kernel: load $1 $2, run, store
 * $0
 *      domain (edges, random, all 16 bits) --> rows of operands --> device, oracle --> the same
 * bits?
 *
 * The oracles are written from the PTX ISA's words with integer arithmetic and MPFR. They share
 * nothing with the interpreter: no table, no header, no helper. A row is one thread; 128 threads
 * make a block. */
#ifndef CONF_H
#define CONF_H

#include "../dev.h"

/* A signature lists the registers, results before the colon, operands behind it; each letter gives
 * the width and which values are tried:
 *   p predicate   b 8 bits in a 32-bit register   h w d integers of 16, 32, 64 bits   s 32 bits, 0
 * to 70
 *   H B F D floats f16, bf16, f32, f64   X Y pairs f16x2, bf16x2   q t small exact f16x2, bf16x2
 *   P pairs f32x2   8 5 four small exact e4m3, e5m2
 *   e small exact f32   E small exact f64   i a word whose four bytes are arbitrary   n f32 in
 * [-4, 4] A result's letter says how it is compared: floats by value (any NaN is any NaN), else by
 * bits. */
enum { CONF_MAX_REGS = 24, CONF_MAX_TEXT = 640 };

typedef struct conf_case conf_case;

/* Writes the results of one row (thread): r[0..] from operands v[0..]. */
typedef void (*conf_row)(const conf_case *c, const uint64_t *v, uint64_t *r);
/* Writes the results of 32 rows (a warp) at once; `first` is the first thread's number in the
 * grid. */
typedef void (*conf_warp)(const conf_case *c, unsigned first, const uint64_t *v, uint64_t *r);

/* How far an approximation may be off; 0 everywhere: not at all. */
typedef struct {
    double ulp, rel, abs; /* any of them suffices */
} conf_slack;

/* What the oracles of floats and conversions need to know. */
typedef struct {
    int op, to, from, round, flags;
} conf_spec;

/* In a text $0.. are the registers of the signature; %sa %ga the address of 16 bytes of the thread's
 * own in shared and in global memory; %i the thread's number in the grid; p_bytes a parameter of 16
 * bytes. */
struct conf_case {
    char text[CONF_MAX_TEXT];
    const char *decl; /* module-level text before the kernel, or NULL */
    char sig[CONF_MAX_REGS + 2];
    unsigned sm;
    conf_row row;
    conf_warp warp;
    conf_spec spec;
    conf_slack slack;
};

/* A growing list; conf_add returns a zeroed case with text and signature set. Aborts when memory
 * is out. */
typedef struct {
    conf_case *at;
    size_t n, cap;
} conf_list;

conf_case *conf_add(conf_list *list, unsigned sm, const char *sig, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void conf_free(conf_list *list);

/* What the kernel's parameter p_bytes, a structure of 16 bytes, holds. */
extern const uint8_t conf_param_bytes[16];

unsigned conf_results(const conf_case *c);
unsigned conf_operands(const conf_case *c);

/* The kernel "k" of a case as PTX text for the case's own oldest target. */
void conf_ptx(const conf_case *c, char *text, size_t cap);

/* Names a case in a file of recorded answers. */
uint32_t conf_key(const conf_case *c);

/* Runs one case; false with a sentence about the first difference in `why`. When `answers` is not
 * NULL the device's results are hashed into it. */
bool conf_run(dev *d, const conf_case *c, char *why, size_t cap, uint64_t *answers);

/* The groups: each adds its cases. */
void conf_integers(conf_list *list); /* int.c */
void conf_floats(conf_list *list);   /* float.c */
void conf_converts(conf_list *list); /* convert.c */
void conf_memory(conf_list *list);   /* memory.c */
void conf_warps(conf_list *list);    /* warp.c */
void conf_matrices(conf_list *list); /* matrix.c */
void conf_flow(conf_list *list);     /* flow.c */

#endif
