#!/usr/bin/env python3
"""make_golden_calls.py - single calls, beside the programs of make_golden.py: writes tests/golden/torch/NAME.txt: what PyTorch makes of calls that braze has, values and gradients.

    make_golden_calls.py [NAME...]     needs torch and numpy; the tests need neither file of this nor torch

A case is a line of the text form over named operands (tests/support/golden_inputs.py), and PyTorch's call of the same. The files hold, for
each: the call, behind ~T where a tolerance is wanted that is not the test's (PyTorch has f32 constants in f64), the operands, the results, the gradients of sum((1 + i / 8) result[i]) over the floats among the operands; or "refused" where
PyTorch raises an error. tests/test_torch.py reads them."""
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))
from golden_inputs import parse, value  # noqa: E402

X, XE = "x:normal[3,4]", "x:edges[25]"
DTYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}


def activations():
    for name, f in (("elu", F.elu), ("selu", F.selu), ("celu", F.celu), ("leaky_relu", F.leaky_relu), ("relu6", F.relu6), ("hardtanh", F.hardtanh),
                    ("hardsigmoid", F.hardsigmoid), ("hardswish", F.hardswish), ("hardshrink", F.hardshrink), ("softshrink", F.softshrink),
                    ("tanhshrink", F.tanhshrink), ("mish", F.mish), ("softsign", F.softsign), ("logsigmoid", F.logsigmoid), ("relu", F.relu),
                    ("silu", F.silu), ("gelu", F.gelu), ("rrelu", F.rrelu), ("sigmoid", torch.sigmoid), ("softplus", F.softplus)):
        yield f"{'~1e-7 ' if name == 'hardsigmoid' else ''}{name} %x", f, XE
    yield "elu %x {alpha=0.5}", lambda x: F.elu(x, 0.5), X
    yield "~1e-7 celu %x {alpha=0.7}", lambda x: F.celu(x, 0.7), X
    yield "celu %x {alpha=0}", lambda x: F.celu(x, 0.0), X
    yield "leaky_relu %x {negative_slope=0.3}", lambda x: F.leaky_relu(x, 0.3), X
    yield "hardtanh %x {min_val=-0.3, max_val=2}", lambda x: F.hardtanh(x, -0.3, 2), X
    yield "hardtanh %x {min_val=2, max_val=1}", lambda x: F.hardtanh(x, 2, 1), X
    yield "hardshrink %x {lambd=1.5}", lambda x: F.hardshrink(x, 1.5), X
    yield "softshrink %x {lambd=1.5}", lambda x: F.softshrink(x, 1.5), X
    yield "softshrink %x {lambd=-1}", lambda x: F.softshrink(x, -1), X
    yield "threshold %x {threshold=0.1, value=20}", lambda x: F.threshold(x, 0.1, 20), XE
    yield "gelu %x {tanh}", lambda x: F.gelu(x, approximate="tanh"), X
    yield "prelu %x, %w", F.prelu, X, "w:normal[4]"
    yield "prelu %x, %w", F.prelu, "x:normal[2,3,2,2]", "w:normal[3]"
    yield "prelu %x, %w", F.prelu, "x:normal[5]", "w:normal[1]"
    yield "prelu %x, %w", F.prelu, X, "w:normal[3]"
    yield "glu %x", F.glu, X
    yield "glu %x {axis=0}", lambda x: F.glu(x, 0), "x:normal[4,3]"
    yield "glu %x {axis=0}", lambda x: F.glu(x, 0), X
    yield "softmin %x", lambda x: F.softmin(x, -1), X
    yield "softmin %x {axis=0}", lambda x: F.softmin(x, 0), X
    yield "softmax %x {axis=0}", lambda x: F.softmax(x, 0), X
    yield "log_softmax %x", lambda x: F.log_softmax(x, -1), X
    for p in ("2", "1", "0", "3", "0.5", "1.5", "-1", "inf", "-inf"):
        yield f"vector_norm %x {{ord={p}, axes=[1]}}", lambda x, p=p: torch.linalg.vector_norm(x, float(p), 1), X
        yield f"vector_norm %x {{ord={p}}}", lambda x, p=p: torch.linalg.vector_norm(x, float(p)), "x:small[3,4]"
    yield "vector_norm %x {axes=[0], keepdim}", lambda x: torch.linalg.vector_norm(x, 2, 0, True), "x:zero[3,4]"
    yield "normalize %x", F.normalize, X
    yield "normalize %x {p=1, axis=0}", lambda x: F.normalize(x, 1, 0), X
    yield "normalize %x {p=3, axis=-1, eps=100}", lambda x: F.normalize(x, 3, -1, 100), X
    yield "cosine_similarity %x, %y", F.cosine_similarity, X, "y:normal[3,4]"
    yield "cosine_similarity %x, %y {axis=0}", lambda x, y: F.cosine_similarity(x, y, 0), X, "y:normal[4]"
    yield "cosine_similarity %x, %y {axis=-1, eps=3}", lambda x, y: F.cosine_similarity(x, y, -1, 3), X, "y:normal[3,4]"
    for p in ("2", "1", "3", "inf"):
        yield f"pairwise_distance %x, %y {{p={p}}}", lambda x, y, p=p: F.pairwise_distance(x, y, float(p)), X, "y:normal[3,4]"
    yield "pairwise_distance %x, %y {keepdim}", lambda x, y: F.pairwise_distance(x, y, keepdim=True), X, "y:normal[4]"


def losses():
    y = "y:normal[3,4]"
    for r in ("none", "mean", "sum"):
        how = dict(reduction=r)
        for name, f in (("mse_loss", F.mse_loss), ("l1_loss", F.l1_loss), ("smooth_l1_loss", F.smooth_l1_loss), ("huber_loss", F.huber_loss)):
            yield f"{name} %x, %y {{reduction={r}}}", lambda x, y, f=f, how=how: f(x, y, **how), X, y
        yield f"soft_margin_loss %x, %t {{reduction={r}}}", lambda x, t, how=how: F.soft_margin_loss(x, t, **how), X, "-t:sign[3,4]"
        yield f"hinge_embedding_loss %x, %t {{margin=0.7, reduction={r}}}", lambda x, t, how=how: F.hinge_embedding_loss(x, t, 0.7, **how), X, "-t:sign[3,4]"
        yield (f"margin_ranking_loss %x, %y, %t {{margin=0.7, reduction={r}}}", lambda x, y, t, how=how: F.margin_ranking_loss(x, y, t, 0.7, **how),
               X, y, "-t:sign[3,4]")
        yield f"binary_cross_entropy %x, %y {{reduction={r}}}", lambda x, y, how=how: F.binary_cross_entropy(x, y, **how), "x:unit[3,4]", "y:unit[3,4]"
        yield (f"binary_cross_entropy %x, %y, %w {{reduction={r}}}", lambda x, y, w, how=how: F.binary_cross_entropy(x, y, w, **how),
               "x:unit[3,4]", "y:unit[3,4]", "-w:unit[4]")
        yield f"binary_cross_entropy_with_logits %x, %y {{reduction={r}}}", lambda x, y, how=how: F.binary_cross_entropy_with_logits(x, y, **how), X, "y:unit[3,4]"
        yield (f"binary_cross_entropy_with_logits %x, %y, %w, %v {{reduction={r}}}",
               lambda x, y, w, v, how=how: F.binary_cross_entropy_with_logits(x, y, w, pos_weight=v, **how), X, "y:unit[3,4]", "-w:unit[4]", "-v:above[4]")
        yield f"kl_div %x, %y {{reduction={r}}}", lambda x, y, how=how: F.kl_div(x, y, **how), X, "y:unit[3,4]"
        yield f"kl_div %x, %y {{reduction={r}, log_target}}", lambda x, y, how=how: F.kl_div(x, y, log_target=True, **how), X, y
        yield f"poisson_nll_loss %x, %y {{reduction={r}}}", lambda x, y, how=how: F.poisson_nll_loss(x, y, **how), X, "y:above[3,4]"
        yield (f"poisson_nll_loss %x, %y {{log_input=0, full, eps=0.1, reduction={r}}}",
               lambda x, y, how=how: F.poisson_nll_loss(x, y, log_input=False, full=True, eps=0.1, **how), "x:above[3,4]", "-y:above[3,4]")
        yield f"gaussian_nll_loss %x, %y, %v {{reduction={r}}}", lambda x, y, v, how=how: F.gaussian_nll_loss(x, y, v, **how), X, y, "v:above[3,4]"
        yield (f"gaussian_nll_loss %x, %y, %v {{full, eps=1.5, reduction={r}}}",
               lambda x, y, v, how=how: F.gaussian_nll_loss(x, y, v, full=True, eps=1.5, **how), X, y, "v:above[3,4]")
        yield (f"cosine_embedding_loss %x, %y, %t {{margin=0.1, reduction={r}}}", lambda x, y, t, how=how: F.cosine_embedding_loss(x, y, t, 0.1, **how),
               X, y, "-t:sign[3]")
        yield (f"triplet_margin_loss %x, %y, %z {{reduction={r}}}", lambda x, y, z, how=how: F.triplet_margin_loss(x, y, z, **how), X, y, "z:normal[3,4]")
        yield (f"triplet_margin_loss %x, %y, %z {{margin=2, p=3, swap, reduction={r}}}",
               lambda x, y, z, how=how: F.triplet_margin_loss(x, y, z, 2, 3, swap=True, **how), X, y, "z:normal[3,4]")
        yield f"multi_margin_loss %x, %t {{reduction={r}}}", lambda x, t, how=how: F.multi_margin_loss(x, t, **how), X, "t:class4[3]"
        yield (f"multi_margin_loss %x, %t, %w {{p=2, margin=0.3, reduction={r}}}",
               lambda x, t, w, how=how: F.multi_margin_loss(x, t, 2, 0.3, w, **how), X, "t:class4[3]", "-w:unit[4]")
        yield (f"multilabel_soft_margin_loss %x, %y {{reduction={r}}}", lambda x, y, how=how: F.multilabel_soft_margin_loss(x, y, **how), X, "-y:unit[3,4]")
        yield f"nll_loss %x, %t {{reduction={r}}}", lambda x, t, how=how: F.nll_loss(x, t, **how), "x:normal[5,4]", "t:class4[5]"
        yield (f"nll_loss %x, %t, %w {{ignore_index=1, reduction={r}}}", lambda x, t, w, how=how: F.nll_loss(x, t, w, ignore_index=1, **how),
               "x:normal[5,4,3]", "t:class4[5,3]", "-w:unit[4]")
        yield f"cross_entropy %x, %t {{reduction={r}}}", lambda x, t, how=how: F.cross_entropy(x, t, **how), "x:normal[5,4]", "t:class4[5]"
        yield (f"cross_entropy %x, %t, %w {{ignore_index=1, reduction={r}, label_smoothing=0.2}}",
               lambda x, t, w, how=how: F.cross_entropy(x, t, w, ignore_index=1, label_smoothing=0.2, **how), "x:normal[5,4,3]", "t:class4[5,3]", "-w:unit[4]")
        yield (f"cross_entropy %x, %t {{ignore_index=2, reduction={r}, label_smoothing=0.2}}",
               lambda x, t, how=how: F.cross_entropy(x, t, ignore_index=2, label_smoothing=0.2, **how), "x:normal[5,4]", "t:class4[5]")
        yield (f"cross_entropy %x, %y, %w {{reduction={r}, label_smoothing=0.2}}",
               lambda x, y, w, how=how: F.cross_entropy(x, y, w, label_smoothing=0.2, **how), "x:normal[5,4]", "y:unit[5,4]", "-w:unit[4]")
        yield f"cross_entropy %x, %t {{reduction={r}}}", lambda x, t, how=how: F.cross_entropy(x, t, **how), "x:normal[4]", "t:class4[]"
    yield "kl_div %x, %y {reduction=batchmean}", lambda x, y: F.kl_div(x, y, reduction="batchmean"), X, "y:unit[3,4]"
    yield "l1_loss %x, %y", F.l1_loss, "x:small[3,4]", "y:small[3,4]"
    yield "smooth_l1_loss %x, %y {beta=0}", lambda x, y: F.smooth_l1_loss(x, y, beta=0), "x:small[3,4]", "y:small[3,4]"
    yield "smooth_l1_loss %x, %y {beta=2}", lambda x, y: F.smooth_l1_loss(x, y, beta=2), "x:small[3,4]", "y:small[3,4]"
    yield "smooth_l1_loss %x, %y {beta=-1}", lambda x, y: F.smooth_l1_loss(x, y, beta=-1), X, y
    yield "huber_loss %x, %y {delta=2}", lambda x, y: F.huber_loss(x, y, delta=2), "x:small[3,4]", "y:small[3,4]"
    yield "huber_loss %x, %y {delta=0}", lambda x, y: F.huber_loss(x, y, delta=0), X, y
    yield "multi_margin_loss %x, %t {p=3}", lambda x, t: F.multi_margin_loss(x, t, 3), X, "t:class4[3]"
    yield "cross_entropy %x, %t", F.cross_entropy, "x:normal[5,4]", "t:class4[3]"
    yield "cross_entropy %x, %t, %w", F.cross_entropy, "x:normal[5,4]", "t:class4[5]", "w:unit[5]"
    yield "cross_entropy %x, %t {label_smoothing=1.5}", lambda x, t: F.cross_entropy(x, t, label_smoothing=1.5), "x:normal[5,4]", "t:class4[5]"
    yield "nll_loss %x, %t", F.nll_loss, "x:normal[5,4]", "t:class4[5,4]"


# ---- the files

def tensor(call, word):
    word, fixed = word.lstrip("-"), word.startswith("-")
    v = torch.from_numpy(np.array(value(call, word)))
    dtype = parse(word)[2]
    if dtype:
        v = v.to(DTYPES[dtype])
    return v.requires_grad_(v.is_floating_point() and not fixed)


def text(v):
    v = v.detach()
    v = (v.to(torch.float64) if v.is_floating_point() else v.to(torch.int64)).reshape(-1).tolist()
    return " ".join(f"{e:.14g}" if isinstance(e, float) else str(e) for e in v)


def case(call, f, *words):
    """The lines of a case."""
    out = [f"{call}\n    {' '.join(words)}\n"]
    operands = [tensor(call, w) for w in words]
    try:
        made = f(*operands)
    except (RuntimeError, ValueError, IndexError, ZeroDivisionError, TypeError):
        return "".join(out) + "    refused\n"
    made = made if isinstance(made, tuple) else (made,)
    loss = 0
    for r in made:
        out.append(f"    = {list(r.shape)} {text(r)}\n".replace(", ", ","))
        if r.requires_grad:
            loss = loss + (r * (1 + torch.arange(r.numel(), dtype=torch.float64).reshape(r.shape) / 8)).sum()
    wrt = [(w, o) for w, o in zip(words, operands) if o.requires_grad]
    if not isinstance(loss, int) and wrt:
        for (w, o), g in zip(wrt, torch.autograd.grad(loss, [o for _, o in wrt], allow_unused=True)):
            out.append(f"    d {parse(w)[0]} {text(torch.zeros_like(o) if g is None else g)}\n")
    return "".join(out)


FAMILIES = {f.__name__: f for f in (activations, losses)}


def main():
    torch.manual_seed(0)
    for name in sys.argv[1:] or FAMILIES:
        head = f"# Made by tools/make_golden_calls.py with torch {torch.__version__.split('+')[0]}, numpy {np.__version__}: do not edit.\n"
        (ROOT / f"tests/golden/torch/{name}.txt").write_text(head + "".join(case(*c) for c in FAMILIES[name]()))


main()
