"""The one exception that a person can do something about."""


class KeyholeError(Exception):
    """A failure whose text is one sentence: what is wrong, and what to do about it."""
