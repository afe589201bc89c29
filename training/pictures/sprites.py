"""Fetches the artwork from the npm registry, checks its hashes, and makes the drawings that ship with the models.

    python -m training.pictures.sprites       (needs npm, and rsvg-convert of Debian's librsvg2-bin)

Writes `sprites.png` and `sprites.json` in `models/src/infsplign_models/world`.
"""

import base64
import hashlib
import io
import json
import math
import subprocess
import tarfile
from functools import cache
from pathlib import Path

from infsplign_models.world.nouns import NOUNS
from infsplign_models.world.sprites import FOLDER, SIDE
from PIL import Image

CACHE = Path(__file__).parent.parent / "cache" / "artwork"
PACKAGES = {
    "@lobehub/fluent-emoji-3d@1.1.0": "Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g==",
    "@iconify-json/noto@1.2.9": "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw==",
}
"""Packages and the SHA-512 of their archives. Fluent Emoji: MIT, Microsoft; Noto Emoji: Apache-2.0, Google."""
COLUMNS = 12


@cache
def package(name: str) -> Path:
    """The folder of an unpacked package of the npm registry, fetched once.

    Raises:
        RuntimeError: the archive is not the one that was pinned.
    """
    target = CACHE / name.strip("@").replace("/", "-")
    if not (target / "package").exists():
        target.mkdir(parents=True, exist_ok=True)
        printed = subprocess.run(["npm", "pack", name, "--silent"], cwd=target, check=True, capture_output=True, text=True).stdout
        archive = target / printed.split()[-1]
        found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != PACKAGES[name]:
            raise RuntimeError(f"the archive of {name} has SHA-512 {found}, expected {PACKAGES[name]}")
        with tarfile.open(archive) as packed:
            packed.extractall(target, filter="data")
    return target / "package"


def fluent(code_point: str) -> Image.Image:
    folder = package("@lobehub/fluent-emoji-3d@1.1.0") / "assets"
    paths = [folder / f"{name}.webp" for name in (code_point, code_point.replace("-fe0f", ""))]
    return Image.open(next(path for path in paths if path.exists())).convert("RGBA")


@cache
def _noto() -> tuple[dict, dict]:
    folder = package("@iconify-json/noto@1.2.9")
    return json.loads((folder / "icons.json").read_text()), json.loads((folder / "chars.json").read_text())


def noto(code_point: str) -> Image.Image:
    icons, names = _noto()
    name = next(names[key] for key in (code_point, code_point.replace("-fe0f", "")) if key in names)
    icon = icons["icons"].get(name) or icons["icons"][icons["aliases"][name]["parent"]]
    width, height = icon.get("width", icons.get("width", 16)), icon.get("height", icons.get("height", 16))
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    svg = f'<svg {spaces} viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
    png = subprocess.run(["rsvg-convert", "-w", "256", "-h", "256"], input=svg.encode(), check=True, capture_output=True).stdout
    return Image.open(io.BytesIO(png)).convert("RGBA")


def fitted(drawing: Image.Image) -> Image.Image:
    """Cut to what is opaque, its longer side scaled to `SIDE`, in the middle of a square."""
    cut = drawing.crop(drawing.getchannel("A").point(lambda a: 255 * (a > 24)).getbbox())
    scale = (SIDE - 2) / max(cut.size)
    small = cut.resize((max(1, round(cut.width * scale)), max(1, round(cut.height * scale))), Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(small, ((SIDE - small.width) // 2, (SIDE - small.height) // 2))
    return square


def main() -> None:
    drawings, facts = [], []
    for number, noun in enumerate(NOUNS):
        for place, code_point in enumerate(noun.code_points):
            for draw in (fluent, noto):
                drawings.append(fitted(draw(code_point)))
                colour = noun.colours[place] if noun.colours else ""
                facts.append({"noun": number, "name": noun.name, "set": draw.__name__, "code_point": code_point, "colour": colour})
    sheet = Image.new("RGBA", (COLUMNS * SIDE, math.ceil(len(drawings) / COLUMNS) * SIDE))
    for k, drawing in enumerate(drawings):
        sheet.paste(drawing, (k % COLUMNS * SIDE, k // COLUMNS * SIDE))
    sheet.save(FOLDER / "sprites.png", optimize=True)
    (FOLDER / "sprites.json").write_text(json.dumps(facts, indent=0) + "\n")
    print(f"{len(drawings)} drawings of {len(NOUNS)} nouns")


if __name__ == "__main__":
    main()
