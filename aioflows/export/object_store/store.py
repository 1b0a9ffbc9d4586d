"""The calls to an object store: one class around an fsspec file system, whose errors are `SinkError`s.

An object appears whole or not at all. Nothing is renamed, changed in place or locked, since object stores
cannot do that. Messages never show the values of options, which may be secret.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from aioflows._extras import import_extra
from aioflows._sealed import digest
from aioflows.errors import AioflowsError, QueryError
from aioflows.export.errors import SinkError, reason

__all__ = ["ObjectReader", "ObjectStore", "is_url"]

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # at least two letters, since C:// is a path of Windows
_CREDENTIALS = re.compile(r"://[^/@]*:[^/@]*@")
_PATTERN = re.compile(r"[*?\[\]]")  # fsspec expands these in names
_NOT_STORES = ("file", "local", "http", "https", "data")
_MISSING = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError")
_STARS = "***"
_ETAG = "ETag "
_S3 = ("s3", "s3a")
_REFUSED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_UNKNOWN = ("NotImplemented", "501")
_BLOCK = 8 * 2**20
"""The least bytes of a part of a multipart upload. S3 refuses parts below 5 MiB."""
_MOST_BLOCKS = (
    5_000  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html: at most 10,000 parts
)


def is_url(name: str) -> bool:
    """Return True if a name is a URL such as ``s3://bucket/key``, and not a path."""
    return _URL.match(name) is not None


class ObjectStore:
    """An object store. Methods block, so they are called in a thread.

    Args:
        url: the URL of the target.
        options: options of the store, as fsspec takes them. None means those of the environment.

    Raises:
        QueryError: the URL is not one of an object in a store, or the library for the store is missing.
    """

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        if _CREDENTIALS.search(url):
            raise QueryError(
                "the target's URL holds credentials, which would appear in messages; "
                "leave them out, and give them as storage_options= or in the environment"
            )
        self.url = url
        self._options = dict(options or {})
        self.is_broken = False
        """True if a request has failed for good, so that no further one should be sent."""
        self._protocol = _URL.findall(url)[0].lower()
        if self._protocol in _NOT_STORES:
            raise QueryError(f"{url!r} is not an object store; give a path, or a URL such as s3://bucket/key")
        if _PATTERN.search(url):
            raise QueryError(
                f"{url!r} holds one of *, ?, [ and ], which stand for patterns; use another name"
            )
        fsspec = import_extra("fsspec")
        try:
            fsspec.get_filesystem_class(self._protocol)
        except ImportError as error:
            raise QueryError(
                f"{self._protocol}:// needs a library that is not installed: {error}; for s3://, install enos-aioflows[s3]"
            ) from None
        except ValueError:
            raise QueryError(
                f"{url!r} has the unknown protocol {self._protocol!r}; use s3://bucket/key"
            ) from None

    def __repr__(self) -> str:
        return f"ObjectStore({self.url!r})"

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        with self._as_sink_error():
            files, path = import_extra("fsspec.core").url_to_fs(
                self.url, **self._options, skip_instance_cache=True
            )
            return files, path.rstrip("/")

    @property
    def _files(self) -> Any:
        files = self._opened[0]
        files.invalidate_cache()  # other programs write to the store as well
        return files

    @property
    def path(self) -> str:
        """The path of the target in the store, with its bucket."""
        return self._opened[1]

    # Reading

    def exists(self, path: str) -> bool:
        """Return True if an object has this path."""
        with self._as_sink_error():
            return bool(self._files.isfile(path))

    def read(self, path: str) -> bytes | None:
        """Return the content of an object, or None if it does not exist."""
        with self._as_sink_error():
            try:
                content: bytes = self._files.cat_file(path)
            except FileNotFoundError:
                return None
        return content

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the sizes (bytes) of all objects below a folder, by their paths below it."""
        with self._as_sink_error():
            found = self._files.find(folder, detail=True)
        start = f"{folder}/"
        return {
            path.removeprefix(start): one["size"] for path, one in found.items() if path.startswith(start)
        }

    def state(self, path: str) -> str:
        """Return a text that changes whenever an object is replaced: its ETag, or what else the store says of it."""
        with self._as_sink_error():
            return _state_of(self._files.info(path))

    def state_below(self, folder: str) -> str:
        """Return a text that changes whenever an object below a folder is added, removed or replaced."""
        with self._as_sink_error():
            found = self._files.find(folder, detail=True)
        return digest([[path, one["size"], _state_of(one)] for path, one in sorted(found.items())])

    def open(self, path: str) -> ObjectReader:
        """Open an object for reading. The caller closes it."""
        with self._as_sink_error():
            return ObjectReader(self._files.open(path, "rb", block_size=_BLOCK), self._as_sink_error)

    def download(self, path: str, target: Path) -> None:
        """Copy an object to a file."""
        with self._as_sink_error():
            self._files.get_file(path, str(target))

    def size(self, path: str) -> int:
        """Return the size of an object (bytes)."""
        with self._as_sink_error():
            return int(self._files.info(path)["size"])

    # Writing

    def put(self, path: str, content: bytes) -> None:
        """Write an object in one step."""
        with self._as_sink_error():
            self._files.pipe_file(path, content)

    def write(
        self, path: str, size: int, fill: Callable[[Any], object], *, replaces: str | None = None
    ) -> None:
        """Write a large object piece by piece. It appears when it is complete.

        Args:
            path: the path of the object.
            size: about how large it will be (bytes).
            fill: writes the content to a file. It may be called more than once.
            replaces: the `state` of the object that may be replaced. S3 checks it when it completes the object, so that
                no object of another writer is lost. Default: None, which means any object.

        Raises:
            SinkError: the store refuses the object, or the present one has another state.
        """
        tag = (replaces or "").removeprefix(_ETAG)
        conditions = {"IfMatch": tag} if self._protocol in _S3 and tag != (replaces or "") else {}
        with self._as_sink_error():
            try:
                self._write(path, size, fill, conditions)
            except OSError as error:
                code = _error_code(error)
                if conditions and code in _REFUSED:
                    raise SinkError(
                        f"{self.url} cannot be written: another program has replaced it meanwhile; "
                        "run the same command again, which adds what is missing"
                    ) from error
                if not conditions or code not in _UNKNOWN:
                    raise
                self._write(path, size, fill, {})  # the server knows no conditions

    def _write(self, path: str, size: int, fill: Callable[[Any], object], conditions: dict[str, str]) -> None:
        files = self._files
        if size < _BLOCK:
            content = io.BytesIO()
            fill(content)
            files.pipe_file(path, content.getvalue(), **conditions)
            return
        with files.transaction:
            # Closing the file after an error would store the pieces written so far in some stores.
            file = files.open(path, "wb", block_size=max(_BLOCK, size // _MOST_BLOCKS), **conditions)
            fill(file)
            file.close()

    def copy(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """Copy objects within the store, each in one step."""
        if sources:
            with self._as_sink_error():
                self._files.copy(list(sources), list(targets))

    def remove(self, paths: Sequence[str]) -> None:
        """Remove objects."""
        if paths:
            with self._as_sink_error():
                self._files.rm(list(paths))

    @contextmanager
    def _as_sink_error(self) -> Iterator[None]:
        """Convert the errors of the block, which every library has of its own, into `SinkError`s."""
        try:
            yield
        except AioflowsError:
            raise
        except Exception as error:  # noqa: BLE001  (stores raise errors of many libraries)
            self.is_broken = True
            raise SinkError(f"{self.url} cannot be written: {self._reason(error)}") from None

    def _reason(self, error: Exception) -> str:
        if type(error).__name__ in _MISSING:
            return "no credentials were found; set those of the environment, such as AWS_ACCESS_KEY_ID, or give storage_options="
        text = " ".join(reason(error).split()) or type(error).__name__
        for value in _texts(self._options):
            text = text.replace(value, _STARS)
        if isinstance(error, PermissionError):
            return f"the store refuses the credentials: {text}; check them, and their right to write there"
        if isinstance(error, FileNotFoundError):
            return f"the store does not find it: {text}; check the name of the bucket, which must exist"
        return text


class ObjectReader(io.RawIOBase):
    """An object that is open for reading. Its errors are those of the store, so that no reader takes them for its own.

    Args:
        file: the file of fsspec.
        converted: returns a context manager that converts the errors of its block.
    """

    def __init__(self, file: Any, converted: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__()
        self._file, self._converted = file, converted

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        with self._converted():
            content: bytes = self._file.read(size)
        return content

    def readinto(self, buffer: Any, /) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        place: int = self._file.seek(offset, whence)
        return place

    def tell(self) -> int:
        place: int = self._file.tell()
        return place

    def close(self) -> None:
        self._file.close()
        super().close()


def _state_of(info: Mapping[str, Any]) -> str:
    tag = info.get("ETag") or info.get("etag")
    return f"{_ETAG}{tag}" if tag else digest([f"{one}={info[one]}" for one in sorted(info)])


def _error_code(error: BaseException | None) -> str:
    """Return the code of the store's answer that an error is due to, or "" if it has none."""
    while error is not None:
        answer = getattr(error, "response", None)  # of botocore's ClientError
        if isinstance(answer, dict):
            return str(answer.get("Error", {}).get("Code", ""))
        error = error.__cause__
    return ""


def _texts(value: object) -> Iterator[str]:
    """Yield all texts in the values of nested options."""
    if isinstance(value, str):
        if value:
            yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
