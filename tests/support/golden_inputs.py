"""golden_inputs.py - operands of the calls in tests/golden/torch: made from their names, so that the files hold results alone.

    "x:normal[3,4]"     f64, like the others; drawn by NumPy's legacy generator, whose numbers never change
    kinds               normal, unit (0 .. 1), above (0.1 .. 3), big (1.5 .. 6.5), small (whole numbers -3 .. 3), edges (the special values, then normal),
                        zero, sign (-1 or 1), holes (NaN in the first row and here and there), spd (symmetric positive definite matrices), class5 (i64, 0 .. 4), distinct9 (i64, other ones of 0 .. 8), bits (bool), int (i64, -20 .. 20), odd (i64, -7 .. 7), and f16, bf16, f32 in front of a kind: normal.f32"""
import re
import zlib

import numpy as np

EDGES = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 6.0, 20.0, -20.0, 100.0, -100.0, 800.0, -800.0,
         np.inf, -np.inf, np.nan, 1e-300, -1e-300, 1e300]


def parse(word):
    """name, kind, dtype, shape of "x:normal.f32[3,4]"."""
    m = re.fullmatch(r"(\w+):([a-z]+\d*)(?:\.(\w+))?\[([\d,]*)\]", word)
    return m[1], m[2], m[3], tuple(int(d) for d in m[4].split(",") if d)


def dtype_of(word):
    """braze's name of the dtype."""
    _, kind, dtype, _ = parse(word)
    return dtype or ("i64" if kind in ("int", "odd") or kind.startswith(("class", "distinct")) else "bool" if kind == "bits" else "f64")


def value(call, word):
    """The operand as an array of f64, i64 or bool."""
    name, kind, _, shape = parse(word)
    r = np.random.RandomState(zlib.crc32(f"{call} {name}".encode()))
    n = int(np.prod(shape, dtype="i8"))
    if kind == "edges":
        v = np.concatenate([EDGES, r.standard_normal(max(0, n - len(EDGES))) * 3])[:n]
    elif kind == "holes":
        v = r.standard_normal(n)
        v[r.random_sample(n) < 0.25] = np.nan
        v[:shape[-1] if len(shape) > 1 else 1] = np.nan
    elif kind == "spd":
        a = r.standard_normal(shape)
        v = a @ np.swapaxes(a, -1, -2) + shape[-1] * np.eye(shape[-1])
    elif kind.startswith("class"):
        v = r.randint(0, int(kind[5:]), n).astype("i8")
    elif kind.startswith("distinct"):
        v = r.permutation(int(kind[8:]))[:n].astype("i8")
    else:
        v = {"normal": lambda: r.standard_normal(n) * 2, "unit": lambda: r.random_sample(n), "above": lambda: r.random_sample(n) * 2.9 + 0.1,
             "small": lambda: r.randint(-3, 4, n).astype("f8"), "big": lambda: r.random_sample(n) * 5 + 1.5, "zero": lambda: np.zeros(n), "sign": lambda: r.randint(0, 2, n) * 2.0 - 1,
             "odd": lambda: r.randint(-4, 4, n) * 2 + 1,
             "bits": lambda: r.randint(0, 2, n).astype("?"), "int": lambda: r.randint(-20, 21, n).astype("i8")}[kind]()
    return v.reshape(shape)
