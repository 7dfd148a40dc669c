"""What is known of the data folder before anything is written there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from b24tools.core import data_folder

MOUNTS = r"""22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
30 22 0:27 / /srv rw - tmpfs tmpfs rw
31 30 0:44 / /srv/1c\040data rw,relatime shared:7 - cifs //server/1c rw
32 31 254:2 / /srv/1c\040data/local rw - ext4 /dev/vdb1 rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/b24tools", "ext4"),
        ("/srv/1c data", "cifs"),
        ("/srv/1c data/orders", "cifs"),
        ("/srv/1c data/local/x", "ext4"),
        ("/srv/1c", "tmpfs"),
    ],
)
def test_the_file_system_of_a_folder_is_that_of_the_nearest_mount(folder: str, kind: str) -> None:
    """Names of mounts have their blanks as octal codes."""
    assert kind == data_folder.find_file_system(MOUNTS, Path(folder))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_a_folder_of_ours_alone_is_taken_from_others_eyes(tmp_path: Path) -> None:
    """Also if it is shared with other machines, or a run was killed while it wrote a file."""
    names = ("b24tools.db", "calendar.json", "shared.json", ".shared.json.0a1b2c3d.part")
    tmp_path.chmod(0o755)
    for name in names:
        (tmp_path / name).touch(mode=0o644)
    data_folder.prepare(tmp_path)
    assert [0o40700, *[0o100600] * 4] == [path.stat().st_mode for path in (tmp_path, *map(tmp_path.joinpath, names))]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_a_service_takes_from_others_eyes_what_comes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once what is new, even if rsync gives the folder its old time, and the folder; in a minute what was there."""
    old, new = tmp_path / "b24tools.db", tmp_path / "people.json"
    old.touch()
    seen = []
    data_folder.prepare(tmp_path)
    before = tmp_path.stat().st_mtime_ns
    time.sleep(0.05)  # several ticks of the kernel's clock
    new.touch(mode=0o644)
    os.utime(tmp_path, ns=(before, before))
    data_folder.prepare(tmp_path)
    seen.append(new.stat().st_mode)
    time.sleep(0.05)
    tmp_path.chmod(0o755)
    data_folder.prepare(tmp_path)
    seen.append(tmp_path.stat().st_mode)
    old.chmod(0o644)
    in_a_minute = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: in_a_minute)
    data_folder.prepare(tmp_path)
    seen.append(old.stat().st_mode)
    assert [0o100600, 0o40700, 0o100600] == seen


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_a_file_of_another_user_does_not_keep_the_others_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one that is gone when its turn comes."""
    files = [tmp_path / name for name in ("b24tools.db", "log.log", "people.json")]
    for file in files:
        file.touch(mode=0o644)
    chmod = Path.chmod

    def refuse_one(self: Path, mode: int) -> None:
        if self.name == "log.log":
            raise PermissionError
        chmod(self, mode)

    monkeypatch.setattr(Path, "chmod", refuse_one)
    monkeypatch.setattr(Path, "iterdir", lambda _self: iter([tmp_path / "b24tools.db-wal", *files[1:], files[0]]))
    data_folder.prepare(tmp_path)
    assert [0o100600, 0o100644, 0o100600] == [file.stat().st_mode for file in files]


def test_a_file_that_is_not_written_to_its_end_leaves_the_old_one(tmp_path: Path) -> None:
    """And nothing beside it."""
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), data_folder.write_whole(path) as file:
        file.write(b"ne")
        raise ZeroDivisionError
    assert ([path], "old") == (list(tmp_path.iterdir()), path.read_text())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root acts for others")
def test_what_root_makes_in_a_users_folder_is_that_users(tmp_path: Path) -> None:
    """When its run ends. What is not ours, and what a link leads to, stays root's."""
    folder, secret = tmp_path / "data", tmp_path / "secret"
    folder.mkdir()
    secret.touch()
    (folder / "log.log.1").symlink_to(secret)
    (folder / "log.log.2").hardlink_to(secret)
    (folder / "notes.txt").touch()
    shutil.chown(folder, "nobody", "nogroup")

    done = subprocess.run(
        [sys.executable, "-m", "b24tools", "mode", "webhook"],
        env=os.environ | {"B24_DATA_DIR": str(folder)},
        check=False,
    )

    owners = {path.name: path.owner() for path in (secret, *folder.rglob("*")) if not path.is_symlink()}
    others = {"secret": "root", "log.log.2": "root", "notes.txt": "root"}
    assert 0 == done.returncode
    assert dict.fromkeys(owners, "nobody") | others == owners
    assert {"b24tools.db", "log.log"} < owners.keys()


@pytest.mark.skipif(os.name == "nt", reason="links and rights of POSIX")
def test_a_small_file_is_written_in_its_place(tmp_path: Path) -> None:
    """For its owner alone; never through a link, which somebody may have put there to have root write elsewhere."""
    path, victim, link = tmp_path / "note", tmp_path / "victim", tmp_path / "link"
    victim.write_text("mine")
    link.symlink_to(victim)
    data_folder.write_in_place(path, b"a longer one")
    before = path.stat()
    data_folder.write_in_place(path, b"short")
    with pytest.raises(OSError, match="link"):
        data_folder.write_in_place(link, b"other")

    after = path.stat()
    assert (b"short", before.st_ino, 0o600) == (path.read_bytes(), after.st_ino, after.st_mode & 0o777)
    assert "mine" == victim.read_text()
