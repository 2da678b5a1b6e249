"""The sweep gives what the textbook loop gives; bad requests are refused; maps and averages."""

import copy
import re

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
            first, stop = (
                (layer, layer + 1)
                if kind == "state"
                else (layer - window // 2, layer - (-window // 2))
            )
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


PROMPTS = [
    ("Ada Lovelace was", "Ada"),
    ("The old bridge", "old"),
    ("Once, Ann", "Ann"),
    ("At noon Bo is in", "Bo"),
    ("x", "x"),
    ("ab é東", "é東"),
]


@pytest.mark.parametrize(
    "kind, window",
    [
        ("state", 10),
        ("mlp", 1),
        ("mlp", 2),
        ("mlp", 3),
        ("mlp", 10),
        ("attention", 2),
        ("attention", 4),
        ("attention", 5),
    ],
)
@pytest.mark.parametrize("layout", ["llama", "gpt2"])
@pytest.mark.parametrize("prompt, subject", PROMPTS)
@pytest.mark.slow
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
    whole = [
        tracing.trace(model, "The old bridge", "old", noise, range(14), range(4), kind, 2)
        for kind in maps.MAP_KINDS
    ]
    monkeypatch.setattr(tracing, "TOKENS_AT_ONCE", 5)
    for kind, right in zip(maps.MAP_KINDS, whole):
        assert torch.allclose(
            tracing.trace(model, "The old bridge", "old", noise, range(14), range(4), kind, 2),
            right,
            atol=1e-7,
        )


def test_float64_agrees_with_float32():
    model = toy_model("gpt2", layers=4)
    precise = EditableModel(copy.deepcopy(model.hf).double(), model.tokenizer)
    noise = maps.subject_noise(model, "The old bridge", "old", samples=3)
    for kind in maps.MAP_KINDS:
        a, b = (
            tracing.trace(each, "The old bridge", "old", noise, [5, 9], range(4), kind, 2)
            for each in (model, precise)
        )
        assert (a - b).abs().max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("kind", maps.MAP_KINDS)
def test_the_real_model(real_model, kind):
    prompt, subject = "The Eiffel Tower is located in the city of", "Eiffel Tower"
    noise = maps.subject_noise(real_model, prompt, subject, samples=3)
    cells = ([1, 4, 9], [0, 17, 29])
    assert (
        tracing.trace(real_model, prompt, subject, noise, *cells, kind)
        - textbook(real_model, prompt, subject, noise, *cells, kind)
    ).abs().max() < 1e-5


def test_zero_vectors_as_corruption():
    model = toy_model("gpt2")
    noise = maps.zero_noise(model, "The old bridge", "old")
    ids = torch.tensor(model.encode(["The old bridge"]))
    assert torch.equal((model.embedding(ids)[0, 4:7] + noise[0]), torch.zeros(3, 12))
    found = tracing.causal_map(model, "The old bridge", "old", corruption="zero")
    assert found.corruption == "zero"
    assert torch.allclose(
        found.values.double(),
        textbook(model, "The old bridge", "old", noise, range(14), range(3)),
        atol=1e-6,
    )


@pytest.mark.slow
def test_a_map_of_40_tokens_30_layers_and_10_samples_is_done_in_pieces(monkeypatch):
    """No product has more rows than TOKENS_AT_ONCE and one more sequence.

    The carried states are the only thing that grows.
    """
    model = toy_model("llama", layers=30)
    prompt, widest = "Ann " + "x" * 36, 0

    def watch(_, args):
        nonlocal widest
        widest = max(widest, args[0].shape[0] * args[0].shape[1])

    handle = model.mlp(20).register_forward_pre_hook(watch)
    found = tracing.trace(
        model,
        prompt,
        "Ann",
        maps.subject_noise(model, prompt, "Ann", samples=10),
        range(40),
        range(30),
    )
    handle.remove()
    assert found.shape == (40, 30) and 0 < widest <= tracing.TOKENS_AT_ONCE


# ---------------------------------------------------------------- requests that make no sense

pytestmark = pytest.mark.filterwarnings("ignore:The model gives")  # toys know nothing


@pytest.fixture(scope="module")
def toy_request():
    model = toy_model("llama")
    return (
        model,
        "Bo met Bo once",
        "Bo",
        maps.subject_noise(model, "Bo met Bo once", "Bo", samples=2),
    )


@pytest.mark.parametrize(
    "change, why",
    [
        ({"subject": "Ann"}, "subject 'Ann' does not occur"),
        ({"noise": torch.zeros(0, 2, 12)}, r"the noise has shape \(0, 2, 12\): it must be"),
        (
            {"noise": torch.zeros(3, 5, 12)},
            r"\(tokens, width\) = \(5, 12\), but subject 'Bo' has \(2, 12\)",
        ),
        ({"positions": [14]}, "position 14 does not exist: there are positions 0 to 13"),
        ({"positions": [-1]}, "position -1 does not exist"),
        ({"layers": [3]}, "layer 3 does not exist: there are layers 0 to 2"),
        ({"kind": "head"}, "no kind 'head' of map: choose one of state, mlp, attention"),
        ({"window": 0}, "a window of 0 layers"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_words(toy_request, change, why):
    model, prompt, subject, noise = toy_request
    asked = {
        "subject": subject,
        "noise": noise,
        "positions": [1],
        "layers": [1],
        "kind": "mlp",
        "window": 2,
        **change,
    }
    with pytest.raises(KeyholeError, match=why):
        tracing.trace(model, prompt, **asked)


def test_of_two_occurrences_the_last_is_meant_and_another_can_be_chosen(toy_request):
    model, prompt, subject, noise = toy_request
    settings = maps.TraceSettings(noise)
    last, first = (
        maps.trace_map(model.meaning(which), prompt, subject, tracing.trace, settings)
        for which in (-1, 0)
    )
    assert (last.span, first.span) == ((7, 9), (0, 2))
    assert not torch.allclose(last.values, first.values)
    assert model.subject_slice(prompt, subject) == slice(7, 9)  # the model itself is as it was


@pytest.mark.parametrize(
    "result, why",
    [
        (torch.full((1, 3), torch.nan), r"not probabilities for token 0 \(3 of them NaN\)"),
        (torch.full((1, 3), 1.5), "not probabilities"),
        (torch.zeros(3), r"returned the shape \(3,\)"),
        (torch.zeros(1, 4), r"should be \(1, 3\)"),
    ],
)
def test_what_a_students_trace_may_return(toy_request, result, why):
    with pytest.raises(KeyholeError, match=why):
        maps.trace_map(*toy_request[:3], lambda *_: result)


def test_a_map_of_rows_leaves_the_others_empty(toy_request):
    model, prompt, subject, noise = toy_request
    settings = maps.TraceSettings(noise, positions=[8, 13])
    made = maps.trace_map(model, prompt, subject, tracing.trace, settings)
    assert made.values[[8, 13]].isfinite().all() and made.values.isnan().sum() == 12 * 3
    assert made.tokens == tuple(prompt) and made.answer == model.tokenizer.decode(
        [int(model.next_token_probabilities([prompt])[0].argmax())]
    )


@pytest.mark.filterwarnings("error")
def test_a_prompt_that_the_model_does_not_know_is_told_without_a_warning(toy_request, monkeypatch):
    model, prompt, subject, noise = toy_request
    settings = maps.TraceSettings(noise, positions=[1])
    clean = float(model.next_token_probabilities([prompt])[0].max())
    made = maps.trace_map(model, prompt, subject, tracing.trace, settings)  # warns of nothing
    monkeypatch.setattr(maps, "TOO_UNSURE", clean - 1e-3)
    assert maps.unsure(made) is None
    monkeypatch.setattr(maps, "TOO_UNSURE", clean + 1e-3)
    assert re.match(
        rf"The model gives '.+' a probability of only {clean:.2f}: it does not know this",
        str(maps.unsure(made)),
    )


@pytest.mark.parametrize("prompt, positions", [("A", None), ("A man", [])])
def test_nothing_to_trace(toy_request, prompt, positions):
    with pytest.raises(KeyholeError, match="nothing to trace"):
        maps.trace_map(
            toy_request[0], prompt, "A", tracing.trace, maps.TraceSettings(positions=positions)
        )


@pytest.mark.parametrize("kind", maps.MAP_KINDS)
def test_a_map_by_a_right_trace_is_the_oracle_s(kind):
    model = toy_model("gpt2", layers=4)
    right, found = (
        tracing.causal_map(model, "Ann is so", "Ann", kind),
        maps.trace_map(model, "Ann is so", "Ann", tracing.trace, maps.TraceSettings(kind=kind)),
    )
    assert (found.answer, found.tokens, found.span, found.kind, found.window) == (
        right.answer,
        right.tokens,
        right.span,
        right.kind,
        right.window,
    )
    assert (
        torch.allclose(found.values, right.values, atol=1e-6)
        and found.clean == pytest.approx(right.clean)
        and found.corrupted == pytest.approx(right.corrupted)
    )


# ---------------------------------------------------------------- maps, kept and averaged


def made(prompt, subject, values):
    span = prompt.index(subject), prompt.index(subject) + len(subject)
    return maps.CausalMap(
        prompt,
        subject,
        " x",
        tuple(prompt),
        span,
        0.9,
        0.1,
        "state",
        1,
        "noise",
        torch.as_tensor(values),
    )


def test_maps_are_kept_and_read_again(tmp_path):
    found = [made("ab", "a", [[0.1, 0.2], [0.3, 0.4]]), made("abc", "bc", torch.rand(3, 2))]
    maps.save_maps(found, tmp_path / "maps.json")
    again = maps.load_maps(tmp_path / "maps.json")
    assert again == found and all(torch.equal(a.values, b.values) for a, b in zip(again, found))
    (tmp_path / "maps.safetensors").write_bytes(b"broken")
    with pytest.raises(KeyholeError, match="maps.json cannot be read"):
        maps.load_maps(tmp_path / "maps.json")


def test_the_average_is_over_tokens_of_a_role_first_and_then_over_prompts():
    a = made(
        "xABCDyz!",
        "ABCD",
        0.1 + torch.tensor([0.0, 0.1, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8])[:, None].expand(8, 2),
    )
    b = made("ABx", "AB", 0.1 + torch.tensor([0.3, 0.7, 0.0])[:, None].expand(3, 2))
    one = made("Ax", "A", torch.ones(2, 2))
    averages = maps.average_effects([a, b, one])
    expected = {
        "first subject token": (0.2, 2),
        "middle subject tokens": (0.3, 1),
        "last subject token": (0.6, 2),
        "first token after": (0.6, 1),
        "further tokens": (0.7, 1),
        "last token": (0.4, 2),
    }
    for role, (mean, count) in expected.items():
        assert (
            averages[role][0].tolist() == pytest.approx([mean, mean]) and averages[role][2] == count
        )
    assert averages["last token"][1].tolist() == pytest.approx(
        [0.4, 0.4]
    )  # 0.8 and 0: the standard error of two
    with pytest.raises(KeyholeError, match="two tokens or more"):
        maps.average_effects([one])


def test_the_stored_maps_are_those_of_the_paper_s_picture():
    """Early at the subject's last token and gone above; late at the last token, nothing below.

    Both over 12 facts and more.
    """
    states = [
        found for found in maps.load_maps() if found.kind == "state" and found.corruption == "noise"
    ]
    averages = maps.average_effects(states)
    early, _, count = averages["last subject token"]
    late = averages["last token"][0]
    assert count >= 12 and early[3:12].min() > 0.3 and early[25:].abs().max() < 0.05
    assert late[:15].abs().max() < 0.05 and late[25:].min() > 0.3
    for found in states:
        assert found.values.shape == (len(found.tokens), 30) and found.values.isfinite().all()
        assert found.effects[: found.span[0]].abs().max() < 1e-6 if found.span[0] else True


@pytest.mark.slow
def test_a_stored_map_can_be_made_again(real_model):
    found = next(found for found in maps.load_maps() if found.kind == "mlp")
    noise = maps.subject_noise(real_model, found.prompt, found.subject)
    rows, layers = [found.span[1] - 1, len(found.tokens) - 1], [0, 4, 12, 29]
    again = tracing.trace(real_model, found.prompt, found.subject, noise, rows, layers, "mlp")
    assert (again - found.values[rows][:, layers]).abs().max() < 1e-4
