"""The page of `benchmarks.gpu`: tables of what was measured on a GPU, beside what the planner foresees."""

from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.gpu_unit import COMPILED, PIECES
from benchmarks.pages import fill

NOT_RUN = "Not run yet: no GPU has been at hand. `python -m benchmarks.gpu` measures on one in eight minutes, and writes its tables here."
START, END = "<!-- measured: gpu -->", "<!-- end: gpu -->"
Found = dict[str, Any]


def write(page: Path, record: Found | None) -> str:
    """Puts the tables into the page, which is made where there is none, and returns them."""
    if not page.exists():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"# Measured on a GPU\n\n{START}\n{END}\n", "utf-8")
    return fill(page, "gpu", NOT_RUN if record is None else tables(record))


def tables(record: Found) -> str:
    found = [(*key.split(" | "), value) for key, value in record["measured"].items()]
    order = {name: place for place, name in enumerate(record["order"])}
    found.sort(key=lambda item: (order[item[0]], item[1]))
    parts = [_told(record), _kernels(record)]
    eager = [(name, kind, value) for name, kind, stage, value in found if stage == "eager"]
    compiled = {(name, kind): value for name, kind, stage, value in found if stage == "compiled"}
    planned = {name: value for name, _, stage, value in found if stage == "planned"}
    parts += [_steps(eager), _compiled(eager, compiled), _columns(eager), _planned(eager, planned), _waits(eager)]
    return "\n\n".join(part for part in parts if part)


def seconds(found: Found, way: str) -> float | None:
    """The median of a way's rounds; None where it has none."""
    times = [each[way] for each in found["rounds"] if way in each]
    return median(times) if times else None


def _told(record: Found) -> str:
    machine = record["machine"]
    memory = f", {machine['memory'] / 1e9:.0f} GB" if machine["memory"] else ""
    cuda = f", CUDA {machine['cuda']}" if machine["cuda"] else ""
    trial = "" if machine["cuda"] else " **Not a GPU: this shows that the script runs, and measures nothing.**"
    return f"{machine['device']}{memory}; torch {machine['torch']}{cuda}.{trial}"


def _kernels(record: Found) -> str:
    told = []
    for kind, each in record["kernels"].items():
        told.append(f"{kind}: " + (", ".join(f"{name} {'passes' if ok else 'fails'}" for name, ok in each.items()) or "none"))
    return "Fused operators that give the log-sum-exp, by their self-check: " + "; ".join(told) + "."


def _table(head: str, rows: list[list[str]]) -> str:
    columns = [column.strip() for column in head.split("|")]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) if rows else ""


def _ratio(a: float | None, b: float | None) -> str:
    return f"{a / b:.2f}" if a is not None and b else ""


def _steps(eager: list[tuple[str, str, Found]]) -> str:
    rows = []
    for name, kind, found in eager:
        base, side = found["ways"].get("unguided", {}), found.get("side")
        if "error" in found:
            rows.append([f"{name}, {kind}", "", found["error"], "", "", "", "", ""])
        for way, facts in found["ways"].items():
            if way == PIECES:
                continue
            place = f"{name}, {side} pixels, {kind}" if way == "unguided" else ""
            if "error" in facts:
                rows.append([place, way, facts["error"], "", "", "", "", ""])
                continue
            spent, plain = seconds(found, way), seconds(found, "unguided")
            extra = f"{(facts['peak'] - base['peak']) / 1e9:+.2f} GB" if "peak" in base else ""
            times = "" if spent is None else f"{spent:.4f}"
            count = "" if facts["launches"] is None else f"{facts['launches']:,}"
            peak = f"{facts['peak'] / 1e9:.2f} GB"
            rows.append([place, way, times, _ratio(spent, plain), peak, extra, count, str(len(found["rounds"]))])
    return _table("one step | way | seconds | ratio | peak above weights | above unguided | launches | rounds", rows)


def _compiled(eager: list[tuple[str, str, Found]], compiled: dict[tuple[str, str], Found]) -> str:
    rows = []
    for name, kind, found in eager:
        other = compiled.get((name, kind))
        if other is None or COMPILED not in other["ways"]:
            continue
        facts, fast = other["ways"][COMPILED], seconds(other, COMPILED)
        if fast is None:
            rows.append([f"{name}, {kind}", facts.get("error", "not timed"), "", "", ""])
            continue
        plans = [t for plan in ("split", "batched", "checkpoint") if (t := seconds(found, plan)) is not None]
        best = min(plans) if plans else None
        ratios = [_ratio(fast, seconds(other, "unguided")), _ratio(best, fast)]
        rows.append([f"{name}, {kind}", f"{fast:.4f}", *ratios, f"{facts['launches'] or 0:,}"])
    return _table("compiled denoiser | seconds unguided | of uncompiled | best plan, uncompiled, against it | launches", rows)


def _columns(eager: list[tuple[str, str, Found]]) -> str:
    rows = []
    for name, kind, found in eager:
        ways = found["ways"]
        if "peak" not in ways.get("split", {}) or "peak" not in ways.get(PIECES, {}):
            continue
        ours, pieces = seconds(found, "split"), seconds(found, PIECES)
        shown = [f"{t:.4f}" if t is not None else "" for t in (ours, pieces)]
        memory = f"{(ways['split']['peak'] - ways[PIECES]['peak']) / 1e9:+.2f} GB"
        off = found.get("difference")
        rows.append([f"{name}, {kind}", *shown, _ratio(pieces, ours), memory, "" if off is None else f"{off:.1e}"])
    head = "maps in a guided step (split) | s by log-sum-exp | s in pieces | times as fast | peak against pieces | gradients apart by"
    return _table(head, rows)


def _planned(eager: list[tuple[str, str, Found]], planned: dict[str, Found]) -> str:
    rows = []
    for name, kind, found in eager:
        counts = planned.get(name, {"ways": {}})["ways"]
        for way, count in counts.items():
            facts, base, plain = found["ways"].get(way, {}), found["ways"].get("unguided", {}), counts["unguided"]
            if way == "unguided" or "peak" not in facts or "peak" not in base or count["side"] != found.get("side"):
                continue
            bytes_ = [f"{x / 1e9:+.2f} GB" for x in (count["peak"] - plain["peak"], facts["peak"] - base["peak"])]
            ratios = [f"{count['flops'] / plain['flops']:.2f}", f"{count['operators'] / plain['operators']:.2f}"]
            rows.append([f"{name}, {kind}", way, *bytes_, *ratios, _ratio(seconds(found, way), seconds(found, "unguided"))])
    head = "planner | plan | memory above unguided, planned | measured | operations, times unguided | operators | seconds, measured"
    return _table(head, rows)


def _waits(eager: list[tuple[str, str, Found]]) -> str:
    """Where a guided step waits for the device, and an unguided one does not."""
    rows = []
    for name, kind, found in eager:
        own = found["ways"].get("unguided", {}).get("waits")
        for plan in ("split", "batched", "checkpoint"):
            waits = found["ways"].get(plan, {}).get("waits")
            if own is None or waits is None:
                continue
            more = [f"{place} ({count})" for place, count in waits.items() if place not in own]
            rows.append([f"{name}, {kind}", plan, str(sum(own.values())), ", ".join(more) or "none"])
    return _table("the host waits for the device | plan | times in an unguided step | in a guided step besides", rows)
