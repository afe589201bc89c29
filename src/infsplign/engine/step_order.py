"""The order of the steps of one sampling."""

import warnings

from infsplign.engine.config import GuidanceConfig
from infsplign.engine.timeline import Place, Timeline


def check_order(timeline: Timeline, config: GuidanceConfig, place: Place, latest: Place, *, steps: int, ended: bool) -> None:
    """Checks that a pass of the denoiser follows the steps before it.

    Args:
        timeline: of the sampling.
        config: options.
        place: of the pass.
        latest: place of the latest step.
        steps: number of steps that have ended.
        ended: whether the latest step has ended.

    Raises:
        RuntimeError, ValueError: see `Steps`.
    """
    if not ended:
        if place.timestep != latest.timestep:
            raise RuntimeError(f"`shifted` must be called once a step: it was not called after the pass at timestep {latest.timestep:g}")
    elif steps == 0:
        if not timeline.begins(place):
            times = timeline.timesteps
            raise ValueError(
                f"`timestep` must begin at one of `timesteps`, {times[0]:g} to {times[-1]:g}, got {place.timestep:g}; "
                "give both in the units of the denoiser"
            )
        if place.progress >= config.stop > config.start:
            warnings.warn(
                f"nothing will be guided: the first pass, at timestep {place.timestep:g}, is {place.progress:.0%} of the way through "
                f"`timesteps`, and guidance stops at {config.stop:.0%}; give only the timesteps that the loop runs", stacklevel=4,
            )  # fmt: skip
    elif steps == 1 and latest.last and place.progress < latest.progress:
        raise ValueError(
            f"`timesteps` must be in the order of the sampling: it began at the last of them, {latest.timestep:g}, and went on at "
            f"{place.timestep:g}; turn them around"
        )
    elif latest.last and place.progress < latest.progress and (config.every > 1 or config.patience is not None):
        raise RuntimeError("`Steps` holds the state of one sampling, which has ended: make a new one, since `every` and `patience` count")
