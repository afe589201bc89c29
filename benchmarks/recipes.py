"""What `RECOMMENDED` is made of, one option turned at a time, and other methods' losses under it: candidates of `benchmarks.search`.

python -m benchmarks.search --model shapes --prompts 28 --images 4 --only unguided preset recipe-no-unity recipe-attend-and-excite
"""

from collections.abc import Mapping
from typing import Any

from infsplign import GuidanceConfig
from infsplign.core import LOSSES, gelu
from infsplign.core.terms import excite, unity


def parts(weight: float = 1.0, little: float = 0.2, **options: Any) -> dict[str, Any]:
    """Terms of the recipe: unity of some weight, with `options`, and some of Attend-and-Excite's."""
    return {"terms": tuple(term for term in (excite(little), unity(weight, **options)) if term.weight)}


TURNED: Mapping[str, Mapping[str, Any]] = {
    "no-unity": parts(0.0),
    "unity-0.5": parts(0.5),
    "unity-2": parts(2.0),
    "unity-4": parts(4.0),
    "sigma-0.1": parts(sigma=0.1),
    "sigma-0.2": parts(sigma=0.2),
    "power-1": parts(power=1.0),
    "power-3": parts(power=3.0),
    "no-excite": parts(little=0.0),
    "excite-1": parts(little=1.0),
    "no-rest": {"penalty": gelu, "margin": 0.25},
    "presence": {"presence": 1.0, "balance": 1.0},
    "margin-0.05": {"margin": 0.05},
    "margin-0.2": {"margin": 0.2},
    "spatial-1": {"spatial": 1.0},
    "spatial-4": {"spatial": 4.0},
    "bound-0.05": {"max_shift": 0.05},
    "bound-0.1": {"max_shift": 0.1},
    "bound-0.125": {"max_shift": 0.125},
    "bound-0.15": {"max_shift": 0.15},
    "bound-0.2": {"max_shift": 0.2},
    "quarter": {"stop": 0.25},
    "third": {"stop": 1 / 3},
    "two-thirds": {"stop": 2 / 3},
    "all-steps": {"stop": 1.0},
    "every-2": {"every": 2},
    "every-2-reuse": {"every": 2, "reuse": True},
    "every-3-reuse": {"every": 3, "reuse": True},
    "third-every-2-reuse": {"stop": 1 / 3, "every": 2, "reuse": True},
    "family-layers": {"layers": None},
}
RIVALS = ("paper", "attend-and-excite", "psg", "layout", "overlap")


def recipes(own: GuidanceConfig) -> dict[str, GuidanceConfig]:
    """Candidates by name: `recipe-OPTION`, and `recipe-LOSS` with and without unity, for the losses of other methods."""
    found = {f"recipe-{name}": own.with_(**changes) for name, changes in TURNED.items()}
    for name in RIVALS:
        found[f"recipe-{name}"] = own.with_(loss=LOSSES[name](), terms=(unity(1.0),))
        found[f"recipe-{name}-no-unity"] = own.with_(loss=LOSSES[name](), terms=())
    return found
