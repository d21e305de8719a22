"""The configuration: TOML files in, one frozen `Config` out, or every fault at once in the operator's words.

`words`, `places` and `base` are the bottom; `values` turns text into values, `models` and `sis` say what a file may
hold, `settings` tells it, `faults` explains what is wrong, `load` reads. Nothing else in ingestd knows pydantic.
"""

from ingestd.config.bounds import Limits, OnBreach, PackageLimits, Scope
from ingestd.config.load import STANDARD, find, load, load_sis
from ingestd.config.models import (
    Config,
    Feed,
    FolderSource,
    Level,
    Repairs,
    Retention,
    Schedule,
    SftpSource,
)
from ingestd.config.places import shipped, shipped_folder
from ingestd.config.remote import Push, SftpAccount
from ingestd.config.settings import Setting, describe
from ingestd.config.sinks import Sink
from ingestd.config.sis import Identity, Sis

__all__ = [
    "STANDARD",
    "Config",
    "Feed",
    "FolderSource",
    "Identity",
    "Level",
    "Limits",
    "OnBreach",
    "PackageLimits",
    "Push",
    "Repairs",
    "Retention",
    "Schedule",
    "Scope",
    "Setting",
    "SftpAccount",
    "SftpSource",
    "Sink",
    "Sis",
    "describe",
    "find",
    "load",
    "load_sis",
    "shipped",
    "shipped_folder",
]
