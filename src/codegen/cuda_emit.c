/* cuda_emit.c - kernel loops as CUDA C: a function for each phase, one for each function.
 *
 *     for (i64 v9 = ...; v9 < tasks; v9 += ...) {        the tasks of this thread, or of this block
 *         const i64 v10 = threadIdx.x / 32 % 8;          a loop over threads is a number
 *         float c12_0 = v3;                              what a region hands on is a variable before it
 *         for (i64 v12 = v4; v12 < v5; v12 += 1) {
 *             const float v20 = c12_0 + v14;             carry
 *             c12_0 = v20;                               yield
 *         }
 *         p3[v9] = c12_0;                                result
 *     }
 *
 * Regions nest in the text as they do in the loops, so a value is visible where it is used. */
#include "src/codegen/cuda_emit.h"
#include "src/ir/loops/facts.h"

#include <stdio.h>
#include <string.h>

enum {
    RESIDENT =
        512,   /* threads of a processor that multiplies matrices: they have 128 registers each */
    WIDE = 16, /* lanes that a loop carries */
    SHARED_STATIC = 48 << 10 /* bytes of a block that need no asking */
};

/* ---- names of functions */

/* Behind a letter of ours: what C has not in names is `_`. */
static void clean_name(bz_text *out, const char *name) {
    bz_text_str(out, "_");
    for (const char *s = name; *s; s++) {
        const bool word =
            (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9');
        bz_text_add(out, word ? s : "_", 1);
    }
}

void cuda_refuse(cuda_text *t, lp_val v) {
    if (t->status) return;
    bz_text s = {0};
    lp_print_inst(&s, t->k, t->m, v);
    t->status =
        bz_fail(t->e, BZ_EUNSUPPORTED, "[cuda] kernel %s has an instruction without a form: %s",
                t->k->name, bz_text_c(&s));
    bz_text_free(&s);
}

/* ---- values */

/* A constant of floats, for all lanes; other numbers stand where they are used. */
static void constant(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const bz_dtype d = (bz_dtype)i->dtype;
    const unsigned long long b = (unsigned long long)i->imm;
    if (!ir_is_float(d)) return;
    cuda_begin(t, v, 0);
    if (d == BZ_F32)
        bz_textf(t->out, "__int_as_float(0x%08llx)", b);
    else if (d == BZ_F64)
        bz_textf(t->out, "__longlong_as_double(0x%016llxll)", b);
    else
        bz_textf(t->out, "(u16)0x%04llx", b);
    bz_textf(t->out, "; // %.9g\n", ir_bits_to_f64(d, (ir_bits)b));
}

static void any_all(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const lp_val mask = cuda_arg(t, i, 0);
    cuda_begin(t, v, 0);
    for (unsigned l = 0; l < cuda_inst(t, mask)->lanes; l++)
        bz_textf(t->out, "%s%s", l ? i->op == LP_ANY ? " || " : " && " : "",
                 cuda_lane(t, mask, l).text);
    cuda_end(t);
}

static void value(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    if (i->op == LP_CONST) constant(t, v);
    if (i->op == LP_ANY || i->op == LP_ALL) any_all(t, v);
    for (unsigned l = 0; l < i->lanes && i->op < IR_BASE_END; l++) {
        cuda_begin(t, v, l);
        cuda_base(t, v, l);
        cuda_end(t);
    }
}

/* ---- threads */

/* A thread alone has its own value. All threads of a warp come here, or none: schedules see to it. */
static void warp_shuffle(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    if (t->block % 32) cuda_refuse(t, v);
    const char *through = ir_dtype_bytes((bz_dtype)i->dtype) < 4 ? "(int)" : "";
    for (unsigned l = 0; l < i->lanes; l++) {
        cuda_begin(t, v, l);
        const cuda_name x = cuda_lane(t, cuda_arg(t, i, 0), l);
        if (t->block)
            bz_textf(t->out, "(%s)__shfl_xor_sync(0xffffffffu, %s%s, %lld)", cuda_types[i->dtype],
                     through, x.text, (long long)i->imm);
        else
            bz_text_str(t->out, x.text);
        cuda_end(t);
    }
}

static bool is_thread_loop(const lp_inst *i) {
    return i->op == LP_LOOP && (i->flags & 15) >= LP_BLOCK;
}

static unsigned trips(const lp_kernel *k, const lp_inst *i) {
    return (unsigned)k->inst.p[lp_args(k, i)[1]].imm;
}

/* END of the region that v opens. */
static lp_val close_of(const lp_kernel *k, lp_val v) {
    unsigned depth = 0;
    for (;; v++) {
        depth += lp_opens_region(k->inst.p[v].op);
        if (k->inst.p[v].op == LP_END && --depth == 0) return v;
    }
}

/* Threads of a block that the task loop v wants; 0: one. */
static unsigned block_of(const lp_kernel *k, lp_val v) {
    unsigned n = 0;
    const lp_val end = close_of(k, v);
    for (lp_val i = v + 1; i < end; i++)
        if (is_thread_loop(&k->inst.p[i])) n = (n ? n : 1) * trips(k, &k->inst.p[i]);
    return n;
}

static lp_val region(cuda_text *t, lp_val v);

static lp_val last_of(const lp_kernel *k, lp_val end) {
    lp_val v = end - 1;
    while (k->inst.p[v].op == LP_YIELD) v--;
    return v;
}

/* Do the threads meet as the last thing that they do in the loop v, or in the one over threads that ends with it? */
static bool ends_met(const lp_kernel *k, lp_val v) {
    lp_val last = last_of(k, close_of(k, v));
    for (lp_val i = last; i > v; i--)
        if (is_thread_loop(&k->inst.p[i]) && close_of(k, i) == last) {
            last = last_of(k, last);
            i = last + 1;
        }
    return k->inst.p[last].op == LP_BARRIER;
}

/* May the next task write into shared memory what a thread has not read yet? Who never meets others there reads what is its own. */
static bool shares(const cuda_text *t, lp_val v) {
    const lp_val end = close_of(t->k, v);
    bool meets = false;
    for (lp_val i = v + 1; i < end; i++) meets |= t->k->inst.p[i].op == LP_BARRIER;
    return meets && t->shares && !ends_met(t->k, v);
}

/* A thread's number in the loop. What has an effect stands in the innermost one alone (instruction), so that it is enough when the threads
 * of the block meet behind the outermost one, where that is a task's, if they share anything; else before it, too. */
static lp_val thread_loop(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const unsigned n = trips(t->k, i), outer = t->threads;
    const bool again = outer == 1 && t->depth > t->task; /* in a loop of the block */
    const bool meet = again || (outer == 1 && shares(t, v));
    t->threads *= n;
    if (again) cuda_line(t, "__syncthreads();");
    cuda_line(t, "{");
    t->depth++;
    cuda_line(t, "const %s v%u = threadIdx.x / %u %% %u;", cuda_type(t, v), v,
              t->block / t->threads, n);
    const lp_val end = region(t, v + 1);
    t->depth--;
    cuda_line(t, "}");
    if (meet) cuda_line(t, "__syncthreads();");
    t->threads = outer;
    return end;
}

/* ---- regions */

/* Variables for what region v hands on: x[j] gives dtypes and lanes; set to it, if `begin`. */
static void hand_variables(cuda_text *t, lp_val v, const uint32_t *x, unsigned n, bool begin) {
    for (unsigned j = 0; j < n; j++) {
        const lp_inst *i = cuda_inst(t, x[j]);
        for (unsigned l = 0; l < i->lanes; l++)
            if (begin)
                cuda_line(t, "%s c%u_%u_%u = %s;", cuda_types[i->dtype], v, j, l,
                          cuda_lane(t, x[j], l).text);
            else
                cuda_line(t, "%s c%u_%u_%u;", cuda_types[i->dtype], v, j, l);
    }
}

/* Is lane l of x a variable of region v that is set before lane `lane` of number j? */
static bool is_gone(const cuda_text *t, lp_val v, lp_val x, unsigned l, unsigned j, unsigned lane) {
    const lp_inst *i = cuda_inst(t, cuda_behind(t, x, &l));
    return i->op == LP_CARRY && cuda_is_handed(i) && cuda_arg(t, i, 0) == v &&
           (i->imm < j || (i->imm == j && l < lane));
}

/* Lane l of x into the variable of number j: at once, or what is gone by then by way of another variable, which first = true sets. */
static void hand_lane(cuda_text *t, lp_val v, lp_val x, unsigned j, unsigned l, bool first) {
    const cuda_name from = cuda_lane(t, x, l);
    const bool waits = is_gone(t, v, x, l, j, l);
    cuda_name to;
    snprintf(to.text, sizeof to.text, "c%u_%u_%u", v, j, l);
    if (first && waits)
        cuda_line(t, "const %s t%s = %s;", cuda_types[cuda_inst(t, x)->dtype], to.text, from.text);
    if (!first && strcmp(from.text, to.text) != 0)
        cuda_line(t, waits ? "%s = t%s;" : "%s = %s;", to.text, waits ? to.text : from.text);
}

/* The yield y of region v: its values from `skip` on into the region's variables. */
static void hand_on(cuda_text *t, lp_val v, lp_val y, unsigned skip) {
    const lp_inst *i = cuda_inst(t, y);
    for (unsigned first = 2; first-- > 0;)
        for (unsigned j = skip; j < i->nargs; j++)
            for (unsigned l = 0; l < cuda_inst(t, cuda_arg(t, i, j))->lanes; l++)
                hand_lane(t, v, cuda_arg(t, i, j), j - skip, l, first);
}

/* An i64 that a region hands on. */
static void take(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    if (cuda_is_handed(i)) return;
    for (unsigned l = 0; l < i->lanes; l++) {
        cuda_begin(t, v, l);
        bz_textf(t->out, "c%u_%lld_%u", cuda_arg(t, i, 0), (long long)i->imm, l);
        cuda_end(t);
    }
}

static unsigned lanes_carried(const lp_kernel *k, const lp_inst *i) {
    unsigned n = 0;
    for (unsigned j = 2; j < i->nargs; j++) n += k->inst.p[lp_args(k, i)[j]].lanes;
    return n;
}

/* Does a loop of the kernel carry so much that its own unrolled steps fill the registers, as those of products do? Where rows are folded
 * beside it loops are left alone. */
static bool has_wide_loops(const lp_kernel *k) {
    bool wide = false, folds = false;
    for (lp_val v = 1; v < k->inst.n; v++) {
        wide |= k->inst.p[v].op == LP_LOOP && lanes_carried(k, &k->inst.p[v]) >= WIDE;
        folds |= k->inst.p[v].op == LP_WARP_SHUFFLE;
    }
    return wide && !folds;
}

/* Are registers indexed in the loop? They are where it is unrolled. */
static bool indexes_registers(const cuda_text *t, lp_val v) {
    const lp_val end = close_of(t->k, v);
    for (lp_val i = v + 1; i < end; i++) {
        const lp_inst *at = cuda_inst(t, i);
        if ((at->op < LP_LOAD || at->op > LP_COMPRESS) || !at->nargs) continue;
        const lp_inst *p = cuda_inst(t, cuda_arg(t, at, 0));
        if (p->op == LP_LOCAL && (p->flags & 15) == LP_STACK) return true;
    }
    return false;
}

static bool has_loops(const cuda_text *t, lp_val v) {
    const lp_val end = close_of(t->k, v);
    for (lp_val i = v + 1; i < end; i++)
        if (cuda_inst(t, i)->op == LP_LOOP) return true;
    return false;
}

/* Left alone the compiler writes turns of products, and what is beside them, out several times: that costs it more than all else, and
 * serves nobody. One chain of additions is none of them: two steps of it keep the assembler from other registers for the whole. */
static void unroll(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const unsigned carried = lanes_carried(t->k, i);
    if ((i->flags & 15) == LP_UNROLLED)
        cuda_line(t, "#pragma unroll");
    else if (t->matrix)
        cuda_line(t, "#pragma unroll 1");
    else if (t->wide && !indexes_registers(t, v))
        cuda_line(t, "#pragma unroll %d", carried && carried < WIDE && !has_loops(t, v) ? 2 : 1);
}

static lp_val serial_loop(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    hand_variables(t, v, lp_args(t->k, i) + 2, i->nargs - 2u, true);
    unroll(t, v);
    cuda_line(t, "for (%s v%u = %s; v%u < %s; v%u += %lld) {", cuda_type(t, v), v,
              cuda_lane(t, cuda_arg(t, i, 0), 0).text, v, cuda_lane(t, cuda_arg(t, i, 1), 0).text,
              v, (long long)i->imm);
    t->depth++;
    const lp_val end = region(t, v + 1);
    hand_on(t, v, end - 1, 0);
    t->depth--;
    cuda_line(t, "}");
    return end;
}

static lp_val while_loop(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    hand_variables(t, v, lp_args(t->k, i), i->nargs, true);
    cuda_line(t, "for (bool again%u = true; again%u;) {", v, v);
    t->depth++;
    const lp_val end = region(t, v + 1);
    cuda_line(t, "again%u = %s;", v, cuda_lane(t, cuda_arg(t, cuda_inst(t, end - 1), 0), 0).text);
    hand_on(t, v, end - 1, 1);
    t->depth--;
    cuda_line(t, "}");
    return end;
}

static lp_val branch(cuda_text *t, lp_val v) {
    lp_val end = close_of(t->k, v);
    const lp_inst *last = cuda_inst(t, end - 1);
    hand_variables(t, v, lp_args(t->k, last), last->nargs, false);
    cuda_line(t, "if (%s) {", cuda_lane(t, cuda_arg(t, cuda_inst(t, v), 0), 0).text);
    t->depth++;
    lp_val at = region(t, v + 1);
    hand_on(t, v, at - 1, 0);
    if (cuda_inst(t, at)->op == LP_ELSE) {
        t->depth--;
        cuda_line(t, "} else {");
        t->depth++;
        at = region(t, at + 1);
        hand_on(t, v, at - 1, 0);
    }
    t->depth--;
    cuda_line(t, "}");
    return at;
}

static void call(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const lp_kernel *f = t->m->k.p[i->imm];
    cuda_indent(t);
    bz_text_str(t->out, "f");
    clean_name(t->out, f->name);
    bz_text_str(t->out, "(");
    for (unsigned j = 0; j < i->nargs; j++)
        if (j < f->buffers.n)
            bz_textf(t->out, "p%u, ", cuda_arg(t, i, j));
        else
            bz_textf(t->out, "%s, ", cuda_lane(t, cuda_arg(t, i, j), 0).text);
    bz_textf(t->out, "scratch + %lldll, error);\n", (long long)t->scratch);
}

/* Does it become lines of its own? */
static bool has_line(const lp_inst *i) {
    return i->op < IR_BASE_END || i->op == LP_ANY || i->op == LP_ALL || i->op == LP_TABLE ||
           (i->op >= LP_LOAD && i->op <= LP_ASYNC_WAIT) || i->op == LP_ERROR || i->op == LP_CALL ||
           i->op == LP_WARP_SHUFFLE || i->op == LP_MMA || i->op == LP_LDMATRIX;
}

/* One instruction that opens no region. Behind `// %5` stands what is computed for node %5 of the graph. */
static void instruction(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    if (i->site && i->site != t->site && has_line(i)) {
        t->site = i->site;
        cuda_line(t, "// %%%u", t->site);
    }
    const bool alone = t->block && t->threads < t->block; /* each thread would do it */
    if (alone &&
        (i->op == LP_STORE || i->op == LP_SCATTER || i->op == LP_COMPRESS || i->op == LP_CALL ||
         i->op == LP_ERROR || i->op == LP_BARRIER || i->op == LP_ASYNC_COPY)) {
        cuda_refuse(t, v);
        return;
    }
    switch (i->op) {
    case LP_CARRY:
    case LP_RESULT: take(t, v); break;
    case LP_YIELD: break;
    case LP_CALL: call(t, v); break;
    case LP_ERROR:
        cuda_line(t, "if (%s) bz_report(error, %s, %lld);", cuda_lane(t, cuda_arg(t, i, 0), 0).text,
                  cuda_lane(t, cuda_arg(t, i, 1), 0).text, (long long)i->imm);
        break;
    case LP_BARRIER: cuda_line(t, t->block ? "__syncthreads();" : ";"); break;
    case LP_WARP_SHUFFLE: warp_shuffle(t, v); break;
    case LP_MMA:
    case LP_LDMATRIX:
    case LP_ASYNC_GROUP: cuda_matrix(t, v); break;
    default:
        if (i->op >= LP_BUFFER && i->op <= LP_ASYNC_WAIT)
            cuda_memory(t, v);
        else if (i->op == LP_TABLE)
            cuda_memory(t, v);
        else
            value(t, v);
    }
}

/* From v to the ELSE or END of its region, which it gives. */
static lp_val region(cuda_text *t, lp_val v) {
    for (; v < t->k->inst.n && !t->status; v++) {
        const lp_inst *i = cuda_inst(t, v);
        if (i->op == LP_ELSE || i->op == LP_END) return v;
        if (!lp_opens_region(i->op))
            instruction(t, v);
        else if (i->op == LP_IF)
            v = branch(t, v);
        else if (i->op == LP_WHILE)
            v = while_loop(t, v);
        else if (is_thread_loop(i))
            v = thread_loop(t, v);
        else if ((i->flags & 15) <= LP_UNROLLED)
            v = serial_loop(t, v);
        else
            cuda_refuse(t, v);
    }
    return v;
}

/* ---- functions and phases */

_Static_assert(LP_ROWS_WORDS == 508, "bz_rows of the prelude");

static void parameters(cuda_text *t) {
    const lp_kernel *k = t->k;
    for (uint32_t i = 0; i < k->buffers.n; i++)
        bz_textf(t->out, "%s%s *%sb%u, ", k->buffers.p[i].access == LP_IN ? "const " : "",
                 cuda_cells[k->buffers.p[i].dtype],
                 k->function ? "" : "__restrict__ ", /* a function may be handed one array twice */
                 i);
    for (uint32_t i = 0; i < k->extents.n; i++) bz_textf(t->out, "i64 e%u, ", i);
    for (uint32_t i = 0; i < k->scalars.n; i++)
        bz_textf(t->out, "%s s%u, ", cuda_cells[k->scalars.p[i].dtype], i);
}

static void function(cuda_text *t) {
    bz_text_str(t->out, "\nstatic __device__ void f");
    clean_name(t->out, t->k->name);
    bz_text_str(t->out, "(");
    parameters(t);
    bz_text_str(t->out, "char *scratch, i64 *error) {\n");
    t->depth = 1;
    t->site = 0;
    region(t, 1);
    bz_text_str(t->out, "}\n");
}

/* Everything before the task loop that stands at the top level. */
static void top_level(cuda_text *t, lp_val task) {
    for (lp_val v = 1; v < task && !t->status; v++) {
        if (lp_opens_region(cuda_inst(t, v)->op))
            v = close_of(t->k, v);
        else
            instruction(t, v);
    }
}

static lp_val find_phase(const lp_kernel *k, unsigned phase) {
    lp_val v = 1;
    for (;; v++)
        if (k->inst.p[v].op == LP_LOOP && (k->inst.p[v].flags & 15) == LP_PARALLEL && phase-- == 0)
            return v;
}

static void one_task(cuda_text *t, lp_val task) {
    t->task = t->depth;
    cuda_line(t, "const %s v%u = task;", cuda_type(t, task), task);
    region(t, task + 1);
}

/* "extern "C" __global__ void NAME(". With rows the assembler, left alone, takes 32 registers and spills: four blocks of a processor may have
 * more. */
static void head(cuda_text *t, const cuda_phase *of, unsigned number) {
    const unsigned matrix =
        t->matrix && of->threads && of->threads < RESIDENT ? RESIDENT / of->threads : 0;
    const unsigned blocks = t->k->rows ? 4 : matrix;
    bz_text_str(t->out, "\nextern \"C\" __global__ ");
    if (of->threads && blocks)
        bz_textf(t->out, "__launch_bounds__(%u, %u) ", of->threads, blocks);
    else if (of->threads)
        bz_textf(t->out, "__launch_bounds__(%u) ", of->threads);
    bz_text_str(t->out, "void ");
    cuda_symbol(t->out, t->k->name, number);
    bz_text_str(t->out, "(");
}

/* What the launch asks for. */
static void shared_memory(cuda_text *t) {
    cuda_line(t, "extern __shared__ __align__(16) char shared[];");
}

static void own_memory(cuda_text *t, const cuda_phase *of) {
    if (of->dynamic && !t->k->rows) shared_memory(t);
    if (of->scratch)
        cuda_line(t, "scratch += ((i64)blockIdx.x * blockDim.x + threadIdx.x) * %lldll;",
                  (long long)of->scratch);
}

/* The kernel's loop. */
static void open_tasks(cuda_text *t, const cuda_phase *of, const char *tasks) {
    if (of->threads)
        cuda_line(t, "for (i64 task = blockIdx.x; task < %s; task += gridDim.x) {", tasks);
    else
        cuda_line(t,
                  "for (i64 task = (i64)blockIdx.x * blockDim.x + threadIdx.x; task < %s; "
                  "task += (i64)gridDim.x * blockDim.x) {",
                  tasks);
    t->depth++;
}

static void close_tasks(cuda_text *t) {
    t->depth--;
    cuda_line(t, "}");
    bz_text_str(t->out, "}\n");
}

/* "rk_NAME_PHASE": one task of a row */
static void row_symbol(cuda_text *t, unsigned number) {
    bz_text_str(t->out, "r");
    cuda_symbol(t->out, t->k->name, number);
}

/* A row's word as the parameter that it stands for. */
static void row_word(cuda_text *t, uint32_t i) {
    const lp_kernel *k = t->k;
    const uint32_t s = i - k->buffers.n - k->extents.n;
    if (i < k->buffers.n)
        bz_textf(t->out, "(%s%s *)__cvta_global_to_generic(a.word[r + %u]), ",
                 k->buffers.p[i].access == LP_IN ? "const " : "", cuda_cells[k->buffers.p[i].dtype],
                 i);
    else if (i < k->buffers.n + k->extents.n)
        bz_textf(t->out, "(i64)a.word[r + %u], ", i);
    else
        bz_textf(t->out, "*(const %s *)&a.word[r + %u], ", cuda_cells[k->scalars.p[s].dtype], i);
}

/* Launches that are one: a task by a function of its own, and the loop over the tasks of all. */
static void rows_phase(cuda_text *t, const cuda_phase *of, unsigned number) {
    const lp_val task = find_phase(t->k, number);
    const uint32_t words = lp_row_words(t->k);
    bz_text_str(t->out, "\nBZ_FN void ");
    row_symbol(t, number);
    bz_text_str(t->out, "(");
    parameters(t);
    bz_text_str(t->out, "char *scratch, i64 *error, i64 task) {\n");
    if (of->dynamic) shared_memory(t);
    top_level(t, task);
    one_task(t, task);
    bz_text_str(t->out, "}\n");
    head(t, of, number);
    bz_text_str(t->out, "const __grid_constant__ bz_rows a, char *scratch, i64 *error) {\n");
    own_memory(t, of);
    open_tasks(t, of, "a.tasks");
    cuda_line(t, "const u32 r = bz_row<%u>(a, task);", words);
    cuda_indent(t);
    row_symbol(t, number);
    bz_text_str(t->out, "(");
    for (uint32_t i = 0; i + 1 < words; i++) row_word(t, i);
    bz_textf(t->out, "scratch, error, task - (i64)a.word[r + %u]);\n", words - 1);
    close_tasks(t);
}

static void phase(cuda_text *t, unsigned number) {
    const cuda_phase of = cuda_phase_of(t->k, t->m, number);
    t->block = of.threads;
    t->threads = 1;
    t->scratch = 0;
    t->shared = of.dynamic ? 0 : -1;
    t->shares = of.shared > 0;
    t->depth = 1;
    t->site = 0;
    if (t->k->rows) {
        rows_phase(t, &of, number);
        return;
    }
    head(t, &of, number);
    parameters(t);
    bz_text_str(t->out, "char *scratch, i64 *error, i64 tasks) {\n");
    own_memory(t, &of);
    top_level(t, find_phase(t->k, number));
    open_tasks(t, &of, "tasks");
    one_task(t, find_phase(t->k, number));
    close_tasks(t);
}

static bool may_report(const lp_kernel *k, const lp_module *m, lp_val from, lp_val to) {
    for (lp_val v = from; v < to; v++) {
        const lp_inst *i = &k->inst.p[v];
        if (i->op == LP_ERROR) return true;
        if (i->op == LP_CALL && may_report(m->k.p[i->imm], m, 1, m->k.p[i->imm]->inst.n))
            return true;
    }
    return false;
}

/* Bytes of SHARED arrays that the task loop has, and of those at the top level before it. */
static int64_t shared_bytes(const lp_kernel *k, lp_val task, lp_val end) {
    int64_t n = 0;
    for (lp_val v = 1; v < end; v++) {
        const lp_inst *i = &k->inst.p[v];
        if (v < task && lp_opens_region(i->op))
            v = close_of(k, v);
        else if (i->op == LP_LOCAL && (i->flags & 15) == LP_SHARED)
            n = bz_plus(n, cuda_shared_bytes(i));
    }
    return n;
}

cuda_phase cuda_phase_of(const lp_kernel *k, const lp_module *m, unsigned number) {
    const lp_val task = find_phase(k, number), end = close_of(k, task);
    cuda_phase p = {.threads = block_of(k, task), .reports = may_report(k, m, task, end)};
    p.scratch = lp_scratch_bytes(k, m);
    p.shared = shared_bytes(k, task, end);
    p.dynamic = p.shared > SHARED_STATIC ? p.shared : 0;
    return p;
}

void cuda_symbol(bz_text *out, const char *kernel, unsigned number) {
    bz_text_str(out, "k");
    clean_name(out, kernel);
    bz_textf(out, "_%u", number);
}

bz_status cuda_emit(const lp_module *m, bz_text *out, bz_error *e) {
    cuda_text t = {.out = out, .m = m, .e = e};
    bz_text_str(out, cuda_prelude);
    bool matrix = false;
    for (uint32_t i = 0; i < m->k.n; i++) matrix |= cuda_has_matrix(m->k.p[i]);
    if (matrix) bz_text_str(out, cuda_matrix_prelude);
    cuda_tables(out, m);
    for (uint32_t i = 0; i < m->k.n && !t.status; i++) {
        lp_range *range = lp_ranges(m->k.p[i]);
        t.k = m->k.p[i];
        t.matrix = cuda_has_matrix(t.k);
        t.wide = has_wide_loops(t.k);
        t.range = range;
        if (!range) t.status = bz_fail(e, BZ_ENOMEM, "out of memory");
        if (!t.status && t.k->function) {
            t.block = 0;
            t.scratch = 0;
            function(&t);
        }
        for (unsigned n = 0; !t.k->function && n < lp_phase_count(t.k) && !t.status; n++)
            phase(&t, n);
        bz_mem_free(range);
    }
    if (t.status) return t.status;
    return out->failed ? bz_fail(e, BZ_ENOMEM, "out of memory") : BZ_OK;
}
