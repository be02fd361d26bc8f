#!/usr/bin/env python3
"""test_guide.py - the programs of the documentation: the guide's blocks, one after another, as one program that prints what
stands below each; docs/reference.md is what the headers give now."""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
SRC = Path(os.environ.get("BRAZE_SRC", ".")).resolve()
BUILD = Path(os.environ.get("BRAZE_BUILD", "build")).resolve()
MARK = "---- block"
passed = failed = 0


def check(name, good, detail=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {name}\n{detail}")


def blocks(page):
    """(language, text, line) of each fenced block."""
    return [(m[1], m[2], page[: m.start()].count("\n") + 1) for m in re.finditer(r"^```(\w*)\n(.*?)^```$", page, re.S | re.M)]


def program(page):
    """The C program of a page, and what each block prints, by number."""
    outside, inside, expected = "", "", {}
    found = blocks(page)
    for i, (language, text, line) in enumerate(found):
        if language != "c":
            continue
        where = f'#line {line + 1} "guide.md"\n'
        if text.startswith(("#include", "static", "/* in:")):
            outside += where + text
            continue
        inside += f'printf("{MARK} {i}\\n");\n' + where + text
        expected[i] = found[i + 1][1] if i + 1 < len(found) and found[i + 1][0] == "text" else None
    return f"#include <stdio.h>\n#include <string.h>\n{outside}\nint main(void) {{\n{inside}\nreturn 0;\n}}\n", expected


def run_guide(work):
    source, expected = program((SRC / "docs/guide.md").read_text())
    (work / "guide.c").write_text(source)
    cc = os.environ.get("CC", "cc").split() + os.environ.get("BRAZE_SANITIZE", "").split()
    built = subprocess.run(cc + ["-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{SRC}/include", "guide.c", f"-L{BUILD}", "-lbraze", "-lm",
                                 f"-Wl,-rpath,{BUILD}", "-o", "guide"], cwd=work, capture_output=True, text=True)
    check("the guide compiles", built.returncode == 0, built.stderr)
    if built.returncode:
        return
    ran = subprocess.run(["./guide"], cwd=work, capture_output=True, text=True)
    check("the guide runs", ran.returncode == 0 and not ran.stderr, f"status {ran.returncode}\n{ran.stderr}")
    printed = {int(k): text for k, text in re.findall(rf"^{MARK} (\d+)\n(.*?)(?=^{MARK} |\Z)", ran.stdout, re.S | re.M)}
    for i, text in expected.items():
        if text is not None:
            check(f"what block {i} prints", printed.get(i) == text, f"printed:\n{printed.get(i)}\nthe page says:\n{text}")
    check("the guide has programs", len(expected) > 10)


def braze_run(work, text, *options):
    (work / "p.bz").write_text(text)
    return subprocess.run([os.environ.get("BRAZE_TOOL", BUILD / "braze"), "run", "p.bz", *options], cwd=work, capture_output=True, text=True)


def run_programs(work):
    """The programs of docs/ir.md, as they stand; sizes that are open are given."""
    programs = [text for _, text, _ in blocks((SRC / "docs/ir.md").read_text()) if re.match(r"(#.*\n)?graph ", text)]
    check("docs/ir.md begins with two programs", len(programs) >= 2)
    first = braze_run(work, programs[0])
    check("the first program of docs/ir.md runs as it stands", re.match(r"loss: f32\[\]\n\d\.\d+\n", first.stdout), first.stderr)
    second = braze_run(work, programs[1].replace("x: f32[n,784]", "x: f32[n,784] = randn(seed=2)"), "--dim", "n=32")
    check("the second runs with a size", second.stdout.startswith("best: i64[32]\n"), second.stderr)


with tempfile.TemporaryDirectory() as directory:
    run_guide(Path(directory))
    run_programs(Path(directory))
reference = subprocess.run([sys.executable, SRC / "tools/reference.py"], capture_output=True, text=True)
check("docs/reference.md is fresh: tools/reference.py > docs/reference.md",
      reference.stdout == (SRC / "docs/reference.md").read_text() and not reference.returncode, reference.stderr)
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
