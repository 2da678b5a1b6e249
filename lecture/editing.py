"""The second tab: change a fact, see what it did, take it back."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from autograder.oracle import editing
from autograder.oracle.measuring import sequence_nll
from keyhole.editable import EditableModel
from keyhole.errors import KeyholeError
from keyhole.facts import Fact, load_facts
from keyhole.interrupts import held_back
from keyhole.many import load_curves, load_fresh_text, perplexity
from keyhole.messages import Remark, problem
from keyhole.moments import DEFAULT_LAYER, load_prefixes
from keyhole.probes import ProbeSet, continuation, score
from keyhole.questions import known_fact, probes_of, simple_probes
from keyhole.text import as_target
from keyhole.values import Rewrite, Value, optimise_value
from lecture.asking import (
    MOST_TARGET_TOKENS,
    check_choice,
    check_number,
    cleaned,
    locate,
    tokens_of,
)
from lecture.curves import CurvePoint
from lecture.messages import sentence
from lecture.moments import DATA, METRICS, Moments
from lecture.probing import Findings, Wish, asked, measure, shares
from lecture.watching import Told, Watch, ignore, never
from lecture.weights import Weights

METHODS = ("rome", "fine-tuning")
FACTORS = (0.0, 3.0)
SHOWN, LEAST = 5, 1e-4  # singular values that are shown; a smaller share of the first is rounding
CONTINUED, MOST_CONTINUED = 20, 60  # tokens that answer a free prompt


@dataclass(frozen=True)
class EditRequest:
    """What the model is to say, and how it is made to."""

    prompt: str
    subject: str
    target: str
    true: str | None = None  # the answer until now; the model's own first one unless given
    method: str = "rome"
    layer: int = DEFAULT_LAYER
    metric: str = "C"  # by which the change is to be smallest; this and the next two: ROME only
    prefixed: bool = True  # k*: the mean over the prefixed prompts, else that of the bare prompt
    factor: float = 1.0  # times the change


@dataclass(frozen=True)
class EditPreset:
    """A fact that can be edited at once; `own`: one of the lecture's."""

    name: str
    fact: Fact
    own: bool


@dataclass(frozen=True)
class ChangeSize:
    """Ŵ - W of the layer that the request names."""

    norm: float
    relative: float  # |Ŵ - W| / |W|
    rank: int  # singular values that are more than rounding
    singular: tuple[float, ...]  # the first ones
    matrices: int  # how many weight matrices the edit changed


@dataclass(frozen=True)
class Planted:
    """An edit that is in the model."""

    number: int
    request: EditRequest
    true: str
    losses: tuple[float, ...]  # of the search for v*, or of fine-tuning, in nats
    before: Findings
    after: Findings
    size: ChangeSize
    seconds: float
    remarks: tuple[Remark, ...]


@dataclass(frozen=True)
class Kept:
    """How a planted fact fares in the model as it is now."""

    number: int
    prompt: str
    target: str
    true: str
    p_new: float
    p_true: float
    says_new: bool


@dataclass(frozen=True)
class Proof:
    """Is the model what it was when it was loaded?"""

    same: bool
    before: str  # SHA-256 of all weights
    now: str
    parameters: int
    layers: tuple[int, ...]  # whose W an edit has changed


@dataclass(frozen=True)
class _Record:
    """What taking an edit larger or measuring it again needs."""

    planted: Planted
    wish: Wish
    probes: ProbeSet | None  # None for fine-tuning


class Editor:
    """Edits the one model, again and again; every edit stays until it is undone.

    `reload` loads the model anew, for what it said before a fine-tuning.
    """

    def __init__(self, weights: Weights, moments: Moments, reload: Callable[[], EditableModel]):
        self._weights, self._moments, self._reload = weights, moments, reload
        self._records: list[_Record] = []
        self._values: dict[tuple, Value] = {}  # v* that were found
        self._twin: EditableModel | None = None
        self._number = 0

    # ------------------------------------------------------------ before an edit

    def presets(self) -> tuple[EditPreset, ...]:
        """The lecture's own facts, then the kit's that students get too."""
        return presets()

    def stored_layers(self) -> tuple[int, ...]:
        """The layers whose C is there at once."""
        return self._moments.stored_layers()

    def check(self, request: EditRequest) -> tuple[Remark, ...]:
        """What should be said of a request. Raises KeyholeError where nothing can be done."""
        with self._weights.lock:
            return self._wish(request).remarks

    def ready(
        self, layer: int, *, progress: Told = ignore, cancelled: Callable[[], bool] = never
    ) -> None:
        """Have C of a layer, and compute it where it is not stored."""
        self._weights.model.block(layer)
        watch = Watch(progress, cancelled)
        with self._weights.lock, watch.over(self._weights.model):
            self._moments.get(layer, watch)

    @torch.no_grad()
    def _wish(self, request):
        """The edit as it can be made. Raises KeyholeError where it cannot."""
        model = self._weights.model
        check_choice(request.method, METHODS)
        check_choice(request.metric, METRICS)
        check_number("factor", request.factor, *FACTORS)
        model.block(request.layer)
        found = locate(model, request.prompt, request.subject)
        target = as_target(cleaned(request.target, "empty_target"))
        count = len(model.encode_targets([target])[0])
        if count > MOST_TARGET_TOKENS:
            raise KeyholeError(sentence("target_long", count=count, most=MOST_TARGET_TOKENS))
        about = found.prompt, found.subject
        fact = _own_fact(*about) or known_fact(*about)
        true = fact.target_true if fact else found.first[0].text
        if request.true and request.true.strip():
            true = as_target(cleaned(request.true, "empty_target"))
        if true.strip() == target.strip():
            raise KeyholeError(problem("target_is_true", target=target))
        if continuation(model, found.prompt, count).strip() == target.strip():
            raise KeyholeError(problem("says_target", target=target))
        asked = probes_of(fact, target, true) if fact else simple_probes(*about, target, true)
        remarks = found.remarks
        if found.span[1] == 1:
            remarks = (*remarks, sentence("at_the_start"))
        return Wish(*about, true, target, asked, remarks, prefixed=not fact)

    # ------------------------------------------------------------ edits

    @property
    def planted(self) -> tuple[Planted, ...]:
        """The edits that are in the model, in the order in which they were made."""
        return tuple(record.planted for record in self._records)

    def edit(
        self,
        request: EditRequest,
        *,
        step: Callable[[int, float], None] = ignore,
        before: Callable[[Findings], None] = ignore,
        progress: Told = ignore,
        cancelled: Callable[[], bool] = never,
    ) -> Planted:
        """Edit one fact and measure it, before and after.

        `step(number, loss)` is called as the losses fall, `before(measured)` as soon as the model
        has been asked. Where anything goes wrong, the model is as it was before the call. Raises
        KeyholeError for a request with which nothing can be done.
        """
        watch = Watch(progress, cancelled)
        with self._weights.lock, watch.over(self._weights.model):
            wish = self._wish(request)
            self._weights.check_room()
            try:
                self._records.append(self._record(request, wish, step, before, watch))
            except BaseException:
                with held_back():
                    if len(self._weights.state) > len(self._records):
                        self._weights.undo()
                raise
            return self._records[-1].planted

    def _record(self, request, wish, step, before, watch):
        """Plant and measure one edit."""
        model, start, rome = self._weights.model, time.perf_counter(), request.method == "rome"
        watch.tell("before")
        probes = ProbeSet(model, wish.probes(), request.layer if rome else 0)
        first = measure(model, wish, probes)
        before(first)
        weight = model.weight(request.layer)
        old = weight.detach().clone()
        losses = (self._rome if rome else self._tuned)(request, wish, step, watch)
        size = _size(model, old, weight.detach() - old, rome)
        watch.tell("after")
        probes = probes if rome else ProbeSet(model, wish.probes())
        after = measure(model, wish, probes)
        seconds = time.perf_counter() - start
        self._number += 1
        planted = Planted(
            self._number,
            replace(request, prompt=wish.prompt, subject=wish.subject, target=wish.target),
            wish.true,
            losses,
            first,
            after,
            size,
            seconds,
            wish.remarks,
        )
        return _Record(planted, wish, probes if rome else None)

    def _rome(self, request, wish, step, watch):
        """Plant an edit by ROME; the losses of the search for v*."""
        model, layer, prefixes = self._weights.model, request.layer, load_prefixes()
        moment = self._moments.get(layer, watch).metric(request.metric).to(model.device)
        watch.tell("key")
        among = prefixes if request.prefixed else [""]
        key = editing.subject_key(model, layer, wish.prompt, wish.subject, among)
        rewrite = Rewrite(wish.prompt, wish.subject, wish.target, prefixes)
        value = self._value(layer, rewrite, step, watch)
        watch.tell("change")
        factors = editing.factors(model.weight(layer).detach(), moment, key, value.value)
        self._weights.add(layer, torch.outer(*factors), request.factor)
        return value.losses

    def _value(self, layer, rewrite, step, watch):
        """v*, searched once for the same edit of a model in the same state."""
        about = rewrite.prompt, rewrite.subject, rewrite.target
        key = self._weights.state, layer, *about
        if key in self._values:
            for number, loss in enumerate(self._values[key].losses):
                step(number, loss)
        else:
            objective = _told(editing.value_objective, step)
            bar = watch.bar("value")
            self._values[key] = optimise_value(
                self._weights.model, layer, rewrite, objective, progress=bar
            )
        return self._values[key]

    def _tuned(self, _, wish, step, watch):
        """Fine-tune on the one sentence; the losses, one before each step."""
        loss = _told(sequence_nll, step)
        return self._weights.tune(wish.prompt, wish.target, loss, watch.bar("tuning"))

    def rescale(self, factor: float) -> Planted:
        """Take the last edit's change so many times instead.

        Raises KeyholeError where the last edit is none by ROME.
        """
        check_number("factor", factor, *FACTORS)
        with self._weights.lock:
            last = self._last()
            if last.probes is None:
                raise KeyholeError(sentence("not_rome"))
            planted, model = last.planted, self._weights.model
            was = planted.request.factor
            self._weights.rescale(factor)
            try:
                after = measure(model, last.wish, last.probes)
                size = _size(model, *self._weights.last_change(), True)
                request = replace(planted.request, factor=factor)
                planted = replace(planted, request=request, after=after, size=size)
                self._records[-1] = replace(last, planted=planted)
            except BaseException:
                with held_back():
                    self._weights.rescale(was)
                    self._records[-1] = last
                raise
            return planted

    def _last(self):
        if not self._records:
            raise KeyholeError(sentence("nothing_planted"))
        return self._records[-1]

    # ------------------------------------------------------------ back

    def undo(self) -> Planted:
        """Take the last edit back. Raises KeyholeError where nothing is planted."""
        with self._weights.lock, held_back():
            record = self._last()
            self._weights.undo()
            self._records.pop()
            if not self._weights.tuned:
                self._twin = None
            return record.planted

    def undo_all(self) -> int:
        """Take all edits back, the last one first; how many there were."""
        with self._weights.lock:
            count = len(self._records)
            while self._records:
                self.undo()
            return count

    def proof(self) -> Proof:
        """Compare all weights with those that were loaded."""
        with self._weights.lock:
            before, now = self._weights.digests()
            count = sum(each.numel() for each in self._weights.model.hf.parameters())
            return Proof(before == now, before, now, count, self._weights.changed_layers())

    # ------------------------------------------------------------ asking

    def kept(self) -> tuple[Kept, ...]:
        """How every planted fact fares now."""
        with self._weights.lock:
            wishes = [record.wish for record in self._records]
            pairs = [[(each.prompt, each.true), (each.prompt, each.target)] for each in wishes]
            found = score(self._weights.model, [question for pair in pairs for question in pair])
            return tuple(
                Kept(
                    record.planted.number,
                    record.wish.prompt,
                    record.wish.target,
                    record.wish.true,
                    found[new].p,
                    found[true].p,
                    found[new].rank == 1,
                )
                for record, (true, new) in zip(self._records, pairs)
            )

    def ask(self, prompt: str, tokens: int = CONTINUED) -> tuple[str, str]:
        """How the model goes on after a prompt: as it was loaded, and as it is now."""
        check_number("tokens", tokens, 1, MOST_CONTINUED)
        prompt, model = cleaned(prompt, "empty_prompt"), self._weights.model
        tokens_of(model, prompt)
        with self._weights.lock:
            now = continuation(model, prompt, tokens)
            if self._weights.tuned:
                self._twin = self._twin or self._reload()
                return continuation(self._twin, prompt, tokens), now
            with self._weights.as_loaded():
                return continuation(model, prompt, tokens), now

    def live(
        self, *, progress: Told = ignore, cancelled: Callable[[], bool] = never
    ) -> CurvePoint | None:
        """All planted facts measured together, as a point among the curves; None without any."""
        watch, model = Watch(progress, cancelled), self._weights.model
        with self._weights.lock, watch.over(model):
            if not self._records:
                return None
            wishes = [record.wish for record in self._records]
            values = shares(asked(model, wishes, watch.bar("after")))
            text = load_fresh_text()
            if int(text.max()) < model.embedding.num_embeddings:
                unedited = load_curves()["unedited"]["perplexity"]
                values["perplexity"] = perplexity(model, text) / unedited
            return CurvePoint(len(wishes), values)


def _told(loss: Callable[..., Tensor], step: Callable[[int, float], None]) -> Callable[..., Tensor]:
    """A loss that says its number and value each time it is asked for."""
    number = 0

    def told(*given: object) -> Tensor:
        nonlocal number
        value = loss(*given)
        step(number, float(value.detach()))
        number += 1
        return value

    return told


def _size(model: EditableModel, old: Tensor, change: Tensor, one: bool) -> ChangeSize:
    """How large a change of `old` is, and of what rank; `one`: no other matrix changed."""
    singular = torch.linalg.svdvals(change.float())
    rank = int((singular > LEAST * singular[0]).sum())
    norm = float(change.norm())
    matrices = 1 if one else sum(each.dim() == 2 for each in model.hf.parameters())
    shown = tuple(singular[:SHOWN].tolist())
    return ChangeSize(norm, norm / float(old.norm()), rank, shown, matrices)


def presets() -> tuple[EditPreset, ...]:
    """The lecture's own facts, then the kit's that students get too; no model is needed."""
    own = [EditPreset(fact.id, fact, True) for fact in _own_facts()]
    return (*own, *(EditPreset(fact.id, fact, False) for fact in load_facts() if not fact.hidden))


def _own_facts() -> list[Fact]:
    return load_facts(DATA / "facts.json")


def _own_fact(prompt: str, subject: str) -> Fact | None:
    """The lecture's own fact with this prompt and subject, or None."""
    about = [fact for fact in _own_facts() if (fact.prompt, fact.subject) == (prompt, subject)]
    return about[0] if about else None
