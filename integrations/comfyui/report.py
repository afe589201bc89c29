"""The report of a run, as text."""

from typing import Any

from infsplign.engine.trace import StepTrace


def report_of(run: Any) -> str:
    """Writes what guidance did in a run: the relations, each guided step, and for each image how its attention moved.

    Args:
        run: a `sampling.Run`.
    """
    guided = [(sigma, step) for sigma, step in zip(run.sigmas, run.trace(), strict=False) if step.guided]
    config, scene = run.guide.config, run.scene
    lines = [
        f"prompt: {run.text}",
        f"relations: {'; '.join(scene.text(edge) for edge in scene.relations) or 'none'}",
        f"guided steps: {len(guided)} of {run.passes} passes; strength {config.max_shift:g}, from {config.start:g} to {config.stop:g}",
    ]
    if not guided:
        return "\n".join([*lines, "No step was guided: widen `start` and `stop`."])
    for row in range(len(guided[0][1].loss)):  # type: ignore[arg-type]
        lines += ["", f"image {row + 1}", *_rows(guided, row), _summary([step for _, step in guided], scene, row)]
    return "\n".join(lines)


def _rows(guided: list[tuple[float, StepTrace]], row: int) -> list[str]:
    names = list(guided[0][1].terms or {})
    head = ["step", "sigma", "loss", *names, "shift"]
    table = [" ".join(f"{name:>9}" for name in head)]
    for sigma, step in guided:
        values = step.to_dict(row)
        numbers = [values["loss"], *(values["terms"][name] for name in names), values["shift"] / sigma]
        table.append(f"{step.step + 1:>9} {sigma:>9.3f} " + " ".join(f"{number:>9.4f}" for number in numbers))
    return table


def _summary(steps: list[StepTrace], scene: Any, row: int) -> str:
    first, last = (step.to_dict(row)["centroid"] for step in (steps[0], steps[-1]))
    moved = "; ".join(
        f"{name} from ({a[0]:.2f}, {a[1]:.2f}) to ({b[0]:.2f}, {b[1]:.2f})" for name, a, b in zip(scene.objects, first, last, strict=True)
    )
    return f"centre of attention (x to the right, y down, both 0 to 1): {moved}"
