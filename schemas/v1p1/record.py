"""The three columns with which each table of 1.1 begins."""

from pandera.pandas import DataFrameModel

from schemas.fields import datetime_, guid, one_of


class Record(DataFrameModel):
    """A record's identity and state.

    `status` and `dateLastModified` are blank in a bulk file and filled in a delta file, which only the manifest
    tells apart: so they are optional here.
    """

    sourcedId: str = guid()
    status: str = one_of("active", "tobedeleted")
    dateLastModified: str = datetime_()
