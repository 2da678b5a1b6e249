"""The stored cases of the public checks: what a student's function is given, and what is right.

No solution stands here. The right results, and those that each misunderstanding gives, were
computed beforehand and lie in data/checks/; `autograder remake checks` makes them.
"""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from keyhole.checking import adapters, looks
from keyhole.checking.adapters import BadResult
from keyhole.checking.judging import Verdict, cause_of, wrong
from keyhole.checking.start import same_start
from keyhole.checking.student import blank_of, describe, file_of, raised
from keyhole.checking.symptoms import Given, regions_of
from keyhole.errors import KeyholeError
from keyhole.messages import problem, word
from keyhole.paths import data_folder
from keyhole.text import one_line
from keyhole.toy import toy_model


def load_cases() -> dict[str, list["Case"]]:
    """All stored cases, by the name of the graded function. They are read again where they change.

    Raises KeyholeError where they are missing or damaged.
    """
    cases = {}
    for path in sorted((data_folder() / "checks").glob("*.json")):
        pair = path, path.with_suffix(".safetensors")
        try:
            cases |= cases_in(*pair, *(each.stat().st_mtime_ns for each in pair))
        except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
            raise KeyholeError(
                problem("checks_unreadable", path=path, error=one_line(error, 120))
            ) from None
    if not cases:
        raise KeyholeError(problem("no_checks", folder=data_folder() / "checks"))
    return cases


@lru_cache(maxsize=16)
def cases_in(path: Path, numbers: Path, *changed: int) -> dict[str, list["Case"]]:
    """The cases in a pair of files, which were last `changed` then (in nanoseconds)."""
    stored: dict[str, dict] = defaultdict(dict)  # of each case
    for name, tensor in load_file(numbers).items():
        case, _, rest = name.partition("/")
        stored[case][rest] = tensor
    return {
        name: [
            Case(function=name, **record, stored=stored[f"{name}.{record['id']}"])
            for record in records
        ]
        for name, records in json.loads(path.read_text(encoding="utf-8")).items()
    }


@dataclass(frozen=True)
class Case:
    """One check of a graded function: its arguments, and how its answer is looked at.

    `stored` holds the tensors "in/ARGUMENT", "right", "wrong/MISCONCEPTION", "grad/ARGUMENT", and
    "parts", of which the right result is a mean; results and derivatives are float64.
    """

    function: str
    id: str
    order: tuple  # the arguments: names of stored tensors, keys of `values`, "model" or "module"
    looks_at: str  # "result", "inputs", "model", "gradient", "preservation", "weight", "parameter"
    what: str  # the result, one of the WORDS of keyhole.messages
    stored: dict
    values: dict = field(default_factory=dict)  # arguments that are no tensors, as JSON
    model: dict = field(default_factory=dict)  # for keyhole.toy.toy_model
    module: str = (
        ""  # "Linear" or "Conv1D", made from "in/weight" (as that kind keeps it) and "in/bias"
    )
    transposed: tuple = ()  # these arguments are given as transposed views
    log_probabilities: tuple = ()  # these arguments hold log-probabilities
    scales: tuple = (1,)  # the right result, times any of these, is right
    origin: str = ""  # the stored "in/" tensor that sizes are counted from
    axes: tuple = ()  # what the rows and columns of a picture of the result are; no picture without
    tolerance: float = 1e-4
    sentence: str = "wrong"
    whole: bool = False  # the right result holds whole numbers

    def run(self, function: Callable) -> Verdict:
        """Call `function` on fresh copies of the arguments, and look. Raises NoAnswer."""
        return self.look(self.observe(function))

    def look(self, observation: looks.Observation) -> Verdict:
        """The verdict on what a call left behind."""
        expected, sent = self.expected, self.sent()
        match self.looks_at:
            case "result":
                return looks.right_result(observation, expected)
            case "inputs":
                return looks.arguments_kept(observation, expected, sent)
            case "model":
                return looks.left_clean(observation, expected)
            case "gradient":
                log_probabilities = {name: sent[name] for name in self.log_probabilities}
                return looks.gradient(
                    observation, expected, self._stored("grad/"), log_probabilities
                )
            case "preservation":
                return looks.preservation(observation, expected, sent)
            case "weight":
                return looks.weight_written(observation, expected, sent)
            case "parameter":
                return looks.written_in_place(observation, expected, sent)
        raise ValueError(f"{self.function}.{self.id} looks at {self.looks_at!r}")

    @same_start()
    def observe(self, function: Callable) -> dict[str, torch.Tensor]:
        """What a call of `function` left behind, by way of an adapter. Raises NoAnswer."""
        options = {"order": [name for name in self.order if name != "model"]}
        options |= {"values": self.values, "transposed": self.transposed}
        options |= {"grad": list(self._stored("grad/")), "after": self.looks_at == "inputs"}
        try:
            if self.module:
                return adapters.write_edit(function, self.sent(), {"kind": self.module.lower()})
            if self.model:
                toy = toy_model(**self.model)
                return adapters.model_function(function, self.sent(), options, toy)
            return adapters.plain(function, self.sent(), options)
        except BadResult as bad:
            raise NoAnswer(wrong(bad.remark(self.function))) from None
        except Exception as error:
            code = error.code if isinstance(error, KeyholeError) else None
            cause = cause_of(self.function, describe(error), code)
            verdict = wrong(raised(self.function, error, function), misconception=cause)
            raise NoAnswer(verdict, blank_of(error, file_of(function)) == self.function) from error

    def sent(self) -> dict[str, torch.Tensor]:
        """Fresh copies of the tensors that an adapter is given, by name."""
        names = ("weight", "bias", "new_weight") if self.module else self.order
        stored = self._stored("in/")
        sent = {name: stored[name].clone() for name in names if name in stored}
        return sent | {name: sent[name].T.contiguous() for name in self.transposed}

    @property
    def expected(self) -> looks.Expected:
        """What the result is compared with."""
        return looks.Expected(
            self.stored["right"],
            lambda: self._stored("wrong/"),
            word(self.what),
            self.stored[f"in/{self.origin}"].double() if self.origin else 0,
            self.tolerance,
            self.sentence,
            self.scales,
            self.whole,
            Given(
                self.function,
                arguments := self._arguments(),
                (lambda: self.stored["parts"]) if "parts" in self.stored else None,
                regions_of(self.function, arguments),
            ),
        )

    def _arguments(self):
        """What the function is given, by name: tensors as it sees them, and plain numbers."""
        given = self._stored("in/")
        return {name: given[name] for name in self.order if name in given} | self.values

    def _stored(self, prefix):
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.stored.items()
            if name.startswith(prefix)
        }


class NoAnswer(Exception):
    """A function gave nothing that could be judged; `blank`: because nobody has written it yet."""

    def __init__(self, verdict: Verdict, blank: bool = False):
        super().__init__()
        self.verdict, self.blank = verdict, blank
