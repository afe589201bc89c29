"""The components of the page, and which function each event calls."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from infsplign.app import views
from infsplign.app.reading import read_prompt
from infsplign.app.results import Result
from infsplign.app.session import Session, View, generate
from infsplign.app.vocabulary import JOINING, PLACES, first_prompt, phrases, with_piece
from infsplign.app.workshop import METHODS, Workshop
from infsplign.errors import PromptWarning
from infsplign.generation.models import defaults_for

TITLE = "# infsplign\nThe same prompt and seed, without and with spatial guidance."
STEPS = 30
"""Of a model that has no preset, until the user changes it."""
KEPT = 24 * 3600
"""Seconds for which the files of a page are there: the download is one of them."""
STRONGEST = 0.5
"""Where the slider of the strength ends, unless a preset has a wider bound."""
FIELDS = ("prompt", "model", "relations", "seed", "steps", "guidance_scale", "strength", "negative_prompt", "height", "width")
QUICK: Mapping[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build(workshop: Workshop, models: Sequence[str]) -> gr.Blocks:
    """Builds the page.

    Args:
        workshop: samples for all visitors, one after the other.
        models: that can be chosen, the first one first.
    """
    warnings.simplefilter("ignore", PromptWarning)  # the page says it
    with gr.Blocks(title="infsplign", analytics_enabled=False, delete_cache=(600, KEPT)) as page:
        session = gr.State(Session(), delete_callback=Session.close)
        gr.Markdown(TITLE, elem_id="is-title")
        with gr.Row(equal_height=False):
            with gr.Column(scale=5, min_width=320):
                asked = _asked(models, workshop)
            with gr.Column(scale=7, min_width=320):
                made = _made()
        with gr.Column(visible=False) as kept:
            gallery = gr.Gallery(
                label="made since this page was opened", columns=6, object_fit="contain", height="auto", allow_preview=False, buttons=[],
                elem_id="is-gallery",
            )  # fmt: skip
            download = gr.DownloadButton("Download everything", size="md", elem_id="is-download")
        _wire_reading(workshop, asked)
        _wire_sampling(page, workshop, session, asked, made | {"gallery": gallery, "download": download, "kept": kept})
    return page


def _asked(models: Sequence[str], workshop: Workshop) -> dict[str, Any]:
    """The fields and buttons on the left."""
    first, defaults = first_prompt(models[0]), defaults_for(models[0])
    prompt = gr.Textbox(first, label="prompt", lines=2, max_lines=5, autofocus=True, elem_id="is-prompt", max_length=4000)
    reading = gr.HTML(read_prompt(first, "", models[0]), elem_id="is-reading")
    nouns = _buttons("objects", phrases(models[0]))
    joining = _buttons("relations", [*JOINING, *PLACES])
    with gr.Row():
        model = gr.Dropdown(list(models), value=models[0], label="model", min_width=140)
        seed = gr.Number(0, label="seed", min_width=100)  # without `precision`, which rounds 1.7 to 2 and shows 1.7
    with gr.Row():
        options: dict[str, Any] = {"min_width": 180, "buttons": []}  # an arrow would go back to the first model's value
        steps = gr.Slider(1, 100, value=defaults.steps or STEPS, step=1, label="steps", elem_id="is-steps", **options)
        value, label = workshop.strength(models[0]), _strength_label(workshop.bound(models[0]))
        most = max(STRONGEST, *map(workshop.strength, models))
        strength = gr.Slider(0, most, value=value, step=0.01, label=label, **options)
    with gr.Accordion("more options", open=False):
        by_hand = gr.Textbox(label="relations by hand, one a line", placeholder="cat left of dog", lines=2)
        negative = gr.Textbox(label="negative prompt")
        with gr.Row():
            scale = gr.Number(defaults.guidance_scale, label="guidance scale (CFG)", min_width=90)
            height = gr.Number(None, label="height", placeholder="model's", min_width=90)
            width = gr.Number(None, label="width", placeholder="model's", min_width=90)
    with gr.Row():
        start = gr.Button("Generate", variant="primary", elem_id="is-generate", min_width=140, scale=3)
        stop = gr.Button("Stop", interactive=False, elem_id="is-stop", min_width=80, scale=1)
    values = (prompt, model, by_hand, seed, steps, scale, strength, negative, height, width)
    return {"reading": reading, "nouns": nouns, "joining": joining, "start": start, "stop": stop, **dict(zip(FIELDS, values, strict=True))}


def _strength_label(bound: float | None) -> str:
    return "strength" if bound is None else f"strength (own: {bound:g})"


def _buttons(label: str, words: Sequence[str]) -> gr.Dataset:
    return gr.Dataset(components=["textbox"], samples=[[word] for word in words], label=label, samples_per_page=100, type="index")


def _made() -> dict[str, Any]:
    """What is shown on the right."""
    status, progress = gr.HTML(elem_id="is-status"), gr.HTML(elem_id="is-bars")
    options: dict[str, Any] = {
        "interactive": False,
        "buttons": ["download", "fullscreen"],
        "min_width": 120,
        "format": "png",
        "type": "pil",
    }
    with gr.Row(elem_id="is-pictures"):
        pictures = {method: gr.Image(label=method, elem_id=f"is-{method}", **options) for method in METHODS}
    verdict = gr.HTML(elem_id="is-verdict")
    with gr.Group(visible=False) as details:
        step = gr.Slider(1, 2, value=1, step=1, label="guided step", elem_id="is-step", buttons=[])
    attention = gr.HTML(elem_id="is-attention")
    curves = gr.Image(label="curves", show_label=False, visible=False, elem_id="is-curves", **options)
    return {"status": status, "bars": progress, **pictures, "verdict": verdict, "details": details, "step": step,
            "attention": attention, "curves": curves}  # fmt: skip


def _wire_reading(workshop: Workshop, asked: Mapping[str, Any]) -> None:
    """Reads the prompt while it is typed, and appends what the buttons say."""
    prompt, model, by_hand = asked["prompt"], asked["model"], asked["relations"]
    for field in (prompt, by_hand):  # `input` is silent where text is pasted or cut
        field.change(read_prompt, [prompt, by_hand, model], asked["reading"], trigger_mode="always_last", **QUICK)

    def append(index: int, text: str | None, chosen: str) -> str:
        return with_piece(text or "", phrases(chosen)[index])

    def append_relation(index: int, text: str | None) -> str:
        return with_piece(text or "", [*JOINING, *PLACES][index])

    def change(text: str | None, by_hand_text: str | None, chosen: str) -> tuple[Any, ...]:
        defaults = defaults_for(chosen)
        return (
            read_prompt(text, by_hand_text, chosen),
            gr.Dataset(samples=[[phrase] for phrase in phrases(chosen)]),
            defaults.steps or STEPS,
            gr.Slider(value=workshop.strength(chosen), label=_strength_label(workshop.bound(chosen))),
            defaults.guidance_scale,
        )

    asked["nouns"].click(append, [asked["nouns"], prompt, model], prompt, **QUICK)
    asked["joining"].click(append_relation, [asked["joining"], prompt], prompt, **QUICK)
    changed = [asked[name] for name in ("reading", "nouns", "steps", "strength", "guidance_scale")]
    model.input(change, [prompt, by_hand, model], changed, **QUICK)


def _wire_sampling(page: gr.Blocks, workshop: Workshop, session: gr.State, asked: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    """Samples, stops, and shows what is chosen in the gallery."""
    shown = ["verdict", "details", "step", "attention", "curves"]
    names = ["status", "bars", *METHODS, *shown, "gallery", "download", "kept", "start", "stop"]
    live: dict[str | None, Session] = {}

    def start(found: Session, request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        live[request.session_hash] = found
        for view in generate(workshop, found, dict(zip(FIELDS, values, strict=True))):
            changes = _changes(view, found)
            yield tuple(changes.get(name, gr.skip()) for name in names)

    def choose(found: Session, event: gr.SelectData) -> tuple[Any, ...]:
        found.chosen = int(event.index) // len(METHODS)
        result = found.results[found.chosen]
        pictures = [views.shown(result.images[method]) for method in METHODS]
        return (*pictures, *_details(result).values())

    def slide(found: Session, step: int) -> Any:
        return views.attention(found.shown, int(step) - 1) if found.shown else gr.skip()

    def stop(found: Session) -> None:
        if found.stop is not None:
            found.stop.set()

    def leave(request: gr.Request) -> None:
        if found := live.pop(request.session_hash, None):
            found.close()

    outputs = [made[name] if name in made else asked[name] for name in names]
    fields = [session, *(asked[name] for name in FIELDS)]
    queued: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "sampling", "trigger_mode": "once", "api_visibility": "private"}
    for trigger in (asked["start"].click, asked["prompt"].submit):
        trigger(start, fields, outputs, show_progress="minimal", show_progress_on=made["unguided"], **queued)
    asked["stop"].click(stop, session, None, **QUICK)
    made["gallery"].select(choose, session, [made[name] for name in (*METHODS, *shown)], **QUICK)
    made["step"].input(slide, [session, made["step"]], made["attention"], trigger_mode="always_last", **QUICK)
    page.unload(leave)


def _changes(view: View, session: Session) -> dict[str, Any]:
    """What a view changes on the page, by the component's name."""
    changes: dict[str, Any] = {"status": view.status, "bars": view.bars, **view.images}
    changes |= {"start": gr.Button(interactive=not view.running), "stop": gr.Button(interactive=view.running)}
    if view.begins:
        changes |= dict.fromkeys(METHODS) | dict.fromkeys(("verdict", "attention"), "")
        changes |= {"details": gr.Group(visible=False), "curves": gr.Image(visible=False)}
    if view.result is not None:
        pictures = [
            (views.shown(result.images[method]), views.caption(number, result, method))
            for number, result in enumerate(session.results, session.first)
            for method in METHODS
        ]
        changes |= _details(view.result) | {"gallery": pictures, "kept": gr.Column(visible=True)}
        changes["download"] = gr.DownloadButton(value=view.archive, interactive=view.archive is not None)
    return changes


def _details(result: Result) -> dict[str, Any]:
    """Verdict, attention at the last guided step, and curves of a result."""
    count = len(result.attention.steps) if result.attention else 0
    return {
        "verdict": views.verdict(result),
        "details": gr.Group(visible=count > 1),
        "step": gr.Slider(minimum=1, maximum=max(count, 2), value=max(count, 1), label=f"guided step, 1 to {count}"),
        "attention": views.attention(result, count - 1),
        "curves": gr.Image(value=result.curves, visible=result.curves is not None),
    }
