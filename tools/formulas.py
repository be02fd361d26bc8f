"""formulas.py - compositions that are one formula each: src/ir/formulas.def -> src/ir/formulas_made.c, and the ops of complex numbers:
src/ir/complex.def -> src/ir/complex_made.c. tools/api.py calls it.

    IR_FORMULA(celu, FLOATS, "alpha != 0", "where(x > 0, x, expm1(where(x > 0, 0, x) * (1 / alpha)) * alpha)")
        --parse-->  ir_celu(g, x, alpha): a line of C for each op, in the order of the text

A value of the text is a tensor (an operand, the result of an op) or a number (an attribute, a literal, arithmetic between numbers, which C
does in double); a number that meets a tensor becomes a 0-d constant of its dtype. The language:

    name = expression;                       a line that names a value
    + - * / < > <= >= == != & |  -x          as ops; between numbers as C has them
    a ? b : c                                between numbers alone
    where(c, x, y), any elementwise op       by its name in ops.def
    inf, nan"""
import re

INFIX = [{"|": "OR"}, {"&": "AND"}, {"<=": "LE", ">=": "GE", "==": "EQ", "!=": "NE", "<": "LT", ">": "GT"},
         {"+": "ADD", "-": "SUB"}, {"*": "MUL", "/": "DIV"}]
NUMBERS = {"int", "int64", "natural", "float", "flag"}
HEAD = """/* formulas_made.c - compositions that are one formula each. Made by tools/api.py from src/ir/formulas.def: do not edit. */
#include "src/ir/compose.h"

#include <math.h>

/* clang-format off */
"""


COMPLEX_HEAD = """/* complex_made.c - ops of complex numbers on their parts. Made by tools/api.py from src/ir/complex.def: do not edit. */
#include "src/ir/complex.h"
#include "src/ir/compose.h"

/* clang-format off */
"""


class Number:
    """A C expression of type double."""

    def __init__(self, text, simple=True):
        self.text, self.simple = text, simple

    def inner(self):
        return self.text if self.simple else f"({self.text})"


class Tensor:
    """A C expression of type ir_ref."""

    def __init__(self, text):
        self.text = text


class Formula:
    def __init__(self, name, kind, need, text, operands, attrs, enums):
        self.name, self.kind, self.need, self.operands, self.enums = name, kind, need, operands, enums
        self.tokens = re.findall(r"0x[0-9a-fA-F.]+p[-+]?\d+|\d[\d.]*(?:e[-+]?\d+)?|\w+|[<>=!]=|\S", text)
        self.at, self.lines, self.known = 0, [], {}
        self.names = {o: Tensor(o) for o in operands}
        self.names.update({a.name: Number(a.name) for a in attrs if a.type in NUMBERS})
        self.names.update(inf=Number("(double)INFINITY"), nan=Number("(double)NAN"))

    # ---- tokens

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, token):
        if self.peek() != token:
            return False
        self.at += 1
        return True

    def want(self, token):
        assert self.take(token), f"formula {self.name}: '{token}' expected at '{' '.join(self.tokens[self.at:])}'"

    # ---- values

    def emit(self, code):
        if code not in self.known:
            self.known[code] = f"v{len(self.known) + 1}"
            self.lines.append(f"    ir_ref {self.known[code]} = {code};")
        return Tensor(self.known[code])

    def tensor(self, x, like):
        return x if isinstance(x, Tensor) else self.emit(f"ir_num(g, {like.text}, {x.text})")

    def build(self, op, values):
        typed = [v for v in values if isinstance(v, Tensor)]
        assert typed, f"formula {self.name}: {op} of numbers alone"
        like = values[2] if op == "SELECT" and isinstance(values[2], Tensor) else values[1] if op == "SELECT" and isinstance(values[1], Tensor) else typed[0]
        if op == "SELECT" and like is values[0]:
            like = Tensor(self.operands[0])
        args = [self.tensor(v, like).text for v in values]
        return self.emit(f"ir_build{len(args)}(g, IR_{op}, {', '.join(args)})")

    # ---- the language

    def primary(self):
        if self.take("("):
            v = self.expression()
            self.want(")")
            return v
        if self.take("-"):
            v = self.primary()
            return Number(f"-{v.inner()}", False) if isinstance(v, Number) else self.build("NEG", [v])
        word = self.tokens[self.at]
        self.at += 1
        if word[0].isdigit():
            return Number(word if re.search("[.xe]", word) else word + ".0")
        if not self.take("("):
            assert word in self.names, f"formula {self.name}: no name '{word}'"
            return self.names[word]
        args = [self.expression()]
        while self.take(","):
            args.append(self.expression())
        self.want(")")
        assert word in self.enums and self.enums[word][1] == len(args), f"formula {self.name}: no op {word} of {len(args)}"
        return self.build(self.enums[word][0], args)

    def infix(self, level):
        if level == len(INFIX):
            return self.primary()
        v = self.infix(level + 1)
        while self.peek() in INFIX[level]:
            sign = self.tokens[self.at]
            self.at += 1
            w = self.infix(level + 1)
            if isinstance(v, Number) and isinstance(w, Number):
                v = Number(f"{v.inner()} {sign} {w.inner()}", False)
            else:
                v = self.build(INFIX[level][sign], [v, w])
        return v

    def expression(self):
        v = self.infix(0)
        if not self.take("?"):
            return v
        a = self.expression()
        self.want(":")
        b = self.expression()
        assert all(isinstance(x, Number) for x in (v, a, b)), f"formula {self.name}: ? : is for numbers"
        return Number(f"{v.inner()} ? {a.inner()} : {b.inner()}", False)

    def names_of_values(self):
        while self.at + 1 < len(self.tokens) and self.tokens[self.at + 1] == "=":
            name = self.tokens[self.at]
            self.at += 2
            self.names[name] = self.expression()
            self.want(";")

    def value(self):
        self.names_of_values()
        v = self.expression()
        assert self.at == len(self.tokens), f"formula {self.name}: unread '{' '.join(self.tokens[self.at:])}'"
        return v

    # ---- the function

    def function(self, prototype):
        names = self.operands
        head = prototype.rstrip()[:-1] + " {\n    bz_dtype t;\n"
        for need in filter(None, (n.strip() for n in self.need.split(","))):
            head += (f"    if (!({need}))\n        return ir_error_as(g, BZ_EARG, \"{self.name}\", \"{need.replace(chr(37), chr(37) * 2)} is needed\");\n")
        refs = ", ".join("&" + n for n in names)
        same = "true" if self.kind == "SAME" else "false"
        head += f"    if (!ir_formula_in(g, (ir_ref *[]){{{refs}}}, {len(names)}, {same}, &t)) return 0;\n"
        out = self.value().text
        ends = {"FLOATS": f"ir_math_out(g, {out}, t)", "SAME": out, "LOSS": f"ir_loss_out(g, \"{self.name}\", {out}, reduction, t)",
                "TRUTH": out}
        return head + "\n".join(self.lines) + f"\n    return {ends[self.kind]};\n}}\n"


def made(rows, builders, enums, prototype):
    """The file; rows: (name, kind, need, text); prototype(builder): that of its ir_ function."""
    by_name = {b.name: b for b in builders}
    out = HEAD
    for name, kind, need, text in rows:
        assert name in by_name, f"formulas.def: {name} has no row in builders.def"
        out += "\n" + Formula(name, kind, need, text, by_name[name].operand_names(), by_name[name].attrs, enums).function(prototype(by_name[name]))
    return out


class Pair(Formula):
    """A formula over the parts a, b of a complex number."""

    def __init__(self, op, text, enums):
        super().__init__(op, "", "", text, ["a", "b"], [], enums)

    def rule(self):
        self.names_of_values()
        re_ = self.expression().text
        im = self.expression().text if self.take(",") else "0"
        assert self.at == len(self.tokens), f"complex.def: {self.name}: unread '{' '.join(self.tokens[self.at:])}'"
        return (f"static ir_pair of_{self.name.lower()}(ir_graph *g, ir_ref a, ir_ref b) {{\n" + "\n".join(self.lines) +
                f"\n    return (ir_pair){{{re_}, {im}}};\n}}\n")


def made_complex(rows, enums):
    """The file; rows: (op, formula)."""
    out = COMPLEX_HEAD
    for op, text in rows:
        out += "\n" + Pair(op, text, enums).rule()
    out += "\nir_complex_rule *ir_complex_rule_of(ir_op op) {\n    switch (op) {\n"
    out += "".join(f"    case IR_{op}: return of_{op.lower()};\n" for op, _ in rows)
    return out + "    default: return NULL;\n    }\n}\n"
