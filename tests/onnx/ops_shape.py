"""ops_shape.py - ONNX's ops that make, move, pick and place elements in braze."""
import math

import numpy as np

from bindings import OPEN
from reader import Absent, op
from reader import dtype as dtype_of


def moved(x, a, b):
    return x.movedim(**{"from": [a], "to": [b]})


# ---- made

@op("Constant")
def constant(n, value=None, value_float=None, value_int=None, value_floats=None, value_ints=None, **strings):
    if strings:
        raise Absent("string is no dtype")
    if value is not None:
        return n.tensor(value)
    number = next(v for v in (value_float, value_int, value_floats, value_ints) if v is not None)
    return n.c.tensor(np.array(number, "f4" if value_float is not None or value_floats is not None else "i8"))


@op("ConstantOfShape")
def constant_of_shape(n, shape, value=None):
    x = n.tensor(value) if value is not None else n.c.zeros(shape=[1])
    return x.expand(shape=n.ints(shape)) if shape.shape[0] else x.reshape(shape=[])


@op("EyeLike")
def eye_like(n, x, dtype=None, k=0):
    rows, columns = x.shape
    name = dtype_of(dtype) if dtype is not None else x.dtype
    i, j = n.c.arange(stop=float(rows)), n.c.arange(stop=float(columns))
    return (i.unsqueeze(axis=1) + k).eq(j).cast(dtype=name)


@op("Range")
def arange(n, start, limit, delta):
    return n.c.arange(start=n.number(start), stop=n.number(limit), step=n.number(delta), dtype=start.dtype)


@op("HannWindow", "HammingWindow", "BlackmanWindow")
def window(n, size, output_datatype=1, periodic=1):
    name, more = {"HannWindow": ("hann_window", {}), "HammingWindow": ("hamming_window", {"alpha": 25 / 46, "beta": 21 / 46}), "BlackmanWindow": ("blackman_window", {})}[n.op]
    return n.c.call(name, n=n.int(size), periodic=bool(periodic), dtype=dtype_of(output_datatype), **more)


@op("Shape")
def shape(n, x, start=0, end=None):
    return n.c.tensor(np.array(x.shape[start:end], "i8"))


@op("Size")
def size(n, x):
    return n.c.tensor(np.prod(x.shape, dtype="i8"))


# ---- moved

@op("Reshape")
def reshape(n, x, sizes=None, allowzero=0, shape=None):
    sizes = n.ints(sizes) if sizes is not None else shape
    return x.reshape(shape=[x.shape[i] if d == 0 and not allowzero else d for i, d in enumerate(sizes)])


@op("Flatten")
def flatten(n, x, axis=1):
    return x.reshape(shape=[math.prod(x.shape[:axis]), -1])


@op("Squeeze")
def squeeze(n, x, which=None, axes=None):
    axes = n.ints(which) if which is not None else axes
    axes = [a % x.ndim for a in axes] if axes is not None else [a for a, d in enumerate(x.shape) if d == 1]
    for a in sorted(axes, reverse=True):
        x = x.squeeze(axis=a)
    return x


@op("Unsqueeze")
def unsqueeze(n, x, which=None, axes=None):
    axes = n.ints(which) if which is not None else axes
    rank = x.ndim + len(axes)
    for a in sorted(a % rank for a in axes):
        x = x.unsqueeze(axis=a)
    return x


@op("Transpose")
def transpose(n, x, perm=None):
    return x.permute(perm=perm if perm is not None else list(range(x.ndim))[::-1])


@op("Expand")
def expand(n, x, sizes):
    return n.c.broadcast_tensors(x, n.c.zeros(shape=n.ints(sizes)))[0]


@op("Tile")
def tile(n, x, repeats):
    return x.repeat(sizes=n.ints(repeats))


@op("Concat")
def concat(n, *x, axis=1):
    return n.c.concat(*x, axis=axis)


@op("Slice")
def slice_(n, x, *given, starts=None, ends=None, axes=None):
    starts, ends, axes, steps = [*map(n.ints, given), None, None][:4] if given else (starts, ends, axes, None)
    axes = axes if axes is not None else list(range(len(starts)))
    start, stop, step = [OPEN] * x.ndim, [OPEN] * x.ndim, [1] * x.ndim
    for i, a in enumerate(axes):
        start[a], stop[a], step[a] = starts[i], ends[i], steps[i] if steps is not None else 1
    return x.slice(start=start, stop=stop, step=step)


@op("Split")
def split(n, x, sizes=None, axis=0, split=None, num_outputs=None):
    sizes, count = n.ints(sizes) if sizes is not None else split, n.outputs
    if sizes is None:
        each = -(-x.shape[axis] // count)
        sizes = [each] * (count - 1) + [x.shape[axis] - each * (count - 1)]
    return tuple(x.split(sizes=sizes, axis=axis))


@op("Pad")
def pad(n, x, *given, mode="constant", pads=None, value=0.0):
    sizes, fill, which = [*given, None, None, None][:3]
    sizes = n.ints(sizes) if sizes is not None else pads
    axes = [a % x.ndim for a in n.ints(which)] if which is not None else list(range(x.ndim))
    lo, hi = [0] * x.ndim, [0] * x.ndim
    for i, a in enumerate(axes):
        lo[a], hi[a] = sizes[i], sizes[i + len(axes)]
    if mode == "constant":
        return x.pad(lo=lo, hi=hi, value=n.number(fill) if fill is not None else value)
    return getattr(x, {"reflect": "pad_reflect", "edge": "pad_replicate", "wrap": "pad_circular"}[mode])(lo=lo, hi=hi)


@op("CenterCropPad")
def center_crop_pad(n, x, sizes, axes=None):
    axes = axes if axes is not None else range(x.ndim)
    for a, want in zip(axes, n.ints(sizes)):
        have = x.shape[a]
        if want < have:
            x = x.narrow(axis=a, start=(have - want) // 2, length=want)
        else:
            lo, hi = [0] * x.ndim, [0] * x.ndim
            lo[a] = (want - have) // 2
            hi[a] = want - have - lo[a]
            x = x.pad(lo=lo, hi=hi)
    return x


@op("DepthToSpace")
def depth_to_space(n, x, blocksize, mode="DCR"):
    if mode == "CRD":
        return x.pixel_shuffle(upscale_factor=blocksize)
    b, c, h, w = x.shape
    x = x.reshape(shape=[b, blocksize, blocksize, c // blocksize**2, h, w]).permute(perm=[0, 3, 4, 1, 5, 2])
    return x.reshape(shape=[b, c // blocksize**2, h * blocksize, w * blocksize])


@op("SpaceToDepth")
def space_to_depth(n, x, blocksize):
    b, c, h, w = x.shape
    x = x.reshape(shape=[b, c, h // blocksize, blocksize, w // blocksize, blocksize]).permute(perm=[0, 3, 5, 1, 2, 4])
    return x.reshape(shape=[b, c * blocksize**2, h // blocksize, w // blocksize])


@op("Trilu")
def trilu(n, x, k=None, upper=1):
    return getattr(x, "triu" if upper else "tril")(diagonal=n.int(k) if k is not None else 0)


@op("ReverseSequence")
def reverse_sequence(n, x, lengths, batch_axis=1, time_axis=0):
    x = x if (batch_axis, time_axis) == (1, 0) else x.transpose(a=0, b=1)
    time = n.c.arange(stop=float(x.shape[0])).unsqueeze(axis=1)
    index = n.c.where(time < lengths, lengths - 1 - time, time)
    y = x.at("@, @", index, n.c.arange(stop=float(x.shape[1])))
    return y if (batch_axis, time_axis) == (1, 0) else y.transpose(a=0, b=1)


# ---- picked

@op("Gather")
def gather(n, x, index, axis=0):
    return x.gather(index, axis=axis)


@op("GatherElements")
def gather_elements(n, x, index, axis=0):
    return x.take_along_dim(index, axis=axis)


@op("GatherND")
def gather_nd(n, x, index, batch_dims=0):
    batch = [n.c.arange(stop=float(d)).reshape(shape=[-1] + [1] * (index.ndim - 2 - i)) for i, d in enumerate(x.shape[:batch_dims])]
    index = [*batch, *index.unbind(axis=-1)]
    return x.at(", ".join("@" * len(index)), *index)


@op("Compress")
def compress(n, x, condition, axis=None):
    x, axis = (x.ravel(), 0) if axis is None else (x, axis % x.ndim)
    short = x.narrow(axis=axis, start=0, length=min(condition.shape[0], x.shape[axis]))
    return short.at(":, " * axis + "@", condition)


@op("NonZero")
def non_zero(n, x):
    return x.nonzero().t()


@op("OneHot")
def one_hot(n, index, depth, values, axis=-1):
    classes = n.int(depth)
    index = index.cast(dtype="i64")
    hot = n.c.where(index < 0, index + classes, index).one_hot(classes=classes, dtype="bool")
    off, on = values.unbind(axis=0)
    return moved(n.c.where(hot, on, off), -1, axis)


# ---- placed

@op("ScatterElements", "Scatter")
def scatter_elements(n, x, index, src, axis=0, reduction="none"):
    if reduction == "none":
        return x.scatter(index, src, axis=axis)
    return x.scatter_reduce(index, src, axis=axis, reduce={"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}[reduction])


@op("ScatterND")
def scatter_nd(n, x, index, src, reduction="none"):
    parts = index.unbind(axis=-1)
    if reduction in ("none", "add"):
        return n.c.index_put(x, src, *parts, accumulate=reduction == "add")
    rest, place = list(x.shape[len(parts):]), parts[0]
    for d, part in zip(x.shape[1:], parts[1:]):
        place = place * d + part
    y = x.reshape(shape=[-1, *rest]).index_reduce(place.ravel(), src.reshape(shape=[-1, *rest]), reduce={"mul": "prod", "max": "amax", "min": "amin"}[reduction])
    return y.reshape(shape=list(x.shape))


# ---- not tensors

@op("OptionalGetElement", "OptionalHasElement", "Optional")
def optional(n, *_, **__):
    raise Absent("optional values")


@op("SequenceInsert", "SequenceEmpty", "SequenceConstruct", "SequenceMap", "SequenceLength", "SequenceAt", "SequenceErase", "SplitToSequence", "ConcatFromSequence")
def sequence(n, *_, **__):
    raise Absent("sequences of tensors")


@op("StringNormalizer", "StringConcat", "StringSplit", "RegexFullMatch", "TfIdfVectorizer", "LabelEncoder")
def text(n, *_, **__):
    raise Absent(f"no {n.op}: an op on text")
