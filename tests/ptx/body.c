/* body.c - a function's statements: registers, scopes, labels, instructions with their operands. */
#include "parse.h"

#include "exec.h"

#include <stdio.h>
#include <string.h>

/* ---- scopes and names ---- */

void scope_open(parser *p) {
    PARSE_REFUSE(p, p->scopes.n > 200, "braces nest too deep");
    *VEC_PUSH(p->scopes) = (scope){p->undos.n, p->uses.n};
}

/* Labels used inside and defined inside are resolved; the rest waits for the scope around. */
void scope_close(parser *p) {
    scope s = p->scopes.at[p->scopes.n - 1];
    size_t kept = s.uses;
    for (size_t i = s.uses; i < p->uses.n; i++) {
        label_use u = p->uses.at[i];
        const binding *b = u.label->bind;
        if (!b || b->kind != B_LABEL) {
            if (p->scopes.n == 1)
                parse_fail_at(p, u.line, u.column, "label '%.*s' is not defined", (int)u.label->len,
                              u.label->name);
            p->uses.at[kept++] = u;
        } else if (u.in_list)
            p->m->list.at[u.at] = (int32_t)b->offset;
        else
            p->m->code.at[u.at].target = (uint32_t)b->offset;
    }
    p->uses.n = p->scopes.n == 1 ? 0 : kept;
    while (p->undos.n > s.undo) {
        undo u = p->undos.at[--p->undos.n];
        u.name->bind = u.old;
    }
    p->scopes.n--;
}

binding *scope_bind(parser *p, sym *name, bind_kind kind) {
    binding *b = arena_get(&p->names, sizeof *b);
    b->kind = kind;
    if (p->scopes.n) *VEC_PUSH(p->undos) = (undo){name, name->bind};
    name->bind = b;
    return b;
}

/* Ranges are kept under "%r<", so that "%r" may be a register too. */
static sym *range_name(parser *p, const sym *name, uint32_t len) {
    char *key = arena_get(&p->names, len + 1);
    memcpy(key, name->name, len);
    key[len] = '<';
    return lex_intern(p, key, len + 1);
}

static bool bound_here(const parser *p, const sym *name) {
    for (size_t i = p->scopes.at[p->scopes.n - 1].undo; name->bind && i < p->undos.n; i++)
        if (p->undos.at[i].name == name) return true;
    return false;
}

/* A name's meaning; "%r57" also through the range "%r<100>". */
binding *name_lookup(parser *p, sym *name) {
    if (name->bind) return name->bind;
    uint32_t n = name->len;
    while (n > 1 && name->name[n - 1] >= '0' && name->name[n - 1] <= '9') n--;
    if (n == name->len || name->len - n > 8 || (name->name[n] == '0' && name->len - n > 1))
        return NULL;
    const binding *range = range_name(p, name, n)->bind;
    uint32_t k = 0;
    for (uint32_t i = n; i < name->len; i++) k = k * 10 + (uint32_t)(name->name[i] - '0');
    if (!range || range->kind != B_RANGE || k >= range->count) return NULL;
    ptx_type type = range->type;
    unsigned lane = type_lane(vm_type_bytes[type]);
    int64_t offset = range->offset + (int64_t)k * lane * LANES;
    binding *b = scope_bind(p, name, B_REG);
    b->type = type;
    b->offset = offset;
    return b;
}

/* ---- storage ---- */

enum { MAX_REG_BYTES = 1 << 26 };

int32_t reg_range(parser *p, unsigned lane, unsigned count) {
    uint32_t at = p->regs;
    if (p->regs + (uint64_t)lane * count * LANES > MAX_REG_BYTES) {
        parse_fail(p, "too many registers");
        return 0;
    }
    p->regs += lane * count * LANES;
    for (unsigned k = 0; k < count; k++)
        for (unsigned part = 0; part < lane / 4; part++)
            *VEC_PUSH(p->units) = (uint8_t)(lane | part << 5), *VEC_PUSH(p->read) = 0;
    return (int32_t)at;
}

void reg_read(parser *p, int32_t reg) {
    if (reg < 0) return;
    p->read.at[reg / 128] = 1;
    *VEC_PUSH(p->flow) = (reg_use){0, reg, false};
}

void reg_written(parser *p, int32_t reg) {
    *VEC_PUSH(p->flow) = (reg_use){0, reg, true};
}

int32_t reg_new(parser *p, unsigned bytes) {
    return reg_range(p, bytes, 1);
}

/* The offset (below 0) of a constant in all lanes; equal ones are shared within a function. */
int32_t const_reg(parser *p, uint64_t bits, unsigned bytes) {
    uint64_t h = (bits ^ bits >> 32) * 0x9e3779b1u + bytes;
    const_entry **table = p->const_table;
    for (unsigned i = 0; i < 8; i++) {
        const_entry **e = &table[(h + i) % 512];
        if (*e && (*e)->bits == bits && (*e)->width == bytes) return (*e)->offset;
        if (*e) continue;
        *e = arena_get(&p->names, sizeof **e);
        p->consts_end += bytes * LANES;
        **e = (const_entry){bits, bytes, -(int32_t)p->consts_end};
        *VEC_PUSH(p->consts) = **e;
        return (*e)->offset;
    }
    p->consts_end += bytes * LANES;
    if (p->consts_end > MAX_REG_BYTES) parse_fail(p, "too many constants");
    *VEC_PUSH(p->consts) = (const_entry){bits, bytes, -(int32_t)p->consts_end};
    return -(int32_t)p->consts_end;
}

uint32_t local_new(parser *p, uint64_t size, uint32_t align) {
    uint64_t at = ((uint64_t)p->local + align - 1) & ~(uint64_t)(align - 1);
    if (at + size > 1 << 24) {
        parse_fail(p, "too much local memory");
        return 0;
    }
    p->local = (uint32_t)(at + size);
    return (uint32_t)at;
}

/* ---- operands ---- */

static void operand_name(parser *p, opnd *o) {
    sym *name = p->word;
    uint32_t line = p->tok_line, column = (uint32_t)(p->start - p->line_start) + 1;
    o->name = name;
    lex_next(p);
    if (name->len == 1 && name->name[0] == '_') {
        o->kind = O_SINK;
        return;
    }
    const binding *b = name_lookup(p, name);
    if (!b && name->len == 7 && memcmp(name->name, "WARP_SZ", 7) == 0) {
        *o = (opnd){.column = column, .kind = O_IMM, .number = TK_INT, .bits = 32};
        return;
    }
    if (!b && name->sreg) {
        o->kind = O_SREG;
        o->sreg = (uint8_t)(name->sreg - 1);
        if (p->tok == TK_DOT && o->sreg <= SR_NCLUSTERID) {
            unsigned axis = p->word->mod == M_X   ? 0
                            : p->word->mod == M_Y ? 1
                            : p->word->mod == M_Z ? 2
                                                  : 3;
            if (axis == 3) parse_fail(p, "expected .x, .y or .z");
            o->sreg = (uint8_t)(o->sreg + axis);
            lex_next(p);
        }
        return;
    }
    if (b && b->kind == B_REG) {
        o->kind = O_REG;
        o->reg = (int32_t)b->offset;
        o->type = b->type;
        return;
    }
    if (b && b->kind != B_LABEL && b->kind != B_RANGE && b->kind != B_FUNC &&
        b->kind != B_TARGETS) {
        o->kind = O_VAR;
        o->var = b;
        if (p->tok == '+' || p->tok == '-') o->addend = (int64_t)lex_integer(p, "an offset");
        if (lex_accept(p, '[')) { /* array[index]: its element's address */
            o->addend = (int64_t)lex_integer(p, "an index") * b->element;
            lex_expect(p, ']', "']'");
        }
        return;
    }
    o->kind = O_SYM; /* a label, perhaps further down, or a function: the decoder knows */
    o->var = b;
    if (name->name[0] == '%')
        parse_fail_at(p, line, column, "register '%.*s' is not declared", (int)name->len,
                      name->name);
}

static void operand_number(parser *p, opnd *o) {
    bool negative = p->tok == '-';
    if (negative && (lex_peek(p) < '0' || lex_peek(p) > '9')) {
        o->kind = O_IMM;
        o->number = TK_INT;
        o->bits = lex_integer(p, "a number");
        return;
    }
    if (negative) lex_next(p);
    o->kind = O_IMM;
    o->number = (uint16_t)p->tok;
    if (p->tok == TK_F32 || p->tok == TK_F64 || p->tok == TK_DECIMAL) {
        uint64_t sign = p->tok == TK_F32 ? (uint64_t)1 << 31 : (uint64_t)1 << 63;
        o->bits = negative ? p->value ^ sign : p->value;
        lex_next(p);
        return;
    }
    o->number = TK_INT;
    uint64_t v = lex_integer(p, "an operand");
    o->bits = negative ? 0 - v : v;
}

static void operand(parser *p, opnd *o);

static void operand_vector(parser *p, opnd *o) {
    lex_next(p);
    o->kind = O_VEC;
    o->first = (uint16_t)p->n_parts;
    do {
        opnd part = {0};
        if (p->tok == '{') {
            parse_fail(p, "vectors don't nest");
            return;
        }
        operand(p, &part);
        PARSE_REFUSE(p, p->n_parts == MAX_PARTS, "too many operands");
        p->parts[p->n_parts++] = part;
        o->n++;
    } while (lex_accept(p, ','));
    lex_expect(p, '}', "'}'");
}

/* "[%rd1+16]", "[name+8]", "[name]", "[1024]", "[%rd1, {%r1, %r2}]" */
static void operand_address(parser *p, opnd *o) {
    lex_next(p);
    o->kind = O_ADDR;
    if (p->tok == TK_ID) {
        opnd base = {0};
        operand_name(p, &base);
        if (base.kind == O_REG) {
            o->has_reg = true;
            o->reg = base.reg;
            o->reg_type = base.type;
        } else if (base.kind == O_VAR) {
            o->var = base.var;
            o->addend = base.addend;
        } else if (!p->failed)
            parse_fail(p, "'%.*s' is not an address", (int)base.name->len, base.name->name);
        if (p->tok == '+' || p->tok == '-') o->addend += (int64_t)lex_integer(p, "an offset");
    } else
        o->addend = (int64_t)lex_integer(p, "an address");
    if (lex_accept(p, ',')) { /* coordinates */
        opnd vector = {0};
        if (p->tok != '{') parse_fail(p, "expected '{'");
        operand_vector(p, &vector);
        o->first = vector.first;
        o->n = vector.n;
    }
    lex_expect(p, ']', "']'");
}

static void operand(parser *p, opnd *o) {
    *o = (opnd){.column = (uint32_t)(p->start - p->line_start) + 1};
    o->negated = lex_accept(p, '!');
    switch (p->tok) {
    case TK_ID: operand_name(p, o); break;
    case '[': operand_address(p, o); break;
    case '{': operand_vector(p, o); break;
    case '-':
    case '~':
    case '(':
    case TK_INT:
    case TK_F32:
    case TK_F64:
    case TK_DECIMAL: operand_number(p, o); break;
    default: parse_fail(p, "expected an operand");
    }
    if (p->tok == '|' && !p->failed) {
        PARSE_REFUSE(p, p->n_parts == MAX_PARTS, "too many operands");
        unsigned at = p->n_parts++;
        lex_next(p);
        opnd q;
        if (p->depth++ > 3) parse_fail(p, "unexpected '|'");
        operand(p, &q);
        p->parts[at] = q;
        o->second = (uint16_t)(at + 1);
    }
}

/* ---- statements ---- */

/* m64n128k16 and the like, of wgmma. */
static bool parse_shape(const sym *w, inst *in) {
    int end = 0;
    return in->op == OP_wgmma &&
           sscanf(w->name, "m64n%3huk%2hu%n", &in->shape_n, &in->shape_k, &end) == 2 &&
           (uint32_t)end == w->len;
}

static void parse_modifiers(parser *p, inst *in) {
    for (; p->tok == TK_DOT; lex_next(p)) {
        const sym *w = p->word;
        if (w->type && in->n_types < MAX_TYPES)
            in->types[in->n_types++] = w->type;
        else if (w->mod && in->n_mods < MAX_MODS)
            in->mods[in->n_mods++] = w->mod;
        else if (!parse_shape(w, in)) {
            bool later = false; /* .bulk.tensor.2d and the like belong to what comes later */
            for (unsigned k = 0; k < in->n_mods; k++)
                later |= in->mods[k] == M_BULK || in->mods[k] == M_CLUSTER;
            if (later)
                dec_later(p);
            else
                parse_fail(p, "unknown modifier .%.*s", (int)w->len, w->name);
            return;
        }
    }
}

/* "call (results), callee, (arguments), targets": parenthesised lists become vectors. */
static void call_operand(parser *p, opnd *o) {
    if (p->tok != '(') {
        operand(p, o);
        return;
    }
    lex_next(p);
    *o = (opnd){.kind = O_VEC, .first = (uint16_t)p->n_parts};
    while (p->tok != ')' && p->tok != TK_EOF) {
        opnd part;
        operand(p, &part);
        PARSE_REFUSE(p, p->n_parts == MAX_PARTS, "too many arguments");
        p->parts[p->n_parts++] = part;
        o->n++;
        if (!lex_accept(p, ',')) break;
    }
    lex_expect(p, ')', "')'");
}

static void parse_instruction(parser *p) {
    inst *in = &p->in;
    in->op = p->word->op;
    in->word = p->word;
    in->shape_n = in->shape_k = 0;
    in->n_mods = in->n_types = in->n_asked = in->n = 0;
    in->taken = 0;
    in->line = p->tok_line;
    in->column = (uint32_t)(p->start - p->line_start) + 1;
    p->n_parts = 0;
    p->depth = 0;
    PARSE_REFUSE(p, in->op == OP_NONE, "unknown instruction '%.*s'", (int)p->word->len,
                 p->word->name);
    if (decode_later(in->op)) {
        dec_later(p);
        return;
    }
    lex_next(p);
    parse_modifiers(p, in);
    while (p->tok != ';' && p->tok != TK_EOF && !p->failed) {
        PARSE_REFUSE(p, in->n == MAX_OPNDS, "too many operands");
        if (in->op == OP_call)
            call_operand(p, &in->o[in->n++]);
        else
            operand(p, &in->o[in->n++]);
        if (!lex_accept(p, ',')) break;
    }
    if (lex_expect(p, ';', "';'")) decode_inst(p);
}

static void parse_guard(parser *p) {
    lex_next(p);
    p->guard_not = lex_accept(p, '!');
    const binding *b = p->tok == TK_ID ? name_lookup(p, p->word) : NULL;
    PARSE_REFUSE(p, !b || b->kind != B_REG || b->type != T_PRED, "expected a predicate register");
    p->guard = (int32_t)b->offset;
    reg_read(p, p->guard);
    lex_next(p);
    if (p->tok == TK_ID)
        parse_instruction(p);
    else
        parse_fail(p, "expected an instruction");
    p->guard = NO_GUARD;
}

/* ".reg .b32 %r<100>, %x;" */
static void parse_registers(parser *p) {
    lex_next(p);
    PARSE_REFUSE(p, p->tok != TK_DOT || !p->word->type, "expected a register type");
    ptx_type type = p->word->type;
    unsigned lane = type_lane(vm_type_bytes[type]);
    lex_next(p);
    do {
        sym *name = p->word;
        if (!lex_expect(p, TK_ID, "a register's name")) return;
        bool range = lex_accept(p, '<');
        uint64_t count = range ? lex_integer(p, "a number of registers") : 1;
        PARSE_REFUSE(p, count > 100000, "too many registers");
        if (range) name = range_name(p, name, name->len);
        PARSE_REFUSE(p, bound_here(p, name), "register '%.*s' is declared twice",
                     (int)(name->len - range), name->name);
        binding *b = scope_bind(p, name, range ? B_RANGE : B_REG);
        b->type = type;
        b->count = (uint32_t)count;
        b->offset = reg_range(p, lane, (unsigned)count);
        if (range) lex_expect(p, '>', "'>'");
    } while (lex_accept(p, ','));
    lex_expect(p, ';', "';'");
}

static void parse_loc(parser *p) {
    uint32_t line = p->line;
    lex_next(p);
    uint64_t file = lex_integer(p, "a file number"), at = lex_integer(p, "a line");
    *VEC_PUSH(p->m->locs) = (src_loc){(uint32_t)file, (uint32_t)at};
    p->loc = (uint32_t)p->m->locs.n - 1;
    while (p->tok != TK_EOF && p->tok_line == line) lex_next(p);
}

/* "name: .branchtargets a, b;" and ".calltargets"; a .callprototype says nothing that we need. */
static void parse_table(parser *p, sym *name) {
    bool branches = lex_is(p, "branchtargets"), prototype = lex_is(p, "callprototype");
    binding *b = scope_bind(p, name, B_TARGETS);
    lex_next(p);
    b->offset = (int64_t)p->m->list.n;
    while (p->tok != ';' && p->tok != TK_EOF) {
        if (branches && p->tok == TK_ID) {
            *VEC_PUSH(p->uses) = (label_use){p->word, (uint32_t)p->m->list.n, p->tok_line,
                                             (uint32_t)(p->start - p->line_start) + 1, true};
            *VEC_PUSH(p->m->list) = 0;
            b->count++;
        } else if (branches && p->tok != ',')
            parse_fail(p, "expected a label");
        lex_next(p);
    }
    if (!branches && !prototype && p->tok == TK_EOF) parse_fail(p, "expected ';'");
    lex_expect(p, ';', "';'");
}

static void parse_label(parser *p) {
    sym *name = p->word;
    if (bound_here(p, name))
        parse_fail(p, "label '%.*s' is defined twice", (int)name->len, name->name);
    lex_next(p);
    lex_next(p);
    if (lex_is(p, "branchtargets") || lex_is(p, "calltargets") || lex_is(p, "callprototype")) {
        parse_table(p, name);
        return;
    }
    scope_bind(p, name, B_LABEL)->offset = (int64_t)p->m->code.n;
}

static void parse_directive(parser *p) {
    ptx_space space = parse_space(p);
    if (lex_is(p, "reg"))
        parse_registers(p);
    else if (lex_is(p, "loc"))
        parse_loc(p);
    else if (lex_is(p, "file"))
        parse_file_directive(p);
    else if (space) {
        lex_next(p);
        parse_variable(p, space, false, false, false);
    } else if (!parse_pragma(p))
        parse_fail(p, "directive .%.*s is not supported here", (int)p->word->len, p->word->name);
}

/* Compilers widen loads: an element whose register nobody reads counts as not loaded. */
static void drop_surplus(parser *p) {
    for (size_t k = 0; k < p->wide_loads.n; k++) {
        const wide_load *x = &p->wide_loads.at[k];
        ins *i = &p->m->code.at[x->at];
        unsigned dead = 0;
        for (unsigned e = 0; e < i->n; e++)
            if (x->reg[e] < 0 || !p->read.at[x->reg[e] / 128]) dead |= 1u << e;
        i->surplus = dead + 1 == 1u << i->n ? 0 : (uint8_t)dead;
    }
}

void finish_function(parser *p) {
    function *f = p->fn;
    drop_surplus(p);
    p->in.line = p->tok_line; /* running off the end returns */
    ins *last = dec_emit(p, f->is_kernel ? x_exit : x_ret, PTX_CLASS_MOVE);
    last->cls = PTX_CLASS_CONTROL;
    last->flags |= INS_MICRO;
    f->end = (uint32_t)p->m->code.n;
    flow_function(p);
    f->const_bytes = p->consts_end;
    f->reg_bytes = p->regs;
    f->frame_local = (p->local + 15) & ~15u;
    f->units = arena_get(&p->m->mem, p->units.n + 1);
    if (p->units.n) memcpy(f->units, p->units.at, p->units.n);
    f->consts = arena_get(&p->m->mem, p->consts_end + 1);
    for (size_t i = 0; i < p->consts.n; i++) {
        const_entry c = p->consts.at[i];
        uint8_t *at = f->consts + ((int64_t)p->consts_end + c.offset);
        for (unsigned l = 0; l < LANES; l++) {
            memset(at + l * c.width, 0, c.width);
            memcpy(at + l * c.width, &c.bits, c.width < 8 ? c.width : 8);
        }
    }
}

void parse_body(parser *p) {
    lex_expect(p, '{', "'{'");
    p->fn->begin = (uint32_t)p->m->code.n;
    p->regs = p->consts_end = 0;
    p->consts.n = p->units.n = p->read.n = p->wide_loads.n = p->flow.n = p->flow_done = 0;
    memset(p->const_table, 0, sizeof p->const_table);
    p->guard = NO_GUARD;
    p->cc = -1;
    p->loc = 0;
    unsigned depth = 1;
    while (depth && p->tok != TK_EOF && !p->failed) {
        if (p->tok == TK_ID && lex_peek(p) == ':')
            parse_label(p);
        else if (p->tok == TK_ID)
            parse_instruction(p);
        else if (p->tok == TK_DOT)
            parse_directive(p);
        else if (p->tok == '@')
            parse_guard(p);
        else if (lex_accept(p, '{')) {
            scope_open(p);
            depth++;
        } else if (p->tok == '}') {
            if (--depth) scope_close(p);
            lex_next(p);
        } else if (!lex_accept(p, ';'))
            parse_fail(p, "expected a statement");
    }
    if (depth && !p->failed) parse_fail(p, "function without an end");
    while (p->failed && p->scopes.n > 1) scope_close(p);
}
