"""The exceptions that a person can do something about."""

from keyhole.messages import Remark, sentences


class KeyholeError(Exception):
    """A failure that says what is wrong and what to do about it, in one sentence as a rule.

    `KeyholeError(problem("no_layer", ...))`. `str` gives the words, in the language spoken. Code
    that has to know which failure it is reads `code`. What only the staff reads may be a plain
    text; it has no code.
    """

    def __init__(self, *remarks: Remark | str):
        super().__init__(*remarks)

    def __str__(self):
        return sentences(*self.args)

    @property
    def remarks(self) -> tuple[Remark | str, ...]:
        """What is said, in order."""
        return self.args

    @property
    def code(self) -> str | None:
        """The name of the sentence; None for a plain text."""
        return self.args[0].code if isinstance(self.args[0], Remark) else None


class Unusable(KeyholeError):
    """Arguments of a command that nothing can be done with; its exit status is 2."""
