"""What the networks must know of the data that they learn from."""

from dataclasses import dataclass
from typing import Any, Self

import maskkit
from gan.errors import CheckpointError


@dataclass(frozen=True)
class DataDescription:
    """What the networks must know of the data: image size, classes of the layout, attributes, training rows.

    `rows_sha256` tells the rows from others (`rows_identity`); empty where nobody has noted it.
    """

    size: int
    scheme: maskkit.RegionScheme
    attribute_names: tuple[str, ...]
    rows: int
    rows_sha256: str = ""

    @property
    def n_s(self) -> int:
        """Classes of the layout, background included."""
        return len(self.scheme)

    @property
    def n_c(self) -> int:
        """Attributes; may be 0."""
        return len(self.attribute_names)

    def to_dict(self) -> dict[str, Any]:
        """Give plain types, for a checkpoint."""
        return {
            "size": self.size,
            "scheme": self.scheme.to_dict(),
            "attribute_names": list(self.attribute_names),
            "rows": self.rows,
            "rows_sha256": self.rows_sha256,
        }

    def summary(self) -> str:
        """Say in a few words what the data is."""
        names = ", ".join(self.attribute_names) or "none"
        return f"{self.rows} rows at {self.size} pixels, scheme {self.scheme.name}, attributes {names}"

    @classmethod
    def from_dict(cls, values: Any, source: str) -> Self:
        """Undo `to_dict`. Raises CheckpointError or maskkit.SchemeError with `source`."""
        try:
            scheme = maskkit.RegionScheme.from_dict(values["scheme"], source)
            names, rows_sha256 = tuple(map(str, values["attribute_names"])), str(values.get("rows_sha256", ""))
            return cls(int(values["size"]), scheme, names, int(values["rows"]), rows_sha256)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{source}: its description of the data is damaged ({error!r})") from error
