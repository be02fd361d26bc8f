/* cmd_ops.c - braze ops: everything that the text form can call by name. */
#include "src/ir/text.h"
#include "tools/tool.h"

#include <string.h>

enum { OPS_JSON };

static const tool_option options[] = {{"json", NULL, "the table as JSON"}};

typedef struct op_row {
    const char *name, *operands, *attrs, *results, *doc;
    const ir_builder *builder; /* NULL: elementwise */
} op_row;

static op_row builder_row(const ir_builder *b) {
    return (op_row){b->name, b->operands, b->attrs, b->results, b->doc, b};
}

static op_row elementwise_row(const ir_op_info *o) {
    static const char *const operands[] = {"", "x", "x y", "x y z"};
    return (op_row){o->name, operands[o->arity], "", "r", o->doc, NULL};
}

static void text_row(bz_text *t, const op_row *r) {
    bz_text sig = {0};
    if (r->builder)
        ir_builder_print(&sig, r->builder);
    else
        bz_textf(&sig, "r = %s %.1s%s%.1s%s%.1s", r->name, r->operands, r->operands[1] ? ", " : "",
                 r->operands[1] ? r->operands + 2 : "", strlen(r->operands) > 3 ? ", " : "",
                 strlen(r->operands) > 3 ? r->operands + 4 : "");
    bz_textf(t, "%s\n        %s\n", bz_text_c(&sig), r->doc);
    t->failed |= sig.failed;
    bz_text_free(&sig);
}

static void json_row(bz_text *t, const op_row *r) {
    const struct {
        const char *key, *value;
    } fields[] = {{"name", r->name},         {"kind", r->builder ? "builder" : "elementwise"},
                  {"operands", r->operands}, {"attributes", r->attrs},
                  {"results", r->results},   {"doc", r->doc}};
    bz_text_str(t, t->n > 1 ? ",\n {" : "\n {");
    for (size_t i = 0; i < BZ_LEN(fields); i++) {
        bz_textf(t, "%s\"%s\": ", i ? ", " : "", fields[i].key);
        bz_text_json(t, fields[i].value);
    }
    bz_text_str(t, "}");
}

/* Rows in the order of the tables, those called `only` if it is given. Gives how many there were. */
static unsigned print_rows(bz_text *t, bool json, const char *only) {
    void (*print)(bz_text *, const op_row *) = json ? json_row : text_row;
    unsigned n = 0;
    for (unsigned op = 1; op < IR_ELEM_END; op++) {
        op_row r = elementwise_row(&ir_ops[op]);
        bool hidden = !ir_op_is_elementwise(op) || ir_builder_find(ir_ops[op].name);
        if (hidden || (only && strcmp(only, r.name) != 0)) continue;
        print(t, &r);
        n++;
    }
    for (unsigned i = 0; i < ir_builder_count; i++) {
        op_row r = builder_row(&ir_builders[i]);
        if (only && strcmp(only, r.name) != 0) continue;
        print(t, &r);
        n++;
    }
    return n;
}

static tool_status run(tool_args *a) {
    bool json = false;
    for (int o; (o = tool_next(a)) != TOOL_END;) {
        if (o == TOOL_STOP) return a->status;
        json |= o == OPS_JSON;
    }
    const char *only = tool_operand(a), *more = tool_operand(a);
    if (more) return tool_usage(a, "one name at a time; '%s' is too much", more);
    bz_text t = {0};
    bz_text_str(&t, json ? "[" : "");
    unsigned n = print_rows(&t, json, only);
    bz_text_str(&t, json ? "\n]\n" : "");
    tool_status status = TOOL_DONE;
    if (n) {
        status = tool_write(&t);
    } else {
        const char *near = ir_nearest_name(only);
        bz_error e = {0};
        bz_fail(&e, BZ_EARG, "there is no op '%s'%s%s%s", only, near ? "; is it '" : "",
                near ? near : "", near ? "'?" : "");
        status = tool_error(&e);
    }
    bz_text_free(&t);
    return status;
}

const tool_command tool_ops = {
    .name = "ops",
    .usage = "[NAME] [--json]",
    .summary = "list the ops: operands, attributes, meaning",
    .help = "Lists every op and builder that a program can call: results, operands, attributes "
            "with defaults, meaning.",
    .options = options,
    .noptions = BZ_LEN(options),
    .run = run,
};
