#!/usr/bin/python3
"""slow_draws.py - gamma, beta, Dirichlet, Poisson and binomial numbers: their distribution beside its definition, computed here by sums and integrals, the same
bits in every mode and on every device, and what has no distribution.

The first tests are of one stream that never changes: a distance that would come by chance once in 1e5 is a failure.

    slow_draws.py"""
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
from support.emulated import gpu

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
TOOL = os.environ.get("BRAZE_TOOL", "build/braze")
N = 20000
passed, failed = 0, []


def check(what, good, detail=""):
    global passed
    passed += bool(good)
    if not good:
        failed.append(f"{what}: {detail}")


def run(lines, results, *options, **inputs):
    """The values of `results` in a program of these lines over the key k and arrays."""
    with tempfile.TemporaryDirectory(prefix="braze-draws-") as d:
        args = []
        for name, a in inputs.items():
            np.save(f"{d}/{name}.npy", a)
            args += ["--in", f"{name}={d}/{name}.npy"]
        head = ", ".join(["k: i64 = 7"] + [f"{n}: {'f32' if a.dtype == 'f4' else 'f64'}{list(a.shape)}" for n, a in inputs.items()])
        text = f"graph main({head}) {{\n    " + "\n    ".join(lines) + "\n    return " + ", ".join(f"%{r} as {r}" for r in results) + "\n}\n"
        r = subprocess.run([TOOL, "run", "-", "--out", d, *options, *args], input=text, capture_output=True, text=True, timeout=300)
        if r.returncode:
            raise AssertionError(f"{options}: {r.stderr}{text}")
        return [np.load(f"{d}/{x}.npy") for x in results]


def column(v, dtype="f8"):
    return np.array(v, dtype)[:, None]


# ---- what is drawn of one distribution, against it

def spread(x, cdf):
    """Kolmogorov's and Smirnov's distance times the root of the count: above 2.47 once in 1e5."""
    u = np.sort(cdf(x.astype("f8")))
    n = u.size
    return max((np.arange(1, n + 1) / n - u).max(), (u - np.arange(n) / n).max()) * math.sqrt(n)


def cdf_of(log_density, low, high, points=400001):
    """By trapezoids over t, x = t^8 near 0: what is infinite there is small."""
    x = np.linspace(low ** 0.125, high ** 0.125, points)
    y = np.exp(log_density(np.maximum(x, 1e-30) ** 8)) * 8 * x ** 7
    sums = np.concatenate([[0], np.cumsum((y[1:] + y[:-1]) / 2 * np.diff(x))])
    return lambda v: np.interp(v ** 0.125, x, sums / sums[-1])


def gamma_cdf(a):
    return cdf_of(lambda x: (a - 1) * np.log(x) - x - math.lgamma(a), 0, a + 12 * math.sqrt(a) + 40)


def beta_cdf(a, b):
    if a <= b:
        c = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
        return cdf_of(lambda x: (a - 1) * np.log(x) + (b - 1) * np.log(np.maximum(1 - x, 1e-300)) + c, 0, 1)
    other = beta_cdf(b, a)
    return lambda v: 1 - other(1 - v)


def chi_square(x, log_mass, most):
    """How far counts are from expected ones, in deviations of the sum: above 5 once in 1e5, or less."""
    k = np.arange(most)
    expected = np.exp(np.array([log_mass(int(i)) for i in k])) * x.size
    counts = np.bincount(x.astype("i8"), minlength=most)[:most].astype("f8")
    cells, have, want = [], 0.0, 0.0
    for c, e in zip(counts, expected):  # cells of ten at least
        have, want = have + c, want + e
        if want >= 10:
            cells.append((have, want))
            have = want = 0.0
    rest = x.size - sum(e for _, e in cells)
    cells[-1] = (cells[-1][0] + x.size - sum(c for c, _ in cells), cells[-1][1] + rest)
    chi = sum((c - e) ** 2 / e for c, e in cells)
    free = max(len(cells) - 1, 1)
    return (chi - free) / math.sqrt(2 * free)


def test_continuous():
    alphas, pairs = (0.05, 0.5, 1, 2.5, 30), ((0.3, 1.2), (2, 3), (5, 1))
    for dtype in ("f4", "f8"):
        a, p, q = column(alphas, dtype), column([x for x, _ in pairs], dtype), column([y for _, y in pairs], dtype)
        lines = [f"%g = expand %a {{shape=[-1, {N}]}}", "%x = standard_gamma %g, %k, 4", f"%b = expand %p {{shape=[-1, {N}]}}", "%y = beta %b, %q, %k, 8"]
        x, y = run(lines, ["x", "y"], a=a, p=p, q=q)
        check("the dtype stays", x.dtype == dtype and y.dtype == dtype)
        for row, alpha in zip(x, alphas):
            far = spread(row, gamma_cdf(alpha))
            check(f"standard_gamma {alpha} {dtype}", far < 2.47, far)
        for row, (u, v) in zip(y, pairs):
            far = spread(row, beta_cdf(u, v))
            check(f"beta {u}, {v} {dtype}", far < 2.47, far)


def test_gamma_and_dirichlet():
    lines = [f"%c = full {{shape=[{N // 8}, 1], value=3}}", "%r = linspace {start=0.5, stop=4, n=8}", "%g = gamma %c, %r, %k, 64",
             f"%a = full {{shape=[{N}, 3], value=0.7, dtype=f64}}", "%d = dirichlet %a, %k, 128", "%tiny = full {shape=[5000, 2], value=0.001}", "%t = dirichlet %tiny, %k, 0", "%one = full {shape=[], value=50}",
             "%half = full {shape=[100], value=0.5, dtype=f64}", "%n = binomial %one, %half, %k, 0", "%b = beta %one, %half, %k, 0", "%y = gamma %one, %half, %k, 0"]
    g, d, t, *wide = run(lines, ["g", "d", "t", "n", "b", "y"])
    for x in wide:  # each element that operands broadcast to draws for itself
        check("as many as operands broadcast to", x.shape == (100,) and np.unique(x).size > 8, x)
    scaled = (g * np.linspace(0.5, 4, 8, dtype="f4")).ravel()
    check("gamma of a rate", spread(scaled, gamma_cdf(3)) < 2.47, spread(scaled, gamma_cdf(3)))
    check("dirichlet adds up", np.allclose(d.sum(-1), 1, 1e-12))
    for i in range(3):
        check("parts of dirichlet", spread(d[:, i], beta_cdf(0.7, 1.4)) < 2.47, spread(d[:, i], beta_cdf(0.7, 1.4)))
    check("dirichlet of small concentrations", np.isfinite(t).all() and abs(t[:, 0].mean() - 0.5) < 0.04 and np.allclose(t.sum(-1), 1, 1e-6), t.mean(0))


def log_poisson(m):
    return lambda k: k * math.log(m) - m - math.lgamma(k + 1)


def log_binomial(n, p):
    def mass(k):
        return -math.inf if k > n else math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(p) + (n - k) * math.log1p(-p)
    return mass


def test_counts():
    means, trials = (0.3, 4, 9.99, 10, 33, 1e4, 1e9), ((5, 0.3), (30, 0.9), (25, 0.5), (400, 0.2), (3000, 0.99), (100000, 0.4))
    lines = [f"%w = expand %m {{shape=[-1, {N}]}}", "%x = poisson %w, %k, 4", f"%c = expand %n {{shape=[-1, {N}]}}", "%y = binomial %c, %p, %k, 8"]
    x, y = run(lines, ["x", "y"], m=column(means), n=column([n for n, _ in trials]), p=column([p for _, p in trials]))
    want = [(f"poisson {m}", log_poisson(m), m, m) for m in means] + [(f"binomial {n}, {p}", log_binomial(n, p), n * p, n * p * (1 - p)) for n, p in trials]
    for row, (what, mass, mean, var) in zip([*x, *y], want):
        if mean < 1e6:
            far = chi_square(row, mass, int(mean + 12 * math.sqrt(var) + 30))
            check(what, far < 5, far)
        else:
            z = (row - mean) / math.sqrt(var)
            far = spread(z, lambda v: 0.5 * np.array([math.erfc(-t / math.sqrt(2)) for t in v]))
            check(what, far < 2.47, far)
        check(f"{what}: the mean", abs(row.mean() - mean) < 5 * math.sqrt(var / row.size), row.mean())
        check(f"{what}: the variance", abs(row.var() / var - 1) < 6 * math.sqrt((2 + 1 / var) / row.size), row.var())


# ---- the same everywhere

def test_same_everywhere():
    lines = ["%u = rand %k, 4 {shape=[3, 67]}", "%a = mul %u, 4.0", "%x = standard_gamma %a, %k, 100", "%m = mul %a, 8.0", "%p = poisson %m, %k, 8",
             "%n = mul %a, 20.0", "%c = binomial %n, %u, %k, 8", "%w = cast %a {dtype=f64}", "%y = standard_gamma %w, %k, 100", "%h = cast %a {dtype=f16}",
             "%z = standard_gamma %h, %k, 100", "%b = beta %a, %u, %k, 8", "%d = dirichlet %a, %k, 8"]
    names = list("xpcyzbd")
    want = run(lines, names)
    for how in [["--device", "ref"], ["--mode", "eager", "--threads", "1", "--isa", "base"]] + [["--device", "cuda"]] * gpu(TOOL):
        n = 7 if "ref" in how else 3  # each costs its code
        for name, x, y in zip(names[:n], run(lines, names[:n], *how), want):
            check(f"{name} with {how}", x.tobytes() == y.tobytes())
    # an element's numbers are those of its place in the stream
    part = run(["%u = rand %k, 4 {shape=[3, 67]}", "%a = mul %u, 4.0", "%l = narrow %a {axis=0, start=1, length=2}", f"%x = standard_gamma %l, %k, {100 + 64 * 67}"], ["x"])[0]
    check("a part of a draw", np.array_equal(part, want[0][1:]))


def test_outside():
    lines = ["%a = full {shape=[3], value=-1}", "%z = zeros {shape=[3]}", "%x = standard_gamma %a, %k, 0", "%y = poisson %a, %k, 0", "%w = binomial %a, %z, %k, 0",
             "%two = full {shape=[3], value=2}", "%v = binomial %two, %two, %k, 0", "%one = ones {shape=[3]}", "%p0 = poisson %z, %k, 0", "%b0 = binomial %two, %z, %k, 0",
             "%b1 = binomial %two, %one, %k, 0", "%n0 = binomial %z, %one, %k, 0", "%e = zeros {shape=[0, 3]}", "%none = poisson %e, %k, 0"]
    x, y, w, v, p0, b0, b1, n0, none = run(lines, ["x", "y", "w", "v", "p0", "b0", "b1", "n0", "none"])
    check("what is no distribution is NaN", all(np.isnan(a).all() for a in (x, y, w, v)), (x, y, w, v))
    check("what is certain", not p0.any() and not b0.any() and (b1 == 2).all() and not n0.any(), (p0, b0, b1, n0))
    check("nothing", none.shape == (0, 3))
    for call, why in (("poisson %i, %k, 0", "[poisson] floats are needed"), ("standard_gamma %i, %k, 0", "[standard_gamma] floats are needed"), ("binomial %i, %i, %k, 0", "[binomial] a probability is a float"),
                      ("dirichlet 0.5, %k, 0", "[dirichlet] f32[] has no axis"), ("beta %s, %t, %k, 0", "[beta] shapes do not broadcast: f32[3] and f32[4]")):
        text = f"graph main(k: i64, i: i64[3], s: f32[3], t: f32[4]) {{\n    %r = {call}\n    return %r\n}}\n"
        r = subprocess.run([TOOL, "run", "-", "--device", "null"], input=text, capture_output=True, text=True, timeout=60)
        check(f"{call} is refused", r.returncode and why in r.stderr, r.stderr)


def main():
    for f in [f for n, f in globals().items() if n.startswith("test_")]:
        f()
    for f in failed[:20]:
        print(f)
    print(f"{passed} passed, {len(failed)} failed")
    return bool(failed)


sys.exit(main())
