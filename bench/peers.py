"""peers.py CASE THREADS - NumPy, PyTorch (eager and torch.compile) and JAX on the problems of bench/*.c.

Reads "go" lines; for each, times every contender once (the mean of as many calls as fill 50 ms, after one that does not count)
and prints NAME<TAB>SECONDS, then ".". What is not installed is left out. Results stay alive until the next one is there, as
braze's do; glibc is told to keep freed memory, so that nobody is timed on page faults.
"""
import os
import sys
import time

CASE, THREADS = sys.argv[1], sys.argv[2]
WANTED = {"OMP_NUM_THREADS": THREADS, "OPENBLAS_NUM_THREADS": THREADS, "MKL_NUM_THREADS": THREADS,
          "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3",
          "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=8589934592"}
if any(os.environ.get(k) != v for k, v in WANTED.items()):  # these are read when a process starts
    for name in list(os.environ):
        if name.startswith("OPENBLAS_"):
            del os.environ[name]
    os.environ.update(WANTED)
    os.execv(sys.executable, [sys.executable] + sys.argv)

SAMPLE_SECONDS = 0.05
N, ROWS, COLS, SIDE, BATCH, HIDDEN = 16 << 20, 16384, 1024, 1024, 128, 512


def numpy_cases():
    import numpy as np
    r = np.random.default_rng(1)

    def normal(*shape):
        return r.standard_normal(shape, dtype=np.float32)

    def pointwise(x, half):
        for _ in range(5):
            x = x * half + half
        return x

    def softmax(x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    if CASE == "pointwise":
        yield "numpy", pointwise, (normal(N), np.float32(0.5))
    elif CASE == "softmax":
        yield "numpy", softmax, (normal(ROWS, COLS),)
    elif CASE == "gemm":
        yield "numpy", np.matmul, (normal(SIDE, SIDE), normal(SIDE, SIDE))


def torch_step(torch):
    f = torch.nn.functional
    sizes = [(784, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 10)]
    model = torch.nn.Sequential(torch.nn.Linear(*sizes[0]), torch.nn.ReLU(), torch.nn.Linear(*sizes[1]), torch.nn.ReLU(), torch.nn.Linear(*sizes[2]))
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    x, y = torch.rand(BATCH, 784), torch.randint(10, (BATCH,))

    def step():
        adam.zero_grad(set_to_none=True)
        loss = f.cross_entropy(model(x), y)
        loss.backward()
        adam.step()
        return loss
    return step


def torch_cases():
    import torch
    f = torch.nn.functional
    torch.set_num_threads(int(THREADS))
    torch.manual_seed(1)

    def pointwise(x):
        for _ in range(5):
            x = x * 0.5 + 0.5
        return x

    def layernorm(x, w, b):
        return x + f.gelu(f.layer_norm(x, (COLS,), w, b))

    if CASE == "mlp":
        yield "torch eager", torch_step(torch), ()
        yield "torch.compile", torch.compile(torch_step(torch)), ()
        return
    fn, args = {
        "pointwise": lambda: (pointwise, (torch.rand(N),)),
        "softmax": lambda: (lambda x: f.softmax(x, -1), (torch.randn(ROWS, COLS),)),
        "layernorm": lambda: (layernorm, (torch.randn(ROWS, COLS), torch.rand(COLS), torch.rand(COLS))),
        "gemm": lambda: (torch.matmul, (torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE))),
    }[CASE]()

    def without_gradient(g):
        def call(*a):
            with torch.no_grad():
                return g(*a)
        return call
    yield "torch eager", without_gradient(fn), args
    yield "torch.compile", without_gradient(torch.compile(fn)), args


def jax_step(jax, jnp, key):
    sizes = [(784, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 10)]
    p = [(jax.random.normal(key, s) * (2 / s[0]) ** 0.5, jnp.zeros(s[1])) for s in sizes]
    zero = jax.tree.map(jnp.zeros_like, p)
    x, y = jax.random.uniform(key, (BATCH, 784)), jax.random.randint(key, (BATCH,), 0, 10)

    def loss_of(p):
        h = x
        for i, (w, b) in enumerate(p):
            h = h @ w + b
            h = jax.nn.relu(h) if i < 2 else h
        return -jnp.mean(jax.nn.log_softmax(h)[jnp.arange(BATCH), y])

    def step(p, m, v, t):
        loss, g = jax.value_and_grad(loss_of)(p)
        t = t + 1
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
        p = jax.tree.map(lambda a, b, c: a - 1e-3 * (b / (1 - 0.9 ** t)) / (jnp.sqrt(c / (1 - 0.999 ** t)) + 1e-8), p, m, v)
        return loss, p, m, v, t
    jitted = jax.jit(step, donate_argnums=(0, 1, 2, 3))
    state = [p, zero, jax.tree.map(jnp.zeros_like, p), jnp.zeros(())]

    def call():
        loss, *state[:] = jitted(*state)
        jax.block_until_ready(state)
        return loss
    return call


def jax_cases():
    import jax
    import jax.numpy as jnp
    key = jax.random.key(1)

    def pointwise(x):
        for _ in range(5):
            x = x * 0.5 + 0.5
        return x

    def layernorm(x, w, b):
        n = (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)
        return x + jax.nn.gelu(n * w + b, approximate=False)

    if CASE == "mlp":
        yield "jax", jax_step(jax, jnp, key), ()
        return
    fn, args = {
        "pointwise": lambda: (pointwise, (jax.random.uniform(key, (N,)),)),
        "softmax": lambda: (lambda x: jax.nn.softmax(x, -1), (jax.random.normal(key, (ROWS, COLS)),)),
        "layernorm": lambda: (layernorm, (jax.random.normal(key, (ROWS, COLS)), jnp.ones(COLS), jnp.ones(COLS))),
        "gemm": lambda: (jnp.matmul, (jax.random.normal(key, (SIDE, SIDE)),) * 2),
    }[CASE]()
    jitted = jax.jit(fn)
    yield "jax", lambda *a: jitted(*a).block_until_ready(), args


def sample(fn, args):
    kept = fn(*args)
    start, calls = time.perf_counter(), 0
    while True:
        kept = fn(*args)
        calls += 1
        gone = time.perf_counter() - start
        if gone >= SAMPLE_SECONDS:
            return gone / calls, kept


def main():
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print goes to stderr
    cases = []
    for maker in (numpy_cases, torch_cases, jax_cases):
        try:
            for name, fn, args in maker():
                sample(fn, args)  # compiles
                cases.append((name, fn, args))
        except Exception as e:  # not installed, or not usable on this machine
            print(f"peers: {maker.__name__}: {type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}", file=sys.stderr)
    print("ready", file=out)
    for line in sys.stdin:
        if line.strip() == "go":
            for name, fn, args in cases:
                print(f"{name}\t{sample(fn, args)[0]:.9g}", file=out)
            print(".", file=out)


main()
