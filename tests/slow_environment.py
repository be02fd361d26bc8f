#!/usr/bin/python3
"""slow_environment.py - what surrounds a program and is not its own: where the plug-in lies and in which state, whose rights it runs
with, its directory, limits, disks, locale, floating-point environment.

Every row is a process in such a surrounding: it gives the right values, or a status and words that say why; never a signal, never a
stranger's code, never half a file."""
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(os.environ.get("BRAZE_BUILD", "build"))
SRC = os.path.abspath(os.environ.get("BRAZE_SRC", "."))
CC = shlex.split(os.environ.get("CC", "cc"))
SANITIZE = shlex.split(os.environ.get("BRAZE_SANITIZE", ""))
TOOL = os.path.join(BUILD, "braze")
PLUGIN = os.path.join(BUILD, "libbraze-llvm.so")
NAME = "libbraze-llvm.so"
DIR = tempfile.mkdtemp(prefix="braze-environment-")
os.chmod(DIR, 0o755)
passed = failed = 0

# Computes on the device "cpu": -2 from a kernel, which needs the plug-in. `program DIRECTORY` goes there first.
PROGRAM = r"""
#include <braze/braze.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) {
    bz_context *c;
    float two = 2;
    if (argc > 1 && chdir(argv[1])) return 9;
    if (bz_open(NULL, &c)) return printf("%s\n", bz_message(NULL)), 8;
    bz_tensor *x = bz_from_data(c, BZ_F32, &two, NULL, 0);
    double v = bz_item(bz_neg(x));
    if (bz_context_status(c)) printf("%s\n", bz_message(c));
    else printf("value %d\n", (int)v);
    int failed = bz_context_status(c);
    bz_close(c);
    return failed != 0;
}
"""
# A stranger's library of that name: it leaves a file when it is loaded.
DECOY = r"""
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) { close(open("%s/loaded", O_CREAT | O_WRONLY, 0666)); }
"""


def path(*names):
    return os.path.join(DIR, *names)


def check(what, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print(f"FAILED: {what}\n{detail}")


def clean_env(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("BRAZE_")}
    return {**env, "BRAZE_CACHE_DIR": "off", **more}


def run(args, cwd=None, **more):
    env = {k: v for k, v in more.pop("env", {}).items()}
    return subprocess.run(args, cwd=cwd or DIR, env=clean_env(**env), capture_output=True, text=True, timeout=300,
                          errors="replace", **more)


def expect(what, r, status, *says):
    text = r.stdout + r.stderr
    check(what, r.returncode == status and all(s in text for s in says),
          f"status {r.returncode}, expected {status} and {says}:\n{text}")


def compile_c(text, out, *flags):
    source = path("source.c")
    with open(source, "w") as f:
        f.write(text)
    subprocess.run([*CC, *SANITIZE, "-I", os.path.join(SRC, "include"), source, "-o", out, *flags], check=True)


def make_programs():
    os.makedirs(path("home", "bin"))
    os.makedirs(path("strange", "bin"))
    compile_c(PROGRAM, path("home", "bin", "static"), os.path.join(BUILD, "libbraze.a"), "-lm", "-ldl", "-pthread")
    subprocess.run([*CC, "-shared", "-fPIC", "-x", "c", "-", "-o", path("decoy.so")], input=DECOY % DIR, text=True,
                   check=True)


def decoys(*places):
    for p in places:
        os.makedirs(os.path.dirname(p), exist_ok=True)
        shutil.copy(path("decoy.so"), p)


def no_stranger(what):
    loaded = os.path.exists(path("loaded"))
    if loaded:
        os.unlink(path("loaded"))
    check(f"{what}: a stranger's plug-in was not loaded", not loaded)


# ---- where the plug-in is looked for

def test_places():
    program = path("home", "bin", "static")
    decoys(path("home", NAME), path("home", "lib", NAME), path("strange", NAME), path("strange", "bin", NAME))
    r = run([program], cwd=path("strange"), env={"LD_LIBRARY_PATH": path("strange")})
    expect("no plug-in in a documented place", r, 1, "no usable libbraze-llvm.so", path("home", "bin", NAME))
    no_stranger("working directory, parent, ../lib, loader's path")
    r = run(["bin/static", path("strange")], cwd=path("home"))
    expect("a relative program name and chdir", r, 1, path("home", "bin", NAME))
    no_stranger("a relative program name and chdir")
    r = run([path("strange", "bin", "static")], executable=program)
    expect("a program name that lies", r, 1, path("home", "bin", NAME))
    no_stranger("a program name that lies")
    os.symlink(PLUGIN, path("home", "bin", NAME))
    expect("beside the program", run(["bin/static", path("strange")], cwd=path("home")), 0, "value -2")
    os.unlink(path("home", "bin", NAME))
    shutil.copy(PLUGIN, path("home", "real.so"))
    expect("a relative $BRAZE_LLVM counts from where the program began",
           run(["bin/static", path("strange")], cwd=path("home"), env={"BRAZE_LLVM": "real.so"}), 0, "value -2")
    decoys(path("strange", "real.so"))
    expect("... and from nowhere else",
           run(["./static", path("strange")], cwd=path("home", "bin"), env={"BRAZE_LLVM": "real.so"}), 1,
           path("home", "bin", "real.so"))
    no_stranger("a relative $BRAZE_LLVM")
    expect("an empty $BRAZE_LLVM is none", run([program], env={"BRAZE_LLVM": ""}), 1, path("home", "bin", NAME))


def test_damage():
    program, bad = path("home", "bin", "static"), path("bad.so")
    whole = open(PLUGIN, "rb").read()
    for n in (0, 1, 63, 64, 500, 4096, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
        with open(bad, "wb") as f:
            f.write(whole[:n])
        expect(f"cut off after {n} bytes", run([program], env={"BRAZE_LLVM": bad}), 1, "no usable", bad + ": it is ")
        if n > len(whole) - 64:
            continue
        os.truncate(bad, len(whole))
        expect(f"zeros from {n} on", run([program], env={"BRAZE_LLVM": bad}), 1, "no usable", bad + ": it is ")
    others = {"a text": b"not a library\n" * 100, "another machine's": whole[:18] + b"\xb7\0" + whole[20:],
              "a program": whole[:16] + b"\2\0" + whole[18:]}
    for what, data in others.items():
        with open(bad, "wb") as f:
            f.write(data)
        expect(what, run([program], env={"BRAZE_LLVM": bad}), 1, "no usable", bad)
    os.unlink(bad)
    os.mkfifo(bad)
    expect("a pipe", run([program], env={"BRAZE_LLVM": bad}), 1, "no usable", bad)
    os.unlink(bad)
    expect("a directory", run([program], env={"BRAZE_LLVM": DIR}), 1, "no usable", DIR)
    expect("nothing", run([program], env={"BRAZE_LLVM": bad}), 1, bad + ": No such file")
    decoys(bad)
    expect("another library", run([program], env={"BRAZE_LLVM": bad}), 1, "it has no entry")
    os.unlink(bad)
    if os.path.exists(path("loaded")):
        os.unlink(path("loaded"))


# ---- rights of others

def kept_code(home):
    """What user 1 finds who compiled it before, then what a setuid process finds that runs as user 1."""
    cache = os.path.join(home, "cache")
    os.mkdir(cache, 0o700)
    os.chown(cache, 1, 1)
    own = {"user": 1, "group": 1, "extra_groups": [], "cwd": "/"}
    run([path("home", "bin", "static")], env={"BRAZE_CACHE_DIR": cache, "BRAZE_LLVM": path("home", "real.so")}, **own)
    check("code is kept", os.listdir(cache))
    found = run([path("home", "bin", "static")], env={"BRAZE_CACHE_DIR": cache}, **own)
    return found, run([os.path.join(home, "static")], cwd="/", user=65534, group=65534, extra_groups=[],
                      env={"BRAZE_CACHE_DIR": cache})


def test_setuid():
    """Needs root to make such a program; and a file system that honours the bit."""
    if os.getuid() != 0:
        print("slow_environment: setuid: not root, cannot make the program")
        return
    for place in (DIR, BUILD, "/dev/shm", "/var/tmp"):
        home = tempfile.mkdtemp(prefix="braze-setuid-", dir=place)
        os.chmod(home, 0o755)
        program = os.path.join(home, "static")
        shutil.copy(path("home", "bin", "static"), program)
        os.chown(program, 1, 1)
        os.chmod(program, 0o6755)
        r = run([program], cwd="/", user=65534, group=65534, extra_groups=[],
                env={"BRAZE_LLVM": path("decoy.so"), "BRAZE_DEVICE": "nonsense"}) if reachable(home) else None
        kept = kept_code(home) if r else None
        decoys(os.path.join(home, NAME))
        s = run([program], cwd="/", user=65534, group=65534, extra_groups=[]) if r else None
        shutil.rmtree(home)
        if r and "nonsense" not in r.stdout:
            expect("a setuid process heeds no switch", r, 1, "no usable libbraze-llvm.so")
            expect("nor what lies beside it", s, 1, "no usable libbraze-llvm.so")
            no_stranger("setuid")
            expect("code on disk is its owner's", kept[0], 0, "value -2")
            expect("... and no setuid process's", kept[1], 1, "no usable libbraze-llvm.so")
            return
    print("slow_environment: setuid: no file system here honours the bit")


# ---- limits, disks, directories, other users

GRAPH = "graph main(x: f32[64] = iota()) {\n    %e = sin %x\n    %m = mul %e, 0.1\n    %s = softmax %m\n    return %s as s\n}\n"


def braze(args, **more):
    return run([TOOL, *args], input=GRAPH, env={"BRAZE_LLVM": PLUGIN}, **more)


def contents(d):
    return {n: open(os.path.join(d, n), "rb").read() for n in sorted(os.listdir(d))}


def limited(what, value):
    """For preexec_fn: a limit, whose signal the process ignores as a server does."""
    def begin():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(what, (value, value))
    return begin


def without_sigxfsz(args, n):
    """Python gives its children the default back: `trap` in a shell does not."""
    return braze(args, preexec_fn=limited(resource.RLIMIT_FSIZE, n), restore_signals=False)


def test_small_disk():
    d = path("disk")
    os.mkdir(d)
    for old in (False, True):
        before = contents(d)
        for n in (0, 1, 1000, 5000):
            r = without_sigxfsz(["export", "-", "--out", f"{d}/p", "--name", "f"], n)
            expect(f"an export within {n} bytes", r, 3, "cannot write")
            check(f"... leaves what was there ({old})", contents(d) == before, str(list(contents(d))))
        expect("an export with room", braze(["export", "-", "--out", f"{d}/p", "--name", "f"]), 0)
    r = without_sigxfsz(["run", "-", "--out", f"{d}/values"], 100)
    expect("values within 100 bytes", r, 3, "cannot write")


def test_address_space():
    """From too little to begin with up to enough: a value, or words; only LLVM ends by itself."""
    for megabytes in (60, 80, 100, 150, 200, 400, 4000):
        r = braze(["run", "-"], preexec_fn=limited(resource.RLIMIT_AS, megabytes << 20))
        words = r.stderr.strip()
        check(f"{megabytes} MB of addresses", r.returncode == 0 or (r.returncode > 0 and words) or
              "LLVM ERROR" in words or "bad_alloc" in words, f"status {r.returncode}: {words}")
    r = run([TOOL, "run", "-"], input="graph main(x: f32[2] = 1.0) {\n    %e = expand %x {shape=[500000000000,2]}\n"
            "    %c = copy %e\n    return %c as c\n}\n", env={"BRAZE_LLVM": PLUGIN})
    expect("more than the machine has", r, 3, "out of memory", "TiB")


def test_other_directories():
    d = path("sticky")
    os.mkdir(d)
    os.chmod(d, 0o1777)
    if os.getuid() != 0:
        print("slow_environment: directories of others: not root")
        return
    copy = path("braze")
    shutil.copy(TOOL, copy)
    shutil.copy(PLUGIN, path(NAME))
    for name in ("p.o", "p.h"):
        with open(os.path.join(d, name), "w") as f:
            f.write("somebody's")
    before = contents(d)
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    r = run([copy, "export", "-", "--out", f"{d}/p", "--name", "f"], input=GRAPH, cwd="/", **nobody)
    expect("another's files in a sticky directory", r, 3, "cannot write", "not permitted")
    check("... stay", contents(d) == before, str(list(contents(d))))
    r = run([copy, "export", "-", "--out", f"{d}/q", "--name", "f"], input=GRAPH, cwd="/", **nobody)
    expect("one's own beside them", r, 0)
    os.chmod(d, 0o555)
    r = run([copy, "export", "-", "--out", f"{d}/r", "--name", "f"], input=GRAPH, cwd="/", **nobody)
    expect("a read-only directory", r, 3, "cannot write", "Permission denied")


# ---- the host's floating-point environment around exported code

HOST = r"""
#include "p.h"
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
    static struct f_args a;
    static float x[64], s[64];
    for (int i = 0; i < 64; i++) x[i] = (float)i;
    a.x = x, a.s = s;
    unsigned csr = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 16) : 0x1f80;
    _mm_setcsr(csr);
    int status = f(&a);
    unsigned after = _mm_getcsr();
    _mm_setcsr(0x1f80);
    uint32_t hash = 0, word[64];
    memcpy(word, s, sizeof s);
    for (int i = 0; i < 64; i++) hash = hash * 31 + word[i];
    printf("%d %08x %d\n", status, hash, (after & ~0x3fu) == (csr & ~0x3fu));
    return 0;
}
"""


def test_exported_code():
    d = path("exported")
    os.mkdir(d)
    expect("an export", braze(["export", "-", "--out", f"{d}/p", "--name", "f"]), 0)
    with open(f"{d}/main.c", "w") as f:
        f.write(HOST)
    subprocess.run([*CC, *SANITIZE, f"{d}/main.c", f"{d}/p.o", f"{d}/braze_rt.o", "-lm", "-lpthread", "-o", f"{d}/main"],
                   check=True)
    want = run([f"{d}/main"]).stdout
    for csr in ("3f80", "5f80", "7f80", "9fc0", "0"):
        got = run([f"{d}/main", csr])
        check(f"exported code under MXCSR {csr}", got.returncode == 0 and got.stdout == want and want.endswith(" 1\n"),
              f"{got.returncode} {got.stdout} {want}")


def reachable(directory):
    r = subprocess.run(["test", "-x", directory], user=65534, group=65534, extra_groups=[])
    return r.returncode == 0


def main():
    make_programs()
    try:
        for name, test in list(globals().items()):
            if name.startswith("test_"):
                test()
    finally:
        shutil.rmtree(DIR, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
