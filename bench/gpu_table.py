#!/usr/bin/env python3
"""gpu_table.py FIGURES.jsonl [COUNTED.jsonl] [--json OUT.json] - what bench/gpu found, as a table and as one file.

FIGURES: the objects that bench/gpu writes, a line each (bench/gpu.c describes them). COUNTED: the same of a run on the emulated driver, whose
counters stand beside the times of a real one; without it those of FIGURES, if it has any. OUT:

    {"device", "limits": {copy, fma, mma}, "works": [{... as in FIGURES, "of_copy", "of_fma", "of_mma", "peers": {who: {"ms", "differs"}},
     "counted": {"bytes", "sectors", "bank", "lane_instructions"}}]}

of_*: of what the machine allows, 0 to 1. bytes: moved by the kernels, of those that must be (sizes of the emulated run); sectors, bank: of as few as
would do; null where nothing was counted. Those sizes are small: kernels that are told apart by size may be others.
"""
import json
import sys


def read(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def of_kind(found, kind):
    return [{k: v for k, v in x.items() if k != "kind"} for x in found if x["kind"] == kind]


def share(a, b):
    return a / b if b else None


def counted(works, counters):
    """For each workload what its kernels did, of what would do."""
    least = {w["name"]: w["bytes"] for w in works}
    return {
        c["name"]: {
            "bytes": share(c["global_load_bytes"] + c["global_store_bytes"], least.get(c["name"])),
            "sectors": share(
                c["global_load_sectors"] + c["global_store_sectors"], c["global_load_sectors_ideal"] + c["global_store_sectors_ideal"]
            ),
            "bank": share(c["shared_wavefronts"], c["shared_wavefronts_ideal"]),
            "lane_instructions": c["lane_instructions"],
        }
        for c in counters
    }


def gather(found, other):
    device, works = of_kind(found, "device")[0], of_kind(found, "work")
    limits = {x["name"]: x["rate"] for x in of_kind(found, "limit")}
    counts = counted(of_kind(other, "work"), of_kind(other, "counters"))
    for w in works:
        seconds = w["ms"] * 1e-3
        halves = w["dtype"] in ("bf16", "f16")
        w["of_copy"] = share(share(w["bytes"], seconds) or 0, limits.get("copy")) if w["bytes"] else None
        w["of_fma"] = share(share(w["flops"], seconds) or 0, limits.get("fma")) if w["flops"] else None
        w["of_mma"] = share(share(w["flops"], seconds) or 0, limits.get("mma")) if w["flops"] and halves else None
        w["peers"] = {p["who"]: {"ms": p["ms"], "differs": p["differs"]} for p in of_kind(found, "peer") if p["name"] == w["name"]}
        w["counted"] = counts.get(w["name"])
    return {"device": device, "limits": limits, "works": works}


def show(v, percent=False):
    return "-" if v is None else f"{100 * v:.1f} %" if percent else f"{v:.4g}"


def table(head, rows):
    width = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    for r in [head, ["-" * w for w in width], *rows]:
        print("| " + " | ".join(str(c).ljust(w) for c, w in zip(r, width)) + " |")


def print_all(all):
    d, limits = all["device"], all["limits"]
    print(f"\n{d['name']}, sm_{d['arch']}, {d['processors']} processors, driver {d['driver'] // 1000}.{d['driver'] % 1000 // 10}")
    if d["emulated"]:
        print("emulated: times, rates and shares are a model's and mean nothing; counters are exact")
    print(
        "limits: copies {} GB/s, f32 FMAs {} TFLOP/s, mma.sync of bf16 {} TFLOP/s\n".format(
            *(show(limits.get(k) and limits[k] / by) for k, by in (("copy", 1e9), ("fma", 1e12), ("mma", 1e12)))
        )
    )
    who = list(dict.fromkeys(p for w in all["works"] for p in w["peers"]))
    head = ["workload", "dtype", "kernels", "ms", "host ms", "of copies", "of FMAs", "of mma", *who, "differs", "bytes", "sectors", "bank"]
    rows = []
    for w in all["works"]:
        differs = [p["differs"] for p in w["peers"].values() if p["differs"] is not None]
        rows.append(
            [w["name"], w["dtype"], w["launches"], show(w["ms"]), show(w["host_ms"])]
            + [show(w[k], True) for k in ("of_copy", "of_fma", "of_mma")]
            + [show(w["peers"].get(p, {}).get("ms")) for p in who]
            + [show(max(differs)) if differs else "-"]
            + [show((w["counted"] or {}).get(k)) for k in ("bytes", "sectors", "bank")]
        )
    table(head, rows)


def main(args):
    out = args.pop(args.index("--json") + 1) if "--json" in args else None
    files = [a for a in args if a != "--json"]
    found = read(files[0])
    all = gather(found, read(files[1]) if len(files) > 1 else found)
    print_all(all)
    if out:
        with open(out, "w") as f:
            json.dump(all, f, indent=1)


if __name__ == "__main__":
    main(sys.argv[1:])
