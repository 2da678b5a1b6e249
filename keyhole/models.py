"""Models by name: the kit's own, a folder, the hub. What a model is, is in keyhole/editable.py."""

import os
from contextlib import contextmanager
from pathlib import Path

import torch

from keyhole.editable import EditableModel
from keyhole.errors import KeyholeError
from keyhole.messages import problem

DEFAULT_MODEL = "smollm2-135m"
# Names without an owner; the rest are "owner/name".
HUB_MODELS = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")


def load_model(name: str = DEFAULT_MODEL, device: str | torch.device = "cpu") -> EditableModel:
    """Load a model by name, in float32, onto `device`: "cpu", or a GPU ("cuda", "cuda:1").

    "smollm2-135m" is the kit's own model: fetched once into the cache, then loaded by memory map,
    without any hub. Any other name is a folder, or that of a GPT-2-like or Llama-like model on the
    hub: "gpt2-xl", "owner/name". Raises KeyholeError where there is no such model or device, its
    files are damaged, its layout is unknown, or it cannot be computed exactly.
    """
    check_device(device)
    if name == DEFAULT_MODEL:
        from keyhole.fetch import fetch  # late: all other models do without it

        source, local = fetch(), True
    else:
        source, local = name, folder_named(name) is not None
        if not local and "/" not in name and name not in HUB_MODELS:
            raise KeyholeError(
                problem("no_such_model", name=name, known=", ".join((DEFAULT_MODEL, *HUB_MODELS)))
            )
        local = local or not _hub_answers(name)
    try:
        with _no_bars():
            hf, tokenizer = _loaded(source, local)
    # json, pickle, safetensors, tokenizers and transformers each fail in their own way on a damaged
    # file.
    except Exception as error:
        if local and (Path(source) / "config.json").exists():
            raise KeyholeError(
                problem("model_damaged", folder=source, error=_first_line(error))
            ) from None
        raise KeyholeError(
            problem("model_not_loaded", name=name, default=DEFAULT_MODEL, error=_first_line(error))
        ) from None
    from keyhole.soundness import check_model  # late: it imports transformers, which takes a second

    model = EditableModel(hf.to(device), tokenizer)
    check_model(model)
    return model


def check_device(device: str | torch.device) -> None:
    """Raises KeyholeError unless a model can run on `device`, before anything is loaded.

    Keyhole needs float64, which Apple's GPUs ("mps") do not have.
    """
    known = ["cpu"]
    if torch.cuda.is_available():
        known += ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if str(device) not in known:
        raise KeyholeError(problem("no_device", device=device, known=", ".join(known)))


def _loaded(source, local):
    """Model and tokenizer. Raises ValueError where either lacks a part."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local)
    # transformers makes an empty tokenizer where the files are missing.
    if not tokenizer("a", add_special_tokens=False)["input_ids"]:
        raise ValueError("the tokenizer is missing")
    hf, report = AutoModelForCausalLM.from_pretrained(
        source, local_files_only=local, dtype=torch.float32, output_loading_info=True
    )
    # transformers puts random numbers in the place of missing weights.
    if report["missing_keys"]:
        raise ValueError(f"{min(report['missing_keys'])} is missing")
    return hf, tokenizer


@contextmanager
def _no_bars():
    """Without transformers' own progress bars, for as long as the block lasts."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _hub_answers(name):
    """Can the hub be asked for a model?

    Where it cannot, its client would go on trying for a minute, and say so in 22 lines.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(hf_hub_url(name, "config.json"))
    # The network and its client fail in many ways. That there is no such model is an answer too.
    except Exception as error:
        return isinstance(error, HfHubHTTPError)
    return True


def folder_named(name: str) -> Path | None:
    """The folder that a model's name means, or None; the kit's own model is never a folder."""
    return Path(name).resolve() if name != DEFAULT_MODEL and os.path.isdir(name) else None


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
