"""The challenge of notebook 4: my_edits.safetensors, written, read without trust, and scored.

The file holds for each edited layer the two factors of a change, Ŵ - W = left rightᵀ:

    layer5.left   (d_out, r)
    layer5.right  (d_in, r)

in float16, bfloat16, float32 or float64. r is the rank of that layer's change.
"""

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import torch
from safetensors.torch import save

from keyhole.checking.tensor_file import read_tensors
from keyhole.errors import KeyholeError
from keyhole.facts import Fact, load_facts
from keyhole.files import write_atomically
from keyhole.many import SCORED, load_fresh_text, perplexity
from keyhole.messages import feedback, problem
from keyhole.models import EditableModel
from keyhole.paths import CHALLENGE_FILE as FILE
from keyhole.paths import data_folder
from keyhole.probes import ProbeSet
from keyhole.text import one_line

LIMIT_MB, MOST_RANK, MOST_LAYERS = 6, 120, 4  # of the file, of all layers together
FACTS, FACTS_FILE = 40, "challenge.json"
PERPLEXITY_RISE = 1.1  # at most so many times that of the unedited model
PUBLIC_NEIGHBORS, PUBLIC_ROWS = 3, 5  # of each fact, of the text: as many as are hidden
BASELINES = ("simple", "medium", "strong", "boss")
MARGIN = 0.005  # of S: about one probe. Whoever repeats a baseline passes it, on any machine
NAME = re.compile(r"layer(\d{1,4})\.(left|right)")
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
NOTHING = 1e-5  # singular values below this share of the largest are rounding


@dataclass(frozen=True)
class Edits:
    """A change of low rank for each of some layers: {layer: (left (d_out, r), right (d_in, r))}."""

    factors: Mapping[int, tuple[torch.Tensor, torch.Tensor]]

    @property
    def rank(self) -> int:
        """Of all layers together."""
        return sum(left.shape[1] for left, _ in self.factors.values())

    def change(self, layer: int) -> torch.Tensor:
        """Ŵ - W of a layer, (d_out, d_in), float32."""
        left, right = self.factors[layer]
        return (left.double() @ right.double().T).float()

    def size(self, model: EditableModel) -> float:
        """How large the change is: |Ŵ - W| / |W|; layers add up as squares do."""
        sizes = [self.change(layer).norm() / model.weight(layer).norm() for layer in self.factors]
        return math.hypot(*map(float, sizes))


def save_edits(changes: Mapping[int, torch.Tensor], path: str | Path = FILE) -> Edits:
    """Write {layer: Ŵ - W (d_out, d_in)} as my_edits.safetensors, in the form that is handed in.

    Returns what was written: the changes, cut to low rank. Raises KeyholeError for what cannot be
    handed in.
    """
    edits = low_rank(changes)
    write_edits(edits, path)
    return edits


def low_rank(changes: Mapping[int, torch.Tensor]) -> Edits:
    """{layer: Ŵ - W (d_out, d_in)}, each cut to low rank by its singular values.

    If all together have more than 120 of them, the largest count, each in proportion to the largest
    of its layer. Raises KeyholeError for what cannot be handed in.
    """
    if not 0 < len(changes) <= MOST_LAYERS:
        raise KeyholeError(
            feedback("edits_layers", file=FILE, count=len(changes), most=MOST_LAYERS)
        )
    parts, sizes = {}, []
    for layer, change in changes.items():
        if change.dim() != 2 or not change.isfinite().all():
            raise KeyholeError(problem("change_not_usable", layer=layer))
        left, values, right = torch.linalg.svd(change.detach().double().cpu(), full_matrices=False)
        parts[layer] = left * values, right.T
        largest = float(values[0]) or 1.0  # a change of nothing has no singular value that counts
        sizes += [(float(value) / largest, layer) for value in values]
    kept = [layer for size, layer in sorted(sizes, reverse=True)[:MOST_RANK] if size > NOTHING]
    return Edits(
        {
            layer: tuple(part[:, : kept.count(layer)].float().contiguous() for part in pair)
            for layer, pair in parts.items()
        }
    )


def write_edits(edits: Edits, path: str | Path) -> None:
    """Write a change in the form that is handed in. Raises KeyholeError where it cannot be."""
    written = {
        f"layer{layer}.{side}": part.contiguous()
        for layer, pair in edits.factors.items()
        for side, part in zip(("left", "right"), pair)
    }
    try:
        write_atomically(Path(path), save(written))
    except OSError as error:
        raise KeyholeError(
            problem("file_not_written", path=path, error=error.strerror or error)
        ) from None


def read_edits(path: str | Path, model: EditableModel) -> Edits:
    """The change in a file like my_edits.safetensors, for this model.

    Raises KeyholeError with one sentence on what is wrong.
    """
    file = one_line(os.path.basename(path), 80)
    tensors = read_tensors(path, file, LIMIT_MB)
    if not tensors:
        raise KeyholeError(feedback("edits_nothing", file=file))
    unknown = sorted(name for name in tensors if not NAME.fullmatch(name))
    if unknown:
        raise KeyholeError(feedback("edits_names", file=file, got=one_line(unknown[0], 60)))
    layers = sorted({int(NAME.fullmatch(name)[1]) for name in tensors})
    if len(layers) > MOST_LAYERS:
        raise KeyholeError(feedback("edits_layers", file=file, count=len(layers), most=MOST_LAYERS))
    edits = Edits({layer: _factors(tensors, layer, model, file) for layer in layers})
    if edits.rank > MOST_RANK:
        raise KeyholeError(feedback("edits_rank", file=file, rank=edits.rank, most=MOST_RANK))
    if not all(edits.change(layer).isfinite().all() for layer in layers):
        raise KeyholeError(feedback("own_huge", file=file))
    return edits


def _factors(tensors, layer, model, file):
    """left and right of a layer. Raises KeyholeError."""
    if layer >= model.n_layers:
        raise KeyholeError(feedback("edits_layer", file=file, layer=layer, last=model.n_layers - 1))
    pair = []
    for side, size in zip(("left", "right"), model.weight(layer).shape):
        name = f"layer{layer}.{side}"
        part = feedback("own_part", part=name, file=file)
        if name not in tensors:
            raise KeyholeError(feedback("edits_lacks", file=file, part=name))
        tensor = tensors[name]
        if tensor.dtype not in FLOATS:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise KeyholeError(feedback("edits_dtype", what=part, got=kind))
        if tensor.dim() != 2 or len(tensor) != size:
            got = tuple(tensor.shape)
            raise KeyholeError(feedback("edits_shape", what=part, got=got, size=size))
        if broken := int((~tensor.isfinite()).sum()):
            raise KeyholeError(feedback("not_finite", what=part, count=broken))
        pair.append(tensor)
    left, right = pair
    if left.shape[1] != right.shape[1]:
        columns = {"left": left.shape[1], "right": right.shape[1]}
        raise KeyholeError(feedback("edits_uneven", file=file, layer=layer, **columns))
    return left, right


@contextmanager
def edited_by(model: EditableModel, edits: Edits) -> Iterator[EditableModel]:
    """The model with all these changes, as long as the block lasts."""
    with ExitStack() as stack:
        for layer in edits.factors:
            stack.enter_context(model.edited(layer, edits.change(layer)))
        yield model


# ---------------------------------------------------------------- scoring


@dataclass(frozen=True)
class EditsScore:
    """What a change does, by generation: shares in [0, 1], means over facts. S is made of them."""

    original: float  # efficacy
    paraphrase: float
    neighborhood: float
    perplexity: float  # of held-out text, with the change
    perplexity_before: float
    size: float  # |Ŵ - W| / |W|

    @property
    def shares(self) -> tuple[float, float, float]:
        """The three that S is the harmonic mean of."""
        return self.original, self.paraphrase, self.neighborhood

    @property
    def keeps_text(self) -> bool:
        """Whether perplexity rises by no more than a tenth; it does not, where it is no number."""
        return self.perplexity <= PERPLEXITY_RISE * self.perplexity_before


class Scoring:
    """Facts with their probes, and a text, by which changes of one model are scored."""

    def __init__(self, model: EditableModel, facts: Sequence[Fact], text: torch.Tensor):
        self._model, self._text = model, text
        self._before = perplexity(model, text)
        # Only what should be said is asked for.
        self._asked = [
            (kind, number, _without_rival(kind, probe))
            for number, fact in enumerate(facts)
            for kind in SCORED
            for probe in fact.probes()[kind]
        ]
        self._sets = {}  # the lowest layer changed -> the probes, run up to it

    def of(self, edits: Edits) -> EditsScore:
        """Apply a change, measure, and take it back."""
        probes = self._run_up_to(min(edits.factors, default=0))
        with edited_by(self._model, edits):
            said = probes.generated().any(1).tolist()
            read = perplexity(self._model, self._text)
        by_fact = {kind: {} for kind in SCORED}
        for (kind, fact, _), well in zip(self._asked, said, strict=True):
            by_fact[kind].setdefault(fact, []).append(well)
        shares = {
            kind: fmean(fmean(each) for each in facts.values()) for kind, facts in by_fact.items()
        }
        size = edits.size(self._model)
        return EditsScore(**shares, perplexity=read, perplexity_before=self._before, size=size)

    def _run_up_to(self, layer: int) -> ProbeSet:
        """The probes, run through the layers below `layer`: once for all changes from there on."""
        if layer not in self._sets:
            probes = [probe for _, _, probe in self._asked]
            self._sets[layer] = ProbeSet(self._model, {"all": probes}, layer)
        return self._sets[layer]


def _without_rival(kind, probe):
    """The probe with the one target that should be said: a neighbor's own answer, else the new."""
    rival = "target_new" if kind == "neighborhood" else "target_true"
    return replace(probe, **{rival: None})


def challenge_facts() -> tuple[Fact, ...]:
    """The 40 given facts, the first of the stored edits, with the public probes that are scored.

    Left out are neighbors about a subject that another of the 40 facts changes.
    """
    known = {fact.id: fact for fact in load_facts()}
    facts = [known[each] for each in _record()["facts"]]
    return tuple(
        replace(each, neighbors=each.neighbors[:PUBLIC_NEIGHBORS])
        for each in (apart(fact, facts) for fact in facts)
    )


def public_scoring(model: EditableModel) -> Scoring:
    """What students can measure by: the public probes of the 40 facts, and a part of the text."""
    return Scoring(model, challenge_facts(), load_fresh_text()[:PUBLIC_ROWS])


def apart(fact: Fact, facts: Sequence[Fact]) -> Fact:
    """The fact without neighbors about a subject that another fact of its relation changes."""
    others = [each.subject for each in facts if each.relation == fact.relation]
    kept = [pair for pair in fact.neighbors if not any(other in pair[0] for other in others)]
    return replace(fact, neighbors=tuple(kept))


def public_baselines() -> dict[str, float]:
    """S in [0, 1] of each baseline on the public probes, the simplest first."""
    stored = _record().get("baselines", {})
    return {name: stored[name]["S"] for name in BASELINES if name in stored}


def passed(score: float, baselines: Mapping[str, float]) -> list[str]:
    """The baselines that S reaches, up to the margin."""
    return [name for name, least in baselines.items() if score >= least - MARGIN]


def _path():
    return data_folder() / FACTS_FILE


def _record():
    """data/challenge.json. Raises KeyholeError where it is damaged."""
    try:
        return json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KeyholeError(
            problem("kit_unreadable", path=_path(), error=one_line(error, 120))
        ) from None
