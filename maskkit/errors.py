"""The errors a caller may want to catch; each message is a sentence with the file, the value and the way out."""

from maskkit.extras import way_to_get


class MaskkitError(Exception):
    """Anything maskkit refuses or cannot do; `str(error)` is fit to be shown to a person."""


class ImageError(MaskkitError):
    """A picture that cannot be read safely: broken, too large, or of a kind that is not accepted."""


class VideoError(ImageError):
    """A video that cannot be read: broken, cut off, without pictures, or too large."""


class PointsError(MaskkitError):
    """Landmarks that are not 68 finite points, or a point file that cannot be read."""


class SchemeError(MaskkitError):
    """A region scheme that contradicts itself, or a label outside of it."""


class DetectionError(MaskkitError):
    """No face where one is needed, or a detector that cannot run."""


class ShardError(MaskkitError):
    """A shard or data set that is broken, incomplete, or not what its description promises."""


class BuildError(MaskkitError):
    """A build that cannot start, go on, or be called a success."""


class CorrectionsError(MaskkitError):
    """A file of corrections that cannot be read, contradicts another, or does not fit the photos."""


class StudioError(MaskkitError):
    """A page that cannot be served, or a request of it that is refused."""


class ExchangeError(MaskkitError):
    """A data set of another project that cannot be read, or labels that do not fit where they should go."""


class AugmentationError(MaskkitError):
    """A transform that cannot keep photo, mask and points together."""


class DamageError(MaskkitError):
    """A file that is not what was written into it."""


class OutputError(MaskkitError):
    """A result that cannot be written, or would overwrite something."""


class MissingExtraError(MaskkitError):
    """An optional dependency that is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}, which is not installed; get it with: {way_to_get(extra)}")
        self.package, self.extra, self.purpose = package, extra, purpose

    def __reduce__(self) -> tuple[type["MissingExtraError"], tuple[str, str, str]]:
        """Tell pickle what makes it again, because it comes from workers too."""
        return type(self), (self.package, self.extra, self.purpose)
