"""What of a roster is meant for the application at all. What is left out has a reason that the report tells."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """A feed's scope. Demographics are the most private table and stay out unless a feed asks for them."""

    demographics: bool = False

    def left_out(self) -> Mapping[str, str]:
        """Return the tables that are neither read nor kept, each with the reason."""
        return {} if self.demographics else {"demographics": "this feed takes in no demographics (scope.demographics)"}

    @property
    def fingerprint(self) -> str:
        """Return a text that changes with the scope."""
        return ",".join(self.left_out())
