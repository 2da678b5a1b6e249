"""Hidden tests of 1_measure.ipynb: the likelihood of a target, the two shares, the score.

The graded functions see token ids, no text. That a target needs its leading space is therefore
checked where text is read (keyhole.facts, keyhole.fact_files). The nearest thing here: the first
target token, the one with the space, counts like the others.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

import torch
from torch import Tensor

from autograder import secret as secrets
from autograder.hidden import measure_wrongs as wrongs
from autograder.hidden.case import HiddenTest, NotebookTests, Trial, asked_again, expected_number
from autograder.hidden.examples import example
from autograder.oracle import measuring
from autograder.sandbox import StudentFailed
from keyhole.checking import looks
from keyhole.checking.judging import TOLERANCE, Verdict, wrong
from keyhole.checking.symptoms import Given
from keyhole.facts import load_facts
from keyhole.messages import feedback, word
from keyhole.models import DEFAULT_MODEL
from keyhole.probes import answer_logits

# ---------------------------------------------------------------- sequence_nll


# Ids that tokenizers use for padding, for the beginning and the end of a text, or for what they do
# not know. The last one is that of the vocabulary.
SPECIAL = (0, 1, 2, -1)


def _nll_case(trial, logits, target_ids, **options):
    """(observation, Expected)."""
    tensors = {"logits": logits, "target_ids": target_ids}
    observation = trial.call(tensors=tensors, options={"order": list(tensors), **options}).tensors
    return observation, expected_number(
        trial,
        measuring.sequence_nll(logits, target_ids),
        partial(wrongs.sequence_nll, logits, target_ids),
        word("nll"),
        Given(arguments=tensors, make_parts=partial(measuring.token_nlls, **tensors)),
    )


def _nll_test(trial, logits, target_ids):
    return looks.right_result(*_nll_case(trial, logits, target_ids))


def _drawn(trial, tokens, vocabulary, special=False):
    """Logits in which some target tokens are likely and some are not, and the target.

    Its tokens are distinct, and not all of them are the most probable ones. With `special` they are
    those of SPECIAL between two others; else none is. So what these ids mean to a function shows
    in the same tests, whatever is drawn.
    """
    generator = trial.generator("inputs")
    every = torch.arange(vocabulary)
    ids, marks = every[max(SPECIAL) + 1 : min(SPECIAL)], every[list(SPECIAL)]
    while True:
        logits = 2 * torch.randn(tokens, vocabulary, generator=generator)
        target_ids = ids[torch.randperm(len(ids), generator=generator)[:tokens]]
        if special:
            target_ids[1:-1] = marks[torch.randperm(len(marks), generator=generator)]
        logits[torch.arange(1, tokens, 2), target_ids[1::2]] += 4
        if not torch.equal(logits.argmax(-1), target_ids):
            return logits, target_ids


def nll_one_token(trial: Trial) -> Verdict:
    return _nll_test(trial, *_drawn(trial, 1, 17))


def nll_tokens(trial: Trial) -> Verdict:
    """A target of ids that elsewhere stand for padding, a beginning or an end.

    Then, where one argument is another, the same for that.
    """
    logits, target_ids = _drawn(trial, 6, 19, special=True)
    observation, expected = _nll_case(trial, logits, target_ids)
    others = {"logits": logits.flip(0), "target_ids": (target_ids + 7) % 19}
    arguments = {"logits": logits, "target_ids": target_ids}
    return asked_again(
        looks.right_result(observation, expected),
        expected,
        arguments,
        others,
        lambda asked: _nll_case(trial, **asked),
    )


def nll_repeated(trial: Trial) -> Verdict:
    """A token that stands in the target twice: two predictions, two likelihoods.

    Other tokens stand between the two; then one stands right behind the other.
    """
    logits, target_ids = _drawn(trial, 5, 11)
    target_ids[3] = target_ids[1]
    verdict = _nll_test(trial, logits, target_ids)
    if verdict.passed:
        target_ids = target_ids[[0, 1, 3, 2, 4]]
        verdict = _nll_test(trial, logits, target_ids)
    return verdict


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
    return _nll_test(trial, *_real_answer(trial.secret, trial.test_id, trial.model()))


@lru_cache(maxsize=1)
def _real_answer(secret, test_id, model):
    """(logits, target ids), the same for all submissions of a batch."""
    generator = secrets.generator(secret, test_id, "probe")
    asked = [
        (probe.prompt, probe.target_new)
        for fact in load_facts()
        if fact.hidden
        for probe in fact.probes()["paraphrase"]
    ]
    long = [
        (prompt, target) for prompt, target in asked if len(model.encode_targets([target])[0]) > 1
    ]
    prompt, target = long[int(torch.randint(len(long), (1,), generator=generator))]
    return answer_logits(model, prompt, target)


# ---------------------------------------------------------------- efficacy, neighborhood


def _share_test(
    name: str, won: int, lost: int, tied: int = 0, margin: float = 1
) -> Callable[[Trial], Verdict]:
    """So many probes on which the target that should win wins, loses and ties, in any order.

    Where it wins, it does so by more than where it loses.
    """

    def run(trial):
        wanted, gaps = _drawn_gaps(trial.generator("inputs"), won, lost, tied, margin)
        mistaken = getattr(wrongs, name)
        if margin < 1 and (mixed := trial.verdict(f"{name}.mixed")) and mixed.passed:
            # Whoever gets larger differences right has misunderstood nothing but small ones.
            mistaken = wrongs.near_ties

        def ask(given):
            observation = trial.call(tensors=given, options={"order": list(given)}).tensors
            share = getattr(measuring, name)(**given)
            return observation, expected_number(
                trial, share, partial(mistaken, **given), word(name), Given(arguments=given)
            )

        given = _given(name, wanted, wanted + gaps)
        observation, expected = ask(given)
        verdict = looks.right_result(observation, expected)
        if verdict.passed and won + lost == 1:
            # The same probe lost. A function that always gives 1 is none that asks for all or any.
            return looks.right_result(*ask(_given(name, wanted + gaps, wanted)))
        if lost < 2 or tied or margin < 1:
            return verdict
        # Each of the two moved so that one probe less is won.
        less = _drawn_gaps(trial.generator("again"), won - 1, lost + 1, 0, 1)[1]
        others = _given(name, wanted + gaps - less, wanted + less)
        return asked_again(verdict, expected, given, others, ask)

    return run


def _given(name, wanted, rival) -> dict[str, Tensor]:
    """The arguments, from the NLLs of the target that should win and of the other one."""
    true, new = (rival, wanted) if name == "efficacy" else (wanted, rival)
    return {"nll_true": true, "nll_new": new}


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
    wanted = 3 + 5 * torch.rand(count, generator=generator)
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


def _score_case(trial, parts, tolerance=TOLERANCE):
    asked = _score_asked(trial, parts, tolerance)
    if isinstance(asked, Verdict):
        return asked
    observation, expected = asked
    got, verdict = observation["result"], looks.right_result(observation, expected)
    if not verdict.passed and 0 in parts and got.numel() == 1 and not got.isfinite():
        return verdict.explained("zero_division")
    return verdict


def _score_asked(trial, parts, tolerance=TOLERANCE):
    """(observation, Expected); a Verdict where a division by 0 was raised."""
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
    given = Given(arguments=shares, make_parts=lambda: torch.tensor(parts, dtype=torch.float64))
    expected = expected_number(trial, score, mistaken, word("score"), given)
    return observation, replace(expected, tolerance=tolerance)


def _drawn_shares(trial, low, high):
    return (
        low + (high - low) * torch.rand(3, generator=trial.generator("shares"), dtype=torch.float64)
    ).tolist()


def score_mixed(trial: Trial) -> Verdict:
    """One share far below the others, so that the means differ; then one share is another."""
    first, second, third = _drawn_shares(trial, 0.7, 0.95)
    shares = dict(zip(PARTS, (first, second - 0.3, third - 0.5), strict=True))
    observation, expected = _score_asked(trial, tuple(shares.values()))
    return asked_again(
        looks.right_result(observation, expected),
        expected,
        shares,
        {name: 0.8 * share for name, share in shares.items()},
        lambda asked: _score_asked(trial, tuple(asked.values())),
    )


# The least share of so many probes, and how far its score may be off. A little that was added so as
# not to divide by 0 is not looked for in a share that hardly occurs.
NEAR_ZERO = ((1e-2, TOLERANCE), (1e-3, TOLERANCE), (1e-4, TOLERANCE), (1e-7, 0.5))


def score_zero(trial: Trial) -> Verdict:
    """Each of the three in turn; then each of them near 0, which is not 0.

    A function that takes another mean misunderstood more than that, and is not asked.
    """
    mixed = trial.verdict("edit_score.mixed")
    for size, tolerance in ((0.0, TOLERANCE), *(NEAR_ZERO if mixed and mixed.passed else ())):
        for place in range(3):
            parts = _drawn_shares(trial, 0.5, 1)
            parts[place] *= size
            verdict = _score_case(trial, parts, tolerance)
            if not verdict.passed:
                return verdict
    return verdict


def score_nothing(trial: Trial) -> Verdict:
    return _score_case(trial, (0.0, 0.0, 0.0))


TESTS = NotebookTests(
    models=(DEFAULT_MODEL,),
    example=example,
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
