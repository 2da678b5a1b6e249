"""Fine-tuning on one sentence: it learns the sentence, and takes everything back."""

import pytest
import torch

from keyhole.errors import KeyholeError
from keyhole.finetuning import FineTuning, fine_tune, fine_tuned

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


def test_for_good_is_the_same_and_stays(toy):
    before = weights(toy)
    with fine_tuned(toy, PROMPT, TARGET, nll, FAST) as losses:
        trained = weights(toy)
    assert same(toy, before)
    assert fine_tune(toy, PROMPT, TARGET, nll, FAST) == losses and same(toy, trained)
