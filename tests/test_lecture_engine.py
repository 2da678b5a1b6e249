"""The engine of the lecture's demo: maps row by row, edits that come and go, curves."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import torch

from autograder.oracle import tracing as oracle
from keyhole import many
from keyhole.errors import KeyholeError
from keyhole.facts import load_facts
from keyhole.learned import load_editors
from keyhole.moments import keys_over
from keyhole.probes import PROBE_KINDS, score
from keyhole.toy import toy_model
from keyhole.tracing import subject_noise, zero_noise
from lecture import curves, editing, moments
from lecture.editing import EditRequest
from lecture.engine import Engine
from lecture.messages import en
from lecture.tracing import TraceRequest
from lecture.watching import Cancelled

pytestmark = pytest.mark.slow
PROMPT, SUBJECT = "see abc go", "abc"
TRACE = TraceRequest(PROMPT, SUBJECT, samples=3)
EDIT = EditRequest("go see abc", SUBJECT, "xy", layer=1)
REAL = "The Eiffel Tower is located in the city of", "Eiffel Tower"


@pytest.fixture(params=["llama", "gpt2"])
def engine(request, monkeypatch, tmp_path):
    """On a toy model of its own, with few prefixes and few probes."""
    monkeypatch.setenv("KEYHOLE_CACHE", str(tmp_path))
    monkeypatch.setattr(editing, "load_prefixes", lambda: ["", "So. "])
    ids = torch.randint(256, (20, 9), generator=torch.Generator().manual_seed(0))
    return Engine(lambda: toy_model(request.param, seed=1), "toy", ids)


def bits(engine):
    """SHA-256 of everything that the model holds."""
    seen = hashlib.sha256()
    for name, value in sorted(engine.model.hf.state_dict().items()):
        seen.update(name.encode() + value.contiguous().numpy().tobytes())
    return seen.hexdigest()


def after(count):
    """A `cancelled` that says yes from the call number `count` on."""
    calls = iter(range(10**9))
    return lambda: next(calls) >= count


# ---------------------------------------------------------------- tracing


@pytest.mark.parametrize("kind", ["state", "mlp", "attention"])
@pytest.mark.parametrize("corruption", ["noise", "zero"])
def test_a_map_is_the_oracles_and_grows_row_by_row(engine, kind, corruption):
    request = replace(TRACE, kind=kind, window=2, corruption=corruption)
    about = engine.model, PROMPT, SUBJECT
    noise = zero_noise(*about) if corruption == "zero" else subject_noise(*about, 3)
    expected = oracle.trace(*about, noise, range(10), range(3), kind, 2)
    trace, told = engine.tracer.begin(request), []
    order = []
    for position in trace.fill(progress=told.append):
        order.append(position)
        there = ~trace.map().values.isnan().any(1)
        assert there.nonzero().flatten().tolist() == sorted(order)
    assert order == [0, 1, 2, 3, 9, 8, 7, 6, 5, 4]
    assert torch.equal(trace.map().values, expected.float())
    assert [each.done for each in told] == list(range(11)) and {each.total for each in told} == {10}
    assert trace.map().window == (1 if kind == "state" else 2)
    assert trace.map().span == trace.located.span == (4, 7)


@pytest.mark.parametrize("kind", ["state", "mlp", "attention"])
def test_a_cell_says_the_same_before_and_after_its_row_is_there(engine, kind):
    trace = engine.tracer.begin(replace(TRACE, kind=kind, window=2))
    cells = [(0, 1), (4, 0), (6, 2), (9, 1)]
    before = [trace.top(*cell, 256) for cell in cells]
    list(trace.fill())
    for cell, found in zip(cells, before):
        assert sum(said.probability for said in found) == pytest.approx(1)
        answer = [said.probability for said in found if said.text == trace.answer]
        assert float(trace.map().values[cell]) in [pytest.approx(each) for each in answer]
        again = trace.top(*cell, 256)
        assert [said.probability for said in again] == pytest.approx(
            [said.probability for said in found], abs=1e-6
        )


def test_a_cancelled_trace_goes_on_where_it_was(engine):
    trace, stop = engine.tracer.begin(TRACE), []
    with pytest.raises(Cancelled) as caught:
        for position in trace.fill(cancelled=lambda: bool(stop)):
            stop += [position] * (position == 8)
    assert caught.value.code == "cancelled"
    assert int((~trace.map().values.isnan().any(1)).sum()) == 6
    assert engine.tracer.begin(TRACE) is trace
    again = engine.tracer.begin(replace(TRACE, kind="mlp"))
    assert again is not trace and again._sweep is trace._sweep
    assert sorted(trace.fill()) == list(range(10)) and not trace.map().values.isnan().any()
    assert engine.tracer.begin(replace(TRACE, seed=1))._sweep is not trace._sweep


def test_a_map_begins_without_asking_the_model_twice(engine):
    found = engine.tracer.locate(PROMPT, SUBJECT)
    runs = []
    hook = engine.model.blocks[0].register_forward_hook(lambda *_: runs.append(1))
    begun = engine.tracer.begin(TRACE).located
    hook.remove()
    assert len(runs) == 2  # clean and corrupted
    assert begun.remarks == found.remarks and begun.tokens == found.tokens
    texts, shares = zip(*begun.first)
    right_texts, right_shares = zip(*found.first)
    assert texts == right_texts and shares == pytest.approx(right_shares, abs=1e-6)


def test_a_sweep_is_stopped_between_two_layers(engine):
    trace = engine.tracer.begin(TRACE)
    rows = trace.fill(cancelled=after(8))
    with pytest.raises(Cancelled):
        list(rows)
    assert not engine.model.blocks[0]._forward_pre_hooks


def test_a_trace_of_another_model_is_refused(engine):
    trace = engine.tracer.begin(TRACE)
    engine.editor.edit(EDIT)
    for call in (lambda: list(trace.fill()), lambda: trace.top(5, 1)):
        with pytest.raises(KeyholeError) as caught:
            call()
        assert caught.value.code == "model_changed"
    assert engine.tracer.begin(TRACE).clean != trace.clean
    engine.editor.undo()
    assert sorted(trace.fill()) == list(range(10))  # the model is what it was


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"prompt": " "}, "empty_prompt"),
        ({"subject": ""}, "empty_subject"),
        ({"subject": "abd"}, "no_subject"),
        ({"prompt": "abc " * 11}, "prompt_long"),
        ({"occurrence": 1}, "no_occurrence"),
        ({"prompt": "abc \ud800"}, "no_utf8"),
        ({"prompt": "a", "subject": "a"}, "nothing_to_trace"),
        ({"samples": 0}, "out_of_range"),
        ({"scale": -1.0}, "out_of_range"),
        ({"window": 0}, "out_of_range"),
        ({"kind": "mood"}, "no_choice"),
        ({"corruption": "mood"}, "no_choice"),
    ],
)
def test_a_request_that_cannot_be_traced_is_one_sentence(engine, changes, code):
    with pytest.raises(KeyholeError) as caught:
        engine.tracer.begin(replace(TRACE, **changes))
    assert caught.value.code == code and len(str(caught.value)) < 200


def test_where_the_subject_is_and_what_should_be_said(engine):
    found = engine.tracer.locate("an abc or abc is ", "abc")
    assert found.places == ((3, 6), (10, 13)) and found.place == (10, 13)
    assert found.span == (10, 13) and "".join(found.tokens) == found.prompt == "an abc or abc is"
    codes = [remark.code for remark in found.remarks]
    assert codes[:2] == ["blank_left_out", "occurrence_taken"]
    assert ("traced_anyway" in codes) == (found.first[0].probability < 0.1)
    assert engine.tracer.locate("an abc or abc is", "abc", 0).place == (3, 6)


def test_the_stored_maps_are_there_at_once(engine):
    presets = engine.tracer.presets()
    assert len(presets) == 17 and all(len(preset.maps) == 4 for preset in presets)
    assert engine.tracer.stored(TraceRequest(*REAL)) is presets[0].maps["state", "noise"]
    assert engine.tracer.stored(TraceRequest(*REAL, corruption="zero")).corruption == "zero"
    assert engine.tracer.stored(TraceRequest(*REAL, samples=9)) is None
    assert engine.tracer.averages("mlp")["last subject token"][2] == 17
    engine.editor.edit(EDIT)
    assert engine.tracer.stored(TraceRequest(*REAL)) is None


# ---------------------------------------------------------------- editing


@pytest.mark.parametrize("metric", editing.METRICS)
@pytest.mark.parametrize("prefixed", [True, False])
def test_an_edit_is_of_rank_one_and_is_undone_bit_for_bit(engine, metric, prefixed):
    before, told, measured = bits(engine), [], []
    made = engine.editor.edit(
        replace(EDIT, metric=metric, prefixed=prefixed),
        step=lambda *each: told.append(each),
        before=measured.append,
    )
    assert bits(engine) != before and engine.editor.planted == (made,)
    assert told == list(enumerate(made.losses)) and measured == [made.before]
    assert made.size.rank == made.size.matrices == 1 and len(made.size.singular) == 5
    assert made.size.singular[0] == pytest.approx(made.size.norm, rel=1e-5)
    assert made.after.bars[0].p_new != made.before.bars[0].p_new
    assert [bar.wanted for bar in made.after.bars] == ["new", "new", "true"]
    # Of somebody's own fact there are no paraphrases.
    assert [bar.kind for bar in made.after.bars] == ["original", "prefixed", "neighborhood"]
    assert not engine.editor.proof().same and engine.editor.proof().layers == (1,)
    assert engine.editor.undo() == made and bits(engine) == before
    assert engine.editor.proof().same and engine.editor.planted == ()


def test_the_metric_matters_and_the_search_is_not_repeated(engine, monkeypatch):
    searches, search = [], editing.optimise_value
    monkeypatch.setattr(
        editing, "optimise_value", lambda *a, **k: searches.append(1) or search(*a, **k)
    )
    norms = []
    for metric in editing.METRICS:
        norms.append(engine.editor.edit(replace(EDIT, metric=metric)).size.norm)
        engine.editor.undo()
    # The identity's is the smallest change in plain numbers.
    assert len(searches) == 1 and norms[1] < min(norms[0], norms[2]) and norms[0] != norms[2]
    engine.editor.edit(EDIT)
    engine.editor.edit(replace(EDIT, target="zq"))
    assert len(searches) == 2


def test_edits_pile_up_and_go_one_by_one(engine):
    editor, before = engine.editor, [bits(engine)]
    editor.ready(2)  # C is of the model as it was loaded
    for number, (target, layer) in enumerate([("xy", 1), ("pq", 1), ("mn", 2)], 1):
        assert editor.edit(replace(EDIT, target=target, layer=layer)).number == number
        before.append(bits(engine))
    kept = editor.kept()
    assert [each.number for each in kept] == [1, 2, 3] and kept[2].target == " mn"
    assert kept[2].p_new == pytest.approx(editor.planted[2].after.bars[0].p_new, rel=1e-3)
    assert editor.proof().layers == (1, 2)
    live = editor.live()
    assert live.edits == 3 and {"score", "efficacy_generated"} <= live.values.keys()
    for expected in reversed(before[1:]):
        assert bits(engine) == expected
        editor.undo()
    assert bits(engine) == before[0]
    with pytest.raises(KeyholeError) as caught:
        editor.undo()
    assert caught.value.code == "nothing_planted"
    assert editor.live() is None and editor.kept() == () and editor.undo_all() == 0


def test_a_change_is_made_larger_and_smaller(engine):
    before = bits(engine)
    made = engine.editor.edit(EDIT)
    whole = bits(engine)
    half = engine.editor.rescale(0.5)
    assert half.size.norm == pytest.approx(made.size.norm / 2, rel=1e-4)
    assert half.before == made.before and half.after != made.after and half.request.factor == 0.5
    none = engine.editor.rescale(0)
    assert bits(engine) == before and none.size.rank == 0
    assert engine.editor.rescale(1.0).after == made.after and bits(engine) == whole
    assert engine.editor.undo_all() == 1 and bits(engine) == before


def test_fine_tuning_changes_everything_and_is_undone_bit_for_bit(engine):
    before, told = bits(engine), []
    made = engine.editor.edit(replace(EDIT, target="mn"))
    edited = bits(engine)
    tuned = engine.editor.edit(
        replace(EDIT, method="fine-tuning"), step=lambda *each: told.append(each)
    )
    assert len(tuned.losses) == 4 and [number for number, _ in told] == [0, 1, 2, 3]
    assert tuned.size.matrices > 10 and tuned.size.rank > 1
    assert [bar.kind for bar in tuned.after.bars] == [bar.kind for bar in made.after.bars]
    for code, call in {
        "one_tuning": lambda: engine.editor.edit(replace(EDIT, method="fine-tuning")),
        "not_rome": lambda: engine.editor.rescale(2),
    }.items():
        with pytest.raises(KeyholeError) as caught:
            call()
        assert caught.value.code == code
    said = engine.editor.ask(EDIT.prompt)
    engine.editor.undo()
    assert bits(engine) == edited and engine.editor.ask(EDIT.prompt)[0] == said[0]
    engine.editor.undo()
    assert bits(engine) == before and engine.editor.proof().same


def test_a_free_prompt_is_answered_by_both(engine):
    once = engine.editor.ask(EDIT.prompt, 2)
    assert once[0] == once[1]
    engine.editor.edit(EDIT)
    edited = bits(engine)
    old, new = engine.editor.ask(f"{EDIT.prompt} ", 2)
    assert old == once[0] != new and bits(engine) == edited


@pytest.mark.parametrize("method", editing.METHODS)
@pytest.mark.parametrize("calls", [0, 5, 20, 40, 60])
def test_an_edit_that_is_stopped_changes_nothing(engine, method, calls):
    before = bits(engine)
    with pytest.raises(Cancelled):
        engine.editor.edit(replace(EDIT, method=method), cancelled=after(calls))
    assert bits(engine) == before and engine.editor.planted == () and not engine.state


@pytest.mark.parametrize("method", editing.METHODS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_edit_that_fails_while_it_is_measured_is_taken_back(engine, method, error, monkeypatch):
    before, measure = bits(engine), editing.measure

    def fails(model, *others):
        if bits(engine) != before:
            raise error
        return measure(model, *others)

    monkeypatch.setattr(editing, "measure", fails)
    with pytest.raises(error):
        engine.editor.edit(replace(EDIT, method=method))
    assert bits(engine) == before and engine.editor.planted == () and not engine.state


@pytest.mark.parametrize("method", editing.METHODS)
def test_an_edit_that_is_not_listed_is_not_in_the_model(engine, method, monkeypatch):
    before = bits(engine)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(editing, "Planted", interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine.editor.edit(replace(EDIT, method=method))
    assert bits(engine) == before and engine.editor.planted == () and not engine.state


def test_a_rescaling_that_fails_is_taken_back(engine, monkeypatch):
    engine.editor.edit(EDIT)
    before = bits(engine)

    def fails(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(editing, "measure", fails)
    with pytest.raises(KeyboardInterrupt):
        engine.editor.rescale(2)
    assert bits(engine) == before and engine.editor.planted[0].request.factor == 1


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"prompt": ""}, "empty_prompt"),
        ({"subject": " "}, "empty_subject"),
        ({"subject": "no"}, "no_subject"),
        ({"prompt": "abc " * 11}, "prompt_long"),
        ({"target": " "}, "empty_target"),
        ({"target": "x" * 20}, "target_long"),
        ({"true": "xy"}, "target_is_true"),
        ({"layer": 3}, "no_layer"),
        ({"method": "magic"}, "no_choice"),
        ({"metric": "magic"}, "no_choice"),
        ({"factor": 4.0}, "out_of_range"),
    ],
)
def test_an_edit_that_cannot_be_made_is_one_sentence(engine, changes, code):
    before = bits(engine)
    for call in (engine.editor.check, engine.editor.edit):
        with pytest.raises(KeyholeError) as caught:
            call(replace(EDIT, **changes))
        assert caught.value.code == code and len(str(caught.value)) < 200
    assert bits(engine) == before and engine.editor.planted == ()


def test_what_the_model_says_already_is_no_edit(engine, monkeypatch):
    monkeypatch.setattr(editing, "continuation", lambda *_: " xy")
    with pytest.raises(KeyholeError) as caught:
        engine.editor.check(EDIT)
    assert caught.value.code == "says_target"


def test_a_subject_at_the_start_is_remarked(engine):
    remarks = engine.editor.check(replace(EDIT, prompt="a is", subject="a"))
    assert "at_the_start" in [remark.code for remark in remarks]


def test_only_so_many_edits_are_kept(engine, monkeypatch):
    monkeypatch.setattr("lecture.weights.MOST_PLANTED", 1)
    engine.editor.edit(EDIT)
    with pytest.raises(KeyholeError) as caught:
        engine.editor.edit(replace(EDIT, target="mn"))
    assert caught.value.code == "too_many"


# ---------------------------------------------------------------- C


def test_c_of_another_layer_is_made_once_and_kept(engine, tmp_path, monkeypatch):
    told, editor = [], engine.editor
    assert editor.stored_layers() == ()
    editor.ready(0, progress=told.append)
    assert told[-1].part == "moment" and told[-1].done == told[-1].total > 0
    assert editor.stored_layers() == (0,) and len(list(tmp_path.glob("*layer0*"))) == 1
    monkeypatch.setattr(moments, "moments_of", None)  # nothing is computed from here on
    twin = Engine(lambda: engine.model, "toy", torch.zeros(1, 1))
    twin.editor.edit(replace(EDIT, layer=0))
    other = toy_model(seed=2)
    with pytest.raises(TypeError):  # of other weights: it would be computed again
        Engine(lambda: other, "toy", torch.zeros(1, 1)).editor.ready(0)


def test_c_is_of_the_model_as_it_was_loaded(engine):
    engine.editor.edit(EDIT)
    with pytest.raises(KeyholeError) as caught:
        engine.editor.edit(replace(EDIT, target="mn", layer=2))
    assert caught.value.code == "undo_first"
    engine.editor.undo()
    engine.editor.edit(replace(EDIT, target="mn", layer=2))


def test_a_cancelled_c_leaves_no_file(engine, tmp_path):
    with pytest.raises(Cancelled):
        engine.editor.ready(2, cancelled=after(3))
    assert list(tmp_path.iterdir()) == [] and engine.editor.stored_layers() == ()


def test_c_is_centred_around_the_mean():
    keys = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) + 3
    c, mean = keys.T @ keys / 50, keys.mean(0)
    away = keys - mean
    moment = moments.Moment(c, mean)
    assert torch.allclose(moment.metric("centred"), away.T @ away / 50, atol=1e-4)
    assert torch.equal(moment.metric("identity"), torch.eye(4)) and moment.metric("C") is c


def test_a_moment_is_a_mean_over_tokens(toy):
    ids = torch.randint(256, (18, 5), generator=torch.Generator().manual_seed(0))
    made = moments.moments_of(toy, [0, 1], ids)[1]
    every = torch.cat(list(keys_over(toy, 1, ids))).double()
    assert torch.allclose(made.c.double(), every.T @ every / 90, rtol=1e-4, atol=1e-6)
    assert torch.allclose(made.mean.double(), every.mean(0), atol=1e-5)


# ---------------------------------------------------------------- what is stored


def test_the_lectures_own_fact_is_a_preset_with_probes_of_its_own(engine):
    first, *others = engine.editor.presets()
    assert first.own and first.name == "handsome" and first.fact.target_new == " Professor Lee"
    shown = [fact for fact in load_facts() if not fact.hidden]
    assert [preset.fact for preset in others] == shown
    assert not any(preset.own for preset in others)


def test_the_curves_are_whole_and_made_of_facts_that_there_are():
    found = curves.load_curves()
    record = json.loads(curves.CURVES.read_text("utf-8"))
    assert set(record["ids"]) <= {fact.id for fact in load_facts() if not fact.hidden}
    assert found.facts >= max(found.numbers)
    by_name = {each.editor: each for each in found.curves}
    shown = ["fine-tuning", "rome", "in-context", "memit", "memit-layers", "AlphaEdit"]
    trained = ["one-step", "row-rates", "weight-rates", "gate", "mend"]
    assert list(by_name) == shown + trained
    assert [each.editor for each in found.curves if each.learned] == trained
    stored = many.load_curves()
    for name, editor in (("ROME, one after the other", "rome"), ("AlphaEdit", "AlphaEdit")):
        for point, right in zip(by_name[editor].points, stored["many edits"][name], strict=True):
            assert point.edits == right["edits"]
            assert point.values["score_generated"] == right["values"]["S said"][0]
            times = right["values"]["perplexity"][0] / stored["unedited"]["perplexity"]
            assert point.values["perplexity"] == pytest.approx(times)
    assert by_name["rome"].points[0].values["seconds"] > 0
    assert not by_name["in-context"].changes_weights and by_name["rome"].changes_weights
    for each in found.curves:
        assert set(each.title) == set(each.note) == {"en", "zh-TW"}
        assert each.editor in en.EDITORS and each.editor in en.NOTES
        assert [point.edits for point in each.points] == sorted({p.edits for p in each.points})
    for measure in found.measures:
        assert measure.title["en"] != measure.title["zh-TW"]
        values = [
            p.values[measure.name]
            for c in found.curves
            for p in c.points
            if measure.name in p.values
        ]
        assert values and (measure.unit != "share" or all(0 <= value <= 1 for value in values))
    # What the lecture says: fine-tuning harms the neighbors, ROME hardly does.
    assert (
        by_name["rome"].points[0].values["score"] > by_name["fine-tuning"].points[0].values["score"]
    )


def test_learned_editors_are_shown_as_they_were_measured():
    by_name = {each.editor: each for each in curves.load_curves().curves}
    runs = load_editors()[1]["across"]
    assert len(runs) >= 3
    for editor, name in (("one step", "one-step"), ("MEND", "mend")):
        tests, curve = [run[editor]["tests"] for run in runs], by_name[name]
        assert [point.edits for point in curve.points] == [1, 5, 10, 20]
        means = [fmean(each[test]["S said"] for each in tests) for test in curves.AT_ONCE]
        assert [point.values["score_generated"] for point in curve.points] == means
        other = fmean(each["unseen relations"]["neighborhood"] for each in tests)
        assert curve.elsewhere["neighborhood"] == other and "perplexity" not in curve.elsewhere


def test_every_sentence_of_the_demo_is_used():
    folder = Path(curves.__file__).parent
    sources = "".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    assert not [name for name in en.SENTENCES if f'"{name}"' not in sources]


def test_an_editor_that_is_added_to_the_kits_curves_is_shown(tmp_path, monkeypatch):
    stored = many.load_curves()
    stored["many edits"]["new one"] = stored["many edits"]["MEMIT"]
    monkeypatch.setattr(many, "load_curves", lambda: stored)
    last = next(each for each in curves.load_curves().curves if each.editor == "new one")
    assert last.title["en"] == "new one" and len(last.points) == 7 and last.changes_weights
    path = tmp_path / "curves.json"
    path.write_text("{}")
    with pytest.raises(KeyholeError) as caught:
        curves.load_curves(path)
    assert caught.value.code == "file_unreadable"


# ---------------------------------------------------------------- the real model


@pytest.mark.slow
def test_a_row_of_the_real_model_is_that_of_the_stored_map(real_model):
    engine = Engine(lambda: real_model)
    request = TraceRequest(*REAL)
    stored, trace = engine.tracer.stored(request), engine.tracer.begin(request)
    assert trace.answer == stored.answer == " Paris" and trace.located.span == stored.span
    assert trace.clean == pytest.approx(stored.clean, abs=1e-4)
    filling = trace.fill()
    rows = [next(filling) for _ in range(2)]
    assert torch.allclose(trace.map().values[rows], stored.values[rows], atol=1e-4)
    assert trace.top(2, 0)[0].text == " Paris" and trace.corrupted_top[0].text != " Paris"


@pytest.mark.slow
def test_the_lectures_story_on_the_real_model(real_model):
    """ROME plants a fact and spares its neighbors, fine-tuning does not; both are undone."""
    engine = Engine(lambda: real_model)
    before, request = bits(engine), EditRequest(*REAL, "Rome")
    bars = {}
    for method in editing.METHODS:
        made = engine.editor.edit(replace(request, method=method))
        bars[method] = {bar.kind: bar for bar in made.after.bars}
        assert made.after.says.startswith(" Rome") and made.after.first[0].text == " Rome"
        assert (made.size.rank == 1) == (method == "rome")
        engine.editor.undo()
        assert bits(engine) == before
    assert engine.editor.proof().same
    assert bars["rome"]["neighborhood"].ahead > bars["fine-tuning"]["neighborhood"].ahead


@pytest.mark.slow
@pytest.mark.parametrize("layer", [5, moments.CARRIED[-1]])
def test_the_most_handsome_man_where_it_works_and_where_it_comes_too_late(real_model, layer):
    engine = Engine(lambda: real_model)
    assert set(engine.editor.stored_layers()) >= {5, *moments.CARRIED}
    fact = engine.editor.presets()[0].fact
    request = EditRequest(fact.prompt, fact.subject, fact.target_new, layer=layer)
    made = engine.editor.edit(request)
    engine.editor.undo()
    assert made.true == " Jack" == made.before.first[0].text
    assert {bar.kind for bar in made.after.bars} == set(PROBE_KINDS)
    # The last layers come too late: what the subject's token gives out there is read no more.
    assert made.after.says.startswith(" Professor Lee") == (layer < 20)


@pytest.mark.slow
def test_the_own_facts_answers_are_the_models(real_model):
    [fact] = editing._own_facts()
    asked = [(fact.prompt, fact.target_true), *fact.neighbors]
    asked += [(probe.prompt, probe.target_true) for probe in (fact.reversion, fact.portability)]
    found = score(real_model, asked)
    assert [question for question in asked if found[question].rank > 1] == []
