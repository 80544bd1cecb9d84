"""`python -m gan`: the command."""

from maskkit_entry import gan

gan()
