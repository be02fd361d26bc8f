#!/usr/bin/python3
"""test_torch.py - calls of the text form against PyTorch, by the files that tools/make_golden_calls.py wrote with it: values, gradients, what it refuses.

A file is one program: the operands of its calls are inputs, the results and the gradients of the sum((1 + i / 8) result[i]) of all calls outputs.
Each is run as machine code, and every fourth in another mode besides.

    test_torch.py [NAME...]"""
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(os.environ.get("BRAZE_SRC", ".")) / "tests/support"))
from golden_inputs import dtype_of, parse, value  # noqa: E402

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
TOOL = os.environ.get("BRAZE_TOOL", "build/braze")
GOLDEN = Path(os.environ.get("BRAZE_SRC", ".")) / "tests/golden/torch"
NUMPY = {"f16": "f2", "f32": "f4", "f64": "f8", "i64": "i8", "i32": "i4", "bool": "?"}
# Relative to the largest element of a result that is finite, and to the element
TOLERANCE = {"f64": 1e-11, "f32": 1e-5, "f16": 2e-3, "bf16": 1e-2}
RESULTS = {o["name"]: len(o["results"]) for o in json.loads(subprocess.run([TOOL, "ops", "--json"], capture_output=True, text=True, check=True).stdout)}
passed, failed = 0, []


class Case:
    def __init__(self, number, call, words):
        self.tolerance = float(call[1:].split()[0]) if call[0] == "~" else None
        self.number, self.call, self.words, self.refused = number, call.split(" ", 1)[1] if self.tolerance else call, words.split(), False
        self.results, self.grads, self.key = [], {}, call
        self.fixed = {parse(w[1:])[0] for w in self.words if w.startswith("-")}
        self.words = [w.lstrip("-") for w in self.words]

    def name(self, operand):
        return f"c{self.number}_{operand}"

    def inputs(self):
        return ", ".join(f"{self.name(parse(w)[0])}: {dtype_of(w)}{list(parse(w)[3])}".replace(" ", "", 0) for w in self.words)

    def lines(self):
        """The call, and the part of its results in the loss."""
        call = re.sub(r"%(\w+)", lambda m: "%" + self.name(m[1]), self.call)
        results = [f"%r{self.number}_{k}" for k in range(max(RESULTS[self.call.split()[0]], len(self.results)))]
        return [f"{', '.join(results)} = {call}"], results

    def loss(self):
        out = []
        for k, (shape, _) in enumerate(self.results if self.grads else []):
            n, r = f"{self.number}_{k}", f"%r{self.number}_{k}"
            count = int(np.prod(shape, dtype="i8"))
            out += [f"%w{n} = arange {{stop={count}, dtype=f64}}", f"%u{n} = mul %w{n}, 0.125", f"%v{n} = add %u{n}, 1.0",
                    f"%s{n} = reshape %v{n} {{shape={list(shape)}}}", f"%p{n} = cast {r} {{dtype=f64}}", f"%q{n} = mul %p{n}, %s{n}", f"%l{n} = sum %q{n}"]
        return out, [f"%l{self.number}_{k}" for k in range(len(self.results))] if self.grads else []


def read(path):
    cases = []
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            continue
        word = line.split()
        if not line.startswith("    "):
            call = line
        elif call is not None:
            cases.append(Case(len(cases), call, line.strip()))
            call = None
        elif word[0] == "=":
            shape = tuple(int(d) for d in word[1].strip("[]").split(",") if d)
            cases[-1].results.append((shape, np.array([float(w) for w in word[2:]])))
        elif word[0] == "d":
            cases[-1].grads[word[1]] = np.array([float(w) for w in word[2:]])
        elif word[0] == "refused":
            cases[-1].refused = True
    return cases


def braze(args, text):
    return subprocess.run([TOOL, *args], input=text, capture_output=True, text=True, timeout=600)


def check(what, ok, detail=""):
    global passed
    passed += bool(ok)
    if not ok:
        failed.append(f"{what}: {detail}")


def close(got, want, dtype, tolerance=None, here=True):
    """None where all that is `here` is near enough, else what is wrong."""
    got = got.reshape(-1).astype("f8")
    if got.shape != want.shape:
        return f"{got.size} elements, not {want.size}"
    got, want = np.where(here, got, 0), np.where(here, want, 0)
    plain = np.isfinite(want)
    if not (np.array_equal(np.isnan(got), np.isnan(want)) and np.array_equal(got[np.isinf(want)], want[np.isinf(want)])):
        return f"{got.tolist()}, not {want.tolist()}"
    error = np.abs(got[plain] - want[plain]) / np.maximum(np.abs(want[plain]), 1.0)
    return f"error {error.max():.3g}: {got.tolist()}, not {want.tolist()}" if error.size and not error.max() <= (tolerance or TOLERANCE.get(dtype, 1e-11)) else None


def program(cases):
    lines, losses, outputs = [], [], []
    for c in cases:
        made, results = c.lines()
        more, parts = c.loss()
        lines += made + more
        losses += parts
        outputs += [f"{r} as {r[1:]}" for r in results]
    for i, l in enumerate(losses[1:]):
        lines.append(f"%t{i} = add {losses[0] if i == 0 else f'%t{i - 1}'}, {l}")
    total = f"%t{len(losses) - 2}" if len(losses) > 1 else losses[0]
    return ("graph main(" + ", ".join(c.inputs() for c in cases if c.words) + ") {\n    " + "\n    ".join(lines) +
            f"\n    return {total} as loss, {', '.join(outputs)}\n}}\n")


def run(name, cases, how):
    """The gradients of the loss beside the results, through the tool, against what PyTorch said."""
    text = program(cases)
    wrt = [c.name(x) for c in cases for x in c.grads if x not in c.fixed]
    with tempfile.TemporaryDirectory(prefix="braze-torch-") as d:
        np.seterr(over="ignore")
        arrays = {c.name(parse(w)[0]): value(c.key, w).astype(NUMPY.get(dtype_of(w), "f4")) for c in cases for w in c.words}
        np.savez(f"{d}/in.npz", **arrays)
        graph = braze(["grad", "-", "--wrt", ",".join(wrt)], text)
        if graph.returncode:
            return check(f"{name} {how}", False, graph.stderr[:1500])
        args = [a for k in arrays for a in ("--in", f"{k}={d}/in.npz:{k}")]
        r = braze(["run", "-", "--out", f"{d}/out.npz", *args, *how], graph.stdout)
        if r.returncode:
            return check(f"{name} {how}", False, r.stderr[:3000])
        out = np.load(f"{d}/out.npz")
        for c in cases:
            dtype = dtype_of(c.words[0]) if c.words else "f64"
            for k, (shape, want) in enumerate(c.results):
                got = out[f"r{c.number}_{k}"]
                wrong = close(got, want, dtype, c.tolerance) if got.shape == shape else f"shape {got.shape}, not {shape}"
                check(f"{name} {how}: {c.call} of {c.words}", not wrong, wrong)
            for x, want in c.grads.items():
                here = ~np.isnan(arrays[c.name(x)].reshape(-1))  # what flows to a NaN is not compared
                wrong = close(out["d_" + c.name(x)], want, dtype, c.tolerance, here)
                check(f"{name} {how}: gradient of {c.call} of {c.words} by {x}", not wrong, wrong)


def refuse(name, c):
    r = braze(["run", "-", "--device", "null"], f"graph main({c.inputs()}) {{\n    {c.lines()[0][0]}\n    return {c.lines()[1][0]}\n}}\n")
    op = c.call.split()[0]
    check(f"{name}: {c.call} of {c.words} is refused", r.returncode and (f"[{op}]" in r.stderr or f"{op}:" in r.stderr), r.stderr)


def main():
    names = sys.argv[1:] or sorted(p.stem for p in GOLDEN.glob("*.txt"))
    ways = [[], ["--mode", "eager"], ["--device", "ref"], ["--isa", "base"]]
    for i, name in enumerate(names):
        cases = read(GOLDEN / f"{name}.txt")
        good = [c for c in cases if not c.refused]
        run(name, good, [])
        run(name, good[i % 4::4], ways[1 + i % 3])
        for c in cases:
            if c.refused:
                refuse(name, c)
    for f in failed[:20]:
        print(f[:2000])
    print(f"{passed} passed, {len(failed)} failed")
    return bool(failed)


sys.exit(main())
