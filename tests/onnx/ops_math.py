"""ops_math.py - ONNX's ops of elements, reductions and products in braze."""
import functools

from reader import OPS, Absent, dtype, op

UNARY = """Abs=abs Acos=acos Acosh=acosh Asin=asin Asinh=asinh Atan=atan Atanh=atanh BitwiseNot=bitwise_not Ceil=ceil Cos=cos Cosh=cosh Det=det Erf=erf Exp=exp Floor=floor
    HardSwish=hardswish Identity=copy IsNaN=isnan Log=log Mish=mish Neg=neg Not=logical_not Reciprocal=reciprocal Relu=relu Round=round Sigmoid=sigmoid Sign=sign Sin=sin
    Sinh=sinh Softplus=softplus Softsign=softsign Sqrt=sqrt Tan=tan Tanh=tanh"""
BINARY = """Add=add And=logical_and BitwiseAnd=bitwise_and BitwiseOr=bitwise_or BitwiseXor=bitwise_xor Equal=eq Greater=gt GreaterOrEqual=ge Less=lt LessOrEqual=le MatMul=matmul
    Mul=mul Or=logical_or Sub=sub Xor=logical_xor"""


def placed(x, y, broadcast=0, axis=None):
    """y where it broadcasts with x; before opset 7 its first axis may be another one of x's."""
    return y if axis is None else y.reshape(shape=[*y.shape, *[1] * (x.ndim - axis % x.ndim - y.ndim)])


for row in UNARY.split():
    name, braze = row.split("=")
    OPS[name] = lambda n, x, braze=braze, **_: n.c.call(braze, x)
for row in BINARY.split():
    name, braze = row.split("=")
    OPS[name] = lambda n, x, y, braze=braze, **old: n.c.call(braze, x, placed(x, y, **old))


@op("Div")
def div(n, x, y, **old):
    y = placed(x, y, **old)
    return x / y if x.dtype[0] in "fb" else x.divide(y, rounding_mode="trunc")


@op("Pow")
def power(n, x, y):
    return (x ** y).cast(dtype=x.dtype)


@op("Mod")
def mod(n, x, y, fmod=0):
    return x.fmod(y) if fmod else x.mod(y)


@op("BitShift")
def bit_shift(n, x, y, direction):
    return x.left_shift(y) if direction == "LEFT" else x.logical_right_shift(y)


@op("Max", "Min", "Sum", "Mean")
def many(n, *x):
    name = {"Max": "maximum", "Min": "minimum", "Sum": "add", "Mean": "add"}[n.op]
    y = functools.reduce(getattr(n.c, name), x)
    return y / len(x) if n.op == "Mean" else y.copy()


@op("Clip")
def clip(n, x, low=None, high=None, min=None, max=None):
    low, high = (low if low is not None else min), (high if high is not None else max)
    x = x if low is None else x.maximum(low)
    return x if high is None else x.minimum(high)


@op("Cast")
def cast(n, x, to, saturate=1):
    return x.cast(dtype=dtype(to))


@op("CastLike")
def cast_like(n, x, like, saturate=1):
    return x.cast(dtype=like.dtype)


@op("IsInf")
def is_inf(n, x, detect_negative=1, detect_positive=1):
    both = x.isinf()
    return both if detect_negative and detect_positive else x.isposinf() if detect_positive else x.isneginf() if detect_negative else both & False


@op("Where")
def where(n, p, x, y):
    return n.c.where(p, x, y)


# ---- activations

@op("Celu")
def celu(n, x, alpha=1.0):
    return x.celu(alpha=alpha)


@op("Elu")
def elu(n, x, alpha=1.0):
    return x.elu(alpha=alpha)


@op("Selu")
def selu(n, x, alpha=None, gamma=None):
    return x.selu() if alpha is None and gamma is None else x.elu(alpha=alpha) * gamma


@op("Gelu")
def gelu(n, x, approximate="none"):
    return x.gelu(tanh=approximate == "tanh")


@op("LeakyRelu")
def leaky_relu(n, x, alpha=0.01):
    return x.leaky_relu(negative_slope=alpha)


@op("ThresholdedRelu")
def thresholded_relu(n, x, alpha=1.0):
    return x.threshold(threshold=alpha, value=0.0)


@op("HardSigmoid")
def hard_sigmoid(n, x, alpha=0.2, beta=0.5):
    return (x * alpha + beta).clamp(0.0, 1.0)


@op("Shrink")
def shrink(n, x, bias=0.0, lambd=0.5):
    if bias in (0.0, lambd):
        return x.softshrink(lambd=lambd) if bias else x.hardshrink(lambd=lambd)
    return n.c.where(x < -lambd, x + bias, n.c.where(x > lambd, x - bias, x * 0.0))


@op("PRelu")
def prelu(n, x, slope):
    if n.opset < 7:  # one number, or one for each channel
        return x.prelu(slope)
    return n.c.where(x < 0, x * slope, x)


@op("Softmax", "LogSoftmax", "Hardmax")
def softmax(n, x, axis=None):
    axis, shape = axis if axis is not None else -1 if n.opset >= 13 else 1, x.shape
    if n.opset < 13:  # all axes from this one on are one
        x, axis = x.reshape(shape=[*shape[:axis], -1]), axis % len(shape)
    if n.op == "Hardmax":
        y = x.argmax(axes=[axis]).one_hot(classes=x.shape[axis]).cast(dtype=x.dtype)
        y = y.movedim(**{"from": [-1], "to": [axis]})
    else:
        y = getattr(x, {"Softmax": "softmax", "LogSoftmax": "log_softmax"}[n.op])(axis=axis)
    return y.reshape(shape=list(shape))


# ---- reductions

@op("ArgMax", "ArgMin")
def arg(n, x, axis=0, keepdims=1, select_last_index=0):
    size = x.shape[axis]
    x = x.flip(axes=[axis]) if select_last_index else x
    y = getattr(x, n.op.lower())(axes=[axis], keepdim=bool(keepdims))
    return size - 1 - y if select_last_index else y


REDUCTIONS = {
    "ReduceL1": lambda x, **a: x.vector_norm(ord=1.0, **a),
    "ReduceL2": lambda x, **a: x.vector_norm(ord=2.0, **a),
    "ReduceLogSum": lambda x, **a: x.sum(**a).log(),
    "ReduceLogSumExp": lambda x, **a: x.logsumexp(**a),
    "ReduceMax": lambda x, **a: x.max(**a),
    "ReduceMean": lambda x, **a: x.mean(**a),
    "ReduceMin": lambda x, **a: x.min(**a),
    "ReduceProd": lambda x, **a: x.prod(**a),
    "ReduceSum": lambda x, **a: x.sum(**a),
    "ReduceSumSquare": lambda x, **a: x.square().sum(**a),
}


@op(*REDUCTIONS)
def reduction(n, x, which=None, axes=None, keepdims=1, noop_with_empty_axes=0):
    axes = n.ints(which) if which is not None else axes
    if not axes and noop_with_empty_axes:
        return x.copy()
    given = {"axes": axes} if axes else {}
    return REDUCTIONS[n.op](x, keepdim=bool(keepdims), **given).cast(dtype=x.dtype)


@op("CumSum")
def cum_sum(n, x, axis, exclusive=0, reverse=0):
    return x.cumsum(axis=n.int(axis), exclusive=bool(exclusive), reverse=bool(reverse)).cast(dtype=x.dtype)


@op("TopK")
def top_k(n, x, k=None, axis=-1, largest=1, sorted=1, **attributes):
    return x.topk(k=n.int(k) if k is not None else attributes["k"], axis=axis, smallest=not largest)


@op("Unique")
def unique(n, x, axis=None, sorted=1):
    """Rows along an axis are numbered by their columns, one after the other: of equal numbers so far, equal elements keep the number equal."""
    rows = x.reshape(shape=[-1, 1]) if axis is None else x.movedim(**{"from": [axis], "to": [0]})
    shape = list(rows.shape)
    flat = rows.reshape(shape=[shape[0], -1])
    number = n.c.zeros(shape=[shape[0]], dtype="i64")
    for column in flat.unbind(axis=1):
        values, inverse, _ = column.unique()
        _, number, counts = (number * values.shape[0] + inverse).unique()
    count = counts.shape[0]
    first = n.c.full(shape=[count], value=float(shape[0]), dtype="i64").scatter_amin(number, n.c.arange(stop=float(shape[0])))
    if not sorted:
        order = first.argsort()
        place = order.argsort()
        first, counts, number = first.gather(order), counts.gather(order), place.gather(number)
    values = rows.gather(first)
    values = values.reshape(shape=[-1]) if axis is None else values.movedim(**{"from": [0], "to": [axis]})
    return values, first, number, counts


# ---- products

@op("Gemm")
def gemm(n, a, b, c=None, alpha=1.0, beta=1.0, transA=0, transB=0, broadcast=1):
    a, b = a.t() if transA else a, b.t() if transB else b
    return a.mm(b) * alpha if c is None else n.c.addmm(c, a, b, alpha=alpha, beta=beta)


@op("Einsum")
def einsum(n, *x, equation):
    return n.c.einsum(*x, equation=equation)


# ---- random numbers, which nobody else draws so

@op("Bernoulli", "RandomUniformLike", "RandomNormalLike", "RandomUniform", "RandomNormal", "Multinomial")
def drawn(n, *_, **__):
    raise Absent(f"{n.op}: random numbers of another generator")
