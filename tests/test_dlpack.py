#!/usr/bin/python3
"""test_dlpack.py - DLPack with NumPy: its arrays as tensors and tensors as its arrays, without a copy, through the C library alone.

    test_dlpack.py"""
import ctypes
import gc
import os
import sys

import numpy as np

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
b = ctypes.CDLL(os.environ.get("BRAZE_LIB", "build/libbraze.so"))
py = ctypes.pythonapi
P = ctypes.c_void_p
py.PyCapsule_New.restype, py.PyCapsule_New.argtypes = ctypes.py_object, [P, ctypes.c_char_p, P]
py.PyCapsule_GetPointer.restype, py.PyCapsule_GetPointer.argtypes = P, [ctypes.py_object, ctypes.c_char_p]
py.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]
for name, args in {"from_dlpack_legacy_at": [P, P, P], "to_dlpack_legacy": [P], "neg_at": [P, P], "copy_at": [P, P],
                   "transpose_at": [P, ctypes.c_int, ctypes.c_int, P], "message": [P]}.items():
    f = getattr(b, "bz_" + name)
    f.restype, f.argtypes = P, args
b.bz_to_host.argtypes = [P, P, ctypes.c_size_t]
b.bz_release.argtypes = b.bz_flush.argtypes = b.bz_close.argtypes = [P]
USED = ctypes.create_string_buffer(b"used_dltensor")  # a capsule keeps the pointer to its name


class Array:
    """What NumPy asks for an array: a tensor."""

    def __init__(self, x):
        self.x = x

    def __dlpack__(self, stream=None):
        return py.PyCapsule_New(b.bz_to_dlpack_legacy(self.x), b"dltensor", None)

    def __dlpack_device__(self):
        return 1, 0


def tensor(c, a):
    capsule = a.__dlpack__()
    x = b.bz_from_dlpack_legacy_at(c, py.PyCapsule_GetPointer(capsule, b"dltensor"), None)
    py.PyCapsule_SetName(capsule, ctypes.addressof(USED) and USED)
    return x


def main():
    py.PyCapsule_SetName.argtypes = [ctypes.py_object, P]
    c = P()
    assert b.bz_open(None, ctypes.byref(c)) == 0
    passed = failed = 0

    def check(what, good):
        nonlocal passed, failed
        passed, failed = passed + bool(good), failed + (not good)
        if not good:
            print(f"{what}: wrong; {ctypes.string_at(b.bz_message(c))}")

    n = np.random.RandomState(1)
    for dtype in ("f4", "f8", "f2", "i1", "u1", "i2", "i4", "i8", "u2", "u4", "u8", "c8", "c16"):
        base = n.randint(0, 100, (6, 8, 3)).astype(dtype)
        if dtype[0] == "c":
            base *= 1 + 2j
        for view in (base, base[1], base.T, base[::-1], base[1::2, ::-3, 1:], base[2, 3, 1:2].reshape(()), base[:0], base[:, 2:3].swapaxes(0, 1)):
            x = tensor(c, view)
            got = np.from_dlpack(Array(x))
            check(f"{dtype} {view.shape} {view.strides}", got.dtype == view.dtype and got.shape == view.shape and (got == view).all())
            check("one memory", view.size == 0 or got.__array_interface__["data"][0] == view.__array_interface__["data"][0])
            y = b.bz_transpose_at(b.bz_copy_at(x, None), 0, -1, None) if view.ndim else x
            got = np.from_dlpack(Array(y))
            check("computed", (got == (view.swapaxes(0, -1) if view.ndim else view)).all())
            b.bz_release(x)
    # an array lives as long as a tensor looks at it, a tensor's memory as long as an array does
    a = np.arange(1000.0)
    before = sys.getrefcount(a)
    x = tensor(c, a)
    check("held", sys.getrefcount(a) == before + 1)
    b.bz_release(x)
    gc.collect()
    check("let go", sys.getrefcount(a) == before)
    got = np.from_dlpack(Array(b.bz_neg_at(tensor(c, a), None)))
    b.bz_close(c)
    check("after the context", (got == -a).all() and sys.getrefcount(a) == before)
    del got
    gc.collect()
    print(f"{passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
