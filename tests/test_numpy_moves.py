#!/usr/bin/python3
"""test_numpy_moves.py - movement and indexing beside NumPy, and beside what PyTorch documents where NumPy has no such function: each
call in a program of its own line, all of them one graph, on operands of every dtype, in C and Fortran order.

    test_numpy_moves.py"""
import itertools
import os
import random
import subprocess
import sys
import tempfile

import numpy as np

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
TOOL = os.environ.get("BRAZE_TOOL", "build/braze")
DTYPES = {"f32": "f4", "f64": "f8", "f16": "f2", "i8": "i1", "i16": "i2", "i32": "i4", "i64": "i8",
          "u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8", "bool": "?"}


def repeat_rows(a, counts, axis):
    return np.repeat(a, counts, axis)


def torch_chunk(a, n, axis):
    size = max(1, -(-a.shape[axis] // n))
    return np.split(a, range(size, a.shape[axis], size), axis)


def diag_embed(a, offset, p, q):
    side = a.shape[-1] + abs(offset)
    out = np.zeros(a.shape[:-1] + (side, side), a.dtype)
    i = np.arange(a.shape[-1])
    out[..., i + max(0, -offset), i + max(0, offset)] = a
    return np.moveaxis(out, (-2, -1), (p, q))


def changed(a, view, v):
    """a with v in the part of it that `view` looks at."""
    a = a.copy()
    view(a)[...] = v
    return a


def window(a, shape, strides, offset):
    step = a.itemsize
    return np.lib.stride_tricks.as_strided(a.ravel()[offset:], shape, [s * step for s in strides])


def blocks(*arrays):
    m = [np.atleast_2d(a) for a in arrays]
    out = np.zeros((sum(a.shape[0] for a in m), sum(a.shape[1] for a in m)), m[0].dtype)
    r = c = 0
    for a in m:
        out[r:r + a.shape[0], c:c + a.shape[1]] = a
        r, c = r + a.shape[0], c + a.shape[1]
    return out


def pads(lo, hi):
    return list(zip(lo, hi))


def scattered_where(a, mask, source):
    a = np.ascontiguousarray(a)
    a[mask] = source.ravel()[:mask.sum()]
    return a


class Cases:
    """Lines of a graph over inputs of one dtype, and what NumPy says of each."""

    def __init__(self, dtype, seed):
        self.r, self.n = random.Random(seed), np.random.RandomState(seed)
        n = self.n
        self.dtype, self.lines, self.want, self.inputs = dtype, [], {}, {}

        def make(*shape):
            return (n.randint(0, 2, shape) if dtype == "bool" else n.randint(0, 100, shape)).astype(DTYPES[dtype])

        self.x, self.m, self.w, self.s, self.e = make(2, 3, 4), make(5, 4), make(6), make(), make(0, 3)
        self.f = np.asfortranarray(make(4, 6))
        self.inputs = {"x": self.x, "m": self.m, "w": self.w, "s": self.s, "e": self.e, "f": self.f}

    def one(self, call, want):
        self.many(call, [want])

    def many(self, call, want):
        names = [f"%r{len(self.want) + i}" for i in range(len(want))]
        self.lines.append(f"    {', '.join(names)} = {call}")
        for name, a in zip(names, want):
            self.want[name[1:]] = (call, np.asarray(a))

    # ---- views

    def views(self):
        x, m, w, s, f = self.x, self.m, self.w, self.s, self.f
        for name in ("movedim", "moveaxis"):
            for a, b in itertools.product(((0,), (2, 0), (-1, 1, 0)), repeat=2):
                if len(a) == len(b):
                    self.one(f"{name} %x {{from={list(a)}, to={list(b)}}}", np.moveaxis(x, a, b))
        self.one("swapaxes %x {a=0, b=-1}", np.swapaxes(x, 0, -1))
        self.one("swapdims %x {a=1, b=1}", x)
        self.one("t %f", f.T)
        self.one("t %w", w)
        self.one("t %s", s)
        self.one("mT %x", x.swapaxes(1, 2))
        self.one("adjoint %f", f.T)
        self.one("ravel %f", f.ravel())
        self.one("ravel %s", s.ravel())
        self.one("view %f {shape=[3, -1]}", f.reshape(3, -1))
        self.one("unflatten %f {axis=1, sizes=[-1, 2]}", f.reshape(4, 3, 2))
        self.one("unflatten %w {axis=-1, sizes=[2, 1, 3]}", w.reshape(2, 1, 3))
        windows = np.lib.stride_tricks.sliding_window_view
        self.one("sliding_window_view %f {size=3}", windows(f, 3, -1))
        self.one("sliding_window_view %x {size=2, axis=1}", windows(x, 2, 1))
        self.one("sliding_window_view %f {size=4, axis=0, step=3}", windows(f, 4, 0)[::3])
        self.one("reshape_as %x, %f", x.reshape(4, 6))
        self.one("view_as %f, %x", f.reshape(2, 3, 4))
        self.one("broadcast_to %w {shape=[2, 3, 6]}", np.broadcast_to(w, (2, 3, 6)))
        self.one("broadcast_to %e {shape=[2, 0, 3]}", np.broadcast_to(self.e, (2, 0, 3)))
        self.one("expand_as %w, %f", np.broadcast_to(w, f.shape))
        self.many("broadcast_tensors %w, %f, %s", np.broadcast_arrays(w, f, s))
        for name, a in (("s", s), ("w", w), ("m", m), ("x", x)):
            self.one(f"atleast_1d %{name}", np.atleast_1d(a))
            self.one(f"atleast_2d %{name}", np.atleast_2d(a))
            self.one(f"atleast_3d %{name}", np.atleast_3d(a))
        self.one("contiguous %f", f)

    def parts(self):
        x, f, w = self.x, self.f, self.w
        self.many("split %f {size=4, axis=1}", np.split(f, [4], 1))
        self.many("split %f {sizes=[1, 0, 3]}", np.split(f, [1, 1], 0))
        for n in (1, 2, 3, 4, 5):
            self.many(f"chunk %w {{chunks={n}}}", torch_chunk(w, n, 0))
            self.many(f"tensor_split %f {{sections={n}, axis=-1}}", np.array_split(f, n, 1))
        self.many("tensor_split %f {indices=[2, 1, 9, -1], axis=1}", np.array_split(f, [2, 1, 9, -1], 1))
        self.many("hsplit %f {sections=3}", np.hsplit(f, 3))
        self.many("hsplit %w {indices=[2, 3]}", np.hsplit(w, [2, 3]))
        self.many("vsplit %f {sections=2}", np.vsplit(f, 2))
        self.many("dsplit %x {indices=[1]}", np.dsplit(x, [1]))
        self.many("unbind %x {axis=1}", [x[:, i] for i in range(3)])
        self.many("unbind %w", list(w))

    # ---- new tensors

    def repeats(self):
        x, m, w, s = self.x, self.m, self.w, self.s
        self.one("tile %m {sizes=[2]}", np.tile(m, 2))
        self.one("tile %m {sizes=[3, 1, 2]}", np.tile(m, (3, 1, 2)))
        self.one("tile %s {sizes=[2, 2]}", np.tile(s, (2, 2)))
        self.one("tile %m {sizes=[0, 2]}", np.tile(m, (0, 2)))
        self.one("repeat %x {sizes=[2, 1, 1, 3]}", np.tile(x, (2, 1, 1, 3)))
        self.one("repeat_interleave %m {repeats=3}", np.repeat(m, 3))
        self.one("repeat_interleave %m {repeats=2, axis=-1}", np.repeat(m, 2, -1))
        self.one("repeat_interleave %m {repeats=0, axis=0}", np.repeat(m, 0, 0))
        self.one("repeat_interleave %m {repeats=[1, 0, 3, 2], axis=1}", np.repeat(m, [1, 0, 3, 2], 1))
        self.one("repeat_interleave %w {repeats=[0, 0, 0, 0, 0, 0]}", np.repeat(w, 0))
        self.one("repeat_interleave %s {repeats=4}", np.repeat(s, 4))

    def turned(self):
        x, m, w = self.x, self.m, self.w
        self.one("roll %m {shifts=3}", np.roll(m, 3))
        self.one("roll %m {shifts=[-7, 9], axes=[0, 1]}", np.roll(m, (-7, 9), (0, 1)))
        self.one("roll %m {shifts=[1, 1], axes=[0, 0]}", np.roll(m, (1, 1), (0, 0)))
        self.one("roll %e {shifts=[1], axes=[0]}", self.e)
        for k in (-5, -1, 0, 1, 2, 3, 4):
            self.one(f"rot90 %m {{k={k}}}", np.rot90(m, k))
            self.one(f"rot90 %x {{k={k}, a=2, b=0}}", np.rot90(x, k, (2, 0)))
        self.one("fliplr %x", np.fliplr(x))
        self.one("flipud %w", np.flipud(w))
        modes = (("pad_reflect", "reflect", (3, 2)), ("pad_symmetric", "symmetric", (5, 4)), ("pad_replicate", "edge", (9, 7)),
                 ("pad_circular", "wrap", (5, 4)))
        for name, mode, (a, b) in modes:
            for lo, hi in (((1, 0), (0, 2)), ((a, b), (b - 1, 1)), ((0, 0), (0, 0))):
                self.one(f"{name} %m {{lo={list(lo)}, hi={list(hi)}}}", np.pad(m, pads(lo, hi), mode))

    def joined(self):
        x, m, w, s, f = self.x, self.m, self.w, self.s, self.f
        self.one("cat %m, %m {axis=-1}", np.concatenate([m, m], -1))
        self.one("hstack %m, %m", np.hstack([m, m]))
        self.one("hstack %w, %s, %w", np.hstack([w, s, w]))
        self.one("vstack %f, %w", np.vstack([f, w]))
        self.one("vstack %s, %s", np.vstack([s, s]))
        self.one("dstack %f, %f", np.dstack([f, f]))
        self.one("dstack %w, %w", np.dstack([w, w]))
        self.one("column_stack %w, %w, %w", np.column_stack([w, w, w]))
        self.one("block_diag %f, %w, %s, %m", blocks(f, w, s, m))
        grid = np.stack([g.ravel() for g in np.meshgrid(w, m[0], w, indexing="ij")], 1)
        self.lines.append("    %first = select %m {axis=0, index=0}")
        self.one("cartesian_prod %w, %first, %w", grid)
        for k in (1, 2, 4, 6, 7):
            rows = list(itertools.combinations(w.tolist(), k))
            self.one(f"combinations %w {{k={k}}}", np.array(rows, w.dtype).reshape(-1, k))
        rows = list(itertools.combinations_with_replacement(w.tolist(), 3))
        self.one("combinations %w {k=3, with_replacement}", np.array(rows, w.dtype))

    def scattered(self):
        x, m, w, f = self.x, self.m, self.w, self.f
        for offset, p, q in ((0, -2, -1), (2, 0, 1), (-1, 0, 2), (1, 2, 0)):
            self.one(f"diag_embed %m {{offset={offset}, a={p}, b={q}}}", diag_embed(m, offset, p, q))
        self.one("diag_embed %w", np.diag(w))
        self.lines += ["    %row = slice %w {start=[0], stop=[4]}", "    %two = slice %f {start=[0, 0], stop=[4, 2]}"]
        self.one("diagonal_scatter %f, %row {offset=1}", changed(f, lambda a: np.einsum("ii->i", a[:, 1:5]), w[:4]))
        self.one("select_scatter %f, %row {axis=1, index=-2}", changed(f, lambda a: a[:, -2], w[:4]))
        self.one("select_scatter %x, %tail {axis=0, index=1}", changed(x, lambda a: a[1], m[:3]))
        self.lines.insert(-1, "    %tail = slice %m {start=[0, 0], stop=[3, 4]}")
        self.one("slice_scatter %f, %two {axis=1, start=1, stop=5, step=3}", changed(f, lambda a: a[:, 1:5:3], f[:, :2]))
        self.one("slice_scatter %f, %two {axis=1, start=-1, step=-4}", changed(f, lambda a: a[:, -1::-4], f[:, :2]))
        c = np.ascontiguousarray(f)
        self.one("as_strided_scatter %f, %two {strides=[1, 12], offset=3}", changed(c, lambda a: window(a, (4, 2), (1, 12), 3), f[:, :2]))

    # ---- elements at indices

    def items(self, r, shape):
        """Random items for an array of this shape: their text, NumPy's index, the arrays among them."""
        text, index, arrays = [], [], []

        def put(word, item):
            text.append(word)
            index.append(item)

        first = r.randrange(len(shape) + 1)  # of the axes that ... stands for, or that no item is for
        last, dots = (r.randint(first, len(shape)), True) if r.random() < 0.4 else (len(shape), r.random() < 0.2)
        for axis, n in enumerate(shape + (0,)):
            if r.random() < 0.15:
                put("None", None)
            if axis == first and dots:
                put("...", ...)
            if axis == len(shape) or first <= axis < last:
                continue
            kind = r.choice(("int", "slice", "slice", "tensor", "tensor"))
            if kind == "int":
                k = r.randrange(-n, n)
                put(str(k), k)
            elif kind == "slice":
                a, b, c = (r.choice((None, r.randrange(-n - 1, n + 2))) for _ in range(3))
                c = c or r.choice((1, -1, 2))
                put(f"{'' if a is None else a}:{'' if b is None else b}:{c}", slice(a, b, c))
            else:
                arrays.append(self.n.randint(-n, n, r.choice(((), (3,), (2, 3), (2, 1), (1, 3)))))
                put("@", arrays[-1])
        return ", ".join(text), tuple(index), arrays

    def given(self, arrays):
        names = []
        for a in arrays:
            name = f"i{len(self.inputs)}"
            self.inputs[name] = np.asarray(a).astype("i8")
            names.append(f", %{name}")
        return "".join(names)

    def picked(self):
        for _ in range(60):
            name, a = self.r.choice((("x", self.x), ("f", self.f), ("w", self.w), ("m", self.m)))
            text, index, arrays = self.items(self.r, a.shape)
            self.one(f'at_get %{name}{self.given(arrays)} {{items="{text}"}}', a[index])
        for k in range(40):  # written, once each place in a set
            name, a = self.r.choice((("x", self.x), ("f", self.f), ("w", self.w), ("m", self.m)))
            text, index, arrays = self.items(self.r, a.shape)
            shape = a[index].shape
            shape = shape[self.r.randint(0, len(shape)):]
            v = self.n.randint(0, 100, [self.r.choice((n, n, 1)) for n in shape])
            v = np.asarray(v).astype(DTYPES[self.dtype])
            want, op = np.array(a), "at_set"
            if k % 2 and self.dtype != "bool":
                op = "at_add"
                np.add.at(want, index, v)
            else:
                want[index] = v
            vname = f"v{len(self.inputs)}"
            self.inputs[vname] = v
            exact = self.dtype != "f16" or op == "at_set" or len(arrays) == 0
            if exact:
                self.one(f'{op} %{name}, %{vname}{self.given(arrays)} {{items="{text}"}}', want)
        i = self.n.randint(-6, 6, (2, 4))
        self.one(f"take %w{self.given([i])}", np.take(self.w, i))
        self.one(f"take %f{self.given([i])} {{axis=-1}}", np.take(self.f, i, -1))
        self.one(f"take %x{self.given([i])}", np.take(self.x, i))

    def masked(self):
        x, f, w = self.x, self.f, self.w
        mask, row = self.n.randint(0, 2, f.shape).astype("?"), self.n.randint(0, 2, 6).astype("?")
        self.inputs.update(mask=mask, row=row)
        v = w[2]
        self.lines.append("    %v = select %w {axis=0, index=2}")
        self.one("masked_fill %f, %mask, %v", np.where(mask, v, f))
        self.one("masked_fill %w, %mask, %v", np.where(mask, v, w))
        self.one("masked_scatter %f, %mask, %x", changed(f, lambda a: a, scattered_where(f, mask, x)))
        self.one("masked_scatter %f, %row, %f", scattered_where(f, np.broadcast_to(row, f.shape), f))

    def run(self, extra):
        names = {np.dtype(v): k for k, v in DTYPES.items()}
        text = ", ".join(f"{k}: {names[a.dtype]}{list(a.shape)}" for k, a in self.inputs.items())
        tail = ", ".join(f"%{k} as {k}" for k in self.want)
        program = f"graph main({text}) {{\n" + "\n".join(self.lines) + f"\n    return {tail}\n}}\n"
        with tempfile.TemporaryDirectory(prefix="braze-moves-") as d:
            args = []
            for name, a in self.inputs.items():
                np.save(f"{d}/{name}.npy", a)
                args += ["--in", f"{name}={d}/{name}.npy"]
            r = subprocess.run([TOOL, "run", "-", "--out", f"{d}/out", *args, *extra], input=program, capture_output=True, text=True,
                               timeout=300)
            if r.returncode:
                return [f"{self.dtype} {extra}: status {r.returncode}\n{r.stderr}"]
            return [f"{self.dtype} {extra}: {call}\n{got}\nnot\n{want}" for k, (call, want) in self.want.items()
                    if not same(got := np.load(f"{d}/out/{k}.npy"), want)]


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b)


def main():
    ways = [["--device", "ref"], [], ["--mode", "eager"]]
    compared, wrong = 0, []
    for i, dtype in enumerate(DTYPES):
        for kind in (Cases.views, Cases.parts, Cases.repeats, Cases.turned, Cases.joined, Cases.scattered, Cases.picked, Cases.masked):
            c = Cases(dtype, i)
            kind(c)
            wrong += c.run(ways[0] if i % 3 else ways[1 + (i > 0)])
            compared += len(c.want)
    print("\n".join(wrong[:5]))
    print(f"{compared - len(wrong)} passed, {len(wrong)} failed")
    return bool(wrong)


sys.exit(main())
