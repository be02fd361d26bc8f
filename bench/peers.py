"""peers.py CASE THREADS [--gpu] [--tiny] - NumPy, PyTorch (eager and torch.compile) and JAX on the problems of bench/*.c.

Says "ready<TAB>VERSIONS", then reads "go" lines; for each, times every contender and prints NAME<TAB>MEDIAN<TAB>BEST (ms; of as many
calls as fill SAMPLE_SECONDS, after one that does not count), then ".". A result is freed before the next call, as braze's is.

One process per peer (this program calls itself with --only), so that their thread pools and allocators do not meet. What is not
installed is left out. Memory is reused: malloc keeps what is freed, asks for huge pages, and has one arena (a thread's own arena
holds 64 MiB at most: larger blocks would be mapped anew at each call). Without these the figures are about page faults.

--gpu: on the GPU, the problems of bench/gpu.c, each sample as many calls as fill SAMPLE_SECONDS with one wait at their end.
"""
import os
import subprocess
import sys
import time

GPU = "--gpu" in sys.argv
PEERS = ("torch", "jax") if GPU else ("numpy", "torch", "jax")
SAMPLE_SECONDS, MAX_CALLS = 0.06, 200
REUSE = "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=68719476736:glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1"
CASE, THREADS, TINY = sys.argv[1], int(sys.argv[2]), "--tiny" in sys.argv
N, ROWS, COLS, WIDE, BATCH, HIDDEN = (
    (1000, 3, 1024, 20, 4, 24) if TINY else (64 << 20, 65536, 1024, 8192, 128, 512) if GPU else (16 << 20, 16384, 1024, 4096, 128, 512)
)
# batch, length, width, heads, layers, letters of the transformer
GPT = (2, 16, 32, 2, 1, 20) if TINY else (64, 256, 384, 6, 6, 65)


PICTURES = (8, 64, 5 if TINY else 16384)


def reduction():
    """Of CASE "sum/0/16384x1024": what to do, over which axis, the shape; None if CASE is no such thing."""
    if CASE.count("/") != 2 or product() or indices():
        return None
    op, axis, shape = CASE.split("/")
    return op, int(axis), [min(int(n), 5) if TINY else int(n) for n in shape.split("x")]


def product():
    """Of CASE "product/1x4096x4096/t": the shapes of both sides, and whether the right one is transposed; None if CASE is no such thing."""
    if not CASE.startswith("product/"):
        return None
    _, sizes, way, *_ = CASE.split("/")
    m, k, n = [min(int(n), 20) if TINY else int(n) for n in sizes.split("x")]
    return (m, k), (n, k) if way == "t" else (k, n), way == "t"


def products(normal, matmul):
    """The function and its arguments, for any peer."""
    x, w, turned = product()
    fn = (lambda x, w: matmul(x, w.T)) if turned else matmul
    if CASE.endswith("/weight"):  # the right side is a constant of the function
        w = normal(*w)
        return lambda x: fn(x, w), (normal(*x),)
    return fn, (normal(*x), normal(*w))


def heads():
    """Of CASE "attention/causal_gradients": the shape of q, k, v and the seed, are later keys masked, are gradients wanted; else None."""
    return CASE.startswith("attention/") and ((1, 64 if GPU else 8, 20 if TINY else 2048, 64), "causal" in CASE, "gradients" in CASE)


def of_dtype(library):
    """What CASE "product/.../bf16" or "attention/.../f16" computes in."""
    return getattr(library, {"bf16": "bfloat16", "f16": "float16"}.get(CASE.split("/")[-1], "float32"))


def movement(np, own):
    """What CASE does to a matrix, with the functions that NumPy and JAX share, `own` storing the result; None if it moves nothing."""
    f = {
        "transpose": lambda x: x.T,
        "add_transposed": lambda x: x + x.T,
        "flip": lambda x: x[:, ::-1],
        "every_second": lambda x: x[:, ::2],
        "pad": lambda x: np.pad(x, 1),
        "concat": lambda x: np.concatenate([x, x], 1),
    }.get(CASE)
    return f and (lambda x: own(f(x)))


def indices():
    """Of CASE "order/...": rows and columns, elements, how many of them are wanted, words, their width, tokens; else None."""
    return CASE.startswith("order/") and [min(n, 20) if TINY else n for n in (1024, 8192, 1 << 20, 100, 50000, 512, 8192)]


def channel_norm(rsqrt):
    """Of what all peers' arrays have."""

    def norm(x):
        d = x - x.mean(1, keepdims=True)
        return d * rsqrt((d * d).mean(1, keepdims=True) + 1e-5)

    return norm


def windows(f, normal, differentiate):
    """Of CASE "windows/conv_gradients": the function and its arguments. f: relu(convolution), pool and relu(norm) by name; else None."""
    if not CASE.startswith("windows/"):
        return None
    side, (name, *gradients) = 6 if TINY else 56, CASE.split("/")[1].split("_")
    m = (side + 1) // 2 if name == "pool" else side
    x, w, c, seed = normal(8, 64, side, side), normal(64, 64, 3, 3), normal(64), normal(8, 64, m, m)
    args = {"conv": (x, w), "pool": (x,), "norm": (x, c)}[name]
    if not gradients:
        return f[name], args
    return lambda *a: differentiate(f[name], a[:-1], 2 if name == "conv" else 1, a[-1]), (*args, seed)


# ---- NumPy: no erf, no gradients


def numpy_cases():
    import numpy as np

    r, f = np.random.default_rng(1), np.float32

    def normal(*shape):
        return r.standard_normal(shape, dtype=f)

    def pointwise(x):
        y = np.maximum(x * f(1.5) + f(0.25), f(-1)) * x - f(0.5)
        return -((np.minimum(np.abs(y), f(8)) + x) * f(0.125))

    def gelu(x, y):
        z = x * f(0.5) + f(1)
        z = f(0.5) * z * (1 + np.tanh(f(0.7978845608) * (z + f(0.044715) * z * z * z)))
        return z * y + x

    def softmax(x, axis=-1):
        e = np.exp(x - x.max(axis, keepdims=True))
        return e / e.sum(axis, keepdims=True)

    known = {
        "pointwise": lambda: (pointwise, (normal(N),)),
        "gelu": lambda: (gelu, (normal(N), normal(N))),
        "softmax": lambda: (softmax, (normal(ROWS, COLS),)),
        "channel_softmax": lambda: (lambda x: softmax(x, 1), (normal(*PICTURES),)),
        "channel_norm": lambda: (channel_norm(lambda x: f(1) / np.sqrt(x)), (normal(*PICTURES),)),
    }
    if product():
        yield "numpy", *products(normal, np.matmul)
    if reduction():
        op, axis, shape = reduction()
        yield "numpy", lambda x: getattr(x, op)(axis), (normal(*shape),)
    if movement(np, np.ascontiguousarray):
        yield "numpy", movement(np, np.ascontiguousarray), (normal(WIDE, WIDE),)
    if CASE in known:
        yield "numpy", *known[CASE]()
    if indices():
        n, m, many, _, words, width, tokens = indices()
        at = lambda: r.integers(0, words, tokens)
        order = {
            "order/cumsum": lambda: (lambda x: x.cumsum(1), (normal(n, m),)),
            "order/cumsum_down": lambda: (lambda x: x.cumsum(0), (normal(n, m),)),
            "order/sort": lambda: (np.sort, (normal(many),)),
            "order/argsort": lambda: (np.argsort, (normal(many),)),
            "order/embedding": lambda: (lambda w, i: w[i], (normal(words, width), at())),
        }
        if CASE in order:
            yield "numpy", *order[CASE]()


# ---- PyTorch, as it is and compiled


def torch_step(torch):
    f = torch.nn.functional
    linear, relu = torch.nn.Linear, torch.nn.ReLU
    model = torch.nn.Sequential(linear(784, HIDDEN), relu(), linear(HIDDEN, HIDDEN), relu(), linear(HIDDEN, 10))
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    x, y = torch.rand(BATCH, 784), torch.randint(10, (BATCH,))

    def step():
        adam.zero_grad(set_to_none=True)
        loss = f.cross_entropy(model(x), y)
        loss.backward()
        adam.step()
        return loss

    return step


def torch_gpt(torch):
    f = torch.nn.functional
    batch, length, width, heads, layers, letters = GPT
    shapes = [(letters, width), (length, width)] + layers * [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
    p = [(0.02 * torch.randn(s)).requires_grad_() for s in shapes]
    adam = torch.optim.Adam(p, lr=3e-4, fused=True)
    x, y = torch.randint(letters, (batch, length)), torch.randint(letters, (batch, length))

    def norm(x):
        return f.layer_norm(x, (width,))

    def attend(x, wqkv, wo):
        q, k, v = (norm(x) @ wqkv).view(batch, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
        seen = f.scaled_dot_product_attention(q, k, v, is_causal=True)
        return seen.transpose(1, 2).reshape(batch, length, width) @ wo

    def step():
        adam.zero_grad(set_to_none=True)
        h = p[0][x] + p[1]
        for i in range(2, len(p), 4):
            h = h + attend(h, p[i], p[i + 1])
            h = h + f.gelu(norm(h) @ p[i + 2]) @ p[i + 3]
        loss = f.cross_entropy((norm(h) @ p[0].T).flatten(0, 1), y.flatten())
        loss.backward()
        adam.step()
        return loss

    return step


def torch_cases():
    import torch

    f = torch.nn.functional
    if GPU:
        torch.set_default_device("cuda")
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)

    def pointwise(x):
        y = torch.clamp_min(x * 1.5 + 0.25, -1.0) * x - 0.5
        return -((torch.clamp_max(torch.abs(y), 8.0) + x) * 0.125)

    def gelu(x, y):
        return f.gelu(x * 0.5 + 1, approximate="tanh") * y + x

    def layernorm(x, w, b):
        return x + f.gelu(f.layer_norm(x, (COLS,), w, b))

    if CASE in ("mlp", "gpt"):
        make = torch_step if CASE == "mlp" else torch_gpt
        yield "torch eager", make(torch), ()
        yield "torch.compile", torch.compile(make(torch)), ()
        return

    def normal(*shape):
        return torch.randn(*shape, dtype=of_dtype(torch))

    def reduce():
        op, axis, shape = reduction()
        return lambda x: getattr(x, {"max": "amax"}.get(op, op))(axis), (torch.randn(shape),)

    def attention():
        shape, causal, gradients = heads()

        def attend(q, k, v, seed):
            return f.scaled_dot_product_attention(q, k, v, is_causal=causal)

        def differentiate(q, k, v, seed):
            return torch.autograd.grad(attend(q, k, v, seed), (q, k, v), seed)

        q, k, v, seed = normal(4, *shape)
        return (differentiate if gradients else attend), (*(t.requires_grad_(gradients) for t in (q, k, v)), seed)

    def order():
        n, m, many, top, words, width, tokens = indices()
        at = torch.randint(words, (tokens,))

        def embed_gradient(w, i, d):
            return torch.autograd.grad(f.embedding(i, w), w, d)

        return {
            "cumsum": lambda: (lambda x: x.cumsum(1), (normal(n, m),)),
            "cumsum_down": lambda: (lambda x: x.cumsum(0), (normal(n, m),)),
            "sort": lambda: (lambda x: torch.sort(x, stable=True).values, (normal(many),)),
            "argsort": lambda: (lambda x: torch.argsort(x, stable=True), (normal(many),)),
            "topk": lambda: (lambda x: torch.topk(x, top), (normal(many),)),
            "embedding": lambda: (lambda w, i: f.embedding(i, w), (normal(words, width), at)),
            "embedding_gradient": lambda: (embed_gradient, (normal(words, width).requires_grad_(), at, normal(tokens, width))),
            "scatter_add": lambda: (lambda x, i, y: x.index_add(0, i, y), (normal(words, width), at, normal(tokens, width))),
        }[CASE.split("/")[1]]()

    def torch_windows():
        named = {"conv": lambda x, w: f.relu(f.conv2d(x, w, padding=1)), "pool": lambda x: f.max_pool2d(x, 3, 2, 1),
                 "norm": lambda x, c: f.relu(f.batch_norm(x, None, None, c, c, True))}

        def differentiate(fn, a, n, seed):
            return torch.autograd.grad(fn(*a), a[:n], seed)

        found = windows(named, normal, differentiate)
        if found and "gradients" in CASE:
            [t.requires_grad_() for t in found[1][:-1]]
        return found

    fn, args = order() if indices() else torch_windows() or (reduce() if reduction() else products(normal, torch.matmul) if product() else attention() if heads() else {
        "negate": lambda: (torch.neg, (torch.randn(N),)),
        "column_sums": lambda: (lambda x: x.sum(0), (torch.randn(ROWS, COLS),)),
        "pointwise": lambda: (pointwise, (torch.randn(N),)),
        "gelu": lambda: (gelu, (torch.randn(N), torch.randn(N))),
        "softmax": lambda: (lambda x: f.softmax(x, -1), (torch.randn(ROWS, COLS),)),
        "channel_softmax": lambda: (lambda x: f.softmax(x, 1), (torch.randn(*PICTURES),)),
        "channel_norm": lambda: (channel_norm(torch.rsqrt), (torch.randn(*PICTURES),)),
        "layernorm": lambda: (layernorm, (torch.randn(ROWS, COLS), torch.rand(COLS), torch.rand(COLS))),
        "transpose": lambda: (lambda x: x.T.contiguous(), (torch.randn(WIDE, WIDE),)),
        "add_transposed": lambda: (lambda x: x + x.T, (torch.randn(WIDE, WIDE),)),
        "flip": lambda: (lambda x: x.flip(1), (torch.randn(WIDE, WIDE),)),
        "every_second": lambda: (lambda x: x[:, ::2].contiguous(), (torch.randn(WIDE, WIDE),)),
        "pad": lambda: (lambda x: f.pad(x, (1, 1, 1, 1)), (torch.randn(WIDE, WIDE),)),
        "concat": lambda: (lambda x: torch.cat([x, x], 1), (torch.randn(WIDE, WIDE),)),
    }[CASE]())
    torch.set_grad_enabled("gradient" in CASE)
    yield "torch eager", fn, args
    yield "torch.compile", torch.compile(fn), args


# ---- JAX


def jax_step(jax, jnp, key):
    sizes = [(784, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 10)]
    p = [(jax.random.normal(key, s) * (2 / s[0]) ** 0.5, jnp.zeros(s[1])) for s in sizes]
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
        p = jax.tree.map(lambda a, b, c: a - 1e-3 * (b / (1 - 0.9**t)) / (jnp.sqrt(c / (1 - 0.999**t)) + 1e-8), p, m, v)
        return loss, p, m, v, t

    jitted = jax.jit(step, donate_argnums=(0, 1, 2, 3))
    state = [p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), jnp.zeros(())]

    def call():
        loss, *state[:] = jitted(*state)
        jax.block_until_ready((loss, state))

    return call


def jax_cases():
    import jax
    import jax.numpy as jnp

    key = jax.random.key(1)

    def normal(*shape):
        return jax.random.normal(key, shape, of_dtype(jnp))

    def pointwise(x):
        y = jnp.maximum(x * 1.5 + 0.25, -1.0) * x - 0.5
        return -((jnp.minimum(jnp.abs(y), 8.0) + x) * 0.125)

    def gelu(x, y):
        return jax.nn.gelu(x * 0.5 + 1, approximate=True) * y + x

    def layernorm(x, w, b):
        n = (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)
        return x + jax.nn.gelu(n * w + b, approximate=False)

    if CASE == "mlp":
        yield "jax", jax_step(jax, jnp, key), ()
        return

    def reduce():
        op, axis, shape = reduction()
        return lambda x: getattr(x, op)(axis), (normal(*shape),)

    def move():
        return movement(jnp, lambda x: x), (normal(WIDE, WIDE),)

    def attention():
        shape, causal, gradients = heads()

        def attend(q, k, v, seed):  # jax.nn's own has the heads behind the length
            s = q @ jnp.swapaxes(k, -1, -2) / shape[-1] ** 0.5
            n = shape[2]
            s = jnp.where(jnp.arange(n) > jnp.arange(n)[:, None], -jnp.inf, s) if causal else s
            return jax.nn.softmax(s, -1) @ v

        def differentiate(q, k, v, seed):
            y, pull = jax.vjp(lambda *x: attend(*x, seed), q, k, v)
            return y, *pull(seed)

        return (differentiate if gradients else attend), tuple(normal(*shape) for _ in range(4))

    def order():
        n, m, many, top, words, width, tokens = indices()
        at = jax.random.randint(key, (tokens,), 0, words)
        return {
            "cumsum": lambda: (lambda x: jnp.cumsum(x, 1), (normal(n, m),)),
            "cumsum_down": lambda: (lambda x: jnp.cumsum(x, 0), (normal(n, m),)),
            "sort": lambda: (jnp.sort, (normal(many),)),
            "argsort": lambda: (jnp.argsort, (normal(many),)),
            "topk": lambda: (lambda x: jax.lax.top_k(x, top), (normal(many),)),
            "embedding": lambda: (lambda w, i: w[i], (normal(words, width), at)),
            "embedding_gradient": lambda: (lambda w, i, d: jax.vjp(lambda w: w[i], w)[1](d)[0], (normal(words, width), at, normal(tokens, width))),
            "scatter_add": lambda: (lambda x, i, y: x.at[i].add(y), (normal(words, width), at, normal(tokens, width))),
        }[CASE.split("/")[1]]()

    def jax_windows():
        lax = jax.lax

        def norm(x, c):
            m, v, c = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True), c[:, None, None]
            return jax.nn.relu((x - m) * lax.rsqrt(v + 1e-5) * c + c)

        named = {"conv": lambda x, w: jax.nn.relu(lax.conv(x, w, (1, 1), "SAME")),
                 "pool": lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 3, 3), (1, 1, 2, 2), ((0, 0), (0, 0), (1, 1), (1, 1))), "norm": norm}

        def differentiate(fn, a, n, seed):
            y, pull = jax.vjp(fn, *a)
            return y, pull(seed)[:n]

        return windows(named, normal, differentiate)

    fn, args = order() if indices() else jax_windows() or (reduce() if reduction() else products(normal, jnp.matmul) if product() else attention() if heads() else move() if movement(jnp, None) else {
        "negate": lambda: (lambda x: -x, (normal(N),)),
        "column_sums": lambda: (lambda x: x.sum(0), (normal(ROWS, COLS),)),
        "pointwise": lambda: (pointwise, (normal(N),)),
        "gelu": lambda: (gelu, (normal(N), normal(N))),
        "softmax": lambda: (lambda x: jax.nn.softmax(x, -1), (normal(ROWS, COLS),)),
        "channel_softmax": lambda: (lambda x: jax.nn.softmax(x, 1), (normal(*PICTURES),)),
        "channel_norm": lambda: (channel_norm(jax.lax.rsqrt), (normal(*PICTURES),)),
        "layernorm": lambda: (layernorm, (normal(ROWS, COLS), normal(COLS), normal(COLS))),
    }[CASE]())
    jitted = jax.jit(fn)
    yield "jax", jitted if GPU else lambda *a: jax.block_until_ready(jitted(*a)), args


# ---- one process of one peer


def wait_for(result):
    """Until what the GPU was asked for is done: `result` is the last of it."""
    if "torch" in sys.modules:
        sys.modules["torch"].cuda.synchronize()
    if "jax" in sys.modules:
        sys.modules["jax"].block_until_ready(result)


def sample_gpu(fn, args):
    """One time for all calls: waiting for each would be what is measured."""

    def time_of(n):
        start = time.perf_counter()
        for _ in range(n):
            result = fn(*args)
        wait_for(result)
        return 1e3 * (time.perf_counter() - start) / n

    wait_for(fn(*args))
    ms = time_of(1 if TINY else min(max(int(SAMPLE_SECONDS * 1e3 / time_of(1)), 1), MAX_CALLS))
    return ms, ms


def sample(fn, args):
    if GPU:
        return sample_gpu(fn, args)
    fn(*args)
    times, first = [], time.perf_counter()
    while True:
        start = time.perf_counter()
        fn(*args)
        end = time.perf_counter()
        times.append(end - start)
        if TINY or end - first >= SAMPLE_SECONDS or len(times) == MAX_CALLS:
            return 1e3 * sorted(times)[len(times) // 2], 1e3 * min(times)


def child(peer):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print goes to stderr
    cases, version = [], ""
    try:
        version = f"{peer} {__import__(peer).__version__}"
        for name, fn, args in globals()[f"{peer}_cases"]():
            for _ in range(3):
                sample(fn, args)  # compiles
            cases.append((name, fn, args))
    except Exception as e:  # not installed, or not usable on this machine
        print(f"peers: {peer}: {type(e).__name__}: {(str(e).splitlines() or [''])[0]}", file=sys.stderr)
    print(f"ready\t{version}", file=out)
    for _ in sys.stdin:
        for name, fn, args in cases:
            middle, best = sample(fn, args)
            print(f"{name}\t{middle:.9g}\t{best:.9g}", file=out)
        print(".", file=out)


# ---- the process that bench/support/peers.c talks to


def environment():
    """Settings that make a library take slower code than this machine allows are not passed on."""
    e = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    e.update({k: str(THREADS) for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")})
    e.update(GLIBC_TUNABLES=REUSE, TF_CPP_MIN_LOG_LEVEL="3")
    e.update({"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} if GPU else {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""})
    return e


def main():
    children, versions = [], []
    for peer in PEERS:
        p = subprocess.Popen([sys.executable, *sys.argv, "--only", peer], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True, bufsize=1)
        versions.append(p.stdout.readline().strip().removeprefix("ready").strip())
        children.append(p)
    print("ready", ", ".join(v for v in versions if v), sep="\t", flush=True)
    for _ in sys.stdin:
        for p in children:
            if p.poll() is None:
                p.stdin.write("go\n")
                for line in iter(p.stdout.readline, ""):
                    if line == ".\n":
                        break
                    print(line, end="")
        print(".", flush=True)
    for p in children:
        p.stdin.close()
        p.wait()


child(sys.argv[sys.argv.index("--only") + 1]) if "--only" in sys.argv else main()
