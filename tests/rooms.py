"""How large a room may be: a contract for import-linter, which `make lint` checks beside those of the imports."""

from collections import Counter
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class RoomSize(Contract):  # type: ignore[misc]
    """No package holds more than `most` modules, its `__init__` and the packages in it included."""

    most = fields.IntegerField()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Count the modules of every package."""
        held = Counter(name.rpartition(".")[0] for name in graph.modules if "." in name)
        crowded = {name: count + 1 for name, count in held.items() if count + 1 > self.most}
        return ContractCheck(kept=not crowded, metadata={"crowded": crowded})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name the packages that hold too many."""
        crowded: dict[str, Any] = check.metadata["crowded"]
        for name, count in sorted(crowded.items()):
            output.print_error(f"{name} holds {count} modules, and {self.most} is the most; divide it")
