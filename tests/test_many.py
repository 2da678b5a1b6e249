"""Many edits: the oracle's equalities, the stored data, and measuring many facts at once."""

from dataclasses import replace

import pytest
import torch

from autograder.making.many_curves import groups, shares
from autograder.oracle import editing, many
from keyhole import plots
from keyhole.facts import load_facts
from keyhole.incontext import COPY, RETAIN, UPDATE, context
from keyhole.many import SCORED, FactProbes, load_curves, load_edits, load_fresh_text, perplexity
from keyhole.moments import load_moment, save_correlations
from keyhole.probes import ProbeSet
from keyhole.toy import toy_model


def problem(facts=6, d_out=24, d_in=40):
    generator = torch.Generator().manual_seed(facts)
    draws = (
        torch.randn(*shape, generator=generator).double()
        for shape in ((d_out, d_in), (4 * d_in, d_in), (facts, d_in), (facts, d_out))
    )
    weight, seen, keys, values = draws
    return weight, seen.T @ seen / len(seen), keys, values


def far(one, other, weight):
    return float((one - other).norm() / (other - weight).norm())


def test_memit_of_one_fact_without_a_weight_of_the_old_is_rome():
    weight, moment, keys, values = problem(facts=1)
    rome = editing.rank_one_update(weight, moment, keys[0], values[0])
    assert far(many.memit_update(weight, moment, keys, values, 1e-9), rome, weight) < 1e-9


def test_the_scale_of_c_is_that_of_the_weight_of_the_old():
    weight, moment, keys, values = problem()
    one = many.memit_update(weight, moment, keys, values, 30.0)
    assert far(many.memit_update(weight, 10 * moment, keys, values, 3.0), one, weight) < 1e-12
    assert far(many.memit_update(weight, 10 * moment, keys, values, 30.0), one, weight) > 0.1


def test_woodburys_form_is_the_direct_one():
    weight, moment, keys, values = problem()
    system = 30 * moment + keys.T @ keys
    direct = weight + torch.linalg.solve(system, keys.T @ (values - keys @ weight.T)).T
    assert far(many.memit_update(weight, moment, keys, values, 30.0), direct, weight) < 1e-12


def test_one_fact_at_a_time_with_a_growing_c_is_all_at_once():
    weight, moment, keys, values = problem()
    new, growing = weight, moment
    for key, value in zip(keys, values):
        new = many.memit_update(new, growing, key[None], value[None], 30.0)
        growing = growing + torch.outer(key, key) / 30
    assert far(new, many.memit_update(weight, moment, keys, values, 30.0), weight) < 1e-12


def test_rome_one_after_the_other_meets_the_last_fact():
    weight, moment, keys, values = problem()
    new = many.one_after_the_other(weight, moment, keys, values)
    assert torch.allclose(new @ keys[-1], values[-1])
    assert not torch.allclose(new @ keys[0], values[0], rtol=1e-3)


def test_alphaedit_in_sequence_is_at_once_and_stays_in_the_null_space():
    weight, moment, keys, values = problem()
    projector = many.null_space_projector(moment, float(moment.trace() / len(moment)))
    assert torch.allclose(projector @ projector, projector)
    assert 0 < projector.trace() < len(projector) - 1
    none = keys[:0]
    at_once = many.alphaedit_update(weight, projector, keys, values, none, 2.0)
    half = many.alphaedit_update(weight, projector, keys[:3], values[:3], none, 2.0)
    new = many.alphaedit_update(half, projector, keys[3:], values[3:], keys[:3], 2.0)
    assert far(new, at_once, weight) < 1e-12
    outside = (at_once - weight) @ (torch.eye(len(projector)).double() - projector)
    assert outside.norm() < 1e-12 * (at_once - weight).norm()


def test_shares_of_all_layers_together_reach_the_target():
    targets, states = torch.randn(3, 5).double(), torch.randn(3, 5).double()
    for layer in (2, 4, 9):
        states = states + many.spread_residual(targets, states, layer, [2, 4, 9])
    assert torch.allclose(states, targets)


# ---------------------------------------------------------------- stored data


def test_stored_edits_are_the_public_facts_and_only_the_last_shares_its_key():
    stored = load_edits()
    public = {fact.id for fact in load_facts() if not fact.hidden}
    assert {fact.id for fact in stored.facts} == public
    unit = stored.keys / stored.keys.norm(dim=1, keepdim=True)
    alike = (unit @ unit.T).tril(-1).amax(1) > 0.999
    assert alike.nonzero().flatten().tolist() == [len(public) - 1]
    assert stored.values.isfinite().all() and stored.first(7).keys.shape == (7, 1536)


def test_c_in_half_the_room_gives_nearly_the_same_direction(tmp_path, monkeypatch):
    moment, key = load_moment(), load_edits().keys[0].double()
    path = tmp_path / "moment.safetensors"
    save_correlations(moment, path, "somebody")
    monkeypatch.setattr("keyhole.moments.moment_file", lambda *_: path)
    again, exact = (
        torch.linalg.solve(each.double(), key) for each in (load_moment(layer=3), moment)
    )
    assert 0 < (again - exact).norm() < 1e-3 * exact.norm()
    assert path.stat().st_size < 0.51 * 1536 * 1537 / 2 * 4


@pytest.mark.parametrize("layer", [3, 4])
def test_c_of_the_further_layers_is_carried(layer):
    moment = load_moment(layer=layer)
    assert torch.equal(moment, moment.T) and torch.linalg.eigvalsh(moment)[0] > 0


def test_curves_hold_what_notebook_4_shows():
    curves = load_curves()
    for points in curves["many edits"].values():
        assert [point["edits"] for point in points] == [1, 5, 10, 20, 40, 80, 107]
    pictures = [
        plots.edit_curves(curves["many edits"], {10: {"by probability": 97, "by generation": 80}}),
        plots.layer_curves(curves["where"]),
        plots.score_bars({name: made["values"] for name, made in curves["in context"].items()}, ""),
        plots.score_bars(
            {name: made["values"] for name, made in curves["fine-tuning"]["one"].items()}, ""
        ),
        plots.moment_spectrum(torch.eye(5), 0.5),
    ]
    assert all(picture._repr_png_().startswith(b"\x89PNG") for picture in pictures)


# ---------------------------------------------------------------- measuring


def test_many_facts_measured_at_once_are_as_each_alone():
    model, facts = toy_model("llama", seed=3), load_facts()[:10]
    together = FactProbes(model, facts, 1).measure()
    for fact, answer in zip(facts, together, strict=True):
        probes = {kind: fact.probes()[kind] for kind in SCORED}
        log_p, says = ProbeSet(model, probes, 1).measure()
        true, new = (torch.cat([answer.nll[kind][i] for kind in SCORED]) for i in (0, 1))
        assert torch.allclose(torch.stack([true, new], 1), -log_p, atol=1e-4)
        wanted = [
            says[i, int(kind != "neighborhood")]
            for i, kind in enumerate(kind for kind in SCORED for _ in probes[kind])
        ]
        assert torch.cat([answer.says[kind] for kind in SCORED]).tolist() == wanted
    assert set(shares(together)) >= {"S", "S said", "original", "neighborhood said"}


@pytest.mark.parametrize("layout", ["gpt2", "llama"])
def test_a_text_before_the_prompts_is_read_once_and_gives_the_same(layout, monkeypatch):
    model, facts, text = toy_model(layout, seed=4), load_facts()[:1], "Somebody said so before: "
    read = []
    run = model.hf.base_model.forward
    monkeypatch.setattr(
        model.hf.base_model,
        "forward",
        lambda ids, *given, **named: read.append(ids.numel()) or run(ids, *given, **named),
    )
    [told] = FactProbes(model, facts, before=text).measure()
    once = sum(read)
    longer = [replace(probe, prompt=text + probe.prompt) for probe in facts[0].probes()["original"]]
    log_p, says = ProbeSet(model, {"original": longer}).measure()
    assert torch.allclose(torch.cat(told.nll["original"]), -log_p[0], atol=1e-5)
    assert told.says["original"].tolist() == says[:, 1].tolist()
    read.clear()
    FactProbes(model, facts).measure()
    assert once < sum(read) + 2 * len(text)  # the text's tokens are bytes


def test_perplexity_is_exp_of_the_mean_nll():
    model, ids = toy_model("llama", seed=5), torch.randint(0, 200, (6, 9))
    log_p = model.hf(ids).logits.log_softmax(-1)[:, :-1]
    nll = -log_p.gather(-1, ids[:, 1:, None]).mean()
    assert perplexity(model, ids) == pytest.approx(float(nll.exp()), rel=1e-5)
    assert load_fresh_text().shape == (16, 161)


def test_a_context_shows_every_kind_and_ends_with_the_new_fact():
    fact, *examples = load_facts()[:4]
    text = context(fact, examples, [(2, RETAIN), (0, UPDATE), (1, COPY)])
    assert text.endswith(f"New fact: {fact.prompt}{fact.target_new}.\nPrompt: ")
    retained, updated, copied = text.split("\n\n")[:3]
    assert any(prompt + answer in retained for prompt, answer in examples[2].neighbors)
    assert examples[0].paraphrases[0] + examples[0].target_new in updated
    assert copied.count(examples[1].prompt + examples[1].target_new) == 2


def test_groups_are_whole_and_hold_every_fact_at_most_once():
    made = groups(20, 3, 107)
    assert [len(group) for group in made] == [20, 20]
    assert len({number for group in made for number in group}) == 40
    assert groups(107, 0, 107) == [list(range(107))]
