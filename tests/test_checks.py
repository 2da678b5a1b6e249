"""The public checks: right solutions pass, wrong ones fail with a name, and nothing breaks them."""

import json
import statistics
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import keyhole
from autograder.making.checks import make
from keyhole import checking
from keyhole.checking.cases import load_cases
from keyhole.checking.checks import CheckFailed, check, examine
from keyhole.checking.judging import ERRORS, PROBLEMS, cause_of, judge, name_of
from keyhole.checking.student import Student
from keyhole.hooks import record
from keyhole.messages import feedback, word
from keyhole.messages.en import CHECKS, MISCONCEPTIONS
from keyhole.paths import data_folder

# ------------------------------------------------ right solutions, as a student may write them


def sequence_nll(logits, target_ids):
    return -logits.log_softmax(-1)[torch.arange(len(target_ids)), target_ids].mean()


def efficacy(nll_true, nll_new):
    return (nll_new < nll_true).float().mean()


def neighborhood(nll_true, nll_new):
    return (nll_true < nll_new).float().mean()


def edit_score(efficacy, paraphrase, neighborhood):
    parts = (efficacy, paraphrase, neighborhood)
    return 0 if 0 in parts else 3 / sum(1 / part for part in parts)


def subject_key(model, layer, prompt, subject, prefixes):
    keys = []
    for prefix in prefixes:
        with record(model.memory(layer)) as seen:
            model.next_token_probabilities([prefix + prompt])
        keys.append(seen.input[0, model.subject_slice(prefix + prompt, subject).stop - 1])
    return torch.stack(keys).mean(0)


def second_moment(keys):
    return keys.T @ keys / len(keys)


def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    kl = (kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()
    return (
        -target_log_probs.mean() + kl_weight * kl + decay * delta.norm() / value_before.norm() ** 2
    )


def rank_one_update(weight, moment, key, value):
    direction = torch.linalg.solve(moment, key)
    return weight + torch.outer(value - weight @ key, direction) / (direction @ key)


def write_edit(module, new_weight):
    with torch.no_grad():
        module.weight.copy_(new_weight if isinstance(module, torch.nn.Linear) else new_weight.T)


RIGHT = {
    f.__name__: f
    for f in (
        sequence_nll,
        efficacy,
        neighborhood,
        edit_score,
        subject_key,
        second_moment,
        value_objective,
        rank_one_update,
        write_edit,
    )
}


@pytest.fixture(scope="module")
def cases():
    return load_cases()


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_solution_passes_every_case_and_the_report_is_one_line(name, cases):
    report = check(RIGHT[name])
    count = len(cases[name])
    assert report.passed and 3 <= count <= 6
    assert [title for title, _ in report.verdicts] == [
        CHECKS[f"{name}.{case.id}"] for case in cases[name]
    ]
    assert repr(report) == f"✓ {name}: {count} of {count} public checks passed"


def test_the_checks_of_a_function_take_less_than_two_seconds(cases):
    check(subject_key)  # what torch and transformers load at their first use is not the check's
    for name, function in RIGHT.items():
        start = time.perf_counter()
        check(function)
        assert time.perf_counter() - start < 2, name


@pytest.mark.parametrize(
    "name,function",
    [
        ("second_moment", lambda keys: keys.T @ keys),  # the sum
        ("second_moment", lambda keys: torch.einsum("ni,nj->ij", keys.double(), keys.double())),
        ("second_moment", lambda keys: (keys.T @ keys / len(keys)).numpy()),
        (
            "rank_one_update",
            lambda w, c, k, v: rank_one_update(*(t.double() for t in (w, c, k, v))),
        ),
        (
            "rank_one_update",
            lambda w, c, k, v: w + torch.outer(v - w @ k, c.inverse() @ k) / (k @ c.inverse() @ k),
        ),  # float32 inverse
        ("rank_one_update", lambda w, c, k, v: rank_one_update(w, 3.0 * c, k, v)),
        (
            "rank_one_update",
            lambda w, c, k, v: rank_one_update(w.clone().requires_grad_(), c, k, v),
        ),  # a graph on it
        ("value_objective", lambda *a: value_objective(*a).reshape(1)),
        (
            "sequence_nll",
            lambda logits, ids: torch.nn.functional.cross_entropy(logits, ids).reshape(1),
        ),
        ("efficacy", lambda true, new: (new < true).sum().item() / len(new)),
        ("neighborhood", lambda true, new: np.mean(true.numpy() < new.numpy())),
        ("edit_score", lambda *parts: statistics.harmonic_mean(parts)),
        ("subject_key", lambda *a: subject_key(*a).double().numpy()[::-1][::-1]),
        (
            "subject_key",
            lambda m, *a: (
                subject_key(m, *a) if m.hf(torch.tensor([[1]]), output_hidden_states=True) else None
            ),
        ),
        (
            "write_edit",
            lambda m, w: m.weight.data.copy_(
                w if m.weight.shape == w.shape and isinstance(m, torch.nn.Linear) else w.T
            ),
        ),
    ],
)
def test_another_right_way_passes_too(name, function):
    assert examine(name, function).passed, examine(name, function)


# Misconceptions that no stored result shows: they are seen by looking on, by the grader alone, or
# in the files handed in beside the notebook.
BY_LOOKING_ON = {
    "graph_cut",
    "input_changed",
    "hooks_left",
    "model_changed",
    "settings_changed",
    "tracking_changed",
    "memory_shared",
    "weight_shared",
    "weight_flagged",
    "parameter_replaced",
    "bias_changed",
    "dtype_changed",
    "whole_numbers",
    *(name for *_, name in (*ERRORS, *PROBLEMS)),
}
OF_THE_FILES = {
    "claim_not_measured",
    "fact_not_known",
    "fact_of_handout",
    "subject_at_start",
    "value_without_target",
}
HIDDEN_ONLY = {
    "root_at_zero",
    "noise_of_its_own",
    "noise_at_letters",
    "hard_coded",
    "near_tie",
    "near_zero_for_zero",
    "memo_too_small",
    "rates_made_positive",
}


def test_every_stored_wrong_result_fails_and_is_named(cases):
    there, named = set(), set()
    for name, all_cases in cases.items():
        for case in all_cases:
            for stored, result in case.stored.items():
                if stored.startswith("wrong/"):
                    mistake = name_of(stored.removeprefix("wrong/"))
                    there.add(mistake)
                    verdict = case.expected.judge(result.float())
                    assert not verdict.passed, (name, case.id, stored)
                    if verdict.misconception == mistake:
                        named.add(mistake)
    assert named == there
    assert there | BY_LOOKING_ON == set(MISCONCEPTIONS) - OF_THE_FILES - HIDDEN_ONLY


def _no_grad_graph(*arguments):
    return value_objective(*(a.detach() if isinstance(a, torch.Tensor) else a for a in arguments))


def _in_place(weight, moment, key, value):
    weight += rank_one_update(weight, moment, key, value) - weight
    return weight


def _divides_keys(keys):
    keys /= len(keys) ** 0.5
    return keys.T @ keys


def _leaves_hook(model, *arguments):
    model.memory(0).register_forward_hook(lambda *_: None)
    return subject_key(model, *arguments)


def _changes_model(model, *arguments):
    result = subject_key(model, *arguments)
    model.weight(2)[0, 0] += 1
    return result


def _replaces(module, new_weight):
    module.weight = torch.nn.Parameter(
        (new_weight if isinstance(module, torch.nn.Linear) else new_weight.T).clone()
    )


def _exponentials(logits, ids):
    return -(logits.exp() / logits.exp().sum(-1, keepdim=True))[range(len(ids)), ids].log().mean()


def _views(weight, *arguments):
    return rank_one_update(weight.view(-1).view(weight.shape), *arguments)


def _gives_values(model, layer, prompt, subject, prefixes):
    with record(model.memory(layer)) as seen:
        model.next_token_probabilities([prefix + prompt for prefix in prefixes])
    last = [model.subject_slice(prefix + prompt, subject).stop - 1 for prefix in prefixes]
    return seen.output[range(len(last)), last].mean(0)


def _zeroes_bias(module, new_weight):
    write_edit(module, new_weight)
    if module.bias is not None:
        module.bias.data.zero_()


@pytest.mark.parametrize(
    "name,function,misconception,case",
    [
        (
            "sequence_nll",
            lambda logits, ids: sequence_nll(logits, ids).item(),
            "graph_cut",
            "gradient",
        ),
        (
            "sequence_nll",
            lambda logits, ids: sequence_nll(logits, ids).numpy(),
            "gradient_in_numpy",
            "gradient",
        ),
        (
            "sequence_nll",
            lambda logits, ids: sequence_nll(logits[:-1], ids[1:]),
            "row_too_early",
            "tokens",
        ),
        (
            "sequence_nll",
            lambda logits, ids: len(ids) * sequence_nll(logits, ids),
            "nll_summed",
            "repeated",
        ),
        (
            "write_edit",
            lambda module, new: write_edit(module.double(), new),
            "dtype_changed",
            "square",
        ),
        ("efficacy", lambda true, new: (new < true).sum() // len(new), "whole_numbers", "mixed"),
        ("efficacy", lambda true, new: (new < true).all(), "all_or_nothing", "mixed"),
        ("neighborhood", lambda true, new: (true < new).sum(), "counted_not_shared", "mixed"),
        ("sequence_nll", _exponentials, "exponential_overflows", "large"),
        (
            "sequence_nll",
            lambda logits, ids: (
                sum(sequence_nll(logits[i : i + 1], ids[[i]]) for i in range(3)) / 3
            ),
            "index_past_end",
            "one_token",
        ),
        (
            "sequence_nll",
            lambda logits, ids: -logits.log_softmax(-1).gather(0, ids[None]).mean(),
            "index_past_end",
            "tokens",
        ),
        ("efficacy", lambda true, new: (new <= true).float().mean(), "tie_counts", "ties"),
        ("efficacy", lambda true, new: (new > true).float().mean(), "efficacy_reversed", "one"),
        ("neighborhood", efficacy, "neighborhood_reversed", "mixed"),
        ("neighborhood", lambda true, new: 1 - efficacy(true, new), "tie_counts", "ties"),
        ("edit_score", lambda *parts: sum(parts) / 3, "mean_arithmetic", "zero"),
        ("subject_key", _leaves_hook, "hooks_left", "clean"),
        ("subject_key", _changes_model, "model_changed", "clean"),
        (
            "subject_key",
            lambda m, l, p, s, _: subject_key(m, l, p, s, [""]),
            "bare_prompt_only",
            "llama",
        ),
        ("subject_key", lambda m, l, *a: subject_key(m, l - 1, *a), "layer_below", "gpt2"),
        ("subject_key", lambda m, _, *a: subject_key(m, 5, *a), "other_layer", "gpt2"),
        ("subject_key", _gives_values, "value_not_key", "llama"),
        ("second_moment", lambda keys: second_moment(keys.half()), "half_precision", "uncentred"),
        (
            "second_moment",
            lambda keys: (keys.half().T @ keys.half()).float() / len(keys),
            "half_precision",
            "few_keys",
        ),
        (
            "second_moment",
            lambda keys: second_moment(keys).round().long(),
            "whole_numbers",
            "inputs",
        ),
        ("second_moment", _divides_keys, "input_changed", "inputs"),
        (
            "second_moment",
            lambda keys: torch.cov(keys.T, correction=0),
            "moment_centred",
            "uncentred",
        ),
        (
            "second_moment",
            lambda keys: (keys - keys.mean(0)).T @ (keys - keys.mean(0)),
            "moment_centred",
            "few_keys",
        ),
        ("second_moment", lambda keys: keys @ keys.T, "moment_of_rows", "uncentred"),
        ("value_objective", _no_grad_graph, "graph_cut", "gradient"),
        ("rank_one_update", _views, "contiguity_assumed", "conv1d"),
        (
            "rank_one_update",
            lambda w, c, k, v: rank_one_update(w.T, c, k, v),
            "shapes_disagree",
            "wide",
        ),
        ("rank_one_update", _in_place, "input_changed", "inputs"),
        (
            "rank_one_update",
            lambda w, c, k, v: w + torch.outer(v - w @ k, k) / (k @ k),
            "moment_omitted",
            "preservation",
        ),
        (
            "rank_one_update",
            lambda w, c, k, v: rank_one_update(w, c, k, v) - w,
            "only_the_change",
            "wide",
        ),
        ("write_edit", _replaces, "parameter_replaced", "parameter"),
        ("write_edit", lambda m, w: m.weight.copy_(w), "no_grad_missing", "linear"),
        ("write_edit", lambda m, w: setattr(m, "weight", w), "tensor_for_parameter", "linear"),
        ("write_edit", _zeroes_bias, "bias_changed", "conv1d"),
        (
            "write_edit",
            lambda m, w: (
                m.weight.data.copy_(w) if m.weight.shape == w.shape else m.weight.data.copy_(w.T)
            ),
            "transpose_missing",
            "square",
        ),
        ("write_edit", lambda m, w: w.clone(), "nothing_written", "linear"),
    ],
)
def test_a_wrong_solution_fails_in_its_case_with_its_name(name, function, misconception, case):
    report = examine(name, function)
    verdicts = dict(report.verdicts)
    assert verdicts[CHECKS[f"{name}.{case}"]].misconception == misconception
    assert (
        repr(report).count(MISCONCEPTIONS[misconception]) <= 1
    )  # said once, however often it is seen
    assert ".." not in repr(report).replace("...", "")  # where an error ends with a full stop


def test_preservation_says_what_the_constraint_hides():
    report = examine("rank_one_update", lambda w, c, k, v: w + torch.outer(v - w @ k, k) / (k @ k))
    message = dict(report.verdicts)[CHECKS["rank_one_update.preservation"]].message
    assert message.startswith("Ŵ k* = v* holds, but the other keys move")
    message = dict(examine("rank_one_update", lambda w, c, k, v: w + torch.outer(v, k)).verdicts)[
        CHECKS["rank_one_update.preservation"]
    ].message
    assert message.startswith("Ŵ k* misses v* by")


def test_of_two_mistakes_that_only_rounding_tells_apart_the_first_is_named():
    got = torch.tensor([2.0, 4.0])
    results = {"memo_too_small": got + 1e-7, "window_both_ways": got.double()}
    right = torch.tensor([1.0, 1.0], dtype=torch.float64)
    assert judge(got, right, lambda: results).misconception == "memo_too_small"
    results["memo_too_small"] = got + 1e-3
    assert judge(got, right, lambda: results).misconception == "window_both_ways"


def test_of_what_should_be_zero_no_share_is_told():
    message = dict(
        examine("edit_score", lambda *parts: 3 / sum(1 / (part + 1e-3) for part in parts)).verdicts
    )[CHECKS["edit_score.zero"]].message
    assert message == str(feedback("not_zero", what=word("score")))


def test_a_blank_is_one_sentence():
    def rank_one_update(weight, moment, key, value):
        """Doc."""
        raise NotImplementedError()

    with pytest.raises(CheckFailed) as caught:
        check(rank_one_update)
    assert (
        str(caught.value) == f"✗ rank_one_update: {feedback('blank', function='rank_one_update')}"
    )


def test_what_the_function_raised_is_told_with_its_line():
    def rank_one_update(weight, moment, key, value):
        direction = torch.linalg.solve(moment, value[:1])
        return direction

    with pytest.raises(CheckFailed) as caught:
        check(rank_one_update)
    assert "`rank_one_update` raised RuntimeError" in str(caught.value)
    assert "in the line `direction = torch.linalg.solve(moment, value[:1])`" in str(caught.value)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert caught.value._render_traceback_() == str(caught.value).splitlines()


def test_a_loss_that_wants_its_classes_elsewhere_is_a_matter_of_shapes():
    with pytest.raises(RuntimeError) as error:
        torch.nn.functional.cross_entropy(torch.zeros(2, 6, 13), torch.zeros(2, 6).long())
    assert cause_of("editor_loss", f"RuntimeError: {error.value}") == "shapes_mismatch"


def test_torch_s_own_not_implemented_is_no_blank():
    def second_moment(keys):
        return torch.nn.Module()(keys)

    with pytest.raises(CheckFailed, match="raised NotImplementedError"):
        check(second_moment)


@pytest.mark.parametrize(
    "result,expected",
    [
        (None, "returned None: is there a `return`?"),
        ("C", "returned a str"),
        ([[1.0]], "returned a list"),
        ((torch.ones(3),), "returned a tuple"),
        (torch.full((6, 6), float("nan")), "NaN or infinite"),
        (torch.ones(6, 6, dtype=torch.long), "whole numbers"),
        (np.array(["a"]), "numpy ndarray"),
        (torch.ones(6, 6, dtype=torch.complex64), "dtype complex64"),
        (torch.ones(6, 6, device="meta"), "meta device"),
        (torch.eye(6).to_sparse(), "sparse"),
        (torch.ones(5, 6), "has shape (5, 6)"),
        (1.5, "has shape ()"),
        (True, "whole numbers"),
        (torch.ones(6, 6), "is off by"),
    ],
)
def test_a_result_that_cannot_be_right_is_told_plainly(result, expected):
    report = examine("second_moment", lambda keys: result)
    assert not report.passed and expected in report.verdicts[0][1].message
    assert "Traceback" not in repr(report)


def test_repeated_sentences_are_shortened():
    report = examine("second_moment", lambda keys: None)
    assert repr(report).count("is there a `return`") == 1
    assert repr(report).count(str(feedback("the_same"))) == len(report.verdicts)


def test_unknown_names_are_told_what_there_is():
    with pytest.raises(CheckFailed, match="there are checks of .*subject_key.*write_edit"):
        check(lambda x: x)
    with pytest.raises(CheckFailed, match="no check called 'str'"):
        check("rank_one_update")


def test_the_wrong_arguments_are_told():
    def rank_one_update(weight, key):
        return weight

    with pytest.raises(CheckFailed, match="takes 2 positional arguments but 4 were given"):
        check(rank_one_update)


def test_data_missing_or_damaged_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("KEYHOLE_DATA", str(tmp_path))
    with pytest.raises(keyhole.KeyholeError, match="no stored checks"):
        check(write_edit)
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "3_edit.json").write_text("{")
    with pytest.raises(keyhole.KeyholeError, match="cannot be read"):
        check(write_edit)


@pytest.mark.slow
def test_the_stored_data_is_what_the_oracle_makes(tmp_path, cases, monkeypatch):
    stored = data_folder() / "checks" / "3_edit.json"
    made = make(tmp_path / "checks") / "3_edit.json"
    assert json.loads(made.read_text("utf-8")) == json.loads(stored.read_text("utf-8"))
    monkeypatch.setenv("KEYHOLE_DATA", str(tmp_path))
    again = load_cases()
    for name, all_cases in cases.items():
        for case, twin in zip(all_cases, again[name], strict=True):
            assert case.stored.keys() == twin.stored.keys()
            for key, tensor in case.stored.items():
                # Inputs are drawn in float32; the rest is float64, but the keys went through a
                # float32 model.
                assert tensor.dtype in (
                    (torch.float32, torch.int64) if key.startswith("in/") else (torch.float64,)
                )
                # Some wrong results are infinite, or no number at all.
                odd = [~each.isfinite() for each in (tensor, twin.stored[key])]
                assert torch.equal(*odd), (name, case.id, key)
                one, other = (each.double()[~odd[0]] for each in (tensor, twin.stored[key]))
                assert (one - other).norm() <= 1e-5 * one.norm(), (name, case.id, key)


def test_no_case_is_square_but_the_one_that_is_about_it(cases):
    for name in ("rank_one_update", "write_edit"):
        for case in cases[name]:
            shape = case.stored["in/weight"].shape
            assert (shape[0] == shape[1]) == (case.id == "square"), (name, case.id)


@pytest.mark.parametrize("module", ["adapters", "cases", "checks", "looks", "student"])
def test_nothing_that_judges_solves_a_blank(module):
    """The library and the stored files judge; neither computes a right answer."""
    source = (Path(checking.__file__).parent / f"{module}.py").read_text("utf-8")
    assert not any(name in source for name in ("solve", "inv(", "outer(", "cholesky"))


def test_names_for_students_come_from_keyhole():
    for name in (
        "load_model",
        "EditableModel",
        "record",
        "edit",
        "load_facts",
        "Fact",
        "Probe",
        "ProbeSet",
        "continuation",
        "load_prefixes",
        "load_text",
        "keys_over",
        "load_moment",
        "moment_over",
        "optimise_value",
        "ValueSettings",
        "toy_model",
        "check",
        "KeyholeError",
    ):
        assert getattr(keyhole, name).__name__ == name and name in dir(keyhole)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        keyhole.nonsense
    with pytest.raises(ImportError):
        from keyhole import nonsense  # noqa: F401


def test_ctrl_c_ends_a_command_and_not_a_students_process():
    stopped = "value = 1\nraise KeyboardInterrupt"
    with pytest.raises(KeyboardInterrupt):
        Student(stopped)
    assert Student(stopped, {}).names["value"] == 1
