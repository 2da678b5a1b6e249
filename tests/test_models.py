"""EditableModel: both layouts, exact undoing, subjects found whatever the tokens."""

import json
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from keyhole.errors import KeyholeError
from keyhole.fetch import SMOLLM2, fetch
from keyhole.hooks import count_hooks, edit, record
from keyhole.models import EditableModel, load_model
from keyhole.prepared import weights_fingerprint
from keyhole.toy import byte_tokenizer, toy_model


def test_weight_is_seen_as_d_out_by_d_in(toy):
    keys = torch.randn(3, 20)
    bias = toy.bias(1)
    expected = toy.memory(1)(keys) - (0 if bias is None else bias)
    torch.testing.assert_close(keys @ toy.weight(1).T, expected)


def test_parts_are_where_the_layout_says(toy):
    assert toy.n_layers == 3
    assert toy.memory(2) in set(toy.mlp(2).modules()) and toy.mlp(2) in set(toy.block(2).modules())
    assert toy.attention(0) in set(toy.block(0).modules()) and toy.embedding.weight.shape == (
        256,
        12,
    )


def test_an_edit_is_undone_bit_for_bit_even_after_an_exception(toy):
    before = toy.weight(1).detach().clone()
    answer = toy.next_token_probabilities(["ab"])
    with pytest.raises(ZeroDivisionError), toy.edited(1, torch.randn(12, 20)):
        assert not torch.equal(toy.next_token_probabilities(["ab"]), answer)
        1 / 0
    assert torch.equal(toy.weight(1), before)
    assert torch.equal(toy.next_token_probabilities(["ab"]), answer)


def test_an_edit_adds_the_change(toy):
    before, change = toy.weight(1).detach().clone(), torch.randn(12, 20)
    with toy.edited(1, change):
        assert torch.equal(toy.weight(1), before + change)


def test_an_edit_of_another_shape_is_refused(toy):
    with pytest.raises(KeyholeError, match=r"shape \(20, 12\)"), toy.edited(1, torch.zeros(20, 12)):
        pass


@pytest.mark.parametrize("layer", [-1, 3])
def test_a_layer_that_is_not_there_is_refused(toy, layer):
    with pytest.raises(KeyholeError, match="layers 0 to 2"):
        toy.block(layer)


def test_probabilities_do_not_depend_on_the_batch(toy):
    alone = torch.cat(
        [toy.next_token_probabilities([text]) for text in ("a", "a longer text", "ab")]
    )
    torch.testing.assert_close(toy.next_token_probabilities(["a", "a longer text", "ab"]), alone)


@pytest.mark.parametrize(
    "prompt, subject, covered",
    [
        ("Where is Oslo now", "Oslo", b"Oslo"),
        ("Oslo", "Oslo", b"Oslo"),
        ("Wo ist Tōkyō heute", "Tōkyō", "Tōkyō".encode()),
        ("東京 is big", "東京", "東京".encode()),
    ],
)
def test_the_subjects_tokens_are_its_bytes(toy, prompt, subject, covered):
    ids = toy.encode([prompt])[0][toy.subject_slice(prompt, subject)]
    assert toy.tokenizer.decode(ids).encode() == covered


def test_the_last_occurrence_is_meant_unless_told(toy):
    prompt = "Rome, Rome, Rome is"
    assert toy.subject_slice(prompt, "Rome") == slice(12, 16)
    assert toy.subject_slice(prompt, "Rome", 0) == slice(0, 4)
    with pytest.raises(KeyholeError, match="how often it occurs there: 3"):
        toy.subject_slice(prompt, "Rome", 3)


@pytest.mark.parametrize("subject", ["Paris", ""])
def test_a_subject_that_is_not_there_is_named(toy, subject):
    with pytest.raises(KeyholeError, match="does not occur in prompt 'The Seine flows through'"):
        toy.subject_slice("The Seine flows through", subject)


def test_an_empty_prompt_is_refused(toy):
    with pytest.raises(KeyholeError, match="has no tokens"):
        toy.next_token_probabilities(["a", ""])


def test_a_model_of_an_unknown_layout_is_refused():
    bert = BertModel(
        BertConfig(
            hidden_size=12,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=8,
            vocab_size=9,
        )
    )
    with pytest.raises(KeyholeError, match="BertModel is a model of an unknown layout"):
        EditableModel(bert, byte_tokenizer())


def test_a_model_whose_blocks_differ_is_refused(toy):
    toy.blocks[1].mlp = torch.nn.Identity()  # as of a mixture of experts
    with pytest.raises(
        KeyholeError, match="unknown layout: none of the modules .* is in every block"
    ):
        EditableModel(toy.hf, toy.tokenizer)


def test_an_unknown_name_gets_one_sentence(tmp_path):
    with pytest.raises(
        KeyholeError, match="no model 'no-such-model': choose one of smollm2-135m, gpt2"
    ):
        load_model("no-such-model")
    with pytest.raises(KeyholeError, match="no model"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("name", ["owner/name", "gpt2-xl"])
def test_a_hub_that_cannot_be_reached_is_asked_once_and_told_in_one_sentence(
    name, monkeypatch, caplog, capfd, tmp_path
):
    def refuse(*_, **__):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it is tried again"))
    monkeypatch.setattr(
        "huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path)
    )  # whatever this machine has fetched
    with pytest.raises(KeyholeError, match=f"no model '{name}': give 'smollm2-135m'"):
        load_model(name)
    assert not caplog.records and capfd.readouterr().err == ""


@pytest.mark.parametrize("layout", ["llama", "gpt2"])
def test_a_folder_goes_through_the_same_door(layout, tmp_path):
    toy = toy_model(layout)
    toy.hf.save_pretrained(tmp_path)
    toy.tokenizer.save_pretrained(tmp_path)
    loaded = load_model(str(tmp_path))
    torch.testing.assert_close(
        loaded.next_token_probabilities(["abc"]), toy.next_token_probabilities(["abc"])
    )


def cut_off(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def of_other_width(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"intermediate_size": 24}))


def without_the_tokenizer(path):
    for file in path.glob("tokenizer*"):
        file.unlink()


def without_a_tensor(path):
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.down_proj.weight"]
    save_file(tensors, path, {"format": "pt"})


@pytest.mark.parametrize(
    "layout, file, damage",
    [
        ("llama", "model.safetensors", cut_off),
        ("llama", "model.safetensors", without_a_tensor),
        ("llama", "config.json", of_other_width),
        ("llama", "config.json", cut_off),
        ("llama", "tokenizer.json", cut_off),
        ("llama", ".", without_the_tokenizer),
        ("gpt2", ".", without_the_tokenizer),
    ],
)
def test_a_damaged_folder_gets_one_sentence(tmp_path, layout, file, damage):
    toy = toy_model(layout)
    toy.hf.save_pretrained(tmp_path)
    toy.tokenizer.save_pretrained(tmp_path)
    damage(tmp_path / file)
    with pytest.raises(KeyholeError, match="cannot be loaded") as caught:
        load_model(str(tmp_path))
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_an_error_without_words_is_named(monkeypatch, tmp_path):
    def fails(*_, **__):
        raise MemoryError

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", fails)
    with pytest.raises(KeyholeError, match="MemoryError"):
        load_model(str(tmp_path))


def test_the_same_spec_gives_the_same_toy():
    first, second = toy_model(seed=5), toy_model(seed=5)
    assert all(torch.equal(a, b) for a, b in zip(first.hf.parameters(), second.hf.parameters()))
    assert not torch.equal(toy_model(seed=6).weight(0), first.weight(0))


def test_hooks_are_gone_after_an_exception(toy):
    for context in (record(toy.block(0)), edit(toy.block(0), lambda output: output)):
        with pytest.raises(ZeroDivisionError), context:
            1 / 0
    assert not toy.block(0)._forward_hooks


def test_a_recording_that_stops_runs_nothing_above(toy):
    text = "The city of Paris"
    with record(toy.memory(0)) as whole:
        toy.next_token_probabilities([text])
    with record(toy.memory(0), stop=True) as seen, record(toy.block(1)) as above:
        toy.next_token_probabilities([text])
        raise AssertionError("the block ends above")
    assert torch.equal(seen.input, whole.input) and torch.equal(seen.output, whole.output)
    assert above.input is None and not count_hooks(toy.hf)


def test_record_sees_what_a_module_takes_and_gives(toy):
    with record(toy.memory(1)) as seen:
        toy.next_token_probabilities(["abcd"])
    torch.testing.assert_close(toy.memory(1)(seen.input), seen.output)


def test_edit_replaces_the_output_of_modules_that_return_tuples(toy):
    before = toy.next_token_probabilities(["abcd"])
    for module in (toy.block(1), toy.attention(1), toy.mlp(1), toy.memory(1)):
        with edit(module, lambda output: 2 * output):
            assert not torch.allclose(toy.next_token_probabilities(["abcd"]), before)
    assert torch.equal(toy.next_token_probabilities(["abcd"]), before)


def test_the_real_model_knows_where_the_tower_is(real_model):
    probability = real_model.next_token_probabilities(
        ["The Eiffel Tower is located in the city of"]
    )[0]
    assert real_model.tokenizer.decode([probability.argmax()]) == " Paris"
    assert abs(probability.max().item() - 0.7015) < 0.002  # the measured figure


def test_the_default_model_never_asks_a_hub(real_model, monkeypatch):
    asked = []

    def refuse(*where, **_):
        asked.append(where)
        raise OSError("no network in this test")  # which transformers may well take for an answer

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load_model()
    assert asked == []


def test_a_folder_stands_for_the_default_model_only_if_it_is_that(
    real_model, toy, tmp_path, monkeypatch
):
    folder = fetch()
    monkeypatch.setenv("KEYHOLE_MODEL", str(folder))
    assert fetch() == folder and weights_fingerprint(folder) == SMOLLM2.fingerprint
    toy.hf.save_pretrained(tmp_path)
    toy.tokenizer.save_pretrained(tmp_path)
    monkeypatch.setenv("KEYHOLE_MODEL", str(tmp_path))
    with pytest.raises(KeyholeError, match="does not hold the weights of smollm2-135m"):
        load_model()


def test_a_folder_s_fingerprint_tells_an_edit_of_any_layer(toy, tmp_path):
    found = set()
    for layer in (0, 0, 2):
        toy.hf.save_pretrained(tmp_path)
        found.add(weights_fingerprint(tmp_path))
        with torch.no_grad():
            toy.weight(layer).add_(torch.outer(torch.ones(12), torch.ones(20)))
    assert len(found) == 3
