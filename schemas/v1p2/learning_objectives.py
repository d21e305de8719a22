"""lineItemLearningObjectiveIds.csv and resultLearningObjectiveIds.csv: what is learned by it."""

from schemas.fields import number, one_of, ref, text
from schemas.rules import case_by_urn
from schemas.v1p1.record import Record


class LineItemLearningObjectiveIds(Record):
    """A learning objective of a line item, by its name in CASE or elsewhere."""

    lineItemSourcedId: str = ref("lineItems", required=True)
    source: str = one_of("case", "unknown", extensible=True, required=True)
    learningObjectiveId: str = text(required=True)

    class Config:
        """What is true of its cells together."""

        metadata = {"rules": (case_by_urn(),)}


class ResultLearningObjectiveIds(Record):
    """A learning objective of a result, and the score for it."""

    resultSourcedId: str = ref("results", required=True)
    source: str = one_of("case", "unknown", extensible=True, required=True)
    learningObjectiveId: str = text(required=True)
    score: str = number()
    textScore: str = text()

    class Config:
        """What is true of its cells together."""

        metadata = {"rules": (case_by_urn(),)}
