"""Hidden tests of 1_measure.ipynb: the likelihood of a target, the two shares, the score.

The graded functions see token ids, no text. That a target needs its leading space is therefore
checked where text is read (keyhole.facts, keyhole.fact_files). The nearest thing here: the first
target token, the one with the space, counts like the others.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from autograder.hidden import measure_wrongs as wrongs
from autograder.hidden.case import HiddenTest, NotebookTests, Trial, expected_number
from autograder.oracle import measuring
from autograder.sandbox import StudentFailed
from keyhole.checking import looks
from keyhole.checking.judging import Verdict, wrong
from keyhole.facts import load_facts
from keyhole.messages import feedback, misconception, word
from keyhole.models import DEFAULT_MODEL
from keyhole.probes import answer_logits

# ---------------------------------------------------------------- sequence_nll


def _nll_case(trial, logits, target_ids, **options):
    """(observation, Expected)."""
    tensors = {"logits": logits, "target_ids": target_ids}
    observation = trial.call(tensors=tensors, options={"order": list(tensors), **options}).tensors
    return observation, expected_number(
        trial,
        measuring.sequence_nll(logits, target_ids),
        partial(wrongs.sequence_nll, logits, target_ids),
        word("nll"),
    )


def _nll_test(trial, logits, target_ids):
    return looks.right_result(*_nll_case(trial, logits, target_ids))


def _drawn(trial, tokens, vocabulary):
    """Logits in which some target tokens are likely and some are not, and the target.

    Its tokens are distinct, and not all of them are the most probable ones.
    """
    generator = trial.generator("inputs")
    while True:
        logits = 2 * torch.randn(tokens, vocabulary, generator=generator)
        target_ids = torch.randperm(vocabulary, generator=generator)[:tokens]
        logits[torch.arange(1, tokens, 2), target_ids[1::2]] += 4
        if not torch.equal(logits.argmax(-1), target_ids):
            return logits, target_ids


def nll_one_token(trial: Trial) -> Verdict:
    return _nll_test(trial, *_drawn(trial, 1, 17))


def nll_tokens(trial: Trial) -> Verdict:
    return _nll_test(trial, *_drawn(trial, 4, 19))


def nll_repeated(trial: Trial) -> Verdict:
    """A token that stands in the target twice: two predictions, two likelihoods."""
    logits, target_ids = _drawn(trial, 5, 11)
    target_ids[3] = target_ids[1]
    return _nll_test(trial, logits, target_ids)


def nll_large(trial: Trial) -> Verdict:
    """What a softmax does not feel, but an exponential does: all logits larger by 300."""
    logits, target_ids = _drawn(trial, 3, 13)
    return _nll_test(trial, logits + 300, target_ids)


def nll_improbable(trial: Trial) -> Verdict:
    """Target tokens of probability 1e-20 and much less, each its own."""
    logits, target_ids = _drawn(trial, 3, 13)
    logits[torch.arange(3), target_ids] -= torch.tensor([45.0, 55.0, 80.0])
    return _nll_test(trial, logits, target_ids)


def nll_inputs(trial: Trial) -> Verdict:
    logits, target_ids = _drawn(trial, 3, 9)
    sent = {"logits": logits, "target_ids": target_ids}
    return looks.arguments_kept(*_nll_case(trial, **sent, after=True), sent)


def nll_gradient(trial: Trial) -> Verdict:
    """The same function is the loss of the fine-tuning, so its gradient counts."""
    logits, target_ids = _drawn(trial, 3, 15)
    live = logits.double().requires_grad_()
    measuring.sequence_nll(live, target_ids).backward()
    case = _nll_case(trial, logits, target_ids, grad=["logits"])
    return looks.gradient(*case, {"logits": live.grad})


def nll_real(trial: Trial) -> Verdict:
    """A target of several tokens on the real model."""
    model = trial.model()
    asked = [
        (probe.prompt, probe.target_new)
        for fact in load_facts()
        if fact.hidden
        for probe in fact.probes()["paraphrase"]
    ]
    long = [
        (prompt, target) for prompt, target in asked if len(model.encode_targets([target])[0]) > 1
    ]
    prompt, target = long[int(torch.randint(len(long), (1,), generator=trial.generator("probe")))]
    return _nll_test(trial, *answer_logits(model, prompt, target))


# ---------------------------------------------------------------- efficacy, neighborhood


def _share_test(
    name: str, won: int, lost: int, tied: int = 0, margin: float = 1
) -> Callable[[Trial], Verdict]:
    """So many probes on which the target that should win wins, loses and ties, in any order.

    Where it wins, it does so by more than where it loses.
    """

    def run(trial):
        wanted, gaps = _drawn_gaps(trial.generator("inputs"), won, lost, tied, margin)
        true, new = (wanted + gaps, wanted) if name == "efficacy" else (wanted, wanted + gaps)
        observation = trial.call(
            tensors={"nll_true": true, "nll_new": new}, options={"order": ["nll_true", "nll_new"]}
        ).tensors
        mistaken = getattr(wrongs, name)
        if margin < 1 and (mixed := trial.verdict(f"{name}.mixed")) and mixed.passed:
            # Whoever gets larger differences right has misunderstood nothing but small ones.
            mistaken = wrongs.near_ties
        share = getattr(measuring, name)(true, new)
        expected = expected_number(trial, share, partial(mistaken, true, new), word(name))
        return looks.right_result(observation, expected)

    return run


def _drawn_gaps(generator, won, lost, tied, margin) -> tuple[Tensor, Tensor]:
    """NLLs of the target that should win, and by how much the other one is worse."""
    count = won + tied + lost
    gaps = torch.cat(
        [
            1 + torch.rand(won, generator=generator),
            torch.zeros(tied),
            -0.2 - 0.3 * torch.rand(lost, generator=generator),
        ]
    )
    gaps = margin * gaps[torch.randperm(count, generator=generator)]
    wanted = 1 + 5 * torch.rand(count, generator=generator)
    # Steps of 2**-12: what is equal stays equal, whichever way it is rounded.
    return (wanted * 4096).round() / 4096, (gaps * 4096).round() / 4096


def _share_tests(name):
    return (
        HiddenTest(f"{name}.mixed", 1, _share_test(name, won=5, lost=6)),
        HiddenTest(f"{name}.ties", 1, _share_test(name, won=4, lost=2, tied=3)),
        HiddenTest(f"{name}.close", 0.5, _share_test(name, won=3, lost=4, margin=0.005)),
        HiddenTest(f"{name}.one", 0.5, _share_test(name, won=1, lost=0)),
    )


# ---------------------------------------------------------------- edit_score

PARTS = ("efficacy", "paraphrase", "neighborhood")


def _score_case(trial, parts):
    shares = dict(zip(PARTS, parts, strict=True))
    try:
        observation = trial.call(options={"order": list(PARTS), "values": shares}).tensors
    except StudentFailed as failure:
        if (
            0 not in parts
            or failure.code != "raised"
            or not failure.detail.startswith("ZeroDivisionError")
        ):
            raise
        # Only the type is told: an author may have put the hidden shares into the text.
        remark = feedback("raised", function="edit_score", error="ZeroDivisionError")
        return wrong(remark, misconception="zero_division")
    score, mistaken = measuring.edit_score(**shares), partial(wrongs.edit_score, **shares)
    expected = expected_number(trial, score, mistaken, word("score"))
    got, verdict = observation["result"], looks.right_result(observation, expected)
    if not verdict.passed and 0 in parts and got.numel() == 1 and not got.isfinite():
        return replace(verdict, explanation=misconception("zero_division"))
    return verdict


def _drawn_shares(trial, low, high):
    return (
        low + (high - low) * torch.rand(3, generator=trial.generator("shares"), dtype=torch.float64)
    ).tolist()


def score_mixed(trial: Trial) -> Verdict:
    """One share far below the others, so that the means differ."""
    first, second, third = _drawn_shares(trial, 0.7, 0.95)
    return _score_case(trial, (first, second - 0.3, third - 0.5))


def score_zero(trial: Trial) -> Verdict:
    """Each of the three in turn."""
    for place in range(3):
        parts = _drawn_shares(trial, 0.5, 1)
        parts[place] = 0.0
        verdict = _score_case(trial, parts)
        if not verdict.passed:
            break
    return verdict


def score_nothing(trial: Trial) -> Verdict:
    return _score_case(trial, (0.0, 0.0, 0.0))


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
