#!/usr/bin/python3
"""test_numpy.py - random programs through `braze run` against NumPy, which shares no code with braze.

A program is a chain of random ops over a few inputs; its reference is computed beside it, in double precision for every
float dtype, in the dtype itself for integers. Ops that jump (floor, comparisons, argmax) are only put on values that are
exact, so a last bit never decides. Inputs come in C and Fortran order, little and big endian. Several programs lie in one file, as
outputs of one graph: one process runs them all. Every dtype and every kind of op must have been compared by the end.
The second test prints arrays and compares the text with NumPy's own; the third hands .npy files of every form through `braze run`.

    test_numpy.py [SEED [FILES]]     BRAZE_QUICK=1: fewer files"""
import concurrent.futures
import os
import random
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
TOOL = os.environ.get("BRAZE_TOOL", "build/braze")
QUICK = os.environ.get("BRAZE_QUICK")
PER_FILE = 6
DTYPES = {"f16": "f2", "f32": "f4", "f64": "f8", "i8": "i1", "i16": "i2", "i32": "i4", "i64": "i8",
          "u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8", "bool": "?"}
FLOATS = ("f16", "f32", "f64")
# Relative to the largest element; every op of a chain may add a few ULP, sums of hundreds some more.
TOLERANCE = {"f16": 2e-2, "f32": 3e-5, "f64": 1e-12}


class Value:
    def __init__(self, name, ref, dtype, exact):
        self.name, self.ref, self.dtype, self.exact = name, ref, dtype, exact

    @property
    def is_float(self):
        return self.dtype in FLOATS


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
        if dtype in FLOATS:
            data = self.n.standard_normal(shape).astype(DTYPES[dtype])
        elif dtype == "bool":
            data = self.n.randint(0, 2, shape).astype("?")
        else:
            data = self.n.randint(0 if dtype[0] == "u" else -20, 20, shape).astype(DTYPES[dtype])
        return self.given(name, np.asarray(data), dtype)

    def given(self, name, data, dtype):
        self.inputs[name] = data
        return Value("%" + name, data.astype("f8") if dtype in FLOATS else data, dtype, True)

    # ---- ops: each takes a Value and gives another, or None where it does not fit

    def unary(self, x):
        table = {"neg": np.negative, "abs": np.abs, "square": np.square}
        if x.is_float:
            table.update(sin=np.sin, cos=np.cos, tanh=np.tanh, sigmoid=lambda v: 1 / (1 + np.exp(-v)),
                         relu=lambda v: np.maximum(v, 0), silu=lambda v: v / (1 + np.exp(-v)), atan=np.arctan,
                         asinh=np.arcsinh, softplus=lambda v: np.logaddexp(v, 0), cbrt=np.cbrt, rad2deg=np.rad2deg,
                         deg2rad=np.deg2rad, i0e=lambda v: np.i0(v) * np.exp(-np.abs(v)), elu=lambda v: np.where(v > 0, v, np.expm1(np.minimum(v, 0))),
                         softsign=lambda v: v / (1 + np.abs(v)), nan_to_num=np.nan_to_num)
            if x.exact:
                table.update(floor=np.floor, ceil=np.ceil, trunc=np.trunc, round=np.rint, sign=np.sign)
        elif x.dtype != "bool":
            table.update(bitwise_not=np.invert, sign=np.sign)
        op = self.r.choice(sorted(table))
        if x.dtype == "bool":
            return self.emit(f"logical_not {x.name}", np.logical_not(x.ref), "bool", True)
        if op == "cbrt" and not x.exact or (op == "square" and np.abs(x.ref).max(initial=0) > 1000):
            return None
        exact = x.exact and op in ("neg", "abs", "relu", "floor", "ceil", "trunc", "round", "sign") or not x.is_float
        return self.emit(f"{op} {x.name}", table[op](x.ref), x.dtype, exact)

    def tamed(self, x):
        """Functions with a domain, on operands that lie in it."""
        if not x.is_float or x.dtype == "f16" and not x.ref.ndim:
            return None  # (a literal is an f32: with an f16 without axes it gives f32)
        above = (("log", np.log), ("sqrt", np.sqrt), ("reciprocal", np.reciprocal), ("log1p", np.log1p), ("log2", np.log2),
                 ("log10", np.log10), ("rsqrt", lambda v: 1 / np.sqrt(v)), ("acosh", np.arccosh))
        inside = (("exp", np.exp), ("exp2", np.exp2), ("expm1", np.expm1), ("sinh", np.sinh), ("cosh", np.cosh), ("tan", np.tan),
                  ("asin", np.arcsin), ("acos", np.arccos), ("atanh", np.arctanh))
        if self.r.random() < 0.5:
            op, f = self.r.choice(inside)
            t = self.emit(f"tanh {x.name}", np.tanh(x.ref), x.dtype, False)
            h = self.emit(f"mul {t.name}, 0.5", t.ref * 0.5, x.dtype, False)
            return self.emit(f"{op} {h.name}", f(h.ref), x.dtype, False)
        op, f = self.r.choice(above)
        a = self.emit(f"abs {x.name}", np.abs(x.ref), x.dtype, x.exact)
        b = self.emit(f"add {a.name}, 1.25", a.ref + 1.25, x.dtype, False)
        return self.emit(f"{op} {b.name}", f(b.ref), x.dtype, False)

    def binary(self, x):
        y = self.input(x.dtype, tuple(self.r.choice((d, 1)) for d in x.ref.shape[self.r.randint(0, x.ref.ndim):]))
        if x.dtype == "bool":
            op, f = self.r.choice((("logical_and", np.logical_and), ("logical_or", np.logical_or),
                                   ("logical_xor", np.logical_xor)))
            return self.emit(f"{op} {x.name}, {y.name}", f(x.ref, y.ref), "bool", True)
        table = [("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("maximum", np.maximum), ("minimum", np.minimum),
                 ("fmax", np.fmax), ("fmin", np.fmin)]
        if not x.is_float:
            table += [("bitwise_and", np.bitwise_and), ("bitwise_xor", np.bitwise_xor), ("bitwise_or", np.bitwise_or)]
            if self.r.random() < 0.3 and y.ref.ndim and x.ref.ndim:
                return self.division(x, y)
        if x.is_float and self.r.random() < 0.3 and (x.ref.ndim or x.dtype != "f16"):
            return self.float_pair(x, y)
        op, f = self.r.choice(table)
        a, b = (x, y) if self.r.random() < 0.5 or op in ("maximum", "minimum", "fmax", "fmin") else (y, x)
        exact = not x.is_float or x.exact and op in ("maximum", "minimum", "fmax", "fmin")
        return self.emit(f"{op} {a.name}, {b.name}", f(a.ref, b.ref), x.dtype, exact)

    def float_pair(self, x, y):
        """y: above 0, for what has a border there."""
        a = self.emit(f"abs {y.name}", np.abs(y.ref), y.dtype, True)
        b = self.emit(f"add {a.name}, 0.5", a.ref + 0.5, y.dtype, False)
        op, f = self.r.choice((("div", np.divide), ("hypot", np.hypot), ("atan2", np.arctan2), ("logaddexp", np.logaddexp),
                               ("copysign", np.copysign), ("fma", None), ("lerp", None), ("clamp", None), ("pow", None)))
        if op == "pow":
            if y.dtype == "f16" and not y.ref.ndim:
                return None
            return self.emit(f"pow {b.name}, 1.5", b.ref ** 1.5, x.dtype, False)
        if op == "clamp":
            return self.emit(f"clamp {x.name}, -0.25, {b.name}", np.minimum(np.maximum(x.ref, -0.25), b.ref), x.dtype, False)
        if op == "fma":
            return self.emit(f"fma {x.name}, {b.name}, {y.name}", x.ref * b.ref + y.ref, x.dtype, False)
        if op == "lerp":
            return self.emit(f"lerp {x.name}, {b.name}, {y.name}", x.ref + y.ref * (b.ref - x.ref), x.dtype, False)
        return self.emit(f"{op} {x.name}, {b.name}", f(x.ref, b.ref), x.dtype, False)

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
        kinds = [("any", np.any), ("all", np.all)] if x.dtype == "bool" else [("sum", self.total), ("max", np.max), ("min", np.min), ("amax", np.max),
                                                                                          ("nanmin", np.nanmin)]
        if np.abs(x.ref).max(initial=0) <= 2 and x.ref.size <= 60 and x.dtype in ("f32", "f64", "i64"):
            kinds += [("prod", np.prod)]
        if x.is_float:
            kinds += [("mean", np.mean), ("logsumexp", self.logsumexp), ("var", self.variance), ("std", np.std), ("nanmean", np.nanmean), ("nanvar", np.nanvar)]
        op, f = self.r.choice(kinds)
        ref = f(x.ref, axis=tuple(axes), keepdims=keep)
        dtype = "i64" if op in ("sum", "prod") and not x.is_float else x.dtype
        exact = not x.is_float or x.exact and op in ("max", "min", "amax", "nanmin")
        if op == "logsumexp" and np.abs(x.ref).max(initial=0) > 80:
            return None
        more = (", keepdim" if keep else "") + (", correction=0" if op in ("var", "std") else "")
        return self.emit(f"{op} {x.name} {{axes={axes}{more}}}", ref, dtype, exact)

    def argument(self, x):
        if not x.exact or not x.ref.ndim or x.dtype == "bool":
            return None
        axis = self.r.randrange(x.ref.ndim)
        op, f = self.r.choice((("argmax", np.argmax), ("argmin", np.argmin)))
        if self.r.random() < 0.2:
            return self.emit(f"{op} {x.name}", f(x.ref), "i64", True)
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

    def look_up(self, x):
        """Rows at random places, counted from either end; or 1 at the class of each element."""
        if x.dtype == "i64" and self.r.random() < 0.5:
            return self.emit(f"one_hot {x.name} {{classes=7, dtype=f32}}", (x.ref[..., None] == np.arange(7)).astype("f8"), "f32", True)
        if not x.ref.ndim:
            return None
        axis = self.r.randrange(x.ref.ndim)
        d = x.ref.shape[axis]
        places = self.n.randint(-d, d, tuple(self.r.choice((1, 2, 5)) for _ in range(self.r.randint(0, 2))))
        i = self.given(f"x{len(self.inputs)}", np.asarray(places).astype("i8"), "i64")
        return self.emit(f"gather {x.name}, {i.name} {{axis={axis}}}", np.take(x.ref, i.ref, axis), x.dtype, x.exact)

    def layer_norm(self, x):
        if not x.is_float or not x.ref.ndim:
            return None
        m = x.ref.mean(axis=-1, keepdims=True)
        v = ((x.ref - m) ** 2).mean(axis=-1, keepdims=True)
        if self.r.random() < 0.4:
            square = (x.ref ** 2).mean(axis=-1, keepdims=True)
            return self.emit(f"rms_norm {x.name} {{eps=0.1}}", x.ref / np.sqrt(square + 0.1), x.dtype, False)
        return self.emit(f"layer_norm {x.name} {{eps=0.1}}", (x.ref - m) / np.sqrt(v + 0.1), x.dtype, False)

    def matmul(self, x):
        if x.dtype == "bool" or x.ref.ndim < 2:
            return None
        if self.r.random() < 0.2:
            y = self.input(x.dtype, x.ref.shape[-1:])
            return self.emit(f"matmul {x.name}, {y.name}", x.ref @ y.ref, x.dtype, not x.is_float)
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
        if not x.exact or to in FLOATS and x.is_float and FLOATS.index(to) < FLOATS.index(x.dtype) or (to == "i32" and x.dtype == "i64"):
            return None
        if to == "f16" and np.abs(x.ref).max(initial=0) > 2000:
            return None
        if to not in (*FLOATS, "bool") and x.dtype != "bool":
            fits = np.iinfo(DTYPES[to])
            if x.ref.size and (x.ref.min() < fits.min or x.ref.max() > fits.max):
                return None
        ref = x.ref.astype("f8" if to in FLOATS else DTYPES[to])
        return self.emit(f"cast {x.name} {{dtype={to}}}", ref, to, True)

    def chain(self):
        x = self.input(self.r.choice(("f32", "f32", "f32", "f64", "f16", "i8", "u8", "i16", "i32", "i64", "u16", "u32", "u64", "bool")), self.shape())
        ops = [self.unary, self.unary, self.tamed, self.tamed, self.binary, self.binary, self.choice, self.reduction, self.argument,
               self.softmax, self.layer_norm, self.matmul, self.movement, self.movement, self.cast, self.look_up]
        for _ in range(self.r.randint(3, 9)):
            y = self.r.choice(ops)(x)
            good = y is not None and y.ref.size and y.ref.size < 40000 and y.ref.ndim < 6
            if good and y.dtype != "bool" and np.abs(y.ref).max() > (1e2 if y.dtype == "f16" else 1e5):
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
    """Number of right programs, texts about the others, and what was compared."""
    p = Program(seed)
    for _ in range(PER_FILE):
        p.chain()
    with tempfile.TemporaryDirectory(prefix="braze-numpy-") as d:
        args = []
        for name, data in p.inputs.items():
            data = data.astype(data.dtype.newbyteorder(">")) if p.r.random() < 0.1 else data
            np.save(f"{d}/{name}.npy", np.asfortranarray(data) if data.ndim and p.r.random() < 0.3 else data)
            args += ["--in", f"{name}={d}/{name}.npy"]
        extra = [[], ["--mode", "eager"], ["--threads", "1"], ["--isa", "base"]][seed % 4]
        r = subprocess.run([TOOL, "run", "-", "--out", f"{d}/out", *args, *extra], input=p.text(), capture_output=True,
                           text=True, timeout=300)
        if r.returncode:
            return 0, [f"seed {seed} {extra}: status {r.returncode}\n{r.stderr}{p.text()}"] + ["the same"] * (PER_FILE - 1), set()
        wrong = []
        for i, want in enumerate(p.outputs):
            d_i = difference(np.load(f"{d}/out/o{i}.npy"), want)
            if d_i:
                wrong.append(f"seed {seed} {extra}, output o{i} ({want.name}): {d_i}\n{p.text()}")
        kinds = {line.split("=")[1].split()[0] for line in p.lines} | {v.dtype for v in p.outputs}
        return PER_FILE - len(wrong), wrong, kinds


# ---- what arrays look like

def random_array(r, n):
    shape = tuple(r.choice((1, 2, 3, 7, 20, 60)) for _ in range(r.randint(0, 3)))
    kind = r.choice(("f4", "f4", "f8", "f8", "f2", "i4", "i8", "i1", "u1", "u2", "u4", "u8", "?"))
    if kind[0] != "f":
        lo, hi = (0, 2) if kind == "?" else (0, 200) if kind[0] == "u" else (-100, 100)
        if kind == "u8" and r.random() < 0.5:
            return np.asarray(n.randint(0, 2**64, shape, dtype="u8"))
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
             "uint16": "u16", "uint32": "u32", "uint64": "u64", "bool": "bool"}
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


# ---- files

def write_npy(path, a, version, fortran):
    with open(path, "wb") as f:
        np.lib.format.write_array(f, np.asfortranarray(a) if fortran and a.ndim else a, version=version)


def write_zip(d, name, count):
    """What numpy.savez does with the .npy files of a directory: sizes of 64 bits in every member's header."""
    with zipfile.ZipFile(f"{d}/{name}", "w", zipfile.ZIP_DEFLATED if name == "deflated.npz" else zipfile.ZIP_STORED) as z:
        for i in range(count):
            with z.open(f"x{i}.npy", "w", force_zip64=True) as f:
                f.write(open(f"{d}/x{i}.npy", "rb").read())


def test_files():
    """NumPy writes, braze reads and writes, NumPy reads: every dtype, order, byte order and version; bf16 as two bytes without a type."""
    n = np.random.RandomState(5)
    shapes = [(), (1,), (0,), (3,), (2, 3), (4, 1, 3), (3, 0, 2), (2, 1, 2, 3, 2)]
    arrays = []
    for name, kind in [*DTYPES.items(), ("bf16", "V2")]:
        for k, shape in enumerate(shapes):
            count = int(np.prod(shape, dtype=int))
            data = n.bytes(count * np.dtype(kind).itemsize) if kind != "?" else n.randint(0, 2, count).astype("?").tobytes()
            a = np.frombuffer(data, kind).reshape(shape)
            big = k % 3 == 1 and kind not in ("?", "V2")
            arrays.append((name, a, (1 + k % 3, 0), k % 2 == 0, a.astype(a.dtype.newbyteorder(">")) if big else a))
    head = ", ".join(f"x{i}: {name}{list(a.shape)}" for i, (name, a, *_) in enumerate(arrays))
    tail = ", ".join(f"%x{i} as o{i}" for i in range(len(arrays)))
    wrong = []
    with tempfile.TemporaryDirectory(prefix="braze-numpy-") as d:
        for i, (_, _, version, fortran, stored) in enumerate(arrays):
            write_npy(f"{d}/x{i}.npy", stored, version, fortran)
        for form in ("npy", "stored.npz", "deflated.npz"):
            many = form != "npy"
            if many:
                write_zip(d, form, len(arrays))
            args = [x for i in range(len(arrays)) for x in ("--in", f"x{i}={d}/{form}" if many else f"x{i}={d}/x{i}.npy")]
            out = f"{d}/out.npz" if many else f"{d}/out"
            r = subprocess.run([TOOL, "run", "-", "--out", out, *args], input=f"graph main({head}) {{\n    return {tail}\n}}\n",
                               capture_output=True, text=True, timeout=300)
            if r.returncode:
                return 0, [r.stderr]
            together = np.load(out) if many else None
            for i, (name, a, version, fortran, stored) in enumerate(arrays):
                got = together[f"o{i}"] if many else np.load(f"{d}/out/o{i}.npy")
                if got.shape != a.shape or got.dtype != a.dtype or got.tobytes() != a.tobytes():
                    wrong.append(f"{form} of {name}{a.shape}, version {version}, fortran {fortran}, {stored.dtype}: {got.dtype}{got.shape}")
    return 3 * len(arrays) - len(wrong), wrong


# Ops and dtypes that 600 programs cannot miss.
EVERY = """f16 f32 f64 i8 u8 i16 i32 i64 u16 u32 u64 bool abs acos acosh add all any argmax argmin asin asinh atan atan2 atanh bitwise_and bitwise_not
bitwise_or bitwise_xor cast cbrt ceil clamp concat copysign cos cosh div eq exp exp2 expand expm1 flip floor floor_divide fma gather gt
hypot layer_norm le left_shift lerp log log10 log1p log2 log_softmax logaddexp logical_and logical_not logical_or logical_xor logsumexp
matmul max maximum mean min minimum mul ne neg one_hot pad permute pow prod reciprocal relu remainder reshape right_shift rms_norm round
rsqrt sigmoid sign silu sin sinh slice softmax softplus sqrt square sub sum tan tanh trunc var where"""


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    files = int(sys.argv[2]) if len(sys.argv) > 2 else 20 if QUICK else 100
    good, wrong = test_print(seed, 120)
    n, w = test_files()
    good, wrong, seen = good + n, wrong + w, set()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for n, w, kinds in pool.map(run_file, range(seed, seed + files)):
            good += n
            wrong += w
            seen |= kinds
    never = sorted(set(EVERY.split()) - seen) if files >= 100 else []
    wrong += [f"never compared: {', '.join(never)}"] if never else []
    for w in [w for w in wrong if w != "the same"][:6]:
        print(w)
    print(f"{good} passed, {len(wrong)} failed")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
