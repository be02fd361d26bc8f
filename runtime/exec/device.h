/* device.h - devices, their programs, and how these are run */
#ifndef RT_DEVICE_H
#define RT_DEVICE_H

#include "runtime/aot/image.h"
#include "runtime/memory/buffer.h"

/* ---- device.c, devices.c, program.c, run.c, null.c */
typedef struct rt_program rt_program;
typedef struct rt_spec { /* of an output */
    bz_dtype dtype;
    const rt_layout *layout;
    int input;      /* whose memory it is or is computed in, -1: none's */
    uint32_t first; /* the first output of the same value */
    bool late; /* written when no input is read any more: memory that is offered does, whose ever */
} rt_spec;
typedef struct rt_call {
    rt_buffer *const *in; /* per input of the graph; NULL for scalars */
    const ir_bits *bits;  /* per input; scalars */
    /* per output, one reference each: a donated input's buffer is offered, NULL for the others; rt_program_run puts there what
     * the results are in, before its device runs */
    rt_buffer **out;
    /* per input a number of the value that it has, which no other value ever gets; 0: not known. NULL: none is */
    const uint64_t *values;
} rt_call;
enum rt_how {
    RT_EAGER = 1,    /* a kernel for each op */
    RT_ANY_SIZE = 2, /* graphs that differ from it in sizes alone were, or will be, compiled, too */
    RT_KEEPS = 4 /* it may keep what it makes of inputs that last, where there is room for that */
};
typedef struct rt_device {
    bool computes; /* BRAZE_CHECK and BRAZE_NAN have the interpreter run beside its programs */
    bool calls; /* its programs call functions of C (EXTERNAL) themselves; else they are cut there, too */
    bool controls; /* it runs cond and while itself; else its programs are what lies between (control.c) */
    /* A context's, until its close: of device `number` of the kind. NULL and the error. */
    rt_memory *(*open)(int number, bz_error *e);
    /* g is read, not kept; how: of enum rt_how. NULL and the error. */
    rt_program *(*compile)(bz_context *c, const ir_graph *g, unsigned how, bz_error *e);
    /* Inputs and outputs are in the context's memory: what is elsewhere was fetched. In the memory's order; a program that can fail
     * by its values is waited for. */
    bz_status (*run)(bz_context *c, rt_program *p, const rt_call *call, bz_error *e);
    void (*free)(bz_context *c, rt_program *p);
    /* For reports; NULL: it has no plans. */
    const pass_plan *(*plan)(const rt_program *p);
    bz_rt_time (*time)(const rt_program *p, uint32_t launch);
} rt_device;
#define DEVICE(id, name) extern const rt_device rt_##name;
#include "runtime/base/devices.def"
#undef DEVICE
extern const rt_device *const rt_devices[]; /* by bz_device; BZ_DEVICE_DEFAULT is none */
/* Start of every device's program. */
struct rt_program {
    const rt_device *device;
    ir_graph *graph; /* what was recorded: a copy; NULL where nothing needs it */
    rt_spec *outputs;
    uint32_t noutputs, ninputs;
    size_t held; /* bytes of memory that it has between runs */
    size_t kept; /* of these with what it makes of inputs that last */
    bool gives;  /* it puts into rt_call.out what the results are in */
    unsigned refilled; /* runs in a row in which all of that was made anew */
    uint64_t runs, run_ns;
};
/* For programs with a plan and an image of words (image.h). Says of p's outputs whose memory each is. */
void rt_place_outputs(rt_program *p, const pass_plan *plan);
/* Fills the words for a call. */
void rt_set_words(const rt_program *p, uint64_t *words, const rt_call *call);
/* What kernels reported, `lowest` the lowest element or INT64_MAX, as an error with the op and source line of the node. */
bz_status rt_reported(const rt_program *p, const ir_graph *g, int64_t lowest, int64_t code,
                      const rt_call *call, bz_error *e);
/* All that the plan stores, and `more` bytes, fit m: else it is said before anything is compiled or runs. */
bz_status rt_check_plan(const rt_memory *m, const pass_plan *p, int64_t more, bz_error *e);
rt_program *rt_program_new(bz_context *c, const ir_graph *g, unsigned how,
                           bz_error *e); /* on the context's device */
bz_status rt_program_run(bz_context *c, rt_program *p,
                         const rt_call *call); /* error in the context */
void rt_program_free(bz_context *c, rt_program *p);
/* The interpreter on a program's graph. c NULL: nobody interrupts it, nor looks for NaN. */
bz_status rt_interpret(bz_context *c, rt_program *p, const rt_call *call, ir_value_array *outputs,
                       bz_error *e);
/* The program's graph interpreted for what it makes on the way alone. */
bz_status rt_find_nan(bz_context *c, rt_program *p, const rt_call *call, bz_error *e);
/* Does the graph itself hold cond or while? Then its program has no plan. */
bool rt_has_control(const ir_graph *g);
/* Must it be cut for the device, at these and at functions of C? */
bool rt_is_cut(const rt_device *d, const ir_graph *g);
bool rt_program_init(bz_context *c, rt_program *p, const rt_device *d, const ir_graph *g,
                     bz_error *e);

/* What ref does, on any device's memory: for devices that run the interpreter. */
rt_program *rt_ref_compile(bz_context *c, const ir_graph *g, unsigned how, bz_error *e);
bz_status rt_ref_run(bz_context *c, rt_program *p, const rt_call *call, bz_error *e);
void rt_ref_free(bz_context *c, rt_program *p);

/* device.c: inputs of the run at hand that lay elsewhere */
typedef struct rt_fetched {
    BZ_VEC(rt_buffer *) v;
} rt_fetched;

/* ---- check.c: BRAZE_CHECK */
typedef struct rt_expected rt_expected;
/* What the interpreter makes of the call; NULL: no memory, no check. Before the program runs. */
rt_expected *rt_expect(bz_context *c, rt_program *p, const rt_call *call);
/* Says on stderr where the results (s: the run's status) differ from that, which it frees. */
void rt_compare(const rt_program *p, const rt_call *call, rt_expected *want, bz_status s);

/* ---- nan.c: for the interpreter, after node r: BZ_ENAN if it makes the first NaN or infinity */
bz_status rt_look_for_nan(const ir_graph *g, ir_ref r, const ir_value_array *result,
                          const ir_value_array *const *x, bz_error *e);

/* ---- badindex.c: node r of the plan's graph g met an index outside. BZ_EINDEX with "[gather] index 7 is outside axis 0 of 5". */
bz_status rt_bad_index(const rt_program *p, const ir_graph *g, ir_ref r, const rt_call *call,
                       bz_error *e);
typedef struct rt_index {
    ir_ref node; /* what node r takes its indices from, i64 */
    int64_t axis, size, count;
} rt_index;
bool rt_index_of(const ir_graph *g, ir_ref r, rt_index *a); /* false: r takes none */
/* These words; a NULL: not known. which: "index 7". */
void rt_index_text(bz_text *t, const ir_graph *g, ir_ref r, const rt_index *a, const char *which);
/* The part of the graph that gives the indices; NULL: it cannot be computed after the call, which has overwritten (`gone`) an input, or
 * not cheaply. */
typedef bool rt_index_gone(const void *user, const ir_graph *g, uint32_t input);
ir_graph *rt_index_part(const ir_graph *g, const rt_index *a, rt_index_gone *gone,
                        const void *user);

const pass_plan *rt_program_plan(const rt_program *p); /* NULL: its device has none */
/* What a launch of a program with a plan took, while profiling. */
bz_rt_time rt_program_time(const rt_program *p, uint32_t launch);

#endif
