"""reader.py - an ONNX graph said in braze: each node becomes calls of braze's builders, at once, as a program in C would record them.

What a node of ONNX is lies in the files ops_*.py: a function OPS[name](n, *inputs, **attributes) -> a tensor or a tuple, where n is the Node.
Sizes, axes and the like that ONNX hands over as tensors are read on the host (n.ints)."""
import numpy as np
import onnx
from onnx import numpy_helper

OPS = {}
NAMES = {1: "f32", 2: "u8", 3: "i8", 4: "u16", 5: "i16", 6: "i32", 7: "i64", 9: "bool", 10: "f16", 11: "f64", 12: "u32", 13: "u64", 14: "c64", 15: "c128", 16: "bf16"}


class Absent(Exception):
    """Why a case cannot be said in braze."""


def op(*names):
    def keep(f):
        for name in names:
            OPS[name] = f
        return f
    return keep


def dtype(number):
    if number not in NAMES:
        known = onnx.TensorProto.DataType.values()  # of the reader's release
        raise Absent(f"{onnx.TensorProto.DataType.Name(number).lower() if number in known else f'ONNX type {number}'} is no dtype")
    return NAMES[number]


def array(t):
    """dtype and elements of a TensorProto; bf16 as its bits."""
    name = dtype(t.data_type)
    if name == "bf16":
        a = np.frombuffer(t.raw_data, "u2") if t.raw_data else np.array(t.int32_data, "u2")
        return name, a.reshape(tuple(t.dims))
    return name, numpy_helper.to_array(t)


def attribute(a):
    kind = onnx.AttributeProto.AttributeType.Name(a.type)
    if kind == "STRING":
        return a.s.decode()
    if kind == "STRINGS":
        return [s.decode() for s in a.strings]
    if kind in ("FLOATS", "INTS"):
        return list(getattr(a, kind.lower()))
    return {"FLOAT": a.f, "INT": a.i, "TENSOR": a.t, "GRAPH": a.g}.get(kind) if kind in ("FLOAT", "INT", "TENSOR", "GRAPH") else a


class Node:
    def __init__(self, graph, proto):
        self.graph, self.c, self.opset, self.op = graph, graph.c, graph.opset, proto.op_type
        self.outputs = len(proto.output)  # with empty names in between

    def ints(self, x):
        """Elements of x as numbers of the host, None without x."""
        return None if x is None else [int(v) for v in x.numpy().reshape(-1)]

    def int(self, x):
        return self.ints(x)[0]

    def number(self, x):
        return x.numpy().reshape(-1)[0].item()

    def tensor(self, t):
        name, a = array(t)
        return self.c.tensor(a, name)

    def body(self, graph):
        """A subgraph as a function of tensors, which sees what is around it."""
        return lambda *x: Graph(self.c, self.opset, graph, self.graph.values).run(*x)


class Graph:
    def __init__(self, c, opset, proto, around=None):
        self.c, self.opset, self.proto, self.values = c, opset, proto, dict(around or {})

    def run(self, *inputs):
        """The outputs, of tensors (or lists of them) for the inputs that have no value of their own."""
        own = {t.name for t in self.proto.initializer}
        for t in self.proto.initializer:
            name, a = array(t)
            self.values[t.name] = self.c.tensor(a, name)
        named = [i.name for i in self.proto.input]
        named = named if len(inputs) == len(named) else [i for i in named if i not in own]
        self.values.update(zip(named, inputs))
        for proto in self.proto.node:
            self.node(proto)
        return [self.values[o.name] for o in self.proto.output]

    def node(self, proto):
        if proto.op_type not in OPS:
            raise Absent(f"no {proto.op_type}")
        inputs = [self.values[i] if i else None for i in proto.input]
        results = OPS[proto.op_type](Node(self, proto), *inputs, **{a.name: attribute(a) for a in proto.attribute})
        results = results if isinstance(results, tuple) else (results,)
        if len(results) < sum(bool(o) for o in proto.output):
            raise Absent(f"{proto.op_type} with {len(proto.output)} results")
        self.values.update((o, r) for o, r in zip(proto.output, results) if o)


def run(c, model, inputs):
    opset = next((i.version for i in model.opset_import if i.domain in ("", "ai.onnx")), 99)
    return Graph(c, opset, model.graph).run(*inputs)
