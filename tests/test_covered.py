#!/usr/bin/python3
"""test_covered.py - the tables of ops beside the tests: what no test asks for the value of, what has neither a gradient nor a reason, fails here.

Documentation, the C declaration and the round trip of the text form are asked for by tests/test_tool.py (test_ops) and tests/test_text.c."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("BRAZE_CACHE_DIR", "off")
TOOL = os.environ.get("BRAZE_TOOL", "build/braze")
ROOT = Path(os.environ.get("BRAZE_SRC", "."))
# Why nothing flows back.
REASONS = {
    "integers": "eq ne lt le gt ge logical_and logical_or logical_xor logical_not isnan isinf isfinite signbit any all argmax argmin one_hot isclose allclose isposinf isneginf isreal count_nonzero histc gcd lcm matrix_rank",
    "made of nothing": "bartlett_window blackman_window hamming_window hann_window kaiser_window full zeros ones iota arange linspace eye rand randn randint uniform normal exponential geometric randperm rand_like randn_like bernoulli multinomial standard_gamma beta dirichlet poisson binomial empty logspace tri tril_indices triu_indices zeros_like ones_like empty_like full_like",
    "a number of its own": "grad_scaler_update",
}
NONE = {name for words in REASONS.values() for name in words.split()}


def tests():
    """All that calls ops by name."""
    files = [*ROOT.glob("tests/test_*.c"), *ROOT.glob("tests/slow_*.c"), *ROOT.glob("tests/test_*.py"), *ROOT.glob("tests/slow_*.py"), *ROOT.glob("tests/golden/torch/*.txt"), *ROOT.glob("tests/support/*.c"),
             *ROOT.glob("tests/ir/*.def"), ROOT / "examples/gpt.c"]
    return "\n".join(f.read_text() for f in files if f.name != "test_covered.py")


def gradient(text, inputs, result):
    """The tool's answer for the gradient of the sum of a call of the corpus, which ends `text`."""
    text += f"    %loss = sum {result}\n    return %loss as loss\n}}\n"
    return subprocess.run([TOOL, "grad", "-", "--wrt", ",".join(inputs), "--dim", "n=3"], input=text, capture_output=True, text=True, timeout=60)


def main():
    ops = json.loads(subprocess.run([TOOL, "ops", "--json"], capture_output=True, text=True, check=True).stdout)
    seen, failed, passed = set(re.findall(r"(?<![A-Za-z0-9])(?:= )?(?:bz_|IR_)?([A-Za-z]\w*)", tests())), [], 0
    corpus = (ROOT / "tests/ir/builders.bz").read_text()
    head = corpus[corpus.index("graph main"):corpus.index("{\n") + 2]
    for o in ops:
        name = o["name"]
        called = name in seen or name.upper() in seen
        passed, failed = (passed + 1, failed) if called else (passed, failed + [f"{name}: no test calls it"])
        line = re.search(rf"^    (%[\w, %]+) = {name} [^\n]*\n", corpus, re.M)
        if o["kind"] != "builder" or name in NONE or name in ("cond", "while") or not line:
            continue
        inputs = [n for n in re.findall(r"(\w+): f\d+", head) if re.search(rf"%{n}\b", line[0])]
        r = gradient(corpus[:line.end()], inputs, line[1].split(",")[0]) if inputs else None
        good = not r or r.returncode == 0 or "the loss must be a float" in r.stderr
        passed, failed = (passed + 1, failed) if good else (passed, failed + [f"{name}: no gradient: {r.stderr.strip()[:300]}"])
    for f in failed[:20]:
        print(f)
    print(f"{passed} passed, {len(failed)} failed")
    return bool(failed)


sys.exit(main())
