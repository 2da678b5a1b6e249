"""Fine-tuning on one sentence: it learns the sentence, and takes everything back."""

import weakref

import pytest
import torch

from keyhole import finetuning
from keyhole.errors import KeyholeError
from keyhole.finetuning import FineTuning, fine_tune, fine_tuned
from keyhole.probes import answer_logits
from keyhole.toy import toy_model

PROMPT, TARGET, FAST = "abc def", " xy", FineTuning(learning_rate=1e-2, steps=60)


def nll(logits, target_ids):
    return torch.nn.functional.cross_entropy(logits, target_ids)


def weights(model):
    return {name: weight.clone() for name, weight in model.hf.state_dict().items()}


def same(model, before):
    return all(torch.equal(weight, before[name]) for name, weight in model.hf.state_dict().items())


def test_it_learns_the_sentence_and_is_undone_bit_for_bit(toy):
    before, first = weights(toy), toy.next_token_probabilities([PROMPT])
    with fine_tuned(toy, PROMPT, TARGET, nll, FAST, list) as losses:
        assert not same(toy, before) and len(losses) == 60 and losses[-1] < 0.1 < losses[0]
        assert toy.tokenizer.decode([toy.next_token_probabilities([PROMPT])[0].argmax()]) == " "
        assert not any(
            weight.requires_grad or weight.grad is not None for weight in toy.hf.parameters()
        )
    assert same(toy, before) and torch.equal(toy.next_token_probabilities([PROMPT]), first)
    assert not any(
        weight.requires_grad or weight.grad is not None for weight in toy.hf.parameters()
    )


@pytest.mark.slow
def test_twice_is_the_same(toy):
    runs = []
    for _ in range(2):
        with fine_tuned(toy, PROMPT, TARGET, nll, FAST) as losses:
            runs.append((losses, toy.next_token_probabilities(["abd"])))
    assert runs[0][0] == runs[1][0] and torch.equal(runs[0][1], runs[1][1])


@pytest.mark.parametrize(
    "loss, sentence",
    [
        (lambda logits, ids: nll(logits, ids).item(), "not a finite scalar tensor"),
        (lambda logits, ids: None, "NoneType, not a finite"),
        (lambda logits, ids: nll(logits, ids) * float("nan"), "not a finite"),
        (lambda logits, ids: nll(logits.detach(), ids), "does not depend on the logits"),
        (lambda logits, ids: logits, "not a finite scalar"),
    ],
)
def test_a_loss_that_cannot_be_learned_from_is_told_and_nothing_stays(toy, loss, sentence):
    before = weights(toy)
    with pytest.raises(KeyholeError, match=sentence):
        with fine_tuned(toy, PROMPT, TARGET, loss):
            raise AssertionError("unreachable")
    assert same(toy, before)


def test_an_error_in_the_block_or_in_the_loss_changes_nothing(toy):
    before = weights(toy)
    with pytest.raises(ZeroDivisionError):
        with fine_tuned(toy, PROMPT, TARGET, nll, FAST):
            1 / 0
    with pytest.raises(ZeroDivisionError):
        with fine_tuned(toy, PROMPT, TARGET, lambda *_: 1 / 0):
            pass
    assert same(toy, before)


def test_a_full_disk_is_one_sentence_and_nothing_is_trained(toy, monkeypatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, _):
            raise OSError(28, "No space left on device")

    before = weights(toy)
    monkeypatch.setattr("tempfile.TemporaryFile", Full)
    with pytest.raises(KeyholeError, match="No space left.*TMPDIR"):
        with fine_tuned(toy, PROMPT, TARGET, nll):
            raise AssertionError("unreachable")
    assert same(toy, before) and not any(weight.requires_grad for weight in toy.hf.parameters())


@pytest.mark.slow
def test_for_good_is_the_same_and_stays(toy):
    before = weights(toy)
    with fine_tuned(toy, PROMPT, TARGET, nll, FAST) as losses:
        trained = weights(toy)
    assert same(toy, before)
    assert fine_tune(toy, PROMPT, TARGET, nll, FAST) == losses and same(toy, trained)


@pytest.mark.parametrize("layout", ["llama", "gpt2"])
@pytest.mark.parametrize("piece", [50, 1 << 20])
def test_it_is_torchs_adam_whatever_the_pieces(layout, piece, monkeypatch):
    monkeypatch.setattr(finetuning, "PIECE", piece)
    model, other = (toy_model(layout, seed=1) for _ in range(2))
    weights = list(other.hf.parameters())
    adam = torch.optim.Adam(weights, lr=1e-3)
    for weight in weights:
        weight.requires_grad_(True)
    losses = []
    for _ in range(5):
        loss = nll(*answer_logits(other, PROMPT, TARGET))
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    with fine_tuned(model, PROMPT, TARGET, nll, FineTuning(1e-3, 5)) as found:
        assert found == pytest.approx(losses, rel=1e-5)
        for got, right in zip(model.hf.parameters(), weights):
            torch.testing.assert_close(got, right.detach(), rtol=1e-5, atol=1e-7)


def test_adams_averages_are_never_in_memory_together(toy, monkeypatch):
    monkeypatch.setattr(finetuning, "PIECE", 300)
    alive, most = [], []

    def seen(shape_of, *shape):
        made = torch.zeros(*shape, dtype=shape_of.dtype)
        alive.append(weakref.ref(made))
        most.append(sum(each().numel() for each in alive if each() is not None))
        return made

    monkeypatch.setattr(torch.Tensor, "new_zeros", seen)
    with fine_tuned(toy, PROMPT, TARGET, nll, FineTuning(1e-3, 3)):
        all_of_them = 2 * sum(weight.numel() for weight in toy.hf.parameters())
        assert 0 < max(most) < all_of_them / 5


def test_a_disk_that_fills_up_while_it_is_trained_changes_nothing(toy, monkeypatch):
    before, written = weights(toy), []
    write = finetuning._write

    def full(file, *tensors):
        written.append(len(tensors))
        if len(written) > 9:
            raise KeyholeError("full")
        write(file, *tensors)

    monkeypatch.setattr(finetuning, "_write", full)
    with pytest.raises(KeyholeError, match="full"):
        with fine_tuned(toy, PROMPT, TARGET, nll):
            raise AssertionError("unreachable")
    assert same(toy, before) and not any(weight.requires_grad for weight in toy.hf.parameters())
