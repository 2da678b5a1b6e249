"""Editors over the public facts of data/facts.json, scored both ways: `python -m bench.facts`.

The editors are ROME, by the solution notebook's own functions, and all weights fine-tuned on the
one sentence. Each edit is undone before the next. Prints the tables that docs/results.md quotes.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from tqdm import tqdm

from autograder.oracle import measuring, metrics
from keyhole.checking.functions import functions_of
from keyhole.editing import make_edit
from keyhole.facts import Fact, load_facts
from keyhole.finetuning import fine_tuned
from keyhole.models import EditableModel, load_model
from keyhole.moments import DEFAULT_LAYER, load_moment, load_prefixes
from keyhole.probes import PROBE_KINDS, ProbeSet
from keyhole.terminal import print_anything
from keyhole.values import Rewrite

FUNCTIONS = ("subject_key", "value_objective", "rank_one_update")
NOTEBOOK = Path(__file__).resolve().parent.parent / "solutions" / "model_editing" / "3_edit.ipynb"
METHODS = ("rome", "fine-tuning")
WAYS = {
    "by probability": ("probability", metrics.scores),
    "by generation": ("generation", metrics.generation_scores),
}


Editor = Callable  # (model, fact) -> a context in which the fact is edited; it gives the size


@dataclass(frozen=True)
class EditedFact:
    """One fact's probes before and after an edit, and the size that the editor tells of."""

    fact: Fact
    before: dict
    after: dict
    size: float


def rome(layer: int) -> Editor:
    """ROME at `layer`; its size is |Ŵ - W| / |W|."""
    functions, prefixes = functions_of(NOTEBOOK, FUNCTIONS), load_prefixes()
    moment = load_moment(layer=layer)

    @contextmanager
    def edited(model: EditableModel, fact: Fact) -> Iterator[float]:
        rewrite = Rewrite(fact.prompt, fact.subject, fact.target_new, prefixes)
        made = make_edit(model, layer, rewrite, moment, functions)
        with model.edited(layer, made.change):
            yield made.moved

    return edited


@contextmanager
def fine_tuning(model: EditableModel, fact: Fact) -> Iterator[float]:
    """All weights trained on the fact's one sentence; its size is the loss before the last step."""
    with fine_tuned(model, fact.prompt, fact.target_new, measuring.sequence_nll) as losses:
        yield losses[-1]


def measured(fact: Fact, probes: ProbeSet) -> dict:
    """A fact's probes at one moment, by probability and by generation."""
    log_probabilities, generated = probes.measure()
    return {
        "probability": metrics.by_kind(fact, log_probabilities),
        "generation": metrics.generated_by_kind(fact, generated),
    }


def edit_all(
    model: EditableModel, editor: Editor, facts: Iterable[Fact], layer: int | None
) -> Iterator[EditedFact]:
    """Edit one fact after the other; the editor changes `layer` alone, or everything (None)."""
    for fact in facts:
        probes = ProbeSet(model, fact.probes(), layer or 0)
        before = measured(fact, probes)
        with editor(model, fact) as size:
            if layer is None:  # the embeddings changed too
                probes = ProbeSet(model, fact.probes())
            after = measured(fact, probes)
        yield EditedFact(fact, before, after, size)


def table(edits: list[EditedFact], way: str) -> str:
    """The scores before and after, over all facts and by relation, as a Markdown table."""
    kind_of_score, scores_of = WAYS[way]
    lines = [
        f"| {way} | " + " | ".join(PROBE_KINDS) + " | S |",
        "|---" * (len(PROBE_KINDS) + 2) + "|",
    ]
    groups = {
        "all, before": [edit.before for edit in edits],
        "all, after": [edit.after for edit in edits],
    }
    for relation in sorted({edit.fact.relation for edit in edits}):
        groups[f"{relation}, after"] = [
            edit.after for edit in edits if edit.fact.relation == relation
        ]
    for name, probes in groups.items():
        scores = scores_of([each[kind_of_score] for each in probes])
        shares = [*(scores[kind].share for kind in PROBE_KINDS), metrics.edit_score(scores)]
        cells = " | ".join(f"{100 * share:.1f}" for share in shares)
        lines.append(f"| {name} ({len(probes)}) | {cells} |")
    return "\n".join(lines)


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.facts", description=__doc__)
    parser.add_argument("--method", choices=METHODS, action="append", help="one; both unless told")
    parser.add_argument("--layer", type=int, default=DEFAULT_LAYER, help="where ROME edits")
    parser.add_argument("--first", type=int, help="only so many facts")
    parser.add_argument(
        "--out", type=Path, help="a file that gets a line of JSON an edit, with every probe"
    )
    return parser.parse_args()


def append(path: Path, method: str, edit: EditedFact) -> None:
    """Write an edit down, as a line of JSON."""
    line = {"method": method, "id": edit.fact.id, "before": edit.before, "after": edit.after}
    with path.open("a", encoding="utf-8") as file:
        print(json.dumps(line | {"size": edit.size}), file=file)


def main() -> None:
    print_anything()
    chosen, model = options(), load_model()
    facts = [fact for fact in load_facts() if not fact.hidden][: chosen.first]
    if chosen.out:
        chosen.out.write_text("")
    for method in chosen.method or METHODS:
        editor, layer, what = fine_tuning, None, "mean loss before the last step"
        if method == "rome":
            editor, layer, what = rome(chosen.layer), chosen.layer, "mean |Ŵ - W| / |W|"
        edits = []
        for edit in edit_all(model, editor, tqdm(facts), layer):
            edits.append(edit)
            if chosen.out:
                append(chosen.out, method, edit)
        print(f"\n## {method}\n")
        for way in WAYS:
            print(table(edits, way) + "\n")
        print(f"{what}: {fmean(edit.size for edit in edits):.3g}")


if __name__ == "__main__":
    main()
