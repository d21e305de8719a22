"""The command about the codes of findings and breaches: explain-code. It reads the catalogue and nothing else."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ingestd.cli.context import echo_json, json_option
from ingestd.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_NEAREST = 3
_COLUMNS = (27, 12)
_LABEL, _WIDTH = 8, 80
_DOES = {
    "catastrophic": "It rejects the drop: nothing of it is used.",
    "error": "It holds the record back. What was accepted of it earlier stays.",
    "warning": "It holds no record back. A value may be left out.",
    "info": "It holds nothing back.",
    None: "It holds the run: nothing is applied until someone has looked and consents.",
}
_SWITCHABLE = "It can be switched to an error: repairs.strict, or ingestd check --strict."


class Code(click.ParamType[str]):
    """A code of the catalogue, completed with its title."""

    name = "code"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:  # noqa: ARG002
        """Offer the codes that begin so."""
        from click.shell_completion import CompletionItem

        from ingestd.core.catalogue import BREACHES, CATALOGUE

        titles = {code: entry.title for code, entry in BREACHES.items()}
        titles |= {code: entry.title for code, entry in CATALOGUE.items()}
        return [CompletionItem(code, help=titles[code]) for code in sorted(titles) if code.startswith(incomplete)]


@click.command("explain-code")
@click.argument("codes", nargs=-1, type=Code(), metavar="[CODE]...")
@json_option
def explain_code(codes: tuple[str, ...], as_json: bool) -> None:
    """Tell what a code means: why it comes about, what to do, and by which rule.

    Takes codes of findings and of breaches, as check, receipts and reports name them. Without CODE: lists all.
    """
    from ingestd.cli import screen

    told = _look_up(codes) if codes else list(_every())
    if as_json:
        echo_json(told)
    elif codes:
        _print_each(told, screen.console())
    else:
        _print_list(screen.console())


def _every() -> Iterator[dict[str, Any]]:
    """Yield all findings, then all breaches, as `--json` prints them."""
    from ingestd.core.catalogue import BREACHES, CATALOGUE, fill

    for code, entry in CATALOGUE.items():
        yield {
            "code": code,
            "kind": "finding",
            "severity": str(entry.severity),
            "switchable": entry.switchable,
            "title": entry.title,
            "message": fill(entry.message),
            "cause": entry.cause,
            "remedy": fill(entry.remedy),
            "source": entry.source,
        }
    for code, breach in BREACHES.items():
        told = {"title": breach.title, "message": None, "cause": breach.cause, "remedy": breach.remedy, "source": None}
        yield {"code": code, "kind": "breach", "severity": None, "switchable": False, **told}


def _look_up(codes: Iterable[str]) -> list[dict[str, Any]]:
    """Return what there is of each code: a finding, a breach, or both.

    Raises:
        ConfigError: some of the codes are none; all of those are named.
    """
    every = list(_every())
    known = list(dict.fromkeys(one["code"] for one in every))
    if unknown := [code for code in codes if code not in known]:
        raise ConfigError([f"there is no code {code}{_nearest(code, known)}" for code in unknown])
    return [one for code in dict.fromkeys(codes) for one in every if one["code"] == code]


def _nearest(code: str, known: Sequence[str]) -> str:
    """Return a question with the codes that are spelt nearly so, or have a word of it."""
    near = difflib.get_close_matches(code.lower(), known, n=_NEAREST, cutoff=0.6)
    words = set(code.lower().split("-"))
    near += [one for one in known if words & set(one.split("-")) and one not in near]
    *others, last = near[:_NEAREST] or [""]
    either = f"{', '.join(others)} or {last}" if others else last
    return f"; did you mean {either}?" if last else "; `ingestd explain-code` lists all"


def _print_each(told: Sequence[dict[str, Any]], out: "Console") -> None:
    for i, one in enumerate(told):
        if i:
            out.print()
        out.print(_head(one))
        for label, text in _paragraphs(one):
            out.print(_paragraph(label, text, out.width))


def _head(one: dict[str, Any]) -> "Text":
    from rich.text import Text

    from ingestd.cli import screen

    severity = one["severity"] or "breach"
    return Text.assemble((one["title"], "bold"), f"\n{one['code']}, ", (severity, screen.STYLES.get(severity, "")))


def _paragraphs(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if one["message"]:
        yield "Says", one["message"]
    yield "Why", one["cause"]
    yield "To do", one["remedy"]
    yield "Effect", f"{_DOES[one['severity']]} {_SWITCHABLE if one['switchable'] else ''}".strip()
    if one["source"]:
        yield "Rule", one["source"]


def _paragraph(label: str, text: str, width: int) -> "Text":
    from rich.text import Text

    from ingestd.core.report import wrap

    first = f"  {label:<{_LABEL}}"
    told = Text("\n".join(wrap(text, min(width, _WIDTH), first)))
    told.stylize("dim", 0, len(first))
    return told


def _print_list(out: "Console") -> None:
    from ingestd.core.catalogue import BREACHES, GROUPS

    for name, entries in GROUPS.items():
        _print_group(out, name, [(code, str(one.severity), one.title) for code, one in entries.items()])
    _print_group(out, "Breaches", [(code, "held", one.title) for code, one in BREACHES.items()])
    out.print("More about one of them: ingestd explain-code CODE")


def _print_group(out: "Console", name: str, rows: Sequence[tuple[str, str, str]]) -> None:
    from rich.text import Text

    from ingestd.cli import screen

    out.print(Text(name, "bold"))
    for code, word, title in rows:
        line = Text.assemble(f"{code:<{_COLUMNS[0]}}  ", (f"{word:<{_COLUMNS[1]}}", screen.STYLES[word]), f"  {title}")
        out.print(line, soft_wrap=True)
    out.print()


COMMANDS = (explain_code,)
