"""Text from strangers' files, made fit to be shown: it steers no terminal, and is no longer than a person reads."""

LONGEST, LONGEST_NAME = 2000, 120  # characters of a line or a sentence, and of a name in one
_CUT = " ... "


def plain(text: str, longest: int = LONGEST_NAME) -> str:
    """A name with what cannot be printed, such as a terminal's escape sequences and line breaks, replaced, and cut."""
    return "".join(one if one.isprintable() else "\ufffd" for one in shortened(text, longest))


def shortened(text: str, longest: int = LONGEST) -> str:
    """The text without its middle, where it is longer."""
    if len(text) <= longest:
        return text
    half = (longest - len(_CUT)) // 2
    return f"{text[:half]}{_CUT}{text[-half:]}"


def for_terminal(text: str) -> str:
    """Lines of text as they may be shown: each plain and none too long."""
    return "\n".join(plain(line, LONGEST) for line in text.split("\n"))
