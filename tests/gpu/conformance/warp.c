/* warp.c - instructions in which the lanes of a warp speak to each other, and what a lane knows of
 * itself. */
#include <stdio.h>
#include <string.h>

#include "conf.h"

enum { LANES = 32 };

/* ---- shfl.sync ------------------------------------------------------------------------------- */

enum { UP, DOWN, BFLY, IDX };

static void warp_shfl(const conf_case *c, unsigned first, const uint64_t *v, uint64_t *r) {
    (void)first;
    for (int lane = 0; lane < LANES; lane++) {
        int by = (int)(v[lane * 3 + 1] & 31), clamp = (int)(v[lane * 3 + 2] & 31);
        int segment = (int)(v[lane * 3 + 2] >> 8 & 31);
        int max = (lane & segment) | (clamp & ~segment), min = lane & segment;
        int from = c->spec.op == UP     ? lane - by
                   : c->spec.op == DOWN ? lane + by
                   : c->spec.op == BFLY ? lane ^ by
                                        : min | (by & ~segment);
        bool inside = c->spec.op == UP ? from >= max : from <= max;
        r[lane * 2] = v[(inside ? from : lane) * 3];
        r[lane * 2 + 1] = inside;
    }
}

/* ---- vote, match, redux ---------------------------------------------------------------------- */

enum { ALL, ANY, UNI, BALLOT, ADD, MIN, MAX, AND, OR, XOR };

static uint32_t ballot(const uint64_t *v) {
    uint32_t set = 0;
    for (int lane = 0; lane < LANES; lane++) set |= (uint32_t)v[lane] << lane;
    return set;
}

static void warp_vote(const conf_case *c, unsigned first, const uint64_t *v, uint64_t *r) {
    uint32_t live = c->spec.flags ? 0x00ffff00u : ~0u, set = ballot(v) & live;
    (void)first;
    for (int lane = 0; lane < LANES; lane++) {
        if (!(live >> lane & 1))
            r[lane] =
                c->spec.op == BALLOT ? 7 : 0; /* what the kernel gives lanes that stayed out */
        else
            r[lane] = c->spec.op == ALL   ? set == live
                      : c->spec.op == ANY ? set != 0
                      : c->spec.op == UNI ? set == live || set == 0
                                          : set;
    }
}

static void warp_match_any(const conf_case *c, unsigned first, const uint64_t *v, uint64_t *r) {
    uint64_t keep = c->spec.to == 64 ? 0x8000000000000001u : 5;
    (void)first;
    for (int lane = 0; lane < LANES; lane++) {
        r[lane] = 0;
        for (int other = 0; other < LANES; other++)
            r[lane] |= (uint64_t)((v[lane] & keep) == (v[other] & keep)) << other;
    }
}

/* Every third warp agrees: the kernel clears its values. */
static void warp_match_all(const conf_case *c, unsigned first, const uint64_t *v, uint64_t *r) {
    bool same = first / LANES % 3 == 0;
    (void)c;
    for (int lane = 1; !same && lane < LANES; lane++)
        if (v[lane] != v[0]) break;
    for (int lane = 0; lane < LANES; lane++) {
        r[lane * 2] = same ? 0xffffffff : 0;
        r[lane * 2 + 1] = same;
    }
}

static uint32_t fold(const conf_case *c, uint32_t a, uint32_t b) {
    bool less = c->spec.from ? (int32_t)a < (int32_t)b : a < b;
    switch (c->spec.op) {
    case ADD: return a + b;
    case MIN: return less ? a : b;
    case MAX: return less ? b : a;
    case AND: return a & b;
    case OR: return a | b;
    default: return a ^ b;
    }
}

/* flags: only the lower half of the lanes takes part, the upper half keeps its operand. */
static void warp_redux(const conf_case *c, unsigned first, const uint64_t *v, uint64_t *r) {
    int n = c->spec.flags ? 16 : LANES;
    uint32_t sum = (uint32_t)v[0];
    (void)first;
    for (int lane = 1; lane < n; lane++) sum = fold(c, sum, (uint32_t)v[lane]);
    for (int lane = 0; lane < LANES; lane++) r[lane] = lane < n ? sum : v[lane];
}

static void warp_bar_red(const conf_case *c, unsigned first, const uint64_t *v, uint64_t *r) {
    uint32_t set = ballot(v);
    uint64_t count = 0;
    (void)first;
    for (; set; set &= set - 1) count++;
    for (int lane = 0; lane < LANES; lane++)
        r[lane] = c->spec.op == ADD ? count : c->spec.op == AND ? count == LANES : count > 0;
}

static void warp_active(const conf_case *c, unsigned first, const uint64_t *v, uint64_t *r) {
    (void)c;
    (void)first;
    for (int lane = 0; lane < LANES; lane++)
        r[lane] = v[lane] ? ballot(v) : ~ballot(v) & 0xffffffffu;
}

/* ---- what a lane knows ----------------------------------------------------------------------- */

static const struct {
    const char *name;
    int op;
} specials[] = {{"laneid", 0},      {"lanemask_eq", 1}, {"lanemask_lt", 2}, {"lanemask_le", 3},
                {"lanemask_gt", 4}, {"lanemask_ge", 5}, {"tid.x", 6},       {"ntid.x", 7},
                {"ctaid.x", 8},     {"nctaid.x", 9},    {"tid.y", 10},      {"ntid.z", 11},
                {"ctaid.z", 10},    {"nctaid.y", 11},   {"warpid", 12}};

static void warp_special(const conf_case *c, unsigned first, const uint64_t *v, uint64_t *r) {
    (void)v;
    for (unsigned lane = 0; lane < LANES; lane++) {
        uint32_t bit = 1u << lane, below = bit - 1;
        const uint32_t answer[] = {lane,
                                   bit,
                                   below,
                                   below | bit,
                                   ~(below | bit),
                                   ~below,
                                   (first + lane) % 128,
                                   128,
                                   first / 128,
                                   32,
                                   0,
                                   1,
                                   first % 128 / 32};
        r[lane] = answer[c->spec.op];
    }
}

/* ---- the list -------------------------------------------------------------------------------- */

static conf_case *add(conf_list *list, unsigned sm, const char *sig, const char *text, conf_warp f,
                      conf_spec spec) {
    conf_case *c = conf_add(list, sm, sig, "%s", text);
    c->warp = f;
    c->spec = spec;
    return c;
}

static void add_shuffles(conf_list *list) {
    static const char *const modes[] = {"up", "down", "bfly", "idx"};
    for (int op = UP; op <= IDX; op++) {
        char text[160];
        snprintf(text, sizeof text,
                 "and.b32 %%x, $4, 0x1f1f;\nshfl.sync.%s.b32 $0|$1, $2, $3, %%x, -1;", modes[op]);
        add(list, 75, "wp:www", text, warp_shfl, (conf_spec){.op = op});
    }
}

static void add_votes(conf_list *list) {
    static const char *const modes[] = {"all", "any", "uni"};
    for (int op = ALL; op <= UNI; op++) {
        char text[240];
        snprintf(text, sizeof text, "vote.sync.%s.pred $0, $1, -1;", modes[op]);
        add(list, 75, "p:p", text, warp_vote, (conf_spec){.op = op});
        snprintf(text, sizeof text,
                 "mov.u32 %%x, %%laneid;\nsub.u32 %%x, %%x, 8;\nsetp.lt.u32 %%q, %%x, 16;\n"
                 "setp.ne.u32 $0, %%x, %%x;\n@%%q vote.sync.%s.pred $0, $1, 0x00ffff00;",
                 modes[op]);
        add(list, 75, "p:p", text, warp_vote, (conf_spec){.op = op, .flags = 1});
    }
    add(list, 75, "w:p", "vote.sync.ballot.b32 $0, $1, -1;", warp_vote, (conf_spec){.op = BALLOT});
    add(list, 75, "w:p",
        "mov.u32 %x, %laneid;\nsub.u32 %x, %x, 8;\nsetp.lt.u32 %q, %x, 16;\nmov.u32 $0, 7;\n"
        "@%q vote.sync.ballot.b32 $0, $1, 0x00ffff00;",
        warp_vote, (conf_spec){.op = BALLOT, .flags = 1});
    add(list, 75, "w:p", "@$1 activemask.b32 $0;\n@!$1 activemask.b32 $0;", warp_active,
        (conf_spec){0});
}

static void add_matches(conf_list *list) {
    add(list, 75, "w:w", "and.b32 %x, $1, 5;\nmatch.any.sync.b32 $0, %x, -1;", warp_match_any,
        (conf_spec){.to = 32});
    add(list, 75, "w:d", "and.b64 %a, $1, 0x8000000000000001;\nmatch.any.sync.b64 $0, %a, -1;",
        warp_match_any, (conf_spec){.to = 64});
    add(list, 75, "wp:w",
        "shr.u32 %y, %i, 5;\nrem.u32 %y, %y, 3;\nsetp.eq.u32 %q, %y, 0;\nselp.b32 %x, 0, $2, %q;\n"
        "match.all.sync.b32 $0|$1, %x, -1;",
        warp_match_all, (conf_spec){0});
    add(list, 75, "wp:d",
        "shr.u32 %y, %i, 5;\nrem.u32 %y, %y, 3;\nsetp.eq.u32 %q, %y, 0;\nselp.b64 %a, 0, $2, %q;\n"
        "match.all.sync.b64 $0|$1, %a, -1;",
        warp_match_all, (conf_spec){0});
}

static void add_folds(conf_list *list) {
    static const char *const ops[] = {"add", "min", "max", "and", "or", "xor"};
    for (int op = ADD; op <= XOR; op++)
        for (int is_signed = 0; is_signed <= (op < AND); is_signed++)
            for (int half = 0; half < 2; half++) {
                const char *type = op >= AND ? "b32" : is_signed ? "s32" : "u32";
                char text[200];
                snprintf(
                    text, sizeof text,
                    half ? "mov.u32 %%x, %%laneid;\nsetp.lt.u32 %%q, %%x, 16;\nmov.b32 $0, $1;\n"
                           "@%%q redux.sync.%s.%s $0, $1, 0xffff;"
                         : "redux.sync.%s.%s $0, $1, -1;",
                    ops[op - ADD], type);
                add(list, 80, "w:w", text, warp_redux,
                    (conf_spec){.op = op, .from = is_signed, .flags = half});
            }
    /* each warp meets at a barrier of its own number */
    const char *const number = "mov.u32 %x, %tid.x;\nshr.u32 %x, %x, 5;\nadd.u32 %x, %x, 1;\n";
    static const struct {
        const char *sig, *text;
        int op;
    } meetings[] = {{"w:p", "bar.red.popc.u32", ADD},     {"p:p", "bar.red.and.pred", AND},
                    {"p:p", "bar.red.or.pred", OR},       {"w:p", "barrier.red.popc.u32", ADD},
                    {"p:p", "barrier.red.and.pred", AND}, {"p:p", "barrier.red.or.pred", OR}};
    for (size_t i = 0; i < sizeof meetings / sizeof *meetings; i++) {
        char text[240];
        snprintf(text, sizeof text, "%s%s $0, %%x, 32, $1;", number, meetings[i].text);
        add(list, 75, meetings[i].sig, text, warp_bar_red, (conf_spec){.op = meetings[i].op});
    }
}

void conf_warps(conf_list *list) {
    add_shuffles(list);
    add_votes(list);
    add_matches(list);
    add_folds(list);
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++) {
        char text[60];
        snprintf(text, sizeof text, "mov.u32 $0, %%%s;", specials[i].name);
        add(list, 75, "w:", text, warp_special, (conf_spec){.op = specials[i].op});
    }
}
