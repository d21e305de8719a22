"""Findings about the zip as it came."""

from ingestd.core.catalogue.entry import Entry
from ingestd.core.model import Severity

ENTRIES = {
    "not-a-zip": Entry(
        severity=Severity.CATASTROPHIC,
        title="Not a zip",
        message="the drop is not a zip: {detail}",
        cause="Another kind of file was renamed to .zip, a single CSV was sent as it is, or the export saved the error "
        "page of a server under the zip's name.",
        remedy="Send a .zip that holds the CSV files.",
        source="CSV Binding 1.2, section 2.2",
    ),
    "incomplete-zip": Entry(
        severity=Severity.CATASTROPHIC,
        title="A zip cut off or damaged",
        message="the zip is cut off or damaged: {detail}",
        cause="The upload ended early (a lost connection, a full disk, an export that was stopped), it began before "
        "the zip was written to its end, or it was made in text mode, which changes bytes.",
        remedy="Send the zip again, whole, and test it before (unzip -t). Where it is written straight into the inbox, "
        "write it under another name and rename it when it is done.",
        source="CSV Binding 1.2, section 2.2",
    ),
    "unsafe-zip": Entry(
        severity=Severity.CATASTROPHIC,
        title="A zip that is not opened",
        message="the zip is not one that is opened: {detail}",
        cause="It has a password, a packing method other than Deflate, several parts, links, folders or odd names in "
        "it, or its directory and its content contradict each other. Attacks look the same, so none of it is read.",
        remedy="Zip the plain CSV files with an ordinary tool: Deflate, no password, no folders, nothing else.",
        source="CSV Binding 1.2, section 2.2",
    ),
    "digest-mismatch": Entry(
        severity=Severity.CATASTROPHIC,
        title="Not the zip that was promised",
        message="the zip is not the one that its .sha256 file promises: {detail}",
        cause="The zip was changed on its way, only one of the two files was sent anew, or the .sha256 file was not "
        "made from the zip that was sent.",
        remedy="Make the .sha256 file from the zip with sha256sum, and send both again.",
        source="ingestd",
    ),
    "nested-zip": Entry(
        severity=Severity.CATASTROPHIC,
        title="A zip inside the zip",
        message="the zip holds another zip, {name}, and no roster files",
        cause="The export was zipped a second time, by hand or by a program that passed it on.",
        remedy="Send the inner zip itself.",
        source="CSV Binding 1.2, section 2.2",
    ),
    "zip-too-large": Entry(
        severity=Severity.CATASTROPHIC,
        title="A zip beyond a limit",
        message="the zip goes beyond a limit: {detail}",
        cause="It holds more files or more bytes than this feed allows, or a file that shrinks so much that it is "
        "taken for an attack. A very large district can come to the limits in all honesty.",
        remedy="Send the CSV files of one roster and nothing else. If they are as large as that, ask the operator to "
        "raise [package].",
        source="ingestd",
    ),
    "reader-stopped": Entry(
        severity=Severity.CATASTROPHIC,
        title="Reading was stopped",
        message="reading the drop was stopped: {detail}",
        cause="Drops are read in a process that may use so much memory and time and no more. This one used it up or "
        "crashed: its files are far larger, or far odder, than those of other nights.",
        remedy="Look for what is odd in the files and send the drop again. If it is stopped once more, ask the "
        "operator, who can give reading more memory or time in [package].",
        source="ingestd",
    ),
    "enclosing-folder": Entry(
        severity=Severity.INFO,
        title="A folder around the files",
        message="the files lie in one folder inside the zip",
        cause="The folder was zipped, and not the files in it, as desktops do when the folder is what was clicked.",
        remedy="Zip the files, not the folder.",
        source="CSV Binding 1.2, section 2.2",
        switchable=True,
    ),
    "ignored-file": Entry(
        severity=Severity.INFO,
        title="A file that is not read",
        message="{name} is not a roster file and was not read",
        cause="Desktops add files of their own to a zip (__MACOSX, .DS_Store, Thumbs.db), exporters add logs and "
        "reports, or files of another version of the standard.",
        remedy="Leave it out of the zip.",
        source="CSV Binding 1.2, table 2.1",
    ),
    "file-name-case": Entry(
        severity=Severity.INFO,
        title="A file name in another case",
        message="{name} was read as {expected}",
        cause="Many exporters write names of files in lower case, which Windows does not tell apart.",
        remedy="Name the file {expected}.",
        source="CSV Binding 1.2, table 2.1",
        switchable=True,
    ),
    "file-alias": Entry(
        severity=Severity.INFO,
        title="A file under another name",
        message="{name} was read as {expected}",
        cause="The exporter has a name of its own for the file, and the settings of the feed's SIS say which it is.",
        remedy="Name the file {expected}.",
        source="CSV Binding 1.2, table 2.1",
        switchable=True,
    ),
    "duplicate-file": Entry(
        severity=Severity.CATASTROPHIC,
        title="The same file twice",
        message="{name} is in the zip twice",
        cause="Two exports went into one zip, or a new one was added to the zip of the night before. Names that differ "
        "in upper and lower case alone are the same name here, as are two that the feed's SIS has for one file.",
        remedy="Send each file once: make the zip anew each time.",
        source="CSV Binding 1.2, section 2.1",
    ),
}
