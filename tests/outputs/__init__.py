"""Every command that writes, at every odd moment: python -m tests.outputs."""
