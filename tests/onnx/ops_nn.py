"""ops_nn.py - ONNX's convolutions, pools, norms, losses and images in braze."""
import math

from reader import Absent, op


# ---- windows

def borders(auto_pad, pads, sizes, kernel, stride, dilation):
    """Elements before and after each axis."""
    r = len(kernel)
    if auto_pad == "VALID" or (auto_pad == "NOTSET" and pads is None):
        return [0] * r, [0] * r
    if auto_pad == "NOTSET":
        return pads[:r], pads[r:]
    lo, hi = [], []
    for d, k, s, w in zip(sizes, kernel, stride, dilation):
        total = max((-(-d // s) - 1) * s + (k - 1) * w + 1 - d, 0)
        small, large = total // 2, total - total // 2
        lo.append(small if auto_pad == "SAME_UPPER" else large)
        hi.append(large if auto_pad == "SAME_UPPER" else small)
    return lo, hi


def padded(x, lo, hi, value=0.0):
    return x.pad(lo=[0, 0, *lo], hi=[0, 0, *hi], value=value)


def by_rank(x, name):
    """conv -> conv2d, for x [N, C, H, W]."""
    return f"{name}{x.ndim - 2}d"


@op("Conv")
def conv(n, x, w, bias=None, kernel_shape=None, strides=None, dilations=None, pads=None, group=1, auto_pad="NOTSET"):
    r = x.ndim - 2
    stride, dilation = strides or [1] * r, dilations or [1] * r
    lo, hi = borders(auto_pad, pads, x.shape[2:], w.shape[2:], stride, dilation)
    x, padding = (x, lo) if lo == hi else (padded(x, lo, hi), [0] * r)
    return n.c.call(by_rank(x, "conv"), x, w, bias, stride=stride, padding=padding, dilation=dilation, groups=group)


@op("ConvTranspose")
def conv_transpose(n, x, w, bias=None, kernel_shape=None, strides=None, dilations=None, pads=None, output_padding=None, output_shape=None, group=1, auto_pad="NOTSET"):
    r = x.ndim - 2
    stride, dilation, more = strides or [1] * r, dilations or [1] * r, output_padding or [0] * r
    whole = [(d - 1) * s + (k - 1) * w + 1 for d, s, k, w in zip(x.shape[2:], stride, w.shape[2:], dilation)]
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        output_shape = [d * s for d, s in zip(x.shape[2:], stride)]
    if output_shape:
        total = [a + m - b for a, m, b in zip(whole, more, output_shape)]
        small, large = [int(t / 2) for t in total], [t - int(t / 2) for t in total]
        lo, hi = (large, small) if auto_pad == "SAME_LOWER" else (small, large)
    else:
        lo, hi = borders("NOTSET", pads, None, w.shape[2:], None, None)
    padding = lo if lo == hi and min(lo) >= 0 else [0] * r
    y = n.c.call(by_rank(x, "conv_transpose"), x, w, bias, stride=stride, padding=padding, output_padding=more, dilation=dilation, groups=group)
    if lo == hi == padding:
        return y
    return padded(y, [max(-a, 0) for a in lo], [max(-b, 0) for b in hi]).slice(
        start=[0, 0, *[max(a, 0) for a in lo]], stop=[*y.shape[:2], *[max(a, 0) + whole[i] + more[i] - lo[i] - hi[i] for i, a in enumerate(lo)]])


def in_tensor(index, sizes, order):
    """Places in planes as places in the whole of [N, C, sizes], whose planes lie column after column if order is 1."""
    plane = math.prod(sizes)
    if order:
        index = index.mod(sizes[-1]) * sizes[0] + index.floor_div(sizes[-1])
    first = index.c.arange(stop=float(index.shape[0] * index.shape[1])) * plane
    return index + first.reshape(shape=[*index.shape[:2], *[1] * len(sizes)])


def without_border(index, sizes, lo, hi):
    """Places in planes with a border as places in those without."""
    place = 0
    for a in range(len(sizes)):
        wide = math.prod(d + p + q for d, p, q in list(zip(sizes, lo, hi))[a + 1:])
        place = (index.floor_div(wide) - lo[a]) * math.prod(sizes[a + 1:]) + place
        index = index.mod(wide)
    return place


@op("MaxPool")
def max_pool(n, x, kernel_shape, strides=None, dilations=None, pads=None, ceil_mode=0, storage_order=0, auto_pad="NOTSET"):
    r, sizes = x.ndim - 2, x.shape[2:]
    stride, dilation = strides or [1] * r, dilations or [1] * r
    lo, hi = borders(auto_pad, pads, sizes, kernel_shape, stride, dilation)
    plain = lo == hi and all(2 * p <= k for p, k in zip(lo, kernel_shape))
    low = -math.inf if x.dtype[0] in "fb" else 0.0 if x.dtype[0] == "u" else -128.0
    y, index = n.c.call(by_rank(x, "max_pool"), x if plain else padded(x, lo, hi, low), kernel_size=kernel_shape, stride=stride,
                        padding=lo if plain else [0] * r, dilation=dilation, ceil_mode=bool(ceil_mode))
    return y, in_tensor(index if plain else without_border(index, sizes, lo, hi), sizes, storage_order)


@op("AveragePool")
def average_pool(n, x, kernel_shape, strides=None, pads=None, dilations=None, ceil_mode=0, count_include_pad=0, auto_pad="NOTSET"):
    r = x.ndim - 2
    if dilations and max(dilations) > 1:
        raise Absent("avg_pool with dilation")
    stride = strides or [1] * r
    lo, hi = borders(auto_pad, pads, x.shape[2:], kernel_shape, stride, [1] * r)

    def mean(y, padding):
        return n.c.call(by_rank(x, "avg_pool"), y, kernel_size=kernel_shape, stride=stride, padding=padding, ceil_mode=bool(ceil_mode), count_include_pad=bool(count_include_pad))
    if lo == hi and all(2 * p <= k for p, k in zip(lo, kernel_shape)):
        return mean(x, lo)
    y = mean(padded(x, lo, hi), [0] * r)
    return y if count_include_pad else y / mean(padded(x.ones_like(), lo, hi), [0] * r)


@op("LpPool")
def lp_pool(n, x, kernel_shape, p=2, strides=None, pads=None, dilations=None, ceil_mode=0, auto_pad="NOTSET"):
    r = x.ndim - 2
    if dilations and max(dilations) > 1:
        raise Absent("lp_pool with dilation")
    lo, hi = borders(auto_pad, pads, x.shape[2:], kernel_shape, strides or [1] * r, [1] * r)
    return n.c.call(by_rank(x, "lp_pool"), padded(x.abs(), lo, hi), norm_type=float(p), kernel_size=kernel_shape, stride=strides or [1] * r, ceil_mode=bool(ceil_mode))


@op("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(n, x, p=2):
    axes = list(range(2, x.ndim))
    if n.op == "GlobalLpPool":
        return x.vector_norm(ord=float(p), axes=axes, keepdim=True)
    return x.mean(axes=axes, keepdim=True) if n.op == "GlobalAveragePool" else x.max(axes=axes, keepdim=True)


@op("MaxUnpool")
def max_unpool(n, x, index, output_shape=None, kernel_shape=None, strides=None, pads=None):
    r = x.ndim - 2
    stride, (lo, hi) = strides or [1] * r, borders("NOTSET", pads, None, kernel_shape, None, None)
    sizes = [(d - 1) * s + k - p - q for d, s, k, p, q in zip(x.shape[2:], stride, kernel_shape, lo, hi)]
    index = index.mod(math.prod(sizes))  # in the plane
    if lo == hi:
        y = n.c.call(by_rank(x, "max_unpool"), x, index, kernel_size=kernel_shape, stride=stride, padding=lo)
    else:
        y = n.c.call(by_rank(x, "max_unpool"), x, index, kernel_size=kernel_shape, stride=stride, output_size=sizes)
    return y if output_shape is None else padded(y, [0] * r, [b - a for a, b in zip(sizes, n.ints(output_shape)[2:])])


@op("Col2Im")
def col2im(n, x, image, block, dilations=None, pads=None, strides=None):
    r = image.shape[0]
    if r != 2 or (pads and pads[:2] != pads[2:]):
        raise Absent("fold of other than two axes, or with different borders")
    return x.fold(output_size=n.ints(image), kernel_size=n.ints(block), dilation=dilations or [1] * r, padding=pads[:r] if pads else [0] * r, stride=strides or [1] * r)


# ---- norms

@op("BatchNormalization")
def batch_norm(n, x, scale, bias, mean, var, epsilon=1e-5, momentum=0.9, training_mode=0, **old):
    y = x.batch_norm(mean, var, scale, bias, training=bool(training_mode), momentum=1 - momentum, eps=epsilon)
    if not training_mode:
        return y[0]
    own = x.var(axes=[a for a in range(x.ndim) if a != 1], correction=0)  # braze's, PyTorch's, is over one less
    return y[0], y[1], var * momentum + own * (1 - momentum)


@op("InstanceNormalization")
def instance_norm(n, x, scale, bias, epsilon=1e-5):
    return x.instance_norm(None, None, scale, bias, eps=epsilon)[0]


@op("GroupNormalization")
def group_norm(n, x, scale, bias, num_groups, epsilon=1e-5, stash_type=1):
    if n.opset < 21:  # a number for each group
        scale, bias = (v.repeat_interleave(repeats=[x.shape[1] // num_groups]) for v in (scale, bias))
    return x.group_norm(scale, bias, num_groups=num_groups, eps=epsilon)


@op("LayerNormalization")
def layer_norm(n, x, scale, bias=None, axis=-1, epsilon=1e-5, stash_type=1):
    axes = list(range(axis % x.ndim, x.ndim))
    var, mean = x.var_mean(axes=axes, keepdim=True, correction=0)
    return x.layer_norm(scale, bias, ndims=len(axes), eps=epsilon), mean, (var + epsilon).rsqrt()


@op("RMSNormalization")
def rms_norm(n, x, scale, axis=-1, epsilon=1e-5, stash_type=1):
    axis, shape = axis % x.ndim, list(x.shape)
    return x.reshape(shape=[*shape[:axis], -1]).rms_norm(scale.ravel(), eps=epsilon).reshape(shape=shape)


@op("MeanVarianceNormalization")
def mean_variance(n, x, axes=None):
    var, mean = x.var_mean(axes=axes or [0, 2, 3], keepdim=True, correction=0)
    return (x - mean) / (var.sqrt() + 1e-9)


@op("LRN")
def lrn(n, x, size, alpha=1e-4, beta=0.75, bias=1.0):
    return x.local_response_norm(size=size, alpha=alpha, beta=beta, k=bias)


@op("LpNormalization")
def lp_normalization(n, x, p=2, axis=-1):
    return x.normalize(p=float(p), axis=axis, eps=0.0)


@op("Dropout")
def dropout(n, x, ratio=None, training=None, **attributes):
    if training is not None and n.number(training) and (ratio is None or n.number(ratio)):
        raise Absent("Dropout: random numbers of another generator")
    return x.copy(), x.ones_like().cast(dtype="bool")


# ---- losses

@op("NegativeLogLikelihoodLoss")
def nll_loss(n, x, target, weight=None, ignore_index=None, reduction="mean"):
    return x.nll_loss(target, weight, ignore_index=ignore_index, reduction=reduction)


@op("SoftmaxCrossEntropyLoss")
def cross_entropy(n, x, target, weight=None, ignore_index=None, reduction="mean"):
    return x.cross_entropy(target, weight, ignore_index=ignore_index, reduction=reduction), x.log_softmax(axis=1)


# ---- images

@op("GridSample")
def grid_sample(n, x, grid, mode="bilinear", padding_mode="zeros", align_corners=0):
    return x.grid_sample(grid, mode={"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode), padding_mode=padding_mode, align_corners=bool(align_corners))


@op("AffineGrid")
def affine_grid(n, theta, size, align_corners=0):
    return theta.affine_grid(size=n.ints(size), align_corners=bool(align_corners))


@op("Upsample")
def upsample(n, x, scales=None, mode="nearest", **old):
    scales = scales.numpy() if scales is not None else old["scales"]
    return resized(x, [math.floor(d * s) for d, s in zip(x.shape, scales)], mode, False)


def resized(x, sizes, mode, corners, scale=None):
    """At sizes, or at `scale` times those of x, which says where elements lie even if the sizes are rounded."""
    axes = [a for a, (d, m) in enumerate(zip(x.shape, sizes)) if d != m or a >= 2]
    if axes[0] < 2:
        raise Absent("interpolate of other axes than the last ones")
    r = x.ndim - 2
    mode = {"linear": ["linear", "bilinear", "trilinear"][r - 1], "cubic": "bicubic"}.get(mode, mode)
    size = {"size": sizes[2:]} if scale is None else {"scale_factor": scale}
    return x.interpolate(**size, mode=mode, align_corners=corners)


@op("Resize")
def resize(n, x, roi=None, scales=None, sizes=None, mode="nearest", coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_floor", cubic_coeff_a=-0.75, exclude_outside=0,
           extrapolation_value=0.0, antialias=0, axes=None, keep_aspect_ratio_policy="stretch"):
    scales = scales.numpy() if scales is not None and scales.shape[0] else None
    wanted = [math.floor(d * s) for d, s in zip(x.shape, scales)] if scales is not None else n.ints(sizes)
    way = coordinate_transformation_mode
    exact = scales is None or all(d * s == w for d, s, w in zip(x.shape, scales, wanted))
    plain = exclude_outside == 0 and cubic_coeff_a == -0.75 and not antialias and axes is None and keep_aspect_ratio_policy == "stretch"
    if mode == "nearest" and way == "asymmetric" and nearest_mode == "floor":
        return resized(x, wanted, "nearest", False)
    ties = any((2 * i + 1) * d % (2 * m) == 0 for d, m in zip(x.shape, wanted) for i in range(m))
    if mode == "nearest" and way == "half_pixel" and exact and (nearest_mode == "round_prefer_ceil" or nearest_mode == "round_prefer_floor" and not ties):
        return resized(x, wanted, "nearest-exact", False)
    way = "half_pixel" if way == "pytorch_half_pixel" and min(wanted[2:]) > 1 else way  # not PyTorch's, of one element
    if mode != "nearest" and plain and exact and way in ("half_pixel", "align_corners"):
        return resized(x, wanted, mode, way == "align_corners")
    if mode != "nearest" and plain and way == "half_pixel" and len(set(scales[2:])) == 1:
        return resized(x, wanted, mode, False, float(scales[2]))
    raise Absent(f"interpolate has no such {mode} ({way}{f', {nearest_mode}' if mode == 'nearest' else ', a scale that is not that of the sizes' if not exact else ''}"
                 f"{'' if plain or mode == 'nearest' else ', other weights or axes'})")


@op("RoiAlign", "NonMaxSuppression")
def detection(n, *_, **__):
    raise Absent(f"no {n.op}: an op of torchvision")
