"""orgs.csv of 1.0."""

from schemas.fields import one_of, ref, text
from schemas.v1p0.record import Record


class Orgs(Record):
    """An organisation, below its parent. Samples have districts, which the list of words does not."""

    name: str = text(required=True)
    type: str = one_of("school", "local", "state", "national", "district", required=True)
    identifier: str = text()
    parentSourcedId: str = ref("orgs")
