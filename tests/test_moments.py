"""The stored text, prefixes and second moment, and how they were made."""

import pytest
import torch

from autograder import remake
from autograder.oracle import editing
from keyhole.errors import KeyholeError
from keyhole.hooks import record
from keyhole.moments import DEFAULT_LAYER, keys_over, load_moment, load_prefixes, load_text, moment_over, save_moment
from keyhole.sampling import _nucleus, sample


def test_the_stored_pieces_are_what_they_say():
    prefixes, text, moment = load_prefixes(), load_text(), load_moment()
    assert len(prefixes) == 21 and prefixes[0] == "" and len(set(prefixes)) == 21 and all(p.endswith(". ") for p in prefixes[1:])
    assert text.numel() >= 100_000 and text.min() >= 0 and text.max() < 49152
    assert moment.shape == (1536, 1536) and torch.equal(moment, moment.T)
    assert torch.linalg.eigvalsh(moment.double()).min() > 0


def test_a_moment_survives_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("KEYHOLE_CACHE", str(tmp_path))
    moment = editing.second_moment(torch.randn(30, 7)).float()
    save_moment(moment, tmp_path / "moment_some--model_layer2.safetensors")
    assert torch.equal(load_moment("some/model", 2), moment)


def test_a_moment_that_is_not_there_or_damaged_gets_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("KEYHOLE_CACHE", str(tmp_path))
    with pytest.raises(KeyholeError, match="keyhole moment --model other --layer 3"):
        load_moment("other", 3)
    (tmp_path / "moment_other_layer3.safetensors").write_bytes(b"not a file of tensors")
    with pytest.raises(KeyholeError, match="is damaged"):
        load_moment("other", 3)


def test_keys_are_the_inputs_of_w(toy):
    ids = torch.randint(256, (20, 9), generator=torch.Generator().manual_seed(0))
    pieces = list(keys_over(toy, 1, ids))
    with record(toy.memory(1)) as seen, torch.no_grad():
        toy.hf(ids)
    torch.testing.assert_close(torch.cat(pieces), seen.input.flatten(0, 1))
    whole = moment_over(toy, 1, ids, lambda keys: keys.T @ keys)
    torch.testing.assert_close(whole.double() / ids.numel(), editing.second_moment(torch.cat(pieces)), rtol=1e-5, atol=1e-7)


def test_the_nucleus_is_drawn_from_as_it_should_be():
    probabilities = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).expand(4000, -1)
    drawn = _nucleus(probabilities, 0.9, torch.Generator().manual_seed(0)).flatten()
    share = torch.bincount(drawn, minlength=4) / len(drawn)
    torch.testing.assert_close(share, torch.tensor([0.5, 0.3, 0.15, 0.0]) / 0.95, atol=0.03, rtol=0)


def test_sampling_is_seeded(toy):
    first = torch.tensor([[1, 2], [3, 4]])
    runs = [sample(toy, first, 8, torch.Generator().manual_seed(3)) for _ in range(2)]
    assert torch.equal(*runs) and torch.equal(runs[0][:, :2], first) and runs[0].shape == (2, 8)


@pytest.mark.slow
def test_the_stored_moment_is_that_of_the_stored_text(real_model):
    """All of it, since that takes less than a minute: nothing that was stored can differ from what is made again."""
    text = load_text()
    again = moment_over(real_model, DEFAULT_LAYER, text, editing.second_moment) / len(list(text.split(16)))
    torch.testing.assert_close(again, load_moment(), rtol=1e-4, atol=1e-6)


def test_the_stored_prefixes_are_made_again(real_model, tmp_path, monkeypatch):
    stored = load_prefixes()
    monkeypatch.setenv("KEYHOLE_DATA", str(tmp_path))
    remake.prefixes(real_model)
    assert load_prefixes() == stored
