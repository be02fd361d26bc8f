/* cmd_ops.c - braze ops: everything that the text form can call by name, as a table, as one entry, as JSON for language bindings
 * (docs/ops.md says what its fields mean). */
#include "src/ir/text.h"
#include "tools/tool.h"

#include <string.h>

enum { OPS_JSON };

static const tool_option options[] = {{"json", NULL, "the table as JSON, for language bindings"}};

enum { NAME_WIDTH = 20, OPERANDS_WIDTH = 24 };

typedef struct op_row {
    const char *name, *operands, *attrs, *results, *doc, *notes;
    ir_api api;
    const ir_op_info *op; /* NULL: a builder */
} op_row;

static op_row builder_row(const ir_builder *b) {
    return (op_row){b->name, b->operands, b->attrs, b->results, b->doc, b->notes, b->api, NULL};
}

static op_row elementwise_row(unsigned op) {
    static const char *const operands[] = {"", "x", "x y", "x y z"};
    const ir_op_info *o = &ir_ops[op];
    ir_api api = op == IR_PHILOX ? IR_API_TEXT : IR_API_MADE;
    return (op_row){o->name, operands[o->arity], "", "r", o->doc, "", api, o};
}

/* ---- as text */

static const char *operand_kinds(const ir_op_info *o) {
    return o->rule == IR_RULE_INT ? "integers" : o->rule == IR_RULE_FLOAT ? "floats" : "all";
}

static const char *result_kind(const ir_op_info *o) {
    return o->rule == IR_RULE_BOOL     ? "bool"
           : o->rule == IR_RULE_SELECT ? "as y"
           : o->rule == IR_RULE_FLOAT  ? "float"
                                       : "as x";
}

static void table_row(bz_text *t, const op_row *r) {
    bz_text operands = {0};
    tx_print_words(&operands, r->operands);
    bz_textf(t, "%-*s %-*s %s\n", NAME_WIDTH, r->name, OPERANDS_WIDTH, bz_text_c(&operands),
             r->doc);
    if (*r->attrs) {
        bz_textf(t, "%*s ", NAME_WIDTH, "");
        tx_print_attributes(t, r->attrs);
        bz_text_str(t, "\n");
    }
    t->failed |= operands.failed;
    bz_text_free(&operands);
}

/* All that is known of one. */
static void entry(bz_text *t, const op_row *r) {
    tx_print_signature(t, r->name, r->operands, r->attrs, r->results);
    bz_textf(t, "\n        %s\n", r->doc);
    if (*r->notes) bz_textf(t, "        %s\n", r->notes + (*r->notes == '='));
    if (r->op)
        bz_textf(t, "        operands: %s; result: %s\n", operand_kinds(r->op), result_kind(r->op));
    if (r->api != IR_API_TEXT) bz_textf(t, "        in C: bz_%s\n", r->name);
}

/* ---- as JSON */

static void json_text(bz_text *t, const char *s, size_t n) {
    char buf[64];
    bz_snprintf(buf, sizeof buf, "%.*s", (int)n, s);
    bz_text_json(t, buf);
}

static void json_words(bz_text *t, const char *words) {
    size_t n;
    const char *sep = "";
    bz_text_str(t, "[");
    for (const char *w; (w = tx_next_word(&words, &n)); sep = ", ") {
        bz_text_str(t, sep);
        json_text(t, w, n - (w[n - 1] == '*'));
    }
    bz_text_str(t, "]");
}

/* {"name": "x", "optional": false, "many": false, "number": "i64"} */
static void json_operands(bz_text *t, const char *words) {
    size_t n;
    const char *sep = "";
    bz_text_str(t, "[");
    for (const char *w; (w = tx_next_word(&words, &n)); sep = ", ") {
        size_t name = strcspn(w, ":?* "), marks = strcspn(w, ": ");
        bool optional = w[marks - 1] == '?', many = w[marks - 1] == '*';
        bz_textf(t, "%s{\"name\": ", sep);
        json_text(t, w, name);
        bz_textf(t, ", \"optional\": %s, \"many\": %s, \"number\": ", optional ? "true" : "false",
                 many ? "true" : "false");
        if (marks < n)
            json_text(t, w + marks + 1, n - marks - 1);
        else
            bz_text_str(t, "\"beside\"");
        bz_text_str(t, "}");
    }
    bz_text_str(t, "]");
}

/* A default as what it is: a number, a word; null for every axis. */
static void json_default(bz_text *t, const char *type, const char *value, size_t n) {
    if (!strncmp(type, "flag", 4))
        bz_text_str(t, value && *value == '1' ? "true" : "false");
    else if (value && ir_word(type, strcspn(type, "= "), 0))
        json_text(t, value, n);
    else if (!value || !strncmp(value, "all", 3) || !strncmp(value, "none", 4) ||
             !strncmp(value, "flat", 4) || !strncmp(value, "open", 4))
        bz_text_str(t, "null");
    else if (!strncmp(type, "dtype", 5) || !strncmp(value, "nan", 3) || !strncmp(value, "inf", 3))
        json_text(t, value, n);
    else
        bz_textf(t, "%.*s", (int)n, value);
}

/* , "words": ["none", "mean"] where a type is made of words. */
static void json_type_words(bz_text *t, const char *type, size_t n) {
    const char *w;
    for (unsigned k = 0; (w = ir_word(type, n, k)); k++) {
        bz_text_str(t, k ? ", " : ", \"words\": [");
        json_text(t, w, strlen(w));
    }
    if (ir_word(type, n, 0)) bz_text_str(t, "]");
}

/* {"name": "axis", "type": "int", "required": false, "default": -1} */
static void json_attributes(bz_text *t, const char *words) {
    size_t n;
    const char *sep = "";
    bz_text_str(t, "[");
    for (const char *w; (w = tx_next_word(&words, &n)); sep = ", ") {
        size_t name = strcspn(w, ":"), type = strcspn(w + name + 1, "= ");
        const char *value = name + 1 + type < n ? w + name + type + 2 : NULL;
        bool required = !value && strncmp(w + name + 1, "flag", 4) != 0;
        bz_textf(t, "%s{\"name\": ", sep);
        json_text(t, w, name);
        bz_text_str(t, ", \"type\": ");
        json_text(t, w + name + 1, type);
        json_type_words(t, w + name + 1, type);
        bz_textf(t, ", \"required\": %s, \"default\": ", required ? "true" : "false");
        json_default(t, w + name + 1, value, value ? (size_t)(w + n - value) : 0);
        bz_text_str(t, "}");
    }
    bz_text_str(t, "]");
}

static void json_c(bz_text *t, const op_row *r) {
    static const char *const takes[] = {[IR_API_MADE] = "operands",
                                        [IR_API_NUMBERS] = "operands",
                                        [IR_API_VIEW] = "operands",
                                        [IR_API_DECLARED] = "operands",
                                        [IR_API_NEW] = "context",
                                        [IR_API_DRAWN] = "drawn",
                                        [IR_API_DRAWN_BLOCKS] = "drawn",
                                        [IR_API_OWN] = "own"};
    if (r->api == IR_API_TEXT)
        bz_text_str(t, "null");
    else
        bz_textf(t, "{\"function\": \"bz_%s_at\", \"takes\": \"%s\"}", r->name, takes[r->api]);
}

static void json_row(bz_text *t, const op_row *r) {
    bz_textf(t, "%s{\"name\": \"%s\", \"kind\": \"%s\", \"operands\": ", t->n > 1 ? ",\n " : "\n ",
             r->name, r->op ? "elementwise" : "builder");
    json_operands(t, r->operands);
    bz_text_str(t, ", \"attributes\": ");
    json_attributes(t, r->attrs);
    bz_text_str(t, ", \"results\": ");
    json_words(t, r->results);
    bz_textf(t, ", \"many_results\": %s", strchr(r->results, '*') ? "true" : "false");
    if (r->op)
        bz_textf(t, ", \"dtypes\": \"%s\", \"result_dtype\": \"%s\"", operand_kinds(r->op),
                 result_kind(r->op));
    bz_text_str(t, ", \"c\": ");
    json_c(t, r);
    bz_text_str(t, ", \"doc\": ");
    bz_text_json(t, r->doc);
    bz_text_str(t, ", \"notes\": ");
    bz_text_json(t, r->notes + (*r->notes == '='));
    bz_text_str(t, "}");
}

/* ---- the command */

/* Rows in the order of the tables, those called `only` if it is given. Gives how many there were. */
static unsigned print_rows(bz_text *t, void (*print)(bz_text *, const op_row *), const char *only) {
    unsigned n = 0;
    for (unsigned op = 1; op < IR_ELEM_END; op++) {
        bool hidden = !ir_op_is_elementwise(op) || ir_builder_find(ir_ops[op].name);
        if (hidden || (only && strcmp(only, ir_ops[op].name) != 0)) continue;
        op_row r = elementwise_row(op);
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

static tool_status unknown(const char *name) {
    const char *near = ir_nearest_name(name);
    bz_error e = {0};
    bz_fail(&e, BZ_EARG, "there is no op '%s'%s%s%s", name, near ? "; is it '" : "",
            near ? near : "", near ? "'?" : "");
    return tool_error(&e);
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
    unsigned n = print_rows(&t, json ? json_row : only ? entry : table_row, only);
    bz_text_str(&t, json ? "\n]\n" : "");
    tool_status status = n ? tool_write(&t) : unknown(only);
    bz_text_free(&t);
    return status;
}

const tool_command tool_ops = {
    .name = "ops",
    .usage = "[NAME] [--json]",
    .summary = "list the ops: operands, attributes, meaning",
    .help = "Lists every op and builder that a program can call: name, operands, meaning, and "
            "attributes with their defaults below; of one NAME all that is known. --json gives "
            "the same to what makes language bindings.",
    .options = options,
    .noptions = BZ_LEN(options),
    .run = run,
};
