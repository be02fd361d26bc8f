#!/usr/bin/env python3
"""make_golden.py - what PyTorch computes, as files that tests/test_golden.py compares with.

    make_golden.py [NAME...]     writes tests/golden/torch/NAME.bz and NAME.npz; needs PyTorch, which no test does

A file is one program of many calls. Its inputs are small whole numbers, so that sums of products are exact in any order. `loss` is the sum of
every result times weights that differ from place to place; d_NAME in the archive are its gradients. `versions` says what made it."""
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

OUT = Path(__file__).resolve().parent.parent / "tests/golden/torch"


class File:
    def __init__(self, name, seed):
        self.name, self.r = name, np.random.RandomState(seed)
        self.inputs, self.lines, self.results, self.losses = {}, [], {}, []

    def input(self, *shape, lo=-3, hi=4, dtype=np.float32, grad=True):
        """A new input of whole numbers lo .. hi - 1."""
        data = self.r.randint(lo, hi, shape).astype(dtype)
        return self.given(data, grad)

    def given(self, data, grad=True):
        name = f"x{len(self.inputs)}"
        t = torch.from_numpy(np.ascontiguousarray(data))
        if grad and t.is_floating_point():
            t.requires_grad_(True)
        t.of = f"%{name}"
        self.inputs[name] = t
        return t

    def call(self, op, operands, value, grad=True, **attributes):
        """A line `op operands {attributes}` whose results PyTorch says are `value` (one tensor, or several)."""
        values = value if isinstance(value, (tuple, list)) else [value]
        names = [f"y{len(self.results) + i}" for i in range(len(values))]
        attrs = ", ".join(f"{k}={text(v)}" for k, v in attributes.items() if v is not None)
        self.lines.append(f"    {', '.join('%' + n for n in names)} = {op} {', '.join(o.of for o in operands)}" + (f" {{{attrs}}}" if attrs else ""))
        for n, v in zip(names, values):
            self.results[n] = v
            if grad and v.is_floating_point() and v.requires_grad:
                self.weigh(n, v)

    def weigh(self, name, v):
        w = (np.arange(v.numel()).reshape(v.shape) % 5 - 2).astype(np.float32)
        weights = self.given(w, grad=False)
        self.losses.append((v * weights).sum())
        i = len(self.losses)
        self.lines += [f"    %p{i} = mul %{name}, {weights.of}", f"    %s{i} = sum %p{i}",
                       f"    %l{i} = add {'%l' + str(i - 1) if i > 1 else '0.0'}, %s{i}"]

    def write(self):
        dtypes = {"float32": "f32", "int64": "i64", "bool": "bool"}
        wrt = {n: t for n, t in self.inputs.items() if t.requires_grad}
        heads = [f"{n}: {dtypes[str(t.dtype).split('.')[1]]}[{','.join(map(str, t.shape))}]" for n, t in self.inputs.items()]
        outs = [f"%l{len(self.losses)} as loss"] + [f"%{n} as {n}" for n in self.results]
        program = f"# made by tools/make_golden.py: do not edit\ngraph main({', '.join(heads)}) {{\n" + "\n".join(self.lines)
        program += f"\n    return {', '.join(outs)}\n}}\n"
        loss = sum(self.losses)
        loss.backward()
        arrays = {n: t.detach().numpy() for n, t in {**self.inputs, **self.results}.items()}
        arrays.update({f"d_{n}": t.grad.numpy() for n, t in wrt.items()})
        arrays["loss"] = loss.detach().numpy()
        arrays["versions"] = np.array(f"torch {torch.__version__.split('+')[0]}, numpy {np.__version__}")
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / f"{self.name}.bz").write_text(program)
        np.savez_compressed(OUT / f"{self.name}.npz", **arrays)


def text(v):
    if isinstance(v, (tuple, list)):
        return "[" + ", ".join(map(text, v)) + "]"
    return str(int(v)) if isinstance(v, bool) else f'"{v}"' if isinstance(v, str) and "-" in v else str(v)


def listed(v):
    return None if v is None else [v] if isinstance(v, int) else list(v)


# ---- convolution

def conv(f, n, size, weight, batch=2, channels=4, bias=False, **a):
    x = f.input(*([batch] if batch else []), channels, *size)
    w, b = f.input(*weight), f.input(weight[0]) if bias else None
    value = [F.conv1d, F.conv2d, F.conv3d][n - 1](x, w, b, **a)
    same = a.pop("padding") == "same" if a.get("padding") == "same" else None
    f.call(f"conv{n}d", [x, w] + ([b] if bias else []), value, **{k: v if k == "groups" else listed(v) for k, v in a.items()}, same=same)


def back(f, n, size, weight, batch=2, channels=4, bias=False, **a):
    x = f.input(*([batch] if batch else []), channels, *size)
    w, b = f.input(*weight), f.input(weight[1] * a.get("groups", 1)) if bias else None
    value = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][n - 1](x, w, b, **a)
    f.call(f"conv_transpose{n}d", [x, w] + ([b] if bias else []), value, **{k: v if k == "groups" else listed(v) for k, v in a.items()})


def convolutions():
    f = File("conv", 1)
    conv(f, 1, [9], [3, 4, 3])
    conv(f, 1, [20], [6, 2, 4], bias=True, stride=3, padding=2, dilation=2, groups=2)
    conv(f, 1, [7], [4, 4, 2], batch=None, padding="same")
    conv(f, 2, [7, 6], [5, 4, 3, 3], padding=1, bias=True)
    conv(f, 2, [8, 9], [4, 4, 1, 1])
    conv(f, 2, [9, 33], [3, 4, 3, 3], padding=1)
    conv(f, 2, [9, 8], [4, 4, 3, 2], stride=(2, 3), padding=(0, 2), dilation=(1, 2))
    conv(f, 2, [6, 6], [8, 1, 3, 3], padding=1, groups=4)
    conv(f, 2, [6, 7], [4, 2, 2, 3], batch=None, groups=2, padding="same", bias=True)
    conv(f, 2, [5, 5], [2, 4, 5, 5], batch=3)
    conv(f, 3, [4, 5, 6], [2, 2, 2, 3, 2], channels=2, stride=(1, 2, 1), padding=(0, 1, 1), bias=True)
    back(f, 1, [6], [4, 3, 3], stride=2, padding=1, output_padding=1)
    back(f, 1, [6], [4, 3, 3], batch=None, dilation=3, output_padding=2, bias=True)
    back(f, 2, [5, 4], [4, 3, 3, 2], stride=(2, 3), padding=(1, 0), bias=True)
    back(f, 2, [4, 4], [4, 2, 3, 3], groups=2, stride=2, output_padding=1)
    back(f, 2, [3, 3], [4, 1, 2, 2], groups=4, stride=2, dilation=(1, 2))
    back(f, 3, [2, 3, 2], [2, 2, 2, 2, 3], channels=2, stride=(2, 1, 2), padding=(1, 0, 1))
    return f


# ---- pooling

def pool(f, op, x, value, **a):
    f.call(op, [x], value, **{k: listed(v) if k in ("kernel_size", "stride", "padding", "dilation", "output_size") else v for k, v in a.items()})


def pooling():
    f = File("pool", 2)
    for n, size in ((1, [9]), (2, [7, 9]), (3, [4, 5, 6])):
        x, y = f.input(2, 3, *size, lo=-9, hi=10), f.input(3, *size, lo=-2, hi=3)
        for a in ({"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}, {"kernel_size": 2, "stride": 1, "dilation": 2},
                  {"kernel_size": 3, "padding": 1}):
            op = getattr(F, f"max_pool{n}d")
            pool(f, f"max_pool{n}d", x, op(x, **a, return_indices=True), **a)
        pool(f, f"max_pool{n}d", y, op(y, 3, 1, 1, return_indices=True), kernel_size=3, stride=1, padding=1)
        for a in ({"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
                  {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}, {"kernel_size": 4, "stride": 3, "ceil_mode": True}):
            pool(f, f"avg_pool{n}d", x, getattr(F, f"avg_pool{n}d")(x, **a), **a)
        if n > 1:
            pool(f, f"avg_pool{n}d", y, getattr(F, f"avg_pool{n}d")(y, 2, 2, 1, divisor_override=3), kernel_size=2, stride=2, padding=1, divisor_override=3)
        z = f.input(2, 2, *size, lo=1, hi=9)
        pool(f, f"lp_pool{n}d", z, getattr(F, f"lp_pool{n}d")(z, 2, 2, stride=2), norm_type=2, kernel_size=2, stride=2)
        for to in (1, 2, [2, 3, 5][:n], [4, 7, 4][:n]):
            pool(f, f"adaptive_avg_pool{n}d", x, getattr(F, f"adaptive_avg_pool{n}d")(x, to), output_size=to)
            pool(f, f"adaptive_max_pool{n}d", x, getattr(F, f"adaptive_max_pool{n}d")(x, to, return_indices=True), output_size=to)
    image = f.input(2, 3, 6, 7)
    a = {"kernel_size": (2, 3), "dilation": (2, 1), "padding": (1, 0), "stride": (1, 2)}
    columns = F.unfold(image, **a)
    f.call("unfold", [image], columns, **{k: list(v) for k, v in a.items()})
    c = f.input(*columns.shape)
    f.call("fold", [c], F.fold(c, (6, 7), **a), output_size=[6, 7], **{k: list(v) for k, v in a.items()})
    return f


# ---- norms

def norms():
    f = File("norm", 3)
    for shape in ([4, 3], [2, 3, 5], [2, 3, 4, 6], [2, 3, 2, 3, 4]):
        x, w, b, m, v = f.input(*shape, lo=-9, hi=10), f.input(3), f.input(3), f.input(3, grad=False), f.input(3, lo=1, hi=5, grad=False)
        for training in (True, False):
            rm, rv = m.clone(), v.clone()
            y = F.batch_norm(x, rm, rv, w, b, training, 0.25, 0.5)
            f.call("batch_norm", [x, m, v, w, b], (y, rm, rv), training=training, momentum=0.25, eps=0.5)
        if len(shape) == 2:
            continue
        rm, rv = m.clone(), v.clone()
        y = F.instance_norm(x, rm, rv, w, b, True, 0.5)
        f.call("instance_norm", [x, m, v, w, b], (y, rm, rv), momentum=0.5)
        f.call("instance_norm", [x, m, v], (F.instance_norm(x, m, v, use_input_stats=False), m, v), use_input_stats=False)
        f.call("local_response_norm", [x], F.local_response_norm(x, 2, 0.5, 0.75, 2.0), size=2, alpha=0.5, beta=0.75, k=2.0)
    x, w, b = f.input(2, 6, 4, 3, lo=-9, hi=10), f.input(6), f.input(6)
    for groups in (1, 2, 6):
        f.call("group_norm", [x, w, b], F.group_norm(x, groups, w, b), num_groups=groups)
    f.call("group_norm", [x], F.group_norm(x, 3, eps=0.1), num_groups=3, eps=0.1)
    return f


# ---- images of other sizes

def resizing():
    f = File("resize", 4)
    x1, x2, x3 = f.input(2, 2, 7, lo=-9, hi=10), f.input(2, 2, 5, 6, lo=-9, hi=10), f.input(1, 2, 3, 4, 5, lo=-9, hi=10)
    cases = [(x1, "linear"), (x2, "bilinear"), (x3, "trilinear"), (x2, "bicubic")] + [(x, m) for x in (x1, x2, x3) for m in ("nearest", "nearest-exact", "area")]
    for x, mode in cases:
        for a in ({"size": [9, 4, 10][:x.dim() - 2]}, {"scale_factor": 2}, {"scale_factor": 0.7}, {"scale_factor": 2.6}):
            for align in (False, True) if "linear" in mode or "cubic" in mode else (None,):
                f.call("interpolate", [x], F.interpolate(x, **a, mode=mode, align_corners=align), **a, mode=mode, align_corners=align)
    p = f.input(2, 8, 4, 6)
    f.call("pixel_shuffle", [p], F.pixel_shuffle(p, 2), upscale_factor=2)
    f.call("pixel_unshuffle", [p], F.pixel_unshuffle(p, 2), downscale_factor=2)
    f.call("channel_shuffle", [p], F.channel_shuffle(p, 4), groups=4)
    return f


# ---- attention

def attention():
    f = File("attention", 5)
    q, k, v = f.input(2, 4, 5, 8), f.input(2, 4, 7, 8), f.input(2, 4, 7, 3)
    sees = f.given(f.r.randint(0, 2, (5, 7)).astype(bool))
    none = np.ones((2, 1, 5, 7), bool)
    none[0, 0, 2] = none[1, 0, 4] = False
    blind, bias = f.given(none), f.given(f.r.randint(-2, 3, (4, 5, 7)).astype(np.float32))
    op, sdpa = "scaled_dot_product_attention", F.scaled_dot_product_attention
    f.call(op, [q, k, v], sdpa(q, k, v))
    f.call(op, [q, k, v], sdpa(q, k, v, is_causal=True, scale=0.5), is_causal=True, scale=0.5)
    for mask in (sees, blind, bias):
        f.call(op, [q, k, v, mask], sdpa(q, k, v, mask))
    k2, v2 = f.input(2, 2, 7, 8), f.input(2, 2, 7, 3)
    f.call(op, [q, k2, v2], sdpa(q, k2, v2, enable_gqa=True), enable_gqa=True)
    q1, k1, v1 = f.input(40, 4), f.input(40, 4), f.input(40, 5)
    f.call(op, [q1, k1, v1], sdpa(q1, k1, v1, is_causal=True), is_causal=True)
    return f


FILES = {"conv": convolutions, "pool": pooling, "norm": norms, "resize": resizing, "attention": attention}

if __name__ == "__main__":
    for name in sys.argv[1:] or FILES:
        FILES[name]().write()
