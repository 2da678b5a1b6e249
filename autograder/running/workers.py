"""Grader processes under Dask. Here are those of this machine; cluster.py has those of others.

A batch of `--jobs 1` does without this module, and without Dask.
"""

import itertools
import logging
import os
import signal
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

import dask
from distributed import Client, LocalCluster, WorkerPlugin, as_completed, get_worker
from distributed.scheduler import KilledWorker
from distributed.security import Security

from autograder.result import Result
from autograder.running import grading
from autograder.running.forking import FORKS, start_mother, wait_for_mother, without_interrupts
from autograder.running.grading import Terms, Unfit
from autograder.running.tasks import GradingTask
from keyhole.errors import KeyholeError

Work = TypeVar("Work")

GONE = (
    "the scheduler is gone. What was finished is kept: start the scheduler and its workers again,"
    " then run the same command, which goes on from here"
)
TAKEN = (
    "another batch has begun on these workers. What was finished is kept: when the other batch has"
    " ended, run the same command again, which goes on from here"
)
THREADS = "it grades several submissions at once: start it with --nthreads 1"
WAITING = 2  # submissions sent per worker: one is graded, one waits there
# Deaths of a worker under one submission before it is set aside.
DEATHS = 3
SETTINGS = {
    "distributed.scheduler.allowed-failures": DEATHS,
    "distributed.worker.daemon": True,
    "distributed.worker.multiprocessing-method": "forkserver" if FORKS else "spawn",
    # It would look at the graders' deep stacks a hundred times a second.
    "distributed.worker.profile.enabled": False,
    "distributed.logging.distributed": "critical",
    # A grader that is busy in one long product answers late; it is not lost.
    "distributed.scheduler.worker-ttl": "30 minutes",
}


class TellTerms(WorkerPlugin):
    """Tells every worker, also those that come later, how to grade a batch."""

    def __init__(self, terms: Terms):
        self._terms, self.name = terms, self.name_of(terms.batch)

    @staticmethod
    def name_of(batch: str) -> str:
        """The name by which it is taken back."""
        return f"keyhole-terms-{batch}"

    def setup(self, worker: object) -> None:
        grading.HERE.use(self._terms)

    def teardown(self, worker: object) -> None:
        if grading.HERE.batch == self._terms.batch:
            grading.HERE.use(None)


class UnfitWorker(Exception):
    """A worker that cannot grade by the terms: (its address, why)."""


def _grade(task: GradingTask, batch: str) -> Result:
    """The result of a task of a batch, by the worker that this runs in.

    Raises UnfitWorker, and KeyholeError where another batch has told this worker its terms.
    """
    worker = get_worker()
    if worker.state.nthreads != 1:
        raise UnfitWorker(worker.address, THREADS)
    if grading.HERE.batch != batch:
        raise KeyholeError(TAKEN)
    try:
        result = grading.HERE.grade(task)
    except Unfit as unfit:
        raise UnfitWorker(worker.address, str(unfit)) from None
    if grading.HERE.batch != batch:  # meanwhile, and so the language may be the other batch's
        raise KeyholeError(TAKEN)
    return result


class Workers:
    """Grader processes; a context manager that lets go of them at its end.

    `cluster`: those of this machine, which end with it.
    """

    def __init__(self, client: Client, batch: str, cluster: LocalCluster | None = None):
        self._client, self._batch, self._cluster = client, batch, cluster

    @classmethod
    def here(cls, jobs: int, terms: Terms) -> "Workers":
        """`jobs` processes on this machine, which end with this one."""
        hush()
        dask.config.set(SETTINGS)
        with without_interrupts():
            if FORKS:
                start_mother()
            # Without TLS whoever has an account on this machine could run code as this user.
            cluster = LocalCluster(
                n_workers=0,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                protocol="tls://",
                security=Security.temporary(),
                dashboard_address=None,
                memory_limit=0,  # the limits of limits.toml count
                silence_logs=logging.CRITICAL,
            )
            workers = cls(Client(cluster, set_as_default=False), terms.batch, cluster)
        try:
            if FORKS:
                wait_for_mother()
            workers._client.register_plugin(TellTerms(terms))
            cluster.scale(jobs)
        except BaseException:
            workers.close()
            raise
        return workers

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def results(
        self, tasks: Iterable[tuple[Work, GradingTask]]
    ) -> Iterator[tuple[Work, Result | None]]:
        """(work, its result) of each, as they are finished.

        A task is taken only when a worker has room for it. Those under which several workers died
        come last, each graded alone; a result of None says that it killed them then, too.
        """
        alone = []
        for work, task, result in self._together(iter(tasks)):
            if isinstance(result, KilledWorker):
                alone.append((work, task))
            else:
                yield work, result
        for each in alone:
            for work, _, result in self._together(iter([each])):
                yield work, None if isinstance(result, KilledWorker) else result

    def _together(self, waiting: Iterator[tuple[Work, GradingTask]]) -> Iterator[tuple]:
        sent = {}
        done = as_completed(with_results=True, raise_errors=False, loop=self._client.loop)
        self._send(waiting, sent, done)
        for future, result in done:
            work, task = sent.pop(future.key)
            if future.status in ("cancelled", "lost"):
                raise KeyholeError(GONE)
            if future.status == "error":
                result = future.exception()
            future.release()
            if isinstance(result, UnfitWorker):
                self._leave_out(*result.args)
                waiting = itertools.chain([(work, task)], waiting)
                self._send(waiting, sent, done, least=1)
                continue
            if isinstance(result, Exception) and not isinstance(result, KilledWorker):
                raise result
            self._send(waiting, sent, done)
            yield work, task, result

    def _send(self, waiting: Iterator, sent: dict, done: as_completed, least: int = 0) -> None:
        """Keep every worker busy; send no more than it needs."""
        room = WAITING * self._count() - len(sent)
        for work, task in itertools.islice(waiting, max(room, least)):
            key = f"{self._batch}-{uuid.uuid4().hex}"
            future = self._client.submit(_grade, task, self._batch, key=key, pure=False)
            sent[future.key] = work, task
            done.add(future)

    def _count(self) -> int:
        return len(self._cluster.worker_spec)

    def _leave_out(self, address: str, why: str) -> None:
        """Go on without a worker. Here the next one would be no other. Raises KeyholeError."""
        raise KeyholeError(why)

    def close(self) -> None:
        """Let go of them; those on this machine end at once, whatever they do."""
        if self._cluster:
            self._cluster.shutdown_on_close = False  # the end of Python would wait for it again
            for nanny in self._cluster.workers.values():
                nanny.auto_restart = False
                with suppress(AttributeError, ProcessLookupError, TypeError):
                    os.kill(nanny.process.pid, signal.SIGKILL)
        with suppress(Exception):  # whatever is left of it ends with this process
            self._client.close(timeout=1)
        if self._cluster:
            with suppress(Exception):
                self._cluster.close(timeout=1)


def hush() -> None:
    """Keep the chatter of connections that break off the terminal: what it means is said once."""
    for name in ("distributed", "distributed.client", "tornado.application", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
