"""What of a roster is meant for the application at all, and the reasons for which records are left out (DESIGN 8)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

CONTACTS = ("guardian", "parent", "relative")
"""The roles of those who belong to a student and not to a school (role enumerations of 1.0, 1.1 and 1.2)."""
USER_FLAGS = "metadata.microsoft.userflags"
"""The column of users in which flags such as freeLunch or homeless come, in lower case (systems.md D7)."""


class Reason(StrEnum):
    """Why a record is left out; the first one that applies is the one that is told."""

    STATUS = "status"
    ORG = "org"
    CONTACT = "contact"
    ROLE = "role"
    EMAIL = "email"
    DISABLED = "disabled"
    NOT_CURRENT = "not-current"
    NOT_YET = "not-yet"
    OVER = "over"
    NO_TEACHER = "no-teacher"
    NO_STUDENT = "no-student"
    UNENROLLED = "unenrolled"
    FOLLOWS = "follows"


WORDS: Mapping[Reason, str] = {
    Reason.STATUS: "its status is not one of those wanted (scope.statuses)",
    Reason.ORG: "its org is not in scope (scope.orgs)",
    Reason.CONTACT: "contacts are not passed on (scope.contacts)",
    Reason.ROLE: "its role is not one of those wanted (scope.roles)",
    Reason.EMAIL: "its e-mail address is in none of the domains (scope.email_domains)",
    Reason.DISABLED: "it is not enabled (scope.active_only)",
    Reason.NOT_CURRENT: "it has no part in a term of today (scope.active_only)",
    Reason.NOT_YET: "it begins too far ahead (scope.class_lead_days)",
    Reason.OVER: "it ended too long ago (scope.class_archive_after_days)",
    Reason.NO_TEACHER: "it has no teacher in scope (scope.classes_need)",
    Reason.NO_STUDENT: "it has no student in scope (scope.classes_need)",
    Reason.UNENROLLED: "it is in no class in scope (scope.unenrolled_users)",
    Reason.FOLLOWS: "what it belongs to is left out",
}
"""What is said of a reason, with the setting that it comes from."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A feed's scope: what is set lets fewer records in, never more. Empty means that nothing is asked.

    `orgs` are sourcedIds, or `identifier:` and an identifier; what is below an org is in scope with it. `statuses` has
    words by table. Demographics, contacts and user flags are private and stay out unless a feed asks for them.
    """

    orgs: tuple[str, ...] = ()
    email_domains: tuple[str, ...] = ()
    email_subdomains: bool = False
    email_exceptions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    statuses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    active_only: tuple[str, ...] = ()
    class_lead_days: int | None = None
    class_archive_after_days: int | None = None
    classes_need: tuple[str, ...] = ()
    unenrolled_users: bool = True
    demographics: bool = False
    contacts: bool = False
    user_flags: bool = False

    def left_out(self) -> Mapping[str, str]:
        """Return the tables that are neither read nor kept, each with the reason."""
        return {} if self.demographics else {"demographics": "this feed takes in no demographics (scope.demographics)"}

    def unread_columns(self) -> frozenset[str]:
        """Return the columns that are neither read nor kept, in lower case."""
        return frozenset() if self.user_flags else frozenset({USER_FLAGS})

    @property
    def asks_nothing(self) -> bool:
        """Return whether no record is ever left out but contacts and whole tables."""
        return self == Scope(demographics=self.demographics, contacts=self.contacts, user_flags=self.user_flags)

    @property
    def fingerprint(self) -> str:
        """Return a text that changes with the scope."""
        return repr(self)
