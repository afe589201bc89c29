"""The same run on two workers of a local Ray cluster, with workers that die: one cluster for the whole file."""

import json
import os
import socketserver
import subprocess
import sys
import threading
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from typer.testing import CliRunner

import infsplign
from infsplign.cli import app
from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.running import ray_workers
from infsplign.evaluation.running.images_run import make_benchmark
from infsplign.evaluation.running.job import ImageResult, Job, JobResult, Task
from infsplign.evaluation.running.ray_workers import RayWorkers
from infsplign.evaluation.running.runner import FailedError
from tests.evaluation.noise import LISTED, Dying, NoiseSampler
from tests.evaluation.stub import contents

METHODS = {"unguided": None, "infsplign": GuidanceConfig()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("dying")


@pytest.fixture(scope="module")
def pool(folder):
    (folder / "loading").touch()  # one of the two workers dies while it loads its model
    with RayWorkers(Dying(str(folder)), workers=2) as workers:
        yield workers


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    run(out, NoiseSampler())
    return out


def run(out: Path, sampler, prompts=LISTED, methods=METHODS):
    return make_benchmark("sr2d", prompts, sampler, out, images=3, methods=methods, batch=4, progress=False)


def workers_seen(folder: Path) -> set[str]:
    return set((folder / "pids").read_text().split())


def test_case_33_a_worker_that_dies_while_loading_is_replaced(pool, folder):
    assert not (folder / "loading").exists()
    assert pool.settings() == {"model": "noise"}
    assert (pool.own.scale, pool.published.scale) == (5.0, 1000.0)


def test_killed_workers_are_replaced_and_the_files_are_those_of_one_process(pool, folder, whole, tmp_path):
    (folder / "once-40").touch()  # in the middle: its group is the fourth of nine, of the first method that comes by
    run(tmp_path, pool)
    assert not (folder / "once-40").exists()
    assert len(workers_seen(folder)) == 3
    assert contents(tmp_path) == contents(whole)


def test_a_worker_with_a_lost_device_is_replaced(pool, folder, whole, tmp_path):
    (folder / "lost-70").touch()
    before = workers_seen(folder)
    run(tmp_path, pool)
    assert len(workers_seen(folder) - before) == 1
    assert contents(tmp_path) == contents(whole)


def test_a_prompt_that_kills_its_workers_is_given_up_and_tried_again_the_next_time(pool, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_workers, "DEATHS", 2)
    (folder / "always-0").touch()
    results = run(tmp_path / "cut", pool, methods={"unguided": None})
    assert results["failed"] == {"unguided": ["0_00", "0_01", "0_02", "10_00"]}  # the whole group
    (first, *_) = json.loads((tmp_path / "cut" / "unguided.failed.json").read_text())
    assert first["error"].startswith("2 workers died with it or its neighbours: ")
    (folder / "always-0").unlink()
    for name in ("cut", "whole"):  # this process goes on where the workers were
        run(tmp_path / name, NoiseSampler(), methods={"unguided": None})
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_workers_that_do_nothing_but_die_are_an_end(pool, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_workers, "DEATHS", 1)
    (folder / "always-0").touch()
    with pytest.raises(FailedError, match="none of the first 3 images could be made. 1 workers died"):
        run(tmp_path, pool, LISTED[:1])
    (folder / "always-0").unlink()


class Deadly:
    """Stands for a cluster of one worker, which dies of some groups."""

    exceptions = SimpleNamespace(RayError=RuntimeError)

    def __init__(self, *deadly):
        self.deadly, self.workers, self.ray = deadly, [self], self
        self.run_job = SimpleNamespace(remote=lambda job: job)

    def wait(self, jobs, num_returns):
        return jobs[:1], jobs[1:]

    def get(self, job):
        if job.tasks[0].key in self.deadly:
            raise RuntimeError("died")
        return JobResult(tuple(ImageResult(task, image=b"") for task in job.tasks), job.size)

    def _replace(self, place):
        pass

    def outcomes(self, count):
        jobs = [Job((Task(str(number), "a cat", number),), frozenset([str(number)]), None, 1) for number in range(count)]
        return {job.tasks[0].key: outcome.made[0].error for job, outcome in RayWorkers.work(self, jobs)}


def test_one_worker_gives_up_a_group_that_kills_it_and_goes_on():
    found = Deadly("1").outcomes(3)
    assert list(found) == ["0", "1", "2"]
    assert found["0"] is found["2"] is None
    assert found["1"] == "3 workers died with it or its neighbours: died"
    with pytest.raises(FailedError, match="workers keep dying: died"):
        Deadly("0", "1", "2").outcomes(3)


def test_case_33_a_local_cluster_listens_on_the_loopback_address_alone(pool):
    """What the kernel tells of this process and all that it has started, Ray's workers included."""
    here = psutil.Process()
    ours = {process.pid for process in (here, *here.children(recursive=True))}
    listening = [c.laddr.ip for c in psutil.net_connections("tcp") if c.pid in ours and c.status == psutil.CONN_LISTEN]
    assert len(listening) >= 4  # the cluster's own processes and its workers
    assert all(ip_address(ip.removeprefix("::ffff:")).is_loopback for ip in listening)


def test_case_33_workers_that_keep_dying_while_loading_are_an_end(pool, folder, monkeypatch):
    monkeypatch.setattr(ray_workers, "DEATHS", 2)
    (folder / "loading-always").touch()
    with pytest.raises(OSError, match="a worker could not start"):
        again = SimpleNamespace(ray=pool.ray, build=pool.build, expected=None, gpus=0)
        for name in ("_start", "_replace", "_loaded"):
            setattr(again, name, getattr(RayWorkers, name).__get__(again))
        again.workers = [again._start()]
        again._loaded()
    (folder / "loading-always").unlink()


def test_case_33_an_error_of_loading_is_told_at_once(pool, folder):
    again = SimpleNamespace(ray=pool.ray, build=Dying("/nowhere", broken=True), expected=None, gpus=0)
    for name in ("_start", "_replace", "_loaded"):
        setattr(again, name, getattr(RayWorkers, name).__get__(again))
    again.workers = [again._start()]
    with pytest.raises(OSError, match="a worker could not start: .*no such model"):
        again._loaded()


@pytest.mark.parametrize("address", ["no.such:1", "no.such:6379", "127.0.0.1:1", "localhost", "", "x y", "127.0.0.1:99999", "{busy}"])
def test_case_27_an_address_without_a_cluster_is_refused_before_ray_is_asked(address, monkeypatch):
    """`{busy}` is a server that answers, and speaks no gRPC."""
    monkeypatch.setattr(ray_workers, "_ray", lambda: pytest.fail("asked Ray, which tries for over a minute"))
    with socketserver.TCPServer(("127.0.0.1", 0), Mute) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises((ValueError, OSError), match=r"`--ray`"):
            RayWorkers(Dying("."), address=address.format(busy=f"127.0.0.1:{server.server_address[1]}"))
        server.shutdown()


class Mute(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def code(text: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(Path(infsplign.__file__).parents[1])}
    return subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True).stdout


def test_ray_is_imported_only_when_asked_for():
    modules = "infsplign.evaluation.running.ray_workers, infsplign.commands.eval_sr2d, infsplign.commands.eval_world"
    assert code(f"import sys, {modules}; print('ray' in sys.modules)") == "False\n"


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"`--ray` needs Ray: `pip install 'infsplign\[ray\]'`"):
        RayWorkers(Dying("."))


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"CPU": 2.0}, "`--workers` 3 needs as many CPUs, and the cluster has 2"),
        ({"CPU": 64.0, "GPU": 1.0}, "`--workers` 3 needs as many GPUs, and the cluster has 1"),
    ],
)
def test_more_workers_than_there_is_room_for(monkeypatch, resources, message):
    """Ray would wait for ever."""
    closed = []
    fake = SimpleNamespace(init=lambda **_: None, cluster_resources=lambda: resources, shutdown=lambda: closed.append(1))
    monkeypatch.setattr(ray_workers, "_ray", lambda: fake)
    with pytest.raises(ValueError, match=message):
        RayWorkers(Dying("."), workers=3)
    assert closed


def test_workers_without_ray_are_refused(tmp_path):
    result = CliRunner().invoke(app, ["eval", "world", "--workers", "2", "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "`--workers` needs `--ray`" in result.output
