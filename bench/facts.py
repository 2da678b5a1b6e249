"""Editors over the public facts of data/facts.json, scored both ways: `python -m bench.facts [--method rome|fine-tuning] [--layer L] [--out FILE]`.

ROME by the solution notebook's own functions, and all weights fine-tuned on the one sentence. One edit at a time, each undone before the next;
prints the tables that docs/results.md quotes.
"""

import argparse
import json
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

from tqdm import tqdm

from autograder.oracle import measuring, metrics
from keyhole.checking.functions import functions_of
from keyhole.editing import Wanted, make_edit
from keyhole.facts import load_facts
from keyhole.finetuning import fine_tuned
from keyhole.models import load_model
from keyhole.moments import DEFAULT_LAYER, load_moment, load_prefixes
from keyhole.probes import KINDS, ProbeSet

FUNCTIONS = ("subject_key", "value_objective", "rank_one_update")
NOTEBOOK = Path(__file__).resolve().parent.parent / "solutions" / "model_editing" / "3_edit.ipynb"
METHODS = ("rome", "fine-tuning")
WAYS = {
    "by probability": ("probability", metrics.scores),
    "by generation": ("generation", metrics.generation_scores),
}


def rome(layer):
    """(model, fact) -> the model with the fact edited at `layer`, as a context that gives |Ŵ - W| / |W|."""
    functions, moment, prefixes = (
        functions_of(NOTEBOOK, FUNCTIONS),
        load_moment(layer=layer),
        load_prefixes(),
    )

    @contextmanager
    def edited(model, fact):
        wanted = Wanted(fact.prompt, fact.subject, fact.target_new)
        made = make_edit(model, layer, wanted, moment, functions, prefixes)
        with model.edited(layer, made.change):
            yield made.moved

    return edited


@contextmanager
def fine_tuning(model, fact):
    """The model with all weights trained on the fact's one sentence; gives the loss before the last step."""
    with fine_tuned(model, fact.prompt, fact.target_new, measuring.sequence_nll) as losses:
        yield losses[-1]


def measured(fact, probes):
    """A fact's probes of one moment, both ways: {"probability": as metrics.by_kind, "generation": as metrics.generated_by_kind}."""
    log_probabilities, generated = probes.measure()
    return {
        "probability": metrics.by_kind(fact, log_probabilities),
        "generation": metrics.generated_by_kind(fact, generated),
    }


def edit_all(model, edited, facts, layer, progress=iter):
    """Yields (fact, measured before, measured after, what the editor says of its size) for an editor that changes `layer` alone, or everything (None)."""
    for fact in progress(facts):
        probes = ProbeSet(model, fact.probes(), layer or 0)
        before = measured(fact, probes)
        with edited(model, fact) as size:
            if layer is None:  # the embeddings changed too
                probes = ProbeSet(model, fact.probes())
            after = measured(fact, probes)
        yield fact, before, after, size


def table(found, way):
    """The scores before and after, over all facts and by relation, as a Markdown table."""
    kind_of_score, scores_of = WAYS[way]
    lines = [f"| {way} | " + " | ".join(KINDS) + " | S |", "|---" * (len(KINDS) + 2) + "|"]
    relations = sorted({fact.relation for fact, *_ in found})
    groups = [
        ("all, before", [before for _, before, _, _ in found]),
        ("all, after", [after for _, _, after, _ in found]),
    ]
    groups += [
        (f"{name}, after", [after for fact, _, after, _ in found if fact.relation == name])
        for name in relations
    ]
    for name, edits in groups:
        scores = scores_of([edit[kind_of_score] for edit in edits])
        cells = [f"{100 * scores[kind].share:.1f}" for kind in KINDS] + [
            f"{100 * metrics.edit_score(scores):.1f}"
        ]
        lines.append(f"| {name} ({len(edits)}) | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.facts", description=__doc__)
    parser.add_argument(
        "--method", choices=METHODS, action="append", help="one of the two; both unless told"
    )
    parser.add_argument("--layer", type=int, default=DEFAULT_LAYER, help="where ROME edits")
    parser.add_argument("--first", type=int, help="only so many facts")
    parser.add_argument(
        "--out",
        type=Path,
        help="a file that gets one line of JSON an edit: every probe, before and after",
    )
    chosen, model = parser.parse_args(), load_model()
    facts = [fact for fact in load_facts() if not fact.hidden][: chosen.first]
    if chosen.out:
        chosen.out.write_text("")
    for method in chosen.method or METHODS:
        edited, layer = (
            (rome(chosen.layer), chosen.layer) if method == "rome" else (fine_tuning, None)
        )
        found = []
        for fact, before, after, size in edit_all(model, edited, facts, layer, tqdm):
            found.append((fact, before, after, size))
            if chosen.out:
                with chosen.out.open("a", encoding="utf-8") as file:
                    print(
                        json.dumps(
                            {
                                "method": method,
                                "id": fact.id,
                                "before": before,
                                "after": after,
                                "size": size,
                            }
                        ),
                        file=file,
                    )
        what = "mean |Ŵ - W| / |W|" if method == "rome" else "mean loss before the last step"
        print(
            f"\n## {method}\n",
            *(table(found, way) + "\n" for way in WAYS),
            f"{what}: {fmean(size for *_, size in found):.3g}",
            sep="\n",
        )


if __name__ == "__main__":
    main()
