/* parse.h - what lexer, parser and decoder share while a module is loaded.
 *
 * One pass: a statement is parsed into an `inst` and at once decoded to one or more `ins`. Names
 * are interned; a name's meaning is its `bind`, saved and restored at scope ends. After the first
 * error every token is the end of the text, so that all loops end by themselves and nothing needs
 * to unwind. */
#ifndef PTX_PARSE_H
#define PTX_PARSE_H

#include "vm.h"

typedef enum {
    OP_NONE,
#define MNEMONIC(name, decoder) OP_##name,
#include "words.def"
    OP_COUNT
} opcode;

typedef enum {
    M_NONE,
#define MOD(e, text) M_##e,
#include "words.def"
    M_COUNT
} modifier;

typedef struct shared_var {
    uint64_t size;
    uint32_t align, offset;
    bool dynamic, common, placed;
    const function *user; /* the only one so far */
    struct shared_var *next;
} shared_var;

typedef enum {
    B_REG,
    B_RANGE,
    B_GLOBAL,
    B_SHARED,
    B_LOCAL,
    B_KPARAM,
    B_LABEL,
    B_FUNC,
    B_TARGETS
} bind_kind;

typedef struct {
    bind_kind kind;
    ptx_type type;
    uint32_t count; /* B_RANGE; labels of B_TARGETS */
    int64_t offset; /* register, stack or parameter; pc of a label; first of B_TARGETS in list */
    uint32_t size, element; /* bytes, of one element too where it is a variable */
    int32_t global;         /* index */
    shared_var *shared;
    function *fn;
} binding;

typedef struct sym {
    const char *name;
    uint32_t len, hash;
    uint8_t op, mod, type,
        sreg; /* the word's meaning in fixed vocabularies, 0: none (sreg: plus 1) */
    binding *bind;
} sym;

typedef enum {
    TK_EOF,
    TK_ID = 256,
    TK_DOT,
    TK_INT,
    TK_F32,
    TK_F64,
    TK_DECIMAL,
    TK_STRING
} token_kind;

typedef enum { O_NONE, O_REG, O_IMM, O_SREG, O_VAR, O_ADDR, O_VEC, O_SYM, O_SINK } opnd_kind;

typedef struct {
    opnd_kind kind;
    bool negated;
    uint16_t number; /* token_kind of an O_IMM */
    uint8_t sreg;
    ptx_type type; /* of a register */
    int32_t reg;   /* O_REG; base register of O_ADDR when has_reg */
    bool has_reg;
    ptx_type reg_type;
    uint64_t bits;  /* O_IMM */
    int64_t addend; /* O_VAR, O_ADDR */
    const binding *var;
    const sym *name;
    uint16_t first, n; /* O_VEC: parts in parser.parts */
    uint16_t second;   /* p|q: q in parser.parts, plus 1 */
    uint32_t column;
} opnd;

enum { MAX_MODS = 12, MAX_TYPES = 6, MAX_OPNDS = 8, MAX_PARTS = 160 };

typedef struct {
    opcode op;
    const sym *word;
    uint8_t mods[MAX_MODS], n_mods;
    uint16_t taken; /* mods that a decoder has asked for */
    uint8_t types[MAX_TYPES], n_types, n_asked;
    opnd o[MAX_OPNDS];
    uint16_t shape_n, shape_k; /* of wgmma's m64nNkK */
    uint8_t n;
    uint32_t line, column;
} inst;

typedef struct {
    const sym *label;
    uint32_t at; /* an instruction's target, or with `in_list` an operand list entry */
    uint32_t line, column;
    bool in_list;
} label_use;

typedef struct {
    sym *name;
    binding *old;
} undo;

typedef struct {
    size_t undo, uses;
} scope;

typedef struct {
    uint64_t bits;
    uint32_t width;
    int32_t offset;
} const_entry;

/* A vector load and its elements' registers, -1: `_`. */
typedef struct {
    uint32_t at;
    int32_t reg[8];
} wide_load;

/* A statement reads or writes a register; `at`: its last instruction. */
typedef struct {
    uint32_t at;
    int32_t reg;
    bool written;
} reg_use;

#define NO_INSTRUCTION UINT32_MAX

typedef struct {
    uint32_t at; /* the instruction that names it, or NO_INSTRUCTION */
    shared_var *var;
    function *fn;
} shared_use;

typedef struct parser {
    const char *p, *end, *line_start;
    uint32_t line;
    int tok;
    sym *word;
    uint64_t value;
    const char *start; /* of the token */
    uint32_t tok_line;
    bool failed;
    ptx_module *m;
    ptx_log *log;
    sym **table;
    size_t n_syms, cap_syms;
    arena names; /* symbols and bindings: freed after the load */
    function *fn;
    VEC(undo) undos;
    VEC(scope) scopes;
    VEC(label_use) uses;
    VEC(const_entry) consts;
    VEC(shared_use) shared_uses;
    shared_var *shareds;
    const_entry *const_table[512];
    uint32_t loc;
    int32_t guard;
    bool guard_not;
    uint32_t regs, consts_end; /* bytes of the frame so far */
    VEC(uint8_t) units;        /* see function.units */
    VEC(uint8_t) read;         /* of each unit: some instruction reads it */
    VEC(wide_load) wide_loads; /* of this function */
    VEC(reg_use) flow;         /* of this function, in order */
    size_t flow_done;          /* those of earlier statements */
    uint32_t local;
    opnd parts[MAX_PARTS];
    unsigned n_parts;
    inst in;
    struct {
        int32_t from, to;
        ptx_type type;
        uint8_t bytes;
    } widen[16]; /* results still to be extended */
    unsigned n_widen;
    int32_t cc; /* the carry flag's register, -1: none yet */
    bool has_version, has_target;
    unsigned depth;
} parser;

/* lex.c */
bool lex_open(parser *p, const char *text, size_t len);
void lex_close(parser *p);
void lex_next(parser *p);
int lex_peek(parser *p); /* the next byte after blanks, without taking a token */
sym *lex_intern(parser *p, const char *text, size_t len);
void parse_fail(parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void parse_fail_at(parser *p, uint32_t line, uint32_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* What is wrong ends the load, and the function. */
#define REFUSE_BY(call, condition)                                                                 \
    do {                                                                                           \
        if (condition) {                                                                           \
            call;                                                                                  \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define PARSE_REFUSE(p, condition, ...) REFUSE_BY(parse_fail(p, __VA_ARGS__), condition)
#define DEC_REFUSE(p, condition, text)  REFUSE_BY(dec_fail(p, text), condition)
bool lex_accept(parser *p, int tok);
bool lex_expect(parser *p, int tok, const char *what);
bool lex_is(const parser *p,
            const char *dotted); /* the token is this directive, given without its dot */
uint64_t lex_integer(parser *p, const char *what); /* a constant integer expression */

/* parse.c */
void parse_module(parser *p);
void parse_variable(parser *p, ptx_space space, bool external, bool weak, bool common);
bool parse_array_size(parser *p, uint64_t *count, bool *open);
ptx_space parse_space(const parser *p); /* that the directive names; NONE: it is another one */
bool parse_pragma(parser *p);

/* body.c */
void parse_body(parser *p);
void finish_function(parser *p); /* its labels are resolved */
void parse_file_directive(parser *p);
void scope_open(parser *p);
void scope_close(parser *p);
binding *scope_bind(parser *p, sym *name, bind_kind kind);
binding *name_lookup(parser *p, sym *name);
int32_t reg_new(parser *p, unsigned bytes);
int32_t reg_range(parser *p, unsigned lane, unsigned count);
int32_t const_reg(parser *p, uint64_t bits, unsigned bytes);
/* The statement reads, or writes, a register. */
void reg_read(parser *p, int32_t reg);
void reg_written(parser *p, int32_t reg);
uint32_t local_new(parser *p, uint64_t size, uint32_t align);

/* flow.c */
void flow_function(parser *p); /* all of it is decoded, its labels resolved */

/* link.c */
void link_module(parser *p);

/* decode*.c: p->in is the instruction; each returns after an error with p->failed set. */
void decode_inst(parser *p);
void dec_fail(parser *p, const char *text); /* names the instruction */
uint32_t dec_list(parser *p, const int32_t *regs, unsigned n);
bool decode_later(opcode op); /* known, but not supported yet */
bool dec_take(parser *p, modifier m);
bool inst_has(const inst *in, modifier m);            /* M_NONE: always */
modifier dec_take_of(parser *p, const modifier *any); /* the first present of a M_NONE-ended list */
ins *dec_emit(parser *p, exec_fn *exec, ptx_class cls);
ins *dec_lane(parser *p, lane_op op, ptx_type t, int32_t d, int32_t a, int32_t b, int32_t c);
int32_t dec_src(parser *p, unsigned k, ptx_type t);
int32_t dec_src_of(parser *p, const opnd *o, ptx_type t);
int32_t dec_dst(parser *p, unsigned k, ptx_type t);
int32_t dec_dst_of(parser *p, const opnd *o, ptx_type t);
void dec_last(parser *p,
              size_t first); /* instructions from `first` to the end but one are micro steps */
bool dec_want(parser *p, unsigned least, unsigned most);
ptx_type dec_type(parser *p, unsigned k);
int32_t dec_pred(parser *p, unsigned k, bool *negated);
uint64_t dec_imm(parser *p, unsigned k, uint64_t limit, const char *what);
/* Of an operand in brackets: its whole address in one 64-bit register. */
int32_t dec_address(parser *p, unsigned k);
/* INS_STRONG and so on from the ordering and scope; the cache hints say nothing here. */
uint16_t dec_order(parser *p);
/* .L2::cache_hint brings a policy operand, the last one, which says nothing here. */
void dec_cache_policy(parser *p);
void dec_class(parser *p, ptx_class cls);
void dec_cluster_barrier(parser *p);
void dec_async_store(parser *p, bool red);

/* targets.c */
unsigned first_target_of(const inst *in); /* N of sm_N, 0: each has it */

#define DECODER(name)           void dec_##name(parser *p);
#define MNEMONIC(name, decoder) DECODER(decoder)
#include "words.def"
#undef DECODER

#endif
