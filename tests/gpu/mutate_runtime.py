#!/usr/bin/env python3
"""mutate_runtime.py BUILD [--sample N [--seed S]] [--only WORD] - is a wrong driver call of runtime/cuda seen?

    runtime/cuda/*.c, runtime/aot/cuda_*.c --one call wrong--> object --linked before libbraze.a, with tests/{test,slow}_cuda*.c--> tests on the emulated driver

A call of the driver's is left out, or made on another stream, for half of the bytes, or what it answers is ignored. A mutant that does not
compile is none. Caught: a test fails, or does not end. Survivors are told; tests/gpu/runtime_survivors.txt explains them ("FILE | line |
what | reason"; "same:" says that no test could tell). Exit status: 0 when PERCENT of those that can be told apart are caught and each
survivor is explained, 1 when not. A sample is N of them, evenly apart, or those that the seed S draws.

Environment: CC, BRAZE_SRC, BRAZE_FAKECUDA, as for tests.
"""
import os
import random
import re
import subprocess
import sys
import tempfile

PERCENT, SECONDS = 90, 600
FILES = [f"cuda/{f}" for f in ("memory", "async", "program", "code", "strided", "place")] + ["aot/cuda_run", "aot/cuda_graph"]
TESTS = ("test_cuda_graphs", "test_cuda", "test_cuda_memory", "test_cuda_reset", "slow_cuda_lacks", "slow_cuda_faults")
CALL = re.compile(r"\b[\w>-]*\bd->(\w+)\(")
IGNORED = "#define ignored(m, r, what, of, e) ((void)(m), (void)(r), (void)(what), (void)(of), (void)(e), BZ_OK)\n"
STREAMS = (("m->stream", "NULL"), ("a->in", "a->out"), ("a->out", "a->in"))


def end_of(text, at):
    """Behind the bracket that closes the one at `at`."""
    depth = 0
    while True:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            return at


def mutants(text):
    """(begin, end, with, what), begin None: also what ignores answers is put before everything."""
    for m in CALL.finditer(text):
        end = end_of(text, m.end() - 1)
        name, args = m.group(1), text[m.end() : end - 1]
        yield m.start(), end, "CU_SUCCESS", f"{name} left out"
        for old, new in STREAMS:
            if re.search(rf"{re.escape(old)}\b", args):
                at = text.index(old, m.end())
                yield at, at + len(old), new, f"{name}: {old} becomes {new}"
        if name == "graph_kernel":
            at = text.index(", n,", m.end())
            yield at, at + 4, ", 0,", "graph_kernel: no edges"
        for b in re.finditer(r"\b(bytes|n|cuda_total\(r\))(?=, )", args):
            if name.startswith(("copy", "fill")):
                at = m.end() + b.start()
                yield at, at + len(b.group(1)), f"({b.group(1)}) / 2", f"{name}: half of {b.group(1)}"
    for m in re.finditer(r"(?<!bz_status )\bcuda_check\(", text):
        yield m.start(), m.start() + len("cuda_check"), "ignored", "answer ignored"


def line_of(text, at):
    begin = text.rfind("\n", 0, at) + 1
    return text[begin : text.find("\n", at)].strip()


def every_one(src):
    found = []
    for name in FILES:
        text = open(f"{src}/runtime/{name}.c").read()
        seen = {}
        for begin, end, new, what in mutants(text):
            key = (line_of(text, begin), what)
            seen[key] = seen.get(key, 0) + 1
            what += f" ({seen[key]})" if seen[key] > 1 else ""
            found.append((name, text, begin, end, new, what))
    return found


def build(build_dir, src, work, text):
    """The tests with this text in place of the file; None: it does not compile."""
    cc, c, o, exe = os.environ.get("CC", "cc").split(), f"{work}/mutant.c", f"{work}/mutant.o", f"{work}/tests"
    with open(c, "w") as f:
        f.write(text)
    flags = "-std=c11 -O1 -w -fPIC -pthread -ffp-contract=off -fvisibility=hidden -D_GNU_SOURCE".split()
    if subprocess.run([*cc, *flags, f"-I{src}/include", f"-I{src}", "-c", c, "-o", o], capture_output=True).returncode:
        return None
    b = f"{build_dir}/obj/tests"
    objects = [f"{b}/{t}.o" for t in TESTS]
    for d in ("support", "far"):
        objects += sorted(f"{b}/{d}/{f}" for f in os.listdir(f"{b}/{d}") if f.endswith(".o"))
    libs = "-lcriterion -lmpfr -lgmp -lm -ldl -pthread".split()
    link = [*cc, "-pthread", "-Wl,--wrap=bz_open", *objects, o, f"{build_dir}/libbraze.a", *libs, "-o", exe]
    done = subprocess.run(link, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"mutate_runtime: {done.stderr[-2000:]}")
    return exe


def survives(exe, src):
    env = dict(os.environ, BRAZE_NVRTCFLAGS="--Ofast-compile=mid", BRAZE_FAKE_QUIET="1", BRAZE_CACHE_DIR="off")
    try:
        done = subprocess.run([exe, "--fail-fast", "-j2"], cwd=src, env=env, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def reasons(src):
    path = f"{src}/tests/gpu/runtime_survivors.txt"
    lines = open(path).read().splitlines() if os.path.exists(path) else []
    return {tuple(x.split(" | ")[:3]): x.split(" | ")[3] for x in lines if x and not x.startswith("#")}


def main(args):
    build_dir = args.pop(0)
    sample = int(args[args.index("--sample") + 1]) if "--sample" in args else 0
    seed = args[args.index("--seed") + 1] if "--seed" in args else ""
    only = args[args.index("--only") + 1] if "--only" in args else ""
    src = os.environ.get("BRAZE_SRC", ".")
    all = [m for m in every_one(src) if only in m[0] + m[5]]
    known, survivors, caught, stillborn = reasons(src), [], 0, 0
    if sample and sample < len(all):
        drawn = sorted(random.Random(seed).sample(range(len(all)), sample))
        all = [all[drawn[k] if seed else k * len(all) // sample] for k in range(sample)]
    with tempfile.TemporaryDirectory() as work:
        whole = build(build_dir, src, work, open(f"{src}/runtime/cuda/memory.c").read())
        if not whole or not survives(whole, src):
            sys.exit("mutate_runtime: the tests fail without a mutant")
        for i, (name, text, begin, end, new, what) in enumerate(all):
            if i and i % 10 == 0:
                print(f"{i} of {len(all)}: {caught} caught", file=sys.stderr, flush=True)
            broken = text[:begin] + new + text[end:]
            if new == "ignored":
                last = broken.rindex("\n#include")  # behind the last one
                last = broken.index("\n", last + 1) + 1
                broken = broken[:last] + IGNORED + broken[last:]
            exe = build(build_dir, src, work, broken)
            if not exe:
                stillborn += 1
            elif survives(exe, src):
                key = (f"{name}.c", line_of(text, begin), what)
                survivors.append(key)
                print(" | ".join(key), "|", known.get(key, "UNEXPLAINED"), flush=True)
            else:
                caught += 1
    same = sum(known.get(k, "").startswith("same:") for k in survivors)
    unexplained = sum(k not in known for k in survivors)
    live = caught + len(survivors)
    print(f"{stillborn} did not compile; caught {caught} of {live} ({100 * caught / max(live, 1):.1f} %), {same} survivors are the same, {unexplained} unexplained")
    return 0 if caught * 100 >= (live - same) * PERCENT and not unexplained else 1


sys.exit(main(sys.argv[1:]))
