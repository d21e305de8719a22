"""`ingestd rekey --suggest`: which ids the drop that is held has changed."""

from ingestd import rekey
from ingestd.core.rekey import Ids
from ingestd.errors import UsageError
from ingestd.feed import Feed
from ingestd.guarding import changed_ids
from ingestd.stages import never


def suggest_ids(feed: Feed) -> Ids:
    """Return which ids the held run's drop has changed, as far as it can be told.

    Raises:
        UsageError: no drop is held.
    """
    with feed.store.locked():
        held = feed.held_run()
        path = feed.filing.package(held.id, held.document.get("drop")) if held else None
        if path is None:
            raise UsageError(f"no drop of {feed.name} is held; a list is made of one that is")
        return rekey.ids_of(changed_ids(feed.runs.preview(path, never).settled, feed.store))
