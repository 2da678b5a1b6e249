"""What one submission may use, and the clocks that count it."""

import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from keyhole.errors import KeyholeError

MB = 2**20
# The grader itself may stand still, as when a parser in another thread holds Python's lock.
# No more than this much of one standstill is counted as the student's time.
STANDSTILL_SECONDS = 0.5
# On the wall clock a call may last this many times its limit: a loaded machine gives a process a
# part of a processor, and a process that sleeps uses none.
WALL = 3


@dataclass(frozen=True)
class Limits:
    """What one submission may use. A course changes the values in limits.toml."""

    # Processor time, for one call. A hidden test may ask for more. See also WALL.
    seconds: float = 10.0
    # Wall clock, for all calls and definitions of a submission together, in whatever processes.
    submission_seconds: float = 300.0
    # Wall clock, for starting a process. The first of a batch imports libraries and loads models.
    start_seconds: float = 60.0
    # Processor time of one process over all its calls. It bounds what escapes the wall clock.
    cpu_seconds: int = 600
    # Address space above that of the loaded child.
    memory_mb: int = 1024
    reply_mb: int = 32
    # Size of any one file. Files can be written at level E only.
    file_mb: int = 16
    # Processes and threads together. Only at level E can any be started.
    processes: int = 64

    @classmethod
    def read(cls, path: str | Path) -> "Limits":
        """The limits in a TOML file, with the defaults for the rest.

        Raises KeyholeError for a file that cannot be read, an unknown name or an unusable value.
        """
        try:
            given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise KeyholeError(f"the limits {path} cannot be read: {error}") from None
        known = cls.__dataclass_fields__
        for name, value in given.items():
            if name not in known:
                raise KeyholeError(f"{path}: there is no limit {name!r}, only {', '.join(known)}")
            kind = type(getattr(cls, name))
            if type(value) not in (int, kind) or not 0 < value < 2**31:
                whole = "whole " if kind is int else ""
                raise KeyholeError(f"{path}: {name} is {value!r}, not a {whole}number above 0")
        return cls(**given)


@dataclass
class Allowance:
    """Seconds that a submission may use in all its processes together."""

    seconds: float
    used: float = 0.0

    @property
    def left(self) -> float:
        return self.seconds - self.used


class Clock:
    """Counts down the seconds of one limit, without the standstills of the grader itself."""

    def __init__(self, seconds: float):
        self.seconds = self.left = seconds
        self._at = time.monotonic()

    def tick(self) -> float:
        """Count what has passed since the last tick, and return what is left."""
        now = time.monotonic()
        self.left, self._at = self.left - min(now - self._at, STANDSTILL_SECONDS), now
        return self.left
