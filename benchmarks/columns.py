"""Object maps of joint attention at 1024 pixels, with gradient: from the log-sum-exp of fused attention, against the attention matrix.

python -m benchmarks.columns                 4,096 image and 333 text positions, 24 heads of 64, float32 and bfloat16
python -m benchmarks.columns --heads 4       fewer heads: seconds instead of minutes

Timed: the denoiser's own attention alone, and together with the maps of two objects, each forward and backward. The ways take turns in one
process; the table has medians of the time above that of the attention alone. Times are of the process' CPU, which other work on the machine
disturbs less than time on the wall; on one thread, unless OMP_NUM_THREADS says otherwise. Memory: each way in a process of its own, the
most that it held above what the attention alone did.

Writes docs/measured/columns.json and docs/measured/columns.md.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.resident import peak
from infsplign.adapters.columns import ColumnAttention
from infsplign.adapters.sdpa import SdpaCall, with_log_sum_exp
from infsplign.adapters.streamed import StreamedAttention
from infsplign.core.attention import QueryKeyAttention

RESULT = Path("docs/measured/columns.json")
IMAGE, TEXT, SIZE, GRID = 4096, 333, 64, (64, 64)
TOKENS = ([2, 3], [6])
KINDS = {"whole matrix": QueryKeyAttention, "chunks": StreamedAttention, "log-sum-exp, second call": ColumnAttention}
WAYS = ("attention alone", *KINDS, "log-sum-exp, own call")


class Step:
    """Forward and backward of one attention layer, with the maps made one way or another."""

    def __init__(self, heads: int, dtype: torch.dtype) -> None:
        generator = torch.Generator().manual_seed(0)
        shape = (1, heads, IMAGE + TEXT, SIZE)
        *made, self.to_out = (torch.randn(shape, generator=generator).to(dtype) for _ in range(4))
        self.operands = [x.requires_grad_() for x in made]
        self.weights = torch.zeros(1, TEXT, len(TOKENS))
        for column, tokens in enumerate(TOKENS):
            self.weights[0, tokens, column] = 1 / len(tokens)
        self.to_maps = torch.randn((1, len(TOKENS), *GRID), generator=generator) * heads**0.5

    def run(self, way: str) -> list[Tensor]:
        """The gradients of queries, keys and values, the maps last where there are any."""
        query, key, value = self.operands
        options: dict[str, Any] = {"scale": SIZE**-0.5, "text": (IMAGE, IMAGE + TEXT), "grid": GRID}
        lse = None
        if way == "log-sum-exp, own call":
            out, lse = with_log_sum_exp(SdpaCall.of(query, key, value))
            if out is None or lse is None:
                raise RuntimeError("torch has chosen no fused operator that gives its log-sum-exp")
            attention = ColumnAttention(query[:, :, :IMAGE], key, lse=lse[:, :, :IMAGE], **options)
        else:
            out = F.scaled_dot_product_attention(query, key, value)
            attention = KINDS[way](query[:, :, :IMAGE], key, **options) if way in KINDS else None
        if attention is None:
            return list(torch.autograd.grad(out, self.operands, self.to_out))
        maps = self._whole(attention) if way == "whole matrix" else attention.object_maps(self.weights)
        return [*torch.autograd.grad([out, maps], self.operands, [self.to_out, self.to_maps]), maps]

    def _whole(self, attention: QueryKeyAttention) -> Tensor:
        """By the definition, as a softmax that autograd differentiates."""
        logits = attention.scale * attention.query.float() @ attention.key.float().mT
        maps = logits.softmax(-1)[..., IMAGE:].mean(1) @ self.weights
        return maps.transpose(1, 2).unflatten(2, GRID)


def seconds(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def measure(heads: int, dtype: torch.dtype, rounds: int) -> dict[str, Any]:
    """CPU seconds of each round and way, bytes of each way, and how far gradients are from those of chunks."""
    step, kind = Step(heads, dtype), str(dtype).removeprefix("torch.")
    differences = {way: _difference(step.run(way), step.run("chunks")) for way in WAYS[2:]}
    times = [{way: seconds(lambda way=way: step.run(way)) for way in WAYS} for _ in range(rounds)]
    memory = {}
    for way in WAYS:
        command = [sys.executable, "-m", "benchmarks.columns", "--heads", str(heads), "--alone", kind, way]
        memory[way] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {"seconds": times, "resident": memory, "difference": differences}


def _difference(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest, as a share of the largest number of each."""
    pairs = [(a.detach().double(), b.detach().double()) for a, b in zip(found, expected, strict=True)]
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def table(record: dict[str, Any]) -> str:
    base, chunks = "attention alone", "chunks"
    lines = [
        f"{IMAGE:,} image and {TEXT} text positions, {record['heads']} heads of {SIZE}, forward and backward; {record['threads']} threads, "
        f"load of the machine {record['load']:.1f}, torch {record['torch']}. Medians of {record['rounds']} rounds in turns, CPU seconds.",
        "",
        "| type | maps by | s | s above the attention alone | times as fast as chunks | MB above the attention alone | gradient off by |",
        "|---" * 7 + "|",
    ]
    for kind, found in record["types"].items():
        extra = {way: median(r[way] - r[base] for r in found["seconds"]) for way in WAYS}
        for way in WAYS:
            whole = median(r[way] for r in found["seconds"])
            more = f"{(found['resident'][way] - found['resident'][base]) / 1e6:+.0f}"
            faster = f"{extra[chunks] / extra[way]:.1f}" if extra[way] > 0 else "more than can be measured" if way != base else ""
            off = f"{found['difference'][way]:.0e}" if way in found["difference"] else ""
            above = "" if way == base else f"{extra[way]:+.3f}"
            lines.append(f"| {kind} | {way} | {whole:.3f} | {above} | {faster} | {more if way != base else ''} | {off} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--types", nargs="*", default=["float32", "bfloat16"])
    parser.add_argument("--alone", nargs=2, metavar=("TYPE", "WAY"), help="run one way once and print the most bytes the process held")
    options = parser.parse_args()
    if options.alone:
        Step(options.heads, getattr(torch, options.alone[0])).run(options.alone[1])
        print(peak())
        return
    record: dict[str, Any] = {
        "torch": torch.__version__, "threads": torch.get_num_threads(), "load": os.getloadavg()[0],
        "heads": options.heads, "rounds": options.rounds, "types": {},
    }  # fmt: skip
    for kind in options.types:
        record["types"][kind] = measure(options.heads, getattr(torch, kind), options.rounds)
        RESULT.write_text(json.dumps(record, indent=1) + "\n")
    text = table(record)
    RESULT.with_suffix(".md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
