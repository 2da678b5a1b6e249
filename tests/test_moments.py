"""The stored text, prefixes and second moment, and how they were made."""

import shutil

import pytest
import torch

from autograder.making import model_data as remake
from autograder.making.sampling import _nucleus, sample
from autograder.oracle import editing
from keyhole import moments
from keyhole.errors import KeyholeError
from keyhole.hooks import record
from keyhole.moments import (
    keys_over,
    load_moment,
    load_prefixes,
    load_text,
    made_of,
    moment_file,
    moment_over,
    read_moment,
    save_correlations,
    save_moment,
)
from keyhole.paths import data_folder


def test_the_stored_pieces_are_what_they_say():
    prefixes, text, moment = load_prefixes(), load_text(), load_moment()
    assert (
        len(prefixes) == 21
        and prefixes[0] == ""
        and len(set(prefixes)) == 21
        and all(p.endswith(". ") for p in prefixes[1:])
    )
    assert text.numel() >= 100_000 and text.min() >= 0 and text.max() < 49152
    assert moment.shape == (1536, 1536) and torch.equal(moment, moment.T)
    assert torch.linalg.eigvalsh(moment.double()).min() > 0


def test_a_moment_survives_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("KEYHOLE_CACHE", str(tmp_path))
    moment = editing.second_moment(torch.randn(30, 7)).float()
    save_moment(moment, tmp_path / "moment_some--model_layer2.safetensors")
    assert torch.equal(load_moment("some/model", 2), moment)


def test_a_moment_of_correlations_is_the_same_but_for_rounding(tmp_path):
    moment, path = load_moment(layer=3), tmp_path / "c.safetensors"
    save_correlations(moment, path, "this", torch.arange(1536.0))
    assert path.stat().st_size < 2.4e6
    found = read_moment(path)
    assert found.of == "this" and torch.equal(found.mean, torch.arange(1536.0))
    assert torch.equal(found.moment, found.moment.T)
    assert torch.allclose(found.moment.diagonal(), moment.diagonal(), rtol=1e-6)
    torch.testing.assert_close(found.moment, moment, rtol=1e-3, atol=1e-6)
    save_correlations(moment, path, "this")
    assert read_moment(path).mean is None
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(KeyholeError, match="is damaged"):
        read_moment(path)


def test_moments_of_two_folders_are_kept_apart_however_they_are_named(tmp_path, monkeypatch):
    files = []
    for name in ("one", "two"):
        (tmp_path / name / "model").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / name)
        files.append(moment_file("model", 3))
        assert (
            files[-1]
            == moment_file(f"../{name}/model/", 3)
            == moment_file(str(tmp_path / name / "model"), 3)
            != moment_file("model", 2)
        )
    assert files[0] != files[1]


def test_a_moment_of_other_weights_or_of_another_text_is_refused(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("KEYHOLE_CACHE", str(tmp_path))
    moment = editing.second_moment(torch.randn(30, 7)).float()
    save_moment(moment, moment_file("some", 2), made_of(toy))
    assert torch.equal(load_moment("some", 2, toy), moment)
    with (
        toy.edited(1, torch.outer(torch.ones(12), torch.ones(20))),
        pytest.raises(KeyholeError, match="made with other weights"),
    ):
        load_moment("some", 2, toy)
    monkeypatch.setattr(moments, "load_text", lambda: load_text()[1:])
    with pytest.raises(
        KeyholeError,
        match="another text: make it anew with `keyhole moment --model some --layer 2`",
    ):
        load_moment("some", 2, toy)


def test_a_moment_that_is_not_there_or_damaged_gets_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("KEYHOLE_CACHE", str(tmp_path))
    with pytest.raises(KeyholeError, match="keyhole moment --model other --layer 3"):
        load_moment("other", 3)
    (tmp_path / "moment_other_layer3.safetensors").write_bytes(b"not a file of tensors")
    with pytest.raises(KeyholeError, match="is damaged"):
        load_moment("other", 3)


@pytest.mark.parametrize(
    "file, load", [("prefixes.json", load_prefixes), ("self_text.safetensors", load_text)]
)
@pytest.mark.parametrize("left", [100, 0, None])
def test_prefixes_or_a_text_that_are_damaged_get_a_sentence(
    file, load, left, tmp_path, monkeypatch
):
    if left is not None:
        (tmp_path / file).write_bytes((data_folder() / file).read_bytes()[:left])
    monkeypatch.setenv("KEYHOLE_DATA", str(tmp_path))
    with pytest.raises(
        KeyholeError, match=rf"{file} cannot be read \(.+\): fetch the kit again\.$"
    ):
        load()


def test_keys_are_the_inputs_of_w(toy):
    ids = torch.randint(256, (20, 9), generator=torch.Generator().manual_seed(0))
    pieces = list(keys_over(toy, 1, ids))
    with record(toy.memory(1)) as seen, torch.no_grad():
        toy.hf(ids)
    torch.testing.assert_close(torch.cat(pieces), seen.input.flatten(0, 1))
    whole = moment_over(toy, 1, ids, lambda keys: keys.T @ keys)
    torch.testing.assert_close(
        whole.double() / ids.numel(), editing.second_moment(torch.cat(pieces)), rtol=1e-5, atol=1e-7
    )


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
def test_the_stored_moment_is_made_again(real_model, tmp_path, monkeypatch):
    """All of it, since that takes less than a minute: nothing stored can differ from it."""
    stored = load_moment()
    shutil.copy(data_folder() / "self_text.safetensors", tmp_path)
    monkeypatch.setenv("KEYHOLE_DATA", str(tmp_path))
    assert remake.moment(real_model).parent == tmp_path
    torch.testing.assert_close(load_moment(), stored, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_the_stored_prefixes_are_made_again(real_model, tmp_path, monkeypatch):
    stored = load_prefixes()
    monkeypatch.setenv("KEYHOLE_DATA", str(tmp_path))
    remake.prefixes(real_model)
    assert load_prefixes() == stored


@pytest.mark.slow
def test_the_stored_text_begins_as_it_is_made_again(real_model, tmp_path, monkeypatch):
    """Its first rows up to the third token: the rest comes from the same generator, in minutes."""
    stored = load_text()
    assert stored.shape == (remake.SEQUENCES, remake.SEQUENCE_TOKENS)
    monkeypatch.setenv("KEYHOLE_DATA", str(tmp_path))
    monkeypatch.setattr(remake, "SEQUENCES", remake.ROWS_AT_ONCE)
    monkeypatch.setattr(remake, "SEQUENCE_TOKENS", 3)
    remake.text(real_model)
    assert torch.equal(load_text(), stored[: remake.ROWS_AT_ONCE, :3])
