#!/usr/bin/python3
"""test_export_names.py - `braze export`: which names and places it takes, and what it leaves when it refuses.

Every header that is written must compile as C11 and as C++17 without a warning, beside the standard headers before and behind it;
a refusal has its exit status, words, and leaves the directory as it was."""
import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
TOOL = os.path.abspath(os.environ.get("BRAZE_TOOL", "build/braze"))
CC = shlex.split(os.environ.get("CC", "cc"))
SANITIZE = shlex.split(os.environ.get("BRAZE_SANITIZE", ""))
CXX = ["g++"]
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
PROGRAM = "graph main(x: f32[4] = 1.5) {\n    %y = add %x, %x\n    return %y as y\n}\n"
C_HEADERS = "assert complex ctype errno fenv float inttypes limits locale math setjmp signal stdarg stdatomic stdio stdlib string " \
            "tgmath time wchar unistd pthread".split()
CXX_HEADERS = "cassert cctype cerrno cmath complex csetjmp csignal cstdarg cstdio cstdlib cstring ctime functional vector unistd.h".split()
passed = failed = 0


def check(what, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print(f"FAILED: {what}\n{detail}")


def export(out, text=PROGRAM, name=None, tool=TOOL, **more):
    args = [tool, "export", "-", "--out", out, "--isa", "base"] + (["--name", name] if name is not None else [])
    return subprocess.run(args, input=text.encode(), capture_output=True, timeout=120, **more)


@contextlib.contextmanager
def as_someone():
    """How to run the tool as a user who may not write everywhere. Root lends its files to one who may be unable to reach the build."""
    if os.geteuid() != 0:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="braze-names-", dir="/tmp") as d:  # TMPDIR may be root's own
        os.chmod(d, 0o755)
        tool, plugin = shutil.copy(TOOL, d), shutil.copy(os.environ["BRAZE_LLVM"], d)
        yield {"user": 65534, "group": 65534, "extra_groups": [], "tool": tool, "cwd": d, "env": {**os.environ, "BRAZE_LLVM": plugin}}


def refused(what, r, status, says, before, d):
    """The exit status, one line of words, and a directory as it was."""
    error = r.stderr.decode(errors="replace")
    check(what, r.returncode == status and says in error and error.startswith("braze: error: "),
          f"status {r.returncode}, expected {status} and '{says}': {error}")
    check(f"{what}: nothing is left", sorted(os.listdir(d)) == before, os.listdir(d))


def compiles(what, header, call, crowd=False):
    """From C and C++; crowd: before, behind and between the standard headers too."""
    c = "".join(f"#include <{h}.h>\n" for h in C_HEADERS)
    cxx = "".join(f"#include <{h}>\n" for h in CXX_HEADERS)
    include = f'#include "{header}"\n'
    body = f"int use(void);\nint use(void) {{\n    {call}\n    return 0;\n}}\n"
    alone = [([*CC, "-std=c11"], "c", include + body), ([*CXX, "-std=c++17"], "c++", include + body)]
    among = [([*CC, "-std=gnu11"], "c", c + include + include + body), ([*CC, "-std=c11"], "c", include + c + body),
             ([*CXX, "-std=gnu++17"], "c++", cxx + include + body), ([*CXX, "-std=c++17"], "c++", include + cxx + body)]
    for compiler, lang, text in alone + (among if crowd else []):
        r = subprocess.run([*compiler, *STRICT, "-x", lang, "-fsyntax-only", "-"], input=text, capture_output=True, text=True)
        check(f"{what}: its header as {compiler[-1]}", r.returncode == 0, r.stderr)


MAIN = """#include <stdio.h>
#include "p.h"
int main(void) {
    float x[4] = {1, 2, 3, 4}, y[4];
    struct NAME_args a = {.x = x, .y = y};
    int status = NAME(&a);
    printf("%g %g %s\\n", y[0], y[3], NAME_error(status));
    return status != NAME_OK;
}
"""


def runs(what, name, d):
    open(f"{d}/main.c", "w").write(MAIN.replace("NAME", name))
    r = subprocess.run([*CC, "-std=c11", *SANITIZE, "main.c", "p.o", "braze_rt.o", "-lm", "-lpthread", "-o", "main"], cwd=d,
                       capture_output=True, text=True)
    out = subprocess.run([f"{d}/main"], capture_output=True, text=True).stdout if r.returncode == 0 else r.stderr
    check(f"{what}: linked and run", out.startswith("2 8 "), out)


def test_function_names():
    with tempfile.TemporaryDirectory(prefix="braze-names-") as d:
        for name in ["f", "step", "Model2", "a_b_c", "x_t", "unused", "add", "relu", "forward", "n" * 63]:
            r = export(f"{d}/p", name=name)
            check(f"name {name}", r.returncode == 0, r.stderr)
            compiles(f"name {name}", f"{d}/p.h", f"static struct {name}_args a; return {name}(&a);", name == "x_t")
        runs("name", "n" * 63, d)
    no_name = ["", "9", "1x", "a b", "a-b", "a.b", "a/b", "../f", "a\nb", "a;b", "é", "_x", "_Bool", "a__b", "n" * 64, "n" * 1000,
               "int", "while", "restrict", "inline", "static_assert", "nullptr", "typeof", "class", "template", "new", "xor", "co_await",
               "char8_t", "wchar_t", "concept", "asm", "linux", "unix", "NULL", "size_t", "int8_t", "uint_fast16_t", "SIZE_MAX",
               "INT8_MAX", "PTRDIFF_MIN", "workspace", "main", "std", "F", "X", "assert", "errno", "alloca", "signbit", "va_start"]
    taken = ["sin", "expf", "fma", "y1", "gamma", "malloc", "free", "printf", "memcpy", "exit", "read", "write", "open", "index", "time",
             "environ", "stdout", "pthread_create", "clone", "dlopen"]
    own = ["bz_add", "bz_open", "bz_rt_call_v2", "bz_rt_threads", "bz_x"]
    for says, names in [("is no function name", no_name), ("the C library has", taken), ("braze's own", own)]:
        for name in names:
            with tempfile.TemporaryDirectory(prefix="braze-names-") as d:
                refused(f"name '{name[:70]}'", export(f"{d}/p", name=name), 1, says, [], d)


def test_member_names():
    names = ["NULL", "size_t", "uint8_t", "int_least64_t", "INT8_MAX", "SIZE_MAX", "offsetof", "workspace", "workspace_bytes", "class",
             "int", "bool", "true", "linux", "unix", "and", "operator", "x", "x_", "x__", "_x", "9", "a b", "*/", "/*", "\\\\", "a\\nb", "é", "",
             "??/", "args", "status", "f", "f_args", "n" * 300, "errno", "assert", "I", "X", "main", "sin", "this", "std"]
    inputs = ", ".join(f'"{n}": f32[4] = 1.0' for n in names if n)
    lines = "\n".join(f"    %r{i} = neg %\"{n}\"" for i, n in enumerate(names) if n)
    outs = ", ".join(f'%r{i} as "{n}"' for i, n in enumerate(names) if n)
    with tempfile.TemporaryDirectory(prefix="braze-names-") as d:
        r = export(f"{d}/p", f"graph main({inputs}) {{\n{lines}\n    return {outs}\n}}\n", "f")
        check("odd names of inputs and outputs", r.returncode == 0, r.stderr.decode())
        if r.returncode == 0:
            compiles("odd members", f"{d}/p.h", "static struct f_args a; return f(&a);", True)


def test_prefixes():
    with tempfile.TemporaryDirectory(prefix="braze-names-") as d:
        os.makedirs(f"{d}/a/b")
        for p in ["a/b/p", "a/../p", "a//p", "sp ace", "qu'o\"te", "back\\slash", "new\nline", "st*r", "é", "-dash", ".hidden", "p.o", "%s%n"]:
            r = export(f"{d}/{p}", name="f")
            files = [os.path.exists(f"{d}/{p}{e}") for e in (".o", ".h")] + [os.path.exists(os.path.dirname(f"{d}/{p}") + "/braze_rt.o")]
            check(f"prefix {p!r}", r.returncode == 0 and all(files), r.stderr)
        r = export("-dash", name="f", cwd=d)
        check("a prefix with a dash in front, relative", r.returncode == 0, r.stderr)
        compiles("a header of an odd place", f"{d}/st*r.h", "static struct f_args a; return f(&a);")
        r = export(f"{d}/fine")
        check("the prefix names the function", r.returncode == 0 and "int fine(" in open(f"{d}/fine.h").read(), r.stderr)
    with tempfile.TemporaryDirectory(prefix="braze-names-") as d:
        for p, status, says in [("", 1, "names no file"), (f"{d}/", 1, "names no file"), (f"{d}/braze_rt", 1, "run time object"),
                                ("/proc/none/p", 3, "No such file"), ("/dev/null/p", 3, "Not a directory"),
                                (f"{d}/{'n' * 300}", 3, "File name too long"), (f"{d}/{'n' * 250}", 3, "File name too long"),
                                (f"{d}/{'d/' * 3000}p", 3, "File name too long")]:
            refused(f"prefix {p[:50]!r}", export(p, name="f"), status, says, [], d)
        refused("a function named by its prefix", export(f"{d}/no-name"), 1, "is no function name", [], d)


def test_header_of_another_export():
    """Header and object of two exports: an error of the linker that says so. A plain symbol stays for those who read no header."""
    other = PROGRAM.replace("f32[4]", "f64[7]")
    with tempfile.TemporaryDirectory(prefix="braze-names-") as d:
        open(f"{d}/main.c", "w").write('#include "p.h"\nint main(void) { static struct f_args a; return f(&a) == 0; }\n')
        link = [*CC, *SANITIZE, f"{d}/main.c", f"{d}/p.o", f"{d}/braze_rt.o", "-lm", "-lpthread", "-o", f"{d}/main"]
        export(f"{d}/p", name="f")
        r = subprocess.run(link, capture_output=True, text=True)
        check("header and object of one export", r.returncode == 0, r.stderr)
        old = open(f"{d}/p.h").read()
        export(f"{d}/p", text=other, name="f")
        r = subprocess.run(["nm", f"{d}/p.o"], capture_output=True, text=True)
        check("the plain symbol", " T f\n" in r.stdout, r.stdout)
        open(f"{d}/p.h", "w").write(old)
        r = subprocess.run(link, capture_output=True, text=True)
        check("an old header beside a new object", r.returncode != 0 and "f.of_header_" in r.stderr, r.stderr)


def make(d, **files):
    for name, text in files.items():
        open(f"{d}/{name.replace('_o', '.o').replace('_h', '.h')}", "w").write(text)
    return sorted(os.listdir(d))


def test_places_that_cannot_be_written():
    with tempfile.TemporaryDirectory(prefix="braze-names-") as d:
        before = make(d, p_o="old", p_h="old")
        os.symlink("/dev/full", f"{d}/full.o")
        os.symlink("/dev/full", f"{d}/half.h")
        before = sorted(os.listdir(d))
        refused("a full device for the object", export(f"{d}/full", name="f"), 3, "No space left", before, d)
        refused("a full device for the header", export(f"{d}/half", name="f"), 3, "No space left", before, d)
        os.symlink("/dev/full", f"{d}/braze_rt.o")
        before = sorted(os.listdir(d))
        refused("a full device for the run time", export(f"{d}/p", name="f"), 3, "No space left", before, d)
        check("old files stay as they were", open(f"{d}/p.o").read() == open(f"{d}/p.h").read() == "old")
    with tempfile.TemporaryDirectory(prefix="braze-names-") as d:
        os.mkdir(f"{d}/p.h")
        before = make(d, p_o="old")
        refused("a directory where the header belongs", export(f"{d}/p", name="f"), 3, "Is a directory", before, d)
        check("the object stays as it was", open(f"{d}/p.o").read() == "old")
    with tempfile.TemporaryDirectory(prefix="braze-names-") as d:
        before = make(d, p_o="old", p_h="old")
        os.chmod(d, 0o555)
        with as_someone() as someone:
            refused("a directory without permission", export(f"{d}/p", name="f", **someone), 3, "Permission denied", before, d)
        os.chmod(d, 0o755)
        for name in ("p.o", "p.h"):
            os.chmod(f"{d}/{name}", 0o444)
        r = export(f"{d}/p", name="f")
        check("read-only files in a directory of one's own are replaced whole", r.returncode == 0 and
              open(f"{d}/p.o", "rb").read(4) == b"\x7fELF" and "int f(" in open(f"{d}/p.h").read(), r.stderr)
        check("no other files", sorted(os.listdir(d)) == ["braze_rt.o", "p.h", "p.o"], os.listdir(d))


def main():
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
