#!/usr/bin/env python3
"""api.py - writes what is made from the tables of ops: public headers, their wrappers, prototypes, a corpus, docs/ops.md.

    src/ir/ops.def, builders.def ---> include/braze/{ops,move,nn,tensor}.h   from tools/api/*.h, with @section lines filled in
                                 ---> runtime/api/api_made.c                     bz_NAME_at of the builders that are MADE
                                 ---> src/ir/compositions.h                  ir_NAME of the builders whose value is one call
    formulas.def                 ---> src/ir/formulas_made.c                 compositions that are one formula
    complex.def                  ---> src/ir/complex_made.c                  ops of complex numbers
                                 ---> tests/ir/builders.bz                   from tests/ir/builders.in, with every example
                                 ---> docs/ops.md
    names.txt                    ---> docs/names.md
    api.py            writes them
    api.py --check    says which are stale; status 1 if one is"""
import re
import sys
from pathlib import Path

import formulas

ROOT = Path(__file__).resolve().parent.parent
WIDTH, COMMENT = 100, 136
MACRO_MOST = 48  # characters of a macro that others are aligned to
C_TYPES = {"int": "int ", "natural": "int ", "int64": "int64_t ", "float": "double ", "number": "double ", "flag": "bool ", "dtype": "bz_dtype ", "text": "const char *",
           "ints": "const int *", "int64s": "const int64_t *", "counts": "const int64_t *", "dims": "const int64_t *"}
IR_TYPES = {"INT": "int ", "NATURAL": "unsigned ", "INT64": "int64_t ", "FLOAT": "double ", "NUMBER": "ir_number ", "FLAG": "bool ",
            "DTYPE": "bz_dtype ", "TEXT": "const char *", "WORD": "int ", "INTS": "const int *", "INT64S": "const int64_t *", "DIMS": "const ir_dim *", "NUM": "unsigned n"}
LISTS = ("ints", "int64s", "counts", "dims")
STREAM = ("key", "offset")  # operands that C takes from the context


# ---- the tables

def strings(text):
    """C string literals, joined."""
    return "".join(m.replace('\\"', '"') for m in re.findall(r'"((?:\\.|[^"\\])*)"', text))


def arguments(text):
    """Arguments of a macro call: text between commas outside brackets and strings."""
    out, depth, start = [], 0, 0
    for m in re.finditer(r'"(?:\\.|[^"\\])*"|[(){},]', text):
        c = m.group(0)
        depth += (c in "({") - (c in ")}")
        if c == "," and depth == 0:
            out.append(text[start:m.start()].strip())
            start = m.end()
    return out + [text[start:].strip()]


def calls(path):
    """(macro, arguments) of each row of a .def file, in order."""
    text = re.sub(r"/\*.*?\*/|^#(?:[^\n]*\\\n)*[^\n]*", "", (ROOT / path).read_text(), flags=re.S | re.M)
    for m in re.finditer(r"\b(IR_\w+)\(", text):
        if text[:m.start()].count("(") - text[:m.start()].count(")") > outside(text[:m.start()]):
            continue  # inside another row
        depth, at = 1, m.end()
        for c in re.finditer(r'"(?:\\.|[^"\\])*"|[()]', text[m.end():]):
            depth += (c.group(0) == "(") - (c.group(0) == ")")
            if depth == 0:
                at = m.end() + c.start()
                break
        yield m.group(1), arguments(text[m.end():at])


def outside(text):
    """Brackets that stay open in strings."""
    quoted = "".join(re.findall(r'"(?:\\.|[^"\\])*"', text))
    return quoted.count("(") - quoted.count(")")


class Op:
    """A row of ops.def that C can call."""

    def __init__(self, a):
        derived = len(a) == 10
        self.enum, self.name, self.arity, self.rule, self.doc = a[0], a[1], int(a[2]), a[3], strings(a[-1])
        self.grads = [strings(g) for g in a[-4:-1]]
        self.public = self.rule != "CONV" and self.name != "philox"
        assert derived or len(a) == 13, a


class Attr:
    def __init__(self, word):
        self.name, rest = word.split(":", 1)
        self.type, _, self.default = rest.partition("=")


class Builder:
    """A row of builders.def."""

    def __init__(self, section, a):
        self.section, self.name, self.api = section, a[0], a[1]
        self.operands, attrs, self.results, self.doc, self.notes, self.example = (strings(x) for x in a[2:8])
        self.spec, self.value = attrs, " ".join(", ".join(a[8:]).split())
        self.attrs = [Attr(w) for w in attrs.split()]

    def operand_names(self):
        return [re.split(r"[:?*]", w)[0] for w in self.operands.split()]

    def params(self, integers=False):
        """C parameters as (type, name), without the site."""
        out = [("bz_context *", "c")] if self.api == "NEW" else []
        for w, name in zip(self.operands.split(), self.operand_names()):
            if self.api != "NEW" and not (self.drawn() and name in STREAM):
                out += [("bz_tensor *const *", name), ("int ", "n")] if "*" in w else [("bz_tensor *", name)]
        for i, a in enumerate(self.attrs):
            t = "int64_t " if integers and a.type == "number" else C_TYPES[a.type]
            out.append((t, a.name))
            if a.type in LISTS and not (i + 1 < len(self.attrs) and self.attrs[i + 1].type in LISTS):
                out.append(("int ", self.count_name(i)))
        if self.parts():
            return out + [("bz_tensor **", "parts"), ("int ", "room")]
        return out + [("bz_tensor **", r) for r in self.results.split()[1:]]

    def drawn(self):
        return self.api in ("DRAWN", "DRAWN_BLOCKS")

    def parts(self):
        """Any number of results, in an array of the caller's."""
        return self.results.endswith("*") and self.api != "TEXT"

    def run(self, i):
        """The lists that stand together with attribute i."""
        lo, hi = i, i
        while lo > 0 and self.attrs[lo - 1].type in LISTS:
            lo -= 1
        while hi + 1 < len(self.attrs) and self.attrs[hi + 1].type in LISTS:
            hi += 1
        return self.attrs[lo:hi + 1]

    def count_name(self, i):
        return "rank" if any(a.type == "dims" for a in self.run(i)) else "n"

    def numbers(self):
        return any(a.type == "number" for a in self.attrs)


def read_words():
    """{type: [(word, NAME), ...]} of words.def."""
    out = {}
    for _, a in calls("src/ir/words.def"):
        out.setdefault(a[0], []).append((a[1], a[2]))
        assert int(a[3]) == len(out[a[0]]) - 1, f"words.def: the numbers of {a[0]} are not 0, 1, 2 ..."
    return out


WORDS = {}


def read_tables():
    WORDS.update(read_words())
    C_TYPES.update({t: f"bz_{t} " for t in WORDS})
    ops = [Op(a) for macro, a in calls("src/ir/ops.def")]
    builders, section = [], None
    for macro, a in [*calls("src/ir/builders_math.def"), *calls("src/ir/builders.def")]:
        if macro == "IR_SECTION":
            section = a[0]
        else:
            builders.append(Builder(section, a))
    return ops, builders


# ---- C text

def broken(head, parts, tail, indent=None):
    """head, then parts with ", " between, on lines of at most WIDTH columns that begin below the first part; then tail."""
    indent = len(head) if indent is None else indent
    line, out = head, []
    for i, p in enumerate(parts):
        piece = p + (", " if i + 1 < len(parts) else tail)
        if len((line + piece).rstrip()) > WIDTH and line.strip():
            out.append(line.rstrip())
            line = " " * indent
        line += piece
    return "\n".join(out + [line.rstrip()])


def prototype(start, params, end=";"):
    return broken(start + "(", [t + n for t, n in params], ")" + end)


def comment(text):
    """A comment in lines of COMMENT columns."""
    out, line = [], "/*"
    for word in text.split():
        if len(line) + 1 + len(word) > COMMENT - 3:
            out.append(line)
            line = " *"
        line += " " + word
    return "\n".join(out + [line + " */"])


def sentence(doc, names=()):
    """A doc line as a sentence: with a capital, unless it begins with a name, and a stop."""
    first = re.match(r"\w*", doc)[0]
    text = doc[0].upper() + doc[1:] if first.isalpha() and first not in names and (len(first) > 1 or first == "a") else doc
    return text if text[-1] in ".?!]" else text + "."


def words_of(b):
    """What the header says of a builder."""
    names = b.operand_names() + [a.name for a in b.attrs]
    words = b.notes[1:] if b.notes.startswith("=") else " ".join([sentence(b.doc, names), b.notes]).strip()
    return f"{words} {PARTS}" if b.parts() else words


SITE = ("const char *", "site")


PARTS = ("parts[0 ..] take the results, of which there is room for `room`; gives their number. -1, with poisoned handles in all of parts, "
         "on an error, and where there are more than that.")


def public_name(name, parts=False):
    return f"BZ_API {'int ' if parts else 'bz_tensor *'}bz_{name}_at"


def declaration(b):
    out = comment(words_of(b)) + "\n"
    out += prototype(public_name(b.name, b.parts()), b.params() + [SITE]) + "\n"
    if b.api == "NEW" and b.numbers():
        out += prototype(public_name(b.name + "_int"), b.params(True) + [SITE]) + "\n"
    return out


def c_default(a):
    """The default of an attribute in C, None: it must be given."""
    if a.type == "flag":
        return "true" if a.default == "1" else "false"
    if a.type in WORDS:
        return f"BZ_{dict(WORDS[a.type])[a.default]}" if a.default else None
    if a.type == "dtype":
        return f"BZ_{a.default.upper()}" if a.default else None
    named = {"nan": "__builtin_nan(\"\")", "inf": "__builtin_inf()", "none": "INT64_MIN", "open": "BZ_OPEN", "flat": "BZ_FLAT"}
    return named.get(a.default, a.default or None)


def tail(b):
    """Defaults of the last C arguments, for a call that leaves them out; none where a call may hold a list, whose commas a macro would count."""
    if any(a.type in LISTS or a.type == "number" for a in b.attrs) or "*" in b.operands + b.results or len(b.results.split()) > 1:
        return []
    out = ["NULL" if "?" in w.split(":")[0] else None for w, name in zip(b.operands.split(), b.operand_names())
           if b.api != "NEW" and not (b.drawn() and name in STREAM)] + [c_default(a) for a in b.attrs]
    last = max((i for i, d in enumerate(out) if d is None), default=-1)
    return out[last + 1:]


def call(b, names):
    """What a call of bz_NAME with these arguments, and with the defaults of the others, becomes."""
    missing = len(b.params()) - len(names)
    given = names + (tail(b)[-missing:] if missing else [])
    if b.api != "NUMBERS":
        return f"bz_{b.name}_at({', '.join(['(' + n + ')' for n in names] + given[len(names):] + ['BZ_SITE'])})"
    n = len(b.operand_names())
    return f"bz_{b.name}_with_({', '.join(['BZ_OPERAND(' + x + ')' for x in given[:n]] + given[n:] + ['BZ_SITE'])})"


def with_numbers(b):
    """The function behind a call whose operands may be numbers, where attributes follow them."""
    n = len(b.operand_names())
    params = [("bz_operand ", x) for x in b.operand_names()] + b.params()[n:] + [SITE]
    args = [f"o[{i}].v.tensor" for i in range(n)] + [x for _, x in b.params()[n:]] + ["site"]
    return (prototype(f"static inline bz_tensor *bz_{b.name}_with_", params, " {") + "\n"
            f"    bz_operand o[] = {{{', '.join(b.operand_names())}}};\n    bz_numbers_begin(o, {n}, site);\n"
            + broken(f"    bz_tensor *made = bz_{b.name}_at(", args, ");") + f"\n    bz_numbers_end(o, {n});\n    return made;\n}}\n")


def macros(builders):
    """The macros that pass the caller's line, in columns."""
    rows = []
    for b in builders:
        params, left_out = [n for _, n in b.params()], tail(b)
        if left_out and b.api != "NUMBERS" or b.attrs and b.api == "NUMBERS":
            for n in range(len(params) - len(left_out), len(params) + 1):
                rows.append((f"bz_{b.name}_{n}_({', '.join(params[:n])})", call(b, params[:n])))
            rows.append((f"bz_{b.name}(...)", f"BZ_BY_COUNT_(bz_{b.name}, __VA_ARGS__)"))
            continue
        if b.api == "NUMBERS":
            names = ", ".join(b.operand_names())
            rows.append((f"bz_{b.name}({names})", f"BZ_WITH_{len(b.operand_names())}_(bz_{b.name}_at, {names})"))
            continue
        for suffix in ["", "_int"] if b.api == "NEW" and b.numbers() else [""]:
            rows.append((f"bz_{b.name}{suffix}(...)", f"bz_{b.name}{suffix}_at(__VA_ARGS__, BZ_SITE)"))
    wide = max((len(r[0]) for r in rows if len(r[0]) <= MACRO_MOST), default=0)  # longer ones stand out
    return "".join(f"#define {left.ljust(wide)} {right}\n" for left, right in rows)


def section(builders, name):
    mine = [b for b in builders if b.section == name and b.api not in ("TEXT", "OWN")]
    return "".join(declaration(b) for b in mine) + "".join(with_numbers(b) for b in mine if b.api == "NUMBERS" and b.attrs) + macros(mine)


def elementwise(ops):
    out = ""
    for o in ops:
        if not o.public:
            continue
        names = ["x", "y", "z"][:o.arity]
        what = {"BOOL": " -> bool", "INT": " (integers, bool)", "FLOAT": " (floats)"}.get(o.rule, "")
        args = ", ".join(names)
        out += f"/* {o.doc}{what} */\n" + prototype(public_name(o.name), [("bz_tensor *", n) for n in names] + [SITE]) + "\n"
        made = f"bz_{o.name}_at((x), BZ_SITE)" if o.arity == 1 else f"BZ_WITH_{o.arity}_(bz_{o.name}_at, {args})"
        out += f"#define bz_{o.name}({args}) {made}\n"
    return out


def header(name, ops, builders):
    """A public header: its template with the sections filled in."""
    out, used = "", []
    for line in (ROOT / f"tools/api/{name}.h").read_text().splitlines(keepends=True):
        m = re.match(r"@(section|words) (\w+)$", line.strip())
        if m and m[1] == "words":
            out += f"typedef enum bz_{m[2]} {{ {', '.join('BZ_' + name for _, name in WORDS[m[2]])} }} bz_{m[2]};\n"
        elif m:
            m = (m[0], m[2])
            used.append(m[1])
            out += elementwise(ops) if m[1] == "elementwise" else section(builders, m[1])
        else:
            out += line
    return out, used


# ---- the wrappers

def c_value(b, value=None):
    """The value of a row over the C function's arguments."""
    v = re.sub(r"\bg\b", "r.g", value or b.value)
    v = re.sub(r"\bX\((\d)\)", r"r.x[\1]", v)
    v = re.sub(r"\bOUT\((\d)\)", r"&made[\1]", v)
    for i, a in enumerate(b.attrs):
        n = f"(unsigned){b.count_name(i)}"
        v = v.replace(f"NUM({a.name})", f"({a.name} ? {n} : 0)" if may_miss(b, i) else n)
    names = b.operand_names()
    v = re.sub(r"\bXS\b", "r.x", re.sub(r"\bNX\b", "(unsigned)n", re.sub(r"\bPARTS\b", "&made", v)))
    assert "r.x, (unsigned)n" not in v or len(names) == 1, b.name
    v = re.sub(r"\bWORD\((\w+)\)", r"(int)\1", v)
    return re.sub(r"\b(?:INT|INT64|INTS|INT64S|FLOAT|FLAG|DTYPE|TEXT)\((\w+)\)", r"\1", v)


def may_miss(b, i):
    """A list that may be NULL beside one that is not."""
    return b.attrs[i].type in LISTS and b.attrs[i].default == "all" and len(b.run(i)) > 1


def chain(start, parts, sign, end):
    """start part sign part ... end, broken before signs."""
    out, line = [], start + parts[0]
    for i, p in enumerate(parts[1:], 1):
        if len(f"{line} {sign} {p}") + (len(end) if i + 1 == len(parts) else 0) > WIDTH:
            out.append(line)
            line = " " * (len(start) - len(sign) - 1) + f"{sign} {p}"
        else:
            line += f" {sign} {p}"
    return "\n".join(out + [line + end]) + "\n"


def drawn(b):
    """The wrapper of what draws numbers for each element of its operands, for samples as often."""
    names = b.operand_names()[:-2]
    assert b.operand_names()[-2:] == list(STREAM), b.name
    n = len(names)
    times = "BLOCK_DRAWS" if b.api == "DRAWN_BLOCKS" else next((a.name for a in b.attrs if a.name == "num_samples"), "1")
    value = re.sub(rf"\bX\({n}\)", "key", re.sub(rf"\bX\({n + 1}\)", "offset", b.value))
    value = c_value(b, value)
    operands = f"&{names[0]}" if n == 1 else "(bz_tensor *[]){" + ", ".join(names) + "}"
    ready = [f'rt_begin(&r, "{b.name}", site, {operands}, {n}, 0, BZ_NDTYPES)', f"rt_draw(&r, {n}, {times}, &key, &offset)"]
    return (prototype(public_name(b.name)[len("BZ_API "):], b.params() + [SITE], " {") + "\n    rt_rec r;\n    ir_ref key, offset;\n"
            + chain("    bool ready = ", ready, "&&", ";") + f"    return rt_end(&r, ready ? {value} : 0);\n}}\n")


def wrapper(b):
    if b.drawn():
        return drawn(b)
    names, words = b.operand_names(), b.operands.split()
    operands = f"&{names[0]}" if len(names) == 1 else "(bz_tensor *[]){" + ", ".join(names) + "}"
    count = len(names)
    if "*" in b.operands:
        assert len(names) == 1, b.name
        operands, count = names[0], f"rt_count({names[0]}, n)"
    optional = " | ".join(f"1 << {i}" for i, w in enumerate(words) if "?" in w) or "0"
    beside = next((f"BZ_{t.upper()}" for w in words for t in re.findall(r":([if]\d+)", w)), "BZ_NDTYPES")
    ready = [f'rt_begin(&r, "{b.name}", site, {operands}, {count}, {optional}, {beside})']
    for i, a in enumerate(b.attrs):
        if a.type in LISTS:
            none = "_or_none" if a.default not in ("", "all") or may_miss(b, i) else ""
            ready.append(f"rt_{'counts' if a.type == 'counts' else 'list' + none}(&r, {a.name}, {b.count_name(i)})")
        if a.type == "dtype":
            ready.append(f"rt_dtype(&r, {a.name})")
    out = prototype(public_name(b.name, b.parts())[len("BZ_API "):], b.params() + [SITE], " {") + "\n    rt_rec r;\n"
    if b.parts():
        out += "    ir_parts made = {0};\n" + chain("    bool ready = ", ready, "&&", ";")
        return out + f"    if (ready) {c_value(b)};\n    return rt_end_parts(&r, {operands}, {count}, &made, parts, room);\n}}\n"
    more = b.results.split()[1:]
    n = len(more) + 1
    if more:
        out += f"    ir_ref made[{n}] = {{0}};\n"
    out += chain("    bool ready = ", ready, "&&", ";")
    if more:
        return out + (f"    if (ready) made[0] = {c_value(b)};\n"
                      f"    return rt_end_results(&r, made, {n}, (bz_tensor **[]){{{', '.join(more)}}});\n}}\n")
    if b.api == "VIEW":
        return out + f"    return rt_end_moved(&r, {operands}, {count}, ready ? {c_value(b)} : 0);\n}}\n"
    return out + f"    return rt_end(&r, ready ? {c_value(b)} : 0);\n}}\n"


def wrappers(builders):
    out = ("/* api_made.c - the public builders that are one constructor each. Made by tools/api.py from src/ir/builders.def: do not edit. */\n"
           '#include "runtime/record/record.h"\n#include "src/ir/complex.h"\n\nenum { BLOCK_DRAWS = 64 /* of two words */ };\n\n/* clang-format off */\n')
    for b in builders:
        if b.api in ("MADE", "NUMBERS", "DRAWN", "DRAWN_BLOCKS", "VIEW"):
            out += "\n" + wrapper(b)
    return out


# ---- prototypes of compositions

def composition(b, names):
    """Its comment and prototype; None where there is none."""
    p = ir_prototype(b, names)
    return p and comment(sentence(b.doc, b.operand_names() + [a.name for a in b.attrs])) + "\n" + p + "\n"


def ir_prototype(b, names=()):
    """The prototype of ir_NAME where the value of a row is one call of it; None where it is not, or is among those of ir.h."""
    m = re.fullmatch(r"ir_(\w+)\(g, (.*)\)", b.value)
    if not m or m[1] in names or m[1] != b.name:
        return None
    params, operands = [("ir_graph *", "g")], b.operand_names()
    for a in arguments(m[2]):
        f = re.fullmatch(r"(\w+)(?:\((\w+)\))?", a)
        if f is None:
            return None
        kind, of = f[1], f[2]
        if kind == "X":
            params.append(("ir_ref ", operands[int(of)]))
        elif kind == "XS":
            params += [("const ir_ref *", operands[-1])]
        elif kind == "NX":
            params += [("unsigned ", "n")]
        elif kind == "PARTS":
            params += [("ir_parts *", "parts")]
        elif kind == "OUT":
            params.append(("ir_ref *", b.results.split()[int(of)]))
        elif kind in IR_TYPES:
            params.append((IR_TYPES[kind], of))
        else:
            return None
    return prototype(f"ir_ref ir_{b.name}", params)


def compositions(builders):
    names = set(re.findall(r"\bir_(\w+)\(ir_graph \*g", (ROOT / "src/ir/ir.h").read_text()))
    protos = [p for p in (composition(b, names) for b in builders) if p]
    return ("/* compositions.h - constructors that builders.def calls by their builder's name. Made by tools/api.py from src/ir/builders.def: do not edit.\n"
            " *\n * Operands that may be left out are 0. Axes count from the end when negative. */\n"
            "#ifndef BRAZE_IR_COMPOSITIONS_H\n#define BRAZE_IR_COMPOSITIONS_H\n\n#include \"src/ir/ir.h\"\n\n" + "".join(protos) + "\n#endif\n")


# ---- the corpus

def corpus(builders):
    lines, frame = "", (ROOT / "tests/ir/builders.in").read_text()
    taken = set(re.findall(r"(\w+):", frame))
    for b in builders:
        for i, example in enumerate(x.strip() for x in b.example.split(";") if x.strip()):
            stem = b.name + ("_" if b.name in taken else "") + (str(i + 1) if i else "")
            results = [f"%{stem}"] + [f"%{stem}_{r}" for r in b.results.split()[1:]]
            lines += f"    {', '.join(results)} = {b.name} {example}\n"
    return frame.replace("    @examples\n", lines)


# ---- docs/ops.md

def plain(s):
    return s.replace("|", "\\|")


def code(s):
    return f"`{plain(s)}`" if s else ""


def page(ops, builders):
    out = """# Ops
Made by `tools/api.py` from `src/ir/ops.def` and `src/ir/builders.def`: do not edit. `braze ops --json` gives the same to programs.

## Elementwise
`bz_NAME(x, y, z)` in C, `NAME x, y, z` in the text form. Operands broadcast and are promoted. *floats*: integers and bool
become f32 first; *integers*: bool too, no floats. A gradient of 0 is known to be zero; "none" is an error that names the op.

| op | operands | dtypes | result | gradient | what it is |
|---|---|---|---|---|---|
"""
    for o in ops:
        if not o.public:
            continue
        kinds = {"INT": "integers", "FLOAT": "floats"}.get(o.rule, "all")
        result = {"BOOL": "bool", "SELECT": "as y", "FLOAT": "float"}.get(o.rule, "as x")
        grads = ", ".join("none" if g in ("-", "") else "0" if g == "0" else code(g) for g in o.grads[:o.arity])
        out += f"| `{o.name}` | {o.arity} | {kinds} | {result} | {grads} | {plain(o.doc)} |\n"
    out += """
## Everything else
Names of the text form, with operands (`?`: may be left out, `*`: any number) and attributes with their defaults. C has those that say so as
`bz_NAME`, with the attributes as arguments (`include/braze/tensor.h`, `move.h`, `nn.h`).

| builder | operands | attributes | results | in C | what it is |
|---|---|---|---|---|---|
"""
    for b in builders:
        out += (f"| `{b.name}` | {code(b.operands)} | {code(b.spec)} | {code(b.results)} | {'' if b.api == 'TEXT' else 'yes'} | {plain(b.doc)} |\n")
    return out + """
## As JSON
`braze ops --json` gives the same to what makes language bindings, an object for each op: `name`; `kind` (`elementwise` or `builder`); `operands`,
each with `name`, `optional`, `many` (a list of any length) and `number` (the dtype that a number in its place stands beside: `i64`, `f64`,
`own` none, `beside` the other operands); `attributes`, each with `name`, `type`, `required` and `default` (null: none, which for an `int64` is `INT64_MIN` in C, or every axis); `results`,
and `many_results` (any number); of elementwise ops `dtypes` and `result_dtype` as above; `doc`, `notes`; and `c`, null where
C has no function. `c.function` is called with the operands (`takes`: `operands`; `drawn`: all but `key` and `offset`, which the context's stream gives) or the context (`context`), then the attributes, then a place
for each result but the first (of many: an array of `bz_tensor *` and its length, `int`; it gives their number, -1 on an error), then the source line. In C `int` and `natural` are `int`; `int64` is `int64_t`; `float` and `number` are `double`; `flag` is `bool`; `text` is `const char *`; `dtype`
is `bz_dtype`; a type of words (`reduction`) is an enum of that name (`bz_reduction`: `BZ_REDUCTION_MEAN`), whose `words` the JSON lists; `ints` are `const int *`; `int64s`, `counts` and `dims` are `const int64_t *`; of lists that stand together the length follows once, as `int`. What takes its `own`
arguments is in the header.
"""


# ---- docs/names.md

def names_page(ops, builders):
    rows = {}
    for line in (ROOT / "tools/api/names.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, torch, numpy = (w.strip() for w in (line + " | |").split("|")[:3])
            rows[name] = (torch, numpy)
    known = {o.name for o in ops} | {b.name for b in builders}
    out = """# Names
Made by `tools/api.py` from `tools/api/names.txt`: do not edit. What PyTorch and NumPy (or SciPy) call what braze has; `F` is torch.nn.functional, `np` numpy. Of all
[ops.md](ops.md) says what they are, [numerics.md](numerics.md) where a value or gradient is braze's own. An axis is `axis` here, several are `axes`; where PyTorch gives a pair
(values, indices) the second result is a pointer at the end of the C call. `torch.special.NAME` is NAME, but that `expit` is `sigmoid`, `gammaln` `lgamma`, `psi` `digamma`; aliases of
torch's (`absolute`, `arccos` and its kin, `multiply`, `subtract`, `greater` ..., `clip`, `fix`, `concatenate`, `row_stack`, `negative`) have the name that they stand for.

| braze | PyTorch | NumPy, SciPy |
|---|---|---|
"""
    return out + "".join(f"| `{n}` | {code(rows[n][0])} | {code(rows[n][1])} |\n" for n in sorted(set(rows) & known))


# ---- all of it

def products():
    """(path, text) of everything that is made."""
    ops, builders = read_tables()
    used = []
    for name in ("ops", "move", "nn", "tensor"):
        text, sections = header(name, ops, builders)
        used += sections
        yield f"include/braze/{name}.h", text
    unused = {b.section for b in builders if b.api not in ("TEXT", "OWN")} - set(used)
    assert not unused, f"no header has the sections {unused}"
    yield "runtime/api/api_made.c", wrappers(builders)
    yield "src/ir/compositions.h", compositions(builders)
    rows = [(a[0], a[1], strings(a[2]), strings(a[3])) for _, a in calls("src/ir/formulas.def")]
    yield "src/ir/formulas_made.c", formulas.made(rows, builders, {o.name: (o.enum, o.arity) for o in ops}, ir_prototype)
    rows = [(a[0], strings(a[1])) for _, a in calls("src/ir/complex.def")]
    yield "src/ir/complex_made.c", formulas.made_complex(rows, {o.name: (o.enum, o.arity) for o in ops})
    yield "tests/ir/builders.bz", corpus(builders)
    yield "docs/ops.md", page(ops, builders)
    yield "docs/names.md", names_page(ops, builders)


def main():
    stale = 0
    for path, text in products():
        file = ROOT / path
        if file.exists() and file.read_text() == text:
            continue
        if sys.argv[1:] == ["--check"]:
            print(f"{path} is stale: run tools/api.py")
            stale += 1
        else:
            file.write_text(text)
            print(f"tools/api.py: {path}")
    return stale > 0


sys.exit(main())
