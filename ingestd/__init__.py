"""ingestd takes in school rosters: checked, validated, compared, mapped, applied exactly once."""

from importlib.metadata import version

__version__ = version("ingestd")
