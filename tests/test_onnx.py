#!/usr/bin/python3
"""test_onnx.py - ONNX's backend tests (Debian's libonnx-testdata): graphs that others wrote, said in braze (tests/onnx), against the outputs that come with them.

Each runs by the interpreter and as machine code, under ONNX's tolerances, and both have the same bits. tests/onnx/skipped.txt lists what does not pass, with the
reason: who is in it and passes is a failure, and so is who fails and isn't.

    test_onnx.py [-v] [NAME...]      -v: one line a case
    test_onnx.py --device cuda       on another device beside the interpreter
    test_onnx.py --list              adds what is seen now to the list

BRAZE_ONNX_DATA names another folder of such cases, ONNX's own of a newer release: the list is of 1.12 and 1.17."""
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
SANITIZE = os.environ.get("BRAZE_SANITIZE", "")
if "address" in SANITIZE and "LD_PRELOAD" not in os.environ:  # its run time comes before all else
    runtime = subprocess.run([*os.environ.get("CC", "gcc").split(), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout.strip()
    options = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"  # Python's
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": options})
HERE = Path(os.environ.get("BRAZE_SRC", ".")) / "tests"
sys.path[:0] = [str(HERE / "support"), str(HERE / "onnx")]
import ops_math, ops_nn, ops_quant, ops_recurrent, ops_shape, ops_signal  # noqa: E401,E402,F401
import reader  # noqa: E402
from bindings import Context, Refused, Tensor  # noqa: E402

DATA = Path(os.environ.get("BRAZE_ONNX_DATA", "/usr/share/libonnx-testdata/data"))
SUITES = "node", "simple", "pytorch-operator", "pytorch-converted"
LIST = HERE / "onnx/skipped.txt"
RTOL, ATOL = 1e-3, 1e-7
COMPILED = [0]  # how many sets of data a compiled function took


def protos(folder, kind):
    for path in sorted(folder.glob(f"{kind}_*.pb"), key=lambda p: int(p.stem.split("_")[1])):
        yield path.read_bytes()


def tensors(folder, kind, infos):
    """(dtype, array) of each value that a set of data holds."""
    out = []
    for data, info in zip(protos(folder, kind), infos):
        what = info.type.WhichOneof("value")
        if what != "tensor_type":
            raise reader.Absent({"sequence_type": "sequences of tensors", "optional_type": "optional values"}.get(what, what))
        proto = onnx.TensorProto.FromString(data)
        if info.type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16:  # files of them say u16
            proto.data_type = onnx.TensorProto.BFLOAT16
        out.append(reader.array(proto))
    return out


def values(dtype, a):
    return (a.astype("u4") << 16).view("f4") if dtype == "bf16" else a


def difference(got, want):
    """What is wrong with a result, or None."""
    dtype, a = want
    if got.dtype != dtype or got.shape != a.shape:
        return f"{got.dtype}{list(got.shape)}, not {dtype}{list(a.shape)}"
    x, y = got.numpy(), values(dtype, a)
    good = np.allclose(x, y, rtol=RTOL, atol=ATOL, equal_nan=True) if x.dtype.kind in "fc" else np.array_equal(x, y)
    return None if good else f"{x.reshape(-1)[:12]}, not {y.reshape(-1)[:12]}"


def same_bits(a, b):
    """One NaN is as good as another."""
    if a.dtype.kind != "f":
        return a.tobytes() == b.tobytes()
    here = ~np.isnan(a)
    return np.array_equal(np.isnan(b), ~here) and a[here].tobytes() == b[here].tobytes()


def traced(c, model, given, nout):
    """The same results of a compiled function, whose operands have values that the host knows beforehand; None where it reads others."""
    def f(*operands):
        return reader.run(c, model, [Tensor(c, x.h, a) for x, (_, a) in zip(operands, given)])
    try:
        with c.compiled(f, len(given), nout) as call:
            return [r.numpy() for r in call(*(c.tensor(a, dtype) for dtype, a in given))]
    except Refused as e:
        chosen = any(node.op_type == "If" for node in model.graph.node)  # the other branch of a program has to fit, too
        if chosen or re.search("while bz_(compile traces|while records|cond records)", str(e)):
            return None
        raise


def run_on(c, model, folder):
    """Results on one device, checked; of a compiled function, too."""
    given = tensors(folder, "input", model.graph.input)
    want = tensors(folder, "output", model.graph.output)
    results = reader.run(c, model, [c.tensor(a, dtype) for dtype, a in given])
    c.eval([r for r in results if isinstance(r, Tensor)])
    for i, (r, w) in enumerate(zip(results, want)):
        wrong = difference(r, w)
        if wrong:
            raise AssertionError(f"{c.device}: result {i}: {wrong}")
    seen = [[r.numpy() for r in results]]
    again = traced(c, model, given, len(results)) if c.device != "ref" else None
    return seen + [again] if again else seen


def case(contexts, path):
    """None, or why not."""
    try:
        model = onnx.load(str(path / "model.onnx"))
        for folder in sorted(path.glob("test_data_set_*")):
            seen = []
            for c in contexts:
                with c.scope():
                    seen += run_on(c, model, folder)
            COMPILED[0] += len(seen) > len(contexts)
            for results in zip(*seen):
                for b in results[1:]:
                    if not same_bits(results[0], b):
                        raise AssertionError(f"the interpreter gives {results[0]}, not {b}")
    except reader.Absent as e:
        return str(e)
    except (Refused, AssertionError, TypeError, AttributeError, KeyError, IndexError, ValueError) as e:
        return " ".join(f"{type(e).__name__}: {e}".split())
    return None


def listed():
    return dict(line.split(": ", 1) for line in LIST.read_text().splitlines() if line[0] != "#")


def write(found):
    head = [line for line in LIST.read_text().splitlines() if line.startswith("#")]
    LIST.write_text("\n".join([*head, *(f"{name}: {why}" for name, why in sorted({**found, **listed()}.items()))]) + "\n")


def main():
    args = sys.argv[1:]
    device = args.pop(args.index("--device") + 1) if "--device" in args else "cpu"
    names = [a for a in args if a[0] != "-"]
    cases = [(f"{suite}/{p.name[5:]}", p) for suite in SUITES for p in sorted((DATA / suite).glob("test_*"))]
    cases = [(name, p) for name, p in cases if not names or name in names or name.split("/")[1] in names]
    known, found, failed, passed = listed(), {}, [], 0
    contexts = Context("ref"), Context(device)
    for name, path in cases:
        start, why = time.time(), case(contexts, path)
        if "-v" in args:
            print(f"{name}: {why or 'passes'} ({time.time() - start:.3f} s)", flush=True)
        if why:
            found[name] = why
        if bool(why) == (name in known) or known.get(name, "").startswith("may pass: "):
            passed += 1
        else:
            failed.append(f"{name}: {why}" if why else f"{name}: passes, and is in {LIST.name}")
    for c in contexts:
        c.close()
    if "--list" in args:
        write(found)
    for f in failed[:40]:
        print(f[:600])
    print(f"{len(cases) - len(found)} of {len(cases)} cases pass, {COMPILED[0]} times as a compiled function, too; {len(found)} are in {LIST.name}")
    if COMPILED[0] < (not names) * len(cases) // 2:
        failed.append(f"only {COMPILED[0]} of {len(cases)} cases went into a compiled function")
        print(failed[-1])
    print(f"{passed} passed, {len(failed)} failed")
    return bool(failed) or not cases


sys.exit(main())
