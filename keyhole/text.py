"""Text that came from a student, made fit to show."""


def one_line(text: object, limit: int = 300) -> str:
    """`text` on one line of at most `limit` characters.

    Characters that cannot be printed (control, direction marks, surrogates) become spaces.
    """
    head = str(text)[: 4 * limit]
    line = " ".join("".join(c if c.isprintable() else " " for c in head).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
