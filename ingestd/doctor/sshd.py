"""OpenSSH in front of an inbox: whether its account is confined as sshd_config(5) demands, and allows nothing else.

It is looked at where an inbox belongs to another user than the daemon's: that one is taken for the sender's account.
"""

import os
import pwd
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from ingestd.doctor.check import Check, Places, User, fault, ok, stat_of, warning

SSHD = ("/usr/sbin/sshd",)
"""Debian's and Fedora's; sshd demands to be called by its absolute path."""
PATIENCE = 10.0
_OFF = ("allowtcpforwarding", "allowstreamlocalforwarding", "allowagentforwarding", "x11forwarding", "permittunnel")
_PASSWORDS = ("passwordauthentication", "kbdinteractiveauthentication")
_REMEDY = "see `Behind OpenSSH` in README.md"


def look_at_sshd(inbox: Path, user: User, sshd: Sequence[str] = SSHD) -> Iterator[Check]:
    """Yield what can be said of the account that an inbox belongs to; nothing if it is the daemon's own."""
    facts = stat_of(inbox)
    owner = facts.st_uid if facts else user.uid
    if owner in {0, user.uid}:
        return
    try:
        account = pwd.getpwuid(owner)
    except KeyError:
        yield warning("sshd", f"{inbox} belongs to user {owner}, who has no name", f"chown it to the sender; {_REMEDY}")
        return
    options = _ask(account.pw_name, sshd)
    if isinstance(options, str):
        yield warning(
            "sshd", f"the account {account.pw_name} could not be looked at: {options}", "see `sshd -T` as root"
        )
        return
    yield judge_account(account.pw_name, options)
    chroot = expand(options.get("chrootdirectory", "none"), account.pw_name, account.pw_dir)
    yield judge_chroot(account.pw_name, inbox, chroot, _stats(chroot))


def judge_account(name: str, options: Mapping[str, str]) -> Check:
    """Judge what sshd lets an account do, by its options as `sshd -T -C user=NAME` prints them."""
    wrong = list(_wrong(options))
    if wrong:
        is_grave = any(one.startswith("ForceCommand") for one in wrong)
        judge = fault if is_grave else warning
        return judge("sshd", f"the account {name}: {'; '.join(wrong)}", f"add a Match block for {name}; {_REMEDY}")
    return ok("sshd", f"the account {name} can do SFTP by key and nothing else")


def _wrong(options: Mapping[str, str]) -> Iterator[str]:
    command, *words = options.get("forcecommand", "none").split()
    if command != "internal-sftp":
        yield "ForceCommand is not internal-sftp, so it can run programs"
    elif links := [link for link in ("symlink", "hardlink") if not is_refused(link, words)]:
        yield f"it can make links ({', '.join(links)})"
    by_password = [one for one in _PASSWORDS if options.get(one) != "no"]
    needs_key = all("publickey" in way for way in options.get("authenticationmethods", "any").split())
    if by_password and not needs_key:
        yield f"it can log in by password ({', '.join(by_password)})"
    allowed = [one for one in _OFF if options.get(one) != "no"]
    if allowed and options.get("disableforwarding") != "yes":
        yield f"it can forward connections ({', '.join(allowed)})"


def judge_chroot(name: str, inbox: Path, chroot: Path | None, parts: Places) -> Check:
    """Judge the folder that the account is confined to, and all above it, as sshd itself does at each login."""
    if chroot is None:
        return warning("chroot", f"the account {name} sees the whole machine", f"set ChrootDirectory; {_REMEDY}")
    if not inbox.is_relative_to(chroot):
        remedy = "put the inbox below the ChrootDirectory, or correct the path of the source"
        return fault("chroot", f"the account {name} is confined to {chroot} and cannot reach {inbox}", remedy)
    open_ = [str(path) for path, facts in parts if facts.st_uid or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)]
    if open_:
        found = f"sshd refuses the account {name}: {', '.join(open_)} must be root's and writable by nobody else"
        return fault("chroot", found, f"chown root {' '.join(open_)}; chmod go-w {' '.join(open_)}")
    return ok("chroot", f"the account {name} is confined to {chroot}")


def expand(chroot: str, name: str, home: str) -> Path | None:
    """Return a ChrootDirectory with its tokens replaced (TOKENS in sshd_config(5)), or None for `none`."""
    if chroot == "none":
        return None
    parts = (part.replace("%h", home).replace("%u", name) for part in chroot.split("%%"))
    return Path("%".join(parts))


def is_refused(request: str, words: Sequence[str]) -> bool:
    """Return whether the options of an `internal-sftp` refuse a request (-P, and -p for all others; sftp-server(8))."""
    given = dict(pairwise(words))
    allowed = given.get("-p")
    return request in given.get("-P", "").split(",") or (allowed is not None and request not in allowed.split(","))


def parse(printed: str) -> dict[str, str]:
    """Return the options that `sshd -T` printed, by name in lower case; of one that is there twice, the last."""
    pairs = (line.partition(" ") for line in printed.splitlines())
    return {name.lower(): value.strip() for name, _, value in pairs}


def _ask(account: str, sshd: Sequence[str]) -> dict[str, str] | str:
    if os.geteuid():
        return "only root may ask sshd"
    where = f"user={account},host=localhost,addr=127.0.0.1"
    try:
        done = subprocess.run(  # noqa: S603 -- an absolute path, and the name of a user of this machine
            [*sshd, "-T", "-C", where], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return f"{sshd[0]} is not there or does not answer"
    if done.returncode:
        return f"sshd says: {(done.stderr.strip().splitlines() or ['nothing'])[-1]}"
    return parse(done.stdout)


def _stats(chroot: Path | None) -> Places:
    paths = (*reversed(chroot.parents), chroot) if chroot else ()
    return [(path, facts) for path in paths if (facts := stat_of(path))]
