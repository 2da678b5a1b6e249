"""Stand-ins for the hidden tests and the sandbox, for tests of what is around them."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import torch

from autograder.sandbox import Reply, StudentFailed

HOSTILE = (
    "<script>alert(1)</script> | **b** [x](javascript:y) $\\href{javascript:z}{x}$ `c` \x1b[31m"
    " \u202e"
)


@dataclass(frozen=True)
class HiddenTest:
    id: str
    points: float
    run: object
    title: str = "A title"
    seconds: float = 2
    of_files: bool = False


@dataclass(frozen=True)
class Outcome:
    passed: bool
    message: str = "as it should be."
    misconception: str | None = None
    fraction: float = 0.0
    missing: bool = False


def times(factor):
    """A hidden test for `factor * x` that gives half of its points for a wrong product of the right shape."""

    def run(bench):
        x = torch.randn(3, 5, generator=bench.generator("x"))
        got = bench.call("plain", {"x": x}, {"order": ["x"]}).tensors["result"]
        if torch.equal(got, factor * x):
            return Outcome(True, fraction=1.0)
        return Outcome(False, "is another multiple.", "other_factor", 0.5)

    return run


def registry(*tests):
    cells = {}
    for test in tests:
        cells.setdefault("test_" + test.id.partition(".")[0], []).append(test)
    return {"3_edit": SimpleNamespace(cells=cells)}


TESTS = registry(
    HiddenTest("double.plain", 3, times(2)),
    HiddenTest("double.again", 1, times(2)),
    HiddenTest("triple.plain", 2, times(3)),
)


@dataclass
class InThisProcess:
    """A sandbox without walls, for tests of what is around it: students' code of this file only."""

    source: str
    limits: object = None
    models: tuple = ()
    allowance: object = None
    level: str = "E"
    names: dict = field(default_factory=dict)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def call(self, function, adapter="plain", tensors=None, options=None, seconds=None):
        exec(self.source, self.names)
        try:
            return Reply({"result": self.names[function](*tensors.values())})
        except TimeoutError:
            raise StudentFailed("timeout", seconds) from None
        except Exception as error:
            raise StudentFailed("raised", f"{type(error).__name__}: {error}") from None


DOUBLE, TRIPLE = "def double(x):\n    return 2 * x", "def triple(x):\n    return 3 * x"
