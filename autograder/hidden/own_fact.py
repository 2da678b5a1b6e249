"""Hidden tests of what is handed in beside 3_edit.ipynb: the student's own fact, and the change that was made for it.

Two data files, read and measured in the grader's own process: nothing of the student's runs. The fact is theirs, so a
message may tell what was measured.
"""

from functools import lru_cache

import torch

from autograder.hidden.case import HiddenTest, Outcome, outcome
from autograder.oracle import editing, references
from keyhole.checking import own_fact
from keyhole.errors import KeyholeError
from keyhole.hooks import edit, record
from keyhole.checking.judging import Verdict, judge
from keyhole.messages import feedback, misconception, opened, sentences
from keyhole.moments import load_moment, load_prefixes
from keyhole.checking.own_fact import EDIT_FILE, FACT_FILE
from keyhole.probes import PROBE_KINDS
from keyhole.text import one_line

SAME_DIRECTION = 0.999  # cosine; a right one made on another machine has 1 - 1e-9, the nearest wrong one (C centred) 0.994
VALUE_TOLERANCE = 1e-2  # of |v* - W k*|; factors of a float32 Ŵ are right to 1e-4 of it


def _parts(bench):
    """What was handed in, read once a submission: {file: OwnFact or OwnEdit, or the KeyholeError that says why not}."""
    if "own" not in bench.shared:
        shape = bench.model().weight(own_fact.DEFAULT_LAYER).shape
        readers = {
            FACT_FILE: lambda: own_fact.read_fact(bench.folder),
            EDIT_FILE: lambda: own_fact.read_edit(bench.folder, shape),
        }
        bench.shared["own"] = {file: _or_problem(read) for file, read in readers.items()}
    return bench.shared["own"]


def _or_problem(read):
    try:
        return read()
    except KeyholeError as problem:
        return problem


def _test(*files):
    """A hidden test of `files`: run only where each of them can be used, and failed with the sentence that a KeyholeError brings."""

    def wrap(judged):
        def run(bench):
            parts = [_parts(bench)[file] for file in files]
            for file, part in zip(files, parts):
                if isinstance(part, KeyholeError):
                    absent = isinstance(part, own_fact.Absent)
                    return Outcome(
                        False,
                        opened(str(part)) if absent else feedback("own_not_run", file=file),
                        missing=absent,
                    )
            try:
                return judged(bench, *parts)
            except KeyholeError as problem:
                return Outcome(False, opened(str(problem)))

        return run

    return wrap


def form(bench):
    problems = [part for part in _parts(bench).values() if isinstance(part, KeyholeError)]
    if not problems:
        return Outcome(True, feedback("own_read"), fraction=1.0)
    absent = [problem for problem in problems if isinstance(problem, own_fact.Absent)]
    return Outcome(
        False,
        sentences(*(opened(str(problem)) for problem in problems)),
        missing=len(absent) == len(problems),
    )


@_test(FACT_FILE)
def known(bench, own):
    made = _parts(bench)[EDIT_FILE]
    before = None if isinstance(made, KeyholeError) else _measured(bench, own, made).before
    return outcome(own_fact.known(bench.model(), own.fact, before))


@_test(FACT_FILE)
def whose(bench, own):
    return outcome(own_fact.whose(own.fact))


def _key(bench, own):
    """k* of the student's fact, by the oracle."""
    own_fact.check_length(bench.model(), own.fact)
    return _subject_key(bench.model(), own.layer, own.fact.prompt, own.fact.subject)


@lru_cache(maxsize=8)  # a few of a class may choose the same fact
def _subject_key(model, layer, prompt, subject):
    return editing.subject_key(model, layer, prompt, subject, load_prefixes())


def _cosine(one, other):
    return abs(float(torch.cosine_similarity(one, other, dim=0)))


@_test(FACT_FILE, EDIT_FILE)
def direction(bench, own, made):
    """The row of the change is C⁻¹ k*, whatever its length and sign: those also lie in the column."""
    if made.change().norm() == 0:
        return outcome(Verdict(False, misconception("nothing_changed"), "nothing_changed"))
    moment, key = load_moment().double(), _key(bench, own)
    right = torch.linalg.solve(moment, key)
    cosine = _cosine(made.right, right)
    if cosine >= SAME_DIRECTION:
        return Outcome(True, feedback("own_direction_right", cosine=f"{cosine:.4f}"), fraction=1.0)
    message = feedback("own_direction", cosine=f"{cosine:.3f}")
    near = {
        name: _cosine(made.right, wrong)
        for name, wrong in _wrong_directions(bench.model(), own, moment, key, right).items()
    }
    likely = max(near, key=near.get)
    if near[likely] < SAME_DIRECTION:
        return Outcome(False, message)
    return Outcome(False, sentences(message, misconception(likely)), likely)


def _wrong_directions(model, own, moment, key, right_direction):
    """The directions that misunderstandings give: misconception -> (d_in,). (Those of subject_key's hidden tests that lead elsewhere here.)"""
    found = _wrong_keys(model, own.layer, own.fact.prompt, own.fact.subject)
    solved = torch.linalg.solve(moment, torch.stack(list(found.values())).T).T
    # Where a subject ends the prompt, or has one token, some of these are right.
    found = {
        name: wrong
        for name, wrong in zip(found, solved, strict=True)
        if _cosine(wrong, right_direction) < SAME_DIRECTION
    }
    mean = references.mean_key()
    found["moment_centred"] = torch.linalg.solve(moment - torch.outer(mean, mean), key)
    return {
        "moment_omitted": key,
        "moment_not_inverted": moment @ key,
        "moment_diagonal_used": key / moment.diag(),
        **found,
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
    prefixes, right = load_prefixes(), []
    for prefix in prefixes:
        text = prefix + prompt
        with record(model.memory(layer)) as seen:
            model.run_below(torch.tensor(model.encode([text])), layer + 1)
        keys, span = seen.input[0].double(), model.subject_slice(text, subject)
        right.append(keys[span.stop - 1])
        for name, place in zip(
            at,
            (span.start, len(keys) - 1, max(span.stop - 2, 0), min(span.stop, len(keys) - 1)),
            strict=True,
        ):
            at[name].append(keys[place])
    return {name: torch.stack(rows).mean(0) for name, rows in at.items()} | {
        "bare_prompt_only": right[prefixes.index("")],
        "last_prefix_only": right[-1],
    }


@_test(FACT_FILE, EDIT_FILE)
def value(bench, own, made):
    """Ŵ k* is v*, and v* makes the model say the target before all else. Where v* was not handed in, it is what the change gives for k*."""
    key, weight = _key(bench, own), bench.model().weight(own.layer).double()
    before = weight @ key
    written = before + made.left * (made.right @ key)
    if made.value is not None:
        residual = made.value - before

        def misunderstood():
            size = key @ torch.linalg.solve(load_moment().double(), key)
            return {
                "division_missing": before + size * residual,
                "value_not_residual": before + made.value,
                "residual_reversed": before - residual,
                "update_doubled": before + 2 * residual,
            }

        verdict = judge(
            written, made.value, misunderstood, "Ŵ k*", before, VALUE_TOLERANCE, "misses_value"
        )
        if not verdict.passed:
            return outcome(verdict)
    model, what = bench.model(), "Ŵ k*" if made.value is None else "v*"
    found = _answers_with(model, own, written if made.value is None else made.value)
    new, said = model.encode([own.fact.target_new])[0][0], int(found.argmax())
    shown = {"what": what, "new": one_line(own.fact.target_new, 40), "p_new": f"{found[new]:.3f}"}
    if said == new:
        return Outcome(True, feedback("own_value", **shown), fraction=1.0)
    message = feedback(
        "own_value_wrong",
        says=one_line(model.tokenizer.decode([said]), 40),
        p_says=f"{found[said]:.3f}",
        **shown,
    )
    return outcome(own_fact.explained(model, own.fact, message, "value_without_target"))


def _answers_with(model, own, value):
    """The distribution after the prompt when W gives out `value` (d_out,) at the subject's last token, without any change of W: (V,)."""
    last, bias = (
        model.subject_slice(own.fact.prompt, own.fact.subject).stop - 1,
        model.bias(own.layer),
    )
    given = value.float() if bias is None else value.float() + bias

    def put(output):
        changed = output.clone()
        changed[:, last] = given
        return changed

    with edit(model.memory(own.layer), put):
        return model.next_token_probabilities([own.fact.prompt])[0]


def _measured(bench, own, made):
    """The student's probes, run again once a submission."""
    if "own measured" not in bench.shared:
        bench.shared["own measured"] = own_fact.measure(bench.model(), own, made.change())
    return bench.shared["own measured"]


def _claims_test(kind):
    @_test(FACT_FILE, EDIT_FILE)
    def run(bench, own, made):
        measured = _measured(bench, own, made)
        if (
            kind == "original"
            and not (works := own_fact.works(bench.model(), own.fact, measured)).passed
        ):
            return outcome(works)
        verdict = own_fact.claims_hold(own, measured, kind)
        return outcome(
            verdict if verdict.passed else Verdict(False, verdict.message, "claim_not_measured")
        )

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
