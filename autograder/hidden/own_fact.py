"""Hidden tests of the files beside 3_edit.ipynb: the student's own fact, and the change for it.

Two data files, read and measured in the grader's own process: nothing of the student's runs. The
fact is theirs, so a message may tell what was measured.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, cached_property, lru_cache

import torch

from autograder.hidden.case import HiddenTest, Trial
from autograder.oracle import editing, references
from keyhole.checking import own_fact
from keyhole.checking.judging import Verdict, judge, right, wrong
from keyhole.checking.own_fact import Measured, OwnEdit, OwnFact
from keyhole.errors import KeyholeError
from keyhole.hooks import edit, record
from keyhole.messages import feedback
from keyhole.moments import load_moment, load_prefixes
from keyhole.paths import EDIT_FILE, FACT_FILE
from keyhole.probes import PROBE_KINDS
from keyhole.text import one_line

# Cosine. A right one made on another machine has 1 - 1e-9, the nearest wrong one (C centred) 0.994.
SAME_DIRECTION = 0.999
VALUE_TOLERANCE = 1e-2  # of |v* - W k*|; factors of a float32 Ŵ are right to 1e-4 of it


class OwnFiles:
    """What one student handed in beside the notebook, read and measured once a submission."""

    def __init__(self, trial: Trial):
        self._model, self._folder = trial.model(), trial.folder

    @cached_property
    def fact(self) -> OwnFact | KeyholeError:
        """The fact, or why it cannot be used."""
        return _or_problem(lambda: own_fact.read_fact(self._folder))

    @cached_property
    def edit(self) -> OwnEdit | KeyholeError:
        """The change of W, or why it cannot be used."""
        shape = self._model.weight(own_fact.DEFAULT_LAYER).shape
        return _or_problem(lambda: own_fact.read_edit(self._folder, shape))

    @cached_property
    def measured(self) -> Measured:
        """The fact's probes, run again before and after the change.

        Both files must be usable. Raises KeyholeError.
        """
        return own_fact.measure(self._model, self.fact, self.edit.change())


def _or_problem(read):
    try:
        return read()
    except KeyholeError as problem:
        return problem


def _on_fact(judged: Callable[[Trial, OwnFact], Verdict]) -> Callable[[Trial], Verdict]:
    """A hidden test of the fact: `judged` runs only where the fact can be used."""

    def run(trial):
        handed = trial.once(OwnFiles)
        return _not_run(handed.fact, FACT_FILE) or _judged(lambda: judged(trial, handed.fact))

    return run


def _on_both(judged: Callable[[Trial, OwnFact, OwnEdit], Verdict]) -> Callable[[Trial], Verdict]:
    """A hidden test of the fact and the change: `judged` runs only where both can be used."""

    def run(trial):
        handed = trial.once(OwnFiles)
        return (
            _not_run(handed.fact, FACT_FILE)
            or _not_run(handed.edit, EDIT_FILE)
            or _judged(lambda: judged(trial, handed.fact, handed.edit))
        )

    return run


def _not_run(part, file):
    """The verdict where a file cannot be used; None where it can."""
    if isinstance(part, own_fact.Absent):
        return replace(wrong(*part.remarks), status="missing")
    return wrong(feedback("own_not_run", file=file)) if isinstance(part, KeyholeError) else None


def _judged(look):
    """The verdict that `look` gives; a KeyholeError on the way is one, too."""
    try:
        return look()
    except KeyholeError as problem:
        return wrong(*problem.remarks)


def form(trial: Trial) -> Verdict:
    handed = trial.once(OwnFiles)
    problems = [part for part in (handed.fact, handed.edit) if isinstance(part, KeyholeError)]
    if not problems:
        return right(feedback("own_read"))
    absent = all(isinstance(problem, own_fact.Absent) for problem in problems)
    verdict = wrong(*(remark for problem in problems for remark in problem.remarks))
    return replace(verdict, status="missing" if absent else "fail")


@_on_fact
def known(trial: Trial, own: OwnFact) -> Verdict:
    handed = trial.once(OwnFiles)
    before = None if isinstance(handed.edit, KeyholeError) else handed.measured.before
    return own_fact.known(trial.model(), own.fact, before)


@_on_fact
def whose(trial: Trial, own: OwnFact) -> Verdict:
    return own_fact.whose(own.fact)


def _key(trial, own):
    """k* of the student's fact, by the oracle."""
    own_fact.check_length(trial.model(), own.fact)
    return _subject_key(trial.model(), own.layer, own.fact.prompt, own.fact.subject)


@lru_cache(maxsize=8)  # a few of a class may choose the same fact
def _subject_key(model, layer, prompt, subject):
    return editing.subject_key(model, layer, prompt, subject, load_prefixes())


@cache
def triangle() -> torch.Tensor:
    """L of C = L Lᵀ: (d_in, d_in), float64. Made once for all submissions."""
    return torch.linalg.cholesky(load_moment().double())


def _solved(key):
    """C⁻¹ key: (d_in,)."""
    return torch.cholesky_solve(key[:, None], triangle()).squeeze(1)


def _cosine(one, other):
    return abs(float(torch.cosine_similarity(one, other, dim=0)))


@_on_both
def direction(trial: Trial, own: OwnFact, made: OwnEdit) -> Verdict:
    """The row of the change is C⁻¹ k*. Its length and sign are free: the column has them too."""
    if made.change().norm() == 0:
        return wrong(misconception="nothing_changed")
    key = _key(trial, own)
    expected = _solved(key)
    cosine = _cosine(made.right, expected)
    if cosine >= SAME_DIRECTION:
        return right(feedback("own_direction_right", cosine=f"{cosine:.4f}"))
    near = {
        name: _cosine(made.right, mistaken)
        for name, mistaken in _wrong_directions(trial.model(), own, key, expected).items()
    }
    likely = max(near, key=near.get)
    named = None if near[likely] < SAME_DIRECTION else likely
    return wrong(feedback("own_direction", cosine=f"{cosine:.3f}"), misconception=named)


def _wrong_directions(model, own, key, expected):
    """The directions that misunderstandings give: misconception -> (d_in,).

    (Those of subject_key's hidden tests that lead elsewhere here.)
    """
    keys = _wrong_keys(model, own.layer, own.fact.prompt, own.fact.subject)
    solved = map(_solved, keys.values())
    # Where a subject ends the prompt, or has one token, some of these are right.
    elsewhere = {
        name: mistaken
        for name, mistaken in zip(keys, solved, strict=True)
        if _cosine(mistaken, expected) < SAME_DIRECTION
    }
    moment, mean = load_moment().double(), references.mean_key()
    centred = torch.linalg.solve(moment - torch.outer(mean, mean), key)
    return {
        "moment_omitted": key,
        "moment_not_inverted": moment @ key,
        "moment_diagonal_used": key / moment.diag(),
        **elsewhere,
        "moment_centred": centred,
    }


@lru_cache(maxsize=8)
def _wrong_keys(model, layer, prompt, subject):
    """What misunderstandings take for k*: misconception -> (d_in,), float64."""
    at = {
        name: []
        for name in (
            "first_subject_token",
            "last_prompt_token",
            "one_token_before",
            "one_token_after",
        )
    }
    prefixes, proper = load_prefixes(), []
    texts = [prefix + prompt for prefix in prefixes]
    encoded = model.encode(texts)
    with record(model.memory(layer)) as seen:
        model.run_below(model.batch(encoded), layer + 1)
    for text, tokens, keys in zip(texts, encoded, seen.input.double(), strict=True):
        span, last = model.subject_slice(text, subject), len(tokens) - 1
        proper.append(keys[span.stop - 1])
        places = (span.start, last, max(span.stop - 2, 0), min(span.stop, last))
        for rows, place in zip(at.values(), places, strict=True):
            rows.append(keys[place])
    return {name: torch.stack(rows).mean(0) for name, rows in at.items()} | {
        "bare_prompt_only": proper[prefixes.index("")],
        "last_prefix_only": proper[-1],
    }


@_on_both
def value(trial: Trial, own: OwnFact, made: OwnEdit) -> Verdict:
    """Ŵ k* is v*, and v* makes the model say the target before all else.

    Where v* was not handed in, it is what the change gives for k*.
    """
    key, weight = _key(trial, own), trial.model().weight(own.layer).double()
    before = weight @ key
    written = before + made.left * (made.right @ key)
    if made.value is None:
        return _says_target(trial.model(), own, written, "Ŵ k*")
    residual = made.value - before

    def misunderstood():
        size = key @ _solved(key)
        return {
            "division_missing": before + size * residual,
            "value_not_residual": before + made.value,
            "residual_reversed": before - residual,
            "update_doubled": before + 2 * residual,
        }

    verdict = judge(
        written, made.value, misunderstood, "Ŵ k*", before, VALUE_TOLERANCE, "misses_value"
    )
    return _says_target(trial.model(), own, made.value, "v*") if verdict.passed else verdict


def _says_target(model, own, value, what):
    """Whether the model says the target where W gives out `value` (d_out,), called `what`."""
    probabilities = _answers_with(model, own, value)
    new, said = model.encode_targets([own.fact.target_new])[0][0], int(probabilities.argmax())
    details = {
        "what": what,
        "new": one_line(own.fact.target_new, 40),
        "p_new": f"{probabilities[new]:.3f}",
    }
    if said == new:
        return right(feedback("own_value", **details))
    says = one_line(model.tokenizer.decode([said]), 40)
    details |= {"says": says, "p_says": f"{probabilities[said]:.3f}"}
    remark = feedback("own_value_wrong", **details)
    return own_fact.not_felt(model, own.fact, remark, "value_without_target")


def _answers_with(model, own, value):
    """The distribution (V,) after the prompt when W gives out `value` (d_out,) for the subject.

    That is at the subject's last token. W stays as it is.
    """
    last = model.subject_slice(own.fact.prompt, own.fact.subject).stop - 1
    bias = model.bias(own.layer)
    given = value.float() if bias is None else value.float() + bias

    def put(output):
        changed = output.clone()
        changed[:, last] = given
        return changed

    with edit(model.memory(own.layer), put):
        return model.next_token_probabilities([own.fact.prompt])[0]


def _claims_test(kind):
    @_on_both
    def run(trial, own, made):
        measured = trial.once(OwnFiles).measured
        if kind == "original":
            works = own_fact.works(trial.model(), own.fact, measured)
            if not works.passed:
                return works
        verdict = own_fact.claims_hold(own, measured, kind)
        if verdict.passed:
            return verdict
        return verdict.explained("claim_not_measured")

    return run


TESTS = (
    HiddenTest("my_edit.form", 0.5, form, of_files=True),
    HiddenTest("my_edit.known", 0.5, known, of_files=True),
    HiddenTest("my_edit.own", 0.5, whose, of_files=True),
    HiddenTest("my_edit.direction", 0.5, direction, of_files=True),
    HiddenTest("my_edit.value", 0.5, value, of_files=True),
    *(
        HiddenTest(f"my_edit.{kind}", 0.5, _claims_test(kind), of_files=True)
        for kind in PROBE_KINDS
    ),
)
