"""Learned editors: the oracle's equalities, factors and lessons on a toy model, the stored data."""

import random

import pytest
import torch

from autograder.making import editors
from autograder.oracle import learned as oracle
from keyhole import plots
from keyhole.editors import FixedStep, Gate, Mend, Rates
from keyhole.errors import KeyholeError
from keyhole.facts import load_facts
from keyhole.hooks import count_hooks
from keyhole.learned import (
    NOT_WANTED,
    Lesson,
    Pupils,
    Request,
    Training,
    gradient_factors,
    load_editors,
    load_requests,
    rerouted,
    train_editor,
)
from keyhole.paths import data_folder
from keyhole.probes import answer_logits
from keyhole.toy import toy_model

LAYERS = (1, 2)
REQUEST = Request(
    "The old bridge stands in", " Oslo", ("You see the old bridge in",), ("A cat is", "Two and")
)


def low_rank_output(outputs, keys, inputs, output_grads, rate):
    return outputs - rate * (keys @ inputs.T) @ output_grads


def transform_factors(inputs, output_grads, mean, scale, down, up):
    z = (torch.cat([inputs, output_grads], 1) - mean) / scale
    return z + torch.relu(z @ down.T) @ up.T


def editor_loss(log_probs, wanted, others, before, kl_weight):
    edit = torch.nn.functional.nll_loss(log_probs.flatten(0, 1), wanted.flatten())
    return edit + kl_weight * (before.exp() * (before - others)).sum(-1).mean()


def gradient_from_factors(inputs, output_grads):
    return output_grads.flatten(0, 1).T @ inputs.flatten(0, 1)


def rate_update(gradient, rates):
    return -gradient * rates.reshape(len(rates), -1)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


# ---------------------------------------------------------------- the oracle


def test_a_layer_with_low_rank_output_is_the_layer_with_the_changed_weight():
    weight, keys = drawn(5, 8), drawn(3, 4, 8, seed=1)
    inputs, grads = drawn(6, 8, seed=2), drawn(6, 5, seed=3)
    gradient = oracle.gradient_from_factors(inputs[None], grads[None])
    changed = weight + oracle.rate_update(gradient, torch.full((5,), 0.3).double())
    got = oracle.low_rank_output(keys @ weight.T, keys, inputs, grads, 0.3)
    assert torch.allclose(got, keys @ changed.T)
    assert torch.allclose(low_rank_output(keys @ weight.T, keys, inputs, grads, 0.3), got)


def test_rates_of_rows_are_rates_of_weights_that_are_alike():
    gradient, rates = drawn(4, 7), drawn(4, seed=1).abs()
    wide = oracle.rate_update(gradient, rates[:, None].expand(4, 7))
    assert torch.allclose(oracle.rate_update(gradient, rates), wide)


def test_the_lectures_full_map_has_a_trillion_parameters():
    assert oracle.editor_parameters("full", 1024, 1024, 0) == 1024**4
    assert oracle.editor_parameters("factors", 576, 1536, 64) == 2 * 64 * 2112


def test_a_text_of_three_tokens_counts_three():
    log_p = drawn(2, 4, 9).log_softmax(-1)
    wanted = torch.full((2, 4), NOT_WANTED)
    wanted[0, 1:], wanted[1, 2] = torch.tensor([3, 1, 4]), 5
    now = drawn(2, 9, seed=1).log_softmax(-1)
    mean = -(log_p[0, 1, 3] + log_p[0, 2, 1] + log_p[0, 3, 4] + log_p[1, 2, 5]) / 4
    assert torch.allclose(oracle.editor_loss(log_p, wanted, now, now, 5.0), mean)


# ---------------------------------------------------------------- on a toy model


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_factors_make_up_the_gradients_of_autograd(kind):
    model = toy_model(kind, seed=1)
    weights = [model.memory(layer).weight.requires_grad_(True) for layer in LAYERS]
    loss = torch.nn.functional.cross_entropy(*answer_logits(model, REQUEST.prompt, REQUEST.target))
    right = torch.autograd.grad(loss, weights)
    model.hf.requires_grad_(False)
    length = torch.stack([each.square().sum() for each in right]).sum().sqrt()
    for pair, each in zip(gradient_factors(model, REQUEST, LAYERS), right, strict=True):
        built = oracle.gradient_from_factors(pair.inputs[None], pair.output_grads[None])
        built = built if kind == "llama" else built.T
        assert torch.allclose(built.float(), each / length, atol=1e-5)
    assert count_hooks(model.hf) == 0


def test_a_lesson_asks_for_the_target_where_it_belongs_and_sees_the_edit():
    model = toy_model("llama", seed=2)
    lesson = Lesson(model, REQUEST, LAYERS)
    same = lesson.after([lambda outputs, keys: outputs] * 2)
    logits, target = answer_logits(model, REQUEST.prompt, REQUEST.target)
    asked = lesson.wanted[0] != NOT_WANTED
    assert torch.equal(lesson.wanted[0][asked], target)
    assert torch.allclose(same.log_probs[0, asked], logits.log_softmax(-1), atol=1e-4)
    assert torch.allclose(same.other_log_probs, same.other_log_probs_before, atol=1e-4)
    other = lesson.after([lambda outputs, keys: 0 * outputs] * 2)
    assert not torch.allclose(other.other_log_probs, other.other_log_probs_before, atol=1e-2)
    assert count_hooks(model.hf) == 0


def test_a_reroute_ends_with_an_error_inside():
    model = toy_model("llama", seed=2)
    with pytest.raises(ZeroDivisionError), rerouted(model, [1], [lambda outputs, keys: 1 / 0]):
        model.next_token_probabilities(["A cat"])
    assert count_hooks(model.hf) == 0


def small_editors(model, lessons):
    d_out, d_in = model.weight(1).shape
    size = (d_in + d_out, 4, 2)
    return {
        "rows": Rates((d_out,), 2, 0.5, gradient_from_factors, rate_update),
        "gate": Gate(*size, 0.5, low_rank_output),
        "mend": Mend(*size, transform_factors, low_rank_output).fit(lessons, 0.5),
        "two scales": Mend(*size, transform_factors, low_rank_output).fit(lessons, 0.5, False),
    }


@pytest.fixture(scope="module")
def school():
    model = toy_model("llama", seed=3)
    texts = ["The bridge is", "The tower is", "The river is", "The lake is"]
    requests = [Request(text, f" {text[4]}", (f"See: {text}",), ("A cat is",)) for text in texts]
    lessons = [Lesson(model, each, LAYERS) for each in requests]
    return model, (lessons[:3], lessons[3:])


@pytest.mark.parametrize("name", ["rows", "gate", "two scales"])
def test_an_untrained_editor_is_the_step_of_fixed_length(school, name):
    model, (lessons, _) = school
    step = FixedStep(0.5, low_rank_output)(lessons[0].factors)
    editor = small_editors(model, lessons)[name]
    # The two scales fit the mean length of the lessons, and each lesson's gradient has length one.
    for one, other in zip(step, editor(lessons[0].factors), strict=True):
        keys = torch.randn(5, model.weight(1).shape[1])
        outputs = torch.zeros(5, model.weight(1).shape[0])
        assert torch.allclose(one(outputs, keys), other(outputs, keys), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["rows", "gate", "mend", "two scales"])
def test_training_lowers_the_loss_and_keeps_the_best_step(school, name):
    model, lessons = school
    editor, seen = small_editors(model, lessons[0])[name], []
    settings = Training(0.05, steps=6, lessons=2, every=2)
    looks, seconds = train_editor(editor, lessons, editor_loss, settings, show=seen.append)
    assert [look.step for look in looks] == [0, 2, 4, 6] and seconds > 0 and len(seen) == 4
    [lesson] = lessons[1]
    now = float(editor_loss(*lesson.after(editor(lesson.factors)), settings.kl_weight).detach())
    assert now == pytest.approx(min(look.held_out for look in looks), rel=1e-4)
    assert looks[-1].training < looks[1].training or now < looks[0].held_out


def test_edits_of_several_facts_add_up():
    model = toy_model("llama", seed=4)
    pupils = Pupils(model, load_facts()[:2], LAYERS)
    step = FixedStep(0.3, low_rank_output)
    alone, together = pupils.measure(step), pupils.measure(step, 2)
    nothing = pupils.measure(FixedStep(0.0, low_rank_output))
    nll = [answers[0].nll["original"][1] for answers in (nothing, alone, together)]
    assert nll[1] < nll[0] and not torch.equal(nll[1], nll[2])
    [second] = pupils.of(load_facts()[1:2]).measure(step)
    assert second.fact == load_facts()[1]
    assert torch.allclose(second.nll["original"][1], alone[1].nll["original"][1], atol=1e-5)
    assert count_hooks(model.hf) == 0


# ---------------------------------------------------------------- stored data


def test_no_fact_of_the_kit_is_trained_on_and_no_neighbor_of_a_public_one():
    parts = load_requests()
    facts = [fact for fact in load_facts() if fact.relation == "capital"]
    public = [fact for fact in facts if not fact.hidden]
    known = {fact.subject for fact in facts}
    neighbors = " ".join(text for fact in public for text, _ in fact.neighbors)
    assert set(parts) == {"train", "held out"} and len(parts["train"]) >= 60
    for request in (*parts["train"], *parts["held out"]):
        texts = (request.prompt, *request.paraphrases, *request.others)
        assert not any(subject in text for subject in known for text in texts), texts
        assert request.target.startswith(" ") and len(request.others) == 2
    for subject, _ in editors.pool_of("capital"):
        assert subject not in known and subject not in neighbors


def test_capitals_are_among_the_relations_that_the_stored_editors_have_not_seen():
    unseen, seen = editors.drawn(random.Random(editors.SEEDS[0]))
    assert "capital" in unseen and (len(unseen), len(seen)) == (4, 8)


def test_what_is_stored_is_what_is_made_of_the_first_seed():
    groups = editors.requests("capital", random.Random(editors.SEEDS[0]), None, editors.TARGETS)
    held_out, train = groups[: editors.HELD_OUT], groups[editors.HELD_OUT :]
    stored = load_requests()
    assert stored["train"] == [each for group in train for each in group]
    assert stored["held out"] == [group[0] for group in held_out]


def test_stored_editors_are_small_and_fit_their_modules():
    states, record = load_editors()
    assert (data_folder() / "editors.safetensors").stat().st_size <= 8e6
    kinds = {
        "a rate for each row": Rates((576,), 3, 2.0, gradient_from_factors, rate_update),
        "a gate": Gate(2112, 64, 3, 2.0, low_rank_output),
        "MEND": Mend(2112, 64, 3, transform_factors, low_rank_output),
        "MEND, two scales": Mend(2112, 64, 3, transform_factors, low_rank_output),
    }
    assert set(states) == set(kinds)
    for name, editor in kinds.items():
        editor.load_state_dict(states[name])
    for school in ("within", "across"):
        for run in record[school]:
            assert {"one step", *kinds} <= set(run)
            assert all(0 <= made["tests"]["unseen subjects"]["S"] <= 1 for made in run.values())


def test_damaged_files_are_said_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("keyhole.learned.data_folder", lambda: tmp_path)
    for name in ("requests.json", "editors.safetensors", "editors.json"):
        (tmp_path / name).write_text('{"train": [3]}')
    for load in (load_requests, load_editors):
        with pytest.raises(KeyholeError):
            load()


def test_pictures_of_learning_and_of_lenses():
    pictures = [
        plots.learning_curves({"one": [(0, float("nan"), 1.0), (5, 0.4, 0.6)]}),
        plots.rank_map(torch.randint(1, 5000, (3, 12)), ["A", " cat", " $x"], " Paris"),
        plots.lines_over_layers({"the Louvre": [0.1, 0.5], "Paris": [0.2, 0.1]}, "P", True),
    ]
    assert all(picture._repr_png_().startswith(b"\x89PNG") for picture in pictures)
