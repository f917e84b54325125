"""The base of the types of mappings in a provisioning file."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, PrivateAttr

#: What `created_by` means.
CREATOR: Final = "The email of the user who made it."


class Entry(BaseModel):
    """A mapping in the file; unknown properties are an error."""

    model_config = ConfigDict(extra="forbid", strict=True)

    #: The path of the mapping in the file, such as `organizations[0].projects[1]`.
    _path: str = PrivateAttr("")

    @property
    def path(self) -> str:
        return self._path

    def given(self, *names: str) -> dict[str, Any]:
        """Return the named properties that are set in the file."""
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}

    def locate(self, path: str = "", invalid: Iterable[str] = ()) -> None:
        """Set the paths of this mapping and of those in it; mappings with the paths in `invalid` were left out."""
        self._path = path
        for name in type(self).model_fields:
            parts = getattr(self, name)
            if isinstance(parts, list) and parts and isinstance(parts[0], Entry):
                index = 0
                for part in parts:
                    while (place := f"{path}.{name}[{index}]".removeprefix(".")) in invalid:
                        index += 1
                    part.locate(place, invalid)
                    index += 1
