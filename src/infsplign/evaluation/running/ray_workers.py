"""The same run over a Ray cluster: one model a worker, workers that die are replaced and their images made by another.

Workers make images, this process writes them: so the folder, its records and what happens when this process is killed are the same.
"""

import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from infsplign.evaluation import fingerprint
from infsplign.evaluation.running.job import ImageResult, Job, JobResult, describe_error, run_job
from infsplign.evaluation.running.method_folder import png
from infsplign.evaluation.running.ray_address import check_ray_address
from infsplign.evaluation.running.runner import FailedError
from infsplign.evaluation.running.sampler import LoadedSampler

DEATHS = 3
"""Workers that may die with one group of images before its images count as failed, or in one place while they load the model."""
STORE = 256 * 2**20
"""Bytes of a local cluster's object store: a few batches of images."""


class Worker:
    """What runs in a worker: a model, and the images asked of it, as PNG files."""

    def __init__(self, build: Callable[[], LoadedSampler], expected: Any = None) -> None:
        self.loaded = build()
        if expected is not None and (lines := fingerprint.differences(expected, self.facts()[0])):
            raise ValueError("a worker has other settings than the first:\n  " + "\n  ".join(lines))

    def facts(self) -> tuple[Any, Any, Any, bool]:
        """Settings and versions, which must be the same everywhere, the model's constants, and whether traces are kept."""
        settings = {"settings": fingerprint.plain(self.loaded.sampler.settings()), "versions": fingerprint.versions()}
        return settings, self.loaded.own, self.loaded.published, bool(getattr(self.loaded.sampler, "keep_traces", False))

    def run_job(self, job: Job) -> JobResult:
        outcome = run_job(self.loaded.sampler, job)
        return JobResult(tuple(m if m.image is None else replace(m, image=png(m.image)) for m in outcome.made), outcome.size)


class RayWorkers:
    """Workers of a Ray cluster, to be used in a `with` block.

    Args:
        build: loads the model and its sampler, in each worker.
        address: of the cluster, or "local" to start one here.
        workers: how many; one a GPU when None, else one.
        gpu: give each worker a GPU, where the cluster has some.

    Attributes:
        own, published: constants of the model.
        keep_traces: whether workers send what guidance did at each step.

    Raises:
        ValueError: Ray is not installed, more workers than the cluster has room for, workers that differ.
        OSError: the cluster cannot be reached, or a worker cannot start.
    """

    def __init__(self, build: Callable[[], LoadedSampler], *, address: str = "local", workers: int | None = None, gpu: bool = True) -> None:
        check_ray_address(address)
        if address == "local":
            _listen_here_only()
        self.ray = _ray()
        self.build, self.expected = build, None
        self._connect(address, workers)
        try:
            resources = self.ray.cluster_resources()
            room = int(resources.get("GPU", 0)) if gpu and resources.get("GPU") else int(resources.get("CPU", 0))
            self.gpus = 1 if gpu and resources.get("GPU") else 0
            count = workers or (room if self.gpus else 1)
            if count > room:
                what = "GPUs" if self.gpus else "CPUs"
                raise ValueError(f"`--workers` {count} needs as many {what}, and the cluster has {room}")
            self.workers = [self._start() for _ in range(count)]
            self._compare()
        except BaseException:
            self.close()
            raise

    def _connect(self, address: str, workers: int | None) -> None:
        quiet = {"include_dashboard": False, "log_to_driver": False, "configure_logging": False}
        local = {"address": "local", "num_cpus": workers or os.cpu_count(), "object_store_memory": STORE, **quiet}
        try:
            self.ray.init(**(local if address == "local" else {"address": address, "log_to_driver": False}))
        except Exception as error:
            raise OSError(f"`--ray` {address!r}: no cluster can be used there: {describe_error(error)}") from error

    def _start(self) -> Any:
        remote = self.ray.remote(num_cpus=1, num_gpus=self.gpus, max_restarts=0)(Worker)
        return remote.remote(self.build, self.expected)

    def _compare(self) -> None:
        """Waits until all workers are there; refuses those that would make other images."""
        (self.expected, self.own, self.published, self.keep_traces), *others = self._loaded()
        here = fingerprint.versions()
        lines = fingerprint.differences(here, self.expected["versions"], "versions")
        lines += [line for facts, *_ in others for line in fingerprint.differences(self.expected, facts)]
        if lines:
            raise ValueError("workers must have the same packages and the same model:\n  " + "\n  ".join(lines))

    def _loaded(self) -> list[Any]:
        """The facts of all workers. One whose process dies while it loads the model is replaced; an error of loading itself is told."""
        facts, deaths = {}, Counter[int]()
        asked = {worker.facts.remote(): place for place, worker in enumerate(self.workers)}
        while asked:
            (ready,), _ = self.ray.wait(list(asked), num_returns=1)
            place = asked.pop(ready)
            try:
                facts[place] = self.ray.get(ready)
            except self.ray.exceptions.RayError as error:
                deaths[place] += 1
                if not _died(self.ray, error) or deaths[place] >= DEATHS:
                    raise OSError(f"a worker could not start: {_reason(error)}") from error
                self._replace(place)
                asked[self.workers[place].facts.remote()] = place
        return [facts[place] for place in sorted(facts)]

    def settings(self) -> Mapping[str, Any]:
        """What decides the images, as the workers tell it."""
        assert self.expected is not None
        return self.expected["settings"]

    def work(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, JobResult]]:
        """Hands out jobs as workers become free. Outcomes come in the order in which they are ready.

        Raises:
            FailedError: workers keep dying and none of them makes an image.
        """
        source, again = iter(jobs), deque[Job]()
        running: dict[Any, tuple[int, Job]] = {}
        idle, deaths, in_a_row = list(range(len(self.workers))), Counter[str](), 0
        done: list[tuple[Job, JobResult]] = []
        while True:
            while idle and (job := again.popleft() if again else next(source, None)) is not None:
                place = idle.pop()
                running[self.workers[place].run_job.remote(job)] = (place, job)
            yield from done  # while they are written, the workers are at work
            if not running:
                return
            done = []
            (ready,), _ = self.ray.wait(list(running), num_returns=1)
            place, job = running.pop(ready)
            idle.append(place)
            try:
                outcome, in_a_row = self.ray.get(ready), 0
            except self.ray.exceptions.RayError as error:
                reason, in_a_row = _reason(error), in_a_row + 1
                if in_a_row > DEATHS * len(self.workers):  # a single group may kill so many, and is given up
                    raise FailedError(f"workers keep dying: {reason}") from error
                self._replace(place)
                deaths[job.tasks[0].key] += 1
                if deaths[job.tasks[0].key] < DEATHS:
                    again.append(job)
                    continue
                outcome = _given_up(job, reason)
            done = [(job, outcome)]

    def _replace(self, place: int) -> None:
        with suppress(Exception):
            self.ray.kill(self.workers[place])  # it may live on, with a device that is lost
        self.workers[place] = self._start()

    def close(self) -> None:
        """Leaves the cluster; a local one is stopped, the workers of another end with their owner."""
        self.ray.shutdown()

    def __enter__(self) -> "RayWorkers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _listen_here_only() -> None:
    """Has all of Ray's processes listen on 127.0.0.1 alone: Ray has no option for it, but this variable, named after the systems on which
    that is the default."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    constants: Any = sys.modules.get("ray._private.ray_constants")
    if constants is not None:  # imported before: it has read the variable
        constants.ENABLE_RAY_CLUSTER = False


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.exceptions
    except ModuleNotFoundError as error:
        raise ValueError(f"`--ray` needs Ray: `pip install 'infsplign[ray]'` ({error})") from error
    return ray


def _died(ray: Any, error: BaseException) -> bool:
    """Whether a worker's process died, rather than having raised an error while it loaded its model."""
    kinds = ray.exceptions
    died = (kinds.RayActorError, kinds.WorkerCrashedError, kinds.NodeDiedError, kinds.OutOfMemoryError)
    return isinstance(error, died) and "creation task" not in str(error)


def _given_up(job: Job, reason: str) -> JobResult:
    error = f"{DEATHS} workers died with it or its neighbours: {reason}"
    return JobResult(tuple(ImageResult(task, error=error) for task in job.tasks if task.key in job.wanted), job.size)


def _reason(error: BaseException) -> str:
    """What happened in a worker, without Ray's own account of it."""
    cause = getattr(error, "cause", None) or error
    lines = [line for line in str(cause).strip().splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:500]
