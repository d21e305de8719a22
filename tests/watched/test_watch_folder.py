"""Whatever befalls a watched folder: one rescan finds every complete file, and two later it is watched again."""

import shutil
from pathlib import Path

import pytest
from intake_world import put
from watcher_world import Scenario, Volume, World, assert_found_and_mended
from watching import names


def delete_and_make_anew(world: World) -> None:
    """The watch dies with its folder; the new one may even have the old one's inode."""
    world.inbox.rmdir()
    world.inbox.mkdir()
    world.put()


def delete_with_all_in_it(world: World) -> None:
    """What was in it is lost with it; what comes into the new one is not."""
    put(world.inbox / "gone.zip")
    shutil.rmtree(world.inbox)
    world.inbox.mkdir()
    world.put()


def delete_and_make_anew_many_times(world: World) -> None:
    """Faster than anyone looks."""
    for _ in range(50):
        world.inbox.rmdir()
        world.inbox.mkdir()
    world.put()


def rename_away_and_make_anew(world: World) -> None:
    """As an admin does who wants to look at what came."""
    world.inbox.rename(world.inbox.with_name("old"))
    world.inbox.mkdir()
    world.put()


def rename_away_and_back(world: World) -> None:
    """The same folder again; what came meanwhile is in it."""
    world.inbox.rename(world.inbox.with_name("old"))
    put(world.inbox.with_name("old") / "meanwhile.zip")
    world.inbox.with_name("old").rename(world.inbox)
    world.expect("meanwhile.zip")


def rename_the_folder_above(world: World) -> None:
    """The path is gone for a while, and one scan finds nothing."""
    volume, away = world.inbox.parent, world.folder / "away"
    volume.rename(away)
    assert names(world.source, 5) == []
    put(away / "inbox" / "meanwhile.zip")
    away.rename(volume)
    world.expect("meanwhile.zip")


def put_a_link_in_its_place(world: World) -> None:
    """A symbolic link to a folder elsewhere: that one is scanned and watched."""
    world.inbox.rmdir()
    world.inbox.symlink_to(world.outside)
    world.put()


def delete_for_good(world: World) -> None:
    """Until an admin makes it again; ingestd does not, for a volume may lack there."""
    world.inbox.rmdir()
    assert names(world.source, 5) == []
    assert world.source.health()
    world.heals += [lambda: world.put("again.zip"), world.inbox.mkdir]


def mount_over_it(world: World) -> None:
    """A volume is mounted on an inbox that was an empty folder until then."""
    volume = Volume(world.outside, world.inbox)
    volume.attach()
    world.heals += [world.expected.clear, volume.detach]
    world.put()


def unmount_it(world: World) -> None:
    """The volume goes, and the folder below it takes the drops."""
    volume = _mounted(world, world.outside, world.inbox)
    volume.detach()
    world.put()


def unmount_and_mount_again(world: World) -> None:
    """What came to the volume meanwhile is found when it is back."""
    volume = _mounted(world, world.outside, world.inbox)
    volume.detach()
    assert names(world.source, 5) == []
    put(world.outside / "meanwhile.zip")
    volume.attach()
    world.expect("meanwhile.zip")
    world.heals += [world.expected.clear, volume.detach]


def unmount_what_it_lies_in(world: World) -> None:
    """Without its volume the inbox is not there at all; with it again all is there."""
    content = world.folder / "content"
    (content / "inbox").mkdir(parents=True)
    volume = _mounted(world, content, world.inbox.parent)
    shutil.move(world.inbox, world.folder / "put aside")
    volume.detach()
    shutil.move(world.inbox, world.folder / "below")
    assert names(world.source, 5) == []
    (world.folder / "put aside").rename(world.inbox)
    world.put()


def _mounted(world: World, content: Path, place: Path) -> Volume:
    """Return a volume that is mounted and watched."""
    volume = Volume(content, place)
    volume.attach()
    world.heals.append(volume.detach)
    names(world.source, 2)
    return volume


@pytest.mark.parametrize(
    "scenario",
    [
        delete_and_make_anew,
        delete_with_all_in_it,
        delete_and_make_anew_many_times,
        rename_away_and_make_anew,
        rename_away_and_back,
        rename_the_folder_above,
        put_a_link_in_its_place,
        delete_for_good,
        mount_over_it,
        unmount_it,
        unmount_and_mount_again,
        unmount_what_it_lies_in,
    ],
)
def test_the_folder_may_go_and_come(world: World, scenario: Scenario) -> None:
    """It is deleted, renamed, mounted over or unmounted."""
    assert_found_and_mended(world, scenario)
