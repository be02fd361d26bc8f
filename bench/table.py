#!/usr/bin/env python3
"""table.py LINES.jsonl OUT.json - the figures of the programs of bench/ as two tables and one file.

LINES: what bench/support/report.h describes. OUT: {"cpu", "notes", "times", "figures"}.
"""
import json
import math
import sys

WHO = ["braze", "braze eager", "torch eager", "torch.compile", "jax", "numpy"]


def cpu():
    with open("/proc/cpuinfo") as f:
        fields = dict(tuple(map(str.strip, line.split(":", 1))) for line in f if ":" in line)
    return f"{fields.get('model name')}, family {fields.get('cpu family')} model {fields.get('model')}"


def show(v):
    """Three digits that count, never in the form of powers; '-' for what is not there."""
    if v is None:
        return "-"
    if v == int(v):
        return str(int(v))
    digits = 2 - math.floor(math.log10(abs(v)))
    return f"{v:.{min(max(digits, 0), 3)}f}"


def table(head, rows):
    width = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    lines = [head, ["-" * w for w in width], *rows]
    for r in lines:
        print("| " + " | ".join(str(c).ljust(w) for c, w in zip(r, width)) + " |")


def comparison(times):
    """One row a workload, with the most threads that there are times for."""
    threads = max(t["threads"] for t in times)
    rows = []
    for work in dict.fromkeys(t["workload"] for t in times):
        ms = {t["who"]: t["ms"] for t in times if t["workload"] == work and t["threads"] == threads}
        peers = [v for who, v in ms.items() if not who.startswith("braze")]
        ratio = f"{min(peers) / ms['braze']:.2f}x" if peers else "-"
        rows.append([work, *(show(ms.get(w)) for w in WHO), ratio])
    print(f"\nms per call, {threads} threads\n")
    table(["workload", *WHO, "best peer / braze"], rows)


def goals(figures):
    """One row a goal; figures of one and of more threads side by side."""
    rows, missed = [], 0
    asked = [f for f in figures if f["goal"]]
    for key in dict.fromkeys((f["workload"], f["what"]) for f in asked):
        found = [f for f in asked if (f["workload"], f["what"]) == key]
        one = [show(f["value"]) for f in found if f["threads"] == 1]
        more = [show(f["value"]) for f in found if f["threads"] != 1]
        met = all(f["met"] for f in found)
        missed += not met
        rows.append([key[0], key[1], found[0]["goal"], *(one or ["-"]), *(more or ["-"]), "pass" if met else "MISS"])
    print("\ngoals\n")
    most = max(f["threads"] for f in figures)
    table(["workload", "figure", "goal", "1 thread", f"{most} threads", ""], rows)
    print(f"\n{len(rows) - missed} of {len(rows)} goals met")


def main(lines, out):
    with open(lines) as f:
        found = [json.loads(line) for line in f]
    of = {kind: [{k: v for k, v in x.items() if k != "kind"} for x in found if x["kind"] == kind] for kind in ("time", "figure", "note")}
    notes = list(dict.fromkeys(n["text"] for n in of["note"]))
    print("\n" + cpu(), *notes, sep="\n")
    comparison(of["time"])
    goals(of["figure"])
    with open(out, "w") as f:
        json.dump({"cpu": cpu(), "notes": notes, "times": of["time"], "figures": of["figure"]}, f, indent=1)
    print(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
