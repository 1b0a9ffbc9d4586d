"""The draft of an export to an object store: objects beside the target, under ``.NAME.aioflows/``.

Rules:
1. A part is written once, under a name that no other run uses. Only the parts that the journal counts belong
   to the draft.
2. The journal is one object, so writing it commits the parts before it.
3. The newest run owns the draft. The object ``run`` names it. An older run that still lives ends with an
   error at its next commit. Even if it did not, its parts would not be counted.
4. The target is written at the end, from the parts, and in an increment from the old target as well. Before that the
   journal says so (`publishing`). A later run completes the target before anything else.
5. An increment replaces only the target that it began with (`JournalEntry.base`).
6. The journal goes on to describe the target (`held`), also while it counts the parts of the next increment.

A process that was killed cannot release a lock in an object store. So there is no lock, and rule 3 instead.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from aioflows._sealed import sealed, unsealed
from aioflows.export.errors import DraftDamaged, SinkError
from aioflows.export.journal import JournalEntry
from aioflows.export.object_store.store import ObjectStore

__all__ = ["ObjectDraft"]

_VERSION = 1
_JOURNAL = "journal.json"
_OWNER = "run"


@attrs.frozen
class _Progress:
    """What the journal says besides its entry.

    Args:
        runs: the name of each run that wrote parts, and the number of its first part.
        publishing: True if the target may have been written from the parts.
        published: the size of the published target (bytes). None means that it was not published.
        held: the entry of the target that was published before, as JSON, and the size of that target (bytes). None
            means that there is none, or that it is `published`.
    """

    runs: tuple[tuple[str, int], ...] = ()
    publishing: bool = False
    published: int | None = None
    held: tuple[str, int] | None = None


class ObjectDraft:
    """An export that is not complete yet.

    Args:
        store: the store that the target lies in.
        name: the target's name in messages.
        folder: True if the target is a folder of objects.
    """

    def __init__(self, store: ObjectStore, name: str, *, folder: bool) -> None:
        self.store = store
        self.name = name
        self._is_folder = folder
        self._run = secrets.token_hex(4)
        self._progress = _Progress()
        self._entry: JournalEntry | None = None

    @property
    def target(self) -> str:
        """The path of the target in the store."""
        return self.store.path

    @property
    def folder(self) -> str:
        """The path of the draft in the store."""
        parent, slash, name = self.target.rpartition("/")
        return f"{parent}{slash}.{name}.aioflows"

    def enter(self) -> None:
        """Become the run that owns the draft. This shows as well whether the store can be written.

        Raises:
            SinkError: the store cannot be written.
        """
        self.store.put(self._path(_OWNER), self._run.encode())

    # Journal

    def kept(self) -> JournalEntry | None:
        """Return the journal entry of an earlier run, or None if there is no journal."""
        text = self.store.read(self._path(_JOURNAL))
        if text is None:
            return None
        content = unsealed(
            text,
            (_VERSION,),
            "journal of an unfinished export",
            "give overwrite=True (--overwrite) to begin again",
        )
        runs = tuple((run, first) for run, first in content["runs"])
        published, held = content["published"], content.get("held")
        self._progress = _Progress(runs, content["publishing"], published, held and (held[0], held[1]))
        self._entry = JournalEntry.from_json(content["entry"])
        return self._entry

    def published(self) -> JournalEntry | None:
        """Return the journal entry of the target, or None if it is unknown."""
        size = self.target_size()
        if self._entry is not None and self._progress.publishing and self.has_rows():
            # The run has died between its last two requests.
            self._progress = attrs.evolve(self._progress, held=(self._entry.to_json(), size))
        held = self._held()
        return None if held is None or held[1] != size else JournalEntry.from_json(held[0])

    def _held(self) -> tuple[str, int] | None:
        published = self._progress.published
        if self._entry is not None and published is not None:
            return self._entry.to_json(), published
        return self._progress.held

    def keep(self, entry: JournalEntry) -> None:
        """Replace the journal entry. The parts that the entry counts must be stored already."""
        self._check_owner()
        self._replace(entry)

    def _replace(self, entry: JournalEntry) -> None:
        content = attrs.asdict(self._progress) | {"entry": entry.to_json()}
        # A checksum is made of JSON, which has lists in place of tuples.
        self.store.put(self._path(_JOURNAL), sealed(json.loads(json.dumps(content)), _VERSION).encode())
        self._entry = entry

    def _is_owner(self) -> bool:
        return self.store.read(self._path(_OWNER)) == self._run.encode()

    def _check_owner(self) -> None:
        if not self._is_owner():
            raise SinkError(
                f"{self.name} is being written by another export, which began later; wait for its end, or use another name"
            )

    # Parts

    def continue_after(self, parts: int) -> None:
        """Count the next parts, from this number on, as parts of this run."""
        runs = tuple((run, first) for run, first in self._progress.runs if first < parts)
        self._progress = attrs.evolve(self._progress, runs=(*runs, (self._run, parts)))

    def put_part(self, number: int, content: bytes, *, folder: str = "", ending: str = "") -> None:
        """Store a part, or one of the files of a part.

        Args:
            number: the number of the part.
            content: its content.
            folder: the folder of the part within the draft, with a slash at its end. Default: none.
            ending: the ending of its name. Default: none.
        """
        self.store.put(self._path(f"{folder}{number:06}-{self._run}{ending}"), content)

    def parts(self, count: int, *, first: int = 0) -> dict[str, int]:
        """Return the paths of parts in order, with their sizes (bytes).

        Args:
            count: the number of the part after the last one.
            first: the number of the first one. Default: 0.

        Raises:
            SinkError: a part is missing.
        """
        runs = self._progress.runs
        ends = [*(first for _, first in runs[1:]), count]
        counted = {
            f"{number:06}-{run}"
            for (run, begin), end in zip(runs, ends, strict=False)
            for number in range(begin, end)
        }
        found = {
            path: size for path, size in self.store.sizes(self.folder).items() if _part_name(path) in counted
        }
        if len({_part_name(path) for path in found}) < count - first:
            raise self._missing_parts()
        return {self._path(path): found[path] for path in sorted(found, key=_part_name)}

    def contents(self, paths: Iterable[str]) -> Iterator[bytes]:
        """Yield the content of parts.

        Raises:
            SinkError: a part is missing.
        """
        for path in paths:
            content = self.store.read(path)
            if content is None:
                raise self._missing_parts()
            yield content

    def _missing_parts(self) -> DraftDamaged:
        return DraftDamaged(self.name, "some of its parts are missing")

    # Clearing and publishing

    def target_exists(self) -> bool:
        """Return True if the target exists."""
        return bool(self.store.sizes(self.target)) if self._is_folder else self.store.exists(self.target)

    def target_size(self) -> int:
        """Return the size of the target (bytes)."""
        return (
            sum(self.store.sizes(self.target).values()) if self._is_folder else self.store.size(self.target)
        )

    def open_target(self) -> Any:
        """Open the target for reading. The caller closes it."""
        return self.store.open(self.target)

    def write_target(self, entry: JournalEntry, size: int, fill: Callable[[Any], object]) -> None:
        """Write the target, which appears when it is complete.

        Args:
            entry: the entry of the export.
            size: about how large it will be (bytes).
            fill: writes the content to a file.
        """

        def fill_and_look(file: Any) -> None:
            fill(file)
            if entry.base and self.state() != entry.base:
                raise self._replaced()

        self.store.write(self.target, size, fill_and_look, replaces=entry.base or None)

    def _replaced(self) -> SinkError:
        return SinkError(
            f"{self.name} was replaced by another program since the increment began; "
            "run the same command again, which adds what is missing"
        )

    def state(self) -> str:
        """Return a text that changes whenever the target is replaced."""
        return self.store.state_below(self.target) if self._is_folder else self.store.state(self.target)

    def may_publish(self, entry: JournalEntry) -> bool:
        """Return True if complete rows fit the present target. A folder may have some of their objects already."""
        exists = self.target_exists()
        if self._is_folder and self._progress.publishing:
            return exists or not entry.base
        return entry.base == (self.state() if exists else "")

    def has_rows(self) -> bool:
        """Return True if rows wait to be published."""
        return self._progress.published is None

    def is_published(self) -> bool:
        """Return True if the target is there, and has the size that was published."""
        return self.target_exists() and self.target_size() == self._progress.published

    def begin_again(self) -> None:
        """Remove everything that was written before, but for what the journal says of the target."""
        if self.store.is_broken or not self._is_owner():
            return  # it would fail as slowly as before, or what is there belongs to a later run
        # Parts without a journal are ignored, but a journal without its parts is an error.
        held = self._held()
        if held is not None:
            self._progress = _Progress(published=held[1])
            self._replace(JournalEntry.from_json(held[0]))
        elif self.store.exists(self._path(_JOURNAL)):
            self.store.remove([self._path(_JOURNAL)])
        self._progress, self._entry = _Progress(held=held), None
        self._remove_but(_OWNER, _JOURNAL)

    def publish(self, *, overwrite: bool) -> None:
        """Do nothing: a sink publishes its parts with `publish_with`."""

    def publish_with(self, write: Callable[[], object], *, overwrite: bool) -> None:
        """Write the target, unless an earlier run did, and remove the parts.

        Args:
            write: writes the target from the parts.
            overwrite: True if the target may be replaced.

        Raises:
            SinkError: the target was made by another program meanwhile, and *overwrite* is False, or it is not the one
                that an increment began with.
        """
        assert self._entry is not None
        if self.has_rows():
            if self._entry.base and not self.may_publish(self._entry):
                raise self._replaced()
            # If an earlier run died while it wrote the target, the target is its own.
            if not (overwrite or self._progress.publishing) and self.target_exists():
                raise SinkError(
                    f"{self.name} has appeared since the export began; "
                    "give overwrite=True (--overwrite) to replace it"
                )
            self._progress = attrs.evolve(self._progress, publishing=True)
            self.keep(self._entry)
            write()
            self._progress = attrs.evolve(self._progress, published=self.target_size(), held=None)
            self.keep(self._entry)
        self._remove_but(_JOURNAL)

    def leave(self) -> None:
        """Do nothing: the next run becomes the owner of the draft."""

    def _path(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def _remove_but(self, *kept: str) -> None:
        self.store.remove([self._path(path) for path in self.store.sizes(self.folder) if path not in kept])


def _part_name(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]
