"""The commands are tried on the same small runs as the package."""

from tests.gan.conftest import one_thread, small_run, small_settings

__all__ = ["one_thread", "small_run", "small_settings"]
