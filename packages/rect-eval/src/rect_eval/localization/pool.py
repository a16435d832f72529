"""Cases on several processes; one that dies is found by name instead of taking the others with it."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_all_start_methods, get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from typing import TypeVar

from rect_core.errors import DataError

T = TypeVar("T")
R = TypeVar("R")


def run(
    jobs: Mapping[str, T],
    work: Callable[[T], R],
    *,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, R]:
    """work(job) of every job, by the jobs' names and in their order.

    progress: told how many are done, and of how many. The first error of a job ends the run. A process that dies (no
    memory) is forgiven once: its job is tried again alone; if it dies again DataError names it.
    """
    found: dict[str, R] = {}
    for name, result in _results(jobs, work, workers):
        found[name] = result
        if progress is not None:
            progress(len(found), len(jobs))
    return {name: found[name] for name in jobs}


def _results(jobs: Mapping[str, T], work: Callable[[T], R], workers: int) -> Iterator[tuple[str, R]]:
    if workers <= 1:
        yield from ((name, work(job)) for name, job in jobs.items())
        return
    left = dict(jobs)
    while left:
        try:
            for name, result in _pooled(left, work, workers):
                del left[name]
                yield name, result
        except BrokenProcessPool:
            # Any of the jobs that were under way may have done it.
            for name in list(left)[: 2 * workers + 1]:
                yield name, _alone(name, left.pop(name), work)


def _alone(name: str, job: T, work: Callable[[T], R]) -> R:
    try:
        return next(_pooled({name: job}, work, 1))[1]
    except BrokenProcessPool as error:
        raise DataError(
            f"case {name!r}: the process that scored it died, as when memory runs out: use fewer workers, or check "
            "its masks"
        ) from error


def _pooled(jobs: Mapping[str, T], work: Callable[[T], R], workers: int) -> Iterator[tuple[str, R]]:
    with ProcessPoolExecutor(workers, mp_context=_context(), initializer=_begin) as pool:
        running = {pool.submit(work, job): name for name, job in jobs.items()}
        try:
            for done in as_completed(running):
                yield running.pop(done), done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _context() -> BaseContext:
    """Workers as copies of one process that has imported what they need (torch alone takes seconds and 200 MB each);
    where the system has none of that kind, every worker imports it itself."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["rect_eval.localization"])
    return context


def _begin() -> None:
    """One thread a process, and an end with the parent: a worker whose parent was killed would wait forever."""
    import torch

    torch.set_num_threads(1)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
