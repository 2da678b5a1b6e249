"""Grader processes on other machines: the workers of a Dask scheduler, over TLS."""

import asyncio
import logging
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import dask
from distributed import Client, Worker
from distributed.security import Security
from distributed.versions import VersionMismatchWarning

from autograder.running import grading
from autograder.running.grading import Readiness, Terms
from autograder.running.tasks import GradingTask
from autograder.running.workers import GONE, SETTINGS, THREADS, TellTerms, Work, Workers, hush
from keyhole.errors import KeyholeError
from keyhole.text import one_line

log = logging.getLogger(__name__)

CONNECT_SECONDS, START_SECONDS = 20, 120
LOOK_SECONDS = 5  # between two looks at whether there is a worker
LOST = (
    "all workers are gone, and the batch waits for a new one (docs/cluster.md). Ctrl-C ends it, and"
    " keeps what is finished"
)
FOUND = "there is a worker again"
# Packages by which client, scheduler and workers talk. What reaches a result is compared by
# grader_version, in each worker.
TALKING = ("python", "dask", "distributed", "cloudpickle", "msgpack", "tornado", "toolz")


@dataclass(frozen=True)
class Address:
    """Where a scheduler is, and the files of the certificates that open it."""

    url: str
    ca: Path
    cert: Path
    key: Path


class ClusterWorkers(Workers):
    """The workers of a scheduler, also those that come later; they live on after the batch.

    `levels` is the level of isolation of each worker that was there at the start, by its address.
    """

    def __init__(self, client: Client, batch: str):
        super().__init__(client, batch)
        self.levels: dict[str, str] = {}

    @classmethod
    def at(cls, address: Address, terms: Terms) -> "ClusterWorkers":
        """The workers of the scheduler there. Raises KeyholeError where one cannot grade."""
        hush()
        dask.config.set(SETTINGS)
        warnings.simplefilter("ignore", VersionMismatchWarning)  # `_levels` compares
        workers = cls(_connected(address), terms.batch)
        try:
            workers._wait_for_one()
            if told := _other_versions(workers._client.get_versions()):
                raise KeyholeError(told)
            workers._tell(terms)
            workers.levels = workers._levels()
        except (OSError, CancelledError):
            workers.close()
            raise KeyholeError(GONE) from None
        except BaseException:
            workers.close()
            raise
        return workers

    def _wait_for_one(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=START_SECONDS)
        except TimeoutError:
            raise KeyholeError(
                f"the scheduler has had no worker for {START_SECONDS} s: start one"
                " (docs/cluster.md), then run the same command again"
            ) from None

    def _tell(self, terms: Terms) -> None:
        try:
            self._client.register_plugin(TellTerms(terms))
        except OSError:
            raise
        except Exception as error:  # whatever it is that older code makes of the terms
            raise KeyholeError(
                "a worker does not understand what it is told: it has another version of Keyhole"
                f" ({one_line(error, 150)})"
            ) from None

    def _levels(self) -> dict[str, str]:
        """Each worker's level. Raises KeyholeError where one cannot grade."""
        levels = {}
        states = self._client.run(_state, on_error="return")
        for worker, state in sorted(states.items()):
            if isinstance(state, OSError):  # it died meanwhile
                continue
            problem = one_line(state, 300) if isinstance(state, Exception) else state.problem
            if problem:
                raise KeyholeError(f"the worker {worker} cannot grade: {problem}")
            levels[worker] = state.level
        if not levels:
            raise KeyholeError("every worker died when it was told how to grade")
        return levels

    def results(self, tasks: Iterable[tuple[Work, GradingTask]]) -> Iterator[tuple]:
        """As `Workers.results`. Raises KeyholeError where the scheduler is gone."""
        over = threading.Event()
        threading.Thread(target=self._look, args=(over,), daemon=True).start()
        try:
            yield from super().results(tasks)
        except (OSError, CancelledError):
            raise KeyholeError(GONE) from None
        finally:
            over.set()

    def _look(self, over: threading.Event) -> None:
        """Say when all workers are gone, and when one is there again, until the batch is over."""
        there = True
        while not over.wait(LOOK_SECONDS):
            if self._client.status != "running":
                continue
            found = bool(self._client.scheduler_info()["workers"])
            if found != there:
                log.warning("%s", FOUND if found else LOST)
            there = found

    def _count(self) -> int:
        return max(1, len(self._client.scheduler_info()["workers"]))

    def _leave_out(self, address: str, why: str) -> None:
        """Go on without a worker that came later. Raises KeyholeError where it was the last one."""
        if not set(self._client.scheduler_info()["workers"]) - {address}:
            raise KeyholeError(f"the only worker left, {address}, cannot grade: {why}")
        log.warning("the worker %s is left out: %s", address, why)
        self._client.retire_workers([address])

    def close(self) -> None:
        """Have the workers forget the secret, and let go of them."""
        with suppress(Exception):  # whatever is in the way: the batch is over
            if self._client.status == "running":
                self._client.unregister_worker_plugin(TellTerms.name_of(self._batch))
        super().close()


def _connected(address: Address) -> Client:
    """A client of the scheduler there. Raises KeyholeError."""
    security = Security(
        require_encryption=True,
        tls_ca_file=str(address.ca),
        tls_client_cert=str(address.cert),
        tls_client_key=str(address.key),
    )
    try:
        return Client(address.url, security=security, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        causes = [error]
        while causes[-1].__cause__:
            causes.append(causes[-1].__cause__)
        raise KeyholeError(
            f"no scheduler that takes these certificates answers at {address.url}"
            f" ({one_line(causes[-1], 150)})"
        ) from None


def _other_versions(found: Mapping[str, Mapping]) -> str | None:
    """Where a machine talks by another version of a package than the client."""
    mine = found["client"]["packages"]
    for where, its in {"the scheduler": found["scheduler"], **found["workers"]}.items():
        for name in TALKING:
            if (version := its["packages"].get(name)) != mine[name]:
                return (
                    f"{where} has {name} {version}, and this machine has {mine[name]}: install"
                    " the same versions everywhere (docs/cluster.md)"
                )
    return None


async def _state(dask_worker: Worker) -> Readiness:
    """That of the process in which this runs; meanwhile it answers the scheduler."""
    if dask_worker.state.nthreads != 1:
        return Readiness("E", THREADS)
    return await asyncio.to_thread(grading.HERE.state)
