"""Make data/checks/: inputs, right results and wrong ones of the public checks, all as numbers.

Students get these files, but neither the oracle nor the catalogue of wrong solutions that they are
made from.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from autograder.hidden import edit_wrongs as wrongs
from autograder.hidden import locate_wrongs, measure_wrongs
from autograder.making.learned_checks import cases as learned_cases
from autograder.making.many_checks import cases as many_cases
from autograder.oracle import editing, measuring, tracing
from keyhole.models import EditableModel
from keyhole.paths import data_folder
from keyhole.toy import toy_model

# As in the hidden tests. Ŵ is rounded to float32, and the change in it is smaller than Ŵ; so are
# the effects in a map.
CHANGE_TOLERANCE = 1e-3
OBJECTIVE = (
    "target_log_probs",
    "kl_log_probs",
    "kl_log_probs_before",
    "delta",
    "value_before",
    "kl_weight",
    "decay",
)
LIVE = ("target_log_probs", "kl_log_probs", "delta")  # whose gradients count
PREFIXES = ["It rained all day. ", "", "We met again. "]


def make(folder: Path | None = None) -> Path:
    """Write data/checks/<notebook>.{safetensors,json} anew; returns the folder.

    Takes a few seconds, and needs no model.
    """
    folder = folder or data_folder() / "checks"
    folder.mkdir(parents=True, exist_ok=True)
    notebooks = {
        "1_measure": {
            "sequence_nll": _likelihoods(),
            "efficacy": _shares("efficacy"),
            "neighborhood": _shares("neighborhood"),
            "edit_score": _scores(),
        },
        "2_locate": {
            "corrupt": _corrupts(),
            "restore": _restores(),
            "indirect_effect": _effects(),
            "trace": _traces(),
        },
        "3_edit": {
            "subject_key": _subject_keys(),
            "second_moment": _second_moments(),
            "value_objective": _objectives(),
            "rank_one_update": _updates(),
            "write_edit": _writes(),
        },
        "4_scale": many_cases(),
        "5_learn_to_edit": learned_cases(),
    }
    for notebook, cases in notebooks.items():
        numbers, words = {}, {}
        for function, made in cases.items():
            words[function] = [record for record, _ in made]
            numbers |= {
                f"{function}.{record['id']}/{name}": tensor.detach().clone().contiguous()
                for record, tensors in made
                for name, tensor in tensors.items()
            }
        path = folder / f"{notebook}.safetensors"
        save_file(dict(sorted(numbers.items())), path)
        path.chmod(0o644)  # safetensors writes files that nobody else may read
        path.with_suffix(".json").write_text(
            json.dumps(words, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    return folder


def _tensors(inputs, right, wrong, **more):
    """The numbers of one case under the names that keyhole.checking.cases reads."""
    return (
        {f"in/{name}": tensor for name, tensor in inputs.items()}
        | {"right": right}
        | {f"wrong/{name}": tensor for name, tensor in wrong.items()}
        | more
    )


def _draw(seed):
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator)


def _keys(draw, count, width):
    """Keys (count, width) as a model has them: dimensions go together, and the mean is not zero."""
    return draw(count, width) @ (torch.eye(width) + 0.4 * draw(width, width)) + 0.5 * draw(width)


def _likelihoods():
    draw = _draw(31)

    def case(name, tokens, target, shift=0.0, looks_at="result"):
        given = {"logits": 2 * draw(tokens, 12) + shift, "target_ids": torch.tensor(target)}
        live = given["logits"].double().requires_grad_()
        right = measuring.sequence_nll(live, given["target_ids"])
        right.backward()
        more = {"grad/logits": live.grad} if looks_at == "gradient" else {}
        more["parts"] = measuring.token_nlls(**given)
        record = {"id": name, "looks_at": looks_at, "what": "nll", "order": list(given)}
        return record, _tensors(given, right, measure_wrongs.sequence_nll(**given), **more)

    return [
        case("one_token", 1, [7]),
        case("tokens", 3, [4, 9, 2]),
        case("repeated", 4, [8, 3, 8, 5]),
        case("large", 2, [6, 1], shift=200.0),
        case("inputs", 3, [0, 10, 5], looks_at="inputs"),
        case("gradient", 3, [11, 2, 7], looks_at="gradient"),
    ]


def _shares(name):
    def case(which, gaps):
        wanted = 1 + torch.arange(len(gaps)) / 8
        rival = wanted + torch.tensor(gaps)
        given = dict(
            zip(("nll_true", "nll_new"), (rival, wanted) if name == "efficacy" else (wanted, rival))
        )
        record = {"id": which, "looks_at": "result", "what": name, "order": list(given)}
        return record, _tensors(
            given, getattr(measuring, name)(**given), getattr(measure_wrongs, name)(**given)
        )

    return [
        case("mixed", [1.5, -0.25, 2.0, -0.5, 0.75]),
        case("ties", [1.25, 0.0, -0.5, 2.5, 0.0, 0.0, 0.5]),
        case("one", [1.0]),
    ]


def _scores():
    def case(name, *shares):
        given = dict(zip(("efficacy", "paraphrase", "neighborhood"), shares))
        record = {
            "id": name,
            "looks_at": "result",
            "what": "score",
            "order": list(given),
            "values": given,
        }
        return record, _tensors(
            {},
            measuring.edit_score(*shares),
            measure_wrongs.edit_score(*shares),
            parts=torch.tensor(shares, dtype=torch.float64),
        )

    return [
        case("mixed", 0.9, 0.6, 0.25),
        case("zero", 1.0, 0.75, 0.0),
        case("zero_first", 0.0, 0.75, 1.0),
        case("nothing", 0.0, 0.0, 0.0),
    ]


def _corrupts():
    draw = _draw(21)

    def case(name, start, width, after, samples=3, looks_at="result"):
        given, subject = (
            {"embeddings": draw(start + width + after, 6), "noise": 2 * draw(samples, width, 6)},
            slice(start, start + width),
        )
        record = {
            "id": name,
            "looks_at": looks_at,
            "what": "result",
            "order": ["embeddings", "subject", "noise"],
            "values": {"subject": {"slice": [subject.start, subject.stop]}},
            "origin": "embeddings",
            "axes": ["sample", "token"],
        }
        asked = given["embeddings"], subject, given["noise"]
        return record, _tensors(given, tracing.corrupt(*asked), locate_wrongs.corrupt(*asked))

    return [
        case("middle", 2, 3, 4),
        case("start", 0, 2, 5),
        case("single", 3, 1, 2, samples=1),
        case("inputs", 1, 2, 3, looks_at="inputs"),
    ]


def _restores():
    draw = _draw(22)

    def case(name, position, looks_at="result"):
        given = {"hidden": draw(4, 7, 5), "clean": draw(7, 5)}
        record = {
            "id": name,
            "looks_at": looks_at,
            "what": "result",
            "order": ["hidden", "clean", "position"],
            "values": {"position": position},
            "origin": "hidden",
            "axes": ["sample", "token"],
        }
        return record, _tensors(
            given,
            tracing.restore(**given, position=position),
            locate_wrongs.restore(**given, position=position),
        )

    return [case("middle", 2), case("first", 0), case("last", 6), case("inputs", 3, "inputs")]


def _effects():
    draw = _draw(23)

    def case(name, low, high, samples):
        given = {
            "restored": high * (1 + draw(samples).tanh() / 2),
            "corrupted": low * (1 + draw(samples).tanh() / 2),
        }
        record = {"id": name, "looks_at": "result", "what": "indirect_effect", "order": list(given)}
        return record, _tensors(
            given,
            tracing.indirect_effect(**given),
            locate_wrongs.indirect_effect(**given),
            parts=given["restored"].double() - given["corrupted"].double(),
        )

    return [
        case("difference", 0.1, 0.6, 7),
        case("negative", 0.5, 0.2, 6),
        case("small", 0.02, 0.03, 10),
    ]


def _spec(layout, seed, layers):
    """The arguments of toy_model, as they are stored."""
    shape = {"layers": layers, "width": 12, "mlp_width": 20, "heads": 2}
    return {"layout": layout, "seed": seed, **shape}


def _traces():
    prompt, subject = "So Anna Berg spoke", "Anna Berg"

    def case(name, layout, seed, positions, layers, kind="state", window=10, looks_at="result"):
        spec = _spec(layout, seed, layers=6)
        toy = toy_model(**spec)
        noise = 1.5 * torch.randn(
            3, len(subject), 12, generator=torch.Generator().manual_seed(seed)
        )
        precise = EditableModel(toy.hf.double(), toy.tokenizer)
        given = {
            "prompt": prompt,
            "subject": subject,
            "positions": positions,
            "layers": layers,
            "kind": kind,
            "window": window,
        }
        asked = {**given, "noise": noise.double()}
        record = {
            "id": name,
            "looks_at": looks_at,
            "what": "map",
            "order": ["model", "prompt", "subject", "noise", *list(given)[2:]],
            "model": spec,
            "values": given,
            "origin": "corrupted",
            "tolerance": CHANGE_TOLERANCE,
            "sentence": "wrong_effects",
            "axes": ["position asked for", "layer asked for"],
        }
        baseline = torch.tensor(
            tracing.Sweep(precise, prompt, subject, noise.double()).corrupted_probability
        )
        return record, _tensors(
            {"noise": noise, "corrupted": baseline},
            tracing.trace(precise, **asked),
            locate_wrongs.trace(precise, **asked),
        )

    every_other = list(range(1, 18, 2))  # the subject's tokens are 3 to 11
    return [
        case("state", "llama", 3, every_other, [0, 1, 2, 3, 4, 5]),
        case("mlp", "gpt2", 4, [3, 11, 17], [1, 2, 3, 4], "mlp", 3),
        case("attention", "llama", 5, [7, 11, 17], [2, 3], "attention", 4),
        case("edges", "gpt2", 6, [11, 17], [0, 2, 5], "mlp", 5),
        case("order", "llama", 7, [17, 3, 11], [5, 0, 3]),
        case("clean", "gpt2", 8, [11], [1, 4], looks_at="model"),
    ]


def _subject_keys():
    def case(name, layout, seed, prompt, subject, prefixes, looks_at="result"):
        spec = _spec(layout, seed, layers=3)
        given = {"layer": 1, "prompt": prompt, "subject": subject, "prefixes": prefixes}
        asked = (toy_model(**spec), *given.values())
        record = {
            "id": name,
            "looks_at": looks_at,
            "what": "key",
            "order": ["model", *given],
            "model": spec,
            "values": given,
        }
        return record, _tensors(
            {},
            editing.subject_key(*asked),
            wrongs.subject_key(*asked),
            parts=wrongs.AskedKey(*asked).keys(),
        )

    return [
        case("llama", "llama", 3, "The old bridge stands in", "old bridge", PREFIXES),
        case("gpt2", "gpt2", 4, "Yesterday Anna Berg spoke at", "Anna Berg", PREFIXES),
        case(
            "repeated",
            "llama",
            5,
            "You can see the lighthouse near",
            "lighthouse",
            [*PREFIXES, "A lighthouse is a tower. "],
        ),
        case("non_ascii", "llama", 6, "The river Žižka 川 flows through", "Žižka 川", PREFIXES),
        case("clean", "gpt2", 7, "The old bridge stands in", "old bridge", PREFIXES, "model"),
    ]


def _second_moments():
    def case(name, keys, looks_at="result"):
        right = editing.second_moment(keys)
        # A mean or a sum: ROME does not feel the scale of C.
        record = {
            "id": name,
            "looks_at": looks_at,
            "what": "moment",
            "order": ["keys"],
            "scales": [1, len(keys)],
        }
        return record, _tensors({"keys": keys}, right, wrongs.second_moment(keys))

    draw = _draw(11)
    return [
        case("uncentred", _keys(draw, 30, 6)),
        case("few_keys", _keys(draw, 4, 9)),
        case("large", 1e3 * _keys(draw, 25, 5)),
        case("inputs", _keys(draw, 12, 7), "inputs"),
    ]


def _objectives():
    draw = _draw(12)

    def case(name, tokens, kl_weight, decay, spread=1.0, looks_at="result"):
        before = (spread * draw(17)).log_softmax(-1)
        given = {
            "target_log_probs": -draw(5, tokens).abs() * torch.linspace(0.5, 3, tokens) - 0.2,
            "kl_log_probs": (before + spread * draw(17)).log_softmax(-1),
            "kl_log_probs_before": before,
            "delta": draw(8),
            "value_before": 0.6 * draw(8),
        }
        weights = {"kl_weight": kl_weight, "decay": decay}
        live = {name: given[name].double().requires_grad_() for name in LIVE}
        right = editing.value_objective(**{**given, **live}, **weights)
        right.backward()
        gradients = (
            {f"grad/{name}": tensor.grad for name, tensor in live.items()}
            if looks_at == "gradient"
            else {}
        )
        record = {
            "id": name,
            "looks_at": looks_at,
            "what": "loss",
            "order": list(OBJECTIVE),
            "values": weights,
            "log_probabilities": ["kl_log_probs"],
        }
        return record, _tensors(
            given, right, wrongs.value_objective(**given, **weights), **gradients
        )

    return [
        case("value", 1, 0.8, 0.7),
        case("tokens", 3, 0.3, 0.6),
        case("divergence", 1, 2.5, 0.1, spread=2.0),
        case("decay", 1, 0.05, 3.0),
        case("gradient", 2, 0.5, 0.9, looks_at="gradient"),
    ]


def _updates():
    draw = _draw(13)

    def case(name, d_out, d_in, scale=1.0, looks_at="result", transposed=()):
        keys = scale * _keys(draw, 8 * d_in, d_in)
        given = {
            "weight": draw(d_out, d_in),
            "moment": editing.second_moment(keys).float(),
            "key": keys[0],
        }
        value = given["weight"] @ given["key"]
        given["value"] = value + draw(d_out) * value.norm() / d_out**0.5
        record = {
            "id": name,
            "looks_at": looks_at,
            "what": "new_weight",
            "order": list(given),
            "transposed": list(transposed),
            "origin": "weight",
            "tolerance": CHANGE_TOLERANCE,
            "sentence": "wrong_change",
        }
        return record, _tensors(
            given, editing.rank_one_update(**given), wrongs.rank_one_update(**given)
        )

    return [
        case("wide", 4, 9),
        case("conv1d", 8, 5, transposed=["weight"]),
        case("small_keys", 5, 7, 1e-3),
        case("preservation", 6, 10, looks_at="preservation"),
        case("inputs", 3, 6, looks_at="inputs"),
    ]


def _writes():
    draw = _draw(14)

    def case(name, module, d_out, d_in, bias=False, looks_at="weight"):
        new, before = (
            draw(d_out, d_in),
            (draw(d_in, d_out) if module == "Conv1D" else draw(d_out, d_in)),
        )
        right = (new.T if module == "Conv1D" else new).double()
        given = {"weight": before, "new_weight": new} | ({"bias": draw(d_out)} if bias else {})
        record = {
            "id": name,
            "looks_at": looks_at,
            "what": "stored_weight",
            "order": ["module", "new_weight"],
            "module": module,
        }
        return record, _tensors(
            given, right, wrongs.write_edit(module.lower(), before.double(), right)
        )

    return [
        case("linear", "Linear", 4, 6),
        case("conv1d", "Conv1D", 3, 7, bias=True),
        case("square", "Conv1D", 5, 5),
        case("parameter", "Linear", 6, 4, looks_at="parameter"),
    ]
