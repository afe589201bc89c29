"""Strategies for `benchmarks.fuzz_commands`: files that are nearly right, and options of every command."""

import json
from typing import Any

from hypothesis import strategies as st

DEEP: Any = None
for _ in range(200):
    DEEP = [DEEP]
VALUES = st.sampled_from(
    [
        *(None, True, False, 0, -1, 5, 0.5, 1e308, 10**400, float("nan"), float("inf"), [], {}, [[]], [None], {"a": None}),
        *("", " ", "x" * 300, "\ud800", "\u2028", "[/x]", "[bold]", "<script>", "../../x", "a/b", "\0", "\n", "|", "é" * 200),
        *("0_00", "²", "cat", DEEP, [1, 2, 3, 4]),
    ]
)  # fmt: skip
SAME: dict[type, list[Any]] = {
    str: ["", "cat", "[/x]", "x" * 300, "\ud800", "\u2028", "<b>", "a cat near a dog", "near", "unguided", "visor", "0_00", "../x", "%d"],
    int: [0, 1, -1, 2, 10**9, 2**64, 10**400, 0.5],
    float: [0.0, -0.0, 1.0, 0.5, 1e-300, 1e308, -1.0, 3],
    bool: [True, False],
}
"""Values of the same kind: they get past the checks of kinds."""
PIECES = st.sampled_from(
    [b"", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\n", b"\r\n", b"\xe2\x80\xa8", b"{", b"[", b'"', b",", b"\\ud800", b"1e999"]
) | st.binary(max_size=4)
WHOLE = st.sampled_from(
    [b"", b"\n", b"[]", b"{}", b"null", b"0", b"NaN", b"[" * 100_000, b'{"a":' * 100_000, b"\0" * 500, b"1" * 5000, b'[{"a": 1}]']
)


@st.composite
def spoiled(draw: st.DrawFn, data: bytes, *, text: bool = False) -> bytes:
    """A file with one or two things changed: a value within its JSON, a byte, its end, or all of it."""
    kind = draw(st.sampled_from(["value"] * 6 + ["bytes"] * 3 + ["whole"]))
    if kind == "whole":
        return draw(WHOLE)
    if kind == "value" and not text:
        try:
            return _with_other_values(draw, data.decode())
        except (UnicodeDecodeError, json.JSONDecodeError):
            pass  # an image
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.integers(0, len(data)))
        cut = draw(st.sampled_from([0, 0, 1, 3, len(data)]))
        data = data[:place] + draw(PIECES) + data[place + cut :]
    return data


def _with_other_values(draw: st.DrawFn, text: str) -> bytes:
    lines = text.rstrip("\n").split("\n") if text.startswith("{") and "\n{" in text else [text]
    number = draw(st.integers(0, len(lines) - 1))
    value = json.loads(lines[number])
    for _ in range(draw(st.integers(1, 2))):
        value = _changed(draw, value)
    lines[number] = json.dumps(value, ensure_ascii=draw(st.booleans()))
    if draw(st.integers(0, 9)) == 0:
        lines.append(lines[number])
    return "\n".join(lines + [""] * (len(lines) > 1 or text.endswith("\n"))).encode("utf-8", "surrogatepass")


def _changed(draw: st.DrawFn, value: Any) -> Any:
    """A value with another one somewhere within it, or without one of its parts."""
    inner = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not inner and type(value) in SAME and draw(st.booleans()):
        return draw(st.sampled_from(SAME[type(value)]))
    if not inner or draw(st.integers(0, 7)) == 0:
        return draw(VALUES)
    key = draw(st.sampled_from(inner))
    if draw(st.integers(0, 7)) == 0:
        return {k: v for k, v in value.items() if k != key} if isinstance(value, dict) else value[:key] + value[key + 1 :]
    changed = _changed(draw, value[key])
    if isinstance(value, list):
        return [*value[:key], changed, *value[key + 1 :]]
    renamed = draw(st.sampled_from([key] * 9 + ["[/x]", "\ud800", "", "../x"]))
    return {renamed if k == key else k: changed if k == key else v for k, v in value.items()}


NUMBERS = ["0", "-1", "1", "2", "8", "100", "1000000000", "1" * 30, "1" * 5000, "0.5", " 7"]
NUMBERS += ["nan", "inf", "-inf", "1e999", "x", "", "٣", "1_0", "0x10"]
TEXTS = ["", " ", "a circle to the left of a square", "\udcff circle left of square", "[/x]", "x" * 5000, "\n", "{0}", "%s", "--", "\u202e"]
# Nothing outside of the copy: the commands write, and whoever fuzzes may be root.
PATHS = ["file", "file/below", "x" * 300, "", "new/a/b", "run", "nothing", "\udcff", "t2i.txt"]
PATHS += ["run/unguided/0_00.png", "run/scores", "sr2d.json", "found.json", "run/unguided"]
DEVICES = [
    "cpu",
    "cpu:1",
    "auto",
    "cuda:99",
    "cuda:x",
    "cuda:-1",
    "meta",
    "META",
    "toaster",
    "",
    "lazy",
    "\udcff",
    "vulkan",
    "privateuseone",
]
MODELS = ["shapes", "no/such", "a/b/c", "shapess", ".", "file", "run", "", "\udcff", "./x", "a--b/..c", "x" * 300]
MEMORY = ["12", "12GB", "0", "-1", "12 TB", "1" * 400, "nan", "12 parsecs", "", "1e3", "٣GB", "12.5.1", "12000000000"]
RAYS = ["no.such:1", "no.such:6379", "127.0.0.1:1", "127.0.0.1:6399", "x y", "", "ray://", "127.0.0.1:99999", "[::1", "\udcff:6379"]
DTYPES = ["fp32", "fp16", "auto", "fp8", "", "FP32"]
METHODS = ["unguided", "infsplign,paper", "", ",", "nothing", "unguided,unguided", "\udcff", "../up"]
SAMPLING = {
    "--steps": NUMBERS, "--guidance-scale": NUMBERS, "--scale": NUMBERS, "--images": NUMBERS, "--device": DEVICES, "--dtype": DTYPES,
    "--model": MODELS, "--out": PATHS,
}  # fmt: skip
RUNS = SAMPLING | {"--batch": NUMBERS, "--methods": METHODS, "--ray": RAYS, "--workers": NUMBERS, "--traces": None}
OPTIONS: dict[tuple[str, ...], dict[str, list[str] | None]] = {
    ("generate", "a circle to the left of a square"): SAMPLING
    | {"--seed": NUMBERS, "--height": NUMBERS, "--width": NUMBERS, "--negative-prompt": TEXTS, "--relation": TEXTS, "--no-unguided": None},
    ("describe",): {"--model": MODELS, "--device": DEVICES, "--dtype": DTYPES, "--size": NUMBERS, "--batch": NUMBERS, "--memory": MEMORY},
    ("eval", "shapes"): RUNS | {"--prompts": NUMBERS, "--split": ["tune", "heldout", "test", ""]},
    ("calibrate", "--out", "new.json"): {
        "--model": MODELS, "--out": PATHS, "--prompts": PATHS, "--count": NUMBERS, "--images": NUMBERS, "--steps": NUMBERS,
        "--bounds": [*NUMBERS, "0.1,0.2", ",", "0.1,x"], "--detector": ["world", "owlvit", "x", ""], "--detector-model": MODELS,
        "--guidance-scale": NUMBERS, "--batch": NUMBERS, "--device": DEVICES, "--dtype": DTYPES,
    },
    ("eval", "sr2d", "--model", "shapes", "--out", "new"): RUNS | {"--prompts": PATHS, "--limit": NUMBERS},
    ("score", "--prompts", "sr2d.json", "--benchmark", "visor", "--detector", "found.json"): {
        "--prompts": PATHS, "--benchmark": ["visor", "t2i", "geneval", "shapes", "x", ""], "--images": PATHS, "--model": MODELS,
        "--revision": TEXTS, "--detector": ["world", "owlvit", "found.json", "nothing.json", "run.json", "x", ""],
        "--detections": PATHS, "--out": PATHS,
        "--threshold": NUMBERS, "--count": NUMBERS, "--against": PATHS, "--batch": NUMBERS, "--device": DEVICES,
    },
    ("report", "run"): {"--out": PATHS, "--images": NUMBERS, "--title": TEXTS},
    ("prompts", "t2i", "--out", "new.jsonl"): {"--from": PATHS, "--out": PATHS},
}  # fmt: skip
ARGUMENTS = {"generate": TEXTS, "report": PATHS, "prompts": ["sr2d", "geneval", "shapes", "x", ""]}
"""Values of the commands' arguments, the texts that come without the name of an option."""


@st.composite
def option_runs(draw: st.DrawFn) -> list[str]:
    """The arguments of a command with a few of its options, with any values; rarely without one, or with one that is none."""
    base = draw(st.sampled_from(sorted(OPTIONS)))
    arguments = list(base)
    if base[0] in ARGUMENTS and draw(st.booleans()):
        arguments[1] = draw(st.sampled_from(ARGUMENTS[base[0]]))
    for name in draw(st.lists(st.sampled_from(sorted(OPTIONS[base])), min_size=1, max_size=3)):
        values = OPTIONS[base][name]
        arguments += [name] if values is None else [name, draw(st.sampled_from(values))]
    odd = draw(st.integers(0, 19))
    return arguments + ([["--steps"], ["--nothing", "1"], ["\udcff"]][odd] if odd < 3 else [])
