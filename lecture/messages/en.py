"""The demo in English.

- `SENTENCES`: what the engine says of a request.
- `EDITORS`, `NOTES`: the editors that are compared, and what must be said of each.
- `MEASURES`: what they are compared by; `COLUMNS`: the same in a table's head.
"""

SENTENCES = {
    "cancelled": "Stopped. Nothing was changed.",
    "empty_prompt": "The prompt is empty: write a sentence without its end.",
    "empty_subject": "The subject is empty: say in the prompt's own words what it is about.",
    "empty_target": "The new answer is empty: write what the model should say.",
    "prompt_long": "The prompt has {count} tokens, and the demo takes {most} at most: shorten it.",
    "target_long": "The answer has {count} tokens, and the demo takes {most} at most: shorten it.",
    "blank_left_out": "The blank at the end of the prompt was left out: it belongs to the answer.",
    "traced_anyway": (
        "The model gives {answer!r} a probability of only {clean}: it hardly knows this, and its "
        "first answer is traced all the same."
    ),
    "occurrence_taken": (
        "{subject!r} stands in the prompt {count} times; number {number} is meant."
    ),
    "out_of_range": "{what} must lie between {least} and {most}, and {got} does not.",
    "at_the_start": (
        "The subject is the prompt's first token, whose key is like no other: put a few words "
        "before it."
    ),
    "samples": "the number of samples",
    "scale": "the strength of the noise",
    "window": "the window",
    "tokens": "the number of tokens",
    "factor": "the factor",
    "no_choice": "There is no {choice!r} here: choose one of {known}.",
    "model_changed": "The model was changed meanwhile: start the trace again.",
    "undo_first": (
        "C of layer {layer} is not stored, and it is computed on the model as it was loaded: undo "
        "all edits first."
    ),
    "one_tuning": "The model is fine-tuned already: undo that first.",
    "too_many": "{most} edits are planted: undo some first.",
    "nothing_planted": "Nothing is planted: there is nothing to undo.",
    "not_rome": "Only an edit by ROME can be made larger or smaller.",
    "file_unreadable": (
        "{path} cannot be read ({error}): fetch the kit again, or make the file anew."
    ),
}

EDITORS = {
    "fine-tuning": "fine-tuning",
    "rome": "ROME",
    "in-context": "in context",
    "memit": "MEMIT",
    "memit-layers": "MEMIT, layers 3 to 5",
    "AlphaEdit": "AlphaEdit",
    "one-step": "untrained step",
    "row-rates": "rate for each row",
    "weight-rates": "rate for each weight",
    "gate": "gate",
    "mend": "MEND",
}

NOTES = {
    "fine-tuning": "one after the other; all weights changed",
    "rome": "one after the other; one matrix changed",
    "in-context": "no weight changed: the sentences stand before the prompt",
    "memit": "all at once; one matrix changed",
    "memit-layers": "all at once; three matrices changed",
    "AlphaEdit": "all at once; one matrix changed",
    "one-step": "along the gradient; nothing is learned",
    "row-rates": "learned: how far each row goes",
    "weight-rates": "learned: how far each weight goes; a diagonal map",
    "gate": "learned: what is let through",
    "mend": "learned: new factors of the gradient",
}

MEASURES = {
    "score": "S, by probability",
    "efficacy": "efficacy, by probability",
    "paraphrase": "paraphrases, by probability",
    "neighborhood": "neighbors, by probability",
    "score_generated": "S, by generation",
    "efficacy_generated": "efficacy, by generation",
    "paraphrase_generated": "paraphrases, by generation",
    "neighborhood_generated": "neighbors, by generation",
    "perplexity": "fluency: perplexity ratio",
    "seconds": "processor seconds for all edits, on one core",
}

COLUMNS = {
    "score": "S",
    "efficacy": "efficacy",
    "paraphrase": "paraphrases",
    "neighborhood": "neighbors",
    "perplexity": "perplexity",
    "seconds": "seconds",
}
