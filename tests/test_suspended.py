"""Running on from the middle gives what running the whole model gives."""

import pytest
import torch

from keyhole.suspended import Suspended

TEXTS = ["The city of Paris is in", "I like. The Eiffel Tower is located in the city", "Abcdefghi"]


def largest_difference(model, layer, starts):
    ids = model.encode(TEXTS)
    with torch.no_grad():
        logits = model.logits(Suspended(model, ids, layer, starts).run())
        return max(
            (logits[i, : len(tokens) - start] - model.hf(torch.tensor([tokens])).logits[0, start:])
            .abs()
            .max()
            .item()
            for i, (tokens, start) in enumerate(zip(ids, starts or [0] * len(ids)))
        )


@pytest.mark.parametrize("starts", [None, [2, 5, 0], [0, 1, 2], [1, 1, 1], [0, 0, 0]])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_any_layer_and_any_starts(toy, layer, starts):
    assert largest_difference(toy, layer, starts) < 1e-5


@pytest.mark.slow
def test_the_real_model(real_model):
    assert largest_difference(real_model, 5, [2, 4, 1]) < 1e-3  # logits of size 20


def test_it_can_be_run_again_and_feels_the_weights_of_the_moment(toy):
    suspended = Suspended(toy, toy.encode(TEXTS), 1, [2, 5, 0])
    with torch.no_grad():
        first = suspended.run()
        with toy.edited(1, torch.randn(12, 20)):
            assert not torch.allclose(suspended.run(), first)
        assert torch.equal(suspended.run(), first)
