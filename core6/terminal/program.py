"""Where the program runs from: a checkout with manage.py, or an installed wheel with the command `core6`."""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

#: The directory that contains core6/: the checkout, or site-packages.
ROOT: Final = Path(__file__).resolve().parents[2]
IS_CHECKOUT: Final = (ROOT / "manage.py").exists()
#: The command as people type it, for messages.
NAME: Final = "manage.py" if IS_CHECKOUT else "core6"
#: In a wheel, the resource packages are here, so that they cannot collide with a user's package of the same name.
_PACKAGES: Final = ROOT / "core6" / "packages"


def find_packages() -> None:
    """Put the resource packages of a wheel first on the path of this process; in a checkout they are found anyway."""
    if _PACKAGES.is_dir() and str(_PACKAGES) not in sys.path:
        sys.path.insert(0, str(_PACKAGES))


def python(*arguments: str) -> list[str]:
    """Return the command line of another Python process of this program, such as `-m core6.serving`.

    Of a wheel, neither the working directory nor PYTHONPATH is on its path: they may hold another Django project.
    """
    return [sys.executable, *([] if IS_CHECKOUT else ["-E", "-P"]), *arguments]


def release() -> str:
    """Return the version of this release; in a checkout that was not installed, `development`."""
    try:
        return version("core6")
    except PackageNotFoundError:
        return "development"
