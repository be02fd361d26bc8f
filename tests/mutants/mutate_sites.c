/* mutate_sites.c - where a text can go wrong.
 *
 * The texts are ours and keep our format: a statement a line, binary operators between spaces,
 * pointers without. So a scanner of lines and tokens is enough; what it gets wrong does not
 * compile and drops out. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mutate.h"

typedef struct {
    const char *source, *begin, *end; /* the line, without indentation and comment */
    unsigned number;
    mutants *out;
} line;

static void add(const line *l, const char *at, size_t len, const char *with, const char *what, ...)
    __attribute__((format(printf, 5, 6)));

static void add(const line *l, const char *at, size_t len, const char *with, const char *what,
                ...) {
    mutants *m = l->out;
    va_list args;
    if (m->n == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 128;
        m->list = realloc(m->list, m->cap * sizeof *m->list);
        if (!m->list) abort();
    }
    mutant *one = &m->list[m->n++];
    *one = (mutant){.at = (size_t)(at - l->source), .len = len, .line = l->number};
    snprintf(one->with, sizeof one->with, "%s", with);
    va_start(args, what);
    vsnprintf(one->what, sizeof one->what, what, args);
    va_end(args);
    size_t n = strlen(one->what), twins = 1; /* of the same words on the same line: numbered */
    for (const mutant *o = m->list; o < one; o++)
        twins += o->line == one->line && strncmp(o->what, one->what, n) == 0;
    if (twins > 1) snprintf(one->what + n, sizeof one->what - n, " (%zu)", twins);
}

static bool starts(const line *l, const char *prefix) {
    size_t n = strlen(prefix);
    return (size_t)(l->end - l->begin) >= n && strncmp(l->begin, prefix, n) == 0;
}

static bool starts_with_any(const line *l, const char *const *prefixes) {
    for (; *prefixes; prefixes++)
        if (starts(l, *prefixes)) return true;
    return false;
}

static bool contains(const line *l, const char *word) {
    const char *at = strstr(l->begin, word);
    return at && at < l->end;
}

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* Is `at` inside a string literal of the line? */
static bool quoted(const line *l, const char *at) {
    bool in = false;
    for (const char *s = l->begin; s < at; s++) in ^= *s == '"';
    return in;
}

static const char *const types[] = {
    "float ",  "int ",    "u32 ",    "bool ",     "const ",   "typedef ", "unsigned ",   "struct ",
    "float2 ", "float4 ", "uint4 ",  "uchar4 ",   "moments ", "tiles ",   "__shared__ ", "frag ",
    "dense ",  "im2col ", "static ", "typename ", "double ",  NULL};

/* ---- statements ------------------------------------------------------------------------------ */

/* From the line's start to the semicolon that ends the statement, which may be lines below. */
static size_t statement_length(const line *l) {
    int depth = 0;
    bool in = false;
    for (const char *s = l->begin; *s; s++) {
        if (*s == '"') in = !in;
        if (in) continue;
        depth += (*s == '(' || *s == '{') - (*s == ')' || *s == '}');
        if (*s == ';' && depth == 0) return (size_t)(s - l->begin) + 1;
    }
    return 0;
}

static void add_dropped(const line *l, size_t len) {
    add(l, l->begin, len, ";", "dropped %.*s", len < 60 ? (int)len : 60, l->begin);
}

static void drop_statement(const line *l) {
    static const char *const calls[] = {"__syncthreads(",
                                        "__syncwarp(",
                                        "__threadfence(",
                                        "asm volatile(\"cp.async",
                                        "fill(",
                                        "load(",
                                        "store(",
                                        "grid_barrier(",
                                        "atomicAdd(",
                                        "ldmatrix4",
                                        "mma(",
                                        "Op::run(",
                                        "m.copy(",
                                        "copy16(",
                                        NULL};
    bool call = starts_with_any(l, calls);
    bool assign = !starts_with_any(l, types) && !starts(l, "for") && !starts(l, "if") &&
                  !starts(l, "#") &&
                  (contains(l, " = ") || contains(l, "+= ") || contains(l, "*= ")) &&
                  l->end[-1] == ';' && (is_word(*l->begin) || *l->begin == '*' || *l->begin == '(');
    size_t len = call || assign ? statement_length(l) : 0;
    if (len > 0) add_dropped(l, len);
}

static void open_guard(const line *l) {
    const char *at = strstr(l->begin, "if (");
    int depth = 0;
    if (!at || at >= l->end || *l->begin == '#') return;
    for (const char *s = at + 3; s < l->end; s++) {
        depth += (*s == '(') - (*s == ')');
        if (depth == 0) {
            add(l, at + 4, (size_t)(s - at) - 4, "true", "guard opened");
            return;
        }
    }
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static void flip_operators(const line *l) {
    static const char *const flips[][2] = {
        {" < ", " <= "},  {" <= ", " < "},  {" > ", " >= "},  {" >= ", " > "},
        {" == ", " != "}, {" != ", " == "}, {" + ", " - "},   {" - ", " + "},
        {" * ", " + "},   {" / ", " * "},   {" % ", " / "},   {" << ", " >> "},
        {" >> ", " << "}, {" & ", " | "},   {" | ", " & "},   {" ^ ", " | "},
        {" && ", " || "}, {" || ", " && "}, {" += ", " -= "}, {"? 16 : 0", "? 16 : 16"}};
    for (size_t i = 0; i < sizeof flips / sizeof *flips; i++)
        for (const char *s = l->begin; (s = strstr(s, flips[i][0])) && s < l->end; s++)
            if (!quoted(l, s))
                add(l, s, strlen(flips[i][0]), flips[i][1], "%s becomes%s", flips[i][0] + 1,
                    flips[i][1]);
}

/* `a - b` and `a / b` of plain names, turned round. */
static void swap_operands(const line *l) {
    for (const char *s = l->begin; s < l->end; s++) {
        if (quoted(l, s) || s[0] != ' ' || (s[1] != '-' && s[1] != '/') || s[2] != ' ') continue;
        const char *a = s, *b = s + 3;
        while (a > l->begin && (is_word(a[-1]) || a[-1] == '.')) a--;
        while (is_word(*b) || *b == '.') b++;
        if (a == s || b == s + 3) continue;
        char with[160];
        snprintf(with, sizeof with, "%.*s %c %.*s", (int)(b - s - 3), s + 3, s[1], (int)(s - a), a);
        add(l, a, (size_t)(b - a), with, "operands of %c swapped", s[1]);
    }
}

static void change_float(const line *l, const char *s, size_t len) {
    char with[160];
    double x = strtod(s, NULL);
    snprintf(with, sizeof with, "%.9gf", x == 0.0 ? 1.0 : x * 1.25);
    if (!strpbrk(with, ".e")) snprintf(with, sizeof with, "%.1ff", x == 0.0 ? 1.0 : x * 1.25);
    add(l, s, len, with, "%.*s becomes %s", (int)len, s, with);
}

static void change_integer(const line *l, const char *s, size_t len) {
    char with[160];
    bool hex = len > 2 && s[1] == 'x', shared = starts(l, "__shared__");
    unsigned long n = strtoul(s, NULL, 0);
    if (hex && n == 0xffffffffu)
        snprintf(with, sizeof with, "0x0000ffffu");
    else if (hex)
        snprintf(with, sizeof with, "0x%lxu", n ^ 0x10u);
    else
        snprintf(with, sizeof with, "%lu%s", shared ? n - 1 : n + 1, s[len - 1] == 'u' ? "u" : "");
    add(l, s, len, with, "%s%.*s becomes %s", shared ? "shared size " : "", (int)len, s, with);
}

/* A longer array of registers changes nothing, so sizes count only in shared memory. */
static bool sizes_registers(const line *l, const char *s, const char *e) {
    const char *value = strstr(l->begin, " = ");
    return starts_with_any(l, types) && !starts(l, "__shared__") && s[-1] == '[' && *e == ']' &&
           (!value || value > s);
}

static void change_numbers(const line *l) {
    static const char *const not_these[] = {"#pragma",  "#if",    "typedef",
                                            "__launch", "extern", NULL};
    if (starts_with_any(l, not_these)) return;
    for (const char *s = l->begin; s < l->end; s++) {
        if (!isdigit((unsigned char)*s) || (s > l->begin && (is_word(s[-1]) || s[-1] == '.')) ||
            quoted(l, s))
            continue;
        const char *e = s;
        while (e < l->end && (is_word(*e) || *e == '.' ||
                              ((*e == '-' || *e == '+') && (e[-1] == 'e' || e[-1] == 'p'))))
            e++;
        bool is_float = memchr(s, '.', (size_t)(e - s)) ||
                        (s[1] != 'x' && memchr(s, 'e', (size_t)(e - s))) ||
                        memchr(s, 'p', (size_t)(e - s));
        bool alignment =
            starts(l, "__shared__") && contains(l, "__align__(") && s < strchr(l->begin, ')');
        if (!alignment && !sizes_registers(l, s, e))
            (is_float ? change_float : change_integer)(l, s, (size_t)(e - s));
        s = e;
    }
}

/* x[expression] becomes x[(expression) + 1], where it is not a declaration's size or a plain
 * number. */
static void move_indices(const line *l) {
    if (starts_with_any(l, types) && !contains(l, " = ")) return;
    for (const char *s = l->begin; s < l->end; s++) {
        const char *e = s;
        int depth = 0;
        if (*s != '[' || quoted(l, s)) continue;
        do depth += (*e == '[') - (*e == ']');
        while (depth > 0 && ++e < l->end);
        size_t len = (size_t)(e - s) - 1;
        char with[160];
        if (depth != 0 || len == 0 || len > 100 || strspn(s + 1, "0123456789") == len) continue;
        snprintf(with, sizeof with, "(%.*s) + 1", (int)len, s + 1);
        add(l, s + 1, len, with, "index %.*s off by one", (int)len, s + 1);
    }
}

/* Inside inline PTX: a wait that waits for less, a transposition and an operand order lost. */
static void change_ptx(const line *l) {
    static const char *const flips[][2] = {{".trans", ""},
                                           {"wait_group 0", "wait_group 1"},
                                           {"wait_group 1", "wait_group 2"},
                                           {"{%4,%5", "{%5,%4"},
                                           {"{%8,%9}", "{%9,%8}"},
                                           {"\"n\"(STAGES - 2)", "\"n\"(STAGES - 1)"}};
    for (size_t i = 0; i < sizeof flips / sizeof *flips; i++) {
        const char *s = strstr(l->begin, flips[i][0]);
        if (s && s < l->end)
            add(l, s, strlen(flips[i][0]), flips[i][1], "%s becomes %s", flips[i][0], flips[i][1]);
    }
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void each_line(const char *source, mutants *out, void (*f)(const line *)) {
    line l = {.source = source, .out = out};
    bool comment = false;
    for (const char *s = source; *s;) {
        const char *end = s + strcspn(s, "\n"), *next = *end ? end + 1 : end;
        l.number++;
        l.begin = s + strspn(s, " \t");
        for (l.end = l.begin;
             l.end < end && strncmp(l.end, "//", 2) != 0 && strncmp(l.end, "/*", 2) != 0; l.end++)
            ;
        bool opens = l.end < end && l.end[1] == '*' && !strstr(l.end, "*/");
        bool inside = comment;
        if (strncmp(l.begin, "/*", 2) == 0 || opens) comment = true;
        for (const char *c = s; c + 1 < end; c++)
            if (c[0] == '*' && c[1] == '/') comment = false;
        while (l.end > l.begin && (l.end[-1] == ' ' || l.end[-1] == '\\')) l.end--;
        if (!inside && l.end > l.begin) f(&l);
        s = next;
    }
}

/* What an `if (...)` on the same line guards is a statement of its own. */
static line guarded(const line *l) {
    line rest = *l;
    int depth = 0;
    for (const char *s = l->begin; starts(l, "if (") && s < l->end; s++) {
        depth += (*s == '(') - (*s == ')');
        if (*s == ')' && depth == 0 && s + 2 < l->end && s[2] != '{') {
            rest.begin = s + 2;
            break;
        }
    }
    return rest;
}

static void kernel_line(const line *l) {
    static const char *const skip[] = {"#if",     "#else",    "#endif", "#pragma",
                                       "typedef", "template", NULL};
    if (starts_with_any(l, skip)) return;
    line statement = guarded(l);
    drop_statement(&statement);
    open_guard(l);
    flip_operators(l);
    swap_operands(l);
    change_numbers(l);
    move_indices(l);
    change_ptx(l);
}

void mutate_kernel(const char *source, mutants *out) {
    each_line(source, out, kernel_line);
}

/* A call on the wrong stream, or of half the size. */
static void change_call(const line *l, size_t len) {
    static const char *const flips[][2] = {
        {", up)", ", run)"}, {", run)", ", down)"}, {", down)", ", up)"}, {" BYTES", " BYTES / 2"},
        {"(up,", "(run,"},   {"(run,", "(down,"},   {"(down,", "(up,"}};
    for (size_t i = 0; i < sizeof flips / sizeof *flips; i++) {
        const char *at = strstr(l->begin, flips[i][0]);
        if (at && at < l->begin + len)
            add(l, at, strlen(flips[i][0]), flips[i][1], "%s becomes %s", flips[i][0], flips[i][1]);
    }
}

/* A client's calls are statements that begin with a call; which of them matter their names say. */
static void host_line(const line *l) {
    static const char *const words[] = {"Event",  "Wait",   "Sync",   "Memcpy",    "Memset",
                                        "Launch", "Depend", "launch", "FreeAsync", NULL};
    line call = guarded(l);
    size_t len = statement_length(&call);
    if (len == 0 || len > 300 || !is_word(*call.begin) || !contains(&call, "(") ||
        starts_with_any(&call, types) || starts(&call, "return") || starts(&call, "for") ||
        starts(&call, "if") || starts(&call, "void"))
        return;
    for (size_t i = 0; words[i]; i++) {
        const char *at = strstr(call.begin, words[i]);
        if (at && at < call.begin + len) {
            add_dropped(&call, len);
            change_call(&call, len);
            return;
        }
    }
}

void mutate_host(const char *source, mutants *out) {
    each_line(source, out, host_line);
}

void mutate_free(mutants *m) {
    free(m->list);
    *m = (mutants){0};
}

char *mutate_apply(const char *source, const mutant *m) {
    size_t n = strlen(source), with = strlen(m->with);
    char *text = malloc(n + with + 1);
    if (!text) return NULL;
    memcpy(text, source, m->at);
    memcpy(text + m->at, m->with, with);
    memcpy(text + m->at + with, source + m->at + m->len, n - m->at - m->len + 1);
    return text;
}

const char *mutate_line(const char *source, const mutant *m) {
    static char text[160];
    size_t from = m->at;
    while (from > 0 && source[from - 1] != '\n') from--;
    from += strspn(source + from, " \t");
    snprintf(text, sizeof text, "%.*s", (int)strcspn(source + from, "\n"), source + from);
    return text;
}
