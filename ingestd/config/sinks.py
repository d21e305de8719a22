"""The settings of a sink: what all have, and what one kind alone has."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, model_validator

from ingestd.config.base import Settings
from ingestd.config.places import StatePath
from ingestd.config.remote import Push
from ingestd.config.values import Count, Options, PositiveDuration, Secret, SinkKind, SinkUrl
from ingestd.config.words import DefaultIs

_OF = {
    "csvzip": ("push",),
    "sql": ("url", "db_schema"),
    "webhook": ("url", "secret", "batch", "timeout", "connect_timeout", "max_retry", "ca"),
}
"""The settings that a kind has beside its path, by their names here."""
_PATH_LIKE = {"sqlite": "roster.db", "csvzip": "roster.zip", "changeset": "out/changes", "webhook": "webhook.db"}


class Sink(Settings):
    """`[[sinks]]`."""

    name: Annotated[str | None, DefaultIs("its kind")] = Field(
        None, pattern=r"^[a-z0-9][a-z0-9_-]*$", description="what the sink is called; each of a feed's has its own name"
    )
    kind: SinkKind = Field(
        description="where actions go: `sqlite`, `sql`, `webhook`, `csvzip`, `changeset`, or another that is installed"
    )
    path: StatePath | None = Field(
        None,
        description="the file that it writes, of `csvzip` a zip or folder, of `changeset` a folder, of `webhook` what "
        "was answered; in `state_dir`",
    )
    push: Annotated[tuple[Push, ...], DefaultIs("none")] = Field(
        (), description="servers to which `csvzip` passes its zip on, a table each"
    )
    url: SinkUrl | None = Field(
        None,
        description="of `webhook`: where it posts, by https, or http within this machine; of `sql`: a reference to the "
        "database, like `postgresql://USER:PASSWORD@HOST/NAME`",
    )
    db_schema: str | None = Field(
        None, alias="schema", min_length=1, description="of `sql`: where its tables are; unset: the user's own"
    )
    secret: Secret | None = Field(None, description="what a `webhook` signs with, `whsec_…`")
    batch: Count = Field(500, ge=1, le=10_000, description="how many actions a `webhook` posts at once")
    timeout: PositiveDuration = Field(
        timedelta(seconds=60), description="how long a `webhook` may take for its whole answer"
    )
    connect_timeout: PositiveDuration = Field(
        timedelta(seconds=10), description="how long of that until there is a connection"
    )
    max_retry: PositiveDuration = Field(
        timedelta(minutes=2), description="how long a `webhook` is tried with one batch; then it is left until later"
    )
    ca: StatePath | None = Field(
        None, description="certificates that a `webhook` trusts instead of the system's; relative to `state_dir`"
    )
    options: Options = Field(default_factory=dict, description="settings of a sink that comes from elsewhere")

    @property
    def key(self) -> str:
        """Return what the sink is called, by which what is owned in it is kept."""
        return self.name or self.kind

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return what the sink is opened with: its path, absolute, and what its kind has, if set, and its options."""
        told = self.model_dump(include={"path", *_OF.get(self.kind, ())}, by_alias=True)
        return {name: value for name, value in told.items() if value not in (None, ())} | self.options

    @model_validator(mode="after")
    def _is_whole(self) -> "Sink":
        if self.path is None and self.kind in _PATH_LIKE:
            raise ValueError(f'needs a path, like path = "{_PATH_LIKE[self.kind]}"')
        strange = {name for names in _OF.values() for name in names} & self.model_fields_set - {*_OF.get(self.kind, ())}
        if strange:
            names = ", ".join(sorted(type(self).model_fields[name].alias or name for name in strange))
            raise ValueError(f"has {names}, which a sink of kind {self.kind!r} does not have")
        return self

    @model_validator(mode="after")
    def _can_push(self) -> "Sink":
        if self.push and (self.path is None or self.path.suffix.lower() != ".zip"):
            raise ValueError('push needs kind = "csvzip" and a path that ends in .zip: it is the zip that is pushed')
        return self

    @model_validator(mode="after")
    def _knows_where(self) -> "Sink":
        is_plain = self.url is not None and self.url.startswith("http")
        if self.kind == "sql" and (self.url is None or is_plain):
            raise ValueError('needs a reference to its url, like url = "credential:db"')
        if self.kind == "webhook" and not (is_plain and self.secret):
            raise ValueError('needs a url that begins with https:// and a secret, like secret = "credential:hook"')
        return self
