"""Files of weights that others publish, called after their SHA-256 as torch.hub has them: vgg19-dcbb9e9d.pth."""

import re

_NAMED = re.compile(r"-([0-9a-f]{8,64})\.")


def broken_promise(name: str, sha256: str) -> str | None:
    """Say how a file's SHA-256 contradicts its name; None where it does not, or the name promises nothing.

    torch compares the two when it has just got the file, and never again.
    """
    named = _NAMED.search(name)
    if named is None or sha256.startswith(named[1]):
        return None
    return f"its name promises a SHA-256 of {named[1]}..., and it is {sha256[: len(named[1])]}..."
