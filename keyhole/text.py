"""Text that came from a student, made fit to show: one line, no control or direction characters, of bounded length."""


def one_line(text, limit: int = 300) -> str:
    """`text` on one line of at most `limit` characters; what cannot be printed (control, bidi, surrogates) becomes a space."""
    head = str(text)[: 4 * limit]
    line = " ".join("".join(c if c.isprintable() else " " for c in head).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
