"""Text from outside, made fit to be shown: file names and messages may hold anything."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def visible(text: str, limit: int = 120) -> str:
    """`text` as one line of at most `limit` characters, its middle left out where it is longer.

    What isn't printable is replaced: line breaks, other control characters, marks that change the
    direction of writing, lone surrogates.
    """
    if len(text) > limit:
        head = (limit - 1) // 2
        text = f"{text[:head]}…{text[head + 1 - limit :]}"
    return "".join(character if character.isprintable() else _REPLACEMENT for character in text)
