"""Published figures of VISOR on SR2D, shown next to measured ones and marked as published."""

from dataclasses import dataclass

DETECTOR = "OWL-ViT, google/owlvit-base-patch32, score > 0.1"
VISOR = "VISOR, arXiv 2212.10015"
SPRIGHT = "SPRIGHT, arXiv 2404.01197"
COLUMNS = ("OA", "uncond", "cond", "VISOR-1", "VISOR-2", "VISOR-3", "VISOR-4")


@dataclass(frozen=True)
class Published:
    """A row of a paper's table, in percent, in the order of `COLUMNS`."""

    method: str
    source: str
    percent: tuple[float, ...]

    @property
    def measures(self) -> dict[str, float]:
        return dict(zip(COLUMNS, self.percent, strict=True))


PUBLISHED = (
    Published("SD1.4", VISOR, (29.86, 18.81, 62.98, 46.60, 20.11, 6.89, 1.63)),
    Published("SD2.1", VISOR, (47.83, 30.25, 63.24, 64.42, 35.74, 16.13, 4.70)),
    Published("Attend-and-Excite", SPRIGHT, (42.07, 25.75, 61.21, 49.29, 19.33, 4.56, 0.08)),
    Published("SPRIGHT (fine-tuned SD2.1)", SPRIGHT, (60.68, 43.23, 71.24, 71.78, 51.88, 33.09, 16.15)),
)
