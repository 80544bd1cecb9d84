"""`python -m maskkit`: the command."""

from maskkit_entry import maskkit

maskkit()
