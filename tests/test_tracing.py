"""The sweep gives what the textbook loop gives; requests that make no sense are refused in words; maps and averages."""

import copy

import pytest
import torch

from autograder.oracle import tracing
from keyhole import tracing as maps
from keyhole.errors import KeyholeError
from keyhole.hooks import edit, record
from keyhole.models import EditableModel
from keyhole.toy import toy_model


@torch.no_grad()
def textbook(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    """One whole run of the model for every cell."""
    ids = torch.tensor(model.encode([prompt]))
    span = model.subject_slice(prompt, subject)
    parts = {"state": model.block, "mlp": model.mlp, "attention": model.attention}[kind]

    def corrupt(embeddings):
        changed = embeddings.clone()
        changed[:, span] += noise
        return changed

    clean = []
    for layer in range(model.n_layers):
        with record(parts(layer)) as seen:
            answer = model.hf(ids).logits[0, -1].argmax()
        clean.append(seen.output[0])
    found = torch.zeros(len(positions), len(layers), dtype=torch.float64)
    for i, position in enumerate(positions):
        for j, layer in enumerate(layers):
            first, stop = (layer, layer + 1) if kind == "state" else (layer - window // 2, layer - (-window // 2))
            hooks = []
            for each in range(max(0, first), min(model.n_layers, stop)):
                def put(output, each=each):
                    changed = output.clone()
                    changed[:, position] = clean[each][position]
                    return changed
                hooks.append(edit(parts(each), put))
            with edit(model.embedding, corrupt):
                for hook in hooks:
                    hook.__enter__()
                logits = model.hf(ids.expand(len(noise), -1)).logits[:, -1]
                for hook in hooks:
                    hook.__exit__(None, None, None)
            found[i, j] = logits.double().softmax(-1)[:, answer].mean()
    return found


PROMPTS = [("Ada Lovelace was", "Ada"), ("The old bridge", "old"), ("Once, Ann", "Ann"), ("At noon Bo is in", "Bo"), ("x", "x"), ("ab é東", "é東")]


@pytest.mark.parametrize("kind, window", [("state", 10), ("mlp", 1), ("mlp", 2), ("mlp", 3), ("mlp", 10), ("attention", 2), ("attention", 4), ("attention", 5)])
@pytest.mark.parametrize("layout", ["llama", "gpt2"])
@pytest.mark.parametrize("prompt, subject", PROMPTS)
def test_the_sweep_is_exact_on_toys_of_odd_sizes(layout, prompt, subject, kind, window):
    model = toy_model(layout, seed=4, layers=5, width=28, mlp_width=37, heads=2)
    noise = maps.subject_noise(model, prompt, subject, samples=3, seed=2)
    everything = (range(len(model.encode([prompt])[0])), range(5))
    got = tracing.trace(model, prompt, subject, noise, *everything, kind, window)
    right = textbook(model, prompt, subject, noise, *everything, kind, window)
    assert got.shape == right.shape
    assert (got - right).abs().max() < 1e-5
    assert ((got - right).abs() / right).max() < 1e-4


def test_subsets_come_in_the_order_asked_for():
    model = toy_model("gpt2", layers=5)
    prompt, subject = "The old bridge", "old"
    noise = maps.subject_noise(model, prompt, subject, samples=2)
    whole = tracing.trace(model, prompt, subject, noise, range(14), range(5), "mlp", 3)
    for positions, layers in [([9, 5, 13], [3, 0]), ([5, 5], [4]), ([], [1]), ([4], [])]:
        some = tracing.trace(model, prompt, subject, noise, positions, layers, "mlp", 3)
        assert torch.allclose(some, whole[positions][:, layers], atol=1e-7)
        assert some.shape == (len(positions), len(layers))


def test_chunks_change_nothing(monkeypatch):
    model = toy_model("llama", layers=4)
    noise = maps.subject_noise(model, "The old bridge", "old", samples=3)
    whole = [tracing.trace(model, "The old bridge", "old", noise, range(14), range(4), kind, 2) for kind in maps.KINDS]
    monkeypatch.setattr(tracing, "TOKENS_AT_ONCE", 5)
    for kind, right in zip(maps.KINDS, whole):
        assert torch.allclose(tracing.trace(model, "The old bridge", "old", noise, range(14), range(4), kind, 2), right, atol=1e-7)


def test_float64_agrees_with_float32():
    model = toy_model("gpt2", layers=4)
    precise = EditableModel(copy.deepcopy(model.hf).double(), model.tokenizer)
    noise = maps.subject_noise(model, "The old bridge", "old", samples=3)
    for kind in maps.KINDS:
        a, b = (tracing.trace(each, "The old bridge", "old", noise, [5, 9], range(4), kind, 2) for each in (model, precise))
        assert (a - b).abs().max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("kind", maps.KINDS)
def test_the_real_model(real_model, kind):
    prompt, subject = "The Eiffel Tower is located in the city of", "Eiffel Tower"
    noise = maps.subject_noise(real_model, prompt, subject, samples=3)
    cells = ([1, 2, 4, 9], [0, 3, 17, 29])
    assert (tracing.trace(real_model, prompt, subject, noise, *cells, kind) - textbook(real_model, prompt, subject, noise, *cells, kind)).abs().max() < 1e-5


def test_zero_vectors_as_corruption():
    model = toy_model("gpt2")
    noise = maps.zero_noise(model, "The old bridge", "old")
    ids = torch.tensor(model.encode(["The old bridge"]))
    assert torch.equal((model.embedding(ids)[0, 4:7] + noise[0]), torch.zeros(3, 12))
    found = tracing.causal_map(model, "The old bridge", "old", corruption="zero")
    assert found.corruption == "zero"
    assert torch.allclose(found.values.double(), textbook(model, "The old bridge", "old", noise, range(14), range(3)), atol=1e-6)
