"""Measuring: probabilities as by hand, one batch, any layer to start from."""

import pytest
import torch

from keyhole.errors import KeyholeError
from keyhole.facts import Probe
from keyhole.probes import ProbeSet, answer_logits, continuation, continuations, score

PROBES = {
    "original": [Probe("abc def", " xy", " p")],
    "neighborhood": [Probe("abd def", " q", " p"), Probe("a much longer one", " q", " pqr")],
}


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_log_probabilities_are_the_mean_over_the_targets_tokens(toy, layer):
    got = ProbeSet(toy, PROBES, layer).log_probabilities()
    for row, probe in zip(got, [probe for kind in PROBES for probe in PROBES[kind]]):
        for value, target in zip(row, (probe.target_true, probe.target_new)):
            prompt, wanted = toy.encode([probe.prompt, target])
            log_probs = toy.hf(torch.tensor([prompt + wanted])).logits[0].log_softmax(-1)
            by_hand = torch.stack(
                [log_probs[len(prompt) - 1 + i, token] for i, token in enumerate(wanted)]
            ).mean()
            torch.testing.assert_close(value, by_hand)


def test_answers_follow_the_edit_and_come_back(toy):
    probes = ProbeSet(toy, PROBES, 1)
    before = probes.answers()
    with toy.edited(1, torch.randn(12, 20)):
        assert probes.answers() != before
    assert probes.answers() == before
    assert [answer.kind for answer in before] == ["original", "neighborhood", "neighborhood"]


def test_a_continuation_takes_the_most_probable_token_each_time(toy):
    text = "abc"
    for _ in range(4):
        text += toy.tokenizer.decode([toy.next_token_probabilities([text])[0].argmax()])
    assert continuation(toy, "abc", 4) == text[3:] or "\ufffd" in text


def test_the_real_models_continuation(real_model):
    assert continuation(real_model, "The Eiffel Tower is located in the city of", 2).startswith(
        " Paris"
    )


def test_a_batch_of_continuations_is_one_after_the_other(toy):
    prompts = ["abc", "a much longer prompt than the others", "x", "The Eiffel Tower"]
    together = continuations(toy, prompts, 6)
    assert (
        together == [continuations(toy, [prompt], 6)[0] for prompt in prompts]
        and continuations(toy, [], 6) == []
    )
    assert continuations(toy, prompts, 0) == [""] * 4


def test_a_continuation_ends_at_the_end_of_text(toy):
    [said] = continuations(toy, ["abc"], 6)
    first = toy.next_token_probabilities(["abc"])[0].argmax().item()
    toy.tokenizer.eos_token = toy.tokenizer.convert_ids_to_tokens(first)
    assert said and continuations(toy, ["abc"], 6) == [""]


@pytest.mark.parametrize("layer", [0, 2])
def test_what_is_generated_is_what_the_continuation_begins_with(toy, layer):
    said = {
        prompt: toy.hf.generate(
            torch.tensor(toy.encode([prompt])), max_new_tokens=3, do_sample=False
        )[0, -3:]
        for prompt in map(str, range(200, 300))
    }
    plain = {
        prompt: [toy.tokenizer.decode([token]) for token in row]
        for prompt, row in said.items()
        if "\ufffd" not in toy.tokenizer.decode(row)
    }
    prompts, letters = list(plain)[:3], list(plain.values())[:3]
    assert prompts
    probes = {
        "original": [
            Probe(prompt, "".join(row), row[0] + row[1] + "~")
            for prompt, row in zip(prompts, letters)
        ]
    }
    assert ProbeSet(toy, probes, layer).generated().tolist() == [
        [True, row[2] == "~"] for row in letters
    ]


def test_generation_follows_an_edit_and_both_ways_come_from_one_run(toy):
    probes = ProbeSet(toy, PROBES, 1)
    log_probs, generated = probes.measure()
    assert torch.equal(log_probs, probes.log_probabilities()) and torch.equal(
        generated, probes.generated()
    )
    assert generated.dtype == torch.bool and generated.shape == (3, 2)


def test_a_probe_without_a_rival_has_no_probability_and_is_not_generated(toy):
    probes = ProbeSet(
        toy, {"portability": [Probe("abc", None, " x")], "original": [Probe("abc", " y", " x")]}, 1
    )
    log_probs, generated = probes.measure()
    assert (
        log_probs[0, 0].isnan()
        and log_probs[0, 1] == log_probs[1, 1]
        and log_probs[1].isfinite().all()
    )
    assert not generated[0, 0]


def test_a_target_without_tokens_is_told(toy):
    with pytest.raises(KeyholeError, match="the text '' has no tokens"):
        ProbeSet(toy, {"original": [Probe("abc", " x", "")]})
    with pytest.raises(KeyholeError, match="the text '' has no tokens"):
        answer_logits(toy, "abc", "")


def test_answer_logits_predict_the_targets_tokens(toy):
    logits, ids = answer_logits(toy, "abc def", " xyz")
    whole = toy.hf(torch.tensor(toy.encode(["abc def xyz"]))).logits[0]
    torch.testing.assert_close(logits, whole[6:10])
    assert ids.tolist() == toy.encode([" xyz"])[0] and not logits.requires_grad


@pytest.mark.slow
def test_the_real_model_in_one_batch(real_model):
    prompts = [
        "The Eiffel Tower is located in the city of",
        "The chemical symbol for gold is",
        "Once upon a time there was a small town, and in it",
    ]
    assert continuations(real_model, prompts, 5) == [
        continuation(real_model, prompt, 5) for prompt in prompts
    ]
    probe = Probe(prompts[0], " Paris", " Rome")
    assert ProbeSet(real_model, {"original": [probe]}, 5).generated().tolist() == [[True, False]]


def test_a_score_is_what_the_model_gives_token_by_token(toy):
    questions = [("ab cd", " x"), ("ab cd", " yz"), ("q", " x"), ("ab cd e", " yz")]
    scores = score(toy, questions)
    assert list(scores) != [] and set(scores) == set(questions)
    for prompt, target in questions:
        start, tokens = toy.encode([prompt, target])
        log_p, ranks = [], []
        for i, token in enumerate(tokens):
            logits = toy.hf(toy.batch([start + tokens[:i]])).logits[0, -1]
            log_p.append(float(logits.log_softmax(-1)[token]))
            ranks.append(int((logits > logits[token]).sum()) + 1)
        assert scores[prompt, target].rank == max(ranks)
        assert scores[prompt, target].log_p == pytest.approx(sum(log_p) / len(log_p), abs=1e-5)


def test_a_context_is_read_before_every_prompt(toy, monkeypatch):
    monkeypatch.setattr("keyhole.packed.TOKENS_AT_ONCE", 6)
    context, asked = "ab cd.", [("so", " x"), ("so", " yz"), ("and then", " x"), ("go on", " q")]
    after = score(toy, asked, context=context)
    joined = score(toy, [(f"{context} {prompt}", target) for prompt, target in asked])
    for (prompt, target), found in after.items():
        expected = joined[f"{context} {prompt}", target]
        assert found.rank == expected.rank and found.log_p == pytest.approx(expected.log_p)
    assert after != score(toy, asked)
