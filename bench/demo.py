"""The engine of the lecture's demo: what an audience waits for, and the memory of one kernel."""

import multiprocessing
import resource
import sys
from collections.abc import Iterator

from autograder.oracle import tracing as oracle
from bench.row import Row, timed
from bench.tracing import PROMPT, SUBJECT
from keyhole.tracing import subject_noise
from lecture.editing import EditRequest
from lecture.engine import Engine
from lecture.tracing import TraceRequest

TARGET, SUBJECT_END = " Rome", 3  # the subject's last token


def rows() -> Iterator[Row]:
    engine, seconds = timed(Engine)
    yield Row("the demo's engine, from nothing", seconds, target="at most 10 s, with the page")
    yield from _maps(engine)
    yield from _edits(engine)
    # A fresh process, so that only the demo's own memory counts.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        [(edited, tuned)] = pool.map(_peaks, [None])
    yield Row(
        "memory of the demo's kernel, in GB, after a map and an edit",
        edited,
        target="at most 2 GB",
        notes=(f"{tuned:.2f} GB after fine-tuning and an answer of the untouched model",),
    )


def _maps(engine: Engine) -> Iterator[Row]:
    model, request = engine.model, TraceRequest(PROMPT, SUBJECT)
    _, stored = timed(lambda: engine.tracer.stored(request))
    yield Row("a stored map", stored, target="at once")
    noise = subject_noise(model, PROMPT, SUBJECT)
    _, sweep = timed(
        lambda: oracle.trace(
            model, PROMPT, SUBJECT, noise, range(len(model.encode([PROMPT])[0])), range(30)
        )
    )
    trace, begun = timed(lambda: engine.tracer.begin(request))
    _, click = timed(lambda: trace.top(SUBJECT_END, 0))
    filling = trace.fill()
    _, first = timed(lambda: [next(filling) for _ in range(3)])
    _, rest = timed(lambda: list(filling))
    whole = begun + first + rest
    yield Row(
        "a map of one's own, 10 tokens (baseline: the oracle's sweep)",
        whole,
        sweep,
        "at most 1.3 times the sweep",
        (f"the first three rows after {begun + first:.2f} s (target: 2 s)",),
    )
    _, again = timed(lambda: trace.top(SUBJECT_END, 0))
    yield Row(
        "a click on a cell whose row is not there yet",
        click,
        target="at most 0.5 s",
        notes=(f"{again:.3f} s once the row is there",),
    )


def _edits(engine: Engine) -> Iterator[Row]:
    request = EditRequest(PROMPT, SUBJECT, TARGET)
    made, seconds = timed(lambda: engine.editor.edit(request))
    yield Row(
        "an edit, measured before and after",
        seconds,
        target="at most 12 s",
        notes=(f"{len(made.losses)} steps; {made.after.score:.2f} S by probability",),
    )
    _, seconds = timed(lambda: engine.editor.rescale(0.5))
    yield Row("the same edit, half as large", seconds)
    engine.editor.undo()
    _, seconds = timed(lambda: engine.editor.edit(request))
    yield Row("the same edit again, v* known", seconds)
    engine.editor.undo()
    proof, seconds = timed(engine.editor.proof)
    yield Row("the proof that W is as it was", seconds, notes=(f"same: {proof.same}",))


def _peaks(_: None) -> tuple[float, float]:
    """The largest memory of this process so far in GB: after a map and an edit, and later on."""
    engine = Engine()
    list(engine.tracer.begin(TraceRequest(PROMPT, SUBJECT)).fill())
    engine.editor.edit(EditRequest(PROMPT, SUBJECT, TARGET))
    engine.editor.live()
    edited = _peak()
    engine.editor.undo()
    engine.editor.edit(EditRequest(PROMPT, SUBJECT, TARGET, method="fine-tuning"))
    engine.editor.ask(PROMPT)
    return edited, _peak()


def _peak() -> float:
    scale = 1e9 if sys.platform == "darwin" else 1e6  # macOS counts bytes, Linux kB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
