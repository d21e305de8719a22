"""Users as rules read them, whatever the version: with their role and their orgs, which 1.2 has in a table of roles."""

import pandas as pd
import pyarrow.compute as pc

from ingestd.core.collect import collect
from ingestd.core.columns import to_series
from ingestd.core.rules import Collect
from ingestd.core.verbs import column_of, item_of

OF_ROLES = {"role": "role", "orgSourcedIds": "orgSourcedId"}
"""Which column of users is made of which column of roles."""


def with_roles(users: pd.DataFrame, roles: pd.DataFrame) -> pd.DataFrame:
    """Return users with the role and the orgs that their records in `roles` give, where their own cells are blank.

    The primary role comes first (1.2, roles.csv, roleType); a user's role is the first of them.
    """
    made = {}
    for name, take in OF_ROLES.items():
        lists, _ = collect(users, roles, Collect("roles", "userSourcedId", take, order=("roleType",)))
        found = item_of(lists, 1) if name == "role" else lists
        own = column_of(users, name)
        made[name] = to_series(pc.if_else(pc.equal(own, ""), found, own)).array
    return users.assign(**made)
