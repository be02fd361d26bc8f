"""bindings.py - braze's C functions from Python, by what `braze ops --json` says of each: no list of ops is kept here.

    c = Context("ref")            # or "cpu", "cuda", "null"
    x = c.tensor(array)           # a copy; x.numpy() is the way back
    y = (x * 2).sum(axes=[0])     # any op as a method, attributes by name; numbers beside tensors
    v, i = x.topk(k=3)            # several results are a tuple
    z = c.full(shape=[2], value=1.0, dtype="f64")

A mistake is Refused, with braze's words. Tensors live until their scope ends: `with c.scope():`."""
import contextlib
import ctypes
import functools
import json
import os
import subprocess

import numpy as np

DTYPES = "bool u8 i8 i16 i32 i64 f16 bf16 f32 f64 u16 u32 u64 c64 c128".split()
NUMPY = dict(zip(DTYPES, "? u1 i1 i2 i4 i8 f2 u2 f4 f8 u2 u4 u8 c8 c16".split()))  # bf16: its bits
DEVICES = {"cpu": 1, "ref": 2, "null": 3, "cuda": 4}
OPEN, FLAT = -2**63, -2**31
P, INT, I64, DOUBLE = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_double
LISTS = {"ints": INT, "int64s": I64, "counts": I64, "dims": I64}
NUMBERS = {"int": INT, "natural": INT, "int64": I64, "float": DOUBLE, "number": DOUBLE, "flag": ctypes.c_bool, "text": ctypes.c_char_p}
ABSENT = {INT: FLAT, I64: OPEN, DOUBLE: float("nan")}
ROOM = 64
FUNCTION = ctypes.CFUNCTYPE(INT, P, ctypes.POINTER(P), INT, ctypes.POINTER(P), INT, P)


class Options(ctypes.Structure):
    _fields_ = [("device", INT), ("mode", INT), ("isa", INT), ("threads", INT), ("seed", ctypes.c_uint64), ("code_bytes", ctypes.c_uint64),
                ("find_nan", ctypes.c_bool), ("quiet", ctypes.c_bool), ("number", INT), ("numerics", INT)]


class CompileOptions(ctypes.Structure):
    _fields_ = [("nin", INT), ("nout", INT), ("donate", P), ("in_names", P), ("out_names", P), ("lean", ctypes.c_bool)]


class Refused(Exception):
    pass


@functools.lru_cache(None)
def library():
    lib = ctypes.CDLL(os.environ.get("BRAZE_LIB") or os.path.join(os.environ.get("BRAZE_BUILD", "build"), "libbraze.so"))
    for name, result, *args in [("open", INT, P, P), ("close", INT, P), ("message", ctypes.c_char_p, P), ("clear", None, P), ("context_status", INT, P),
                                ("scope_begin", INT, P), ("scope_end", INT, P), ("keep", P, P), ("from_data_at", P, P, INT, P, P, INT, P), ("to_host", INT, P, P, ctypes.c_size_t),
                                ("eval", INT, P, INT), ("ndim", INT, P), ("shape", ctypes.POINTER(I64), P), ("dtype_of", INT, P), ("scalar_at", P, P, DOUBLE, P),
                                ("scalar_int_at", P, P, I64, P), ("gelu_at", P, P, P), ("gelu_tanh_at", P, P, P), ("at_get_at", P, P, P, INT, ctypes.c_char_p, P),
                                ("nonzero_at", P, P, P), ("masked_select_at", P, P, P, P), ("unique_at", P, P, P, P, P), ("unique_consecutive_at", P, P, P, P, P),
                                ("grad_at", INT, P, P, INT, P, P), ("compile_at", P, P, FUNCTION, P, P, P), ("call", INT, P, P, P), ("program_free", INT, P),
                                ("cond_at", INT, P, P, FUNCTION, FUNCTION, P, P, INT, P, INT, P), ("while_at", INT, P, FUNCTION, FUNCTION, P, I64, P, INT, P, P)]:
        f = getattr(lib, "bz_" + name)
        f.restype, f.argtypes = result, args
    return lib


@functools.lru_cache(None)
def ops():
    tool = os.environ.get("BRAZE_TOOL", "build/braze")
    return {o["name"]: o for o in json.loads(subprocess.run([tool, "ops", "--json"], capture_output=True, text=True, check=True).stdout)}


class Call:
    """One C function: what becomes of operands and attributes."""

    def __init__(self, op):
        self.op, self.takes = op, op["c"]["takes"]
        self.f = getattr(library(), op["c"]["function"])
        self.operands = [o for o in op["operands"] if self.takes == "operands" or (self.takes == "drawn" and o["name"] not in ("key", "offset"))]
        self.f.restype = INT if op["many_results"] else P

    def attributes(self, given):
        """Arguments in C's order; lists that stand together have one length, behind them."""
        args, length = [], None
        for a in [*self.op["attributes"], {"type": None}]:
            if a["type"] not in LISTS and length is not None:
                args.append(INT(length))
                length = None
            if a["type"] is None:
                break
            if a["type"] in LISTS:
                v = given.pop(a["name"], None)  # NULL is the default
                length = len(v) if v is not None else length or 0
                args.append((LISTS[a["type"]] * len(v))(*v) if v is not None else P())
                continue
            v = given.pop(a["name"], a["default"])
            if a["type"] == "dtype":
                args.append(INT(DTYPES.index(v)))
            elif "words" in a:
                args.append(INT(a["words"].index(v)))
            else:
                t = NUMBERS[a["type"]]
                args.append(t(ABSENT[t] if v is None else v.encode() if t is ctypes.c_char_p else v))
        if given:
            raise TypeError(f"{self.op['name']} has no {', '.join(given)}")
        return args

    def __call__(self, c, operands, given):
        args = [] if self.operands or self.takes != "context" else [P(c.h)]
        left = list(operands)
        for o in self.operands:
            if o["many"]:
                args += [(P * len(left))(*[x.h for x in left]), INT(len(left))]
                left = []
            else:
                x = left.pop(0) if left else None
                args.append(P(None if x is None else c.operand(x).h))
        if left:
            raise TypeError(f"{self.op['name']} takes {len(self.operands)} operands")
        if self.takes == "drawn" and not self.operands:
            args.append(P(c.h))
        args += self.attributes(given)
        return self.results(c, args)

    def results(self, c, args):
        if self.op["many_results"]:
            parts = (P * ROOM)()
            n = self.f(*args, parts, INT(ROOM), None)
            c.check()
            return [Tensor(c, parts[i]) for i in range(n)]
        rest = [P() for _ in self.op["results"][1:]]
        first = self.f(*args, *map(ctypes.byref, rest), None)
        c.check()
        return tuple(Tensor(c, h) for h in [first, *(r.value for r in rest)]) if rest else Tensor(c, first)


@functools.lru_cache(None)
def call_of(name):
    return Call(ops()[name])


class Context:
    def __init__(self, device="cpu", threads=1, **options):
        h = P()
        if library().bz_open(ctypes.byref(Options(device=DEVICES[device], threads=threads, **options)), ctypes.byref(h)):
            raise Refused(library().bz_message(None).decode())
        self.h, self.device, self.raised = h.value, device, None

    def close(self):
        library().bz_close(self.h)

    def check(self):
        if library().bz_context_status(self.h):
            words = library().bz_message(self.h).decode()
            library().bz_clear(self.h)
            raise Refused(words)

    @contextlib.contextmanager
    def scope(self):
        library().bz_scope_begin(self.h)
        try:
            yield
        finally:
            library().bz_scope_end(self.h)

    def tensor(self, array, dtype=None):
        """A copy of an array; as bf16 it is one of bits (u2)."""
        a = np.asarray(array, order="C")
        dtype = dtype or next(k for k, v in NUMPY.items() if np.dtype(v) == a.dtype and k != "bf16")
        x = Tensor(self, library().bz_from_data_at(self.h, DTYPES.index(dtype), a.ctypes.data, (I64 * a.ndim)(*a.shape), a.ndim, None), a)
        self.check()
        return x

    def operand(self, x):
        if isinstance(x, Tensor):
            return x
        if isinstance(x, (bool, np.bool_)):
            return self.tensor(np.asarray(x, "?"))
        lib = library()
        return Tensor(self, lib.bz_scalar_int_at(self.h, int(x), None) if isinstance(x, (int, np.integer)) else lib.bz_scalar_at(self.h, float(x), None))

    def eval(self, tensors):
        library().bz_eval((P * len(tensors))(*[x.h for x in tensors]), len(tensors))
        self.check()

    def call(self, name, *operands, **attributes):
        return call_of(name)(self, operands, attributes)

    def __getattr__(self, name):
        if name not in ops():
            raise AttributeError(f"braze has no op {name}")
        return functools.partial(self.call, name)

    def grad(self, loss, wrt):
        out = (P * len(wrt))()
        library().bz_grad_at(loss.h, (P * len(wrt))(*[x.h for x in wrt]), len(wrt), out, None)
        self.check()
        return [Tensor(self, h) for h in out]

    def function(self, f):
        """f(*tensors) -> tensors as a bz_function. What it raises is kept for the caller."""
        def body(_, operands, n, out, nout, user):
            try:
                results = f(*(Tensor(self, operands[i]) for i in range(n)))
                for i in range(nout):
                    out[i] = results[i].h
            except Exception as e:  # pylint: disable=broad-except
                self.raised = e
                return 1
            return 0
        return FUNCTION(body)

    def ran(self, status):
        raised, self.raised = self.raised, None
        if status and raised is not None:
            library().bz_clear(self.h)
            raise raised
        self.check()

    def cond(self, pred, then, otherwise, operands, nout):
        out = (P * nout)()
        fs = self.function(then), self.function(otherwise)
        self.ran(library().bz_cond_at(self.h, pred.h, *fs, None, (P * len(operands))(*[x.h for x in operands]), len(operands), out, nout, None))
        return [Tensor(self, h) for h in out]

    @contextlib.contextmanager
    def compiled(self, f, nin, nout):
        """f(*tensors) -> tensors as a program, for calls until the end of the block."""
        fn, options = self.function(f), CompileOptions(nin=nin, nout=nout)
        program = library().bz_compile_at(self.h, fn, None, ctypes.byref(options), None)

        def call(*x):
            out = (P * nout)()
            self.ran(library().bz_call(program, (P * nin)(*[t.h for t in x]), out))
            return [Tensor(self, h) for h in out]
        self.check()
        try:
            yield call
        finally:
            library().bz_program_free(program)

    def while_loop(self, test, body, operands, most=0):
        out = (P * len(operands))()
        fs = self.function(lambda *x: [test(*x)]), self.function(body)
        self.ran(library().bz_while_at(self.h, *fs, None, most, (P * len(operands))(*[x.h for x in operands]), len(operands), out, None))
        return [Tensor(self, h) for h in out]


class Tensor:
    """known: the elements, where the host has them anyway (of bf16 the bits)."""
    __slots__ = ("c", "h", "known")

    def __init__(self, c, h, known=None):
        self.c, self.h, self.known = c, h, known

    @property
    def shape(self):
        s = library().bz_shape(self.h)
        return tuple(s[i] for i in range(self.ndim))

    @property
    def ndim(self):
        return library().bz_ndim(self.h)

    @property
    def dtype(self):
        return DTYPES[library().bz_dtype_of(self.h)]

    def numpy(self):
        """A copy on the host; of bf16 the values, as f4."""
        a = self.known
        if a is None:
            a = np.empty(self.shape, NUMPY[self.dtype])
            library().bz_to_host(self.h, a.ctypes.data, a.nbytes)
            self.c.check()
        return (a.astype("u4") << 16).view("f4") if self.dtype == "bf16" else a

    def own(self, name, *args):
        """A function that `braze ops` leaves to its header."""
        x = Tensor(self.c, getattr(library(), f"bz_{name}_at")(self.h, *args, None))
        self.c.check()
        return x

    def keep(self):
        """Moves it to the scope around its own."""
        library().bz_keep(self.h)
        return self

    def gelu(self, tanh=False):
        return self.own("gelu_tanh" if tanh else "gelu")

    def nonzero(self):
        return self.own("nonzero")

    def masked_select(self, mask):
        return self.own("masked_select", mask.h)

    def unique(self, consecutive=False):
        """values, inverse, counts"""
        inverse, counts = P(), P()
        x = self.own("unique_consecutive" if consecutive else "unique", ctypes.byref(inverse), ctypes.byref(counts))
        return x, Tensor(self.c, inverse.value), Tensor(self.c, counts.value)

    def at(self, items, *index):
        return self.own("at_get", (P * len(index))(*[i.h for i in index]), len(index), items.encode())

    def __getattr__(self, name):
        if name not in ops():
            raise AttributeError(f"braze has no op {name}")
        return functools.partial(self.c.call, name, self)


for sign, op in {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "pow": "pow", "matmul": "matmul", "eq": "eq", "ne": "ne", "lt": "lt", "le": "le", "gt": "gt", "ge": "ge",
                 "and": "bitwise_and", "or": "bitwise_or"}.items():
    setattr(Tensor, f"__{sign}__", lambda x, y, op=op: x.c.call(op, x, y))
    setattr(Tensor, f"__r{sign}__", lambda x, y, op=op: x.c.call(op, y, x))
Tensor.__neg__ = lambda x: x.c.call("neg", x)
Tensor.__invert__ = lambda x: x.c.call("logical_not", x)
