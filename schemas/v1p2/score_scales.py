"""scoreScales.csv and the two files that say where a scale is used."""

from schemas.fields import ref, score_scale, text
from schemas.v1p1.record import Record


class ScoreScales(Record):
    """What stands for what is scored."""

    title: str = text(required=True)
    type: str = text(required=True)
    orgSourcedId: str = ref("orgs", required=True)
    courseSourcedId: str = ref("courses", required=True)
    classSourcedId: str = ref("classes", required=True)
    scoreScaleValue: str = score_scale(required=True)


class LineItemScoreScales(Record):
    """lineItemScoreScales.csv: the scale of a line item."""

    title: str = text()
    lineItemSourcedId: str = ref("lineItems", required=True)
    scoreScaleSourcedId: str = ref("scoreScales", required=True)


class ResultScoreScales(Record):
    """resultScoreScales.csv: the scale of a result."""

    title: str = text()
    resultSourcedId: str = ref("results", required=True)
    scoreScaleSourcedId: str = ref("scoreScales", required=True)
