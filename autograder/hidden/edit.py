"""Hidden tests of 3_edit.ipynb: the key, the second moment, the objective of the value, the closed form, the writing.

Every input is drawn from the course secret, but for the reference matrices, which stand in autograder/reference/; every expected result
comes from the oracle, and no shape is square unless a test is about just that.
"""

import re
from functools import lru_cache, partial

import torch

from autograder import messages
from autograder import secret as secrets
from autograder.hidden import edit_wrongs as wrongs
from autograder.hidden import own_fact
from autograder.hidden.case import (
    HiddenTest,
    NotebookTests,
    Outcome,
    arguments_kept,
    judge_number,
    outcome,
    words,
)
from autograder.hidden.edit_wrongs import CHANGE_TOLERANCE
from autograder.oracle import editing, references
from autograder.sandbox import StudentFailed
from keyhole.facts import load_facts
from keyhole.checking.judging import Verdict, distance, judge, scalar, usable
from keyhole.messages import explanation, feedback, misconception, percent, sentences
from keyhole.models import DEFAULT_MODEL
from keyhole.moments import DEFAULT_LAYER, keys_over, load_moment, load_prefixes, load_text
from keyhole.toy import toy_model

# A float32 inverse loses about condition x 6e-8 x 30 of the change; the nearest wrong answer (diagonal of C) is at 0.6.
ILL_CONDITIONED, ILL_CONDITIONED_TOLERANCE = 1e4, 2e-2
# Here float32 loses 2e-6 of the change at most, and half precision 1e-4 at least.
WELL_CONDITIONED, WELL_CONDITIONED_TOLERANCE = 10.0, 3e-5


# ---------------------------------------------------------------- subject_key

TOY_KEY = 20  # d_in of the toy models


def _key_test(bench, spec, right, wrong, **asked):
    """(reply, verdict); `wrong()` gives the keys that misunderstandings give."""
    reply = bench.call(
        "model_function", options={"model": spec, "order": list(asked), "values": asked}
    )
    return reply, judge(reply.tensors["result"], right, wrong, "k*")


def _toy_key_case(bench, layout, subject=None, repeated=False):
    generator = bench.generator("inputs")
    spec = {
        "layout": layout,
        "seed": int(torch.randint(10**6, (1,), generator=generator)),
        "layers": 4,
        "width": 12,
        "mlp_width": TOY_KEY,
        "heads": 2,
    }
    a, b, c, d, e = words(generator, 5)
    subject = subject or f"{a} {b}"
    prompt = f"{c} {subject} {d} {e}"
    middle = f"{e} {subject} {c}. " if repeated else f"{d} {a}. "
    model, asked = (
        toy_model(**spec),
        {
            "layer": 2,
            "prompt": prompt,
            "subject": subject,
            "prefixes": [f"{c}{d} {e}. ", "", middle],
        },
    )
    return _key_test(
        bench,
        spec,
        editing.subject_key(model, **asked),
        partial(wrongs.subject_key, model, **asked),
        **asked,
    )


def key_llama(bench):
    return outcome(_toy_key_case(bench, "llama")[1])


def key_gpt2(bench):
    return outcome(_toy_key_case(bench, "gpt2")[1])


def key_repeated(bench):
    return outcome(_toy_key_case(bench, "llama", repeated=True)[1])


def key_non_ascii(bench):
    a, b = words(bench.generator("subject"), 2)
    return outcome(_toy_key_case(bench, "llama", subject=f"{a}é {b}東")[1])


def key_clean(bench):
    reply, verdict = _toy_key_case(bench, "gpt2")
    for flag in ("hooks_left", "model_changed"):
        if reply.tensors[flag].item():
            return outcome(Verdict(False, misconception(flag), flag))
    # Which key it is, other tests ask; here it only has to be one, since whoever does nothing leaves nothing behind.
    unusable = usable(reply.tensors["result"], (TOY_KEY,), "k*")
    return Outcome(True, feedback("clean"), fraction=1.0) if not unusable else outcome(verdict)


@lru_cache(maxsize=1)
def _real_keys(secret, test_id, model):
    """What is asked for on the real model, what is right, and what is wrong: made once for all submissions of a batch."""
    generator = secrets.generator(secret, test_id, "inputs")
    spans = {
        fact: model.subject_slice(fact.prompt, fact.subject)
        for fact in load_facts()
        if fact.hidden and fact.prompt.isascii()
    }
    facts = [fact for fact, span in spans.items() if span.stop - span.start > 1]
    prefixes = [prefix for prefix in load_prefixes() if prefix]
    fact = facts[int(torch.randint(len(facts), (1,), generator=generator))]
    first, *rest = (prefixes[i] for i in torch.randperm(len(prefixes), generator=generator)[:3])
    # In this order none of the wrong choices (the first, the last, the bare one) is another.
    asked = {
        "layer": DEFAULT_LAYER,
        "prompt": fact.prompt,
        "subject": fact.subject,
        "prefixes": [first, "", *rest],
    }
    return asked, editing.subject_key(model, **asked), wrongs.subject_key(model, **asked)


def key_real(bench):
    asked, right, wrong = _real_keys(bench.secret, bench.test_id, bench.model())
    return outcome(_key_test(bench, DEFAULT_MODEL, right, lambda: wrong, **asked)[1])


# ---------------------------------------------------------------- second_moment


def _moment_test(bench, keys, wrong=None):
    """`wrong()` gives the moments that misunderstandings give, where they are made already."""
    got = bench.call(tensors={"keys": keys}, options={"order": ["keys"]}).tensors["result"]
    right, n, wrong = (
        editing.second_moment(keys),
        len(keys),
        wrong or partial(wrongs.second_moment, keys),
    )
    as_mean = judge(got, right, wrong, "C")
    if as_mean.passed or usable(got, right.shape, "C"):
        return outcome(as_mean)
    # The sum is as right as the mean: the scale of C cancels in ROME.
    as_sum = judge(
        got, right * n, lambda: {name: result * n for name, result in wrong().items()}, "C"
    )
    return outcome(
        as_sum if as_sum.passed or (as_sum.misconception and not as_mean.misconception) else as_mean
    )


def _random_keys(generator, n, d):
    return torch.randn(n, d, generator=generator) @ torch.randn(
        d, d, generator=generator
    ) + torch.randn(d, generator=generator)


def moment_uncentred(bench):
    return _moment_test(bench, _random_keys(bench.generator("keys"), 40, 7))


def moment_few_keys(bench):
    return _moment_test(bench, _random_keys(bench.generator("keys"), 5, 11))


def moment_small(bench):
    return _moment_test(bench, 1e-3 * _random_keys(bench.generator("keys"), 33, 6))


def moment_large(bench):
    return _moment_test(bench, 1e3 * _random_keys(bench.generator("keys"), 33, 6))


def moment_inputs(bench):
    keys = _random_keys(bench.generator("keys"), 12, 5)
    got = bench.call(tensors={"keys": keys}, options={"order": ["keys"], "after": True}).tensors
    return arguments_kept(got, {"keys": keys}, (5, 5), "C")


@lru_cache(maxsize=1)
def _real_moments(secret, test_id, model):
    """Keys of the real model, and the wrong moments of them, made once for all submissions of a batch."""
    text = load_text()
    rows = text[torch.randperm(len(text), generator=secrets.generator(secret, test_id, "rows"))[:6]]
    keys = next(keys_over(model, DEFAULT_LAYER, rows))
    return keys, wrongs.second_moment(keys)


def moment_real(bench):
    keys, wrong = _real_moments(bench.secret, bench.test_id, bench.model())
    return _moment_test(bench, keys, lambda: wrong)


# ---------------------------------------------------------------- value_objective

OBJECTIVE_ORDER = [
    "target_log_probs",
    "kl_log_probs",
    "kl_log_probs_before",
    "delta",
    "value_before",
    "kl_weight",
    "decay",
]
OBJECTIVE_TENSORS = OBJECTIVE_ORDER[:5]


def _objective_case(bench, tokens, kl_weight, decay, spread=1.0):
    generator = bench.generator("inputs")

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    before = (spread * draw(23)).log_softmax(-1)
    inputs = {
        "target_log_probs": -draw(6, tokens).abs() * torch.linspace(0.5, 3, tokens) - 0.2,
        "kl_log_probs": (before + spread * draw(23)).log_softmax(-1),
        "kl_log_probs_before": before,
        "delta": draw(9),
        "value_before": 0.6 * draw(9),
    }
    weights = {"kl_weight": kl_weight, "decay": decay}
    got = _objective_reply(bench, inputs, weights)
    verdict = judge_number(
        bench,
        got["result"],
        editing.value_objective(**inputs, **weights),
        partial(wrongs.value_objective, **inputs, **weights),
        "The loss",
    )
    return inputs, weights, got, verdict


def _objective_reply(bench, inputs, weights):
    options = {
        "order": OBJECTIVE_ORDER,
        "values": weights,
        "after": True,
        "grad": ["target_log_probs", "kl_log_probs", "delta"],
    }
    return bench.call(tensors=inputs, options=options).tensors


def objective_value(bench):
    return outcome(_objective_case(bench, 1, 0.0, 0.0)[-1])


def objective_tokens(bench):
    return outcome(_objective_case(bench, 3, 0.0, 0.0)[-1])


def objective_divergence(bench):
    return outcome(_objective_case(bench, 1, 3.0, 0.0, spread=2.0)[-1])


def objective_decay(bench):
    return outcome(_objective_case(bench, 1, 0.0, 4.0)[-1])


def objective_gradient(bench):
    inputs, weights, got, verdict = _objective_case(bench, 2, 0.6, 0.8)
    if not verdict.passed:
        return outcome(verdict)
    live = {
        name: inputs[name].double().requires_grad_()
        for name in ("target_log_probs", "kl_log_probs", "delta")
    }
    editing.value_objective(**{**inputs, **live}, **weights).backward()
    for name, tensor in live.items():
        if f"grad.{name}" not in got:
            return outcome(Verdict(False, misconception("graph_cut", what=name), "graph_cut"))
        mine, right = got[f"grad.{name}"].double(), tensor.grad
        if name == "kl_log_probs":
            # Whoever normalises them once more gets another derivative here, and the same one at the logits below.
            mine, right = (
                gradient - inputs[name].double().exp() * gradient.sum()
                for gradient in (mine, right)
            )
        found = judge(mine, right, what=name, sentence="gradient")
        if not found.passed:
            return outcome(found)
    # The loop that looks for v* begins at a delta of zero, and hands in the same tensors at every step.
    at_zero = _objective_reply(
        bench, inputs | {"delta": torch.zeros_like(inputs["delta"])}, weights
    )
    if not at_zero.get("grad.delta", inputs["delta"]).isfinite().all():
        return outcome(Verdict(False, misconception("root_at_zero"), "root_at_zero"))
    kept = arguments_kept({**got, "result": scalar(got["result"])}, inputs, (), "The loss")
    return kept if not kept.passed else Outcome(True, feedback("gradient_right"), fraction=1.0)


# ---------------------------------------------------------------- rank_one_update

ORDER = ["weight", "moment", "key", "value"]


def _problem(generator, d_out, d_in, condition=100.0, scale=1.0, missing=1.0):
    """W, C, k*, v* in float32; C with the condition number given, keys of size `scale`, k* like the keys that made C, v* - W k* of size `missing` |W k*|."""

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    basis = torch.linalg.qr(draw(d_in, d_in)).Q
    roots = scale * torch.logspace(
        0, -0.5 * torch.log10(torch.tensor(condition)).item(), d_in, dtype=torch.float64
    )
    weight, key = draw(d_out, d_in), basis @ (roots * draw(d_in))
    value = weight @ key + draw(d_out) * missing * (weight @ key).norm() / d_out**0.5
    moment = (basis * roots.square()) @ basis.T
    return {
        "weight": weight.float(),
        "moment": moment.float(),
        "key": key.float(),
        "value": value.float(),
    }


def _update(bench, problem, conv1d=False, after=False):
    """The student's Ŵ for a problem; `conv1d`: W comes as a view of its transpose; `after`: also what its arguments are then."""
    sent = {**problem, "weight": problem["weight"].T.contiguous()} if conv1d else problem
    reply = bench.call(
        tensors=sent,
        options={"order": ORDER, "after": after, "transposed": ["weight"] if conv1d else []},
    )
    return reply.tensors


def _judged(got, problem, tolerance=CHANGE_TOLERANCE):
    right = editing.rank_one_update(**problem)
    return judge(
        got,
        right,
        partial(wrongs.rank_one_update, **problem, tolerance=tolerance),
        "Ŵ",
        problem["weight"].double(),
        tolerance,
        "wrong_change",
    )


def _update_test(bench, conv1d=False, tolerance=CHANGE_TOLERANCE, **problem):
    problem = _problem(bench.generator("problem"), **problem)
    return outcome(_judged(_update(bench, problem, conv1d)["result"], problem, tolerance))


def update_wide(bench):
    return _update_test(
        bench, d_out=5, d_in=13, condition=WELL_CONDITIONED, tolerance=WELL_CONDITIONED_TOLERANCE
    )


def update_conv1d(bench):
    return _update_test(bench, conv1d=True, d_out=11, d_in=6)


def update_conditioned(bench):
    """Little is missing: such a C makes the change large, and next to a much larger one a wrong W would pass."""
    return _update_test(
        bench,
        d_out=7,
        d_in=24,
        condition=ILL_CONDITIONED,
        missing=0.1,
        tolerance=ILL_CONDITIONED_TOLERANCE,
    )


def update_small_keys(bench):
    return _update_test(bench, d_out=9, d_in=16, scale=1e-3)


def update_large_keys(bench):
    return _update_test(bench, d_out=9, d_in=16, scale=1e3)


def update_preservation(bench):
    """The constraint alone proves nothing: what counts is how much the other keys move, tr((Ŵ - W) C (Ŵ - W)ᵀ)."""
    problem = _problem(bench.generator("problem"), 8, 20)
    got = _update(bench, problem)["result"]
    verdict = _judged(got, problem)
    if verdict.passed or usable(got, problem["weight"].shape, "Ŵ"):
        return outcome(verdict)
    weight, moment, key, value = (problem[name].double() for name in ORDER)

    def movement(new):
        return torch.einsum("oi,ij,oj->", new - weight, moment, new - weight)

    miss = distance(got.double() @ key, value, weight @ key)
    if miss > CHANGE_TOLERANCE:
        message = feedback("misses_value", distance=percent(miss))
    else:
        least = movement(editing.rank_one_update(**problem))
        message = feedback(
            "constraint_only", excess=percent(float(movement(got.double()) / least - 1))
        )
    return outcome(
        Verdict(
            False, sentences(message, explanation(verdict.misconception)), verdict.misconception
        )
    )


def update_rank(bench):
    problem = _problem(bench.generator("problem"), 9, 15)
    got = _update(bench, problem)["result"]
    unusable = usable(got, problem["weight"].shape, "Ŵ")
    if unusable:
        return outcome(_judged(got, problem))
    first, second, *_ = torch.linalg.svdvals(got.double() - problem["weight"].double())
    if first == 0:
        return outcome(Verdict(False, misconception("nothing_changed"), "nothing_changed"))
    if second > CHANGE_TOLERANCE * first:
        verdict = _judged(got, problem)
        message = feedback("not_rank_one", ratio=percent(float(second / first)))
        return outcome(
            Verdict(
                False, sentences(message, explanation(verdict.misconception)), verdict.misconception
            )
        )
    return Outcome(True, feedback("rank_one"), fraction=1.0)


def update_inputs(bench):
    problem = _problem(bench.generator("problem"), 6, 10)
    return arguments_kept(
        _update(bench, problem, after=True), problem, problem["weight"].shape, "Ŵ"
    )


def _real_problem(bench, key, value):
    return {
        "weight": bench.model().weight(DEFAULT_LAYER).detach().contiguous(),
        "moment": load_moment(),
        "key": key,
        "value": value,
    }


def update_real(bench):
    """The real W and C, with a key from the text and a value like that of another token."""
    text, generator = load_text(), bench.generator("row")
    row = text[torch.randint(len(text), (1,), generator=generator)]
    keys = next(keys_over(bench.model(), DEFAULT_LAYER, row))
    key, other = keys[torch.randint(8, len(keys), (2,), generator=generator)]
    problem = _real_problem(bench, key, bench.model().weight(DEFAULT_LAYER) @ other)
    return outcome(_judged(_update(bench, problem)["result"], problem))


def _reference_updates(bench):
    """The student's Ŵ for every reference fact, asked for once a submission: list of (reference, Ŵ)."""
    if "updates" not in bench.shared:
        bench.shared["updates"] = [
            (
                reference,
                _update(
                    bench, _real_problem(bench, reference.key.float(), reference.value.float())
                )["result"],
            )
            for reference in references.load()
        ]
    return bench.shared["updates"]


def update_reference(bench):
    updates, verdicts, failed = _reference_updates(bench), [], None
    weight = bench.model().weight(DEFAULT_LAYER).double()
    for reference, got in updates:
        right = weight + reference.change()
        verdicts.append(
            judge(got, right, dict, "Ŵ", weight, CHANGE_TOLERANCE, "wrong_change").passed
        )
        if not verdicts[-1] and failed is None:  # one is told, and named
            failed = _judged(
                got, _real_problem(bench, reference.key.float(), reference.value.float())
            )
    right = sum(verdicts)
    message = feedback("references", right=right, all=len(verdicts))
    if failed:
        message = sentences(message, explanation(failed.misconception) or failed.message)
    return Outcome(not failed, message, failed and failed.misconception, right / len(verdicts))


def _student_scores(bench):
    """The edit metrics run again on the grader's own model, with each Ŵ of the student's in the place of W."""
    if "scores" not in bench.shared:
        updates, model = _reference_updates(bench), bench.model()
        weight = model.weight(DEFAULT_LAYER)
        bench.shared["unusable"] = sum(bool(usable(got, weight.shape, "Ŵ")) for _, got in updates)
        bench.shared["scores"] = (
            None
            if bench.shared["unusable"]
            else references.measured_once(model, [got.to(weight) - weight for _, got in updates])
        )
    return bench.shared["scores"]


def _metric_test(name, kind, scored=True):
    def run(bench):
        mine = _student_scores(bench)
        if mine is None:
            return Outcome(
                False,
                feedback(
                    "metric_missing",
                    what=name,
                    count=bench.shared["unusable"],
                    all=references.COUNT,
                ),
            )
        message = feedback(
            "metric", what=name, got=f"{100 * mine[kind].share:.0f} %", probes=mine[kind].probes
        )
        if not scored:
            return Outcome(True, message, fraction=1.0)
        passed = mine[kind].share >= references.scores(bench.model())[kind].share - 1e-6
        message = sentences(message, feedback("metric_reached" if passed else "metric_below"))
        if kind == "neighborhood" and mine["original"].share == 0:
            return _no_edit_succeeds(bench, message)
        return Outcome(passed, message, fraction=float(passed))

    return run


def _no_edit_succeeds(bench, message):
    """What neighbors say where no edit succeeds: nothing, since whoever changes nothing keeps them all."""
    weight = bench.model().weight(DEFAULT_LAYER)
    name = (
        "nothing_changed"
        if all(torch.equal(got.to(weight), weight) for _, got in _reference_updates(bench))
        else None
    )
    return Outcome(
        False,
        sentences(message, misconception(name) if name else feedback("metric_without_edit")),
        name,
    )


# ---------------------------------------------------------------- write_edit

SHAPES_DISAGREE = re.compile(
    r"(Runtime|Value)Error: .*(size of tensor|shape|sizes? mismatch|expanded size)"
)


def _write_test(bench, kind, d_out, d_in, bias=False):
    """Returns (verdict on the stored weight, the reply's tensors, the tensors sent)."""
    generator = bench.generator("weights")
    shape = (d_in, d_out) if kind == "conv1d" else (d_out, d_in)
    before = torch.randn(*shape, generator=generator)
    new = torch.randn(d_out, d_in, generator=generator)
    tensors = {"weight": before, "new_weight": new}
    if bias:
        tensors["bias"] = torch.randn(d_out, generator=generator)
    try:
        got = bench.call("write_edit", tensors, {"kind": kind}).tensors
    except StudentFailed as failure:
        if failure.kind != "error" or d_out == d_in or not SHAPES_DISAGREE.search(failure.detail):
            raise
        # Nothing here has two shapes but W and its transpose. (What was raised is not told: it can quote the hidden weights.)
        name = "transpose_missing" if kind == "conv1d" else "transpose_added"
        return (
            Verdict(
                False,
                sentences(
                    messages.sentence("shapes_disagree", function="write_edit"), misconception(name)
                ),
                name,
            ),
            {},
            tensors,
        )
    right = (new.T if kind == "conv1d" else new).double()
    verdict = judge(
        got["weight"],
        right,
        partial(wrongs.write_edit, kind, before.double(), right),
        "The stored weight",
    )
    if verdict.passed and got["weight"].dtype != before.dtype:
        verdict = Verdict(False, misconception("dtype_changed"), "dtype_changed")
    return verdict, got, tensors


def write_linear(bench):
    return outcome(_write_test(bench, "linear", 5, 8)[0])


def write_conv1d(bench):
    return outcome(_write_test(bench, "conv1d", 5, 8)[0])


def write_square(bench):
    """Where W is square its shape does not tell how it is stored: both kinds of module must come out right."""
    first = _write_test(bench, "conv1d", 7, 7)[0]
    return outcome(first if not first.passed else _write_test(bench, "linear", 7, 7)[0])


def write_bias(bench):
    """A bias, and the caller's own Ŵ, are nothing to write into."""
    verdict, got, sent = _write_test(bench, "conv1d", 6, 9, bias=True)
    if verdict.passed and not torch.equal(got["bias"], sent["bias"]):
        return outcome(Verdict(False, misconception("bias_changed"), "bias_changed"))
    if verdict.passed and not torch.equal(got["after.new_weight"], sent["new_weight"]):
        return outcome(
            Verdict(False, misconception("input_changed", what="new_weight"), "input_changed")
        )
    return outcome(verdict)


def write_in_place(bench):
    verdict, got, _ = _write_test(bench, "linear", 4, 7)
    if verdict.passed and not got["same_parameter"].item():
        return outcome(Verdict(False, misconception("parameter_replaced"), "parameter_replaced"))
    return outcome(verdict)


TESTS = NotebookTests(
    models=(DEFAULT_MODEL,),
    cells={
        "test_subject_key": (
            HiddenTest("subject_key.llama", 2, key_llama),
            HiddenTest("subject_key.gpt2", 2, key_gpt2),
            HiddenTest("subject_key.repeated", 1, key_repeated),
            HiddenTest("subject_key.non_ascii", 1, key_non_ascii),
            HiddenTest("subject_key.clean", 1, key_clean),
            HiddenTest("subject_key.real", 2, key_real, seconds=20),
        ),
        "test_second_moment": (
            HiddenTest("second_moment.uncentred", 1.5, moment_uncentred),
            HiddenTest("second_moment.few_keys", 1, moment_few_keys),
            HiddenTest("second_moment.small", 1, moment_small),
            HiddenTest("second_moment.large", 1, moment_large),
            HiddenTest("second_moment.inputs", 0.5, moment_inputs),
            HiddenTest("second_moment.real", 1, moment_real),
        ),
        "test_value_objective": (
            HiddenTest("value_objective.value", 2, objective_value),
            HiddenTest("value_objective.tokens", 1, objective_tokens),
            HiddenTest("value_objective.divergence", 1, objective_divergence),
            HiddenTest("value_objective.decay", 1, objective_decay),
            HiddenTest("value_objective.gradient", 2, objective_gradient),
        ),
        "test_rank_one_update": (
            HiddenTest("rank_one_update.wide", 0.5, update_wide),
            HiddenTest("rank_one_update.conv1d", 0.5, update_conv1d),
            HiddenTest("rank_one_update.conditioned", 0.5, update_conditioned),
            HiddenTest("rank_one_update.small_keys", 0.5, update_small_keys),
            HiddenTest("rank_one_update.large_keys", 0.5, update_large_keys),
            HiddenTest("rank_one_update.preservation", 0.5, update_preservation),
            HiddenTest("rank_one_update.rank", 0.5, update_rank),
            HiddenTest("rank_one_update.inputs", 0.5, update_inputs),
            HiddenTest("rank_one_update.real", 0.5, update_real, seconds=20),
            HiddenTest("rank_one_update.reference", 2, update_reference, seconds=20),
            HiddenTest(
                "rank_one_update.efficacy", 0.5, _metric_test("Efficacy", "original"), seconds=20
            ),
            HiddenTest(
                "rank_one_update.paraphrase",
                0.5,
                _metric_test("Paraphrase", "paraphrase"),
                seconds=20,
            ),
            HiddenTest(
                "rank_one_update.neighborhood",
                0.5,
                _metric_test("Neighborhood", "neighborhood"),
                seconds=20,
            ),
            HiddenTest(
                "rank_one_update.reversion",
                0,
                _metric_test("Reversion", "reversion", scored=False),
                seconds=20,
            ),
            HiddenTest(
                "rank_one_update.portability",
                0,
                _metric_test("Portability", "portability", scored=False),
                seconds=20,
            ),
        ),
        "test_write_edit": (
            HiddenTest("write_edit.linear", 1.5, write_linear),
            HiddenTest("write_edit.conv1d", 1.5, write_conv1d),
            HiddenTest("write_edit.square", 1.5, write_square),
            HiddenTest("write_edit.bias", 0.5, write_bias),
            HiddenTest("write_edit.in_place", 1, write_in_place),
        ),
        "test_my_edit": own_fact.TESTS,
    },
)
