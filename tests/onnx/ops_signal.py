"""ops_signal.py - Fourier transforms of ONNX by products with complex matrices, which is what braze has for small ones; its steps of optimisers."""
import math

from reader import op


def waves(c, rows, columns, inverse):
    """e^(+-2 pi i r k / columns), [columns, rows]."""
    k, r = c.arange(stop=float(columns)).unsqueeze(axis=1), c.arange(stop=float(rows))
    angle = (k * r).mod(columns).cast(dtype="f64") * ((2 if inverse else -2) * math.pi / columns)
    return angle.ones_like().polar(angle)


def fourier(x, axis, size, inverse, rows):
    """Of complex x along an axis, cut or filled with zeros to a size; `rows` first results."""
    x = x.movedim(**{"from": [axis], "to": [x.ndim - 1]})
    x = x.narrow(axis=-1, start=0, length=min(size, x.shape[-1])).cast(dtype="c128")
    x = x.pad(lo=[0] * x.ndim, hi=[0] * (x.ndim - 1) + [size - x.shape[-1]])
    y = x.matmul(waves(x.c, rows, size, inverse))
    y = y / float(size) if inverse else y
    return y.movedim(**{"from": [y.ndim - 1], "to": [axis]})


def complex_of(x):
    """[..., 1] or [..., 2] -> complex [...]"""
    re = x.select(axis=-1, index=0)
    return re.complex(x.select(axis=-1, index=1) if x.shape[-1] == 2 else re.zeros_like())


@op("DFT")
def dft(n, x, length=None, where=None, axis=None, inverse=0, onesided=0):
    axis = n.int(where) if where is not None else axis if axis is not None else 1 if n.opset < 20 else -2
    axis = axis % x.ndim if axis < 0 else axis
    size = n.int(length) if length is not None else x.shape[axis]
    y = fourier(complex_of(x), axis, size, inverse, size // 2 + 1 if onesided else size)
    return y.view_as_real().cast(dtype=x.dtype)


@op("STFT")
def stft(n, x, step, window=None, length=None, onesided=1):
    size = n.int(length) if length is not None else window.shape[0]
    x = complex_of(x if x.ndim == 3 else x.unsqueeze(axis=2)).sliding_window_view(size=size, axis=1, step=n.int(step))
    x = x * window if window is not None else x
    return fourier(x, 2, size, 0, size // 2 + 1 if onesided else size).view_as_real().cast(dtype="f32")


@op("MelWeightMatrix")
def mel_weights(n, bins, length, rate, low, high, output_datatype=1):
    """Triangles between whole places of the spectrum, their tops equally apart in mel."""
    count, size, rate, low, high = n.int(bins), n.int(length), n.int(rate), n.number(low), n.number(high)
    low, high = (2595 * math.log10(1 + f / 700) for f in (low, high))
    mel = n.c.arange(stop=float(count + 2), dtype="f64") * ((high - low) / (count + 2)) + low
    place = (((mel / 2595 * math.log(10)).exp() - 1) * 700 * (size + 1) / rate).floor().cast(dtype="i64")
    left, top, right = (place.narrow(axis=0, start=i, length=count).cast(dtype="f64") for i in range(3))
    k = n.c.arange(stop=float(size // 2 + 1), dtype="f64").unsqueeze(axis=1)
    rise = n.c.where(top > left, (k - left) / n.c.where(top > left, top - left, 1.0), 1.0)
    fall = n.c.where(right > top, (right - k) / n.c.where(right > top, right - top, 1.0), 0.0)
    here = n.c.where(k.eq(top) | ((k >= left) & (k < top)), rise, n.c.where((k >= top) & (k < right), fall, 0.0))
    return here.cast(dtype="f32")


# ---- steps: x in groups of n parameters, gradients and what is kept

def groups(x, kinds):
    count = len(x) // kinds
    return [[x[k * count + i] for k in range(kinds)] for i in range(count)]


def flat(results):
    return tuple(r for kind in zip(*results) for r in kind)


@op("Momentum")
def momentum(n, rate, t, *x, alpha, beta, mode, norm_coefficient):
    out = []
    for p, g, v in groups(x, 3):
        g = p * norm_coefficient + g
        v = v * alpha + g * (beta if n.int(t) else 1.0)
        out.append((p - rate * (g + v * alpha if mode == "nesterov" else v), v))
    return flat(out)


@op("Adagrad")
def adagrad(n, rate, t, *x, decay_factor=0.0, epsilon=0.0, norm_coefficient=0.0):
    rate, out = rate / (1 + n.int(t) * decay_factor), []
    for p, g, h in groups(x, 3):
        g = p * norm_coefficient + g
        h = h + g.square()
        out.append((p - rate * g / (h.sqrt() + epsilon), h))
    return flat(out)


@op("Adam")
def adam(n, rate, t, *x, alpha=0.9, beta=0.999, epsilon=0.0, norm_coefficient=0.0, norm_coefficient_post=0.0):
    t, out = n.int(t), []
    rate = rate * (math.sqrt(1 - beta**t) / (1 - alpha**t)) if t else rate
    for p, g, v, h in groups(x, 4):
        g = p * norm_coefficient + g
        v, h = v * alpha + g * (1 - alpha), h * beta + g.square() * (1 - beta)
        out.append(((p - rate * v / (h.sqrt() + epsilon)) * (1 - norm_coefficient_post), v, h))
    return flat(out)
