"""ops_quant.py - ONNX's ops on 8-bit integers with scales in braze."""
from ops_nn import conv
from reader import dtype, op

RANGES = {"u8": (0.0, 255.0), "i8": (-128.0, 127.0), "u16": (0.0, 65535.0), "i16": (-32768.0, 32767.0)}


def beside(x, v, axis, block=0):
    """v, one number or one for each place of an axis, or for `block` places of it, so that it broadcasts with x."""
    if block and v.ndim == x.ndim:
        return v.repeat_interleave(repeats=[block], axis=axis).narrow(axis=axis, start=0, length=x.shape[axis])
    return v if v.ndim == 0 or v.shape == (1,) else v.reshape(shape=[-1 if a == axis % x.ndim else 1 for a in range(x.ndim)])


def quantized(x, scale, zero, made):
    low, high = RANGES[made]
    y = (x / scale).round()
    return (y if zero is None else y + zero.cast(dtype="f32")).clamp(low, high).cast(dtype=made)


def centred(x, zero):
    return x.cast(dtype="i32") if zero is None else x.cast(dtype="i32") - zero.cast(dtype="i32")


@op("QuantizeLinear")
def quantize(n, x, scale, zero=None, axis=1, saturate=1, block_size=0, output_dtype=0):
    made = zero.dtype if zero is not None else dtype(output_dtype) if output_dtype else "u8"
    return quantized(x, beside(x, scale, axis, block_size), None if zero is None else beside(x, zero, axis, block_size), made)


@op("DequantizeLinear")
def dequantize(n, x, scale, zero=None, axis=1, block_size=0):
    return centred(x, None if zero is None else beside(x, zero, axis, block_size)).cast(dtype=scale.dtype) * beside(x, scale, axis, block_size)


@op("DynamicQuantizeLinear")
def dynamic_quantize(n, x):
    low, high = x.min().minimum(0.0), x.max().maximum(0.0)
    scale = (high - low) / 255.0
    zero = (-low / scale).round().clamp(0.0, 255.0).cast(dtype="u8")
    return quantized(x, scale, zero, "u8"), scale, zero


@op("MatMulInteger")
def matmul_integer(n, a, b, azero=None, bzero=None):
    return centred(a, azero).matmul(centred(b, bzero))


@op("ConvInteger")
def conv_integer(n, x, w, xzero=None, wzero=None, **attributes):
    return conv(n, centred(x, xzero), centred(w, wzero if wzero is None else beside(w, wzero, 0)), **attributes)


@op("QLinearMatMul")
def qlinear_matmul(n, a, ascale, azero, b, bscale, bzero, yscale, yzero):
    y = centred(a, azero).matmul(centred(b, bzero)).cast(dtype="f32") * (ascale * bscale)
    return quantized(y, yscale, yzero, yzero.dtype)


@op("QLinearConv")
def qlinear_conv(n, x, xscale, xzero, w, wscale, wzero, yscale, yzero, bias=None, **attributes):
    y = conv(n, centred(x, xzero), centred(w, beside(w, wzero, 0)), bias, **attributes).cast(dtype="f32")
    return quantized(y * (xscale * beside(y, wscale, 1)), yscale, yzero, yzero.dtype)
