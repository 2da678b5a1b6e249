"""A model on another device than the CPU: the same results, and tensors where the model is.

Where there is no GPU, "cpu" is passed explicitly, and the tests for "cuda" are skipped.
"""

import copy
import json
import math
from pathlib import Path

import pytest
import torch

from autograder.oracle import editing, tracing
from bench import gpu
from bench.tracing import textbook as by_loop
from bench.tracing import whole_map
from keyhole import cli, editing_many, models
from keyhole import tracing as maps
from keyhole.checking.functions import functions_of
from keyhole.editing import make_edit, mean_moment
from keyhole.editors import Gate, Mend, Rates
from keyhole.errors import KeyholeError
from keyhole.fact_files import Record
from keyhole.facts import Probe, load_facts
from keyhole.finetuning import fine_tuned
from keyhole.hooks import record
from keyhole.learned import Lesson, Pupils, Request, Training, train_editor
from keyhole.models import EditableModel, load_model
from keyhole.moments import keys_over, load_moment, moment_over, save_moment
from keyhole.probes import ProbeSet, answer_logits, continuations, score
from keyhole.soundness import check_model
from keyhole.toy import toy_model
from keyhole.values import Rewrite, ValueSettings, optimise_value
from lecture import editing as demo
from lecture.editing import EditRequest
from lecture.engine import Engine
from lecture.tracing import TraceRequest
from tests.test_tracing import textbook

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]
PROMPT, SUBJECT, PREFIXES = "At noon Bo is", "Bo", ["", "So. "]
PROBES = {"original": [Probe(PROMPT, " in", " up")], "neighborhood": [Probe("Ann", "e", " b")]}
SOLUTIONS = str(Path(__file__).parents[1] / "solutions" / "model_editing" / "{}.ipynb")
CLOSE = 1e-4


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


@pytest.fixture(params=["llama", "gpt2"])
def pair(request, device):
    """The same toy on the CPU and on the device."""
    toy = toy_model(request.param, seed=1, layers=4)
    return toy, EditableModel(copy.deepcopy(toy.hf).to(device), toy.tokenizer)


def close(got, right, device="cpu"):
    """Is it on the device, and within 1e-4 of the right result?"""
    assert got.device.type == torch.device(device).type
    torch.testing.assert_close(got.detach().cpu(), right.detach(), atol=CLOSE, rtol=CLOSE)


def functions(notebook, *names):
    return functions_of(SOLUTIONS.format(notebook), names)


def test_the_model_reads(pair, device):
    toy, model = pair
    check_model(model)
    assert model.device.type == torch.device(device).type
    texts = [PROMPT, "Ann"]
    right = toy.next_token_probabilities(texts)
    close(model.next_token_probabilities(texts), right, device)
    for got, expected in zip(
        answer_logits(model, PROMPT, " up"), answer_logits(toy, PROMPT, " up")
    ):
        close(got, expected, device)
    assert continuations(model, texts) == continuations(toy, texts)
    asked = [(PROMPT, " up"), (PROMPT, " u"), ("Ann", "e")]
    for got, expected in zip(score(model, asked).values(), score(toy, asked).values()):
        assert got.rank == expected.rank and got.log_p == pytest.approx(expected.log_p, abs=CLOSE)


@pytest.mark.filterwarnings("ignore:The model gives")  # a toy is sure of nothing
@pytest.mark.parametrize("kind", maps.MAP_KINDS)
def test_maps(pair, device, kind):
    toy, model = pair
    noise = maps.subject_noise(toy, PROMPT, SUBJECT, samples=3)
    there = maps.subject_noise(model, PROMPT, SUBJECT, samples=3)
    close(there, noise, device)
    close(maps.zero_noise(model, PROMPT, SUBJECT), maps.zero_noise(toy, PROMPT, SUBJECT), device)
    cells = range(13), range(4), kind, 2
    right = textbook(toy, PROMPT, SUBJECT, noise, *cells)
    close(tracing.trace(model, PROMPT, SUBJECT, there, *cells), right)
    close(tracing.trace(model, PROMPT, SUBJECT, noise, *cells), right)  # noise of the CPU
    trace = functions("2_locate", "trace")["trace"]
    settings = maps.TraceSettings(noise, kind, 2, positions=[8, 12])
    made = maps.trace_map(model, PROMPT, SUBJECT, trace, settings)
    close(made.values[[8, 12]], right[[8, 12]].float())
    sweep = tracing.Sweep(model, PROMPT, SUBJECT, there)
    swept = tracing.causal_map(model, PROMPT, SUBJECT, kind, 2, sweep=sweep)
    assert (swept.clean, swept.corrupted) == pytest.approx((made.clean, made.corrupted), abs=CLOSE)
    assert swept.values.device.type == "cpu"


def test_the_oracle_corrupts_and_restores_where_the_states_are(pair, device):
    _, model = pair
    states, noise = torch.randn(6, 12), torch.randn(3, 2, 12)
    right = tracing.corrupt(states, slice(2, 4), noise)
    close(tracing.corrupt(states.to(device), slice(2, 4), noise), right, device)
    restored = tracing.restore(right.to(device), states.to(device), 3)
    close(restored, tracing.restore(right, states, 3), device)


def test_the_second_moment(pair, device, tmp_path):
    toy, model = pair
    ids = torch.randint(0, 256, (40, 9), generator=torch.Generator().manual_seed(1))
    for got, right in zip(keys_over(model, 1, ids), keys_over(toy, 1, ids), strict=True):
        close(got, right, device)
    second_moment = functions("3_edit", "second_moment")["second_moment"]
    right = moment_over(toy, 1, ids, editing.second_moment)
    close(moment_over(model, 1, ids, editing.second_moment), right, device)
    made = mean_moment(model, 1, ids, second_moment)
    close(made, mean_moment(toy, 1, ids, second_moment), device)
    save_moment(made, tmp_path / "moment.safetensors")
    assert load_moment().device.type == "cpu"
    close(load_moment(model=model), load_moment(), device)


def test_an_edit_and_its_probes(pair, device):
    toy, model = pair
    names = "subject_key", "value_objective", "rank_one_update", "second_moment"
    solved, settings = functions("3_edit", *names), ValueSettings(steps=6)
    rewrite = Rewrite(PROMPT, SUBJECT, " up", PREFIXES)
    objective = solved["value_objective"]
    right = optimise_value(toy, 1, rewrite, objective, settings)
    got = optimise_value(model, 1, rewrite, objective, settings)
    close(got.value, right.value, device)
    assert got.losses == pytest.approx(right.losses, abs=CLOSE)
    key = editing.subject_key(model, 1, PROMPT, SUBJECT, PREFIXES)
    close(key, editing.subject_key(toy, 1, PROMPT, SUBJECT, PREFIXES), device)
    ids = torch.randint(0, 256, (40, 9), generator=torch.Generator().manual_seed(1))
    moment = mean_moment(toy, 1, ids, solved["second_moment"])
    made = [make_edit(each, 1, rewrite, moment, solved) for each in (toy, model)]
    close(made[1].change, made[0].change, device)
    before = [each.clone() for each in model.hf.parameters()]
    probes = [ProbeSet(each, PROBES, 1) for each in (toy, model)]
    with toy.edited(1, made[0].change), model.edited(1, made[0].change):  # a change of the CPU
        assert torch.equal(probes[1].generated(), probes[0].generated())
        close(probes[1].log_probabilities(), probes[0].log_probabilities())
    assert all(torch.equal(*both) for both in zip(before, model.hf.parameters()))


def test_the_oracle_s_closed_form(device):
    drawn = [torch.randn(*shape).double() for shape in ((4, 7), (50, 7), (7,), (4,))]
    weight, keys, key, value = drawn
    right = editing.rank_one_update(weight, editing.second_moment(keys), key, value)
    weight, keys, key, value = (each.to(device) for each in drawn)
    close(editing.rank_one_update(weight, editing.second_moment(keys), key, value), right, device)


def test_fine_tuning_is_undone_bit_for_bit(pair, device):
    toy, model = pair
    nll = functions("1_measure", "sequence_nll")["sequence_nll"]
    before = [each.clone() for each in model.hf.parameters()]
    with fine_tuned(toy, PROMPT, " up", nll) as right, fine_tuned(model, PROMPT, " up", nll) as got:
        assert got == pytest.approx(right, abs=CLOSE)
        close(next(model.hf.parameters()), next(toy.hf.parameters()), device)
    assert all(torch.equal(*both) for both in zip(before, model.hf.parameters()))


@pytest.mark.parametrize("method", editing_many.METHODS)
@pytest.mark.slow
def test_many_facts_by_every_method(pair, device, method, monkeypatch):
    monkeypatch.setattr(editing_many, "THRESHOLD", 0.5)  # the toys' C is another's
    solved = {}
    for needed in (editing_many.METHODS[method], editing_many.MEASURES):
        for notebook, names in needed.items():
            solved |= functions(notebook, *names)
    more = ("One meets Anna in", "Look: Bo is in"), (("Mia lives in", " Oslo"),)
    records = [
        Record("", f"{name} lives in", name, " Oslo", " Rome", *more) for name in ("Anna", "Bo")
    ]
    ids = torch.randint(0, 256, (40, 9), generator=torch.Generator().manual_seed(1))
    moment = mean_moment(pair[0], 1, ids, editing.second_moment)
    made = [
        editing_many.edit_many(
            editing_many.Task(each, 1, records, solved, lambda: moment, ids), method
        )
        for each in pair
    ]
    right, got = made
    assert got.moved == pytest.approx(right.moved, abs=CLOSE)
    for mine, its in zip(got.before + got.after, right.before + right.after, strict=True):
        for kind, both in its.nll.items():
            torch.testing.assert_close(mine.nll[kind], both, atol=1e-3, rtol=CLOSE)


@pytest.mark.parametrize("kind", ["rows", "gate", "MEND"])
def test_an_editor_learns(pair, device, kind):
    names = "low_rank_output", "transform_factors", "gradient_from_factors", "rate_update"
    solved = functions("5_learn_to_edit", *names, "editor_loss")
    loss, made = solved.pop("editor_loss"), []
    texts = "The bridge is", "The tower is", "The river is"
    requests = [Request(text, f" {text[4]}", (f"See: {text}",), ("A cat is",)) for text in texts]
    for model in pair:
        lessons = [Lesson(model, each, (1, 2)) for each in requests]
        editor = small_editor(kind, model, lessons, solved)
        settings = Training(0.05, steps=4, lessons=2, every=2)
        looks, _ = train_editor(editor, (lessons[:2], lessons[2:]), loss, settings)
        taught = [record.nll for record in Pupils(model, load_facts()[:1], (1, 2)).measure(editor)]
        made.append(([look.held_out for look in looks], taught[0]))
    (right, its), (got, mine) = made
    assert got == pytest.approx(right, abs=1e-3)
    for each in its:
        torch.testing.assert_close(mine[each], its[each], atol=1e-2, rtol=1e-3)


def small_editor(kind, model, lessons, solved):
    d_out, d_in = model.weight(1).shape
    output, size = solved["low_rank_output"], (d_in + d_out, 4, 2)
    if kind == "rows":
        by_rate = solved["gradient_from_factors"], solved["rate_update"]
        return Rates((d_out,), 2, 0.5, *by_rate)
    if kind == "gate":
        return Gate(*size, 0.5, output)
    return Mend(*size, solved["transform_factors"], output).fit(lessons, 0.5)


def test_hooks_see_tensors_of_the_device(pair, device):
    toy, model = pair
    with record(model.memory(1)) as got, record(toy.memory(1)) as right:
        for each in (model, toy):
            each.next_token_probabilities([PROMPT])
    close(got.input, right.input, device)
    close(got.output, right.output, device)


@pytest.mark.parametrize("kind", maps.MAP_KINDS)
def test_the_benchmark_s_three_ways_give_one_map(device, kind):
    model = gpu.random_model(device, n_layer=4, n_embd=32, n_head=2)
    noise = maps.subject_noise(model, gpu.PROMPT, gpu.SUBJECT, samples=3)
    cells = [(1, 0), (2, 1), (3, 3), (6, 2), (9, 0), (9, 3)]
    made = whole_map(model, gpu.PROMPT, gpu.SUBJECT, noise, kind)
    assert made.effects.abs().max() > 1e-6 and len(made.tokens) == 10
    right = torch.stack([made.values[cell] for cell in cells])
    for got in (
        gpu.papers_way(model, noise, cells, kind),
        by_loop(model, gpu.PROMPT, gpu.SUBJECT, noise, cells, kind),
    ):
        torch.testing.assert_close(got, right, atol=1e-7, rtol=1e-3)


def test_the_benchmark_says_that_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    [row] = gpu.rows()
    assert "not measured" in row.what and math.isnan(row.seconds)


# ---------------------------------------------------------------- by name, and the commands


@pytest.fixture
def folder(tmp_path):
    toy = toy_model("gpt2", seed=1, layers=4)
    toy.hf.save_pretrained(tmp_path / "toy")
    toy.tokenizer.save_pretrained(tmp_path / "toy")
    return str(tmp_path / "toy")


def test_a_model_is_loaded_onto_the_device(folder, device):
    for asked in (device, torch.device(device)):
        assert load_model(folder, asked).device.type == device


@pytest.mark.parametrize("wrong", ["gpu", "mps", "meta", "cuda:99", "", "cpu:1"])
def test_another_device_is_refused_before_anything_is_loaded(wrong, monkeypatch):
    monkeypatch.setattr(models, "_loaded", None)
    with pytest.raises(KeyholeError, match=f"device '{wrong}': choose one of cpu") as caught:
        load_model(device=wrong)
    assert "\n" not in str(caught.value)


def commands(folder, tmp_path):
    """{name: arguments} of all commands that load a model."""
    records = tmp_path / "facts.json"
    records.write_text(json.dumps([FACT]), encoding="utf-8")
    fact = ["People like Anna", "--subject", "Anna"]
    out = str(tmp_path / "map.png")
    return {
        "moment": ["moment", "--layer", "1", "--notebook", SOLUTIONS.format("3_edit")],
        "trace": ["trace", *fact, "--out", out, "--notebook", SOLUTIONS.format("2_locate")],
        "edit": ["edit", *fact, "--to", "B", "--layer", "1", "--notebook"]
        + [SOLUTIONS.format("3_edit")],
        "facts": ["facts", str(records)],
    }


FACT = {
    "requested_rewrite": {
        "prompt": "{} lives in",
        "subject": "Anna",
        "target_true": {"str": "Rome"},
        "target_new": {"str": "Oslo"},
    },
    "case_id": 1,
    "paraphrase_prompts": ["Anna has a house in"],
    "neighborhood_prompts": ["Bo lives in"],
}


def test_every_command_runs_its_model_on_the_device(folder, device, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KEYHOLE_CACHE", str(tmp_path / "cache"))
    seen = []
    load = models.load_model
    monkeypatch.setattr(models, "load_model", lambda *asked: seen.append(load(*asked)) or seen[-1])
    monkeypatch.setattr(
        "keyhole.editing.text_for", lambda model, name: torch.randint(0, 256, (20, 9))
    )
    for name, arguments in commands(folder, tmp_path).items():
        status = cli.main([*arguments, "--model", folder, "--device", device])
        assert status == 0, (name, capsys.readouterr())
        assert seen.pop().device.type == device


def test_a_command_says_that_there_is_no_such_device(folder, tmp_path, capsys):
    for name, arguments in commands(folder, tmp_path).items():
        assert cli.main([*arguments, "--model", folder, "--device", "gpu"]) == 1, name
        assert "no model can run on the device 'gpu'" in capsys.readouterr().err


@pytest.mark.parametrize("method", demo.METHODS)
def test_the_lectures_demo(pair, device, method, monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "load_prefixes", lambda: PREFIXES)
    ids = torch.randint(0, 256, (20, 9), generator=torch.Generator().manual_seed(0))
    made = []
    for number, model in enumerate(pair):
        monkeypatch.setenv("KEYHOLE_CACHE", str(tmp_path / str(number)))  # each makes its own C
        engine = Engine(lambda model=model: model, "toy", ids)
        assert engine.model.device == model.device
        trace = engine.tracer.begin(TraceRequest(PROMPT, SUBJECT, "mlp", 2, samples=2))
        assert sorted(trace.fill()) == list(range(13))
        said = [each.probability for each in trace.top(9, 1)]
        request = EditRequest(PROMPT, SUBJECT, "up", layer=1, metric="centred", method=method)
        planted = engine.editor.edit(request)
        live = engine.editor.live().values
        made.append((trace.map(), said, planted, live))
        engine.editor.undo()
        assert engine.editor.proof().same
    (right, said, edited, live), (got, says, planted, values) = made
    close(got.values, right.values)
    assert says == pytest.approx(said, abs=CLOSE)
    assert planted.losses == pytest.approx(edited.losses, abs=CLOSE)
    assert planted.size.relative == pytest.approx(edited.size.relative, abs=CLOSE)
    assert values == pytest.approx(live, abs=CLOSE)
