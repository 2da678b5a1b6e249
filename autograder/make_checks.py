"""Make data/checks/: the inputs of the public checks, the right results and the wrong ones, all stored as numbers.

Students get the file, but neither the oracle nor the catalogue of wrong solutions that it is made from.
"""

import json

import torch
from safetensors.torch import save_file

from autograder.hidden import edit_wrongs as wrongs
from autograder.oracle import editing
from keyhole.paths import data_folder
from keyhole.toy import toy_model

NOTEBOOK = "3_edit"
CHANGE_TOLERANCE = 1e-3     # as in the hidden tests: Ŵ is rounded to float32, the change in it is smaller
OBJECTIVE = ("target_log_probs", "kl_log_probs", "kl_log_probs_before", "delta", "value_before", "kl_weight", "decay")
LIVE = ("target_log_probs", "kl_log_probs", "delta")        # whose gradients count
PREFIXES = ["It rained all day. ", "", "We met again. "]


def make(folder=None):
    """Write data/checks/3_edit.{safetensors,json}: the path of the first. Takes a few seconds, and needs no model."""
    folder = folder or data_folder() / "checks"
    folder.mkdir(parents=True, exist_ok=True)
    cases = {"subject_key": _subject_keys(), "second_moment": _second_moments(), "value_objective": _objectives(),
             "rank_one_update": _updates(), "write_edit": _writes()}
    numbers, words = {}, {}
    for function, made in cases.items():
        words[function] = [record for record, _ in made]
        numbers |= {f"{function}.{record['id']}/{name}": tensor.detach().clone().contiguous()
                    for record, tensors in made for name, tensor in tensors.items()}
    path = folder / f"{NOTEBOOK}.safetensors"
    save_file(dict(sorted(numbers.items())), path)
    path.chmod(0o644)       # safetensors writes files that nobody else may read
    path.with_suffix(".json").write_text(json.dumps(words, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _tensors(inputs, right, wrong, **more):
    """The numbers of one case under the names that keyhole.checks reads."""
    return ({f"in/{name}": tensor for name, tensor in inputs.items()} | {"right": right}
            | {f"wrong/{name}": tensor for name, tensor in wrong.items()} | more)


def _draw(seed):
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator)


def _keys(draw, count, width):
    """Keys (count, width) as a model has them: dimensions go together, and the mean is not zero."""
    return draw(count, width) @ (torch.eye(width) + 0.4 * draw(width, width)) + 0.5 * draw(width)


def _subject_keys():
    def case(name, layout, seed, prompt, subject, prefixes, looks_at="result"):
        spec = {"layout": layout, "seed": seed, "layers": 3, "width": 12, "mlp_width": 20, "heads": 2}
        given = {"layer": 1, "prompt": prompt, "subject": subject, "prefixes": prefixes}
        asked = (toy_model(**spec), *given.values())
        record = {"id": name, "looks_at": looks_at, "what": "k*", "order": ["model", *given], "model": spec, "values": given}
        return record, _tensors({}, editing.subject_key(*asked), wrongs.subject_key(*asked))

    return [case("llama", "llama", 3, "The old bridge stands in", "old bridge", PREFIXES),
            case("gpt2", "gpt2", 4, "Yesterday Anna Berg spoke at", "Anna Berg", PREFIXES),
            case("repeated", "llama", 5, "You can see the lighthouse near", "lighthouse", [*PREFIXES, "A lighthouse is a tower. "]),
            case("non_ascii", "llama", 6, "The river Žižka 川 flows through", "Žižka 川", PREFIXES),
            case("clean", "gpt2", 7, "The old bridge stands in", "old bridge", PREFIXES, "model")]


def _second_moments():
    def case(name, keys, looks_at="result"):
        right = editing.second_moment(keys)
        # A mean or a sum: ROME does not feel the scale of C.
        record = {"id": name, "looks_at": looks_at, "what": "C", "order": ["keys"], "scales": [1, len(keys)]}
        return record, _tensors({"keys": keys}, right, wrongs.second_moment(keys))

    draw = _draw(11)
    return [case("uncentred", _keys(draw, 30, 6)), case("few_keys", _keys(draw, 4, 9)),
            case("large", 1e3 * _keys(draw, 25, 5)), case("inputs", _keys(draw, 12, 7), "inputs")]


def _objectives():
    draw = _draw(12)

    def case(name, tokens, kl_weight, decay, spread=1.0, looks_at="result"):
        before = (spread * draw(17)).log_softmax(-1)
        given = {"target_log_probs": -draw(5, tokens).abs() * torch.linspace(0.5, 3, tokens) - 0.2,
                 "kl_log_probs": (before + spread * draw(17)).log_softmax(-1), "kl_log_probs_before": before,
                 "delta": draw(8), "value_before": 0.6 * draw(8)}
        weights = {"kl_weight": kl_weight, "decay": decay}
        live = {name: given[name].double().requires_grad_() for name in LIVE}
        right = editing.value_objective(**{**given, **live}, **weights)
        right.backward()
        gradients = {f"grad/{name}": tensor.grad for name, tensor in live.items()} if looks_at == "gradient" else {}
        record = {"id": name, "looks_at": looks_at, "what": "The loss", "order": list(OBJECTIVE), "values": weights}
        return record, _tensors(given, right, wrongs.value_objective(**given, **weights), **gradients)

    return [case("value", 1, 0.8, 0.7), case("tokens", 3, 0.3, 0.6), case("divergence", 1, 2.5, 0.1, spread=2.0),
            case("decay", 1, 0.05, 3.0), case("gradient", 2, 0.5, 0.9, looks_at="gradient")]


def _updates():
    draw = _draw(13)

    def case(name, d_out, d_in, scale=1.0, looks_at="result", transposed=()):
        keys = scale * _keys(draw, 8 * d_in, d_in)
        given = {"weight": draw(d_out, d_in), "moment": editing.second_moment(keys).float(), "key": keys[0]}
        value = given["weight"] @ given["key"]
        given["value"] = value + draw(d_out) * value.norm() / d_out ** 0.5
        record = {"id": name, "looks_at": looks_at, "what": "Ŵ", "order": list(given), "transposed": list(transposed),
                  "origin": "weight", "tolerance": CHANGE_TOLERANCE, "sentence": "wrong_change"}
        return record, _tensors(given, editing.rank_one_update(**given), wrongs.rank_one_update(**given))

    return [case("wide", 4, 9), case("conv1d", 8, 5, transposed=["weight"]), case("small_keys", 5, 7, 1e-3),
            case("preservation", 6, 10, looks_at="preservation"), case("inputs", 3, 6, looks_at="inputs")]


def _writes():
    draw = _draw(14)

    def case(name, module, d_out, d_in, bias=False, looks_at="weight"):
        new, before = draw(d_out, d_in), draw(d_in, d_out) if module == "Conv1D" else draw(d_out, d_in)
        right = (new.T if module == "Conv1D" else new).double()
        given = {"weight": before, "new_weight": new} | ({"bias": draw(d_out)} if bias else {})
        record = {"id": name, "looks_at": looks_at, "what": "The stored weight", "order": ["module", "new_weight"], "module": module}
        return record, _tensors(given, right, wrongs.write_edit(module.lower(), before.double(), right))

    return [case("linear", "Linear", 4, 6), case("conv1d", "Conv1D", 3, 7, bias=True), case("square", "Conv1D", 5, 5),
            case("parameter", "Linear", 6, 4, looks_at="parameter")]
