#!/usr/bin/python3
"""slow_complex.py - complex numbers beside NumPy: every op that has them on c64 and c128, on numbers of all quadrants and strided operands; the
reference device is near NumPy, every other way (eager, compiled, instruction sets, an emulated GPU) has its bits. Gradients beside finite
differences and PyTorch's, files, printing, what is refused.

    slow_complex.py"""
import os
import subprocess
import sys
import tempfile

import numpy as np
from support.emulated import gpu

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
TOOL = os.environ.get("BRAZE_TOOL", "build/braze")
REF = ["--device", "ref"]
WAYS = [[], ["--mode", "eager"], ["--isa", "base", "--threads", "1"]]
if gpu(TOOL):
    WAYS.append(["--device", "cuda"])
KINDS = {"c64": ("c8", "f4", "f32", 4e-6), "c128": ("c16", "f8", "f64", 1e-14)}
NAMES = {"c8": "c64", "c16": "c128", "f4": "f32", "f8": "f64", "i8": "i64", "?": "bool"}
failed = []


def check(good, what):
    if not good:
        failed.append(what)
        print(what)


def name_of(a):
    return {np.dtype(k): v for k, v in NAMES.items()}[a.dtype]


def call(args, text=None):
    return subprocess.run([TOOL, *args], input=text, capture_output=True, text=True, timeout=300)


def run(text, inputs, how, outputs):
    """Arrays of the outputs, or what was said instead."""
    with tempfile.TemporaryDirectory(prefix="braze-complex-") as d:
        args = []
        for k, a in inputs.items():
            np.save(f"{d}/{k}.npy", a)
            args += ["--in", f"{k}={d}/{k}.npy"]
        r = call(["run", "-", "--out", f"{d}/out", *args, *how], text)
        return r.stderr + text if r.returncode else [np.load(f"{d}/out/{o}.npy") for o in outputs]


class Program:
    """Calls on inputs, and what NumPy gives for each."""

    def __init__(self, tolerance):
        self.inputs, self.lines, self.want, self.tolerance = {}, [], [], tolerance

    def input(self, name, a):
        self.inputs[name] = np.asarray(a)
        return a

    def line(self, text):
        self.lines.append("    " + text)

    def expect(self, call, want, factor=1):
        self.want.append((call, np.asarray(want), factor))
        self.line(f"%r{len(self.want)} = {call}")

    def text(self):
        head = ", ".join(f"{k}: {name_of(a)}{list(a.shape)}" for k, a in self.inputs.items())
        tail = ", ".join(f"%r{i + 1} as o{i}" for i in range(len(self.want)))
        return f"graph main({head}) {{\n" + "\n".join(self.lines) + f"\n    return {tail}\n}}\n"

    def near(self, got, want, factor):
        if got.dtype != want.dtype or got.shape != want.shape:
            return False
        if want.dtype == bool or want.dtype == np.int64:
            return (got == want).all()
        size = np.maximum(np.abs(want), 1)
        return bool((np.abs(got - want) <= self.tolerance * factor * size).all())

    def check(self):
        outs = [f"o{i}" for i in range(len(self.want))]
        ref = run(self.text(), self.inputs, REF, outs)
        if isinstance(ref, str):
            check(False, ref)
            return
        for (text, want, factor), got in zip(self.want, ref):
            check(self.near(got, want, factor), f"{text}: {got.dtype}{list(got.shape)} {got.ravel()[:4]}, not {want.dtype}{list(want.shape)} {want.ravel()[:4]}")
        for how in WAYS:
            made = run(self.text(), self.inputs, how, outs)
            if isinstance(made, str):
                check(False, f"{how}: {made}")
                continue
            for (text, _, _), got, r in zip(self.want, made, ref):
                check(got.tobytes() == r.tobytes(), f"{how}: {text}: {got.ravel()[:4]}, not {r.ravel()[:4]}")


def numbers(n, kind, shape):
    return ((n.standard_normal(shape) + 1j * n.standard_normal(shape)) * 2.0 ** n.uniform(-2, 2, shape)).astype(kind)


def elementwise(p, n, kind, part):
    x, y = p.input("x", numbers(n, kind, (6, 7))), p.input("y", numbers(n, kind, (6, 7)))
    r = p.input("r", n.uniform(0.5, 2, (7,)).astype(part))
    small = p.input("s", (0.2 * numbers(n, kind, 33)).astype(kind))
    for op, f in (("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("div", np.divide)):
        for a, b, u, v in (("x", "y", x, y), ("x", "r", x, r), ("r", "y", r, y)):
            p.expect(f"{op} %{a}, %{b}", f(u, v))
        p.expect(f"{op} %x, 2.5", f(x, x.real.dtype.type(2.5)))
    p.expect("pow %x, %y", x**y, 40)
    p.expect("pow %x, %r", x**r, 4)
    p.expect("pow %x, 2", x * x)
    p.expect("pow %x, 1", x)
    p.expect("pow %x, 0", np.ones_like(x))
    p.expect("pow %r, %y", r.astype(kind) ** y, 10)
    for op, f in (("neg", np.negative), ("square", np.square), ("reciprocal", np.reciprocal), ("exp", np.exp), ("exp2", np.exp2), ("expm1", np.expm1),
                  ("log", np.log), ("log2", np.log2), ("log10", np.log10), ("log1p", np.log1p), ("sqrt", np.sqrt), ("sin", np.sin),
                  ("cos", np.cos), ("sinh", np.sinh), ("cosh", np.cosh), ("tanh", np.tanh), ("abs", np.abs), ("conj", np.conj),
                  ("real", np.real), ("imag", np.imag), ("angle", np.angle), ("isnan", np.isnan), ("isinf", np.isinf),
                  ("isfinite", np.isfinite), ("isreal", np.isreal)):
        p.expect(f"{op} %x", f(x), 4)
    for op, f in (("tan", np.tan), ("asin", np.arcsin), ("acos", np.arccos), ("atan", np.arctan), ("asinh", np.arcsinh), ("acosh", np.arccosh),
                  ("atanh", np.arctanh), ("expm1", np.expm1), ("log1p", np.log1p)):
        p.expect(f"{op} %s", f(small), 4)
        p.expect(f"{op} %x", f(x), 20)
    p.expect("rsqrt %x", 1 / np.sqrt(x), 4)
    p.expect("sigmoid %x", 1 / (1 + np.exp(-x)), 10)
    p.expect("sgn %x", x / np.abs(x))
    p.expect("eq %x, %x", x == x)
    p.expect("ne %x, %y", x != y)
    p.expect("fma %x, %y, %r", x * y + r)
    p.expect("lerp %x, %y, 0.5", x + x.real.dtype.type(0.5) * (y - x))
    p.line("%c = gt %r, 1.0")
    p.expect("where %c, %x, %y", np.where(r > 1, x, y))
    p.expect("where %c, %x, 0.0", np.where(r > 1, x, 0).astype(kind))
    p.expect("logical_not %x", ~x.astype(bool))
    p.expect("isclose %x, %x", np.isclose(x, x))
    p.line("%re = real %x")
    p.line("%im = imag %x")
    p.expect("complex %re, %im", x)
    p.expect("polar %r, %r", (r * np.exp(1j * r)).astype(kind))
    p.expect("view_as_real %x", np.ascontiguousarray(x).view(part).reshape(6, 7, 2))
    p.line("%pairs = view_as_real %y")
    p.expect("view_as_complex %pairs", y)
    p.expect(f"cast %r {{dtype={name_of(x)}}}", r.astype(kind))
    p.expect("cast %x {dtype=f64}", x.real.astype("f8"))
    p.expect("cast %x {dtype=bool}", x.astype(bool))
    p.expect("cast %x {dtype=c128}", x.astype("c16"))
    p.expect("float_power %x, 2", x.astype("c16") ** 2)


def movement(p, n, kind, part):
    x, y = p.input("x", numbers(n, kind, (6, 8))), p.input("y", numbers(n, kind, (6, 8)))
    i = p.input("i", np.array([4, 0, -1, 2, 0]))
    p.line("%t = transpose %x")
    p.line("%half = slice %y {start=[5, 1], stop=[_, _], step=[-1, 2]}")
    half = y[::-1, 1::2]
    p.line("%cut = slice %x {start=[0, 0], stop=[6, 4]}")
    p.expect("mul %half, %cut", half * x[:, :4])
    p.expect("exp %t", np.exp(x.T), 4)
    p.expect("reshape %t {shape=[3, -1]}", x.T.reshape(3, -1))
    p.expect("flip %x {axes=[1]}", x[:, ::-1])
    p.expect("roll %x {shifts=[3], axes=[1]}", np.roll(x, 3, 1))
    p.expect("pad %x {lo=[1, 0], hi=[0, 2], value=1.5}", np.pad(x, ((1, 0), (0, 2)), constant_values=1.5))
    p.expect("concat %x, %y {axis=1}", np.concatenate([x, y], 1))
    p.expect("stack %x, %y {axis=-1}", np.stack([x, y], -1))
    p.expect("gather %x, %i {axis=1}", np.take(x, i, 1))
    p.expect("tile %x {sizes=[2, 1]}", np.tile(x, (2, 1)))
    p.expect("tril %x", np.tril(x))
    p.expect("diagonal %x", np.diagonal(x))
    p.expect("as_strided %x {shape=[3, 5], strides=[2, 3], offset=1}", np.lib.stride_tricks.as_strided(x.ravel()[1:], (3, 5), (2 * x.itemsize, 3 * x.itemsize)))
    p.expect("at_set %x, %half {items=\":, ::2\"}", np.concatenate([np.stack([half[:, k], x[:, 2 * k + 1]], 1) for k in range(4)], 1))
    z = np.zeros((6, 8), kind)
    np.add.at(z, (slice(None), i), y[:, :5])
    p.line("%y5 = slice %y {start=[0, 0], stop=[6, 5]}")
    p.line("%z = zeros_like %x")
    p.expect("index_add %z, %i, %y5 {axis=1}", z)
    p.expect("adjoint %x", x.conj().T)


def folds(p, n, kind, part):
    x, y = p.input("x", numbers(n, kind, (5, 9))), p.input("y", numbers(n, kind, (9, 4)))
    r, b = p.input("r", n.standard_normal((9, 4)).astype(part)), p.input("b", numbers(n, kind, (3, 5, 9)))
    for axis in (0, 1):
        p.expect(f"sum %x {{axes=[{axis}]}}", x.sum(axis), 4)
        p.expect(f"mean %x {{axes=[{axis}]}}", x.mean(axis), 4)
        p.expect(f"prod %x {{axes=[{axis}]}}", x.prod(axis), 10)
        p.expect(f"cumsum %x {{axis={axis}}}", x.cumsum(axis), 4)
        p.expect(f"any %x {{axes=[{axis}]}}", x.any(axis))
        p.expect(f"var %x {{axes=[{axis}]}}", x.var(axis, ddof=1).astype(part), 10)
        p.expect(f"std %x {{axes=[{axis}]}}", x.std(axis, ddof=1).astype(part), 10)
        p.expect(f"count_nonzero %x {{axes=[{axis}]}}", np.count_nonzero(x, axis))
        p.expect(f"vector_norm %x {{axes=[{axis}]}}", np.linalg.norm(x, axis=axis).astype(part), 4)
    p.expect("sum %x", x.sum(), 10)
    p.expect("prod %x", x.prod(), 60)
    p.expect("matmul %x, %y", x @ y, 10)
    p.expect("matmul %x, %r", x @ r, 10)
    p.expect("matmul %b, %y", b @ y, 10)
    p.expect("einsum %x, %y {equation=\"ij,jk->ki\"}", np.einsum("ij,jk->ki", x, y), 10)
    p.line("%u = select %x {axis=0, index=0}")
    p.line("%v = select %x {axis=0, index=1}")
    p.expect("vdot %u, %v", np.vdot(x[0], x[1]), 10)
    p.expect("matmul %u, %v", np.dot(x[0], x[1]), 10)
    p.expect("outer %u, %v", np.outer(x[0], x[1]))
    p.expect("trace %x", np.trace(x), 4)
    p.expect("diff %x {axis=1}", np.diff(x, axis=1), 4)


# Programs with a real loss %l of x and y, and the gradients that PyTorch 2 gives where x = 1 + 2j, 0.5 - 1j, -2 + 0.25j and y = 0.5j, -1 + 1j, 3.
X, Y = np.array([1 + 2j, 0.5 - 1j, -2 + 0.25j]), np.array([0.5j, -1 + 1j, 3 + 0j])
LOSSES = {
    "quotient": ("%q = div %x, %y\n%e = exp %q\n%a = abs %e\n%l = sum %a",
        [3.854781183652e-15+109.1963000663j, -0.2361832763705+0.2361832763705j, 0.1711390396775-2.648697036818e-19j], [218.3926001326-436.7852002652j, -0.2361832763705+0.1180916381853j, 0.1140926931184+0.01426158663979j]),
    "tanh": ("%q = tanh %y\n%m = mul %q, %x\n%a = abs %m\n%l = sum %a",
        [0.2443139007136+0.4886278014272j, 0.4997477858234-0.9994955716467j, -0.9873708182021+0.1234213522753j], [2.9034144388163j, 0.2697503421605+0.6114091162234j, 0.01988563364552+0j]),
    "root": ("%q = sqrt %x\n%a = real %q\n%b = imag %q\n%c = mul %b, 3.0\n%m = add %a, %c\n%l = sum %m",
        [-0.2429341358783+1.029085513636j, 1.148056613913+0.9581409023468j, -1.032631356826+0.4171568371634j], [0+0j, 0+0j, 0+0j]),
    "power": ("%q = pow %x, %y\n%a = abs %q\n%l = sum %a",
        [0.1149782531745-0.05748912658727j, -3.247542313149+1.082514104383j, -12.09338662245+1.511673327806j], [0.4626258994114-0.636490127882j, 0.3019450519997+2.996260256654j, 5.73912482934-24.70583750281j]),
    "product": ("%q = mul %x, %y\n%p = prod %q\n%a = angle %p\n%l = add %a, 1.0",
        [-0.4+0.2j, 0.8+0.4j, -0.06153846153846-0.4923076923077j], [-2-1.110223024625e-16j, -0.5-0.5j, 6.938893903907e-18+0.3333333333333j]),
    "matrix": ("%m = unsqueeze %x {axis=1}\n%n = unsqueeze %y {axis=0}\n%q = matmul %m, %n\n%s = sin %q\n%a = abs %s\n%l = mean %a",
        [-0.1505935936382+67.42116445938j, 0.262623576087-3.658921292388j, -0.4998135551388+0.9400984171003j], [0.05123786062352+0.6249222771751j, -0.693900858079+0.9966753977819j, 45.90452757522+21.57622153371j]),
    "phase": ("%q = sgn %x\n%w = log %y\n%m = mul %q, %w\n%a = real %m\n%l = sum %a",
        [0.03300471497853-0.01650235748927j, -0.5949898934618-0.2974949467309j, 0.008385605147163+0.0670848411773j], [1.788854382+0.8944271909999j, -0.6708203932499-0.22360679775j, -0.3307592922379-0.04134491152974j]),
}


def program(body, loss="%l"):
    return "graph main(x: c128[3], y: c128[3]) {\n    " + body.replace("\n", "\n    ") + f"\n    return {loss} as l\n}}\n"


def value(text, x, y):
    made = run(text, {"x": x, "y": y}, REF, ["l"])
    return made if isinstance(made, str) else float(made[0].reshape(()))


def gradients():
    """d loss / d Re + i d loss / d Im, as PyTorch has it."""
    n = np.random.RandomState(11)
    for name, (body, dx, dy) in LOSSES.items():
        text = program(body)
        r = call(["grad", "-", "--wrt", "x,y"], text)
        check(r.returncode == 0, f"gradient of {name}: {r.stderr}")
        for how in [REF, *WAYS]:
            made = run(r.stdout, {"x": X, "y": Y}, how, ["d_x", "d_y"])
            if isinstance(made, str):
                check(False, f"{how}: {name}: {made}")
                continue
            for got, want in zip(made, (dx, dy)):
                check(np.allclose(got, want, rtol=1e-9, atol=1e-11), f"{how}: gradient of {name}: {got}, PyTorch has {want}")
        u, v = numbers(n, "c16", 3), numbers(n, "c16", 3)
        du, dv = run(r.stdout, {"x": u, "y": v}, REF, ["d_x", "d_y"])
        for which, g in ((0, du), (1, dv)):
            way, h = numbers(n, "c16", 3), 1e-6
            step = [h * way, 0 * way] if which == 0 else [0 * way, h * way]
            slope = (value(text, u + step[0], v + step[1]) - value(text, u - step[0], v - step[1])) / (2 * h)
            want = float((g.conj() * way).real.sum())
            check(abs(slope - want) <= 1e-5 * max(1, abs(want)), f"gradient of {name} by {'xy'[which]}: {want}, differences give {slope}")


def second_order():
    body = "%q = mul %x, %x\n%e = exp %q\n%a = real %e\n%l = sum %a"
    r = call(["grad", "-", "--wrt", "x"], program(body))
    want = np.conj(2 * X * np.exp(X * X))
    made = run(r.stdout, {"x": X, "y": Y}, REF, ["d_x"])
    check(not isinstance(made, str) and np.allclose(made[0], want, rtol=1e-12), f"gradient of Re e^(x x): {made}, not {want}")


def files():
    """Both byte orders, Fortran's order, npz; what is printed."""
    x = np.array([[1 + 2j, -0.5j, 3], [1e-3 - 1j, 2.25, -4 + 0.125j]])
    with tempfile.TemporaryDirectory(prefix="braze-complex-") as d:
        for kind in ("<c8", ">c8", "<c16", ">c16"):
            t = "c64" if kind.endswith("c8") else "c128"
            for order in "CF":
                np.save(f"{d}/x.npy", np.asarray(x.astype(kind), order=order))
                r = call(["run", "-", "--in", f"x={d}/x.npy", "--out", f"{d}/o.npz"], f"graph main(x: {t}[2,3]) {{\n    %y = neg %x\n    return %y as y, %x as x\n}}\n")
                check(r.returncode == 0, r.stderr)
                with np.load(f"{d}/o.npz") as z:
                    check(z["x"].dtype == np.dtype(kind[1:]) and (z["y"] == -x.astype(kind)).all() and (z["x"] == x.astype(kind)).all(), f"{kind} {order}")
        np.save(f"{d}/x.npy", x)
        r = call(["run", "-", "--in", f"x={d}/x.npy"], "graph main(x: c128[2,3]) {\n    %y = copy %x\n    %s = sum %x\n    return %y as y, %s as s\n}\n")
        want = f"y: c128[2,3]\n{x}\ns: c128[]\n2.251+0.625j\n"
        check(r.stdout == want, f"printed as\n{r.stdout}\nnot\n{want}")


def refused():
    for line, word in (("lt %x, %y", "[lt]"), ("maximum %x, %y", "[maximum]"), ("max %x", "[max]"), ("sort %x", "[sort]"), ("argmax %x", "[argmax]"),
                       ("relu %x", "[relu]"), ("floor %x", "[floor]"), ("floor_divide %x, %y", "[floor_divide]"), ("bitcast %x {dtype=f64}", "[bitcast]"),
                       ("cumprod %x {axis=0}", "[cumprod]"), ("atan2 %x, %y", "[atan2]"), ("softmax %x", "[softmax]"), ("erf %x", "[erf]"),
                       ("median %x", "[median]"), ("topk %x {k=1}", "[topk]"), ("mse_loss %x, %y", "[mse_loss]"), ("gelu %x", "[gelu]"),
                       ("sign %x", "[sign]"), ("bitwise_and %x, %y", "[bitwise_and]"), ("cummax %x {axis=0}", "[cummax]")):
        r = call(["run", "-"], f"graph main(x: c64[3] = iota(start=1), y: c64[3] = iota(start=2)) {{\n    %r = {line}\n    return %r\n}}\n")
        check(r.returncode == 1 and f"{word} not for complex numbers" in r.stderr, f"{line}: {r.returncode} {r.stderr}")
    r = call(["run", "-"], "graph main(x: scalar c64) {\n    return %x\n}\n")
    check(r.returncode == 1 and "a scalar is real" in r.stderr, r.stderr)


CALLER = """#include "f.h"
#include <complex.h>
#include <stdio.h>
int main(void) {
    float complex z[3] = {1 + 2 * I, -1, 0.5f * I}, y[3];
    double complex w[2] = {1 + 1 * I, 2 - 3 * I}, s;
    struct f_args a = {.z = z, .w = w, .y = y, .s = &s};
    if (f(&a)) return 1;
    printf("%.4f%+.4f %.4f%+.4f %.1f%+.1f\\n", crealf(y[0]), cimagf(y[0]), crealf(y[2]), cimagf(y[2]), creal(s), cimag(s));
    return 0;
}
"""


def exported():
    """C sees its own complex numbers, C++ the same pointers."""
    with tempfile.TemporaryDirectory(prefix="braze-complex-") as d:
        text = "graph main(z: c64[3], w: c128[2]) {\n    %y = exp %z\n    %s = sum %w\n    return %y as y, %s as s\n}\n"
        r = call(["export", "-", "--out", f"{d}/f"], text)
        check(r.returncode == 0, r.stderr)
        with open(f"{d}/main.c", "w") as f:
            f.write(CALLER)
        built = subprocess.run([os.environ.get("CC", "cc"), "-Wall", "-Werror", f"{d}/main.c", f"{d}/f.o", f"{d}/braze_rt.o", "-lm", "-lpthread", "-o", f"{d}/main"],
                               capture_output=True, text=True)
        check(built.returncode == 0, built.stderr)
        if not built.returncode:
            out = subprocess.run([f"{d}/main"], capture_output=True, text=True)
            check(out.stdout == "-1.1312+2.4717 0.8776+0.4794 3.0-2.0\n", f"exported: {out.returncode} {out.stdout}")


def mandelbrot():
    """z z + c, a hundred times, in one loop of the text form."""
    re, im = np.meshgrid(np.linspace(-2, 0.5, 40), np.linspace(-1.2, 1.2, 30))
    c = re + 1j * im
    text = """graph main(c: c128[30,40]) {
    %z = mul %c, 0.0
    %n = zeros {shape=[30,40], dtype=i64}
    %zs, %ns, %is = while %z, %n, 0, %c {cond=less, body=step, captured=1}
    return %ns as n
}

graph less(z: c128[30,40], n: i64[30,40], i: i64, c: c128[30,40]) {
    %1 = lt %i, 50
    return %1
}

graph step(z: c128[30,40], n: i64[30,40], i: i64, c: c128[30,40]) {
    %a = abs %z
    %in = le %a, 2.0
    %sq = mul %z, %z
    %next = add %sq, %c
    %z2 = where %in, %next, %z
    %one = cast %in {dtype=i64}
    %n2 = add %n, %one
    %i2 = add %i, 1
    return %z2, %n2, %i2
}
"""
    z, n = np.zeros_like(c), np.zeros(c.shape, "i8")
    for _ in range(50):
        inside = np.abs(z) <= 2
        with np.errstate(all="ignore"):
            z = np.where(inside, z * z + c, z)
        n += inside
    for how in [REF, *WAYS]:
        made = run(text, {"c": c}, how, ["n"])
        check(not isinstance(made, str) and np.mean(made[0] != n) < 0.01, f"{how}: Mandelbrot: {made if isinstance(made, str) else np.argwhere(made[0] != n)[:5]}")


def main():
    for name, (kind, part, _, tolerance) in KINDS.items():
        for make in (elementwise, movement, folds):
            p = Program(tolerance)
            with np.errstate(all="ignore"):
                make(p, np.random.RandomState(7), kind, part)
            p.check()
    gradients()
    second_order()
    files()
    exported()
    refused()
    mandelbrot()
    print("complex: " + ("passed" if not failed else f"{len(failed)} failed"))
    return bool(failed)


sys.exit(main())
