"""The sample class in data/sample_class, which `make grade` grades.

It is made from the solution and the released notebooks. Each member makes one mistake, none, or
two; the cells with the mistakes are here. What the members hand in beside the notebooks comes from
sample/: nothing, where the notebook could not have come to its end.
"""

import pprint
import shutil
from pathlib import Path

import nbformat

from autograder.making.sample_edits import fact_of, files_of
from autograder.making.translation import solutions as translated
from keyhole.notebooks.definitions import grade_id
from keyhole.paths import data_folder

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = "model_editing"

# In their notebooks 1 to 4; what the last three do with their files is in sample_edits.py.
WITHOUT_MISTAKES = ("ada-complete", "otto-copies-a-fact", "pia-claims-too-much", "quin-fine-tunes")
MISTAKES = {
    "bo-forgets-c": (
        "3_edit",
        "rank_one_update",
        """
def rank_one_update(weight, moment, key, value):
    residual = value - weight @ key
    return weight + torch.outer(residual, key) / (key @ key)
""",
    ),
    "chen-centres-c": (
        "3_edit",
        "second_moment",
        """
def second_moment(keys):
    centred = keys - keys.mean(0)
    return centred.T @ centred / len(keys)
""",
    ),
    "dora-syntax-error": (
        "3_edit",
        "value_objective",
        """
def value_objective(target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before,
                    kl_weight, decay):
    nll = -target_log_probs.mean(
    kl = (kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()
    return nll + kl_weight * kl + decay * delta.norm() / value_before.norm() ** 2
""",
    ),
    "emil-endless-loop": (
        "3_edit",
        "subject_key",
        """
def subject_key(model, layer, prompt, subject, prefixes):
    keys, i = [], 0
    while i < len(prefixes):
        text = prefixes[i] + prompt
        with record(model.memory(layer)) as seen:
            model.next_token_probabilities([text])
        keys.append(seen.input[0, model.subject_slice(text, subject).stop - 1])
    return torch.stack(keys).mean(0)
""",
    ),
    "fay-forgets-conv1d": (
        "3_edit",
        "write_edit",
        """
def write_edit(module, new_weight):
    with torch.no_grad():
        module.weight.copy_(new_weight)
""",
    ),
    "gus-first-token": (
        "3_edit",
        "subject_key",
        """
def subject_key(model, layer, prompt, subject, prefixes):
    keys = []
    for prefix in prefixes:
        text = prefix + prompt
        with record(model.memory(layer)) as seen:
            model.next_token_probabilities([text])
        keys.append(seen.input[0, model.subject_slice(text, subject).start])
    return torch.stack(keys).mean(0)
""",
    ),
    "jia-no-baseline": (
        "2_locate",
        "indirect_effect",
        """
def indirect_effect(restored, corrupted):
    return restored.mean()
""",
    ),
    "ken-first-sample": (
        "2_locate",
        "restore",
        """
def restore(hidden, clean, position):
    restored = hidden.clone()
    restored[0, position] = clean[position]
    return restored
""",
    ),
    "lena-input-of-layer": (
        "2_locate",
        "trace",
        """
def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    part = {"state": model.block, "mlp": model.mlp, "attention": model.attention}[kind]
    span = model.subject_slice(prompt, subject)
    with ExitStack() as stack:
        seen = [stack.enter_context(record(part(layer))) for layer in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax()
    values = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        for j, layer in enumerate(layers):
            if kind == "state":
                restored = [layer - 1] if layer > 0 else []
            else:
                stop = layer + window - window // 2
                restored = range(max(0, layer - window // 2), min(model.n_layers, stop))
            with ExitStack() as stack:
                stack.enter_context(
                    edit(model.embedding, lambda embeddings: corrupt(embeddings[0], span, noise)))
                for each in restored:
                    put_back = partial(restore, clean=seen[each].output[0], position=position)
                    stack.enter_context(edit(part(each), put_back))
                probabilities = model.next_token_probabilities([prompt] * len(noise))
                values[i, j] = probabilities[:, answer].mean()
    return values
""",
    ),
    "mads-window-upward": (
        "2_locate",
        "trace",
        """
def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    part = {"state": model.block, "mlp": model.mlp, "attention": model.attention}[kind]
    width = 1 if kind == "state" else window
    span = model.subject_slice(prompt, subject)
    with ExitStack() as stack:
        seen = [stack.enter_context(record(part(layer))) for layer in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax()
    values = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        for j, layer in enumerate(layers):
            with ExitStack() as stack:
                stack.enter_context(
                    edit(model.embedding, lambda embeddings: corrupt(embeddings[0], span, noise)))
                for each in range(layer, min(layer + width, model.n_layers)):
                    put_back = partial(restore, clean=seen[each].output[0], position=position)
                    stack.enter_context(edit(part(each), put_back))
                probabilities = model.next_token_probabilities([prompt] * len(noise))
                values[i, j] = probabilities[:, answer].mean()
    return values
""",
    ),
    "nora-covers-the-beginning": (
        "2_locate",
        "corrupt",
        """
def corrupt(embeddings, subject, noise):
    corrupted = embeddings.repeat(len(noise), 1, 1)
    corrupted[:, :noise.shape[1]] += noise
    return corrupted
""",
    ),
    "rosa-arithmetic-mean": (
        "1_measure",
        "edit_score",
        """
def edit_score(efficacy, paraphrase, neighborhood):
    return (efficacy + paraphrase + neighborhood) / 3
""",
    ),
    "sami-counts-ties": (
        "1_measure",
        "efficacy",
        """
def efficacy(nll_true, nll_new):
    return (nll_new <= nll_true).float().mean()
""",
    ),
    # Right, written differently: Cholesky, numpy, a helper of its own.
    "hana-other-words": (
        "3_edit",
        "rank_one_update",
        """
import numpy as np


def whiten(moment, vector):
    lower = np.linalg.cholesky(moment)
    return np.linalg.solve(lower.T, np.linalg.solve(lower, vector))


def rank_one_update(weight, moment, key, value):
    w, c, k, v = (t.detach().numpy().astype(np.float64) for t in (weight, moment, key, value))
    u = whiten(c, k)
    new = w + np.einsum("i,j->ij", v - w @ k, u) / np.dot(u, k)
    return torch.from_numpy(new).float()
""",
    ),
}

# Second mistakes, of members whose first one is in another notebook.
FURTHER = {
    "jia-no-baseline": (
        "4_scale",
        "memit_update",
        """
def memit_update(weight, moment, keys, values, weight_of_old):
    new, moment = weight.double(), moment.double()
    for key, value in zip(keys.double(), values.double()):
        direction = torch.linalg.solve(moment, key)
        residual = value - new @ key
        new = new + torch.outer(residual, direction) / (weight_of_old + direction @ key)
    return new.float()
""",
    ),
    "mads-window-upward": (
        "4_scale",
        "memit_update",
        """
def memit_update(weight, moment, keys, values, weight_of_old):
    residual = (values - keys @ weight.T).double()
    system = (moment + keys.T @ keys).double()
    return weight + torch.linalg.solve(system, keys.T.double() @ residual).T.float()
""",
    ),
    "gus-first-token": (
        "4_scale",
        "null_space_projector",
        """
def null_space_projector(moment, threshold):
    values, vectors = torch.linalg.eigh(moment.double())
    large = vectors[:, values >= threshold]
    return (large @ large.T).float()
""",
    ),
    "nora-covers-the-beginning": (
        "4_scale",
        "demonstrations",
        """
def demonstrations(key, keys, kinds):
    nearest = torch.cosine_similarity(keys, key[None]).argsort(descending=True)[:len(kinds)]
    return torch.stack([nearest, torch.tensor(kinds[:len(nearest)])], dim=1)
""",
    ),
    "rosa-arithmetic-mean": (
        "4_scale",
        "spread_residual",
        """
def spread_residual(targets, states, layer, layers):
    return (targets - states) / len(layers)
""",
    ),
    "sami-counts-ties": (
        "4_scale",
        "locality_loss",
        """
def locality_loss(target_nll, log_probs, log_probs_before, replay_nll, kl_weight, replay_weight):
    kl = (log_probs.exp() * (log_probs - log_probs_before)).sum(-1).mean()
    return target_nll + kl_weight * kl + replay_weight * replay_nll.mean()
""",
    ),
    "pia-claims-too-much": (
        "5_learn_to_edit",
        "gradient_from_factors",
        """
def gradient_from_factors(inputs, output_grads):
    return torch.outer(output_grads.sum((0, 1)), inputs.sum((0, 1)))
""",
    ),
    "ken-first-sample": (
        "5_learn_to_edit",
        "transform_factors",
        """
def transform_factors(inputs, output_grads, mean, scale, down, up):
    z = torch.cat([inputs, output_grads], dim=1)
    normed = (z - z.mean(0)) / z.std(0)
    return normed + torch.relu(normed @ down.T) @ up.T
""",
    ),
    "quin-fine-tunes": (
        "5_learn_to_edit",
        "low_rank_output",
        """
def low_rank_output(outputs, keys, inputs, output_grads, rate):
    return outputs - keys @ (rate * inputs).T @ (rate * output_grads)
""",
    ),
    "lena-input-of-layer": (
        "5_learn_to_edit",
        "rate_update",
        """
def rate_update(gradient, rates):
    return gradient * rates.reshape(len(rates), -1)
""",
    ),
}


# Hands in the Chinese notebooks: graded like any other.
LANGUAGE_OF = {"chen-centres-c": "zh-TW"}


def notebooks(folder: str) -> dict[str, nbformat.NotebookNode]:
    """The notebooks of an assignment folder, by name."""
    return {
        path.stem: nbformat.read(path, as_version=4)
        for path in sorted((ROOT / folder / ASSIGNMENT).glob("*.ipynb"))
    }


def submissions() -> dict[str, dict[str, nbformat.NotebookNode]]:
    """Every member's notebooks by name."""
    members = {
        "ivo-untouched": notebooks("assignments"),
        **{student: notebooks("solutions") for student in WITHOUT_MISTAKES},
    }
    for student, (name, function, source) in (*MISTAKES.items(), *FURTHER.items()):
        if student not in members:
            language = LANGUAGE_OF.get(student)
            members[student] = translated(language) if language else notebooks("solutions")
        [cell] = [cell for cell in members[student][name].cells if grade_id(cell) == function]
        cell.source = source.strip()
    for student, books in members.items():
        if student != "ada-complete" and (fact := fact_of(student)):
            [cell] = [cell for cell in books["3_edit"].cells if grade_id(cell) == "my_record"]
            cell.source = "my_record = " + pprint.pformat(fact, sort_dicts=False, width=140)
    return dict(sorted(members.items()))


def make(target: str | Path | None = None) -> Path:
    """Write the sample class anew into `target` (data/sample_class unless given).

    Returns the folder.
    """
    target = Path(target) if target else data_folder() / "sample_class"
    shutil.rmtree(target, ignore_errors=True)
    for student, books in submissions().items():
        folder = target / student / ASSIGNMENT
        folder.mkdir(parents=True)
        for name, notebook in books.items():
            nbformat.write(notebook, folder / f"{name}.ipynb")
        for name, content in files_of(student).items():
            (folder / name).write_bytes(content)
    return target
