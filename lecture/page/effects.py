"""What an edit did, as the second tab shows it: losses, moving bars, size, the list of edits."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

import ipywidgets as widgets

from keyhole.errors import KeyholeError
from lecture.editing import Kept, Planted, Proof
from lecture.page import markup, stills
from lecture.page.frame import Frame
from lecture.page.words import say
from lecture.probing import Findings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VIEWS = ("probability", "generation")
NUMBERS = {"probability": ("p_true", "p_new"), "generation": ("says_true", "says_new")}
LONGEST_NAME = 15  # characters of an answer below a bar


class Effects:
    """The pictures of the second tab. `before` and `after` are about the prompt `measured`."""

    def __init__(self, frame: Frame):
        self.before: Findings | None = None
        self.after: Findings | None = None
        self.measured = ""
        self.losses: list[float] = []
        self.searched = "loss"  # what the losses are of: "loss" or "loss_tuning"
        self.planted: Sequence[Planted] = ()
        self.kept: Sequence[Kept] = ()
        self.proof: Proof | None = None
        self.loss = widgets.HTML().add_class("kh-panel")
        self.view = frame.switch("view", VIEWS)
        self.bars, self.size = widgets.HTML(), widgets.HTML().add_class("kh-size")
        self.list = widgets.HTML().add_class("kh-planted")
        frame.when(self.view, lambda: self.show_bars(moving=False))

    def show(self, moving: bool = False) -> None:
        """Draw everything; `moving`: the bars move from before to after."""
        self.show_loss()
        self.show_bars(moving)
        self._show_size()
        self._show_list()

    def show_loss(self) -> None:
        """Draw the losses so far."""
        self.loss.layout.display = "" if self.losses else "none"
        if not self.losses:
            return
        points = list(enumerate(self.losses, start=1))
        axes = markup.Axes(str(say("step")), str(say(self.searched)), 0.0, max(self.losses))
        axes = replace(axes, ticks=(1, len(points)) if len(points) > 1 else (1,))
        chart = markup.line_chart([markup.Line("", points)], axes, 420, 190)
        self.loss.value = f"<h3>{say(self.searched)}</h3>" + chart

    # ------------------------------------------------------------ bars

    def pairs(self) -> list[tuple[str, list[markup.Pair]]]:
        """Bars before and after, for each kind of probe: [(kind, the two answers' bars)]."""
        if self.before is None or self.after is None:
            return []
        return [(bar.kind, self._pairs_of(bar)) for bar in self.after.bars]

    def _pairs_of(self, bar):
        old, new = (
            [each for each in measured.results if each.kind == bar.kind]
            for measured in (self.before, self.after)
        )
        true, target = NUMBERS[self.view.value]
        return [
            markup.Pair(
                _name(old, field, word),
                fmean(getattr(each, number) for each in old),
                fmean(getattr(each, number) for each in new),
                colour,
                bar.wanted == which,
            )
            for which, number, field, word, colour in (
                ("true", true, "target_true", "true_answer", markup.TRUE),
                ("new", target, "target_new", "new_answer", markup.NEW),
            )
        ]

    def show_bars(self, moving: bool) -> None:
        """Draw the bars; `moving`: from before to after."""
        pairs, before = self.pairs(), str(say("before"))
        if not pairs:
            self.bars.value = f"<p class='kh-empty'>{say('no_edit_yet')}</p>"
            return
        kinds = []
        for kind, two in pairs:
            title, note = (str(say(f"{word}_{kind}")) for word in ("kind", "note"))
            kinds.append(markup.moving_bars(title, note, two, before, moving))
        self.bars.value = f'<div class="kh-kinds">{"".join(kinds)}</div>'

    def figure(self) -> "Figure":
        """The bars for a slide. Raises KeyholeError where there are none."""
        if not self.pairs():
            raise KeyholeError(say("no_edit_yet"))
        probable = self.view.value == "probability"
        axis = say("before_and_after" if probable else "share_before_and_after")
        return stills.of_edit(self.pairs(), self.measured, str(axis))

    # ------------------------------------------------------------ numbers, and the list

    def _show_size(self):
        said = self._size_of(self.planted[-1]) if self.planted else ""
        self.size.value = said + self._proof_text()

    @staticmethod
    def _size_of(last):
        size = last.size
        words = say(
            "size_one" if size.matrices == 1 else "size_all",
            relative=f"{100 * size.relative:.1f} %",
            rank=size.rank,
            first=f"{size.singular[0]:.1f}",
            second=f"{size.singular[1]:.5f}",
            matrices=size.matrices,
            seconds=f"{last.seconds:.1f}",
        )
        return f"<p>{words} {say('score', after=f'{last.after.score:.2f}')}</p>"

    def _proof_text(self):
        proof = self.proof
        if proof is None:
            return ""
        said = say(
            "proof_same" if proof.same else "proof_other",
            count=f"{proof.parameters:,}",
            before=proof.before[:12],
            now=proof.now[:12],
            layers=", ".join(map(str, proof.layers)),
        )
        return f'<p class="kh-proof">{"✓ " if proof.same else ""}{said}</p>'

    def _show_list(self):
        kept, rows = {each.number: each for each in self.kept}, []
        for each in self.planted:
            request, now = each.request, kept.get(each.number)
            holds = "" if now is None else f"{'✓' if now.says_new else '✗'} {now.p_new:.2f}"
            rome = request.method == "rome"
            how = str(say("rome_in", layer=request.layer) if rome else say(request.method))
            asked = f"{request.prompt} → {request.target.strip()}"
            rows.append([str(each.number), asked, how, holds])
        head = ["", *(str(say(name)) for name in ("planted", "how", "holds"))]
        self.list.value = markup.table(head, rows) if rows else ""


def _name(results, field, word):
    """The answer that all probes of a kind share, or what it is called."""
    names = {getattr(each, field).strip() for each in results}
    name = names.pop() if len(names) == 1 else str(say(word))
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
