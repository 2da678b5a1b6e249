"""Every family that Keyhole accepts is computed as transformers computes it; others are refused."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from autograder.oracle import tracing
from keyhole import tracing as maps
from keyhole.editing import text_for
from keyhole.errors import KeyholeError
from keyhole.facts import Probe
from keyhole.models import EditableModel, load_model
from keyhole.probes import ProbeSet, continuations, score
from keyhole.soundness import check_model
from keyhole.toy import toy_model
from tests.families import FAMILIES, blank_tokenizer, family_model
from tests.test_packed import BEFORE, difference_as_trees
from tests.test_suspended import largest_difference
from tests.test_tracing import textbook

PROMPTS = ["The city of Paris", "Ann", "At noon Bo"]


@pytest.fixture(scope="module", params=FAMILIES)
def model(request):
    return family_model(request.param)


@torch.no_grad()
def test_logits_are_the_model_s_own(model):
    ids = torch.tensor(model.encode(PROMPTS[:1]))
    right = model.hf(ids).logits
    assert right.std() > 0.1
    got = model.logits(model.run_below(ids, model.n_layers)[0][0])
    torch.testing.assert_close(got, right, atol=1e-5, rtol=0)
    probabilities = model.next_token_probabilities(PROMPTS)
    for prompt, got in zip(PROMPTS, probabilities):
        right = model.hf(torch.tensor(model.encode([prompt]))).logits[0, -1].softmax(-1)
        torch.testing.assert_close(got, right, atol=1e-5, rtol=0)


@pytest.mark.parametrize("starts", [None, [2, 5, 0], [9, 1, 7]])
@pytest.mark.parametrize("layer", [0, 1, 3])
def test_it_runs_on_from_the_middle(model, layer, starts):
    assert largest_difference(model, layer, starts) < 1e-5


@pytest.mark.parametrize("start", [0, len(BEFORE)])
@pytest.mark.parametrize("layer", [0, 1, 3])
def test_texts_packed_as_a_tree_are_as_each_alone(model, layer, start):
    assert difference_as_trees(model, layer, start) < 1e-5


@torch.no_grad()
def test_it_goes_on_saying_what_it_says_itself(model):
    for prompt, said in zip(PROMPTS, continuations(model, PROMPTS, 6)):
        [ids] = model.encode([prompt])
        for _ in range(6):
            ids = ids + [int(model.hf(torch.tensor([ids])).logits[0, -1].argmax())]
        assert said == model.tokenizer.decode(ids[-6:])


@pytest.mark.parametrize("kind", maps.MAP_KINDS)
@pytest.mark.slow
def test_the_sweep_is_the_textbook_s(model, kind):
    prompt, subject = "At noon Bo is", "Bo"
    noise = maps.subject_noise(model, prompt, subject, samples=2, seed=2)
    cells = (range(5, 13), range(4), kind, 3)
    got = tracing.trace(model, prompt, subject, noise, *cells)
    right = textbook(model, prompt, subject, noise, *cells)
    assert (got - right).abs().max() < 1e-5 and (right[:4] - right[-1]).abs().max() > 1e-4


def test_the_noise_is_three_deviations_of_the_embeddings(model):
    noise = maps.subject_noise(model, "At noon Bo is", "noon", samples=200)
    every = model.embedding(torch.arange(256))
    assert noise.std() == pytest.approx(3 * float(every.std()), rel=0.05)


@torch.no_grad()
def test_an_edit_is_felt_and_undone_bit_for_bit(model):
    weights = [each.clone() for each in model.hf.parameters()]
    before = model.next_token_probabilities(PROMPTS)
    with model.edited(2, torch.randn(model.weight(2).shape)):
        assert (model.next_token_probabilities(PROMPTS) - before).abs().max() > 1e-4
    assert torch.equal(model.next_token_probabilities(PROMPTS), before)
    assert all(torch.equal(a, b) for a, b in zip(model.hf.parameters(), weights))


def test_it_is_accepted_and_left_as_it_was(model):
    check_model(model)
    assert not any("forward" in vars(part) or part._forward_hooks for part in model.hf.modules())


# ---------------------------------------------------------------- refused


def kept(model, folder):
    model.hf.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_family_whose_blocks_get_more_than_states_is_refused(tmp_path):
    changes = {
        "vocab_size_per_layer_input": 256,
        "hidden_size_per_layer_input": 4,
        "laurel_rank": 4,
        "num_kv_shared_layers": 0,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "activation_sparsity_pattern": None,
        "head_dim": 8,
        "pad_token_id": 0,
    }
    folder = kept(family_model("gemma3n_text", **changes), tmp_path)
    with pytest.raises(KeyholeError, match="Gemma3nForCausalLM .*run block by block") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["forward", "head", "memory"])
def test_what_is_computed_in_another_way_is_refused(part):
    model = toy_model("llama")
    if part == "forward":  # the blocks are not all that there is between the states
        model.hf.model.register_forward_hook(
            lambda _, args, output: output.__class__(last_hidden_state=2 * output[0])
        )
    elif part == "head":
        model.hf.register_forward_hook(
            lambda _, args, output: output.__class__(logits=output.logits.tanh())
        )
    else:
        model.memory(1).register_forward_hook(lambda _, args, output: output.round())
    reason = {"memory": "does more with the second matrix"}.get(part, "logits .* off by .* %")
    with pytest.raises(KeyholeError, match=reason):
        check_model(model)


@pytest.mark.parametrize("missing", ["self_attn", "mlp"])
def test_a_block_without_a_part_is_of_an_unknown_layout(missing):
    model = toy_model("llama")
    delattr(model.blocks[1], missing)
    with pytest.raises(KeyholeError, match="unknown layout"):
        EditableModel(model.hf, model.tokenizer)


def test_a_tokenizer_that_joins_a_target_to_its_prompt_is_refused():
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*letters, "fĠ"])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[("f", "Ġ")]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    joining = PreTrainedTokenizerFast(tokenizer_object=made)
    with pytest.raises(KeyholeError, match="reads ' Paris' after 'The Eiffel.* in other tokens"):
        check_model(EditableModel(toy_model("llama").hf, joining))


# ---------------------------------------------------------------- tokens before a text


@pytest.fixture(params=[(False, False), (True, False), (False, True), (True, True)])
def blank(request):
    """A model whose tokenizer puts a blank before a text, with and without a token before it."""
    return EditableModel(toy_model("llama").hf, blank_tokenizer(*request.param))


def test_a_target_is_one_token_where_it_is_one(blank):
    [prompt] = blank.encode(["The city of"])
    for target, count in ((" Rome", 1), (" Paris", 1), (" Rome Paris", 2), ("東京", 2), ("s", 1)):
        [tokens] = blank.encode_targets([target])
        assert len(tokens) == count and [prompt + tokens] == blank.encode(["The city of" + target])
    with pytest.raises(KeyholeError, match="has no tokens"):
        blank.encode_targets([""])
    check_model(blank)


def test_the_token_before_a_text_is_given(blank):
    front = blank.front
    assert [blank.tokenizer.decode(front)] in ([""], ["<s>"])
    [tokens] = blank.encode(["Ann met Rome"])
    assert tokens == blank.tokenizer("Ann met Rome")["input_ids"]
    assert blank.subject_slice("Ann met Rome", "Rome") == slice(len(tokens) - 1, len(tokens))
    assert blank.tokenizer.decode(tokens[blank.subject_slice("Ann met Rome", "met")]) == "met"


@torch.no_grad()
def test_probes_and_scores_are_those_of_the_whole_text(blank):
    prompt, targets = "The city of", (" Rome", " Paris")
    ids = [blank.tokenizer(prompt + target)["input_ids"] for target in targets]
    right = [
        blank.hf(torch.tensor([tokens])).logits[0, -2].log_softmax(-1)[tokens[-1]] for tokens in ids
    ]
    probes = ProbeSet(blank, {"original": [Probe(prompt, *targets)]}, 1)
    torch.testing.assert_close(probes.log_probabilities()[0], torch.stack(right))
    scores = score(blank, [(prompt, target) for target in targets])
    assert [each.log_p for each in scores.values()] == pytest.approx([float(x) for x in right])


def test_the_kit_s_text_begins_each_row_with_that_token(real_model):
    model = EditableModel(toy_model("llama").hf, blank_tokenizer(front=True))
    ids = text_for(model, "another")
    assert (ids[:, :1] == torch.tensor(model.front)).all() and ids.shape[1] == 161
