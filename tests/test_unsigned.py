#!/usr/bin/python3
"""test_unsigned.py - integers without a sign beside NumPy: every operation on full-range u8, u16, u32 and u64, conversions to and from all
dtypes, dtypes that come together, reductions, orders, indices, files; eager and compiled, on every instruction set, bit by bit.

    test_unsigned.py"""
import os
import subprocess
import sys
import tempfile

import numpy as np

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
TOOL = os.environ.get("BRAZE_TOOL", "build/braze")
WAYS = [[], ["--mode", "eager"], ["--isa", "base"], ["--isa", "avx2"], ["--device", "ref"], ["--threads", "1"]]
TYPES = {"u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8"}
ALL = {**TYPES, "i8": "i1", "i16": "i2", "i32": "i4", "i64": "i8", "bool": "?", "f16": "f2", "f32": "f4", "f64": "f8"}
N = 203  # whole vectors of every width, and a rest


class Program:
    """Calls on inputs, and what NumPy gives for each."""

    def __init__(self):
        self.inputs, self.lines, self.want = {}, [], []

    def input(self, name, a):
        self.inputs[name] = np.asarray(a)

    def expect(self, call, want):
        self.want.append((call, np.asarray(want)))
        self.lines.append(f"    %r{len(self.want)} = {call}")

    def text(self):
        names = {np.dtype(v): k for k, v in ALL.items()}
        head = ", ".join(f"{k}: {names[a.dtype]}{list(a.shape)}" for k, a in self.inputs.items())
        tail = ", ".join(f"%r{i + 1} as o{i}" for i in range(len(self.want)))
        return f"graph main({head}) {{\n" + "\n".join(self.lines) + f"\n    return {tail}\n}}\n"

    def run(self, how):
        """What is wrong."""
        with tempfile.TemporaryDirectory(prefix="braze-unsigned-") as d:
            args = []
            for k, a in self.inputs.items():
                np.save(f"{d}/{k}.npy", a)
                args += ["--in", f"{k}={d}/{k}.npy"]
            r = subprocess.run([TOOL, "run", "-", "--out", f"{d}/out", *args, *how], input=self.text(), capture_output=True, text=True, timeout=300)
            if r.returncode:
                return [f"{how}: {r.stderr}{self.text()}"]
            wrong = []
            for i, (call, want) in enumerate(self.want):
                got = np.load(f"{d}/out/o{i}.npy")
                same = got.dtype == want.dtype and got.shape == want.shape
                if not same or got.tobytes() != np.ascontiguousarray(want).tobytes():
                    at = np.flatnonzero(got.ravel() != want.ravel())[:3] if same else ()
                    wrong.append(f"{how}: {call}: {got.dtype}{list(got.shape)}, not {want.dtype}{list(want.shape)}; at {list(at)}: "
                                 f"{[got.ravel()[k] for k in at]}, not {[want.ravel()[k] for k in at]}")
            return wrong


def numbers(n, kind, count=N):
    """All magnitudes, the ends, what lies round powers of two."""
    t = np.dtype(kind)
    bits = 8 * t.itemsize
    a = n.randint(0, 2**bits, count, dtype=t) >> n.randint(0, bits, count).astype(t)
    ends = [0, 1, 2, 3, 2**bits - 1, 2**bits - 2, 2 ** (bits - 1), 2 ** (bits - 1) - 1, 2 ** (bits - 1) + 1, bits, bits - 1, bits + 1]
    return np.concatenate([np.array(ends, t), a])[:count]


def elementwise(p, kind, x, y):
    """x and y are inputs of the program. A quotient by 0 and a shift past the width are 0, as NumPy has them for what has no sign."""
    a, b = p.inputs[x], p.inputs[y]
    bits = 8 * a.itemsize
    with np.errstate(all="ignore"):
        for op, f in (("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("maximum", np.maximum), ("minimum", np.minimum),
                      ("bitwise_and", np.bitwise_and), ("bitwise_or", np.bitwise_or), ("bitwise_xor", np.bitwise_xor),
                      ("floor_divide", np.floor_divide), ("remainder", np.remainder), ("fmod", np.fmod), ("pow", np.power),
                      ("left_shift", np.left_shift), ("right_shift", np.right_shift), ("eq", np.equal), ("ne", np.not_equal), ("lt", np.less),
                      ("le", np.less_equal), ("gt", np.greater), ("ge", np.greater_equal)):
            p.expect(f"{op} %{x}, %{y}", f(a, b))
        for op, f in (("neg", np.negative), ("abs", np.abs), ("bitwise_not", np.invert), ("sign", np.sign), ("square", np.square),
                      ("floor", lambda v: v), ("relu", lambda v: v), ("signbit", lambda v: np.zeros(v.shape, "?")), ("isfinite", np.isfinite)):
            p.expect(f"{op} %{x}", f(a).astype("?" if op in ("signbit", "isfinite") else kind))
        p.expect(f"where %c, %{x}, %{y}", np.where(p.inputs["c"], a, b))
        p.expect(f"div %{x}, %{y}", (a.astype("f4") / b.astype("f4")))
        for c in (1, 3, 7, 16, 10, 2 ** (bits - 1), 2**bits - 1):
            p.expect(f"floor_divide %{x}, {c}", a // a.dtype.type(c))
            p.expect(f"remainder %{x}, {c}", a % a.dtype.type(c))
            p.expect(f"lt %{x}, {c}", a < a.dtype.type(c))
        p.expect(f"right_shift %{x}, {bits - 1}", a >> a.dtype.type(bits - 1))


def conversions(p, n, kind, x):
    """Integers wrap, each number is rounded once; floats are cut off, those outside of the range become its ends and NaN 0."""
    a = p.inputs[x]
    most = 2 ** (8 * a.itemsize) - 1
    with np.errstate(all="ignore"):
        for name, to in ALL.items():
            want = a.astype(to)
            if to == "f2":  # NumPy goes by way of a wider float
                want = np.array([np.inf if int(v) >= 65520 else int(v) for v in a], "f8").astype("f2")
            p.expect(f"cast %{x} {{dtype={name}}}", want)
        for name in ("i8", "i16", "i32", "i64"):
            s = n.randint(-(2**63), 2**63, N, dtype="i8").astype(ALL[name])
            p.input(f"s_{name}_{kind}", s)
            p.expect(f"cast %s_{name}_{kind} {{dtype={x[2:]}}}", s.astype(kind))
        for name in ("f16", "f32", "f64"):
            f = (n.standard_normal(N) * 2.0 ** n.uniform(-3, 70, N)).astype(ALL[name])
            f[:9] = [np.nan, np.inf, -np.inf, -0.5, most, most / 2, -1, 0.999, 2.0 ** (8 * a.itemsize)]
            want = [0 if v != v or v <= 0 else most if v >= most else int(v) for v in f.astype("f8")]
            p.input(f"f_{name}_{kind}", f)
            p.expect(f"cast %f_{name}_{kind} {{dtype={x[2:]}}}", np.array(want, kind))


def folds(p, kind, m, s):
    """Sums and products are i64, as PyTorch has them of every integer; what is largest keeps the dtype."""
    a = p.inputs[m]
    wide = a.astype("i8")
    with np.errstate(all="ignore"):
        for axis in (0, 1):
            how = f"{{axes=[{axis}]}}"
            p.expect(f"sum %{m} {how}", wide.sum(axis))
            p.expect(f"prod %{m} {how}", wide.prod(axis))
            p.expect(f"max %{m} {how}", a.max(axis))
            p.expect(f"min %{m} {how}", a.min(axis))
            p.expect(f"argmax %{m} {how}", a.argmax(axis))
            p.expect(f"argmin %{m} {how}", a.argmin(axis))
            p.expect(f"any %{m} {how}", a.any(axis))
            p.expect(f"count_nonzero %{m} {how}", np.count_nonzero(a, axis))
            p.expect(f"cumsum %{m} {{axis={axis}}}", wide.cumsum(axis))
            p.expect(f"cumprod %{m} {{axis={axis}}}", wide.cumprod(axis))
            p.expect(f"cummax %{m} {{axis={axis}}}", np.maximum.accumulate(a, axis))
            p.expect(f"cummin %{m} {{axis={axis}}}", np.minimum.accumulate(a, axis))
            p.expect(f"sort %{m} {{axis={axis}}}", np.sort(a, axis))
            p.expect(f"argsort %{m} {{axis={axis}}}", np.argsort(a, axis, kind="stable"))
            p.expect(f"argsort %{m} {{axis={axis}, descending}}", np.argsort(~a, axis, kind="stable"))
        p.expect(f"diff %{m} {{axis=1}}", np.diff(a, axis=1))
        p.expect(f"topk %{m} {{k=3}}", np.sort(a, 1)[:, :-4:-1])
        t = f"%t_{kind}"
        p.lines.append(f"    {t} = transpose %{m}")
        p.expect(f"matmul %{m}, {t}", np.array([[np.multiply(u, v).sum(dtype=kind) for v in a] for u in a], kind))
        row = f"%o_{kind}"
        p.lines.append(f"    {row} = sort %{s}")
        p.expect(f"searchsorted {row}, %{m}", np.searchsorted(np.sort(p.inputs[s]), a).astype("i8"))
        p.expect(f"isin %{m}, %{s}", np.isin(a, p.inputs[s]))
        p.expect(f"sort %long_{kind}", np.sort(p.inputs[f"long_{kind}"]))
        top = np.sort(p.inputs[f"long_{kind}"])
        p.expect(f"topk %long_{kind} {{k=9}}", top[:-10:-1])
        p.expect(f"topk %long_{kind} {{k=9, smallest}}", top[:9])
        p.expect(f"kthvalue %long_{kind} {{k=15000}}", top[14999])
        p.expect(f"max %long_{kind}", p.inputs[f"long_{kind}"].max())


def indices(p, n, name, kind):
    i = n.randint(0, 9, (2, 4)).astype(kind)
    p.input(f"i_{name}", i)
    x, y = p.inputs["table"], p.inputs["rows"]
    p.expect(f"gather %table, %i_{name}", x[i])
    p.expect(f"index_add %table, %j_{name}, %rows", x + sum(np.outer(np.arange(9) == j, r) for j, r in zip(i[0], y)).astype("f4"))
    p.expect(f"one_hot %i_{name} {{classes=9}}", np.eye(9, dtype="i8")[i])


def together(p):
    """NumPy's promotion of integers; with a float, PyTorch's: the float."""
    for a, s in ALL.items():
        for b, t in TYPES.items():
            both = "f4" if s == "f4" else s if s[0] == "f" else np.promote_types(s, t)
            p.expect(f"add %one_{a}, %one_{b}", np.full(3, 2 if s != "?" or t != "?" else 1).astype(both))
            p.expect(f"concat %one_{a}, %one_{b}", np.ones(6, both))


def programs():
    n = np.random.RandomState(11)
    for name, kind in TYPES.items():
        p = Program()
        p.input("c", n.randint(0, 2, N).astype("?"))
        p.input(f"x_{name}", numbers(n, kind))
        y = numbers(n, kind)
        n.shuffle(y)
        p.input(f"y_{name}", y)
        elementwise(p, kind, f"x_{name}", f"y_{name}")
        conversions(p, n, kind, f"x_{name}")
        yield name, p
        p = Program()
        p.input("m", n.permutation(numbers(n, kind, 7 * 45)).reshape(7, 45))
        p.input("s", numbers(n, kind, 60))
        p.input(f"long_{kind}", n.randint(0, 2 ** (8 * np.dtype(kind).itemsize), 30000, dtype=kind))
        p.input("table", n.randint(-50, 50, (9, 5)).astype("f4"))
        p.input("rows", n.randint(-50, 50, (4, 5)).astype("f4"))
        folds(p, kind, "m", "s")
        indices(p, n, name, kind)
        p.input(f"j_{name}", p.inputs[f"i_{name}"][0])
        yield name, p
    p = Program()
    wide = np.array([0, 1, 2 ** 53, 2 ** 53 + 1, 2 ** 63 - 1, 2 ** 63, 2 ** 64 - 1], "u8")
    p.input("wide", wide)
    for name in ("i8", "i16", "i32", "i64"):
        low, high = np.iinfo(ALL[name]).min, np.iinfo(ALL[name]).max
        s = np.array([[low], [low + 1], [-1], [0], [1], [min(2 ** 53, high)], [min(2 ** 53 + 1, high)], [high - 1], [high]], ALL[name])
        p.input(f"s_{name}", s)
        for op, f in (("eq", "__eq__"), ("ne", "__ne__"), ("lt", "__lt__"), ("le", "__le__"), ("gt", "__gt__"), ("ge", "__ge__")):
            for x, y, a, b in (("wide", f"s_{name}", wide, s), (f"s_{name}", "wide", s, wide)):  # as Python's integers, which are exact
                exact = [[getattr(int(u), f)(int(v)) for u, v in zip(*row)] for row in zip(*np.broadcast_arrays(a, b))]
                p.expect(f"{op} %{x}, %{y}", np.array(exact))
    yield "compared", p
    p = Program()
    for name, kind in ALL.items():
        p.input(f"one_{name}", np.ones(3, kind))
    together(p)
    yield "together", p


def main():
    passed, wrong = 0, []
    for _, p in programs():
        for how in WAYS:
            w = p.run(how)
            wrong += w
            passed += len(p.want) - len(w)
    # an index that i64 does not hold counts from no end
    with tempfile.TemporaryDirectory(prefix="braze-unsigned-") as d:
        np.save(f"{d}/i.npy", np.array([2**64 - 1], "u8"))
        r = subprocess.run([TOOL, "run", "-", "--in", f"i={d}/i.npy"], capture_output=True, text=True, timeout=60,
                           input="graph main(x: f32[5] = 1, i: u64[1]) {\n    %r = gather %x, %i\n    return %r\n}\n")
        if r.returncode == 0 or "axis 0" not in r.stderr:
            wrong.append(f"an index of 2^64 - 1: {r.stdout}{r.stderr}")
    for w in wrong[:12]:
        print(w)
    print(f"{passed + 1} passed, {len(wrong)} failed")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
