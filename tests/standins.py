"""Stand-ins for the hidden tests and the sandbox, for tests of what is around them."""

import pickle
from dataclasses import dataclass, field, fields, replace
from types import SimpleNamespace

import torch

from autograder import messages as staff
from autograder.commands import grade_class
from autograder.running.grading import GraderProcess
from autograder.sandbox import Reply, StudentFailed
from autograder.submissions.notebooks import Submitted
from keyhole import messages
from keyhole.checking.judging import Verdict
from keyhole.errors import KeyholeError
from keyhole.messages import LANGUAGES, Remark
from keyhole.notebooks.definitions import Definitions

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


def said(text: str, code: str = "said") -> Remark:
    """A remark of a table that only tests have, with a text that is the same in every language."""
    words = SimpleNamespace(SAID={code: text.replace("{", "{{").replace("}", "}}")})
    return Remark(code, {}, "SAID", dict.fromkeys(LANGUAGES, words))


def times(factor):
    """A hidden test for `factor * x`; a wrong product of the right shape gets half its points."""

    def run(trial):
        x = torch.randn(3, 5, generator=trial.generator("x"))
        got = trial.call("plain", {"x": x}, {"order": ["x"]}).tensors["result"]
        if torch.equal(got, factor * x):
            return Verdict(1.0, (said("It is as it should be."),))
        remarks = (said("It is another multiple."),)
        return Verdict(0.5, remarks, said("Is the factor another one?", "other_factor"))

    return run


def feedback(name: str, **details: object) -> str:
    """A remark on an answer, in words."""
    return str(messages.feedback(name, **details))


def sentence(name: str, **details: object) -> str:
    """A remark of the grader's, in words."""
    return str(staff.sentence(name, **details))


def in_words(found):
    """Something that was read (a dataclass), with every remark in it as words."""
    if isinstance(found, (Remark, KeyholeError)):
        return str(found)
    if isinstance(found, tuple):
        return tuple(map(in_words, found))
    if isinstance(found, dict):
        return {name: in_words(value) for name, value in found.items()}
    if isinstance(found, (Definitions, Submitted)):
        return replace(
            found, **{part.name: in_words(getattr(found, part.name)) for part in fields(found)}
        )
    return found


@dataclass
class OfFiles:
    """What hidden tests of files are given."""

    folder: object
    real_model: object
    made: dict = field(default_factory=dict)

    def model(self):
        return self.real_model

    def once(self, kind):
        if kind not in self.made:
            self.made[kind] = kind(self)
        return self.made[kind]


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


def no_grader_processes(monkeypatch):
    """Let this process grade alone: in another one, a test's stand-ins are not there.

    Nor does the process start of which grader processes are copies. It would work for half a
    minute on what the real hidden tests share.
    """
    monkeypatch.setattr(grade_class, "cores_here", lambda: 1)
    monkeypatch.setattr(grade_class, "start_mother", lambda: None)


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


class PickledTasks:
    """Grader processes without processes: tasks and results are data, as if they were sent."""

    def __init__(self, jobs, terms):
        self.process = GraderProcess()
        self.process.use(terms)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def results(self, tasks):
        for work, task in tasks:
            task = pickle.loads(pickle.dumps(task))
            yield work, pickle.loads(pickle.dumps(self.process.grade(task)))


DOUBLE, TRIPLE = "def double(x):\n    return 2 * x", "def triple(x):\n    return 3 * x"
