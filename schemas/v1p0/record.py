"""The three columns with which most tables of 1.0 begin."""

from pandera.pandas import DataFrameModel

from schemas.fields import datetime_, guid, one_of

STATES = ("active", "inactive", "tobedeleted")
"""What a record may be; 1.1 took `inactive` away and reads it as `tobedeleted`."""


class Record(DataFrameModel):
    """A record's identity and state."""

    sourcedId: str = guid()
    status: str = one_of(*STATES)
    dateLastModified: str = datetime_()
