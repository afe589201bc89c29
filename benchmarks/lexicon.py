"""Makes `src/infsplign/prompts/lexicon.txt.gz`, which tells what an English word can be: noun, verb, adjective, adverb.

    pip download --no-deps lemminflect==0.2.3
    python -m benchmarks.lexicon lemminflect-0.2.3-py3-none-any.whl

The words are those of LemmInflect (MIT licence), which took them from the SPECIALIST Lexicon of the U.S. National Library of Medicine.
The tables alone are taken, so that reading a prompt needs neither the package nor its models.
"""

import argparse
import gzip
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

FILE = Path(__file__).parents[1] / "src" / "infsplign" / "prompts" / "lexicon.txt.gz"
TABLES = ("lemminflect/resources/lemma_lu.csv.gz", "lemminflect/resources/infl_lu.csv.gz")
LETTERS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
SOURCE = "# Words of LemmInflect 0.2.3 (MIT licence), from the SPECIALIST Lexicon of the U.S. National Library of Medicine"


def rows(wheel: Path) -> Iterator[tuple[str, str]]:
    """Words and their classes, as the tables of the wheel list them."""
    with zipfile.ZipFile(wheel) as archive:
        for table in TABLES:
            for line in gzip.decompress(archive.read(table)).decode("utf-8").splitlines():
                word, kind, *_ = line.split(",")
                yield word, kind.lower()


def text(words: Iterable[tuple[str, str]]) -> str:
    """One line for each set of classes: its letters, and all words that have them."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for word, kind in words:
        if kind in LETTERS and word.isascii() and word.islower() and " " not in word:
            found[word].add(LETTERS[kind])
    lines: defaultdict[str, list[str]] = defaultdict(list)
    for word, letters in sorted(found.items()):
        lines["".join(sorted(letters))].append(word)
    return "\n".join([SOURCE, *(f"{letters} {' '.join(listed)}" for letters, listed in sorted(lines.items()))]) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    options = parser.parse_args(argv)
    FILE.write_bytes(gzip.compress(text(rows(options.wheel)).encode("ascii"), compresslevel=9, mtime=0))
    print(f"{FILE.stat().st_size} bytes in {FILE}")


if __name__ == "__main__":
    main()
