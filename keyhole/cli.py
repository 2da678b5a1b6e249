"""The command `keyhole`: fetch the model, check a notebook, trace and edit a fact.

Only here is anything printed. A command imports the modules that need torch itself, so
`keyhole --help` answers at once.
"""

import argparse
import json
import os
import sys
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from keyhole import fact_files, messages
from keyhole.errors import KeyholeError, Unusable
from keyhole.importing import import_path
from keyhole.messages import problem, shown
from keyhole.terminal import folded, padded, print_anything
from keyhole.text import as_target, difference, ordinary, places, why_absent

if TYPE_CHECKING:
    from keyhole.tracing import CausalMap

UNUSABLE = 2  # exit status for arguments that nothing can be done with
DEFAULT_MODEL, DEFAULT_LAYER = "smollm2-135m", 5
MEASURE = "model_editing/1_measure.ipynb"
LOCATE, EDIT = "model_editing/2_locate.ipynb", "model_editing/3_edit.ipynb"
SCALE = "model_editing/4_scale.ipynb"
# As in keyhole.editing_many, which needs torch.
MANY_METHODS = ("rome", "memit", "alphaedit", "finetuning", "in-context")
WAYS = {"probability": "by_probability", "generation": "by_generation"}
SYMBOLS = {"keys": "k*", "values": "v*", "writing": "Ŵ"}  # what is found in that stage
PATIENCE = 3.0  # seconds before a progress bar is shown, where the work may be short
# torch reads this when it is imported: threads that wait leave the processor to others.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


# What is said of a record that cannot be used, for each reason.
REASONS = {
    "no_object": "no_object_there",
    "no_key": "key_missing",
    "no_text": "key_no_text",
    "no_texts": "key_no_texts",
    "no_part": "key_no_part",
    "no_id": "key_no_id",
    "no_place_for_subject": "no_place",
    "uneven": "uneven_parts",
    "line_no_json": "line_broken",
    "no_list": "no_probe_list",
    "prompt_lacks_subject": "subject_absent",
    "same_targets": "nothing_to_edit",
    "same_record": "there_already",
    "record_no_utf8": "text_no_utf8",
    "record_no_tokens": "target_no_tokens",
    "record_too_long": "too_long",
}


# ---------------------------------------------------------------- the parser


def parser() -> argparse.ArgumentParser:
    """The parser of all subcommands.

    Each sets `run`, which takes the arguments and returns an exit status, or None for 0.
    """
    top = argparse.ArgumentParser(
        prog="keyhole", description="Find and change one fact in a language model."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _command(commands, fetch, "bring the default model to this machine, once")
    _add_check(commands)
    _add_trace(commands)
    _add_edit(commands)
    _add_moment(commands)
    _add_facts(commands)
    _add_score(commands)
    return top


def _command(commands, run, words):
    """The parser of one command, which is named as its function."""
    added = commands.add_parser(
        run.__name__, help=words, description=words[0].upper() + words[1:] + "."
    )
    added.set_defaults(run=run)
    added.add_argument(
        "--lang",
        choices=tuple(messages.LANGUAGES),
        help="language of the output (default: the environment variable KEYHOLE_LANG; without it"
        " `check` speaks as the notebook does, and the others en)",
    )
    return added


def _of_a_model(added):
    added.add_argument(
        "--model",
        metavar="NAME",
        default=DEFAULT_MODEL,
        help="the model: its name, or its folder (default %(default)s)",
    )
    added.add_argument(
        "--device",
        metavar="D",
        default="cpu",
        help='where the model runs: "cpu", or a GPU: "cuda", "cuda:1" (default %(default)s)',
    )


def _with_a_notebook(added, notebook=EDIT):
    added.add_argument(
        "--notebook",
        metavar="FILE",
        type=Path,
        help=f"the notebook with the functions (default: solutions/ or assignments/{notebook})",
    )


def _with_a_prompt(added, about):
    added.add_argument(
        "prompt",
        metavar="PROMPT",
        help='a sentence without its end: "The Eiffel Tower is located in the city of"',
    )
    added.add_argument("--subject", metavar="S", required=True, help=about)


def _add_check(commands):
    added = _command(
        commands, check, "run the public checks on a notebook's functions, in a fresh process"
    )
    added.add_argument("notebook", metavar="NOTEBOOK", type=Path)
    added.add_argument(
        "--seconds",
        type=_positive,
        default=60.0,
        help="time limit for one function, in seconds (default %(default)g)",
    )


def _add_trace(commands):
    added = _command(
        commands, trace, "draw the causal map of a prompt with the `trace` of a notebook"
    )
    _with_a_prompt(added, "what the prompt is about, as the prompt has it")
    added.add_argument(
        "--occurrence",
        metavar="N",
        type=int,
        help="which occurrence of the subject in the prompt, from 1 (default: the last)",
    )
    added.add_argument(
        "--kind",
        choices=("state", "mlp", "attention"),
        default="state",
        help="what the map restores (default %(default)s)",
    )
    added.add_argument(
        "--window",
        metavar="W",
        type=int,
        default=10,
        help="layers restored at once, of MLP or attention (default %(default)s)",
    )
    added.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="the picture: .png, .svg or .pdf"
    )
    _of_a_model(added)
    _with_a_notebook(added, LOCATE)


def _add_edit(commands):
    added = _command(
        commands,
        edit,
        "edit a fact with the functions of a notebook, and show what the model says before and"
        " after; with --method, many facts",
    )
    added.add_argument(
        "prompt",
        metavar="PROMPT",
        help='a sentence without its end: "The Eiffel Tower is located in the city of"; with'
        " --method, a file of facts: FACTS.json",
    )
    added.add_argument(
        "--subject", metavar="S", help="what the fact is about, as the prompt has it"
    )
    added.add_argument("--to", metavar="T", help="the new answer")
    added.add_argument(
        "--method",
        choices=MANY_METHODS,
        help="edit all facts of a file, in the way that 4_scale.ipynb shows, and print the scores;"
        " the functions come from 1_measure, 3_edit and 4_scale, which lie in one folder",
    )
    added.add_argument(
        "--true", metavar="T", help="the answer until now (default: the model's first)"
    )
    added.add_argument(
        "--layer",
        metavar="L",
        type=int,
        default=DEFAULT_LAYER,
        help="the layer whose matrix is edited, from 0 (default %(default)s)",
    )
    _of_a_model(added)
    _with_a_notebook(added)
    added.add_argument(
        "--json", metavar="FILE", type=Path, help="write all measurements to this file"
    )
    added.add_argument(
        "--plot",
        metavar="FILE.png",
        type=Path,
        help="draw the probes before and after into this file",
    )


def _add_moment(commands):
    added = _command(
        commands,
        moment,
        "compute the second moment C of a layer over the kit's text, and keep it in the cache",
    )
    added.add_argument("--layer", metavar="L", type=int, required=True, help="the layer, from 0")
    _of_a_model(added)
    _with_a_notebook(added)


def _add_facts(commands):
    added = _command(
        commands,
        facts,
        "say what a public file of facts holds, which of its records a model can use, and why it"
        " cannot use the others (exit status 1 if it can use none)",
    )
    added.add_argument("file", metavar="FILE", type=Path)
    added.add_argument(
        "--format",
        choices=tuple(fact_files.FORMATS),
        help="the file's format (default: told from its records)",
    )
    added.add_argument(
        "--list", action="store_true", help="name every record that cannot be used, and why"
    )
    _of_a_model(added)


def _add_score(commands):
    added = _command(
        commands,
        score,
        "measure my_edits.safetensors, the file of the challenge, on the public probes, with the"
        " `edit_score` of a notebook",
    )
    added.add_argument("file", metavar="FILE", type=Path)
    _with_a_notebook(added, MEASURE)


def main(arguments: list[str] | None = None) -> int:
    """Run one command: its exit status."""
    print_anything()
    if arguments is None:  # this process is the command's alone
        sys.path[:] = import_path()
    chosen = parser().parse_args(arguments)
    if chosen.lang:
        messages.use(chosen.lang)
    for library in ("TRANSFORMERS", "HF_HUB"):
        os.environ.setdefault(f"{library}_VERBOSITY", "error")
    try:
        return chosen.run(chosen) or 0
    except KeyholeError as error:
        print(f"keyhole: {error}", file=sys.stderr)
        return UNUSABLE if isinstance(error, Unusable) else 1
    except KeyboardInterrupt:
        return 130


# ---------------------------------------------------------------- fetch, check


def fetch(chosen: argparse.Namespace) -> None:
    """`keyhole fetch`."""
    from keyhole.fetch import fetch

    print(shown("model_is_in", folder=fetch()))


def check(chosen: argparse.Namespace) -> int:
    """`keyhole check`: 0 if every function passes, and the files beside the notebook do."""
    from keyhole.checking.selfcheck import check_beside, check_notebook, language_of

    if not (chosen.lang or os.environ.get("KEYHOLE_LANG")):
        messages.use(language_of(_there(chosen.notebook)) or messages.language())
    passed = []
    for name, well, line in check_notebook(_there(chosen.notebook), chosen.seconds):
        passed.append(well)
        first, *below = f"{'✓' if well else '✗'} {name:<16} {line}".splitlines()
        print(folded([first, *below]), flush=True)
    beside = check_beside(chosen.notebook)
    if beside:
        name, well, line = beside
        print(f"{'–' if well is None else '✓' if well else '✗'} {name:<16} {line}", flush=True)
    print(
        messages.feedback(
            "passed_all" if all(passed) else "passed_some", right=sum(passed), all=len(passed)
        )
    )
    return 0 if all(passed) and not (beside and beside[1] is False) else 1


# ---------------------------------------------------------------- trace


def trace(chosen: argparse.Namespace) -> None:
    """`keyhole trace`."""
    prompt, subject = _prompt_and_subject(chosen)
    _check_picture(chosen.out)
    occurrence = _occurrence(chosen, prompt, subject)

    from keyhole import tracing
    from keyhole.checking.functions import functions_of
    from keyhole.models import load_model
    from keyhole.plots import heat_map

    function = functions_of(_notebook(chosen, LOCATE), ("trace",))["trace"]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        made = tracing.trace_map(
            load_model(chosen.model, chosen.device).meaning(occurrence),
            prompt,
            subject,
            function,
            tracing.TraceSettings(kind=chosen.kind, window=chosen.window),
            _bar(shown("tracing"), "token"),
        )
    probabilities = shown(
        "clean_corrupted", clean=f"{made.clean:.3f}", corrupted=f"{made.corrupted:.3f}"
    )
    print(f"{prompt!r}:{made.answer}  {probabilities}  ({chosen.model})")
    for warning in (each for each in warned if each.category is UserWarning):
        print(shown("warning", text=warning.message))
    for line in _strongest(made):
        print(line)
    _save(heat_map(made), chosen.out)


def _occurrence(chosen, prompt, subject):
    """Which occurrence of the subject is meant, as a list index."""
    count = len(places(prompt, subject))
    if chosen.occurrence is None:
        if count > 1:
            print(shown("last_is_meant", subject=subject, count=count))
        return -1
    if not 1 <= chosen.occurrence <= count:
        raise Unusable(
            problem(
                "no_occurrence",
                subject=subject,
                prompt=prompt,
                count=count,
                occurrence=chosen.occurrence,
            )
        )
    return chosen.occurrence - 1


def _strongest(made: "CausalMap") -> Iterator[str]:
    """A line for each of the three tokens with the largest effects."""
    effects = made.effects
    for row in sorted(effects.max(1).values.topk(min(3, len(effects))).indices.tolist()):
        layer = int(effects[row].argmax())
        words = shown("strongest", layer=layer, effect=f"{effects[row, layer]:+.3f}")
        star = "*" if row in range(*made.span) else " "
        token = padded(made.tokens[row].strip(), 16, to_the_right=True)
        yield f"  {token}{star} {words}"


# ---------------------------------------------------------------- edit


def edit(chosen: argparse.Namespace) -> None:
    """`keyhole edit`: one fact, or with --method the facts of a file."""
    if chosen.method:
        return _edit_many(chosen)
    prompt, subject, target = _asked(chosen)

    from keyhole import questions
    from keyhole.checking.functions import functions_of
    from keyhole.editing import make_edit
    from keyhole.models import load_model
    from keyhole.moments import load_moment, load_prefixes
    from keyhole.probes import ProbeSet, continuation
    from keyhole.values import Rewrite

    fact = questions.known_fact(prompt, subject)
    true = as_target(_typed(chosen.true)) if chosen.true else fact and fact.target_true
    if true and true.strip() == target.strip():
        raise KeyholeError(problem("target_is_true", target=target))
    functions = functions_of(
        _notebook(chosen), ("subject_key", "value_objective", "rank_one_update")
    )
    model = load_model(chosen.model, chosen.device)
    model.block(chosen.layer)
    if model.subject_slice(prompt, subject).stop == 1:
        print(messages.misconception("subject_at_start"))
    true = true or questions.first_answers(model, prompt)[0][0]
    if (
        continuation(model, prompt, len(model.encode_targets([target])[0])).strip()
        == target.strip()
    ):
        raise KeyholeError(problem("says_target", target=target))
    moment = load_moment(chosen.model, chosen.layer, model)
    probes = (
        questions.probes_of(fact, target, true)
        if fact
        else questions.simple_probes(prompt, subject, target, true)
    )
    probes = ProbeSet(model, probes, chosen.layer)
    before = _measured(model, prompt, probes)
    layer = shown("layer", layer=chosen.layer)
    print(f"{prompt!r}:{true} →{target}  ({chosen.model}, {layer})", flush=True)
    rewrite = Rewrite(prompt, subject, target, load_prefixes())
    steps = _bar("v*", shown("step"))
    made = make_edit(model, chosen.layer, rewrite, moment, functions, steps)
    with model.edited(chosen.layer, made.change):
        after = _measured(model, prompt, probes)
    _show_edit(made, before, after)
    names = {"prompt": prompt, "subject": subject, "target_true": true, "target_new": target}
    _keep_edit(chosen, names, made, before, after)


def _measured(model, prompt, probes):
    """What the model as it is now says."""
    from keyhole.probes import continuation
    from keyhole.questions import first_answers

    return {
        "continuation": continuation(model, prompt, 10),
        "first_answers": first_answers(model, prompt),
        "probes": probes.answers(),
    }


def _show_edit(made, before, after):
    for line in _before_after(before, after):
        print(line)
    parts = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in made.seconds.items())
    searched = shown("searched", steps=len(made.losses), loss=f"{made.losses[-1]:.3f}")
    print(
        f"\n|Ŵ − W| / |W| = {made.moved:.3f}; {sum(made.seconds.values()):.1f} s ({parts};"
        f" {searched})"
    )


def _keep_edit(chosen, names, made, before, after):
    """Write the report and the picture, where they are asked for."""
    if chosen.json:
        report = {
            "model": chosen.model,
            "layer": chosen.layer,
            **names,
            **_report(made, before, after),
        }
        _write(chosen.json, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        print(shown("measured", path=chosen.json))
    if chosen.plot:
        from keyhole.plots import before_after, say

        title = f"{names['subject']}:{names['target_true']} →{names['target_new']}"
        title = say("of_layer", title=title, layer=chosen.layer)
        _save(before_after(before["probes"], after["probes"], title), chosen.plot)


def _report(made, before, after):
    """What was measured, for a JSON file."""
    probes = [
        {
            "kind": old.kind,
            "prompt": old.probe.prompt,
            "target_true": old.probe.target_true,
            "target_new": old.probe.target_new,
            "before": {"true": old.true, "new": old.new},
            "after": {"true": new.true, "new": new.new},
        }
        for old, new in zip(before["probes"], after["probes"], strict=True)
    ]
    said_before, said_after = (
        {name: seen[name] for name in ("continuation", "first_answers")} for seen in (before, after)
    )
    return {
        "relative_change": made.moved,
        "losses": made.losses,
        "seconds": made.seconds,
        "before": said_before,
        "after": said_after,
        "probes": probes,
    }


def _before_after(before, after):
    """What the model says, then one line a probe."""
    answers = [
        ", ".join(f"{text.strip() or repr(text)} {p:.2f}" for text, p in seen["first_answers"])
        for seen in (before, after)
    ]
    said = [
        ["", shown("before"), shown("after")],
        [shown("says"), repr(before["continuation"]), repr(after["continuation"])],
        [shown("first_answers"), *answers],
    ]
    yield from ["", *_columns(said), ""]
    when = [shown("before"), shown("after")]
    rows = [
        [
            shown("probe"),
            shown("prompt"),
            shown("true_answer"),
            *when,
            shown("new_target"),
            *when,
            shown("ahead"),
        ]
    ]
    for old, new in zip(before["probes"], after["probes"], strict=True):
        true, target = (
            _short(text.strip(), 16) for text in (old.probe.target_true, old.probe.target_new)
        )
        first, then = (true if answer.true > answer.new else target for answer in (old, new))
        rows.append(
            [
                old.kind,
                _short(old.probe.prompt, 48),
                true,
                f"{old.true:.3f}",
                f"{new.true:.3f}",
                target,
                f"{old.new:.3f}",
                f"{new.new:.3f}",
                first if first == then else f"{first} → {then}",
            ]
        )
    yield from _columns(rows)


# ---------------------------------------------------------------- edit --method


def _edit_many(chosen):
    """`keyhole edit --method`: all facts of a file."""
    for option in ("subject", "to", "true", "plot"):
        if getattr(chosen, option) is not None:
            raise Unusable(problem("edit_of_many", option=f"--{option}"))
    read = fact_files.read_facts(_there(Path(chosen.prompt)))
    if chosen.json:
        _check_writable(chosen.json)

    from keyhole import editing, editing_many
    from keyhole.models import load_model
    from keyhole.moments import load_moment

    functions = _functions_for(chosen)
    model = load_model(chosen.model, chosen.device)
    model.block(chosen.layer)
    facts = _to_score(fact_files.askable(model, read))

    def progress(stage, things):
        return _bar(SYMBOLS.get(stage) or shown(stage), shown("fact"))(things)

    task = editing_many.Task(
        *(model, chosen.layer, facts, functions),
        *(lambda: load_moment(chosen.model, chosen.layer, model),),
        *(editing.text_for(model, chosen.model), progress),
    )
    if chosen.method in ("rome", "memit", "alphaedit"):
        task.moment()  # before the work, where there is none
    print(
        f"{chosen.method}: {shown('facts_of', count=len(facts), file=read.name)} "
        f" ({chosen.model}, {shown('layer', layer=chosen.layer)})",
        flush=True,
    )
    made = editing_many.edit_many(task, chosen.method)
    for one, other in made.one_key:
        print(shown("one_key", one=one.prompt, other=other.prompt))
    before, after = (editing_many.scores(task, each) for each in (made.before, made.after))
    for line in _table_of_scores(before, after):
        print(line)
    print(f"\n|Ŵ − W| / |W| = {made.moved:.3f}; {made.seconds:.1f} s")
    if chosen.json:
        _write(chosen.json, json.dumps(_many_report(chosen, made, before, after), indent=1) + "\n")
        print(shown("measured", path=chosen.json))


def _functions_for(chosen):
    """The functions that a method needs, from the notebooks of one folder."""
    from keyhole.checking.functions import functions_of
    from keyhole.editing_many import MEASURES, METHODS

    folder, functions = _notebook(chosen, SCALE).parent, {}
    for needed in (MEASURES, METHODS[chosen.method]):
        for notebook, names in needed.items():
            functions |= functions_of(_there(folder / f"{notebook}.ipynb"), names)
    return functions


def _to_score(read):
    """The records that S can be measured of; those that are left out are told."""
    if said := fact_files.left_out(read):
        print(shown("warning", text=said))
    lack = [
        number
        for number, each in read.records.items()
        if None in (each.target_true, each.target_new) or not (each.paraphrases and each.neighbors)
    ]
    if lack:
        some = messages.listed(lack[: fact_files.MOST_NUMBERS], len(lack) > fact_files.MOST_NUMBERS)
        if len(lack) == len(read.records):
            raise KeyholeError(problem("none_to_score", file=read.name))
        print(shown("warning", text=problem("not_to_score", file=read.name, numbers=some)))
    return [each for number, each in read.records.items() if number not in lack]


def _table_of_scores(before, after):
    """One line for each way to count, before and after."""
    rows = [["", "", "S", *(shown(name) for name in ("efficacy", "paraphrase", "neighborhood"))]]
    for way in before:
        for when, made in (("before", before), ("after", after)):
            cells = [f"{100 * each:.1f}" for each in made[way]]
            rows.append([shown(WAYS[way]), shown(when), *cells])
    return ["", *_columns(rows)]


def _many_report(chosen, made, before, after):
    """What was measured, for a JSON file."""
    names = ("S", "efficacy", "paraphrase", "neighborhood")
    facts = [
        {
            "prompt": old.fact.prompt,
            "target_true": old.fact.target_true,
            "target_new": old.fact.target_new,
            **{
                when: {
                    kind: {
                        "nll_true": each.nll[kind][0].tolist(),
                        "nll_new": each.nll[kind][1].tolist(),
                        "says": each.says[kind].tolist(),
                    }
                    for kind in each.nll
                }
                for when, each in (("before", old), ("after", new))
            },
        }
        for old, new in zip(made.before, made.after, strict=True)
    ]
    return {
        "model": chosen.model,
        "layer": chosen.layer,
        "method": chosen.method,
        "relative_change": made.moved,
        "seconds": made.seconds,
        **{
            when: {way: dict(zip(names, values)) for way, values in each.items()}
            for when, each in (("before", before), ("after", after))
        },
        "facts": facts,
    }


# ---------------------------------------------------------------- moment


def moment(chosen: argparse.Namespace) -> None:
    """`keyhole moment`."""
    from keyhole import editing
    from keyhole.checking.functions import functions_of
    from keyhole.models import load_model
    from keyhole.moments import check_room, made_of, moment_file, save_moment
    from keyhole.paths import data_folder

    path = moment_file(chosen.model, chosen.layer)
    if path.is_relative_to(data_folder()):
        print(shown("moment_carried", path=path))
        return
    functions = functions_of(_notebook(chosen), ("second_moment",))
    model = load_model(chosen.model, chosen.device)
    check_room(path, model.weight(chosen.layer).shape[1])
    ids = editing.text_for(model, chosen.model)
    made = editing.mean_moment(
        model,
        chosen.layer,
        ids,
        functions["second_moment"],
        _bar(shown("moment_of", layer=chosen.layer), shown("piece")),
    )
    save_moment(made, path, made_of(model))
    print(shown("moment_over", tokens=f"{ids.numel():,}", path=path))


# ---------------------------------------------------------------- facts


def facts(chosen: argparse.Namespace) -> int:
    """`keyhole facts`: 0 if the model can be asked at least one record."""
    read = fact_files.read_facts(_there(chosen.file), chosen.format)
    known = frozenset()
    if read.records:
        from keyhole.models import load_model
        from keyhole.probes import score

        model = load_model(chosen.model, chosen.device)
        read = fact_files.askable(
            model, read, _bar(shown("reading"), shown("record"), delay=PATIENCE)
        )
        asked = {
            number: (record.prompt, record.target_true)
            for number, record in read.records.items()
            if record.target_true is not None
        }
        bar = _bar(shown("measuring"), shown("batch"), delay=PATIENCE)
        scores = score(model, asked.values(), bar)
        known = frozenset(number for number, each in asked.items() if scores[each].rank == 1)
    form = fact_files.FORMATS[read.format].title
    print(shown("file_holds", file=read.name, count=read.count, format=form))
    for line in _usable(read, known, chosen.model):
        print(line)
    if read.refused:
        print()
        for line in _refused_one_by_one(read) if chosen.list else _refused_by_reason(read):
            print(line)
    return 0 if read.records else 1


def _usable(read, known, model):
    """How many records the model can be asked, and what for."""
    records = read.records.values()
    to_edit = sum(record.target_new is not None for record in records)
    answered = sum(record.target_true is not None for record in records)
    probes = Counter(
        kind for record in records for kind, each in record.probes().items() for _ in each
    )
    rows = [
        [shown("usable_with", model=model), str(len(records))],
        [shown("to_trace"), str(len(records))],
        [shown("to_edit"), str(to_edit)],
        [shown("known_to_model"), shown("share", count=len(known), all=answered)],
        [shown("probes"), ", ".join(f"{kind} {count:,}" for kind, count in probes.items())],
        [shown("not_usable"), str(len(read.refused))],
    ]
    if read.unread:
        unread = ", ".join(f"{key} {count:,}" for key, count in read.unread.items())
        rows.insert(-1, [shown("not_read"), unread])
    return _columns(rows)


def _refused_by_reason(read):
    """The commonest reasons first, each with the first few records that it is true of."""
    by_reason = {}
    for number, error in sorted(read.refused.items()):
        by_reason.setdefault(_reason(error), []).append(number)
    rows = [[shown("reason"), shown("records"), shown("numbers")]]
    for reason, numbers in sorted(by_reason.items(), key=lambda each: -len(each[1])):
        some = ", ".join(map(str, numbers[: fact_files.MOST_NUMBERS]))
        more = ", …" if len(numbers) > fact_files.MOST_NUMBERS else ""
        rows.append([reason, str(len(numbers)), some + more])
    return _columns(rows)


def _refused_one_by_one(read):
    return [str(error) for _, error in sorted(read.refused.items())]


def _reason(error):
    """Why a record cannot be used, in a few words that are the same for all such records."""
    return shown(REASONS[error.code], key=error.key)


# ---------------------------------------------------------------- score


def score(chosen: argparse.Namespace) -> None:
    """`keyhole score`."""
    path = _there(chosen.file)

    from keyhole.checking import challenge
    from keyhole.checking.functions import functions_of, result_of
    from keyhole.models import load_model

    function = functions_of(_notebook(chosen, MEASURE), ("edit_score",))["edit_score"]
    model = load_model()
    edits = challenge.read_edits(path, model)
    made = challenge.public_scoring(model).of(edits)
    value = function(*made.shares)
    whole = result_of("edit_score", value, (), messages.word("score"), model.device)
    for line in _scored(made, float(whole), edits):
        print(line)
    if not made.keeps_text:
        print(shown("score_text", percent=round(100 * (challenge.PERPLEXITY_RISE - 1))))
        return
    reached = challenge.passed(float(whole), challenge.public_baselines())
    for name, least in challenge.public_baselines().items():
        mark = "✓" if name in reached else "✗"
        print(f"{mark} {name:<7} S {100 * least:.1f}")


def _scored(made, whole, edits):
    """What was measured, a line each."""
    efficacy, paraphrase, neighborhood = (f"{100 * share:.1f}" for share in made.shares)
    shares = {"efficacy": efficacy, "paraphrase": paraphrase, "neighborhood": neighborhood}
    yield shown("score_shares", S=f"{100 * whole:.1f}", **shares)
    layers = messages.listed(sorted(edits.factors))
    yield shown("score_size", size=f"{made.size:.3f}", rank=edits.rank, layers=layers)
    before, after = f"{made.perplexity_before:.1f}", f"{made.perplexity:.1f}"
    yield shown("score_perplexity", before=before, after=after)


# ---------------------------------------------------------------- arguments


def _asked(chosen):
    """Prompt, subject and target; arguments that cannot be used are refused, before any work.

    What can safely be mended is mended, and said.
    """
    for option in ("subject", "to"):
        if getattr(chosen, option) is None:
            raise Unusable(problem("edit_lacks", option=f"--{option}"))
    typed = _typed(chosen.to)
    if not typed.strip():
        raise KeyholeError(problem("no_target"))
    prompt, subject = _prompt_and_subject(chosen)
    target = as_target(typed)
    if target.startswith(" ") and not typed.startswith(" "):
        print(shown("target_taken", target=target))
    elif typed.startswith(" ") and not target.startswith(" "):
        print(shown("target_bare", target=target))
    if chosen.json:
        _check_writable(chosen.json)
    if chosen.plot:
        _check_picture(chosen.plot)
    if (count := len(places(prompt, subject))) > 1:
        print(shown("last_is_edited", subject=subject, count=count))
    return prompt, subject, target


def _prompt_and_subject(chosen):
    typed, subject = _typed(chosen.prompt), _typed(chosen.subject).strip()
    prompt = typed.rstrip()
    if not places(prompt, subject):
        raise KeyholeError(
            problem("no_subject", subject=subject, prompt=prompt), *why_absent(subject, prompt)
        )
    if prompt != typed:
        print(shown("blank_left_out"))
    return prompt, subject


def _typed(text):
    """A text that was typed, with ordinary letters and blanks; what was replaced is said.

    Raises Unusable where some of its bytes are no letters: no tokenizer takes them.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unusable(problem("no_utf8", text=text)) from None
    plain = ordinary(text)
    if plain != text:
        one, other = difference(text, plain)
        print(shown("letters_replaced", text=plain, one=one, other=other))
    return plain


def _notebook(chosen, name=EDIT):
    """The notebook whose functions are used.

    The one named, else the staff's solution, else the student's own.
    """
    if chosen.notebook:
        return _there(chosen.notebook)
    root = Path(__file__).resolve().parent.parent
    for folder in ("solutions", "assignments"):
        if (root / folder / name).exists():
            return root / folder / name
    raise KeyholeError(problem("no_notebook", name=name))


def _there(path):
    """A path, unless there is nothing."""
    if not os.path.exists(path):  # Path.exists raises where the name is too long
        raise Unusable(problem("no_file", path=path))
    return path


def _check_writable(path):
    """Find out before the work that its result cannot be written."""
    with suppress(OSError):  # a name that is too long
        if (
            not path.is_dir()
            and path.parent.is_dir()
            and os.access(path if path.exists() else path.parent, os.W_OK)
        ):
            return
    raise Unusable(problem("not_writable", path=path))


def _check_picture(path):
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise Unusable(problem("picture_name", path=path))
    _check_writable(path)


def _positive(text):
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


# ---------------------------------------------------------------- what is shown


def _bar(words, unit, delay=0.0) -> Callable:
    """What wraps an iterable in a progress bar, which is shown after `delay` seconds."""
    from tqdm import tqdm

    return partial(tqdm, desc=words, unit=unit, leave=False, delay=delay)


def _columns(rows):
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths)).rstrip()
        for row in rows
    ]


def _width(text):
    """Columns of a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _short(text, length):
    """A text's beginning, where probes differ, and more of its end, where the question is."""
    return (
        text
        if len(text) <= length
        else text[: length // 3] + "…" + text[length // 3 + 1 - length :]
    )


def _save(picture, path):
    try:
        picture.savefig(path)
    except (OSError, ValueError) as error:
        raise KeyholeError(problem("picture_not_written", path=path, error=error)) from None
    print(shown("picture", path=path))


def _write(path, text):
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise KeyholeError(problem("file_not_written", path=path, error=error.strerror)) from None
