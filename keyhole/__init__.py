"""Keyhole: locate one fact inside a language model, and change it with one rank-one update."""

from importlib import import_module
from typing import Any

# The modules of the names that students use, imported when first asked for: torch takes seconds.
_HOMES = {
    "errors": ("KeyholeError",),
    "models": ("EditableModel", "load_model"),
    "hooks": ("edit", "record"),
    "toy": ("toy_model",),
    "facts": ("Fact", "Probe", "fact_from", "load_facts"),
    "fact_files": ("Record", "load_counterfact", "load_knowedit", "load_known", "load_zsre"),
    "probes": ("Answer", "ProbeSet", "answer_logits", "continuation", "continuations"),
    "finetuning": ("FineTuning", "fine_tuned", "trained"),
    "many": ("FactProbes", "load_curves", "load_edits", "load_fresh_text", "perplexity"),
    "learned": (
        "Lesson",
        "Pupils",
        "Request",
        "Training",
        "gradient_factors",
        "load_editors",
        "load_requests",
        "train_editor",
    ),
    "editors": ("FixedStep", "Gate", "Mend", "Rates"),
    "moments": ("keys_over", "load_moment", "load_prefixes", "load_text", "moment_over"),
    "values": ("Rewrite", "ValueSettings", "optimise_value"),
    "tracing": (
        "CausalMap",
        "TraceSettings",
        "average_effects",
        "load_maps",
        "subject_noise",
        "trace_map",
        "zero_noise",
    ),
    "checking.checks": ("check", "compare"),
    "checking.hints": ("hint",),
    "checking.functions": ("functions_of",),
    "checking.own_fact": ("check_files",),
    "checking.challenge": ("challenge_facts", "save_edits"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'keyhole' has no attribute {name!r}")
    return getattr(import_module(f"keyhole.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
