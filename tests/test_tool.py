#!/usr/bin/python3
"""test_tool.py - the braze command: what it prints, what it writes, and how it refuses.

Each row of a table: arguments, text for standard input, expected exit status, expected parts of the output (standard
output for status 0, standard error otherwise). DIR stands for a fresh directory with the files made below."""
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import xml.dom.minidom
from pathlib import Path

import numpy as np

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
TOOL = os.environ.get("BRAZE_TOOL", "build/braze")
DIR = tempfile.mkdtemp(prefix="braze-tool-")
passed = failed = 0

ADD = "graph main(x: f32[2,2], y: f32[2,2] = 1.0) {\n    %z = add %x, %y\n    return %z as z\n}\n"
SUM = "graph main(x: f32[3] = randn(seed=1)) {\n    %y = mul %x, %x\n    %s = sum %y\n    return %s as s\n}\n"
# Donated: an input handed on, and one value for two inputs.
SWAP = """graph main(a: f32[4] = iota(), b: f32[4] = 1.0) {
    %1 = add %a, %b
    return %b as x donate a, %1 as y donate b
}
"""
SHARE = """graph main(a: f32[2] = iota(), b: f32[2] = 1.0) {
    %1 = add %a, %b
    %2 = flip %b {axes=[0]}
    %3 = mul %1, %2
    return %3 as x donate a, %3 as y donate b
}
"""
SYMBOLS = """graph main(n: sym(1, 8), x: f32[n,2]) {
    %s = sum %x {axes=[0]}
    %r = reshape %x {shape=[n*2]}
    return %s as s, %r as r
}
"""
MLP = """graph main(x: f32[8,6] = randn(seed=1), w: f32[4,6] = randn(seed=2), y: i64[8] = randint(lo=0, hi=4, seed=3)) {
    %h = linear %x, %w
    %r = relu %h
    %l = cross_entropy %r, %y
    return %l as loss, %r as r
}
"""


def path(name):
    return os.path.join(DIR, name)


def braze(args, stdin="", env=None):
    args = [a.replace("DIR", DIR) for a in args]
    return subprocess.run([TOOL, *args], input=stdin, capture_output=True, text=True, timeout=120,
                          env={**os.environ, **(env or {})})


def check(what, good, detail=""):
    global passed, failed
    passed += bool(good)
    failed += not good
    if not good:
        print(f"FAILED: {what}\n{detail}")


def row(args, stdin, status, *parts, env=None):
    r = braze(args, stdin, env)
    text = r.stdout if status == 0 else r.stderr
    missing = [p for p in parts if p.replace("DIR", DIR) not in text]
    good = r.returncode == status and not missing and (status == 0 or r.stderr.strip())
    check(" ".join(args), good, f"status {r.returncode}, expected {status}; not found: {missing}\n{r.stdout}{r.stderr}")
    return r


def make_files():
    np.save(path("x.npy"), np.arange(4, dtype="f4").reshape(2, 2))
    np.save(path("fortran.npy"), np.asfortranarray(np.arange(4, dtype="f4").reshape(2, 2)))
    np.save(path("big.npy"), np.arange(4, dtype=">f4").reshape(2, 2))
    np.save(path("long.npy"), np.zeros(5, "f4"))
    np.save(path("f64.npy"), np.zeros((2, 2)))
    np.save(path("wide.npy"), np.array([0, 2**31]))
    np.save(path("small.npy"), np.array([-3, 4]))
    np.save(path("complex.npy"), np.zeros((2, 2), "c8"))
    data = open(path("x.npy"), "rb").read()
    open(path("cut.npy"), "wb").write(data[:-1])
    open(path("no.npy"), "w").write("hello")
    open(path("add.bz"), "w").write(ADD)
    open(path("sum.bz"), "w").write(SUM)
    open(path("mlp.bz"), "w").write(MLP)


def test_run():
    row(["run", "-", "--in", "x=DIR/x.npy", "--out", "DIR/a/b/c"], ADD, 0, "z: f32[2,2] -> DIR/a/b/c/z.npy")
    check("the directories of --out", np.array_equal(np.load(path("a/b/c/z.npy")), [[1, 2], [3, 4]]))
    r = row(["run", "DIR/add.bz", "--in", "x=DIR/f64.npy", "--in", "y=0.5"], "", 0, "z: f32[2,2]\n[[0.5 0.5]")
    check("a file of another dtype is noticed", "f64.npy holds f64; input x takes it as f32" in r.stderr, r.stderr)
    row(["run", "-", "--in", "k=9007199254740993"], "graph main(k: i64[]) {\n return %k as k\n}", 0, "k: i64[]\n9007199254740993")
    for code, held in (("<u2", "u16"), (">u2", "u16"), ("<u4", "u32"), (">u4", "u32"), ("<u8", "u64"), (">u8", "u64")):
        most = 2 ** (8 * int(code[2])) - 1
        np.save(path("u.npy"), np.asfortranarray(np.array([[0, 1, 2], [3, 4, most]], code)))
        r = row(["run", "-", "--in", "k=DIR/u.npy"], "graph main(k: %s[2,3]) {\n %%r = reshape %%k {shape=[6]}\n return %%r as r\n}" % held, 0)
        check(f"{code} is read as {held}", r.stdout.replace("[", " ").replace("]", " ").split()[-6:] == ["0", "1", "2", "3", "4", str(most)] and not r.stderr, r.stdout + r.stderr)
    np.save(path("u.npy"), np.array([1, 2**63], "u8"))
    row(["run", "-", "--in", "k=DIR/u.npy"], "graph main(k: i64[2]) {\n return %k\n}", 1, "input k is i64: 9223372036854775808 in DIR/u.npy does not fit")
    row(["run", "-", "--in", "k=18446744073709551615"], "graph main(k: u64[2], x: u64[2] = 9223372036854775808) {\n return %k as k, %x as x\n}", 0,
        "k: u64[2]\n[18446744073709551615 18446744073709551615]", "x: u64[2]\n[9223372036854775808 9223372036854775808]")
    row(["run", "-"], "graph main(x: u64[3] = randint(seed=1, lo=9223372036854775807, hi=18446744073709551615)) {\n %r = lt %x, 9223372036854775807\n"
        " return %r as r\n}", 0, "r: bool[3]\n[False False False]")
    row(["run", "-", "--in", "k=-inf"], "graph main(k: f64[]) {\n return %k as k\n}", 0, "-inf")
    row(["run", "-", "--in", "k=DIR/small.npy"], "graph main(k: i32[2]) {\n return %k as k\n}", 0, "k: i32[2]\n[-3  4]")
    for device in ("cpu", "ref"):
        row(["run", "-", "--in", "x=DIR/x.npy", "--device", device], SYMBOLS, 0, "s: f32[2]\n[2. 4.]\nr: f32[4]")
        row(["run", "-", "--in", "x=1.5", "--dim", "n=3", "--device", device], SYMBOLS, 0, "s: f32[2]\n[4.5 4.5]\nr: f32[6]")
    row(["run", "-", "--in", "x=DIR/x.npy"], ADD, 0, "z: f32[2,2]\n[[1. 2.]\n [3. 4.]]\n")
    row(["run", "DIR/add.bz", "--in", "x=DIR/fortran.npy"], "", 0, "[[1. 2.]\n [3. 4.]]")
    row(["run", "DIR/add.bz", "--in=x=DIR/big.npy"], "", 0, "[[1. 2.]\n [3. 4.]]")
    row(["run", "DIR/add.bz", "--in", "x=DIR/x.npy", "--in", "y=DIR/x.npy"], "", 0, "[[0. 2.]\n [4. 6.]]")
    row(["run", "DIR/sum.bz", "--time"], "", 0, "s: f32[]\n", "compiled in", "1 runs: median")
    row(["run", "--help"], "", 0, "--in NAME=FILE.npy", "NAME=FILE.npz:ARRAY", "to one FILE.npz", "--isa avx512|avx2|base", "--repeat N")
    row(["run", "-"], "graph main() {\n %x = zeros {shape=[0,3]}\n return %x as e\n}", 0, "e: f32[0,3]\n[]")
    row(["run", "-"], "graph main(x: f32[] = 2.0) {\n %y = permute %x {perm=[]}\n return %y as y\n}", 0, "y: f32[]\n2.0\n")
    for device in ("cpu", "ref"):
        row(["run", "-", "--repeat", "3", "--device", device], SWAP, 0, "x: f32[4]\n[2. 3. 4. 5.]\ny: f32[4]\n[3. 5. 7. 9.]")
        row(["run", "-", "--repeat", "3", "--device", device], SHARE, 0, "x: f32[2]\n[32. 32.]\ny: f32[2]\n[32. 32.]")
    same = {braze(["run", "DIR/mlp.bz", *extra]).stdout for extra in
            ([], ["--device", "ref"], ["--mode", "eager"], ["--threads", "1"], ["--threads", "2"], ["--isa", "base"])}
    check("the same bits on every device, mode, ISA and number of threads", len(same) == 1 and "loss" in same.pop(), same)


def test_streams():
    # minimal machines lack the first names
    stdin, stdout = (n if os.path.exists(n) else f"/proc/self/fd/{i}" for i, n in enumerate(("/dev/stdin", "/dev/stdout")))
    data = open(path("x.npy"), "rb").read()
    for piped, status, part in ((data, 0, "[[1. 2.]\n [3. 4.]]"), (data[:-1], 1, "it has 15 of 16 bytes"), (b"", 1, f"{stdin}: not a .npy file: it is empty")):
        r = subprocess.run([TOOL, "run", path("add.bz"), "--in", f"x={stdin}"], input=piped, capture_output=True)
        check("an input from a pipe", r.returncode == status and part in (r.stdout + r.stderr).decode(), r)
    r = subprocess.run([TOOL, "run", path("add.bz"), "--in", f"x={path('x.npy')}", "--out", stdout], capture_output=True)
    check("a directory is no pipe", r.returncode == 3 and b"Not a directory" in r.stderr, r)
    r = subprocess.run([TOOL, "run", path("add.bz"), "--in", f"x={path('x.npy')}", "--out", f"z={stdout}"], capture_output=True)
    check("an output to a pipe", r.returncode == 0 and np.array_equal(np.load(io.BytesIO(r.stdout)), [[1, 2], [3, 4]]), r)


def everything_below(where):
    return sorted(os.path.join(d, f) for d, dirs, files in os.walk(where) for f in dirs + files)


def test_outputs_all_or_none():
    """Where a run fails, or one output cannot be written, there is nothing new, and what was there stays."""
    os.makedirs(path("box/old/y.npy"))
    os.makedirs(path("box/some"))
    open(path("box/some/x.npy"), "w").write("before")
    before = everything_below(path("box"))
    slash = 'graph main() {\n %x = zeros {shape=[4]}\n return %x as ok, %x as "a/b"\n}'
    index = "graph main(x: f32[3] = 1.0, i: i64[1] = 7) {\n %y = gather %x, %i {axis=0}\n return %y as y\n}\n"
    for args, program, status, part in (
            (["DIR/box/old"], SWAP, 3, "cannot write DIR/box/old/y.npy: Is a directory"),
            (["x=DIR/box/some/x.npy", "y=DIR/box/old/y.npy"], SWAP, 3, "Is a directory"),
            (["x=DIR/box/new/x.npy", "y=DIR/box/some/x.npy/y"], SWAP, 3, "Not a directory"),
            (["x=DIR/box/a/b/x.npy", "y=DIR/box/old/y.npy"], SWAP, 3, "Is a directory"),
            (["x=DIR/box/one", "y=DIR/box/one"], SWAP, 1, "--out y=DIR/box/one: the file is another output's"),
            (["DIR/box/c/d"], slash, 1, "output 'a/b' has no name for a file"),
            (["DIR/box/c/d"], index, 1, "index 7 is outside"),
            (["DIR/box/c/" + 300 * "n" + "/f.npz"], SWAP, 3, "File name too long"),
            (["DIR/box/c/" + 300 * "n" + ".npz"], SWAP, 3, "File name too long")):
        row(["run", "-", *(a for out in args for a in ("--out", out))], program, status, part)
        check(f"nothing is left by {args}", everything_below(path("box")) == before, everything_below(path("box")))
        check("the old file stays", open(path("box/some/x.npy")).read() == "before")
    many = "graph main() {\n %x = zeros {shape=[4]}\n return " + ", ".join(f"%x as o{i}" for i in range(300)) + "\n}"
    r = subprocess.run(["sh", "-c", f"ulimit -n 100; exec {TOOL} run - --out {path('box/many')}"], input=many, capture_output=True, text=True)
    check("more files than descriptors", r.returncode == 0 and len(os.listdir(path("box/many"))) == 300, r.stderr)


def test_many_arrays_in_one_file():
    """numpy.savez writes, braze reads and writes, numpy.load reads."""
    a, b = np.arange(4, dtype="f4").reshape(2, 2), np.full((2, 2), 3, ">f8", order="F")
    for save in (np.savez, np.savez_compressed):
        save(path("in.npz"), **{"x": a, "net/b": b, "y.npy": a})
        r = row(["run", "-", "--in", "x=DIR/in.npz", "--in", "y=DIR/in.npz:net/b", "--out", "DIR/n/m/out.npz"], ADD, 0, "z: f32[2,2] -> DIR/n/m/out.npz:z")
        check("a note for another dtype", "in.npz:net/b holds f64; input y takes it as f32" in r.stderr, r.stderr)
        with np.load(path("n/m/out.npz")) as f:
            check("all outputs in one file", f.files == ["z"] and np.array_equal(f["z"], a + 3), f.files)
        row(["run", "-", "--in", "x=DIR/in.npz:x", "--in", "y=DIR/in.npz:y.npy"], ADD, 0, "[[0. 2.]\n [4. 6.]]")
    check("nothing else is left", os.listdir(path("n/m")) == ["out.npz"], os.listdir(path("n/m")))
    r = row(["run", "-", "--out", "y=DIR/p/q/why.npy"], SWAP, 0, "x: f32[4]\n[", "y: f32[4] -> DIR/p/q/why.npy")
    check("one output to a file of its own", os.listdir(path("p/q")) == ["why.npy"] and np.load(path("p/q/why.npy")).shape == (4,), r.stdout)
    row(["run", "-", "--json", "--out", "y=DIR/y1", "--out", "x=DIR/x1"], SWAP, 0, '"name": "x", "dtype": "f32", "shape": [4]}')
    check("both, to files of any name", np.load(path("y1")).shape == np.load(path("x1")).shape == (4,))
    row(["run", "-", "--out", "z=DIR/z.npy"], SWAP, 1, "--out z=DIR/z.npy: the program has no such output; it has x, y")
    row(["run", "-", "--out", "y=DIR/"], SWAP, 1, "NAME=FILE.npy is wanted, or", "FILE.npz alone")
    row(["run", "-", "--out", "y=DIR/y.npz"], SWAP, 1, "NAME=FILE.npy is wanted")
    row(["run", "-", "--out", "y=DIR/a.npy", "--out", "y=DIR/b.npy"], SWAP, 1, "--out y=DIR/b.npy: this output is given twice")
    row(["run", "-", "--out", "y=DIR/a.npy", "--out", "DIR"], SWAP, 2, "all outputs to one place, or NAME=FILE.npy for each")
    row(["run", "-", "--out", "DIR/a", "--out", "DIR/b"], SWAP, 2, "--out DIR/b: --out DIR/a is given already")
    row(["run", "-", "--out", "DIR/a=b"], SWAP, 0, "y: f32[4] -> DIR/a=b/y.npy")
    row(["run", "-", "--out", "DIR/two.npz"], SWAP, 0, "x: f32[4] -> DIR/two.npz:x", "y: f32[4] -> DIR/two.npz:y")
    with np.load(path("two.npz")) as f:
        check("two outputs", np.array_equal(f["x"], np.ones(4)) and np.array_equal(f["y"], np.arange(1, 5)), dict(f))
    x = ["run", "-", "--in"]
    row([*x, "x=DIR/in.npz:q"], ADD, 1, "DIR/in.npz has no array 'q'; it has x, net/b, y.npy")
    row([*x, "y=DIR/in.npz"], ADD, 1, "has no array 'y'")
    row([*x, "x=DIR/none.npz:x"], ADD, 1, "cannot read DIR/none.npz: No such file")
    row([*x, "x=DIR/in.npz:"], ADD, 1, "has no array ''")
    np.savez(path("object.npz"), x=np.array([None, 1], object), c=np.zeros(2, "c8"))
    row([*x, "x=DIR/object.npz:x"], ADD, 1, "DIR/object.npz:x.npy: braze has no dtype for '|O'")
    row([*x, "x=DIR/object.npz:c"], ADD, 1, "input x is f32[2,2], but DIR/object.npz:c holds c64[2]")
    data = open(path("in.npz"), "rb").read()
    open(path("cut.npz"), "wb").write(data[:-1])
    row([*x, "x=DIR/cut.npz:x"], ADD, 1, "DIR/cut.npz")
    row([*x, "x=DIR/x.npy", "--out", "DIR/x.npy/a.npz"], ADD, 3, "cannot write DIR/x.npy/a.npz: Not a directory")
    os.mkdir(path("directory.npz"))
    row([*x, "x=DIR/x.npy", "--out", "DIR/directory.npz"], ADD, 3, "Is a directory")


def test_run_mistakes():
    x = ["run", "DIR/add.bz"]
    row(x, "", 1, "input x: f32[2,2] is missing", "--in x=FILE.npy")
    row([*x, "--in", "x=DIR/long.npy"], "", 1, "input x is f32[2,2], but DIR/long.npy holds f32[5]")
    row([*x, "--in", "x=DIR/complex.npy"], "", 1, "input x is f32[2,2], but DIR/complex.npy holds c64[2,2]")
    row([*x, "--in", "x=DIR/cut.npy"], "", 1, "damaged .npy file: it has 15 of 16 bytes")
    row([*x, "--in", "x=DIR/no.npy"], "", 1, "not a .npy file")
    row([*x, "--in", "x=DIR/none.npy"], "", 1, "cannot read DIR/none.npy: No such file")
    row([*x, "--in", "q=DIR/x.npy"], "", 1, "no such input; it has x, y")
    row([*x, "--in", "x"], "", 1, "NAME=FILE.npy or NAME=NUMBER is wanted")
    row([*x, "--in", "x=DIR/x.npy", "--in", "y=ten"], "", 1, "cannot read ten")
    row(["run", "-", "--in", "k=0.5"], "graph main(k: i64[]) {\n return %k\n}", 1, "input k is i64, which does not hold 0.5")
    row(["run", "-", "--in", "k=300"], "graph main(k: u8[]) {\n return %k\n}", 1, "input k is u8, which does not hold 300")
    row(["run", "-", "--in", "k=-1"], "graph main(k: u64[]) {\n return %k\n}", 1, "input k is u64, which does not hold -1")
    row(["run", "-", "--in", "k=DIR/f64.npy"], "graph main(k: i64[2,2]) {\n return %k\n}", 1, "input k is i64[2,2], but DIR/f64.npy holds f64[2,2]")
    row(["run", "-", "--in", "k=DIR/wide.npy"], "graph main(k: i32[2]) {\n return %k\n}", 1, "input k is i32: 2147483648 in DIR/wide.npy does not fit")
    row(["run", "-", "--in", "x=DIR/x.npy", "--dim", "n=3"], SYMBOLS, 1, "n is 3 by --dim, but 2 by DIR/x.npy")
    row(["run", "-", "--in", "x=1"], SYMBOLS, 1, "open size: give it with --dim")
    row(["run", "-"], SYMBOLS, 1, "is missing: give --in x=FILE.npy")
    row(["run", "-", "--in", "x=DIR/x.npy", "--dim", "m=3"], SYMBOLS, 1, "the program has no symbol 'm'")
    row(["run", "-", "--in", "x=DIR/x.npy", "--dim", "n=-3"], SYMBOLS, 1, "NAME=SIZE is wanted, as n=32")
    row(["run", "-", "--dim", "n=99", "--in", "x=1"], SYMBOLS, 1, "symbol n is 1 to 8, not 99")
    cond = "graph main(x: f32[2] = iota()) {\n %c = any %x\n %v = cond %c, %x {then=f, else=f}\n return %v\n}\ngraph f(x: f32[2]) {\n return %x\n}"
    row(["run", "-"], cond, 0, "[0. 1.]")
    row(["explain", "-"], cond, 1, "[cond] is run between kernels")
    row(["export", "-", "--out", "DIR/cond"], cond, 1, "[cond] is run between kernels")
    row(["run", "--deivce", "ref", "-"], ADD, 2, "'--deivce'; is it --device?")
    row(["rnu", "-"], ADD, 2, "no command 'rnu'; is it run?")
    row(["prog.bz"], "", 2, "is `braze run prog.bz` meant?")
    row([*x, "--in", "x=DIR/x.npy", "--in", "x=DIR/x.npy"], "", 1, "given twice")
    row([*x, "--in", "x=DIR/x.npy", "--out", "DIR/x.npy/a"], "", 3, "cannot make the directory")
    row(["run", "DIR/none.bz"], "", 1, "cannot read DIR/none.bz: No such file")
    row(["run", "DIR"], "", 1, "cannot read DIR: Is a directory")
    row(["run", "-"], "graph main() {\n    %y = exq 1.0\n    return %y\n}", 1, "<stdin>:2:10: error:", "did you mean",
        "    %y = exq 1.0\n         ^")
    row(["run", "-"], "graph main(x: f32[2,3], y: f32[4]) {\n    %z = add %x, %y\n    return %z\n}", 1, "<stdin>:2:10: error:", "[2,3]", "[4]")
    row(["run", "-"], "graph main(x: f32[2]) {\n    return %x as y\n", 1, "<stdin>:", "error:")
    row(["run", "-"], "", 1, "<stdin>:1:1: error:")
    row(["run", "-"], "graph main(x: f32[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]) {\n return %x\n}", 1, "more than 32 dimensions")
    row(["run", "-"], "graph main(x: f32[1099511627776] = 1.0) {\n %y = exp %x\n return %y\n}", 3, "out of memory: results and temporaries take 4 TiB")
    many = "graph main() {\n %0 = zeros {shape=[1073741824]}\n" + "".join(f" %{i} = exp %{i - 1}\n" for i in range(1, 4096))
    many += f" %s = concat {', '.join(f'%{i}' for i in range(4096))} {{axis=0}}\n return %s\n}}"  # each fits, together they don't
    row(["run", "-", "--device", "ref"], many, 3, "out of memory: results and temporaries take ", "TiB, this machine has")
    row(["run", "-"], "graph main() {\n %x = zeros {shape=[4], value=nan}\n return %x\n}", 1, "<stdin>:2:")
    row(["run", "-", "--out", "DIR/o"], 'graph main() {\n %x = zeros {shape=[4]}\n return %x as "a/b"\n}', 1, "no name for a file")
    row(["run", "-"], 'graph main(x: f32[2] = 1.0, y : f32[2]) {\n    %z = add %x, %y\n    return %z\n}', 1,
        "<stdin>:1:29: error: input y: f32[2] is missing", "                            ^")
    row(["run", "-"], "graph main(x: f32[0,1152921504606846976,1152921504606846976] = 0.0) {\n return %x\n}", 1, "<stdin>:1:12: error: [const]")
    row(["run", "DIR/sum.bz"], "", 3, "libbraze-llvm", env={"BRAZE_LLVM": path("none.so")})
    check("no file of a refused output", not os.path.exists(path("o/a")), os.listdir(DIR))


def test_usage():
    row([], "", 2, "usage: braze COMMAND")
    row(["frobnicate"], "", 2, "no command 'frobnicate'")
    row(["run"], "", 2, "FILE.bz is missing")
    row(["run", "a", "b"], "", 2, "'b' is too much")
    row(["run", "a", "--device", "gpu"], "", 2, "'gpu' is none of cpu, ref, null, cuda")
    row(["run", "a", "--threads", "0"], "", 2, "no number from 1")
    row(["run", "a", "--threads", "x"], "", 2, "no number from 1")
    row(["run", "a", "--repeat"], "", 2, "--repeat needs an argument")
    row(["run", "a", "--nonsense"], "", 2, "--nonsense")
    row(["grad", "DIR/sum.bz"], "", 2, "--wrt is missing")
    row(["explain", "DIR/sum.bz", "--device", "ref"], "", 2, "only cpu and cuda have kernels to explain")
    for c in ("run", "opt", "grad", "explain", "kreport", "export", "bench", "ops"):
        row([c, "--help"], "", 0, f"usage: braze {c} ", "--help")
    row(["help", "run"], "", 0, "usage: braze run ", "--in NAME=FILE.npy")
    row(["help", "rum"], "", 2, "no command 'rum'; is it run?")
    row(["--help"], "", 0, "explain", "bench", "Exit status")
    row(["--version"], "", 0, "braze ")


def test_files_and_json():
    r = row(["run", "DIR/mlp.bz", "--out", "DIR/out"], "", 0, "loss: f32[] -> DIR/out/loss.npy")
    r = braze(["run", "DIR/mlp.bz", "--json", "--time"])
    data = json.loads(r.stdout)
    for o in data["outputs"]:
        saved = np.load(path(f"out/{o['name']}.npy"))
        check("JSON and .npy agree", saved.shape == tuple(o["shape"]) and
              np.array_equal(saved.ravel(), np.array(o["data"], "f4")), o)
    check("JSON has times", data["runs"] == 1 and data["median_ms"] > 0, data)
    check("nothing but the outputs is left", sorted(os.listdir(path("out"))) == ["loss.npy", "r.npy"], os.listdir(path("out")))
    r = braze(["run", "-", "--json"], "graph main() {\n %x = log -1.0\n %y = log 0.0\n return %x as a, %y as b\n}")
    check("nan and inf in JSON", [o["data"] for o in json.loads(r.stdout)["outputs"]] == [["nan"], ["-inf"]], r.stdout + r.stderr)


def test_opt_and_grad():
    text = braze(["opt", "DIR/mlp.bz"]).stdout
    row(["opt", "-"], text, 0, "dot", "relu")
    check("opt has nothing left to do on what it gave", braze(["opt", "-"], text).stdout == text, text)
    row(["opt", "DIR/add.bz", "--passes", ""], "", 0, "add %x, %y : f32[2,2]")
    row(["opt", "DIR/add.bz", "--passes", "canon,nothing"], "", 1, "no pass 'nothing'")
    row(["opt", "DIR/add.bz", "--passes", "canon,fuse"], "", 0, "group 0, map_add: %")
    row(["opt", "DIR/add.bz", "--passes", "schedule"], "", 0, "launch 0: group 0, map_add: %")
    row(["opt", "DIR/add.bz", "--passes", "buffers"], "", 0, "f32[4] output")
    row(["opt", "DIR/add.bz", "--passes", "lower"], "", 0, "kernel map_add_")
    row(["opt", "DIR/add.bz", "--passes", "memory"], "", 0, "plan: 1 launches")
    row(["opt", "DIR/add.bz", "--passes", "fuse,canon"], "", 1, "'fuse' is a stage of the plan: no pass comes after it")
    row(["opt", "--help"], "", 0, "schedule  the order of the kernels")
    row(["opt", "DIR/add.bz", "--plan"], "", 0, "plan: 1 launches")
    row(["opt", "DIR/add.bz", "--loops"], "", 0, "kernel ")
    g = row(["grad", "DIR/sum.bz", "--wrt", "x"], "", 0, "as d_x").stdout
    x = np.array(json.loads(braze(["run", "-", "--json"], SUM.replace("%s as s", "%x as x")).stdout)["outputs"][0]["data"])
    d = json.loads(braze(["run", "-", "--json"], g).stdout)["outputs"]
    check("d (x*x) = 2x", d[1]["name"] == "d_x" and np.allclose(d[1]["data"], 2 * x), d)
    g = row(["grad", "DIR/sum.bz", "--wrt", "x", "--order", "2"], "", 0, "as d2_x").stdout
    check("d2 (x*x) = 2", json.loads(braze(["run", "-", "--json"], g).stdout)["outputs"][2]["data"] == [2, 2, 2])
    g = row(["grad", "--forward", "DIR/add.bz", "--wrt", "x,y"], "", 0, "t_x: f32[2,2]", "t_y: f32[2,2]", "add %t_x, %t_y", "as t_").stdout
    pushed = "graph main(x: f32[2] = 3.0, t_x: f32[2] = 1.0, n: i64[2]) {\n %y = square %x\n %z = neg %t_x\n return %y as y, %n as n, %z as t_y\n}"
    g = row(["grad", "--forward", "-", "--wrt", "x"], pushed, 0, "t_x_: f32[2]) {", "as t_y, ", "as t_y_, ", "as t_t_y\n").stdout
    check("only floats have tangents", g.count(" as ") == 5, g)
    d = braze(["run", "-", "--json"], g.replace("t_x_: f32[2]", "t_x_: f32[2] = iota(start=1, step=1)").replace("n: i64[2]", "n: i64[2] = 0")).stdout
    check("2 x t", json.loads(d)["outputs"][3]["data"] == [6, 12], d)
    row(["grad", "--forward", "-", "--wrt", "x", "--of", "n"], pushed, 1, "[grad] only floats have a tangent, result 0 is i64[2]")
    row(["grad", "--forward", "-", "--wrt", "x", "--of", "q"], pushed, 1, "no output 'q'")
    row(["grad", "--forward", "-", "--wrt", "x"], "graph main(x: f32[2]) {\n %y = argmax %x\n return %y\n}", 1, "no output that is a float")
    row(["grad", "--forward", "-", "--wrt", "x", "--order", "2"], pushed, 2, "--forward has no --order")
    row(["grad", "DIR/sum.bz", "--wrt", "q"], "", 1, "no input 'q'")
    row(["grad", "DIR/add.bz", "--wrt", "x"], "", 1, "must have no dimensions")
    row(["grad", "DIR/mlp.bz", "--wrt", "y"], "", 1, "error")
    open(path("taken.bz"), "w").write("graph f(x: f32[2]) {\n    %s = sum %x\n    return %s as s, %s as d_x\n}\n")
    row(["grad", "DIR/taken.bz", "--wrt", "x", "--of", "s"], "", 0, "as d_x_")
    row(["grad", "-", "--wrt", "x"], "graph main(x: f32[2]) {\n    %y = neg %x\n    return %y\n}", 1, "<stdin>:2:5: error: [grad] the output is f32[2]")
    row(["grad", "-", "--wrt", "x"], "graph main(x: f32[2]) {\n    return %x\n}", 1, "<stdin>:1:12: error: [grad] x is f32[2]")
    row(["grad", "-", "--wrt", "x"], "graph main(x: i32[2]) {\n    return %x\n}", 1, "<stdin>:1:12: error: [grad] x is i32")
    symbolic = "graph main(n: sym(1, 9), x: f32[n,2]) {\n    %y = flatten %x\n    return %y as y\n}"
    for device, mode in (("cpu", "compiled"), ("cpu", "eager"), ("ref", "compiled")):
        row(["run", "-", "--in", "x=DIR/x.npy", "--device", device, "--mode", mode], symbolic, 0, "y: f32[4]\n[0. 1. 2. 3.]")
    row(["opt", "-", "--plan"], symbolic, 1,
        "<stdin>:1:26: error: [input] x is f32[n,2]: symbolic dimensions cannot be compiled; give them values")
    row(["export", "-", "--out", "DIR/sized"], symbolic, 0, "")
    check("the header tells the size", "int64_t n; /* the size, from 1 to 9 */" in open(path("sized.h")).read(), open(path("sized.h")).read())
    row(["export", "-", "--out", "DIR/sized", "--dim", "n=2:5"], symbolic, 0, "")
    check("a range of the user's", "the size, from 2 to 5" in open(path("sized.h")).read(), "")
    row(["export", "-", "--out", "DIR/sized", "--dim", "n=5:2"], symbolic, 1, "n goes from 5 to 2")
    row(["export", "-", "--out", "DIR/sized", "--dim", "m=2:5"], symbolic, 1, "the symbol without a size is n")
    row(["export", "-", "--out", "DIR/sized", "--dim", "n=2:5:7"], symbolic, 1, "NAME=LO:HI is wanted")
    row(["export", "-", "--out", "DIR/sized", "--dim", "n=3", "--dim", "n=2:5"], symbolic, 1, "no symbol is without a size")
    row(["export", "-", "--out", "DIR/sized"], symbolic.replace("sym(1, 9)", "sym"), 1, "from where to where does n go?")
    row(["export", "-", "--out", "DIR/sized"], symbolic.replace("n: sym(1, 9)", "n: sym(1, 9), m: sym(1, 4)").replace("[n,2]", "[n,m]"), 1,
        ":1:", "error: a function is told one size; n and m have none: --dim n=SIZE")
    row(["export", "-", "--out", "DIR/sized", "--dim", "m=2"], symbolic.replace("n: sym(1, 9)", "n: sym(1, 9), m: sym(1, 4)").replace("[n,2]", "[n,m]"), 0, "")
    row(["run", "-"], symbolic.replace("[n,2]", "[n,2] = 1.0"), 1, "size is open", "or --dim SYMBOL=SIZE")
    row(["run", "-"], "graph main(x: i64[2] = 9007199254740993, y: i64[2] = iota(start=9007199254740993)) {\n    return %x, %y\n}", 0,
        "[9007199254740993 9007199254740993]", "[9007199254740993 9007199254740994]")
    row(["opt", "-", "--plan"], "graph main(n: sym(1, 9), x: f32[n]) {\n    return %x\n}", 1, "<stdin>:1:26: error: [input] x is f32[n]")
    row(["grad", "DIR/mlp.bz", "--wrt", "x", "--of", "q"], "", 1, "no output 'q'")


def overlap(a, b):
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def test_explain():
    open(path("g.bz"), "w").write(braze(["grad", "DIR/mlp.bz", "--wrt", "w"]).stdout)
    row(["explain", "DIR/g.bz", "--svg", "DIR/g.svg"], "", 0, "kernel", "limit", "stayed apart", "mlp.bz:2")
    x = json.loads(braze(["explain", "DIR/g.bz", "--json", "--repeat", "3"]).stdout)
    row(["explain", "-"], "graph main(x: f32[8,300], w: f32[300,64]) {\n    %y = matmul %x %w\n    return %y\n}", 0,
        "sizes told at launch: batch 1, m 8")
    check("kernels say which sizes they are told", any(k["sizes"] for k in x["kernels"]), x["kernels"])
    check("kernels ran and have limits", x["kernels"] and all(k["runs"] == 3 and k["limit_ns"] > 0 and k["ops"] for k in x["kernels"]), x)
    check("flows name inputs and outputs", {"x", "w", "y", "loss", "d_w"} <= {f["name"] for f in x["flows"]}, x["flows"])
    check("flows go forward", all(f["to"] == -1 or f["from"] < f["to"] for f in x["flows"]), x["flows"])
    check("each pair has a reason", x["apart"] and all(a["reason"] for a in x["apart"]), x["apart"])
    svg = xml.dom.minidom.parse(path("g.svg"))
    rects = [tuple(int(r.getAttribute(k)) for k in ("x", "y", "width", "height"))
             for r in svg.getElementsByTagName("rect") if "kernel" in r.getAttribute("class").split()]
    check("a box for each kernel", len(rects) == len(x["kernels"]), rects)
    check("boxes do not overlap", not any(overlap(a, b) for i, a in enumerate(rects) for b in rects[:i]), rects)
    texts = svg.getElementsByTagName("text")
    inside = all(len(t.firstChild.data) * 7.3 < 660 for t in texts if t.firstChild)
    check("texts fit into their boxes", inside, [t.firstChild.data for t in texts if t.firstChild])
    plan = json.loads(braze(["explain", "DIR/g.bz", "--json", "--repeat", "0"]).stdout)
    check("a plan without a run", [k["name"] for k in plan["kernels"]] == [k["name"] for k in x["kernels"]] and
          all(k["ns"] == 0 for k in plan["kernels"]), plan)
    eager = json.loads(braze(["explain", "DIR/g.bz", "--json", "--repeat", "0", "--mode", "eager"]).stdout)
    check("eager has more kernels", len(eager["kernels"]) > len(plan["kernels"]))
    odd = 'graph main("<&\\">": f32[2] = 1.0) {\n %y = exp %"<&\\">" @ "a<b>.c:1"\n return %y as "]]>"\n}\n'
    row(["explain", "-", "--svg", "DIR/odd.svg", "--repeat", "0"], odd, 0)
    check("odd names are escaped", xml.dom.minidom.parse(path("odd.svg")).documentElement.tagName == "svg")
    row(["explain", "DIR/g.bz", "--repeat", "0", "--svg", "DIR/g.bz/x.svg"], "", 3, "cannot write")
    row(["explain", "DIR/g.bz", "--repeat", "0", "--svg", "DIR/pic/tures/x.svg"], "", 0)
    check("the directories of --svg are made", os.path.exists(path("pic/tures/x.svg")), "")
    os.mkfifo(path("pipe"))
    reader = subprocess.Popen(["cat", path("pipe")], stdout=subprocess.PIPE, text=True)
    row(["explain", "DIR/g.bz", "--repeat", "0", "--svg", "DIR/pipe"], "", 0)
    if not stat.S_ISFIFO(os.stat(path("pipe")).st_mode):
        reader.kill()
    check("what is no regular file is written to, not replaced", "</svg>" in reader.communicate()[0], "")


def test_plan_of_a_gpu():
    """Needs neither a GPU nor NVRTC."""
    nowhere = {"BRAZE_LIBCUDA": path("none.so"), "BRAZE_NVRTC": path("none.so")}
    open(path("g.bz"), "w").write(braze(["grad", "DIR/mlp.bz", "--wrt", "w"]).stdout)
    row(["opt", "DIR/g.bz", "--device", "cuda", "--loops"], "", 0, "kernel gemm_", "block", env=nowhere)
    product = "graph main(x: bf16[64,64], w: bf16[64,64]) { %y = matmul %x %w\n return %y }"
    fast = ["opt", "-", "--device", "cuda", "--loops", "--numerics"]
    row(fast + ["fast"], product, 0, " mma ", "ldmatrix", "async_copy", env=nowhere)
    check("strict products know no matrices", " mma " not in row(fast + ["strict"], product, 0, env=nowhere).stdout, "")
    row(["run", "a", "--numerics", "quick"], "", 2, "'quick' is none of strict, fast")
    row(["kreport", "a", "--numerics", "quick"], "", 2, "'quick' is none of strict, fast")
    row(["explain", "DIR/g.bz", "--device", "cuda"], "", 0, "kernel", "stayed apart", "mlp.bz:2", env=nowhere)
    r = row(["explain", "DIR/g.bz", "--device", "cuda", "--json"], "", 0, env=nowhere)
    check("a GPU's launches are not timed", all(k["runs"] == 0 for k in json.loads(r.stdout)["kernels"]), r.stdout)
    eager = json.loads(braze(["explain", "DIR/g.bz", "--device", "cuda", "--mode", "eager", "--json"]).stdout)
    check("eager has more kernels there, too", len(eager["kernels"]) > len(json.loads(r.stdout)["kernels"]), eager)
    row(["run", "DIR/sum.bz", "--device", "cuda"], "", 3, "DIR/none.so", env=nowhere)


def test_kreport():
    row(["kreport", "DIR/sum.bz"], "", 3, "no usable NVRTC", "tried:", "DIR/none.so", env={"BRAZE_NVRTC": path("none.so")})
    for arch in ("sm_70", "80", ",", "sm_80,sm_80", "sm_80;sm_90", "sm_800"):
        row(["kreport", "DIR/sum.bz", "--arch", arch], "", 2, f"--arch: '{arch}' is no list of sm_75, sm_80")
    row(["kreport", "DIR/sum.bz", "--arch", ""], "", 2, "--arch names nothing")
    row(["kreport", "DIR/none.bz"], "", 1, "cannot read DIR/none.bz")
    if braze(["kreport", "DIR/sum.bz", "--arch", "sm_80"]).returncode == 3:
        print("skipped: no NVRTC")
        return
    program = """graph main(n: sym(1, 64), x: f32[n,1000], y: f32[n,1000], a: f32[n,512], w: f32[512,256], d: f64[1000000]) {
    %s = add %x, %y
    %z = mul %s, %x
    %p = softmax %z {axis=1}
    %m = matmul %a, %w
    %q = mul %d, 2.0
    return %z as z, %p as p, %m as m, %q as q
}
"""
    row(["kreport", "-"], program, 1, "symbolic dimensions cannot be compiled; give them values")
    row(["kreport", "-", "--arch", "sm_80", "--dim", "n=64"], program, 0, "sm_80; limits are estimates for a card, A100", "regs spill frame", "gemm_", " fma ")
    r = row(["kreport", "-", "--arch", "sm_75,sm_90,sm_120", "--dim", "n=64", "--json"], program, 0)
    x = json.loads(r.stdout)
    check("a machine for each of --arch", [m["arch"] for m in x["machines"]] == ["sm_75", "sm_90", "sm_120"] and float(x["nvrtc"]) >= 12, x)
    plan = json.loads(braze(["explain", "-", "--device", "cuda", "--json", "--dim", "n=64"], program).stdout)
    same = ("name", "bytes_read", "bytes_written", "flops", "specials")
    for m in x["machines"]:
        check("the kernels are those of the plan", [[k[f] for f in same] for k in m["kernels"]] == [[k[f] for f in same] for k in plan["kernels"]], m)
        for k in m["kernels"]:
            check("the largest of the limits is the bound", k["limit_ns"] == max(k[b + "_ns"] for b in ("memory", "math", "special", "launch")) == k[k["bound"] + "_ns"], k)
            check("each kernel has a function", k["functions"], k)
            for f in k["functions"]:
                check("nothing is spilled, no opcode unknown", f["registers"] > 0 and f["spilled"] == f["frame"] == f["mix"]["other"] == 0, f)
                check("the mix is all", sum(f["mix"].values()) == f["instructions"], f)
                check("accesses of global memory", sum(f["global"].values()) == f["mix"]["global"] > 0 and
                      abs(f["share_128"] - f["global"]["128"] / f["mix"]["global"]) < 1e-4, f)
                check("occupancy", 0 < f["occupancy"] <= 1 and f["occupancy_limit"] in ("warps", "registers", "shared", "blocks"), f)
                check("a grid", f["threads"] % 32 == 0 and f["blocks"] > 0 and f["waves"] > 0, f)
    kernels = {k["name"].split("_")[0]: k for k in x["machines"][1]["kernels"]}
    gemm = kernels["gemm"]["functions"][0]
    check("a product multiplies in its loop, by way of shared memory", gemm["mix"]["fma"] >= 256 and gemm["loop"]["fma"] >= gemm["loop"]["instructions"] / 2 and
          gemm["shared"] > 0 and gemm["mix"]["shared"] > 0 and gemm["barriers"] > 0, gemm)
    row(["kreport", "-"], "graph main(x: f32[4]) {\n    return %x\n}", 0, "sm_80", "sm_90")
    low = json.loads(braze(["kreport", "-", "--arch", "sm_80", "--autocast", "bf16", "--dim", "n=64", "--json"], program).stdout)
    check("--autocast", low["machines"][0]["kernels"] != x["machines"][0]["kernels"], low)
    product = "graph main(x: f16[128,64], w: f16[64,128]) {\n    %y = matmul %x %w\n    return %y\n}"
    fast = json.loads(braze(["kreport", "-", "--arch", "sm_75,sm_80", "--numerics", "fast", "--json"], product).stdout)
    old, new = (m["kernels"][0]["functions"][0] for m in fast["machines"])
    check("--numerics fast: matrices, where a machine has the units", old["mix"]["matrix"] == 0 < new["loop"]["ldmatrix"] * 2.5 <= new["loop"]["matrix"], fast)


MAIN = """#include <stdio.h>
#include "sum.h"
int main(void) {
    float x[3] = {0.5f, -1.25f, 3.0f}, s;
    struct sum_args a = {.x = x, .s = &s};
    int status = sum(&a);
    if (status) puts(sum_error(status));
    printf("%.9g\\n", s);
    return status != 0;
}
"""


def test_dims():
    """--dim says the sizes of symbols to every command that has a program."""
    total = "graph main(n: sym, x: f32[n,2]) {\n    %s = sum %x\n    return %s as s\n}\n"
    row(["opt", "-", "--dim", "n=3"], SYMBOLS, 0, "x: f32[3,2]")
    row(["opt", "-", "--plan", "--dim=n=3"], SYMBOLS, 0, "plan: ")
    row(["grad", "-", "--wrt", "x", "--dim", "n=3"], total, 0, "x: f32[3,2]", "as d_x")
    row(["explain", "-", "--repeat", "0", "--dim", "n=3"], SYMBOLS, 0, "sum")
    row(["explain", "-", "--repeat", "1", "--dim", "n=3"], SYMBOLS, 0, "sum")
    row(["explain", "-", "--repeat", "0", "--in", "x=DIR/x.npy"], SYMBOLS, 0, "sum")
    row(["export", "-", "--out", "DIR/sized", "--dim", "n=3"], SYMBOLS, 0)
    check("the header has the size", "f32[3,2]" in open(path("sized.h")).read())
    for command in (["opt"], ["grad", "--wrt", "x"], ["explain", "--repeat", "0"], ["kreport"], ["export", "--out", "DIR/b"]):
        row([*command, "-", "--dim", "k=3"], SYMBOLS, 1, "--dim k=3: the program has no symbol 'k'")
        row([*command, "-", "--dim", "n=99"], SYMBOLS, 1, "symbol n is 1 to 8, not 99")
        row([command[0], "--help"], "", 0, "--dim NAME=SIZE")
    row(["export", "-", "--out", "DIR/b"], SYMBOLS, 0)
    check("the header tells the size", "f32[n, 2]" in open(path("b.h")).read())


def test_autocast():
    """--autocast makes the calls of a program as in a region, for every command that has one."""
    text = "graph main(x: f32[2,2] = randn(seed=1), w: f32[2,2] = randn(seed=2)) {\n    %y = matmul %x, %w\n    %s = sum %y\n    return %s as s\n}\n"
    row(["opt", "-", "--autocast", "bf16"], text, 0, ": bf16[2,2]", "f32[] @")
    row(["opt", "-", "--passes", "", "--autocast", "f16"], text, 0, "cast %w : f16[2,2]")
    g = row(["grad", "-", "--wrt", "w", "--autocast", "bf16"], text, 0, "as d_w").stdout
    row(["explain", "-", "--repeat", "0", "--autocast", "bf16"], text, 0, "dot cast")
    low = [braze(["run", "-", "--autocast", "bf16", "--device", d], text).stdout for d in ("cpu", "ref")]
    check("a region has the same bits on both devices", low[0] == low[1] and low[0].startswith("s: f32[]"), low)
    check("they are not f32's", low[0] != braze(["run", "-"], text).stdout, low)
    check("what has types is no call", braze(["opt", "-", "--autocast", "f16"], g).stdout == braze(["opt", "-"], g).stdout)
    row(["run", "-"], g, 0, "d_w: f32[2,2]")
    row(["run", "-", "--autocast", "bf16", "--dim", "n=3", "--in", "x=1.5"], SYMBOLS, 0, "s: f32[2]")
    row(["export", "-", "--out", "DIR/low", "--autocast", "bf16"], text, 0)
    row(["run", "-", "--autocast", "i32"], text, 2, "--autocast: 'i32' is none of bf16, f16")
    for command in ("run", "opt", "grad", "explain", "kreport", "export"):
        row([command, "--help"], "", 0, "--autocast bf16|f16")


def test_export():
    row(["export", "DIR/sum.bz", "--out", "DIR/sum"], "", 0)
    open(path("main.c"), "w").write(MAIN)
    cc = os.environ.get("CC", "cc").split()
    r = subprocess.run([*cc, "main.c", "sum.o", "braze_rt.o", "-lm", "-lpthread", "-o", "main"], cwd=DIR, capture_output=True, text=True)
    check("the exported object links", r.returncode == 0, r.stderr)
    out = subprocess.run([path("main")], capture_output=True, text=True).stdout if r.returncode == 0 else ""
    check("and gives the sum of squares", out == "10.8125\n", out)
    objects = set()
    for _ in range(4):  # uninitialised bytes would differ: each process has its stack elsewhere
        row(["export", "DIR/sum.bz", "--out", "DIR/sum"], "", 0)
        objects.add(open(path("sum.o"), "rb").read())
    check("an export is made of the same bytes each time", len(objects) == 1, len(objects))
    row(["export", "DIR/sum.bz", "--out", "DIR/a", "--name", "9"], "", 1, "no function name")
    row(["export", "DIR/sum.bz", "--out", "DIR/new/er/sum"], "", 0)
    check("the directories of --out are made", os.path.exists(path("new/er/sum.o")) and os.path.exists(path("new/er/braze_rt.o")), "")
    row(["export", "DIR/sum.bz", "--out", "DIR/none/er/9"], "", 1, "no function name")
    check("and go again where there is no export", not os.path.exists(path("none")), "")
    row(["export", "DIR/sum.bz", "--out", "DIR/sum.bz/a"], "", 3, "[export] ", "DIR/sum.bz/a")
    row(["export", "DIR/sum.bz"], "", 2, "--out PREFIX is missing")
    row(["export", "DIR/sum.bz", "--out", "DIR/g", "--arch", "sm_80"], "", 2, "--device cuda is missing")
    row(["export", "DIR/sum.bz", "--out", "DIR/g", "--device", "cuda", "--isa", "avx2"], "", 2, "--isa is for processors")
    row(["export", "DIR/sum.bz", "--out", "DIR/g", "--device", "cuda", "--arch", "sm_70"], "", 2, "--arch")
    row(["export", "DIR/sum.bz", "--out", "DIR/g", "--device", "null"], "", 2, "--device")
    row(["export", "DIR/sum.bz", "--out", "DIR/gpu/g", "--device", "cuda"], "", 3, "no usable NVRTC", "tried:", env={"BRAZE_NVRTC": path("none.so")})
    check("no NVRTC leaves no directory", not os.path.exists(path("gpu")), "")
    if braze(["export", "DIR/sum.bz", "--device", "cuda", "--arch", "sm_90,sm_80", "--out", "DIR/gpu/sum"]).returncode == 3:
        print("skipped: no NVRTC")
        return
    check("an export for GPUs has its run time", sorted(os.listdir(path("gpu"))) == ["braze_rt_cuda.o", "sum.h", "sum.o"], os.listdir(path("gpu")))
    check("and says for which", open(path("gpu/sum.h")).read().startswith("/* sum.o, for sm_80 and sm_90, and PTX for other GPUs from sm_80 on."), "")
    shutil.copy(path("main.c"), path("gpu/main.c"))
    r = subprocess.run([*cc, "main.c", "sum.o", "braze_rt_cuda.o", "-ldl", "-lpthread", "-o", "main"], cwd=path("gpu"), capture_output=True, text=True)
    check("the same program links with it", r.returncode == 0, r.stderr)
    fake = {**os.environ, "BRAZE_LIBCUDA": os.environ.get("BRAZE_FAKECUDA", "build/libbraze-fakecuda.so"), "BRAZE_FAKE_DEVICES": "90", "BRAZE_FAKE_LEAKS": "0"}
    out = subprocess.run([path("gpu/main")], capture_output=True, text=True, env=fake).stdout if r.returncode == 0 else ""
    check("and gives the same sum", out == "10.8125\n", out)
    row(["export", "DIR/sum.bz", "--out", "DIR/a", "--isa", "sse"], "", 2, "no list of")
    check("nothing of a refused export", not os.path.exists(path("a.o")), os.listdir(DIR))


def test_bench():
    row(["bench", "nothing"], "", 1, "no benchmark 'nothing'")
    r = json.loads(row(["bench", "gemm", "--json"], "", 0).stdout)
    check("bench gives one row", [p["name"] for p in r["programs"]] == ["gemm"] and r["programs"][0]["fused_ns"] > 0, r)


C_TYPES = {"int": "int ", "natural": "int ", "int64": "int64_t ", "float": "double ", "number": "double ", "flag": "bool ",
           "dtype": "bz_dtype ", "reduction": "bz_reduction ", "resize": "bz_resize ", "rounding": "bz_rounding ", "interpolation": "bz_interpolation ", "combine": "bz_combine ", "bag": "bz_bag ", "sample": "bz_sample ", "border": "bz_border ", "text": "const char *", "ints": "const int *", "int64s": "const int64_t *", "counts": "const int64_t *", "dims": "const int64_t *"}
LISTS = ("ints", "int64s", "counts", "dims")


def c_declaration(op):
    """The C declaration that docs/ops.md promises for an op of the JSON."""
    out, counts = [], []
    if op["c"]["takes"] == "context":
        out.append("bz_context *c")
    for x in op["operands"] if op["c"]["takes"] in ("operands", "drawn") else []:
        if op["c"]["takes"] == "drawn" and x["name"] in ("key", "offset"):
            continue
        out += [f"bz_tensor *const *{x['name']}", "int n"] if x["many"] else [f"bz_tensor *{x['name']}"]
    for i, a in enumerate(op["attributes"]):
        out.append(C_TYPES[a["type"]] + a["name"])
        if a["type"] in LISTS:
            counts.append(a["type"])
            if i + 1 == len(op["attributes"]) or op["attributes"][i + 1]["type"] not in LISTS:
                out.append("int rank" if "dims" in counts else "int n")
                counts = []
    more = ["bz_tensor **parts", "int room"] if op["many_results"] else ["bz_tensor **" + r for r in op["results"][1:]]
    return f"{'int ' if op['many_results'] else 'bz_tensor *'}{op['c']['function']}({', '.join(out + more)}, const char *site);"


def check_bindings(ops):
    """What bindings are made from: the JSON knows every builder of the headers, and how it is called."""
    headers = " ".join((Path(os.environ.get("BRAZE_SRC", ".")) / f"include/braze/{h}.h").read_text() for h in ("ops", "move", "nn", "tensor"))
    headers = re.sub(r"/\*.*?\*/|\\\n", " ", headers, flags=re.S)
    declared = {m[1]: re.sub(r"\s+", " ", m[0]).replace("BZ_API ", "") for m in re.finditer(r"BZ_API (?:bz_tensor \*|int )bz_(\w+?)_at\([^)]*\);", headers)}
    by_name = {o["name"]: o for o in ops}
    # tensors from elsewhere, views by text, second forms of a builder, in place
    others = {"from_data", "from_buffer", "from_tensor", "scalar", "scalar_int", "full_int", "arange_int", "load_npy", "at", "gelu_tanh", "nonzero", "argwhere", "nonzero_axes",
              "masked_select", "unique", "unique_consecutive"}
    missing = [n for n in declared if n not in others and not n.endswith("_") and not by_name.get(n, {}).get("c")]
    check("every builder of the headers is in the JSON", not missing, missing)
    for o in ops:
        if o["c"] and o["c"]["takes"] != "own":
            check(f"{o['name']} is called as the JSON says", declared.get(o["name"]) == c_declaration(o), (declared.get(o["name"]), c_declaration(o)))
        check(f"{o['name']}: no default where one must be given", all(a["default"] is None for a in o["attributes"] if a["required"]), o)


def test_ops():
    ops = json.loads(braze(["ops", "--json"]).stdout)
    names = [o["name"] for o in ops]
    check("the table of ops", {"add", "softmax", "adam_step", "erf", "matmul"} <= set(names) and len(names) > 100 and
          len(set(names)) == len(names), names)
    check("every op has a line of help", all(o["doc"] for o in ops), [o for o in ops if not o["doc"]])
    row(["ops", "softmax"], "", 0, "softmax x {axis: int = -1}")
    row(["ops", "add"], "", 0, "in C: bz_add")
    row(["ops"], "", 0, "softmax              x ")
    check_bindings(ops)
    row(["ops", "sofmax"], "", 1, "is it 'softmax'")
    row(["ops", "add", "mul"], "", 2, "'mul' is too much")


def test_output_closed():
    full = open("/dev/full", "w") if os.path.exists("/dev/full") else None
    if full:
        r = subprocess.run([TOOL, "ops"], stdout=full, stderr=subprocess.PIPE, text=True)
        check("a full disk is noticed", r.returncode == 3 and "standard output" in r.stderr, r.stderr)


def main():
    make_files()
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
    subprocess.run(["rm", "-rf", DIR])
    print(f"{passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
