"""The demo's engine: one model, and what the three tabs do with it."""

from collections.abc import Callable
from threading import RLock

from torch import Tensor

from keyhole.models import DEFAULT_MODEL, EditableModel, load_model
from lecture.editing import Editor
from lecture.moments import Moments
from lecture.tracing import Tracer
from lecture.weights import Weights


class Engine:
    """A model to trace and to edit; the kit's own unless `load` gives another.

    `load` is called once at the start, and again where the untouched model is wanted beside one
    whose weights were all changed. `name` is the model's; `ids` (sequences, tokens) is the text
    for C, where the model does not read the kit's. Raises KeyholeError where there is no model.
    """

    def __init__(
        self,
        load: Callable[[], EditableModel] = load_model,
        name: str = DEFAULT_MODEL,
        ids: Tensor | None = None,
    ):
        self._weights = Weights(load())
        self.tracer = Tracer(self._weights)
        self.editor = Editor(self._weights, Moments(self._weights, name, ids), load)

    @property
    def model(self) -> EditableModel:
        """The model as it is now. Who runs it holds `lock`."""
        return self._weights.model

    @property
    def lock(self) -> RLock:
        """Held by whoever runs or changes the model."""
        return self._weights.lock

    @property
    def state(self) -> tuple[int, ...]:
        """Another one after every change of the weights, and the same again once it is undone."""
        return self._weights.state
