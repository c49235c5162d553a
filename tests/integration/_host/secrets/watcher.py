"""Watches folders, and prints each new file in them that its user could read. It is run by a user without rights.

    watcher.py FOLDER...

Needs nothing but Python, so that it also runs on the lab's hosts. The first line says that it watches. A folder that is
not there yet is watched from its nearest parent on. It ends when it has read a file named groundwork-bait, which shows
that it was still watching.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys

CREATED, MOVED_TO, ATTRIBUTES, WRITTEN, FOLDER = 0x100, 0x80, 0x4, 0x8, 0x40000000
BAIT = "groundwork-bait"
EVENT = struct.Struct("iIII")
SECRETS = (
    b"PRIVATE KEY",
    b"client-key-data",
    b"AGE-SECRET-KEY",
    b"key_pem",
    b"kind: EncryptionConfig",
)


def nearest(path: str) -> str:
    """A folder, or its nearest parent that is there."""
    return path if os.path.isdir(path) else nearest(os.path.dirname(path))


class Watcher:
    """One inotify instance over many folders."""

    def __init__(self, folders: list[str]) -> None:
        self.folders = folders
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.handle = self.libc.inotify_init()
        self.watched: dict[int, str] = {}
        self.reported: set[str] = set()
        for folder in folders:
            self.enter(nearest(folder))

    def concerns(self, path: str) -> bool:
        """Whether a folder is one of those, in one of them, or on the way to one."""
        return any(f"{path}/".startswith(f"{one}/") or f"{one}/".startswith(f"{path}/") for one in self.folders)

    def inside(self, path: str) -> bool:
        """Whether a file is in one of the folders."""
        return any(path.startswith(f"{one}/") for one in self.folders)

    def enter(self, folder: str) -> None:
        """Watch a folder, and look at what is in it already; one that cannot be entered is of no use."""
        number = self.libc.inotify_add_watch(self.handle, folder.encode(), CREATED | MOVED_TO | ATTRIBUTES | WRITTEN)
        if number < 0:
            return
        self.watched[number] = folder
        try:
            names = os.listdir(folder)
        except OSError:
            return
        for name in names:
            self.see(os.path.join(folder, name))

    def see(self, path: str) -> None:
        """Look at a file or folder."""
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISDIR(mode) and self.concerns(path) and path not in self.watched.values():
                self.enter(path)
            elif stat.S_ISREG(mode) and self.inside(path):
                self.read(path)
        except OSError:
            return

    def read(self, path: str) -> None:
        """Try to read a file, and tell if that worked."""
        with open(path, "rb") as stream:
            text = stream.read(1 << 20)
        kind = "secret" if any(word in text for word in SECRETS) else "open"
        if f"{kind} {path}" not in self.reported:
            self.reported.add(f"{kind} {path}")
            print(kind, path, flush=True)
        if kind == "secret" and os.path.basename(path) == BAIT:
            sys.exit()

    def run(self) -> None:
        """Watch until the end of the process."""
        print("watching", flush=True)
        while True:
            data = os.read(self.handle, 1 << 16)
            while data:
                number, _mask, _cookie, size = EVENT.unpack_from(data)
                name = data[EVENT.size : EVENT.size + size].rstrip(b"\0").decode(errors="replace")
                data = data[EVENT.size + size :]
                if number in self.watched:
                    self.see(os.path.join(self.watched[number], name) if name else self.watched[number])


if __name__ == "__main__":
    Watcher([folder.rstrip("/") for folder in sys.argv[1:]]).run()
