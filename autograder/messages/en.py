"""The staff's side in English: `TITLES` names the hidden tests, `FAILURES` says why a function gave nothing to grade, `SENTENCES` is the rest."""

SENTENCES = {
    # in the place of a test's result
    "unreadable": "The notebook could not be read, so this test did not run.",
    "not_run_again": (
        "Not run: an earlier test of `{function}` already ran out of time, so this one counts as"
        " out of time too."
    ),
    "made_by_call": (
        "`{name}` is made by a call at the top level of the notebook, which the grader does not"
        " run: make it inside the function that needs it."
    ),
    "our_fault": "The grader itself failed on this test; tell the course staff.",
    "failed": "`{function}` {failure}",
    "not_defined": "your definitions did not run: {failure}",
    "shapes_disagree": "`{function}` stopped, because shapes do not fit.",
    # the reason of a whole submission
    "our_fault_on": "The grader itself failed on {tests}; its error output says how.",
    "our_fault_whole": "The grader itself failed on this submission; its error output says how.",
    "not_started": "the sandbox did not start: {error}.",
    "not_prepared": "the sandbox did not start: it {error}",
    "no_folder": "there is no temporary folder for a submission: {error}.",
    # where a notebook was found
    "folder_absent": "there is no folder {folder} of this student's own.",
    "only_others": "there is no {file}, and none of the notebooks that are there is it: {others}.",
    "none_at_all": "there is no {file}, nor any other notebook.",
    "only_these": "there is no {file}, nor any other notebook; what is there: {others}.",
    "archive_closed": (
        "there is no {file}, unless it is in {archives}. Of archives only a .zip that lies in no"
        " other one is opened: hand in the notebooks themselves, in a folder."
    ),
    "other_form": (
        "there is no {file}, only {other}, which is not a notebook: hand in the .ipynb file itself."
    ),
    "not_this": (
        "{file} holds none of the cells that are graded: it is another notebook, or they were"
        " deleted."
    ),
    "found": "there is no {file} in its place; `{other}` was taken for it, by what is in it.",
    "found_among": (
        "there is no {file} in its place; of {count} notebooks that could be it, `{other}` was"
        " taken, the one with the most functions filled in."
    ),
    "found_tied": (
        "{others} could be it as well, with as many functions filled in; of these the last by name"
        " counts."
    ),
    "not_all_read": (
        "not every notebook that could be {file} was looked at: there are too many, or they are too"
        " large."
    ),
    "still_blank": "no function in {file} is filled in.",
    "taken_instead": "`{other}` was taken in its place.",
    "also_there": "besides {file} there is {others}; {file} itself counts.",
    "zip_opened": "the notebooks were taken out of {zip}.",
    "zip_damaged": "{zip} cannot be opened: hand in the notebooks themselves, in a folder.",
    "zip_locked": "{zip} asks for a password: hand in the notebooks themselves, in a folder.",
    "zip_too_large": (
        "{zip} unpacks to more than {limit} MB: hand in the notebooks themselves, in a folder,"
        " without their outputs."
    ),
    "no_room": (
        "{zip} was not unpacked, because the grader has no room for temporary files; tell the"
        " course staff."
    ),
    "files_elsewhere": (
        "beside {file} there was none of the files that go with it; those in {place} were taken:"
        " {files}."
    ),
    "file_renamed": "there is no {file}; `{other}` was taken for it, by its name.",
    "time_unreadable": (
        "timestamp.txt holds no time that can be read, so this submission has none; tell the course"
        " staff if that matters."
    ),
    # what was mended in a notebook
    "marks_lost": (
        "{file} has lost its nbgrader metadata, so its functions were found by their names."
    ),
    "cells_recovered": (
        "in {file} the marks of {cells} were lost; they were found by what is in them."
    ),
    "cells_twice": "in {file} graded cells are there more than once; what counts is {cells}.",
    "defined_twice": "in {file} a function is defined more than once; what counts is {cells}.",
    "functions_elsewhere": (
        "in {file} functions do not stand in their own cells; they were graded where they do:"
        " {cells}."
    ),
    "placed": "{cell} in cell {number}",
    "cells_missing": "in {file} cells are missing and count as they were handed out: {cells}.",
    "cells_reordered": (
        "in {file} the graded cells are in another order than in the handout; each counts where it"
        " stands."
    ),
    "kinds_changed": (
        "in {file} cells had been turned into text and were read as code all the same: {cells}."
    ),
    "marks_changed": (
        "in {file} the nbgrader marks of {cells} had been changed; those of the handout count."
    ),
    "ids_repeated": "in {file} several cells have the same id; each was read as a cell of its own.",
    "kernel": "{file} names a kernel for {language}; it was graded as Python.",
    "stood_in": "The notebook as it was handed out stands here instead.",
    "shown_in_part": "only the first {most} characters of {file} are shown here.",
    "notes": "Notes of the grader on this notebook",
    # the feedback page
    "no_tests": "The grader has no test for this cell; tell the course staff.",
    "our_fault_here": (
        "The grader itself failed here, so this cell shows 0 points for now; tell the course staff."
    ),
    "isolation": "Isolation level {level}.",
    "result": "result",
    "points": "points",
    "test": "test",
    "seen": "what was seen",
}

# By the codes of sandbox/process.py. The function is the subject, but where the sentence has one of its own.
FAILURES = {
    "stub": "still raises NotImplementedError: the blank is not filled in.",
    "absent": "there is no function `{detail}`.",
    "definitions": "your definitions did not run: {detail}.",
    "raised": "raised {detail}.",
    "none": "returned None: is there a `return`?",
    "type": "returned a {detail}, not a tensor.",
    "device": "returned a tensor on the {detail} device, which holds no numbers.",
    "layout": "returned a tensor of layout {detail}, not a dense one.",
    "dtype": "returned a tensor of dtype {detail}, which cannot be graded.",
    "big": "returned {detail}, which is too large to be right.",
    "memory": "ran out of memory: the limit is {detail} MB.",
    "timeout": "took longer than {detail} s and was stopped: is there a loop that never ends?",
    "cpu": "used more than {detail} s of processor time and was stopped.",
    "submission": (
        "was not run to its end: all functions of one submission together may take {detail} s, and"
        " these are used up."
    ),
    "exited": "ended its own process (exit status {detail}) before it returned.",
    "crashed": "crashed its own process ({detail}) before it returned.",
    "killed": "was killed from outside, most likely because the machine ran out of memory.",
    "lost": (
        "was lost twice, with the process it was forked from: it ended that process, or the machine"
        " ran out of memory."
    ),
    "garbled": "sent a reply that cannot be read: {detail}.",
}

SIGNS = {
    "pass": "✓ passed",
    "fail": "✗ not yet",
    "missing": "– missing",
    "error": "✗ error",
    "timeout": "✗ too slow",
}

TITLES = {
    "sequence_nll.one_token": "a target of one token",
    "sequence_nll.tokens": "a target of four tokens",
    "sequence_nll.repeated": "a token that stands in the target twice",
    "sequence_nll.large": "logits of size 300",
    "sequence_nll.improbable": "tokens that are all but impossible",
    "sequence_nll.inputs": "the arguments are left as they were",
    "sequence_nll.gradient": "its gradient",
    "sequence_nll.real": "a target of several tokens on the real model",
    "efficacy.mixed": "some probes as they should be, some not",
    "efficacy.ties": "some probes tie",
    "efficacy.close": "differences of some thousandths",
    "efficacy.one": "one probe",
    "neighborhood.mixed": "some probes as they should be, some not",
    "neighborhood.ties": "some probes tie",
    "neighborhood.close": "differences of some thousandths",
    "neighborhood.one": "one probe",
    "edit_score.mixed": "three different shares",
    "edit_score.zero": "one share is 0",
    "edit_score.nothing": "all shares are 0",
    "corrupt.middle": "a subject in the middle of the prompt",
    "corrupt.start": "a subject at the beginning",
    "corrupt.end": "a subject at the end",
    "corrupt.single": "a subject of one token, one sample",
    "corrupt.inputs": "the arguments are left as they were",
    "restore.middle": "a token in the middle, four samples",
    "restore.first": "the first token",
    "restore.last": "the last token",
    "restore.inputs": "a new tensor: the arguments are left as they were",
    "indirect_effect.difference": "restored above corrupted",
    "indirect_effect.negative": "restored below corrupted",
    "indirect_effect.small": "small probabilities",
    "trace.state_llama": "states of a small Llama-like model",
    "trace.state_gpt2": "states of a small GPT-2-like model",
    "trace.mlp": "a window of three MLP outputs",
    "trace.attention": "a window of three attention outputs",
    "trace.window_start": "a window that begins before layer 0",
    "trace.window_end": "a window that goes past the last layer",
    "trace.window_even": "a window of an even number of layers",
    "trace.order": "positions and layers in another order",
    "trace.given_noise": "the noise that is given, for every cell",
    "trace.one_sample": "one sample of noise",
    "trace.clean": "the model is left as it was",
    "trace.real": "cells of a map of the real model",
    "subject_key.llama": "k* on a small Llama-like model",
    "subject_key.gpt2": "k* on a small GPT-2-like model",
    "subject_key.repeated": "the subject's words also stand in a prefix",
    "subject_key.non_ascii": "a subject whose letters take several tokens",
    "subject_key.clean": "the model is left as it was",
    "subject_key.real": "k* of a fact on the real model, layer 5",
    "second_moment.uncentred": "keys whose mean is not zero",
    "second_moment.few_keys": "fewer keys than dimensions",
    "second_moment.small": "keys of size 0.001",
    "second_moment.large": "keys of size 1,000",
    "second_moment.inputs": "the keys are left as they were",
    "second_moment.real": "keys of the real model, layer 5",
    "value_objective.value": "the target's term alone",
    "value_objective.tokens": "a target of several tokens",
    "value_objective.divergence": "the KL term",
    "value_objective.decay": "the decay term",
    "value_objective.gradient": "all terms, and their gradient",
    "rank_one_update.wide": "a W with more columns than rows",
    "rank_one_update.conv1d": "W as the transposed view of a Conv1D's weight",
    "rank_one_update.conditioned": "a C of condition number 10,000",
    "rank_one_update.small_keys": "keys of size 0.001",
    "rank_one_update.large_keys": "keys of size 1,000",
    "rank_one_update.preservation": "the other keys move as little as possible",
    "rank_one_update.rank": "Ŵ − W has rank one",
    "rank_one_update.inputs": "the arguments are left as they were",
    "rank_one_update.real": "the real model's W and C, layer 5",
    "rank_one_update.reference": "reference matrices of facts on the real model",
    "rank_one_update.efficacy": "metrics run again with your Ŵ: efficacy",
    "rank_one_update.paraphrase": "metrics run again with your Ŵ: paraphrase",
    "rank_one_update.neighborhood": "metrics run again with your Ŵ: neighborhood",
    "rank_one_update.reversion": "metrics run again with your Ŵ: reversion (reported, no points)",
    "rank_one_update.portability": (
        "metrics run again with your Ŵ: portability (reported, no points)"
    ),
    "write_edit.linear": "a Linear",
    "write_edit.conv1d": "a Conv1D",
    "write_edit.square": "a square W, in a Conv1D and in a Linear",
    "write_edit.bias": "a module with a bias",
    "write_edit.in_place": "the module's own Parameter is written",
    "my_edit.form": "the two files can be read",
    "my_edit.known": "the model knew the true answer",
    "my_edit.own": "the fact is none of the handout's",
    "my_edit.direction": "the change has the direction C⁻¹ k* of your fact",
    "my_edit.value": "Ŵ k* = v*, and v* says the target",
    "my_edit.original": "run again: the edit works, and on its prompt does what you say",
    "my_edit.paraphrase": "run again: paraphrases do what you say",
    "my_edit.neighborhood": "run again: neighbors do what you say",
    "my_edit.reversion": "run again: the reversion does what you say",
    "my_edit.portability": "run again: portability is what you say",
}
