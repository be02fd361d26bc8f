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


def arithmetic():
    y, pair = "y:normal[3,4]", ("x:small[3,4]", "y:small[4]")
    for name, f in (("positive", torch.positive), ("sgn", torch.sgn), ("rad2deg", torch.rad2deg), ("deg2rad", torch.deg2rad), ("sinc", torch.sinc),
                    ("isposinf", torch.isposinf), ("isneginf", torch.isneginf), ("isreal", torch.isreal), ("nan_to_num", torch.nan_to_num),
                    ("square", torch.square), ("frexp", lambda x: tuple(torch.frexp(x)))):
        yield f"{name} %x", f, "x:edges[20]" if name in ("sinc", "frexp") else XE
    yield "frexp %x", lambda x: tuple(torch.frexp(x)), "x:normal.f32[8]"
    yield "nan_to_num %x {nan=1, posinf=7, neginf=-3}", lambda x: torch.nan_to_num(x, 1, 7, -3), XE
    yield "nan_to_num %x", lambda x: torch.nan_to_num(x), "x:edges.f32[25]"
    for name, f in (("rsub", torch.rsub), ("fmax", torch.fmax), ("fmin", torch.fmin), ("logaddexp2", torch.logaddexp2), ("ldexp", torch.ldexp), ("isclose", torch.isclose),
                    ("true_divide", torch.true_divide), ("divide", torch.divide), ("allclose", lambda x, y: torch.tensor(torch.allclose(x, y))),
                    ("logaddexp", torch.logaddexp), ("float_power", lambda x, y: torch.float_power(x, y))):
        x = "x:above[3,4]" if name == "float_power" else "x:normal[3,4]"
        yield f"{name} %x, %y", f, x, "y:normal[4]"
    for name, f in (("fmax", torch.fmax), ("fmin", torch.fmin)):
        yield f"{name} %x, %y", f, *pair
        yield f"{name} %x, %y", f, "x:edges[25]", "-y:edges[5,1]"
    yield "isclose %x, %y {equal_nan}", lambda x, y: torch.isclose(x, y, equal_nan=True), "x:edges[25]", "y:edges[25,1]"
    yield "isclose %x, %y {rtol=0.5, atol=0.1}", lambda x, y: torch.isclose(x, y, rtol=0.5, atol=0.1), *pair
    yield "isclose %x, %y {rtol=-1}", lambda x, y: torch.isclose(x, y, rtol=-1), *pair
    yield "rsub %x, %y {alpha=2}", lambda x, y: torch.rsub(x, y, alpha=2), *pair
    for mode in ("trunc", "floor"):
        yield f"divide %x, %y {{rounding_mode={mode}}}", lambda x, y, m=mode: torch.div(x, y, rounding_mode=m), "-x:normal[3,4]", "-y:normal[4]"
        yield f"divide %x, %y {{rounding_mode={mode}}}", lambda x, y, m=mode: torch.div(x, y, rounding_mode=m), "x:int[3,4]", "y:odd[4]"
    for name, f in (("addcmul", torch.addcmul), ("addcdiv", torch.addcdiv)):
        yield f"{name} %x, %y, %z {{value=0.3}}", lambda x, y, z, f=f: f(x, y, z, value=0.3), X, y, "z:above[4]"
    yield "xlogy %x, %y", torch.xlogy, "x:small[3,4]", "y:above[4]"
    yield "xlogy %x, %y", torch.xlogy, "-x:edges[25]", "-y:edges[25,1]"
    yield "xlog1py %x, %y", torch.special.xlog1py, "x:small[3,4]", "y:above[4]"
    yield "xlog1py %x, %y", torch.special.xlog1py, "-x:edges[25]", "-y:edges[25,1]"
    yield "entr %x", torch.special.entr, "x:unit[3,4]"
    yield "entr %x", torch.special.entr, "-x:edges[25]"
    yield "logit %x", torch.logit, "x:unit[3,4]"
    yield "logit %x", torch.logit, "-x:edges[25]"
    yield "logit %x {eps=0.2}", lambda x: torch.logit(x, 0.2), "x:unit[3,4]"
    yield "nextafter %x, %y", torch.nextafter, "-x:edges[25]", "-y:edges[25,1]"
    yield "nextafter %x, %y", torch.nextafter, "-x:normal.f32[7]", "-y:edges.f32[25,1]"


def special():
    for name, f in (("lgamma", torch.lgamma), ("digamma", torch.digamma), ("erfcx", torch.special.erfcx), ("erfinv", torch.erfinv), ("ndtri", torch.special.ndtri),
                    ("i0", torch.special.i0), ("i0e", torch.special.i0e), ("i1", torch.special.i1), ("i1e", torch.special.i1e), ("ndtr", torch.special.ndtr), ("log_ndtr", torch.special.log_ndtr)):
        yield f"~1e-9 {name} %x", f, "x:unit[7]" if name in ("erfinv", "ndtri") else "x:above[7]" if name in ("lgamma", "digamma") else "x:normal[9]"
        yield f"~1e-9 {name} %x", f, "-x:edges[17]" if name in ("i0", "i1") else "-x:edges[20]"
    for n in (0, 1, 2, 4):
        yield f"~1e-9 polygamma {n}.0, %x", lambda x, n=n: torch.polygamma(n, x), "x:above[7]"
    yield "~1e-9 polygamma 1.0, %x", lambda x: torch.polygamma(1, x), "-x:normal[7]"
    yield "~1e-9 multigammaln %x {p=3}", lambda x: torch.special.multigammaln(x + 0, 3), "x:big[5]"
    yield "multigammaln %x {p=0}", lambda x: torch.special.multigammaln(x, 0), "x:above[5]"


def statistics():
    nan = "x:holes[5,6]"
    for name, f in (("std", torch.std), ("std_mean", torch.std_mean), ("var_mean", torch.var_mean)):
        yield f"{name} %x {{axes=[1]}}", lambda x, f=f: f(x, 1), X
        yield f"{name} %x {{axes=[0], keepdim, correction=0}}", lambda x, f=f: f(x, 0, correction=0, keepdim=True), X
        yield f"{name} %x", lambda x, f=f: f(x), X
    yield "std %x {axes=[1]}", lambda x: torch.std(x, 1), "x:zero[3,4]"
    for name, f in (("amax", torch.amax), ("amin", torch.amin)):
        yield f"{name} %x {{axes=[1]}}", lambda x, f=f: f(x, 1), "x:small[3,4]"
        yield f"{name} %x", lambda x, f=f: f(x), "x:small[3,4]"
        yield f"{name} %x {{axes=[0]}}", lambda x, f=f: f(x, 0), nan
    yield "aminmax %x {axes=[1]}", lambda x: tuple(torch.aminmax(x, dim=1)), X
    yield "aminmax %x", lambda x: tuple(torch.aminmax(x)), X
    yield "count_nonzero %x {axes=[0]}", lambda x: torch.count_nonzero(x, 0), "x:small[3,4]"
    yield "count_nonzero %x", torch.count_nonzero, "x:bits[3,4]"
    yield "nansum %x {axes=[0]}", lambda x: torch.nansum(x, 0), nan
    yield "nanmean %x {axes=[1], keepdim}", lambda x: torch.nanmean(x, 1, True), nan
    yield "nanmean %x", torch.nanmean, nan
    for name, f in (("nanvar", np.nanvar), ("nanstd", np.nanstd), ("nanmax", np.nanmax), ("nanmin", np.nanmin)):
        yield f"{name} %x {{axes=[1]}}", lambda x, f=f: f(x.numpy(), axis=1), "-" + nan
    yield "nanvar %x {axes=[0], correction=1}", lambda x: np.nanvar(x.numpy(), axis=0, ddof=1), "-" + nan
    for name, f in (("median", torch.median), ("nanmedian", torch.nanmedian)):
        yield f"{name} %x {{axes=[1]}}", lambda x, f=f: tuple(f(x, 1)), X
        yield f"{name} %x {{axes=[0], keepdim}}", lambda x, f=f: tuple(f(x, 0, True)), "x:normal[5,3]"
        yield f"{name} %x {{axes=[1]}}", lambda x, f=f: f(x, 1)[0], nan
        yield f"{name} %x", lambda x, f=f: f(x), X
        yield f"{name} %x", lambda x, f=f: f(x), nan
    yield "mode %x {axes=[1]}", lambda x: torch.mode(x, 1)[0], "-x:small[4,7]"
    yield "mode %x {axes=[0], keepdim}", lambda x: torch.mode(x, 0, True)[0], "x:class5[9,3]"
    q = "-q:unit[3]"
    for mode in ("linear", "lower", "higher", "midpoint", "nearest"):
        for name, f in (("quantile", torch.quantile), ("nanquantile", torch.nanquantile)):
            yield f"{name} %x, %q {{axes=[1], interpolation={mode}}}", lambda x, q, f=f, m=mode: f(x, q, 1, interpolation=m), "x:normal[3,6]", q
            yield f"{name} %x, %q {{axes=[0], keepdim, interpolation={mode}}}", lambda x, q, f=f, m=mode: f(x, q, 0, True, interpolation=m), nan, "-q:unit[]"
    yield "quantile %x, %q", lambda x, q: torch.quantile(x, q), X, q
    yield "bincount %x {minlength=6}", lambda x: torch.bincount(x, minlength=6), "x:class5[20]"
    yield "bincount %x, %w {minlength=6}", lambda x, w: torch.bincount(x, w, minlength=6), "x:class5[20]", "-w:unit[20]"
    yield "histc %x {bins=5, min=-2, max=2}", lambda x: torch.histc(x, 5, -2, 2), "-x:normal[30]"
    yield "histc %x {bins=4}", lambda x: torch.histc(x, 4), "-x:small[30]"
    yield "diff %x", torch.diff, X
    yield "diff %x {n=2, axis=0}", lambda x: torch.diff(x, 2, 0), X
    yield "diff %x {n=9}", lambda x: torch.diff(x, 9), X
    yield "diff %x", torch.diff, "x:bits[7]"
    yield "trapezoid %x", torch.trapezoid, X
    yield "trapezoid %x {dx=0.5, axis=0}", lambda x: torch.trapezoid(x, dx=0.5, dim=0), X
    yield "trapezoid %x, %y", torch.trapezoid, X, "y:normal[4]"
    yield "trapezoid %x, %y {axis=0}", lambda x, y: torch.trapezoid(x, y, dim=0), X, "y:normal[3]"
    yield "trapezoid %x, %y", torch.trapezoid, X, "y:normal[3,4]"
    for p in ("2", "1", "inf", "3", "0"):
        yield f"cdist %x, %y {{p={p}}}", lambda x, y, p=p: torch.cdist(x, y, float(p), compute_mode="donot_use_mm_for_euclid_dist"), "x:normal[2,3,4]", "y:normal[5,4]"
    yield "cov %x", torch.cov, X
    yield "cov %x {correction=0}", lambda x: torch.cov(x, correction=0), "x:normal[5]"
    yield "cov %x, %f, %a", lambda x, f, a: torch.cov(x, fweights=f, aweights=a), X, "f:class5[4]", "-a:unit[4]"
    yield "corrcoef %x", torch.corrcoef, X


def products():
    m = "x:normal[3,4]"
    for name, f, a, b in (("vdot", torch.vdot, "x:normal[5]", "y:normal[5]"), ("inner", torch.inner, m, "y:normal[2,4]"), ("outer", torch.outer, "x:normal[3]", "y:normal[4]"),
                          ("mv", torch.mv, m, "y:normal[4]"), ("mm", torch.mm, m, "y:normal[4,2]"), ("bmm", torch.bmm, "x:normal[2,3,4]", "y:normal[2,4,2]"),
                          ("kron", torch.kron, "x:normal[2,3]", "y:normal[3]"), ("kron", torch.kron, "x:normal[2]", "y:normal[2,2,3]"), ("vdot", torch.vdot, "x:int[4]", "y:int[4]")):
        yield f"{name} %x, %y", f, a, b
    for name, f in (("vdot", torch.vdot), ("mv", torch.mv), ("mm", torch.mm), ("bmm", torch.bmm), ("inner", torch.inner)):
        yield f"{name} %x, %y", f, m, "y:normal[3,5]"
    yield "cross %x, %y", lambda x, y: torch.linalg.cross(x, y), "x:normal[4,3]", "y:normal[1,3]"
    yield "cross %x, %y {axis=0}", lambda x, y: torch.linalg.cross(x, y, dim=0), "x:normal[3,4]", "y:normal[3,4]"
    yield "cross %x, %y", lambda x, y: torch.linalg.cross(x, y), "x:normal[4,2]", "y:normal[4,2]"
    for name, f, a, b in (("addmm", torch.addmm, m, "y:normal[4,2]"), ("addmv", torch.addmv, m, "y:normal[4]"), ("addr", torch.addr, "x:normal[3]", "y:normal[2]"),
                          ("baddbmm", torch.baddbmm, "x:normal[2,3,4]", "y:normal[2,4,2]"), ("addbmm", torch.addbmm, "x:normal[2,3,4]", "y:normal[2,4,2]")):
        yield f"{name} %i, %x, %y", f, "i:normal[3,2]" if name != "addmv" else "i:normal[3]", a, b
        yield f"{name} %i, %x, %y {{beta=0.5, alpha=2}}", lambda i, x, y, f=f: f(i, x, y, beta=0.5, alpha=2), "i:normal[2]" if name != "addmv" else "i:normal[1]", a, b
        yield f"{name} %i, %x, %y {{beta=0}}", lambda i, x, y, f=f: f(i, x, y, beta=0), "-i:holes[3,2]" if name != "addmv" else "-i:holes[3]", a, b
    yield "tensordot %x, %y {xaxes=[1, 0], yaxes=[0, 2]}", lambda x, y: torch.tensordot(x, y, ([1, 0], [0, 2])), "x:normal[3,4]", "y:normal[4,2,3]"
    yield "trace %x", torch.trace, m
    yield "trace %x", torch.trace, "x:normal[3]"
    for n in (0, 1, 2, 5):
        yield f"matrix_power %x {{n={n}}}", lambda x, n=n: torch.matrix_power(x, n), "x:unit[2,3,3]"
    yield "matrix_power %x {n=2}", lambda x: torch.matrix_power(x, 2), m
    a, b, c = "x:normal[2,3]", "y:normal[3,4]", "z:normal[4,2]"
    for e, *operands in (("ij,jk->ik", a, b), ("ij,jk", a, b), ("ij->ji", a), ("ij->", a), ("ij->j", a), ("ii->i", "x:normal[3,3]"), ("ii", "x:normal[3,3]"), ("i,j->ji", "x:normal[3]", "y:normal[2]"),
                         ("bij,bjk->bik", "x:normal[2,2,3]", "y:normal[2,3,2]"), ("...ij,...jk->...ik", "x:normal[2,2,3]", "y:normal[3,2]"), ("ij,jk,kl->il", a, b, c), ("ij,jk,ki", a, b, c),
                         ("abc,cd,be->ade", "x:normal[2,3,2]", "y:normal[2,4]", "z:normal[3,2]"), ("ij,ij->ij", a, "y:normal[2,3]"), ("ij,kl->ijkl", "x:normal[2,2]", "y:normal[2,3]"),
                         ("i...->...", "x:normal[2,3]"), ("aabb->ab", "x:normal[2,2,3,3]"), ("ij,j->i", a, "y:normal[1]"), ("...,...", "x:normal[3]", "y:normal[2,1]"), ("bhid,bhjd->bhij", "x:normal[1,2,3,2]", "y:normal[1,2,2,2]"),
                         ("ij,jk->ik", a, "y:normal[2,4]"), ("ij,jk->iz", a, b), ("ij,jk->ii", a, b), ("ij", a, b), ("ij,jk,kl", a, b), ("ij->i&", a), ("ijk->i", a), ("i...j...->ij", a)):
        names = [w.split(":")[0] for w in operands]
        yield f"einsum {', '.join('%' + n for n in names)} {{equation=\"{e}\"}}", lambda *x, e=e: torch.einsum(e, *x), *operands


def creation():
    yield "tril %x {diagonal=1}", lambda x: torch.tril(x, 1), X
    yield "triu %x {diagonal=-1}", lambda x: torch.triu(x, -1), "x:normal[2,3,3]"
    yield "tril %x", torch.tril, "x:normal[3]"
    for k in (-2, 0, 1):
        yield f"diag %x {{diagonal={k}}}", lambda x, k=k: torch.diag(x, k), X
        yield f"diag %x {{diagonal={k}}}", lambda x, k=k: torch.diag(x, k), "x:normal[3]"
    yield "diag %x", torch.diag, "x:normal[2,2,2]"
    yield "vander %x {n=4}", lambda x: torch.linalg.vander(x, N=4).flip(-1), X
    yield "vander %x {n=3, increasing}", lambda x: torch.linalg.vander(x, N=3), "x:normal[5]"
    for name, f in (("zeros_like", torch.zeros_like), ("ones_like", torch.ones_like)):
        yield f"{name} %x", f, "-x:normal[2,3]"
        yield f"{name} %x", f, "x:int[3]"
    yield "full_like %x {value=2.5}", lambda x: torch.full_like(x, 2.5), "-x:normal[2,3]"
    yield "full_like %x {value=2}", lambda x: torch.full_like(x, 2), "x:int[3]"
    yield "logspace {start=-1, stop=2, n=5, base=2, dtype=f64}", lambda: torch.logspace(-1, 2, 5, 2, dtype=torch.float64)
    yield "tri {n=3, m=4, k=-1, dtype=i64}", lambda: np.tri(3, 4, -1, dtype="i8")
    for how in ("ij", "xy"):
        yield f"meshgrid %x, %y, %z{' {xy}' if how == 'xy' else ''}", lambda x, y, z, how=how: torch.meshgrid(x, y, z, indexing=how), "x:normal[2]", "y:normal[3]", "z:normal[2]"
    for r, c, k in ((3, 4, 0), (4, 3, 1), (4, 3, -2), (2, 5, 3), (3, 3, -9), (0, 3, 0)):
        yield f"tril_indices {{row={r}, col={c}, offset={k}}}", lambda r=r, c=c, k=k: torch.tril_indices(r, c, k)
        yield f"triu_indices {{row={r}, col={c}, offset={k}}}", lambda r=r, c=c, k=k: torch.triu_indices(r, c, k)


def linalg():
    """Of eigh and svd nothing that a sign of a vector decides: tests/test_linalg.c has these."""
    l = torch.linalg
    for s in ("x:spd[3,3]", "x:spd[2,4,4]", "x:spd[1,1]", "x:spd.f32[3,3]"):
        yield "~1e-9 cholesky %x" if "f32" not in s else "cholesky %x", l.cholesky, s
        yield "~1e-9 cholesky %x {upper}" if "f32" not in s else "cholesky %x {upper}", lambda x: l.cholesky(x, upper=True), s
    for s in ("x:normal[3,3]", "x:normal[2,2,4,4]", "x:spd[1,1]", "x:spd.f32[3,3]"):
        near = "" if "f32" in s else "~1e-8 "
        yield near + "inv %x", l.inv, s
        yield near + "det %x", l.det, s
        yield near + "slogdet %x", lambda x: tuple(l.slogdet(x)), s
    for x, y in (("[3,3]", "[3,2]"), ("[3,3]", "[3]"), ("[2,3,3]", "[2,3,4]"), ("[2,3,3]", "[3,1]"), ("[2,3,3]", "[2,3]")):
        yield "~1e-8 solve %x, %y", l.solve, f"x:normal{x}", f"y:normal{y}"
    for x, y in (("[3,3]", "[3,2]"), ("[2,3,3]", "[2,3,1]")):
        yield "~1e-8 solve_triangular %x, %y", lambda x, y: l.solve_triangular(x, y, upper=False), f"x:spd{x}", f"y:normal{y}"
        yield "~1e-8 solve_triangular %x, %y {upper}", lambda x, y: l.solve_triangular(x, y, upper=True), f"x:spd{x}", f"y:normal{y}"
    for s in ("x:normal[4,3]", "x:normal[3,3]", "x:normal[2,5,2]", "-x:normal[2,4]"):
        yield "~1e-8 qr %x", lambda x: tuple(l.qr(x)), s
    for name, f in (("cholesky", l.cholesky), ("inv", l.inv), ("det", l.det), ("slogdet", lambda x: tuple(l.slogdet(x)))):
        yield f"{name} %x", f, "x:normal[3]"
        yield f"{name} %x", f, "x:normal[3,2]"
        yield f"{name} %x", f, "x:int[2,2]"
    yield "solve %x, %y", l.solve, "x:normal[3,3]", "y:normal[2,2]"
    yield from matrices()


def matrices():
    """What is made of decompositions."""
    l = torch.linalg
    for s in ("x:normal[4,3]", "x:normal[2,3,4]", "x:spd[3,3]", "x:normal[1,3]"):
        yield "~1e-8 pinv %x", l.pinv, s
        yield "matrix_rank %x", l.matrix_rank, s.replace("x", "-x", 1)
    yield "~1e-8 pinv %x {rtol=0.4}", lambda x: l.pinv(x, rtol=0.4), "x:normal[4,3]"
    yield "~1e-8 pinv %x {atol=1.5}", lambda x: l.pinv(x, atol=1.5), "x:normal[4,3]"
    yield "matrix_rank %x {rtol=0.4}", lambda x: l.matrix_rank(x, rtol=0.4), "-x:normal[2,4,3]"
    yield "pinv %x", l.pinv, "x:normal.f32[4,3]"
    for x, y in (("[5,3]", "[5,2]"), ("[2,4,4]", "[2,4,1]"), ("[2,5,2]", "[2,5,3]")):
        yield "~1e-7 lstsq %x, %y", lambda x, y: tuple(l.lstsq(x, y, driver="gelsd"))[:1], f"x:normal{x}", f"y:normal{y}"
    yield "~1e-8 lstsq %x, %y", lambda x, y: tuple(l.lstsq(x, y, driver="gelsd")), "-x:normal[5,3]", "-y:normal[5,2]"
    yield "lstsq %x, %y", lambda x, y: tuple(l.lstsq(x, y)), "x:normal[5,3]", "y:normal[4,2]"
    for p in ("fro", "nuc", "1", "-1", "2", "-2", "inf", "-inf"):
        ord = p if p in ("fro", "nuc") else float(p)
        yield f"~1e-9 matrix_norm %x {{ord=\"{p}\"}}", lambda x, o=ord: l.matrix_norm(x, o), "x:normal[2,3,4]"
        yield f"~1e-8 matrix_cond %x {{p=\"{p}\"}}", lambda x, o=ord: l.cond(x, o) if o in (2, -2) else l.matrix_norm(x, o) * l.matrix_norm(l.inv(x), o), "x:normal[2,3,3]"
    yield "~1e-9 matrix_norm %x {ord=\"fro\", keepdim}", lambda x: l.matrix_norm(x, "fro", keepdim=True), "x:normal[3,4]"
    yield "~1e-8 matrix_cond %x {p=\"2\"}", lambda x: l.cond(x, 2), "x:normal[4,3]"
    yield "matrix_norm %x {ord=\"3\"}", lambda x: l.matrix_norm(x, 3), "x:normal[3,4]"
    yield "matrix_norm %x {ord=\"fro\"}", l.matrix_norm, "x:normal[3]"
    for s in ("x:normal[3,3]", "x:normal[2,4,4]", "x:zero[2,2]", "x:spd[5,5]", "x:unit[2,1,2,2]"):
        yield "~1e-8 matrix_exp %x", l.matrix_exp, s
    yield "matrix_exp %x", l.matrix_exp, "x:normal.f32[3,3]"
    yield "matrix_exp %x", l.matrix_exp, "x:normal[3,4]"
    yield "~1e-8 svdvals %x", l.svdvals, "x:normal[2,3,4]"
    yield "~1e-8 eigvalsh %x", l.eigvalsh, "x:spd[2,4,4]"
    for n in (-1, -3):
        yield f"~1e-8 matrix_power %x {{n={n}}}", lambda x, n=n: l.matrix_power(x, n), "x:spd[2,3,3]"


def grids():
    """Images at places that a grid says, rows and pairs that are combined."""
    modes, pads = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
    for m in modes:
        for p in pads:
            for a in (False, True):
                yield (f"~1e-9 grid_sample %x, %y {{mode={m}, padding_mode={p}{', align_corners' if a else ''}}}",
                       lambda x, y, m=m, p=p, a=a: F.grid_sample(x, y, m, p, a), "x:normal[2,3,4,5]", "y:normal[2,3,2,2]")
    for m in modes[:2]:
        yield (f"~1e-9 grid_sample %x, %y {{mode={m}, padding_mode=reflection}}", lambda x, y, m=m: F.grid_sample(x, y, m, "reflection", False),
               "x:normal[1,2,3,4,2]", "y:normal[1,2,3,2,3]")
    yield "~1e-9 grid_sample %x, %y", lambda x, y: F.grid_sample(x, y, align_corners=False), "x:normal[1,1,1,1]", "y:unit[1,2,2,2]"
    yield "grid_sample %x, %y {mode=bicubic}", lambda x, y: F.grid_sample(x, y, "bicubic", align_corners=False), "x:normal[1,2,3,4,2]", "y:normal[1,2,3,2,3]"
    yield "grid_sample %x, %y", lambda x, y: F.grid_sample(x, y, align_corners=False), "x:normal[2,3,4,5]", "y:normal[1,3,2,2]"
    for a in (False, True):
        for shape, size in (("[2,2,3]", [2, 3, 4, 5]), ("[1,3,4]", [1, 1, 2, 3, 4]), ("[1,2,3]", [1, 1, 1, 3])):
            yield (f"affine_grid %x {{size={size}{', align_corners' if a else ''}}}", lambda x, s=size, a=a: F.affine_grid(x, s, a), f"x:normal{shape}")
    yield "affine_grid %x {size=[1, 1, 2, 2]}", lambda x: F.affine_grid(x, [1, 1, 2, 2], False), "x:normal[2,2,3]"
    for r in ("prod", "mean", "amax", "amin"):
        for keep in (True, False):
            yield (f"index_reduce %x, %i, %y {{axis=1, reduce={r}{'' if keep else ', exclude_self'}}}",
                   lambda x, i, y, r=r, keep=keep: x.index_reduce(1, i, y, r, include_self=keep), "x:normal[3,4]", "i:class4[5]", "y:normal[3,5]")
    yield "cumulative_trapezoid %x", torch.cumulative_trapezoid, X
    yield "cumulative_trapezoid %x {dx=0.5, axis=0}", lambda x: torch.cumulative_trapezoid(x, dx=0.5, dim=0), X
    yield "cumulative_trapezoid %x, %y {axis=1}", lambda x, y: torch.cumulative_trapezoid(x, y, dim=1), "x:normal[2,3,2]", "y:normal[3]"
    for name, f in (("gcd", torch.gcd), ("lcm", torch.lcm)):
        yield f"{name} %x, %y", f, "x:int[5,6]", "y:int[6]"
        yield f"{name} %x, %y", f, "x:int[3]", "y:normal[3]"


# ---- the files

def windows():
    """Tapers, which have no operands, and the way back of max pools."""
    f64 = dict(dtype=torch.float64)
    for n in (0, 1, 2, 5, 8):
        for p in (True, False):
            tail = f"n={n}, periodic={int(p)}, dtype=f64"
            for name in ("bartlett", "blackman", "hann", "hamming", "kaiser"):
                yield f"~1e-9 {name}_window {{{tail}}}", lambda name=name, n=n, p=p: getattr(torch, f"{name}_window")(n, p, **f64)
            yield f"~1e-9 hamming_window {{alpha=0.6, beta=0.3, {tail}}}", lambda n=n, p=p: torch.hamming_window(n, p, 0.6, 0.3, **f64)
            yield f"~1e-9 kaiser_window {{beta=3.5, {tail}}}", lambda n=n, p=p: torch.kaiser_window(n, p, 3.5, **f64)
    yield "hann_window {n=-1}", lambda: torch.hann_window(-1)
    yield "kaiser_window {n=3, dtype=i64}", lambda: torch.kaiser_window(3, dtype=torch.int64)
    for shape, i, how, args in (("[2,2,3]", "distinct12", "kernel_size=[4]", (4,)), ("[2,3]", "distinct8", "kernel_size=[4], stride=[2]", (4, 2)),
                                ("[2,3]", "distinct6", "kernel_size=[3], stride=[2], padding=[1], output_size=[6]", (3, 2, 1, [6]))):
        yield f"max_unpool1d %x, %i {{{how}}}", lambda x, i, a=args: F.max_unpool1d(x, i, *a), f"x:normal{shape}", f"i:{i}{shape}"
    for shape, i, how, args in (("[2,2,2,2]", "distinct64", "kernel_size=[4]", (4,)), ("[1,3,3]", "distinct25", "kernel_size=[3], stride=[2], padding=[1]", (3, 2, 1)),
                                ("[1,2,2,3]", "distinct24", "kernel_size=[2], output_size=[5, 6]", (2, None, 0, [5, 6])),
                                ("[1,2,2,3]", "distinct18", "kernel_size=[2], output_size=[3, 6]", (2, None, 0, [3, 6])),
                                ("[1,2,2,3]", "distinct18", "kernel_size=[3, 2], stride=[2, 2], padding=[1, 0]", ((3, 2), 2, (1, 0))),
                                ("[1,2,2,3]", "distinct24", "kernel_size=[2], output_size=[4, 8]", (2, None, 0, [4, 8])), ("[2,3]", "distinct6", "kernel_size=[2]", (2,))):
        yield f"max_unpool2d %x, %i {{{how}}}", lambda x, i, a=args: F.max_unpool2d(x, i, *a), f"x:normal{shape}", f"i:{i}{shape}"
    yield "max_unpool3d %x, %i {kernel_size=[2]}", lambda x, i: F.max_unpool3d(x, i, 2), "x:normal[1,1,2,2,2]", "i:distinct64[1,1,2,2,2]"
    yield "max_unpool2d %x, %i {kernel_size=[2]}", lambda x, i: F.max_unpool2d(x, i, 2), "x:normal[1,1,2,2]", "i:distinct9[1,1,2,3]"


def tensor(call, word):
    word, fixed = word.lstrip("-"), word.startswith("-")
    v = torch.from_numpy(np.array(value(call, word)))
    dtype = parse(word)[2]
    if dtype:
        v = v.to(DTYPES[dtype])
    return v.requires_grad_(v.is_floating_point() and not fixed)


def text(v):
    v = torch.zeros(v.shape, dtype=v.dtype) if v._is_zerotensor() else v.detach()
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
    made = [torch.as_tensor(r) for r in (made if isinstance(made, tuple) else (made,))]
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


FAMILIES = {f.__name__: f for f in (activations, losses, arithmetic, special, statistics, products, creation, linalg, grids, windows)}


def main():
    torch.manual_seed(0)
    for name in sys.argv[1:] or FAMILIES:
        head = f"# Made by tools/make_golden_calls.py with torch {torch.__version__.split('+')[0]}, numpy {np.__version__}: do not edit.\n"
        (ROOT / f"tests/golden/torch/{name}.txt").write_text(head + "".join(case(*c) for c in FAMILIES[name]()))


main()
