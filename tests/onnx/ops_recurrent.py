"""ops_recurrent.py - ONNX's recurrent layers, loops, branches and gradients in braze."""
import numpy as np

from reader import Absent, op

ACTIVATIONS = {"Sigmoid": lambda x: x.sigmoid(), "Tanh": lambda x: x.tanh(), "Relu": lambda x: x.relu(), "Softplus": lambda x: x.softplus(), "Softsign": lambda x: x.softsign()}


def rnn_cell(f, x, h, w, r, wb, rb):
    return f[0](x.matmul(w.t()) + wb + h.matmul(r.t()) + rb)


def gru_cell(f, x, h, w, r, wb, rb, before):
    """before: the reset gate multiplies h in front of the product."""
    (wz, wr, wh), (rz, rr, rh) = w.chunk(chunks=3), r.chunk(chunks=3)
    (bz, br, bh), (cz, cr, ch) = wb.chunk(chunks=3), rb.chunk(chunks=3)
    z = f[0](x.matmul(wz.t()) + bz + h.matmul(rz.t()) + cz)
    reset = f[0](x.matmul(wr.t()) + br + h.matmul(rr.t()) + cr)
    inner = (reset * h).matmul(rh.t()) + ch if before else reset * (h.matmul(rh.t()) + ch)
    return (1.0 - z) * f[1](x.matmul(wh.t()) + bh + inner) + z * h


def lstm_cell(f, x, h, c, w, r, wb, rb, peepholes):
    i, o, g, k = (x.matmul(w.t()) + wb + h.matmul(r.t()) + rb).chunk(chunks=4, axis=1)  # input, output, forget, cell
    pi, po, pf = peepholes.chunk(chunks=3)
    i, g = f[0](i + pi * c), f[0](g + pf * c)
    c = g * c + i * f[1](k)
    return f[0](o + po * c) * f[2](c), c


def along(n, x, lengths, reverse, states, cell):
    """The states after each step, [time, batch, hidden] of the first of them, and the last ones; what is behind a length stays 0, its state as it was."""
    steps = range(x.shape[0])
    out = [None] * x.shape[0]
    for t in reversed(steps) if reverse else steps:
        new = cell(x.select(axis=0, index=t), *states)
        new = new if isinstance(new, tuple) else (new,)
        if lengths is not None:
            here = (lengths > t).unsqueeze(axis=1)
            states, out[t] = [n.c.where(here, a, b) for a, b in zip(new, states)], n.c.where(here, new[0], 0.0)
        else:
            states, out[t] = list(new), new[0]
    return n.c.stack(*out, axis=0), states


@op("RNN", "GRU", "LSTM")
def recurrent(n, x, w, r, b=None, lengths=None, h=None, c=None, p=None, hidden_size=None, direction="forward", activations=None, layout=0, linear_before_reset=0,
              clip=None, input_forget=0, activation_alpha=None, activation_beta=None):
    names = activations or {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}[n.op] * 2
    if clip or input_forget or any(a not in ACTIVATIONS for a in names):
        raise Absent(f"{n.op} with a clip, coupled gates or another activation")
    x = x.transpose(a=0, b=1) if layout else x
    gates, batch = w.shape[1] // hidden_size, x.shape[1]
    outs, lasts = [], []
    for d in range(w.shape[0]):
        f = [ACTIVATIONS[a] for a in names[d * len(names) // w.shape[0]:]]
        wb, rb = b.select(axis=0, index=d).chunk(chunks=2) if b is not None else [n.c.zeros(shape=[gates * hidden_size], dtype=x.dtype)] * 2
        zero = n.c.zeros(shape=[batch, hidden_size], dtype=x.dtype)
        states = [zero if s is None else s.select(axis=int(bool(layout)), index=d) for s in ((h, c) if n.op == "LSTM" else (h,))]
        weights = w.select(axis=0, index=d), r.select(axis=0, index=d), wb, rb
        holes = p.select(axis=0, index=d) if p is not None else n.c.zeros(shape=[3 * hidden_size], dtype=x.dtype)
        cell = {"RNN": lambda x, h: rnn_cell(f, x, h, *weights), "GRU": lambda x, h: gru_cell(f, x, h, *weights, not linear_before_reset),
                "LSTM": lambda x, h, c: lstm_cell(f, x, h, c, *weights, holes)}[n.op]
        out, last = along(n, x, lengths, direction == "reverse" or d == 1, states, cell)
        outs.append(out)
        lasts.append(last)
    y = n.c.stack(*outs, axis=1)
    lasts = [n.c.stack(*s, axis=0) for s in zip(*lasts)]
    if layout:
        y, lasts = y.permute(perm=[2, 0, 1, 3]), [s.transpose(a=0, b=1) for s in lasts]
    return (y, *lasts)


@op("If")
def branch(n, pred, then_branch, else_branch):
    return tuple(n.c.cond(pred.reshape(shape=[]), n.body(then_branch), n.body(else_branch), [], n.outputs))


@op("Loop")
def loop(n, most, go, *state, body):
    """Turns of the body while it says so; what it gives beside the state is stacked."""
    body, scans, most = n.body(body), [], n.int(most) if most is not None else 2**31
    state = list(state)

    def turn(i, go, *x):
        go, *results = body(i.reshape(shape=[]), go, *x)
        scans.append([s.keep() for s in results[len(state):]])
        return [i + 1, go, *results[:len(state)]]
    if any(isinstance(s, list) for s in state):
        raise Absent("sequences of tensors")
    i, go = n.c.tensor(np.array(0, "i8")), go if go is not None else n.c.tensor(np.array(True))
    last = n.c.while_loop(lambda i, go, *x: ((i < most) & go).reshape(shape=[]), turn, [i, go, *state])
    return (*last[2:], *(n.c.stack(*s, axis=0) for s in zip(*scans)))


@op("Scan")
def scan(n, *x, body, num_scan_inputs, scan_input_axes=None, scan_output_axes=None, scan_input_directions=None, scan_output_directions=None, directions=None):
    """The body for each element of an axis."""
    if any([*(scan_input_directions or []), *(scan_output_directions or []), *(directions or [])]):
        raise Absent("Scan backwards")
    if n.opset < 9:  # over batches, lengths in front
        _, *x = x
        parts = [scan_one(n, [v.select(axis=0, index=i) for v in x], body, num_scan_inputs, None) for i in range(x[0].shape[0])]
        return tuple(n.c.stack(*p, axis=0) for p in zip(*parts))
    return scan_one(n, x, body, num_scan_inputs, scan_input_axes)


def scan_one(n, x, body, count, axes):
    state, x, body, scans = x[:-count], x[-count:], n.body(body), []
    axes = axes or [0] * count
    for i in range(x[0].shape[axes[0]]):
        results = body(*state, *(v.select(axis=a, index=i) for v, a in zip(x, axes)))
        state = results[:len(state)]
        scans.append(results[len(state):])
    return (*state, *(n.c.stack(*s, axis=0) for s in zip(*scans)))


@op("Gradient")
def gradient(n, *inputs, xs, y, zs=None):
    values = n.graph.values
    return tuple(n.c.grad(values[y].sum(), [values[x] for x in xs]))
