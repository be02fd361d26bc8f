#!/usr/bin/python3
"""test_golden.py - results and gradients against those that PyTorch gave: tests/golden/torch, made by tools/make_golden.py.

Whole numbers must be equal; others may differ in the last bits that orders of additions leave open. By the interpreter, fused, and some an op at a time
(BRAZE_TEST_FAR=cuda: on a GPU, too); the bits of all of them are the same.

    test_golden.py [NAME...]"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
TOOL = os.environ.get("BRAZE_TOOL", "build/braze")
HERE = Path(__file__).resolve().parent / "golden/torch"
WAYS = {"ref": ["--device", "ref"], "cpu": []}
ALONE = () if os.environ.get("BRAZE_QUICK") else ("attention", "norm")  # an op at a time, too
if os.environ.get("BRAZE_TEST_FAR") == "cuda":
    WAYS["cuda"] = ["--device", "cuda"]


def braze(*args):
    r = subprocess.run([TOOL, *args], capture_output=True, text=True)
    assert r.returncode == 0, f"braze {' '.join(args)}: {r.stderr}"
    return r.stdout


def whole(a):
    return a.dtype.kind != "f" or bool((a == np.round(a)).all())


def differs(got, want):
    """What is wrong; "" nothing."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"{got.dtype}{got.shape}, not {want.dtype}{want.shape}"
    if whole(want):
        bad = got != want
    else:
        bad = ~(np.isclose(got, want, rtol=2e-5, atol=2e-5 * max(1, np.abs(want[np.isfinite(want)]).max(initial=0)), equal_nan=True))
    return f"{bad.sum()} of {bad.size} elements, the first {got[bad][0]}, not {want[bad][0]}" if bad.any() else ""


def check(name, folder):
    want = np.load(HERE / f"{name}.npz")
    program = HERE / f"{name}.bz"
    wrt = [k[2:] for k in want if k.startswith("d_")]
    with_gradients = folder / f"{name}.bz"
    with_gradients.write_text(braze("grad", str(program), "--of", "loss", "--wrt", ",".join(wrt)))
    given = [a for k in want if k.startswith("x") for a in ("--in", f"{k}={HERE / name}.npz:{k}")]
    first, wrong = None, []
    for way, options in [*WAYS.items(), *([("eager", ["--mode", "eager"])] if name in ALONE else [])]:
        out = folder / f"{name}-{way}.npz"
        braze("run", str(with_gradients), *options, *given, "--out", str(out))
        got = np.load(out)
        for k in got:
            why = differs(got[k], want[k])
            if not why and first is not None and got[k].tobytes() != first[k].tobytes():
                why = "other bits than the reference device's"
            if why:
                wrong.append(f"{name}: {way}: {k}: {why}")
        first = first or got
    assert set(first) == {k for k in want if k[0] in "yd" or k == "loss"}, f"{name}: results are missing"
    return wrong


def main():
    names = sys.argv[1:] or sorted(p.stem for p in HERE.glob("*.npz"))
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            wrong = check(name, Path(folder))
            print("\n".join(wrong[:20]), end="\n" if wrong else "")
            passed, failed = passed + (not wrong), failed + bool(wrong)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
