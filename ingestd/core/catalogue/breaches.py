"""Breaches: what holds a run until someone has looked."""

from ingestd.core.catalogue.entry import BreachEntry

BREACHES = {
    "file-left-out": BreachEntry(
        title="A file was left out",
        cause="The last set had the file and this one does not: a step of the export failed, or the export was set to "
        "send less.",
        remedy="Have the drop sent again with the file. If it is to stay out, release the run: what the file held is "
        "kept as it was.",
    ),
    "empty-file": BreachEntry(
        title="A file came without records",
        cause="The export's query found nothing where it found records before.",
        remedy="Have the drop sent again with the records. If there are none any more, release the run: an empty file "
        "removes nothing.",
    ),
    "table-emptied": BreachEntry(
        title="All records of a table would go",
        cause="The file has records and none that is known: ids are made in another way than before, or it is another "
        "district's file.",
        remedy="Compare the ids with those of the last set. Discard the run unless every old record is truly gone.",
    ),
    "ids-changed": BreachEntry(
        title="Records come under other ids",
        cause="Many records would be removed and created again, the same by identifier, e-mail address or username, or "
        "by all that names a school, course, class or session: the SIS was replaced, or its export makes sourcedIds in "
        "another way.",
        remedy="Do not release the run: everyone would lose what the application has of them. Have the old ids sent "
        "again; or, if the new ones are to stay, change them: ingestd rekey FEED --suggest writes a list of old and "
        "new ids, ingestd rekey FEED LIST changes them in place, and the run is planned anew when it is looked at.",
    ),
    "too-many-deletes": BreachEntry(
        title="Too many records would go",
        cause="A school or a school year fell out of the export, a filter was changed, or the year has turned and it "
        "is right.",
        remedy="Look at the plan. Release it if these records are truly gone, else discard it and have the export "
        "mended. The limit is limits.delete.",
    ),
    "too-many-updates": BreachEntry(
        title="Too many records would change",
        cause="The exporter writes a column in another way than before (names in capitals, other ids of schools), or "
        "the year has turned and all grades with it.",
        remedy="Look at which columns change. Release the plan if that is meant. The limit is limits.update.",
    ),
    "too-many-deletes-in-org": BreachEntry(
        title="Too many records of one org would go",
        cause="One school was left out of the export or was exported half, or it was closed, or its id was changed.",
        remedy="Ask about that school. Release the plan if it is right, else discard it. The limit is "
        "limits.per_org_delete.",
    ),
    "too-many-held-back": BreachEntry(
        title="Too many records were held back",
        cause="One error is in a large part of a file's records: an export setting was changed, or a column is "
        "shifted.",
        remedy="Have the errors mended and the drop sent again. Release the plan to take the rest as it is; what was "
        "held back keeps its last good version. The limit is limits.max_held_back.",
    ),
    "drift": BreachEntry(
        title="The application was changed by others",
        cause="Somebody changed target records in the application, or removed them, or a backup of it was restored.",
        remedy="Look at the plan. Release it to have what the roster says; discard it to leave the application as it "
        "is. Pin what is to stay.",
    ),
    "undo": BreachEntry(
        title="A run is to be undone",
        cause="Somebody asked for it with `ingestd undo`.",
        remedy="Look at the plan and release it. The next drop brings back whatever the source system still says.",
    ),
    "unmapped-values": BreachEntry(
        title="Values that no map has",
        cause="The roster has values that are not in a value map, and the rules say that such a run is to wait.",
        remedy="Operator: add them to the map. The run is planned anew when it is looked at.",
    ),
}
