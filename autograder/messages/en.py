"""The staff's side in English, in five tables.

- `SENTENCES`: everything that is in none of the others.
- `FAILURES`: why a function gave nothing to grade.
- `SIGNS`: the verdicts on the feedback pages.
- `PAGES`: words of the report on a class, and of a student's page.
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
    "in_icloud": (
        "{file} is not here, only iCloud's note that it lies elsewhere: download it in the Finder, "
        "and hand it in again."
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
    # The first cells of a released notebook
    "colab_open": "Open in Colab",
    "colab_upload": "To work in Google Colab, upload this file [there]({address}), and run "
    "the next cell. In Jupyter on your own machine go on below.",
    "colab_comment": "# Run this cell first in Google Colab: it installs Keyhole and what Colab "
    "lacks, and leaves\n# torch and numpy as they are. On any other machine it does nothing.",
    "colab_choose": "Choose the file keyhole_homework-….whl from your course, and together with it "
    "the notebooks that you have finished.",
    "colab_unfit": "Keyhole needs {need}, and Colab has {found}: tell your instructor.",
    "colab_ready": "Keyhole is ready. The model (93 MB) comes when a cell first asks for it; it "
    "takes 0.6 GB on disk and 1 to 2.5 GB of memory.",
    "colab_leave": "Colab forgets files: before you leave, download the notebook and "
    "every file that it wrote.",
    # the challenge
    "challenge": "The challenge: 40 facts at once",
    "challenge_points": (
        "Bonus: {points} of {most} points, beyond the 100 of the course. On the board you are "
        "{pseudonym}."
    ),
    "challenge_measured": (
        "Measured by generation on hidden probes of the 40 facts, S is {S} (efficacy {efficacy}, "
        "paraphrase {paraphrase}, neighborhood {neighborhood}). The change has size {size}, and "
        "the perplexity of hidden text goes from {before} to {after}."
    ),
    "challenge_text": ("There are no points, because perplexity rises by more than {percent} %."),
    "challenge_passed": "You passed: {names}.",
    "challenge_none": "You passed no baseline yet.",
    "challenge_failed": "The grader itself failed on the challenge. Tell the course staff.",
    "baseline_simple": "simple (fine-tuning)",
    "baseline_medium": "medium (ROME)",
    "baseline_strong": "strong (MEMIT)",
    "baseline_boss": "boss",
    # the board
    "board_title": "The board: 40 facts in one model",
    "board_about": (
        "S counts by generation, on hidden paraphrases and neighbors of the 40 facts: more is "
        "better. Your pseudonym stands on your feedback page."
    ),
    "board_empty": "Nobody has handed in a file that can be measured yet.",
    "board_unusable": "{count} more handed in a file that could not be used.",
    "board_hollow": "A hollow mark: perplexity rose by more than {percent} %, so no points.",
    "board_place": "place",
    "board_who": "pseudonym",
    "board_size": "size of change",
    "board_perplexity": "perplexity",
    "board_points": "bonus",
    "board_baseline": "baseline",
    "board_picture": "S against the size of the change",
}

# By the codes of sandbox/failures.py. The function is the subject, unless a sentence has another.
FAILURES = {
    "stub": "still raises NotImplementedError: the blank is not filled in.",
    "stub_called": "calls `{detail}`, which is still a blank: fill that in first.",
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

# Of the report on a class, and of a student's page.
PAGES = {
    "report_title": "{assignment}: report on the class",
    "report_made": "Made on {time}. Submissions: {count}.",
    "report_names_nobody": "This page names nobody.",
    "report_automatic": (
        "Points are those of the hidden tests ({most}); written questions are extra."
    ),
    "report_bonus": "They hold a bonus of up to {most} more.",
    "filter": "Filter",
    "filter_rows": "Show only rows with …",
    "sort_hint": "Click a heading to sort.",
    "show_all": "Show all {count}",
    "contents": "Contents",
    "submissions": "submissions",
    "mean": "mean",
    "median": "median",
    "not_graded": "not graded",
    "waiting": "answers to grade by hand",
    "points": "points",
    "students": "students",
    "student": "student",
    "scores": "Scores",
    "scores_caption": "Across: points; upwards: students.",
    "histogram_of": "Histogram of {count} scores; their mean is {mean}.",
    "questions": "Questions",
    "question": "question",
    "notebook": "notebook",
    "most": "out of",
    "spread": "spread",
    "spread_of": "{name}: {full} with all points, {part} with some, {none} with none",
    "all_points": "all",
    "no_points": "none",
    "to_grade": "to grade",
    "misunderstandings": "Misunderstandings",
    "misunderstandings_lead": ("What the grader recognised in wrong results, the costliest first."),
    "misunderstanding": "misunderstanding",
    "no_misunderstanding": "The grader named none.",
    "costly": "Hidden tests that cost most",
    "costly_lead": "Blanks that were left as handed out are not counted here.",
    "none_lost": "Nobody lost a point.",
    "hidden_test": "hidden test",
    "lost": "points lost",
    "example": "example of a message",
    "written": "Written questions",
    "written_all_done": "All answers are graded.",
    "written_open": "Answers that still wait for somebody: {count}.",
    "written_unknown": "Not known: {why}.",
    "copies": "Handed in alike",
    "copies_lead": "For you to look at; nobody lost a point by it.",
    "copies_none": "No group was found.",
    "copies_fact": "the same fact with the same probes",
    "copies_other_probes": "the same fact with other probes",
    "copies_edit": "the same change of W",
    "copies_writing": "nearly the same {parts}",
    "alike_in": "alike in",
    "damaged": "What could not be graded, and what was mended",
    "damaged_failed": "Nothing of these could be graded",
    "damaged_mended": "Graded, with a remark",
    "damaged_counts": (
        "Submissions of which nothing could be graded: {failed}; graded with a remark: {mended}."
    ),
    "damaged_none": "Nothing: all were graded, and none was mended.",
    "why": "reason",
    "everybody": "Students",
    "total": "total",
    "seconds": "seconds",
    "how": "How it was graded",
    "how_time": "{all} s in all, {median} s in the median, {longest} s the longest.",
    "time": "Time",
    "isolation": "Isolation",
    "isolation_level": "level {level}: {count} of the submissions",
    "versions": "Versions on the machines that graded",
    "feedback_title": "{assignment}: feedback for {student}",
    "feedback_total": "{points} of {most} points",
    "feedback_automatic": "hidden tests",
    "feedback_written": "written questions",
    "feedback_bonus": "bonus in these",
    "feedback_penalty": "late penalty",
    "feedback_open": "Not final. Written answers that are not graded yet: {count}.",
    "feedback_notes": "The grader's notes on what you handed in",
    "feedback_overridden": "The course staff changed these points: the tests gave {points}.",
    "feedback_comment": "From the course staff",
    "feedback_not_yet": "not graded yet",
    "feedback_answer": "Your answer",
    "feedback_code": "Your code",
    "feedback_all_passed": "All tests passed ({count}).",
    "feedback_tests_of": "All tests ({all}, of which {lost} failed)",
    "feedback_handed_in": "Handed in on {time} UTC.",
}

QUESTIONS = {  # the written ones, by the id of their cell
    "written_what_the_loss_sees": "What the loss sees",
    "written_what_a_map_shows": "What a map shows",
    "written_where_v_went": "Where V went",
    "written_why_c": "Why C",
    "written_what_collapses": "What collapses",
    "written_where_to_edit": "Where to edit",
    "written_what_is_learned": "What is learned",
}

TITLES = {
    "sequence_nll.tokens": "a target of six tokens, some with the first or the last ids",
    "sequence_nll.repeated": "a token that occurs twice in the target, apart and side by side",
    "sequence_nll.large": "logits of size 300",
    "sequence_nll.improbable": "tokens that are nearly impossible",
    "sequence_nll.real": "a target of several tokens on the real model",
    "efficacy.mixed": "some probes as they should be, some not",
    "efficacy.close": "differences of a few thousandths",
    "neighborhood.mixed": "some probes as they should be, some not",
    "neighborhood.ties": "some probes tie",
    "neighborhood.close": "differences of a few thousandths",
    "neighborhood.one": "one probe",
    "edit_score.zero": "one share is 0, or nearly 0",
    "corrupt.middle": "a subject in the middle of the prompt",
    "corrupt.end": "a subject at the end",
    "restore.middle": "a token in the middle, four samples",
    "trace.state_llama": "states of a small Llama-like model",
    "trace.state_gpt2": "states of a small GPT-2-like model",
    "trace.mlp": "a window of three MLP outputs, and again with other arguments",
    "trace.attention": "a window of three attention outputs",
    "trace.window_start": "a window that begins before layer 0",
    "trace.window_end": "a window that goes beyond the last layer",
    "trace.window_even": "windows of an even number of layers, and of other widths",
    "trace.given_noise": "the given noise, in every cell",
    "trace.one_sample": "one sample of noise",
    "trace.real": "cells of a map of the real model",
    "subject_key.llama": "k* on a small Llama-like model",
    "subject_key.gpt2": "k* on a small GPT-2-like model, and again with other arguments",
    "subject_key.real": "k* of a fact on the real model, layer 5",
    "second_moment.small": "keys of size 0.001",
    "second_moment.real": "keys of the real model, layer 5",
    "value_objective.value": "the target's term alone",
    "value_objective.divergence": "the KL term",
    "value_objective.decay": "the decay term",
    "value_objective.gradient": "all terms, and their gradient",
    "rank_one_update.conditioned": "a C of condition number 10,000",
    "rank_one_update.large_keys": "keys of size 1,000",
    "rank_one_update.rank": "Ŵ − W has rank one",
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
    "scaled_change.part": "a part of the change",
    "memit_update.wide": "five facts, a W with more columns than rows",
    "memit_update.scale": "a C thirty times as large",
    "memit_update.one": "one fact, and little weight of the old keys",
    "memit_update.many": "more facts than a key has numbers",
    "memit_update.real": "the real model's W and C, layer 5, twelve facts",
    "spread_residual.middle": "a layer in the middle",
    "low_rank_output.wide": "a layer whose matrix fits into no memory",
}
