"""The staff's side in English, in four tables.

- `SENTENCES`: everything that is in none of the others.
- `FAILURES`: why a function gave nothing to grade.
- `SIGNS`: the verdicts on the feedback pages.
- `TITLES`: the names of the hidden tests.
"""

SENTENCES = {
    # in the place of a test's result
    "unreadable": "The grader could not read the notebook, so this test did not run.",
    "not_run_again": (
        "Not run: an earlier test of `{function}` ran out of time, so this one counts as out of "
        "time too."
    ),
    "our_fault": "The grader itself failed on this test. Tell the course staff.",
    "failed": "`{function}` {failure}",
    "not_defined": "your definitions did not run: {failure}",
    "shapes_disagree": "`{function}` stopped because shapes do not fit.",
    # the reason of a whole submission
    "our_fault_on": "The grader itself failed on {tests}; its error output says how.",
    "our_fault_whole": "The grader itself failed on this submission; its error output says how.",
    "not_started": "the sandbox did not start: {error}.",
    "not_prepared": "the sandbox did not start: it {error}",
    "no_folder": "there is no temporary folder for the submission: {error}.",
    # where a notebook was found
    "folder_absent": "the student has no folder {folder}.",
    "place_linked": (
        "`{place}` is a symbolic link, which the grader does not follow: hand in the folder itself."
    ),
    "only_links": (
        "there is no {file}, unless it is behind {links}. The grader follows no symbolic link: "
        "hand in the files themselves."
    ),
    "unread": (
        "`{place}` cannot be read: {why}. Course staff: let the grader read it, then grade again."
    ),
    "only_others": "there is no {file}, and none of the other notebooks is it: {others}.",
    "none_at_all": "there is no {file} and no other notebook.",
    "only_these": "there is no {file} and no other notebook, only {others}.",
    "archive_closed": (
        "there is no {file}, unless it is in {archives}. "
        "The grader opens only a .zip that is not inside another archive: hand in the notebooks "
        "themselves, in a folder."
    ),
    "other_form": (
        "there is no {file}, only {other}, which is not a notebook: hand in the .ipynb file itself."
    ),
    "not_this": (
        "{file} has none of the graded cells: it is another notebook, or the cells were deleted."
    ),
    "found": (
        "there is no {file} in its place; the grader took `{other}` for it, because of its content."
    ),
    "found_among": (
        "there is no {file} in its place; {count} notebooks could be it, and the grader took "
        "`{other}`, in which the most functions are filled in."
    ),
    "found_tied": (
        "{others} could be it as well, with as many functions filled in; the last by name counts."
    ),
    "not_all_read": (
        "the grader did not look at every notebook that could be {file}: they are too many or too "
        "large."
    ),
    "still_blank": "no function in {file} is filled in.",
    "taken_instead": "the grader took `{other}` instead.",
    "also_there": "besides {file} there is {others}; {file} itself counts.",
    "zip_opened": "the grader took the notebooks out of {zip}.",
    "zip_damaged": "{zip} cannot be opened: hand in the notebooks themselves, in a folder.",
    "zip_locked": "{zip} asks for a password: hand in the notebooks themselves, in a folder.",
    "zip_too_large": (
        "{zip} unpacks to more than {limit} MB: hand in the notebooks themselves, in a folder and "
        "without their outputs."
    ),
    "no_room": (
        "the grader did not unpack {zip}, because it has no room for temporary files; tell the "
        "course staff."
    ),
    "files_elsewhere": (
        "beside {file} there was none of the files that go with it; the grader took those in "
        "{place}: {files}."
    ),
    "file_renamed": "there is no {file}; the grader took `{other}` for it, because of its name.",
    "time_unreadable": (
        "timestamp.txt holds no time that the grader can read, so this submission has none; tell "
        "the course staff if that matters."
    ),
    # what was mended in a notebook
    "marks_lost": (
        "{file} has lost its nbgrader metadata, so the grader found its functions by their names."
    ),
    "cells_recovered": (
        "in {file} the marks of {cells} were lost; the grader found these cells by their content."
    ),
    "cells_twice": "{file} has graded cells more than once; the ones that count are {cells}.",
    "defined_twice": "{file} defines a function more than once; what counts is {cells}.",
    "functions_elsewhere": (
        "in {file} some functions are not in their own cells; the grader graded them where they "
        "are: {cells}."
    ),
    "placed": "{cell} in cell {number}",
    "cells_missing": "{file} lacks some cells, and they count as they were handed out: {cells}.",
    "cells_reordered": (
        "the graded cells of {file} are in another order than in the handout; each counts where "
        "it stands."
    ),
    "kinds_changed": (
        "some cells of {file} had been turned into text; the grader read them as code all the "
        "same: {cells}."
    ),
    "marks_changed": (
        "the nbgrader marks of {cells} in {file} had been changed; those of the handout count."
    ),
    "ids_repeated": (
        "several cells of {file} have the same id; the grader read each as a separate cell."
    ),
    "kernel": "{file} names a kernel for {language}; the grader graded it as Python.",
    "stood_in": "The notebook of the handout stands here instead.",
    "shown_in_part": "only the first {most} characters of {file} are shown here.",
    "notes": "The grader's notes on this notebook",
    # the feedback page
    "no_tests": "The grader has no test for this cell. Tell the course staff.",
    "our_fault_here": (
        "The grader itself failed here, so this cell shows 0 points for now. Tell the course staff."
    ),
    "isolation": "Isolation level {level}.",
    "result": "result",
    "points": "points",
    "test": "test",
    "seen": "what the grader saw",
}

# By the codes of sandbox/failures.py. The function is the subject, unless a sentence has another.
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
    "memory_step": (
        "ran out of memory at {detail} (this step asks for / all steps may use): look for a way "
        "without so large a tensor."
    ),
    "timeout": "took longer than {detail} s and was stopped: is there a loop that never ends?",
    "cpu": "used more than {detail} s of processor time and was stopped.",
    "submission": (
        "did not finish: all functions of one submission together may take {detail} s, and that "
        "time is used up."
    ),
    "exited": "ended its own process (exit status {detail}) before it returned.",
    "crashed": "crashed its own process ({detail}) before it returned.",
    "killed": "was killed from outside, most likely because the machine ran out of memory.",
    "lost": (
        "was lost twice, together with the process that started it: it ended that process, or the "
        "machine ran out of memory."
    ),
    "garbled": "sent a reply that the grader cannot read: {detail}.",
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
    "sequence_nll.tokens": "a target of six tokens, some with the first or the last ids",
    "sequence_nll.repeated": "a token that occurs twice in the target, apart and side by side",
    "sequence_nll.large": "logits of size 300",
    "sequence_nll.improbable": "tokens that are nearly impossible",
    "sequence_nll.inputs": "the arguments are left as they were",
    "sequence_nll.gradient": "its gradient",
    "sequence_nll.real": "a target of several tokens on the real model",
    "efficacy.mixed": "some probes as they should be, some not",
    "efficacy.ties": "some probes tie",
    "efficacy.close": "differences of a few thousandths",
    "efficacy.one": "one probe",
    "neighborhood.mixed": "some probes as they should be, some not",
    "neighborhood.ties": "some probes tie",
    "neighborhood.close": "differences of a few thousandths",
    "neighborhood.one": "one probe",
    "edit_score.mixed": "three different shares",
    "edit_score.zero": "one share is 0, or nearly 0",
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
    "trace.mlp": "a window of three MLP outputs, and again with other arguments",
    "trace.attention": "a window of three attention outputs",
    "trace.window_start": "a window that begins before layer 0",
    "trace.window_end": "a window that goes beyond the last layer",
    "trace.window_even": "windows of an even number of layers, and of other widths",
    "trace.order": "positions and layers in another order",
    "trace.given_noise": "the given noise, in every cell",
    "trace.one_sample": "one sample of noise",
    "trace.clean": "the model is left as it was",
    "trace.real": "cells of a map of the real model",
    "subject_key.llama": "k* on a small Llama-like model",
    "subject_key.gpt2": "k* on a small GPT-2-like model, and again with other arguments",
    "subject_key.repeated": "the subject's words also occur in a prefix",
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
    "my_edit.own": "the fact is not one of the handout's",
    "my_edit.direction": "the change has the direction C⁻¹ k* of your fact",
    "my_edit.value": "Ŵ k* = v*, and v* says the target",
    "my_edit.original": "run again: the edit works, and does what you say on its prompt",
    "my_edit.paraphrase": "run again: paraphrases do what you say",
    "my_edit.neighborhood": "run again: neighbors do what you say",
    "my_edit.reversion": "run again: the reversion does what you say",
    "my_edit.portability": "run again: portability is what you say",
    "demonstrations.nearest": "nine examples, five kinds to give",
    "demonstrations.lengths": "keys of very different lengths",
    "demonstrations.few": "fewer examples than asked for",
    "demonstrations.inputs": "the arguments are left as they were",
    "locality_loss.whole": "the loss as a whole",
    "locality_loss.divergence": "a heavy KL term",
    "locality_loss.replay": "a heavy replay term",
    "locality_loss.gradient": "its gradient",
    "scaled_change.part": "a part of the change",
    "scaled_change.beyond": "more than the whole change",
    "scaled_change.negative": "a negative scale",
    "scaled_change.inputs": "the arguments are left as they were",
    "memit_update.wide": "five facts, a W with more columns than rows",
    "memit_update.tall": "a W with more rows than columns",
    "memit_update.scale": "a C thirty times as large",
    "memit_update.one": "one fact, and little weight of the old keys",
    "memit_update.many": "more facts than a key has numbers",
    "memit_update.shared_key": "two facts with one key",
    "memit_update.inputs": "the arguments are left as they were",
    "memit_update.real": "the real model's W and C, layer 5, twelve facts",
    "spread_residual.middle": "a layer in the middle",
    "spread_residual.last": "the last layer",
    "spread_residual.gaps": "layers with gaps between them",
    "spread_residual.inputs": "the arguments are left as they were",
    "null_space_projector.below": "some eigenvalues below the threshold",
    "null_space_projector.all": "all of them below",
    "null_space_projector.none": "none of them below",
    "null_space_projector.inputs": "the arguments are left as they were",
    "alphaedit_update.first": "no earlier facts",
    "alphaedit_update.later": "after earlier facts",
    "alphaedit_update.tall": "a W with more rows than columns",
    "alphaedit_update.inputs": "the arguments are left as they were",
    "gradient_from_factors.texts": "four texts of six tokens",
    "gradient_from_factors.square": "as many inputs as outputs",
    "gradient_from_factors.one_token": "one text of one token",
    "gradient_from_factors.inputs": "the arguments are left as they were",
    "editor_parameters.full": "a full map",
    "editor_parameters.diagonal": "a diagonal map",
    "editor_parameters.rows": "a rate for each row",
    "editor_parameters.factors": "a network on the factors",
    "rate_update.rows": "a rate for each row",
    "rate_update.weights": "a rate for each weight",
    "rate_update.square": "as many rows as columns",
    "rate_update.trained": "gradients reach the rates",
    "transform_factors.tokens": "six tokens",
    "transform_factors.one_token": "one token",
    "transform_factors.far": "means far from zero",
    "transform_factors.trained": "gradients reach the network",
    "low_rank_output.texts": "three texts, a change of four tokens",
    "low_rank_output.one_token": "a change of one token",
    "low_rank_output.wide": "a layer whose matrix fits into no memory",
    "low_rank_output.trained": "gradients reach the factors",
    "editor_loss.whole": "the loss as a whole",
    "editor_loss.edit": "the edit alone",
    "editor_loss.divergence": "a heavy KL term",
    "editor_loss.trained": "its gradient",
}
