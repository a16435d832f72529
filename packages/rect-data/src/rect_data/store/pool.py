"""Jobs on the cores of this machine, or on a Ray cluster that already runs."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any

from rect_core.errors import DataError
from rect_data.store.one import Job, Outcome, quarantine

Work = Callable[[Job], Outcome]

DIED = "the process that read it died, as when memory runs out: prepare it alone on a machine with more"


def run_here(jobs: Sequence[Job], work: Work, workers: int) -> Iterator[Outcome]:
    """Outcomes as they come. A job that kills its process is quarantined and the others go on.

    Raises ChildProcessError where no process can be started at all, which is not the scans' fault.
    """
    if workers <= 1:
        yield from map(work, jobs)
        return
    left = {job.row.case_id: job for job in jobs}
    while left:
        try:
            for outcome in _pooled(list(left.values()), work, workers):
                del left[outcome.case_id]
                yield outcome
        except BrokenProcessPool:
            _check_workers()
            # Any of the jobs that were under way may have done it: these are tried one by one, each in its own process.
            for job in list(left.values())[: 2 * workers + 1]:
                del left[job.row.case_id]
                yield _alone(job, work)


def run_on_ray(jobs: Sequence[Job], work: Work) -> Iterator[Outcome]:
    """The same on the Ray cluster that RAY_ADDRESS names, or that this machine belongs to; its nodes must see the same
    paths. Raises ImportError with what to install, ConnectionError without a cluster, DataError for relative paths."""
    try:
        import ray
    except ImportError as error:
        raise ImportError("the `ray` package runs jobs on a cluster: pip install 'rect-data[ray]'") from error
    loose = [path for job in jobs[:1] for path in (job.reader.root, job.out) if not path.is_absolute()]
    if loose:
        raise DataError(f"{loose[0]}: Ray's processes stand in other folders: give absolute paths")
    ray.init(address="auto", ignore_reinit_error=True, log_to_driver=False)
    task: Any = ray.remote(num_cpus=1, max_retries=0)(work)
    most = max(2 * int(ray.cluster_resources().get("CPU", 1)), 1)
    waiting, running = list(reversed(jobs)), dict[Any, Job]()
    while waiting or running:
        while waiting and len(running) < most:
            job = waiting.pop()
            running[task.remote(job)] = job
        (done,), _ = ray.wait(list(running), num_returns=1)
        job = running.pop(done)
        try:
            yield ray.get(done)
        except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
            yield _dead(job)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error  # as it was raised there, without Ray's page of traceback in its message


def _pooled(jobs: Sequence[Job], work: Work, workers: int) -> Iterator[Outcome]:
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
        running = [pool.submit(work, job) for job in jobs]
        try:
            for done in as_completed(running):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _check_workers() -> None:
    """Raises ChildProcessError where a process without any job dies as well."""
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
            pool.submit(os.getpid).result()
    except BrokenProcessPool as error:
        raise ChildProcessError(
            "worker processes cannot be started: call from below `if __name__ == '__main__':`, or give workers=1"
        ) from error


def _alone(job: Job, work: Work) -> Outcome:
    try:
        return next(_pooled([job], work, 1))
    except BrokenProcessPool:
        return _dead(job)


def _dead(job: Job) -> Outcome:
    quarantine(job, DIED)
    return Outcome(case_id=job.row.case_id, status="quarantined", seconds=0.0, peak_gb=float("nan"), reason=DIED)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work forever."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
