"""Named candidates for the constants of a shipped model, on the tune split only: what each gives, and what it costs.

python -m benchmarks.search --model shapes --prompts 32 --images 2 --only unguided paper bounded       (resumes: the same command goes on)
python -m benchmarks.search --list

One table: the measures with their intervals, and the denoiser's passes an image by kind, as each image would cost alone. An unguided
image of n steps is 2 n plain passes under classifier-free guidance. Nothing is chosen here: see docs/adaptive.md.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks.layers import reading
from benchmarks.recipes import recipes
from infsplign import GuidanceConfig, guide
from infsplign.core import LOSSES
from infsplign.core.terms import excite, overlap, superiority
from infsplign.engine.config import PAPER, PAPER_CLI
from infsplign.engine.passes import Passes
from infsplign.engine.weight_schedules import cosine_decay, linear_decay
from infsplign.evaluation.files import write, write_json
from infsplign.evaluation.running.sampler import PipelineSampler
from infsplign.evaluation.scoring.world_evaluation import TABLE, evaluate_world
from infsplign.shipped import DEFAULT, PRESETS, load

Changes = Mapping[str, Any]
READERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    # the blocks that read where objects are at every moment; docs/measured/blocks-shapes.md and blocks-shapes-pixart.md
    "shapes": {
        "coarse": ("down_blocks.1.attentions.0.transformer_blocks.0.attn2",),
        "middle": ("up_blocks.2.attentions.0.transformer_blocks.0.attn2", "up_blocks.2.attentions.1.transformer_blocks.0.attn2"),
    },
    "shapes-pixart": {"coarse": ("transformer_blocks.2.attn2",), "middle": ("transformer_blocks.5.attn2",)},
}
FIRST = {
    "shapes": {"coarse": ("down_blocks.1.attentions.0.transformer_blocks.0.attn2",)},
}
"""The earliest reader alone: the shortest recorded prefix."""

SINGLE: Mapping[str, Changes] = {
    **{f"paper-{size}": {"scale": float(size)} for size in (50, 100, 200, 300, 400, 500, 2000, 5000)},
    **{f"paper-{size}-half": {"scale": float(size), "stop": 0.5} for size in (50, 100, 200, 300, 400, 500, 2000, 5000)},
    **{f"stop-{100 * part:.0f}": {"stop": part} for part in (0.25, 0.5, 0.75)},
    "start-10": {"start": 0.1},
    **{f"every-{k}": {"every": k} for k in (2, 3)},
    **{f"every-{k}-reuse": {"every": k, "reuse": True} for k in (2, 3)},
    **{f"patience-{k}": {"patience": k} for k in (1, 2, 4)},
    "patience-2-margin": {"patience": 2, "margin_hold": 0.1},
    "patience-2-watch-2": {"patience": 2, "watch_every": 2},
    **{f"bounded-{most}": {"max_shift": most} for most in (0.03, 0.1, 0.3)},
    **{f"normalised-{size}": {"normalise": True, "scale": size} for size in (0.03, 0.1)},
    "linear": {"schedule": linear_decay},
    "cosine": {"schedule": cosine_decay},
    "repeats-2": {"repeats": 2, "max_shift": 0.1},
    "excite": {"terms": (excite(1.0),)},
    "superiority": {"terms": (superiority(1.0),)},
    "overlap": {"terms": (overlap(1.0),)},
}
"""One change of the paper's constants each; those that need a scale of their own bring it."""
STRONG: Changes = {"scale": 5000.0, "max_shift": 0.1}
PAUSING: Changes = {"patience": 2, "margin_hold": 0.1}
COMBINED: Mapping[str, Changes] = {
    "strong": STRONG,
    "strong-half": {**STRONG, "stop": 0.5},
    "strong-pausing": {**STRONG, **PAUSING},
    "strong-pausing-half": {**STRONG, **PAUSING, "stop": 0.5},
    "strong-pausing-every-2": {**STRONG, **PAUSING, "every": 2},
    "strong-cosine": {**STRONG, "schedule": cosine_decay},
    "strong-repeats": {**STRONG, "repeats": 2, "stop": 0.5},
    **{f"strong-pausing-excite-{weight}": {**STRONG, **PAUSING, "terms": (excite(weight),)} for weight in (0.3, 1.0, 3.0)},
    "strong-pausing-overlap": {**STRONG, **PAUSING, "terms": (overlap(1.0),)},
    **{
        f"strong-pausing-excite-{weight}-half": {**STRONG, **PAUSING, "terms": (excite(weight),), "stop": 0.5} for weight in (0.2, 0.4, 1.0)
    },
    **{
        f"strong-pausing-excite-{weight}-third": {**STRONG, **PAUSING, "terms": (excite(weight),), "stop": 1 / 3}
        for weight in (0.2, 0.4, 1.0)
    },
    "strong-pausing-excite-0.4-half-0.06": {**STRONG, **PAUSING, "terms": (excite(0.4),), "stop": 0.5, "max_shift": 0.06},
    "strong-pausing-excite-0.4-half-0.15": {**STRONG, **PAUSING, "terms": (excite(0.4),), "stop": 0.5, "max_shift": 0.15},
    "strong-pausing-excite-0.4-half-patient": {**STRONG, "patience": 3, "margin_hold": 0.2, "terms": (excite(0.4),), "stop": 0.5},
    "strong-pausing-excite-every-2": {**STRONG, **PAUSING, "terms": (excite(1.0),), "every": 2},
    "strong-pausing-excite-reuse": {**STRONG, **PAUSING, "terms": (excite(1.0),), "every": 2, "reuse": True},
}


PARTS = {"sixth": 1 / 6, "fifth": 0.2, "quarter": 0.25, "third": 1 / 3, "all-steps": 1.0}
TURNED: Mapping[str, Changes] = {
    "all-steps": {"stop": 1.0},
    "half": {"stop": 0.5},
    "quarter": {"stop": 0.25},
    "fifth": {"stop": 0.2},
    "sixth": {"stop": 1 / 6},
    "patience-1": {"patience": 1},
    "hold-0.05": {"margin_hold": 0.05},
    "sixth-from-step-2": {"start": 1 / 15, "stop": 1 / 6 + 1 / 15},
    "late": {"start": 0.1},
    "no-pause": {"patience": None},
    **{f"no-pause-{name}": {"patience": None, "stop": part} for name, part in PARTS.items()},
    "patient": {"patience": 4, "margin_hold": 0.2},
    "no-bound": {"max_shift": None},
    "published-scale-no-bound": {"max_shift": None, "scale": 1000.0},
    "bound-0.2": {"max_shift": 0.2},
    "bound-0.05": {"max_shift": 0.05},
    "normalised": {"max_shift": None, "normalise": True, "scale": 0.1},
    "every-2": {"every": 2},
    "every-2-reuse": {"every": 2, "reuse": True},
    "watch-every-2": {"watch_every": 2},
    "cosine": {"schedule": cosine_decay},
    "repeats-2": {"repeats": 2},
    "no-terms": {"terms": ()},
}
"""One option of a preset turned at a time, as `preset-NAME`: what each does by itself is the difference from `preset`."""

TRIED = {
    "shapes-pixart": [(block, 0.1, weight) for block in (1, 2) for weight in (0.0, 0.2, 0.4)],
    "shapes-sd3": [
        *((2, 0.3, 0.4), (2, 0.6, 0.0), (2, 0.6, 0.4), (4, 0.3, 0.0), (4, 0.3, 0.4), (4, 0.3, 1.0), (4, 0.45, 0.4)),
        *((block, bound, weight) for block in (1, 2, 3) for bound in (0.2, 0.3, 0.45) for weight in (0.0, 0.4)),
    ],
}
"""Block, bound and weight of Attend-and-Excite's term, with one block alone."""
ATTENTION = {"shapes-pixart": "attn2", "shapes-sd3": "attn"}
WINDOW: Changes = {"stop": 0.5}
"""Of the presets when most tables were made; what is compared with them keeps it."""
OWN_LAYERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    **FIRST,
    "shapes-pixart": {"coarse": ("transformer_blocks.2.attn2",)},
    "shapes-sd3": {"coarse": ("transformer_blocks.4.attn",)},
}
"""Those that the presets before `RECOMMENDED` read."""
FORMER: Mapping[str, GuidanceConfig] = {
    "shapes": PAPER.with_(**STRONG, **PAUSING, **WINDOW, terms=(excite(0.2),), layers=OWN_LAYERS["shapes"]),
    "shapes-pixart": PAPER.with_(**STRONG, **PAUSING, **WINDOW, layers=READERS["shapes-pixart"]),
    "shapes-sd3": PAPER.with_(**STRONG, **PAUSING, **WINDOW, terms=(excite(0.4),), layers=OWN_LAYERS["shapes-sd3"]),
}
"""Presets before `RECOMMENDED`: `former`, and `former-NAME` with one option turned; a model that had none has its preset."""


def candidates(model: str) -> dict[str, GuidanceConfig]:
    """All candidates of a model by name; a name that begins with `readers-` or `first-` is the rest of it on other layers."""
    layers = OWN_LAYERS.get(model, PRESETS[model].config.layers)
    paper, former = PAPER.with_(layers=layers), FORMER.get(model, PRESETS[model].config)
    found = {"unguided": paper.with_(scale=0.0), "paper": paper, "preset": PRESETS[model].config}
    found["paper-cli"] = PAPER_CLI.with_(layers=layers)
    found |= {name: paper.with_(**changes) for name, changes in {**SINGLE, **COMBINED}.items()}
    for size in (50, 100, 200, 500, 1000):  # what a flow or v model predicts moves by the gradient itself
        found[f"direct-{size}-half"] = paper.with_(scale=float(size), stop=0.5, update="direct")
    found["former"] = former
    found |= {f"{base}-{name}": found[base].with_(**changes) for base in ("preset", "former") for name, changes in TURNED.items()}
    for name in (name for name in LOSSES if name != "paper"):  # rivals: our layers, window, pauses and bound, their loss
        own = former.with_(loss=LOSSES[name](), terms=(), layers=layers)
        found |= {f"{name}-{size}": own.with_(scale=float(size)) for size in (500, 5000, 50000)}
    for size in (200, 500, 1000, 2000):  # the paper's method whole, its layers too
        found |= {f"published-{size}": PAPER.with_(scale=float(size)), f"published-{size}-half": PAPER.with_(scale=float(size), stop=0.5)}
    for block, bound, weight in TRIED.get(model, ()):
        place = {"max_shift": bound, "layers": {"coarse": (f"transformer_blocks.{block}.{ATTENTION[model]}",)}}
        own = former.with_(terms=(excite(weight),) if weight else ())
        found[f"block-{block}-bound-{bound}-excite-{weight}"] = own.with_(**place)
    found |= recipes(PRESETS[model].config)
    for prefix, other in (("readers", READERS.get(model)), ("first", FIRST.get(model))):
        if other is not None:
            found |= {f"{prefix}-{name}": found[name].with_(layers=other) for name in ("paper", *COMBINED)}
    return {name: reading(config, config.layers) for name, config in found.items()}


class CountingSampler(PipelineSampler):
    """Takes down beside each batch what it cost, in `out`/passes.json, so that a resumed run still knows."""

    def __init__(self, pipe: Any, out: Path, methods: Mapping[str, GuidanceConfig], **options: Any) -> None:
        super().__init__(pipe, **options)
        self.path, self.methods = out / "passes.json", methods
        self.passes: dict[str, dict[str, Any]] = json.loads(self.path.read_text()) if self.path.is_file() else {}

    def __call__(self, texts: Sequence[str], seeds: Sequence[int], config: GuidanceConfig | None) -> Sequence[Image.Image]:
        assert config is not None
        name = next(name for name, known in self.methods.items() if known is config)
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        options = {"num_inference_steps": self.steps, "guidance_scale": self.guidance_scale, "generator": generators}
        self.pipe.set_progress_bar_config(disable=True)
        with guide(self.pipe, list(texts), config=config) as guidance:
            images = self.pipe(list(texts), output_type="pil", **options, **self.call).images
        batch = {"images": len(texts), "seeds": list(seeds), **asdict(guidance.needed)}
        kept = {key: other for key, other in self.passes.get(name, {}).items() if not set(other.get("seeds", key)) <= set(seeds)}
        self.passes[name] = kept | {f"{seeds[0]}-{len(seeds)}": batch}  # a short last batch is made again when the list has grown
        write_json(self.path, self.passes)
        return images

    def per_image(self, name: str) -> dict[str, float]:
        """Passes of one image of a candidate, by kind."""
        batches = list(self.passes[name].values())
        images = sum(batch["images"] for batch in batches)
        return {kind: sum(batch[kind] for batch in batches) / images for kind in Passes.__dataclass_fields__}


def with_passes(table: str, sampler: CountingSampler) -> str:
    """The table of measures with the passes of each method behind its first line."""
    kinds, lines = tuple(Passes.__dataclass_fields__), table.splitlines()
    end = next((number for number, line in enumerate(lines) if not line.startswith("|")), len(lines))
    lines[0] += "".join(f" {kind} passes |" for kind in kinds)
    lines[1] += "---|" * len(kinds)
    for number in range(2, end):
        costs = sampler.per_image(lines[number].split("|")[1].strip())
        lines[number] += "".join(f" {costs[kind]:.1f} |" for kind in kinds)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT, choices=tuple(PRESETS))
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--steps", type=int, help="the model's own where not given")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--out", type=Path, help="out/search-MODEL where not given")
    parser.add_argument("--only", nargs="*", default=["unguided", "paper", "preset"], metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print the candidates' names and what they change")
    options = parser.parse_args()
    known = candidates(options.model)
    if options.list:
        for name, config in known.items():
            changed = {field: value for field, value in vars(config).items() if value != getattr(PAPER, field)}
            print(name, changed)
        return
    if unknown := [name for name in options.only if name not in known]:
        parser.error(f"`--only` has no candidate {', '.join(unknown)}; see --list")
    preset, out = PRESETS[options.model], options.out or Path(f"out/search-{options.model}")
    chosen = {name: known[name] for name in dict.fromkeys(options.only)}
    sampling = {"steps": options.steps or preset.steps, "guidance_scale": preset.guidance_scale, "call": preset.call}
    sampler = CountingSampler(load(options.model), out, chosen, **sampling)
    asked = {"count": options.prompts, "images": options.images, "split": "tune", "batch": options.batch, "name": preset.world}
    evaluate_world(sampler, out, methods=chosen, **asked)
    table = with_passes((out / TABLE).read_text(), sampler)
    write(out / TABLE, table)
    print(table)


if __name__ == "__main__":
    main()
