"""HTML of the page: how far a sampling is, its verdict, its attention. All text from outside is escaped."""

import base64
import io
from collections.abc import Mapping
from html import escape

from PIL import Image

from infsplign.app.overlay import overlay
from infsplign.app.reading import in_chips
from infsplign.app.results import Result
from infsplign.app.workshop import METHODS
from infsplign.generation.verdicts import CROSS, RIGHT, TICK
from infsplign.visuals.sheet import enlarged
from infsplign.visuals.style import colour_of

FRAME = 352
"""Pixels of a picture's frame on a wide screen."""
Progress = Mapping[str, tuple[int, int]]
"""Method to the number of the step and the number of steps."""


def shown(image: Image.Image) -> Image.Image:
    """Enlarges a small image smoothly, by a whole number, so that it fills its frame; others stay as they are."""
    factor = -(-FRAME // max(image.size))
    return enlarged(image, (image.width * factor, image.height * factor))


def bars(progress: Progress) -> str:
    """Draws how far both samplings are."""
    return f'<div class="is-bars">{"".join(_bar(method, *progress.get(method, (0, 0))) for method in METHODS)}</div>'


def _bar(method: str, step: int, steps: int) -> str:
    text = f"step {step} of {steps}" if 0 < step < steps else "done" if step else "waits"
    part = 100 * step / steps if steps else 0
    label = f'<div class="is-bar-label"><span>{method}</span><span>{text}</span></div>'
    value = f'role="progressbar" aria-label="{method}" aria-valuenow="{part:.0f}" aria-valuemin="0" aria-valuemax="100"'
    return f'<div>{label}<div class="is-bar" {value}><span style="width: {part:.1f}%"></span></div></div>'


def message(text: str, kind: str = "") -> str:
    """Shows what is being done, or with `kind="failure"` why it ended."""
    if not text:
        return ""
    role = "alert" if kind == "failure" else "status"
    return f'<div class="is-status is-{kind or "work"}" role="{role}"><pre class="is-message">{escape(text)}</pre></div>'


def verdict(result: Result) -> str:
    """Tells for each relation whether it holds in each image, and what else is wrong; or why there is no verdict."""
    found = result.verdicts
    if found.reason:
        return f'<div class="is-note">No verdict: {escape(found.reason)}.</div>'
    outcomes = [all_[0] for all_ in found.outcomes.values()]
    head = "".join(f'<th scope="col">{escape(method)}</th>' for method in found.outcomes)
    rows: list[tuple[str, list[tuple[bool, str]]]] = []
    for place, edge in enumerate(result.scene.relations):
        rows.append((in_chips(result.scene, edge), [(one.holds[place], "no") for one in outcomes]))
    rows.append((f"exactly {RIGHT}", [(not one.wrong, escape(", ".join(one.wrong))) for one in outcomes]))
    body = "".join(f'<tr><th scope="row">{label}</th>{"".join(_cell(*cell) for cell in cells)}</tr>' for label, cells in rows)
    return f'<table class="is-verdict"><thead><tr><th scope="col">verdict</th>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cell(right: bool, wrong: str) -> str:
    kind, text = ("yes", f"{TICK} yes") if right else ("no", f"{CROSS} {wrong}")
    return f'<td class="is-{kind}">{text}</td>'


def attention(result: Result, step: int) -> str:
    """Shows the attention of each object over the guided image at one of the guided steps.

    Args:
        result: what was made.
        step: index of the guided step, from 0.
    """
    if result.attention is None:
        return '<div class="is-note">No step was guided, so there is no attention to show.</div>'
    step = min(max(step, 0), len(result.attention.steps) - 1)
    figures = "".join(_figure(result, step, number) for number in range(len(result.scene.objects)))
    where = f"step {result.attention.steps[step]} of {result.record['steps']}"
    key = f'<div class="is-key">{where}; colour: attention; ring: centroid; line: its way so far</div>'
    return f'<div class="is-attention">{figures}</div>{key}'


def _figure(result: Result, step: int, number: int) -> str:
    assert result.attention is not None
    name = escape(result.scene.objects[number], quote=True)
    picture = data_uri(overlay(result.images["guided"], result.attention, step, number))
    label = f'<figcaption style="--colour: {colour_of(number)}">{name}</figcaption>'
    return f'<figure><img src="{picture}" alt="attention of {name}">{label}</figure>'


def caption(number: int, result: Result, method: str) -> str:
    """Names an image in the gallery."""
    outcomes = result.verdicts.outcomes.get(method)
    sign = f" {CROSS if outcomes[0].wrong else TICK}" if outcomes else ""
    return f"{number}. {method}{sign}"


def data_uri(image: Image.Image) -> str:
    """An image as a JPEG in an address."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
