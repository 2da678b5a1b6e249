"""Hidden tests of 1_measure.ipynb: the likelihood of a target, the two shares, the score.

The graded functions see token ids, no text. That a target needs its leading space is therefore checked where text is read
(keyhole.facts, keyhole.fact_files); here what comes nearest is that the first target token, the one with the space, counts like
the others.
"""

from functools import partial

import torch

from autograder.hidden import measure_wrongs as wrongs
from autograder.hidden.case import (
    HiddenTest,
    NotebookTests,
    Outcome,
    arguments_kept,
    judge_number,
    outcome,
)
from autograder.oracle import measuring
from autograder.sandbox import StudentFailed
from keyhole.facts import load_facts
from keyhole.checking.judging import Verdict, judge, scalar
from keyhole.messages import feedback, misconception, sentences
from keyhole.models import DEFAULT_MODEL
from keyhole.probes import answer_logits

# ---------------------------------------------------------------- sequence_nll


def _nll_judged(bench, logits, target_ids, **options):
    tensors = {"logits": logits, "target_ids": target_ids}
    got = bench.call(tensors=tensors, options={"order": list(tensors), **options}).tensors
    return got, judge_number(
        bench,
        got["result"],
        measuring.sequence_nll(logits, target_ids),
        partial(wrongs.sequence_nll, logits, target_ids),
        "The NLL",
    )


def _drawn(bench, tokens, vocabulary):
    """Logits in which some target tokens are likely and some are not, and a target of distinct tokens, not all of them the most probable ones."""
    generator = bench.generator("inputs")
    while True:
        logits = 2 * torch.randn(tokens, vocabulary, generator=generator)
        target_ids = torch.randperm(vocabulary, generator=generator)[:tokens]
        logits[torch.arange(1, tokens, 2), target_ids[1::2]] += 4
        if not torch.equal(logits.argmax(-1), target_ids):
            return logits, target_ids


def nll_one_token(bench):
    return outcome(_nll_judged(bench, *_drawn(bench, 1, 17))[1])


def nll_tokens(bench):
    return outcome(_nll_judged(bench, *_drawn(bench, 4, 19))[1])


def nll_repeated(bench):
    """A token that stands in the target twice: two predictions, two likelihoods."""
    logits, target_ids = _drawn(bench, 5, 11)
    target_ids[3] = target_ids[1]
    return outcome(_nll_judged(bench, logits, target_ids)[1])


def nll_large(bench):
    """What a softmax does not feel, but an exponential does: all logits larger by 300."""
    logits, target_ids = _drawn(bench, 3, 13)
    return outcome(_nll_judged(bench, logits + 300, target_ids)[1])


def nll_improbable(bench):
    """Target tokens of probability 1e-20 and much less, each its own."""
    logits, target_ids = _drawn(bench, 3, 13)
    logits[torch.arange(3), target_ids] -= torch.tensor([45.0, 55.0, 80.0])
    return outcome(_nll_judged(bench, logits, target_ids)[1])


def nll_inputs(bench):
    logits, target_ids = _drawn(bench, 3, 9)
    got, _ = _nll_judged(bench, logits, target_ids, after=True)
    return arguments_kept(
        got | {"result": scalar(got["result"])},
        {"logits": logits, "target_ids": target_ids},
        (),
        "The NLL",
    )


def nll_gradient(bench):
    """The same function is the loss of the fine-tuning, so its gradient counts."""
    logits, target_ids = _drawn(bench, 3, 15)
    got, verdict = _nll_judged(bench, logits, target_ids, grad=["logits"])
    if not verdict.passed:
        return outcome(verdict)
    if "grad.logits" not in got:
        return outcome(Verdict(False, misconception("graph_cut", what="logits"), "graph_cut"))
    live = logits.double().requires_grad_()
    measuring.sequence_nll(live, target_ids).backward()
    found = judge(got["grad.logits"], live.grad, what="logits", sentence="gradient")
    return (
        outcome(found)
        if not found.passed
        else Outcome(True, feedback("gradient_right"), fraction=1.0)
    )


def nll_real(bench):
    """A target of several tokens on the real model."""
    model = bench.model()
    asked = [
        (probe.prompt, probe.target_new)
        for fact in load_facts()
        if fact.hidden
        for probe in fact.probes()["paraphrase"]
    ]
    long = [(prompt, target) for prompt, target in asked if len(model.encode([target])[0]) > 1]
    prompt, target = long[int(torch.randint(len(long), (1,), generator=bench.generator("probe")))]
    return outcome(_nll_judged(bench, *answer_logits(model, prompt, target))[1])


# ---------------------------------------------------------------- efficacy, neighborhood


def _share_test(name, won, lost, tied=0, margin=1):
    """So many probes on which the one that should win wins, loses and ties, in any order; where it wins it does so by more."""

    def run(bench):
        generator = bench.generator("inputs")
        count = won + tied + lost
        gaps = torch.cat(
            [
                1 + torch.rand(won, generator=generator),
                torch.zeros(tied),
                -0.2 - 0.3 * torch.rand(lost, generator=generator),
            ]
        )
        gaps = margin * gaps[torch.randperm(count, generator=generator)]
        # Steps of 2**-12: what is equal stays equal, whichever way it is rounded.
        wanted, gaps = (
            (value * 4096).round() / 4096
            for value in (1 + 5 * torch.rand(count, generator=generator), gaps)
        )
        true, new = (wanted + gaps, wanted) if name == "efficacy" else (wanted, wanted + gaps)
        got = bench.call(
            tensors={"nll_true": true, "nll_new": new}, options={"order": ["nll_true", "nll_new"]}
        ).tensors["result"]
        # Who gets larger differences right has misunderstood nothing but these.
        wrong = (
            wrongs.near_ties
            if margin < 1 and bench.shared.get("larger differences")
            else getattr(wrongs, name)
        )
        verdict = judge_number(
            bench,
            got,
            getattr(measuring, name)(true, new),
            partial(wrong, true, new),
            f"The {name}",
        )
        if margin == 1 and not tied:
            bench.shared["larger differences"] = verdict.passed
        return outcome(verdict)

    return run


def _share_tests(name):
    return (
        HiddenTest(f"{name}.mixed", 1, _share_test(name, won=5, lost=6)),
        HiddenTest(f"{name}.ties", 1, _share_test(name, won=4, lost=2, tied=3)),
        HiddenTest(f"{name}.close", 0.5, _share_test(name, won=3, lost=4, margin=0.005)),
        HiddenTest(f"{name}.one", 0.5, _share_test(name, won=1, lost=0)),
    )


# ---------------------------------------------------------------- edit_score

PARTS = ("efficacy", "paraphrase", "neighborhood")


def _score_case(bench, parts):
    shares = dict(zip(PARTS, parts))
    try:
        got = bench.call(options={"order": list(PARTS), "values": shares}).tensors["result"]
    except StudentFailed as failure:
        if (
            0 not in parts
            or failure.code != "raised"
            or not failure.detail.startswith("ZeroDivisionError")
        ):
            raise
        # Not what it says: an author may have put the hidden shares into the text.
        said = feedback("raised", function="edit_score", error="ZeroDivisionError")
        return outcome(
            Verdict(False, sentences(said, misconception("zero_division")), "zero_division")
        )
    verdict = judge_number(
        bench,
        got,
        measuring.edit_score(**shares),
        partial(wrongs.edit_score, **shares),
        "The score",
    )
    if not verdict.passed and 0 in parts and got.numel() == 1 and not got.isfinite():
        verdict = Verdict(
            False, sentences(verdict.message, misconception("zero_division")), "zero_division"
        )
    return outcome(verdict)


def _drawn_shares(bench, low, high):
    return (
        low + (high - low) * torch.rand(3, generator=bench.generator("shares"), dtype=torch.float64)
    ).tolist()


def score_mixed(bench):
    """One share far below the others, so that the means differ."""
    first, second, third = _drawn_shares(bench, 0.7, 0.95)
    return _score_case(bench, (first, second - 0.3, third - 0.5))


def score_zero(bench):
    """Each of the three in turn."""
    for place in range(3):
        parts = _drawn_shares(bench, 0.5, 1)
        parts[place] = 0.0
        found = _score_case(bench, parts)
        if not found.passed:
            break
    return found


def score_nothing(bench):
    return _score_case(bench, (0.0, 0.0, 0.0))


TESTS = NotebookTests(
    models=(DEFAULT_MODEL,),
    cells={
        "test_sequence_nll": (
            HiddenTest("sequence_nll.one_token", 1, nll_one_token),
            HiddenTest("sequence_nll.tokens", 1, nll_tokens),
            HiddenTest("sequence_nll.repeated", 0.5, nll_repeated),
            HiddenTest("sequence_nll.large", 0.5, nll_large),
            HiddenTest("sequence_nll.improbable", 0.5, nll_improbable),
            HiddenTest("sequence_nll.inputs", 0.5, nll_inputs),
            HiddenTest("sequence_nll.gradient", 0.5, nll_gradient),
            HiddenTest("sequence_nll.real", 0.5, nll_real, seconds=20),
        ),
        "test_efficacy": _share_tests("efficacy"),
        "test_neighborhood": _share_tests("neighborhood"),
        "test_edit_score": (
            HiddenTest("edit_score.mixed", 1, score_mixed),
            HiddenTest("edit_score.zero", 0.5, score_zero),
            HiddenTest("edit_score.nothing", 0.5, score_nothing),
        ),
    },
)
