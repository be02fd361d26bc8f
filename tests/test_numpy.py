#!/usr/bin/python3
"""test_numpy.py - random programs through `braze run` against NumPy, which shares no code with braze.

A program is a chain of random ops over a few inputs; its reference is computed beside it, in double precision for every
float dtype, in the dtype itself for integers. Ops that jump (floor, comparisons, argmax) are only put on values that are
exact, so a last bit never decides. Several programs lie in one file, as outputs of one graph: one process runs them all.
The second test prints arrays and compares the text with NumPy's own.

    test_numpy.py [SEED [FILES]]     BRAZE_QUICK=1: fewer files"""
import concurrent.futures
import os
import random
import subprocess
import sys
import tempfile

import numpy as np

TOOL = os.environ.get("BRAZE_TOOL", "build/braze")
QUICK = os.environ.get("BRAZE_QUICK")
PER_FILE = 6
DTYPES = {"f32": "f4", "f64": "f8", "i8": "i1", "u8": "u1", "i16": "i2", "i32": "i4", "i64": "i8", "bool": "?"}
# Relative to the largest element; every op of a chain may add a few ULP, sums of hundreds some more.
TOLERANCE = {"f32": 3e-5, "f64": 1e-12}


class Value:
    def __init__(self, name, ref, dtype, exact):
        self.name, self.ref, self.dtype, self.exact = name, ref, dtype, exact

    @property
    def is_float(self):
        return self.dtype in ("f32", "f64")


class Program:
    """One graph: `text` of its lines, inputs as arrays, outputs as Values."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.n = np.random.RandomState(seed)
        self.lines, self.inputs, self.outputs, self.count = [], {}, [], 0

    def emit(self, call, ref, dtype, exact):
        self.count += 1
        name = f"%v{self.count}"
        self.lines.append(f"    {name} = {call}")
        return Value(name, np.asarray(ref), dtype, exact)

    def shape(self):
        return tuple(self.r.choice((1, 2, 3, 4, 5, 7, 8, 17, 33)) for _ in range(self.r.randint(0, 3)))

    def input(self, dtype, shape):
        name = f"x{len(self.inputs)}"
        if dtype in ("f32", "f64"):
            data = self.n.standard_normal(shape).astype(DTYPES[dtype])
        elif dtype == "bool":
            data = self.n.randint(0, 2, shape).astype("?")
        else:
            data = self.n.randint(0 if dtype == "u8" else -20, 20, shape).astype(DTYPES[dtype])
        data = np.asarray(data)
        self.inputs[name] = data
        return Value("%" + name, data.astype("f8") if dtype == "f32" else data, dtype, True)

    # ---- ops: each takes a Value and gives another, or None where it does not fit

    def unary(self, x):
        table = {"neg": np.negative, "abs": np.abs, "square": np.square}
        if x.is_float:
            table.update(sin=np.sin, cos=np.cos, tanh=np.tanh, sigmoid=lambda v: 1 / (1 + np.exp(-v)),
                         relu=lambda v: np.maximum(v, 0), silu=lambda v: v / (1 + np.exp(-v)))
            if x.exact:
                table.update(floor=np.floor, ceil=np.ceil, trunc=np.trunc, round=np.rint, sign=np.sign)
        op = self.r.choice(sorted(table))
        if x.dtype == "bool" or (op == "square" and np.abs(x.ref).max(initial=0) > 1000):
            return None
        exact = x.exact and op in ("neg", "abs", "relu", "floor", "ceil", "trunc", "round", "sign") or not x.is_float
        return self.emit(f"{op} {x.name}", table[op](x.ref), x.dtype, exact)

    def tamed(self, x):
        """Functions with a domain, on operands that lie in it."""
        if not x.is_float:
            return None
        a = self.emit(f"abs {x.name}", np.abs(x.ref), x.dtype, x.exact)
        b = self.emit(f"add {a.name}, 1.0", a.ref + 1, x.dtype, False)
        op, f = self.r.choice((("log", np.log), ("sqrt", np.sqrt), ("reciprocal", np.reciprocal), ("log1p", np.log1p),
                               ("rsqrt", lambda v: 1 / np.sqrt(v)), ("exp", None)))
        if op == "exp":
            t = self.emit(f"tanh {x.name}", np.tanh(x.ref), x.dtype, False)
            return self.emit(f"exp {t.name}", np.exp(t.ref), x.dtype, False)
        return self.emit(f"{op} {b.name}", f(b.ref), x.dtype, False)

    def binary(self, x):
        y = self.input(x.dtype, tuple(self.r.choice((d, 1)) for d in x.ref.shape[self.r.randint(0, x.ref.ndim):]))
        if x.dtype == "bool":
            op, f = self.r.choice((("logical_and", np.logical_and), ("logical_or", np.logical_or),
                                   ("logical_xor", np.logical_xor)))
            return self.emit(f"{op} {x.name}, {y.name}", f(x.ref, y.ref), "bool", True)
        table = [("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("maximum", np.maximum), ("minimum", np.minimum)]
        if not x.is_float:
            table += [("bitwise_and", np.bitwise_and), ("bitwise_xor", np.bitwise_xor), ("bitwise_or", np.bitwise_or)]
            if self.r.random() < 0.3 and y.ref.ndim and x.ref.ndim:
                return self.division(x, y)
        op, f = self.r.choice(table)
        a, b = (x, y) if self.r.random() < 0.5 or op in ("maximum", "minimum") else (y, x)
        exact = not x.is_float or x.exact and op in ("maximum", "minimum")
        return self.emit(f"{op} {a.name}, {b.name}", f(a.ref, b.ref), x.dtype, exact)

    def division(self, x, y):
        """Division by what is not 0, shifts by what is less than the width (NumPy's others are undefined)."""
        bits = 8 * x.ref.dtype.itemsize
        if self.r.random() < 0.5:
            c = self.emit(f"ne {y.name}, 0", y.ref != 0, "bool", True)
            d = self.emit(f"where {c.name}, {y.name}, 3", np.where(y.ref != 0, y.ref, 3).astype(y.ref.dtype), y.dtype, True)
            op, f = self.r.choice((("floor_divide", np.floor_divide), ("remainder", np.remainder)))
        else:
            d = self.emit(f"bitwise_and {y.name}, {bits - 1}", y.ref & y.ref.dtype.type(bits - 1), y.dtype, True)
            op, f = self.r.choice((("left_shift", np.left_shift), ("right_shift", np.right_shift)))
        return self.emit(f"{op} {x.name}, {d.name}", f(x.ref, d.ref), x.dtype, True)

    def choice(self, x):
        if not x.exact or x.dtype == "bool":
            return None
        y = self.input(x.dtype, x.ref.shape)
        op, f = self.r.choice((("gt", np.greater), ("le", np.less_equal), ("eq", np.equal), ("ne", np.not_equal)))
        c = self.emit(f"{op} {x.name}, {y.name}", f(x.ref, y.ref), "bool", True)
        if self.r.random() < 0.3:
            return c
        return self.emit(f"where {c.name}, {x.name}, {y.name}", np.where(c.ref, x.ref, y.ref), x.dtype, True)

    @staticmethod
    def total(v, **how):
        return np.sum(v, dtype=v.dtype if v.dtype.kind == "f" else "i8", **how)

    @staticmethod
    def logsumexp(v, **how):
        return np.log(np.sum(np.exp(v), **how))

    @staticmethod
    def variance(v, **how):
        return np.var(v, **how)

    def reduction(self, x):
        if not x.ref.ndim:
            return None
        axes = sorted(self.r.sample(range(x.ref.ndim), self.r.randint(1, x.ref.ndim)))
        keep = self.r.random() < 0.5
        kinds = [("any", np.any), ("all", np.all)] if x.dtype == "bool" else [("sum", self.total), ("max", np.max), ("min", np.min)]
        if x.is_float:
            kinds += [("mean", np.mean), ("logsumexp", self.logsumexp), ("var", self.variance)]
        op, f = self.r.choice(kinds)
        ref = f(x.ref, axis=tuple(axes), keepdims=keep)
        dtype = "i64" if op == "sum" and not x.is_float else x.dtype
        exact = not x.is_float or x.exact and op in ("max", "min")
        if op == "logsumexp" and np.abs(x.ref).max(initial=0) > 80:
            return None
        more = (", keepdim" if keep else "") + (", correction=0" if op == "var" else "")
        return self.emit(f"{op} {x.name} {{axes={axes}{more}}}", ref, dtype, exact)

    def argument(self, x):
        if not x.exact or not x.ref.ndim or x.dtype == "bool":
            return None
        axis = self.r.randrange(x.ref.ndim)
        op, f = self.r.choice((("argmax", np.argmax), ("argmin", np.argmin)))
        return self.emit(f"{op} {x.name} {{axes=[{axis}]}}", f(x.ref, axis=axis), "i64", True)

    def softmax(self, x):
        if not x.is_float or not x.ref.ndim:
            return None
        axis = self.r.randrange(x.ref.ndim)
        e = np.exp(x.ref - x.ref.max(axis=axis, keepdims=True))
        s = e.sum(axis=axis, keepdims=True)
        if self.r.random() < 0.5:
            ref = x.ref - x.ref.max(axis=axis, keepdims=True) - np.log(s)
            return self.emit(f"log_softmax {x.name} {{axis={axis}}}", ref, x.dtype, False)
        return self.emit(f"softmax {x.name} {{axis={axis}}}", e / s, x.dtype, False)

    def layer_norm(self, x):
        if not x.is_float or not x.ref.ndim:
            return None
        m = x.ref.mean(axis=-1, keepdims=True)
        v = ((x.ref - m) ** 2).mean(axis=-1, keepdims=True)
        return self.emit(f"layer_norm {x.name} {{eps=0.1}}", (x.ref - m) / np.sqrt(v + 0.1), x.dtype, False)

    def matmul(self, x):
        if x.dtype == "bool" or x.ref.ndim < 2:
            return None
        batch = tuple(self.r.choice((d, 1)) for d in x.ref.shape[:-2])[self.r.randint(0, x.ref.ndim - 2):]
        y = self.input(x.dtype, batch + (x.ref.shape[-1], self.r.choice((1, 3, 8, 19))))
        return self.emit(f"matmul {x.name}, {y.name}", x.ref @ y.ref, x.dtype, not x.is_float)

    def movement(self, x):
        return self.r.choice((self.reshape, self.permute, self.slice, self.pad, self.flip, self.concat, self.expand))(x)

    def reshape(self, x):
        shape = self.r.choice(((-1,), (1, -1), x.ref.shape[::-1] or (1,), (-1, 1)))
        return self.emit(f"reshape {x.name} {{shape={list(shape)}}}", x.ref.reshape(shape), x.dtype, x.exact)

    def permute(self, x):
        p = list(range(x.ref.ndim))
        self.r.shuffle(p)
        return self.emit(f"permute {x.name} {{perm={p}}}", x.ref.transpose(p), x.dtype, x.exact)

    def slice(self, x):
        starts, stops, steps, index = [], [], [], []
        for d in x.ref.shape:
            step = self.r.choice((1, 1, 2, 3, -1, -2))
            a, b = self.r.randint(0, d), self.r.randint(0, d)
            ends = [(min(a, b), max(a, b)), (None, None)][self.r.random() < 0.5] if step > 0 else (None, None)
            if ends[0] is not None and ends[0] == ends[1]:
                ends = (None, None)
            starts.append("_" if ends[0] is None else str(ends[0]))
            stops.append("_" if ends[1] is None else str(ends[1]))
            steps.append(step)
            index.append(slice(*ends, step))
        call = f"slice {x.name} {{start=[{', '.join(starts)}], stop=[{', '.join(stops)}], step={steps}}}"
        return self.emit(call, x.ref[tuple(index)], x.dtype, x.exact) if x.ref.ndim else None

    def pad(self, x):
        if x.dtype == "bool" or not x.ref.ndim:
            return None
        lo = [self.r.randint(0, 2) for _ in x.ref.shape]
        hi = [self.r.randint(0, 2) for _ in x.ref.shape]
        ref = np.pad(x.ref, list(zip(lo, hi)), constant_values=3)
        return self.emit(f"pad {x.name} {{lo={lo}, hi={hi}, value=3.0}}", ref, x.dtype, x.exact)

    def flip(self, x):
        axes = self.r.sample(range(x.ref.ndim), min(1, x.ref.ndim))
        return self.emit(f"flip {x.name} {{axes={axes}}}", np.flip(x.ref, axes), x.dtype, x.exact) if axes else None

    def concat(self, x):
        if not x.ref.ndim:
            return None
        axis = self.r.randrange(x.ref.ndim)
        y = self.input(x.dtype, x.ref.shape)
        return self.emit(f"concat {x.name}, {y.name} {{axis={axis}}}", np.concatenate([x.ref, y.ref], axis), x.dtype, x.exact)

    def expand(self, x):
        shape = (self.r.choice((1, 2, 3)),) + x.ref.shape
        return self.emit(f"expand {x.name} {{shape={list(shape)}}}", np.broadcast_to(x.ref, shape), x.dtype, x.exact)

    def cast(self, x):
        to = self.r.choice(sorted(DTYPES))
        if not x.exact or to == "f32" and x.dtype == "f64" or (to == "i32" and x.dtype == "i64"):
            return None
        if to not in ("f32", "f64", "bool") and x.dtype != "bool":
            fits = np.iinfo(DTYPES[to])
            if x.ref.size and (x.ref.min() < fits.min or x.ref.max() > fits.max):
                return None
        ref = x.ref.astype("f8" if to == "f32" else DTYPES[to])
        return self.emit(f"cast {x.name} {{dtype={to}}}", ref, to, True)

    def chain(self):
        x = self.input(self.r.choice(("f32", "f32", "f32", "f64", "i8", "u8", "i16", "i32", "i64", "bool")), self.shape())
        ops = [self.unary, self.unary, self.tamed, self.binary, self.binary, self.choice, self.reduction, self.argument,
               self.softmax, self.layer_norm, self.matmul, self.movement, self.movement, self.cast]
        for _ in range(self.r.randint(3, 9)):
            y = self.r.choice(ops)(x)
            good = y is not None and y.ref.size and y.ref.size < 40000 and y.ref.ndim < 6
            if good and y.dtype != "bool" and np.abs(y.ref).max() > 1e5:
                good = False
            x = y if good else x
        self.outputs.append(x)

    def text(self):
        names = {v: k for k, v in DTYPES.items()}
        head = ", ".join(f"{k}: {names[a.dtype.str[1:].replace('b1', '?')]}{list(a.shape) if a.ndim else '[]'}"
                         for k, a in self.inputs.items())
        tail = ", ".join(f"{o.name} as o{i}" for i, o in enumerate(self.outputs))
        return "graph main(" + head + ") {\n" + "\n".join(self.lines) + f"\n    return {tail}\n}}\n"


def difference(got, want):
    """None when an output is right, else what is wrong."""
    if got.shape != want.ref.shape or got.dtype != np.dtype(DTYPES[want.dtype]):
        return f"{got.dtype}{got.shape}, expected {want.dtype}{want.ref.shape}"
    if not want.is_float:
        return None if np.array_equal(got, want.ref) else "elements differ"
    scale = max(1.0, np.abs(want.ref).max(initial=0))
    error = np.abs(got.astype("f8") - want.ref).max(initial=0) / scale
    return None if error <= TOLERANCE[want.dtype] else f"relative error {error:.3g}"


def run_file(seed):
    """Number of right programs, and texts about the others."""
    p = Program(seed)
    for _ in range(PER_FILE):
        p.chain()
    with tempfile.TemporaryDirectory(prefix="braze-numpy-") as d:
        args = []
        for name, data in p.inputs.items():
            np.save(f"{d}/{name}.npy", data)
            args += ["--in", f"{name}={d}/{name}.npy"]
        extra = [[], ["--mode", "eager"], ["--threads", "1"], ["--isa", "base"]][seed % 4]
        r = subprocess.run([TOOL, "run", "-", "--out", f"{d}/out", *args, *extra], input=p.text(), capture_output=True,
                           text=True, timeout=300)
        if r.returncode:
            return 0, [f"seed {seed} {extra}: status {r.returncode}\n{r.stderr}{p.text()}"] + ["the same"] * (PER_FILE - 1)
        wrong = []
        for i, want in enumerate(p.outputs):
            d_i = difference(np.load(f"{d}/out/o{i}.npy"), want)
            if d_i:
                wrong.append(f"seed {seed} {extra}, output o{i} ({want.name}): {d_i}\n{p.text()}")
        return PER_FILE - len(wrong), wrong


# ---- what arrays look like

def random_array(r, n):
    shape = tuple(r.choice((1, 2, 3, 7, 20, 60)) for _ in range(r.randint(0, 3)))
    kind = r.choice(("f4", "f4", "f8", "f8", "f2", "i4", "i8", "i1", "u1", "?"))
    if kind[0] != "f":
        lo, hi = (0, 2) if kind == "?" else (0, 200) if kind == "u1" else (-100, 100)
        return np.asarray(n.randint(lo, hi, shape).astype(kind))
    a = n.standard_normal(shape) * 10.0 ** r.choice((0, 0, 0, 1, 3, -3) if kind == "f2" else (0, 0, 0, 2, 5, -3, -7, 12, 20))
    if r.random() < 0.4:
        a = np.round(a, r.randint(0, 3))
    a = np.asarray(a).astype(kind)
    if a.size and r.random() < 0.3:
        a = np.where(n.random_sample(shape) < 0.2, r.choice((np.nan, np.inf, -np.inf, 0.0, -0.0)), a).astype(kind)
    return np.asarray(a)


def test_print(seed, count):
    r, n = random.Random(seed), np.random.RandomState(seed)
    names = {"float16": "f16", "float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64", "int8": "i8", "uint8": "u8",
             "bool": "bool"}
    arrays = [random_array(r, n) for _ in range(count)]
    with tempfile.TemporaryDirectory(prefix="braze-numpy-") as d:
        args = ["--device", "ref"]
        for i, a in enumerate(arrays):
            np.save(f"{d}/x{i}.npy", a)
            args += ["--in", f"x{i}={d}/x{i}.npy"]
        head = ", ".join(f"x{i}: {names[a.dtype.name]}{list(a.shape)}" for i, a in enumerate(arrays))
        tail = ", ".join(f"%x{i} as o{i}" for i in range(count))
        out = subprocess.run([TOOL, "run", "-", *args], input=f"graph main({head}) {{\n    return {tail}\n}}\n",
                             capture_output=True, text=True, timeout=300)
    wrong, text = [], out.stdout + out.stderr
    for i, a in enumerate(arrays):
        shape = ",".join(map(str, a.shape))
        expected = f"o{i}: {names[a.dtype.name]}[{shape}]\n{str(a)}\n"
        if text.startswith(expected):
            text = text[len(expected):]
            continue
        end = text.find(f"o{i + 1}: ")
        wrong.append(f"print, seed {seed}:\n{text[:end][:1500]}\nexpected\n{expected[:1500]}")
        text = text[end:] if end >= 0 else ""
    return count - len(wrong), wrong


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    files = int(sys.argv[2]) if len(sys.argv) > 2 else 20 if QUICK else 60
    good, wrong = test_print(seed, 120)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for n, w in pool.map(run_file, range(seed, seed + files)):
            good += n
            wrong += w
    for w in [w for w in wrong if w != "the same"][:6]:
        print(w)
    print(f"{good} passed, {len(wrong)} failed")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
