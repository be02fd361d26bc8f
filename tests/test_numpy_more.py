#!/usr/bin/python3
"""test_numpy_more.py - what chooses, counts and draws, beside NumPy: every case is a program whose outputs stand beside what a function of its inputs says.

    test_numpy_more.py [NAME...]"""
import os
import subprocess
import sys
import tempfile

import numpy as np

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
TOOL = os.environ.get("BRAZE_TOOL", "build/braze")
NAMES = {"f4": "f32", "f8": "f64", "f2": "f16", "i1": "i8", "i2": "i16", "i4": "i32", "i8": "i64", "u1": "u8", "b1": "bool"}
passed, failed = 0, []


def run(lines, results, *options, **inputs):
    """The values of `results` in a program of these lines."""
    with tempfile.TemporaryDirectory() as d:
        args = []
        for name, a in inputs.items():
            np.save(f"{d}/{name}.npy", a)
            args += ["--in", f"{name}={d}/{name}.npy"]
        head = ", ".join(f"{n}: {NAMES[a.dtype.str[1:]]}{list(a.shape) if a.ndim else ''}" for n, a in inputs.items())
        outs = ", ".join(f"%{r} as {r}" for r in results)
        text = f"graph main({head}) {{\n    " + "\n    ".join(lines) + f"\n    return {outs}\n}}\n"
        r = subprocess.run([TOOL, "run", "/dev/stdin", "--out", d, *options, *args], input=text, capture_output=True, text=True, timeout=300)
        if r.returncode:
            raise AssertionError(f"{text}{r.stderr}")
        return [np.load(f"{d}/{x}.npy") for x in results]


def same(name, got, want):
    global passed
    want = np.asarray(want)
    good = got.shape == want.shape and np.array_equal(got.astype(want.dtype), want, equal_nan=want.dtype.kind == "f")
    passed += good
    if not good:
        failed.append(f"{name}: {got.shape} {got.ravel()[:8]} is not {want.shape} {want.ravel()[:8]}")


def near(name, got, want, tolerance):
    global passed
    good = got.shape == np.shape(want) and np.allclose(got, want, tolerance, tolerance, equal_nan=True)
    passed += good
    if not good:
        failed.append(f"{name}: {got.ravel()[:8]} is not {np.ravel(want)[:8]}")


# ---- topk, kthvalue: the order is that of a stable sort, NaN last; of the largest it is gone through from its end

def sample(r, dtype, shape):
    if dtype == "b1":
        return r.integers(0, 2, shape).astype("?")
    if dtype[0] in "iu":
        low = 0 if dtype[0] == "u" else -60
        return r.integers(low, 60, shape).astype(dtype)
    x = (r.standard_normal(shape) * (1 if r.random() < 0.5 else 0.01)).astype(dtype)
    x = np.round(x * 4) / 4 if r.random() < 0.5 else x  # many are equal, zeros of both signs
    flat = x.reshape(-1)
    for v in (np.nan, np.inf, -np.inf, -0.0, 0.0, np.nan):
        flat[r.integers(0, flat.size, 2)] = v
    return x.astype(dtype)


def test_topk():
    r = np.random.default_rng(3)
    for dtype in NAMES:
        for n, k in ((40, 7), (600, 5), (1111, 64), (3000, 180), (900, 900), (5000, 1)):
            x = sample(r, dtype, (3, n))
            order = np.argsort(x, -1, kind="stable")
            small, large, middle = order[:, :k], order[:, ::-1][:, :k], order[:, (k * 7) % n]
            lines = [f"%a, %i = topk %x {{k={k}, smallest}}", f"%b, %j = topk %x {{k={k}}}", f"%c, %k = kthvalue %x {{k={(k * 7) % n + 1}}}",
                     "%t = transpose %x", f"%d, %l = topk %t {{k={k}, axis=0}}"]
            got = run(lines, list("aibjckdl"), x=x)
            rows = np.arange(3)
            want = [np.take_along_axis(x, small, -1), small, np.take_along_axis(x, large, -1), large, x[rows, middle], middle,
                    np.take_along_axis(x, large, -1).T, large.T]
            for name, g, w in zip("aibjckdl", got, want):
                same(f"topk {dtype} {n} {k} {name}", g, w)


def test_ordered_rows():
    """Rows in which every element is a new best one, or none is."""
    x = np.stack([np.arange(4000.0), -np.arange(4000.0), np.zeros(4000)]).astype("f4")
    order = np.argsort(x, -1, kind="stable")
    got = run(["%a, %i = topk %x {k=100}", "%b, %j = topk %x {k=3, smallest}", "%c, %k = kthvalue %x {k=2000}"], list("ijk"), x=x)
    for g, w in zip(got, (order[:, ::-1][:, :100], order[:, :3], order[:, 1999])):
        same("ordered rows", g, w)


def test_median():
    """The lower one of two, of equal ones number (n - 1) / 2 of the stable order; the first NaN if there is one."""
    r = np.random.default_rng(4)
    for dtype in ("f4", "f8", "i4", "f2"):
        for rows, n in ((3, 700), (5, 41), (2, 1)):
            x = np.round(r.standard_normal((rows, n)) * 4)
            if dtype[0] == "f":
                x[0, n // 2] = x[0, -1] = np.nan
            x, row = x.astype(dtype), np.arange(rows)
            bad = np.isnan(x.astype("f8"))
            at = np.where(bad.any(-1), bad.argmax(-1), np.argsort(x, -1, kind="stable")[:, (n - 1) // 2])
            lines = ["%a, %i = median %x {axes=[1]}", "%t = transpose %x", "%b, %j = median %t {axes=[0], keepdim}"]
            for name, g, w in zip("aibj", run(lines, list("aibj"), x=x), (x[row, at], at, x[row, at][None], at[None])):
                same(f"median {dtype} {n} {name}", g, w)


def main():
    tests = {n[5:]: f for n, f in globals().items() if n.startswith("test_")}
    for name in sys.argv[1:] or tests:
        tests[name]()
    for f in failed[:20]:
        print(f)
    print(f"{passed} passed, {len(failed)} failed")
    return bool(failed)


sys.exit(main())
