"""Measuring: probabilities as by hand, one batch, any layer to start from."""

import pytest
import torch

from keyhole.facts import Probe
from keyhole.probes import ProbeSet, continuation

PROBES = {"original": [Probe("abc def", " xy", " p")], "neighborhood": [Probe("abd def", " q", " p"), Probe("a much longer one", " q", " pqr")]}


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_log_probabilities_are_the_mean_over_the_targets_tokens(toy, layer):
    got = ProbeSet(toy, PROBES, layer).log_probabilities()
    for row, probe in zip(got, [probe for kind in PROBES for probe in PROBES[kind]]):
        for value, target in zip(row, (probe.target_true, probe.target_new)):
            prompt, wanted = toy.encode([probe.prompt, target])
            log_probs = toy.hf(torch.tensor([prompt + wanted])).logits[0].log_softmax(-1)
            by_hand = torch.stack([log_probs[len(prompt) - 1 + i, token] for i, token in enumerate(wanted)]).mean()
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
    assert continuation(real_model, "The Eiffel Tower is located in the city of", 2).startswith(" Paris")
