"""Runs one submission's definitions in a process apart, and brings back tensors.

Only plain tensors come back. After a time-out or a death all that the process started is gone, and
the next call gets a fresh process.
"""

import json
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass

import torch

from autograder.sandbox import replies, wire, zygote_client
from autograder.sandbox.failures import SAID, NotStarted, StudentFailed, ZygoteLost
from autograder.sandbox.limits import MB, WALL, Allowance, Clock, Limits
from autograder.sandbox.process import ChildProcess
from autograder.sandbox.zygote_client import ZygoteClient
from keyhole.checking.adapters import LEFT_BEHIND
from keyhole.text import one_line


@dataclass(frozen=True)
class Reply:
    """Fresh plain CPU tensors by name. The caller checks names, shapes and values."""

    tensors: dict[str, torch.Tensor]


class Sandbox:
    """One submission's definitions, in a process apart; a context manager.

    Serves one call at a time, from any thread. `models` names the real models that calls will ask
    for. They are loaded at the start; a model first named by a later call costs a second start.
    The sandboxes of one submission share its `allowance`.

    When the shared zygote dies, everyone's calls are lost. Each sandbox then makes its call again
    from a new zygote that it shares with nobody: if that one dies too, this submission did it.
    """

    def __init__(
        self,
        definitions_source: str,
        limits: Limits | None = None,
        models: Collection[str] = (),
        allowance: Allowance | None = None,
    ):
        self.limits = limits or Limits()
        self._source, self._models = definitions_source, frozenset(models)
        self._allowance = allowance or Allowance(self.limits.submission_seconds)
        self._zygote, self._child, self._unusable = zygote_client.SHARED, None, None

    @property
    def level(self) -> str:
        """The level of isolation (isolation.py)."""
        return self._zygote.level

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """End the process and all that it left; a later call starts a new one."""
        self._end_child()
        if self._zygote is not zygote_client.SHARED:
            self._zygote.close()

    def call(
        self,
        function: str,
        adapter: str = "plain",
        tensors: dict[str, torch.Tensor] | None = None,
        options: dict | None = None,
        seconds: float | None = None,
    ) -> Reply:
        """What the student's `function` makes of `tensors`, by way of an adapter.

        keyhole/checking/adapters.py says what each returns. Raises StudentFailed for everything
        that the student's code can cause, and NotStarted where the machine gives no process.
        """
        request = function, adapter, tensors or {}, options or {}, seconds or self.limits.seconds
        try:
            return self._call(*request)
        except ZygoteLost:
            self._zygote = ZygoteClient(self.level)
            return self._call(*request)

    def _call(self, function, adapter, tensors, options, seconds) -> Reply:
        if self._unusable:
            raise self._unusable
        if self._allowance.left <= 0:
            raise self._used_up()
        model = options.get("model")
        self._be_ready({model} if isinstance(model, str) else set())
        reply_bytes = self.limits.reply_mb * MB
        if options.get("after"):  # then what was sent comes back as well
            reply_bytes += sum(tensor.nbytes for tensor in tensors.values())
        content = {
            "adapter": adapter,
            "function": function,
            "options": options,
            "reply_bytes": reply_bytes,
        }
        reply = self._run("call", content, seconds, tensors, reply_bytes + wire.HEADER_BYTES)
        if isinstance(model, str) and any(map(reply.get, LEFT_BEHIND)):
            self._end_child()  # the model it holds is no longer the one that was loaded
        return Reply(reply)

    def _be_ready(self, models) -> None:
        """Have a process that holds the models, and has run the definitions."""
        if self._child and (not models <= self._models or self._child.has_spoken()):
            self._end_child()
        self._models |= models
        if not self._child:
            self._start()
            self._define()

    def _start(self) -> None:
        """A new process with its models and limits. Nothing of the student's runs yet."""
        names = sorted(self._models)
        self._child = ChildProcess(self._zygote, names)
        content = {"models": names, "limits": asdict(self.limits)}
        try:
            self._ask("prepare", content, Clock(self.limits.start_seconds))
        except StudentFailed as error:
            # Something that another submission did may have stopped the shared zygote.
            if error.code == "timeout" and self._zygote is zygote_client.SHARED:
                raise ZygoteLost from None
            # It can take its time to fail, so it is not tried again for each test.
            if error.code == "lost":
                self._unusable = NotStarted("not_started", self._zygote.last_words())
            else:
                self._unusable = NotStarted("not_prepared", error.remark)
            raise self._unusable from None

    def _define(self) -> None:
        """Run the student's definitions."""
        try:
            self._run("define", {"source": self._source}, self.limits.seconds)
        except StudentFailed as error:
            if error.code == "submission":
                raise
            self._unusable = StudentFailed("definitions", cause=error)
            raise self._unusable from None

    def _run(self, command: str, content: dict, seconds: float, *request) -> dict:
        """`_ask` for what runs the student's code: the submission's allowance pays for it."""
        wall = min(WALL * seconds, self._allowance.left)
        last, clock = wall == self._allowance.left, Clock(wall)
        try:
            return self._ask(command, content | {"seconds": seconds}, clock, *request)
        except StudentFailed as error:
            if error.code == "timeout" and clock.left > 0:  # its processor time is used up
                raise StudentFailed("timeout", f"{seconds:g}") from None
            raise self._used_up() if last and error.code == "timeout" else error from None
        finally:
            self._allowance.used += clock.seconds - clock.left

    def _used_up(self) -> StudentFailed:
        return StudentFailed("submission", f"{self._allowance.seconds:g}")

    def _ask(
        self,
        command: str,
        content: dict,
        clock: Clock,
        sent: dict[str, torch.Tensor] | None = None,
        reply_bytes: int = wire.HEADER_BYTES,
    ) -> dict[str, torch.Tensor]:
        """Send one request, wait for its reply, and return its tensors."""
        try:
            frame = wire.pack(sent or {}, command=command, content=json.dumps(content))
            tensors, text = wire.unpack(self._child.exchange(frame, clock, reply_bytes))
            code, detail = self._status(text, content)
            if code == "done" and command == "call":
                replies.check_reply(tensors, content["adapter"], sent, content["options"])
        except BaseException as error:
            # Also at Ctrl-C: nothing can go on from half an exchange.
            self._end_child()
            match error:
                case wire.WireError():
                    raise StudentFailed("garbled", error) from None
                case StudentFailed(code="cpu"):
                    raise StudentFailed("cpu", self.limits.cpu_seconds) from None
                case ZygoteLost() if self._zygote is not zygote_client.SHARED:
                    raise StudentFailed("lost") from None
            raise
        if code != "done":
            raise StudentFailed(
                code, detail, text.get("problem"), line=self._line(text.get("line", ""))
            )
        return tensors

    def _status(self, text: dict[str, str], content: dict) -> tuple[str, object]:
        """(code, detail) of a reply. Raises WireError for a pair that no honest child sends."""
        code, detail = text.get("status"), text.get("detail", "")
        # These details the grader knows itself.
        known = {
            "absent": content.get("function", ""),
            "memory": self.limits.memory_mb,
            "big": f"more than {content.get('reply_bytes', 0) / MB:.3g} MB",
        }
        if code in known:
            return code, known[code]
        if code == "memory_step":
            return self._out_of_memory(detail)
        if code == "stub_called" and not re.search(rf"\b{re.escape(detail)}\b", self._source):
            raise wire.WireError("it names no function")
        if code == "done" or code in SAID and (SAID[code] is None or detail in SAID[code]):
            return code, detail
        raise wire.WireError("it has no status")

    def _line(self, number: str) -> str:
        """The line of the student's own text that a reply names; empty where there is none."""
        lines = self._source.splitlines()
        if not re.fullmatch(r"\d{1,6}", number) or not 0 < int(number) <= len(lines):
            return ""
        return one_line(lines[int(number) - 1].strip(), 100)

    def _out_of_memory(self, detail: str) -> tuple[str, object]:
        """(code, detail) of what child.step_of says. Raises WireError for anything else.

        A step that asked for much is named by its line, which is the student's own text. One that
        asked for little only met what other steps had left.
        """
        said = re.fullmatch(r"(\d{1,6}) (\d{1,12})", detail)
        number, asked = map(int, said.groups()) if said else (0, 0)
        lines, limit = self._source.splitlines(), self.limits.memory_mb
        if not 0 < number <= len(lines) or asked != wire.rounded(asked):
            raise wire.WireError("it names no line")
        if 2 * asked < limit:
            return "memory", limit
        line = one_line(lines[number - 1].strip(), 100)
        return "memory_step", f"`{line}`, {asked:,} MB / {limit:,} MB"

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child:
            child.close()
