"""orgs.csv: districts, schools and the bodies between and above them."""

from schemas.fields import one_of, ref, text
from schemas.v1p1.record import Record


class Orgs(Record):
    """An organisation, below its parent. `identifier` is one from outside, such as the NCES id."""

    name: str = text(required=True)
    type: str = one_of("department", "school", "district", "local", "state", "national", required=True)
    identifier: str = text()
    parentSourcedId: str = ref("orgs")
