"""ROME over all facts of data/facts.json, by the solution notebook's own functions: `python -m bench.facts [--layer L] [--out FILE]`.

One edit at a time, each undone before the next; prints the scores that docs/results.md quotes.
"""

import argparse
import json
from pathlib import Path
from statistics import fmean

from tqdm import tqdm

from autograder.oracle import metrics
from keyhole.editing import functions_of, make_edit
from keyhole.facts import load_facts
from keyhole.models import load_model
from keyhole.moments import DEFAULT_LAYER, load_moment, load_prefixes
from keyhole.probes import KINDS, ProbeSet

FUNCTIONS = ("subject_key", "value_objective", "rank_one_update")
NOTEBOOK = Path(__file__).resolve().parent.parent / "solutions" / "model_editing" / "3_edit.ipynb"


def edit_all(model, functions, facts, layer, progress=iter):
    """Yields (fact, probes before, probes after, |Ŵ - W| / |W|), probes as metrics.by_kind gives them."""
    moment, prefixes = load_moment(layer=layer), load_prefixes()
    for fact in progress(facts):
        made = make_edit(model, layer, fact.prompt, fact.subject, fact.target_new, moment, functions, prefixes)
        probes = ProbeSet(model, fact.probes(), layer)
        before = metrics.by_kind(fact, probes.log_probabilities())
        with model.edited(layer, made.change):
            after = metrics.by_kind(fact, probes.log_probabilities())
        yield fact, before, after, made.moved


def table(found):
    """The scores before and after, over all facts and by relation, as a Markdown table."""
    lines = ["| facts | " + " | ".join(KINDS) + " | S |", "|---" * (len(KINDS) + 2) + "|"]
    relations = sorted({fact.relation for fact, *_ in found})
    groups = [("all, before", [before for _, before, _, _ in found]), ("all, after", [after for _, _, after, _ in found])]
    groups += [(f"{name}, after", [after for fact, _, after, _ in found if fact.relation == name]) for name in relations]
    for name, edits in groups:
        scores = metrics.scores(edits)
        cells = [f"{100 * scores[kind].share:.1f}" for kind in KINDS] + [f"{100 * metrics.edit_score(scores):.1f}"]
        lines.append(f"| {name} ({len(edits)}) | " + " | ".join(cells) + " |")
    lines.append(f"\nmean |Ŵ - W| / |W|: {fmean(size for *_, size in found):.3f}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.facts", description=__doc__)
    parser.add_argument("--layer", type=int, default=DEFAULT_LAYER)
    parser.add_argument("--first", type=int, help="only so many facts")
    parser.add_argument("--out", type=Path, help="a file that gets one line of JSON a fact: every probe, before and after")
    chosen, found = parser.parse_args(), []
    for fact, before, after, size in edit_all(load_model(), functions_of(NOTEBOOK, FUNCTIONS), load_facts()[:chosen.first], chosen.layer, tqdm):
        found.append((fact, before, after, size))
        if chosen.out:
            with chosen.out.open("a", encoding="utf-8") as file:
                print(json.dumps({"id": fact.id, "before": before, "after": after, "size": size}), file=file)
    print(table(found))


if __name__ == "__main__":
    main()
