#!/usr/bin/env python3
"""reference.py - writes docs/reference.md from the public headers to standard output.

    /* comment */ declaration  -->  ### names, the declaration as a user calls it, the comment

A comment belongs to the declarations that follow it without a blank line; `/* ---- x */` begins a section. NAME_at with its
site is shown as NAME. What ends with an underscore is not a user's."""
import re
import sys
from pathlib import Path

HEADERS = "status dtype api operand context tensor transfer dlpack move ops nn compile custom explain export".split()
ROOT = Path(__file__).resolve().parent.parent


def text_of(comment):
    """The words of a comment, line for line."""
    lines = comment.strip().removeprefix("/*").removesuffix("*/").split("\n")
    return "\n".join(re.sub(r"^\s*\* ?", "", l) if i else l.strip() for i, l in enumerate(lines)).strip()


def paragraphs(text):
    """Markdown: indented pieces stay as they are, the rest flows; no sign of C is taken for markup."""
    out = []
    for block in re.split(r"\n\s*\n", text):
        if any(l.startswith("    ") or l.startswith("  ") for l in block.split("\n")):
            out.append("```text\n" + block.rstrip() + "\n```")
        else:
            out.append(re.sub(r"([*_<|`\[])", r"\\\1", " ".join(block.split())))
    return "\n\n".join(out)


def public(declaration):
    """A declaration as a user writes the call."""
    d = re.sub(r"\s+", " ", declaration).strip()
    d = re.sub(r"^BZ_API ", "", d)
    d = re.sub(r"\b(bz_\w+)_at\(", r"\1(", d)
    return re.sub(r", const char \*site\)", ")", d)


def pieces(source):
    """('comment' | 'code' | 'macro' | 'blank', text) of a header, in order."""
    token = re.compile(r"/\*.*?\*/|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*|\n[ \t]*(?=\n)|(?:typedef[^;{]*\{(?:[^{}]|\{[^{}]*\})*\}[^;]*;)"
                       r"|(?:static inline[^{;]*\{(?:[^{}]|\{[^{}]*\})*\})|[A-Za-z][^;#]*?;", re.S | re.M)
    for m in token.finditer(source):
        t = m.group(0)
        if t.startswith("/*"):
            yield "comment", t
        elif t.lstrip().startswith("#"):
            yield "macro", t.strip()
        elif not t.strip():
            yield "blank", ""
        else:
            yield "code", t


def wanted_macro(m):
    name = re.match(r"#\s*define (\w+)", m)
    return name and not name[1].endswith("_") and not name[1].startswith("bz_") and "_H" not in name[1] and name[1] not in ("BZ_API", "BZ_OPERAND")


def show(codes, doc):
    if not codes:
        return ""
    return "```c\n" + "\n".join(codes) + "\n```\n" + (paragraphs(doc) + "\n" if doc else "") + "\n"


def code_of(t):
    if t.startswith("typedef"):
        return re.sub(r"\n\s*\n", "\n", t.strip())
    return public(t)


def is_public(t):
    name = re.search(r"(\w+)\(", t)
    return not t.startswith(("extern", "static", "namespace", "template", "return")) and not (name and name[1].endswith("_")) \
        and (t.startswith(("BZ_API", "typedef")))


def header(name):
    source = (ROOT / "include/braze" / f"{name}.h").read_text()
    source = re.sub(r"#ifdef __cplusplus.*?#(?:else|endif)[^\n]*", "", source, flags=re.S)
    out, codes, doc, first, after_code = "", [], "", True, False
    for kind, t in pieces(source):
        if kind == "comment":
            words = text_of(t)
            if first:
                title, _, rest = re.sub(r"Made by tools/[^\n]*\n*", "", words).partition("\n")
                out += f"## {title.strip()}\n" + (paragraphs(rest.strip("\n")) + "\n" if rest.strip() else "") + "\n"
                first = False
            elif words.startswith("----"):
                out += show(codes, doc) + "### " + re.sub(r"([*_<|`])", r"\\\1", words.strip("- ").split("\n")[0]) + "\n"
                rest = "\n".join(words.split("\n")[1:])
                out += (paragraphs(rest) + "\n" if rest.strip() else "") + "\n"
                codes, doc = [], ""
            elif after_code and not t.count("\n") and codes and source[source.index(t) - 40:source.index(t)].rstrip(" ").endswith(";"):
                codes[-1] += "  // " + words
            else:
                out += show(codes, doc)
                codes, doc = [], "" if words.startswith("X(") else words
            after_code = False
        elif kind == "blank":
            out += show(codes, doc)
            codes, doc, after_code = [], "", False
        elif kind == "macro":
            if t.startswith("#define BZ_STATUSES"):
                codes += [f"{s}  // {words}" for s, words in re.findall(r'X\((\w+), "([^"]*)"\)', t)]
            elif t.startswith("#define BZ_DTYPES"):
                codes += [f"{e}  // {name}: {kind}, {size} bytes"
                          for e, name, size, kind in re.findall(r"X\((BZ_\w+), (\w+), (\w+), (\w+)", t)]
            elif wanted_macro(t):
                codes.append(re.sub(r"\s*\\\n\s*", " ", t) if "_DEFAULTS" in t else re.match(r"#\s*define \w+(\([^)]*\))?", t)[0])
        elif is_public(t) and "#define" not in t and name != "operand":
            codes.append(code_of(t))
            after_code = True
    return out + show(codes, doc)  # a comment before what is not shown goes with it


print("# Reference\nMade by `tools/reference.py` from `include/braze`: do not edit. [guide.md](guide.md) is the way in, [ops.md](ops.md) has the\n"
      "text form's names. `x`, `y` may be numbers wherever operand.h says so; functions with a source line are shown without it.\n")
sys.stdout.write("".join(header(h) for h in HEADERS).rstrip() + "\n")
