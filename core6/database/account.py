"""The account that the embedded Postgres runs as."""

import os
import pwd
import stat
from pathlib import Path
from typing import Any

from core6.database.data_directory import Unusable, is_open_to_others


class Account:
    """The account of this process; of root it is `nobody`, which every system has, since Postgres refuses root."""

    def __init__(self) -> None:
        self._other = pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    def process_options(self) -> dict[str, Any]:
        """Return the options of Popen that start a process as this account."""
        if not self._other:
            return {}
        return {"user": self._other.pw_uid, "group": self._other.pw_gid, "extra_groups": []}

    def can_enter(self, path: Path) -> bool:
        return not self._other or is_open_to_others(path)

    def give(self, path: Path) -> None:
        """Make the account the owner of a file."""
        if self._other:
            os.chown(path, self._other.pw_uid, self._other.pw_gid)

    def own_directory(self, path: Path) -> None:
        """Create a directory that only the account can enter."""
        path.mkdir(mode=0o700, exist_ok=True)
        owner = self._other.pw_uid if self._other else os.geteuid()
        found = path.lstat()  # never the target of a link
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() != owner:
            os.chown(path, owner, self._other.pw_gid if self._other else -1, follow_symlinks=False)
        elif not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
            raise Unusable(f"{path} belongs to another account: remove it, or set CORE6_DATA_DIR to a shorter path")
