"""A data set's repository on the Hugging Face Hub, reduced to what a download needs."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol, runtime_checkable

from rect_core.errors import DataError


class Unreachable(DataError):  # noqa: N818 (says what is the case)
    """The Hub did not answer this time; asking again may help."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of the repository: path from its root, bytes, and SHA-256 where the Hub knows it."""

    path: str
    size: int
    sha256: str = ""

    def __post_init__(self) -> None:
        parts = PurePosixPath(self.path).parts
        if not parts or ".." in parts or self.path.startswith("/") or "\\" in self.path:
            raise DataError(f"the repository lists {self.path!r}, which leads out of the folder: do not use it")


@runtime_checkable
class Hub(Protocol):
    """What a download asks of a repository. All raise DataError; Unreachable where asking again may help."""

    def commit(self, revision: str) -> str:
        """Id of the commit that a branch, tag or id names."""
        ...

    def files(self, folder: str, commit: str) -> list[RemoteFile]:
        """All files below a folder, in any order."""
        ...

    def fetch(self, file: RemoteFile, commit: str, root: Path) -> None:
        """Puts a file at `root / file.path`, going on with what an earlier attempt left."""
        ...


@dataclass(frozen=True, slots=True)
class HuggingFaceHub:
    """The real one, through huggingface_hub: pip install 'rect-data[hub]'. The token is the one that `hf auth login` or
    HF_TOKEN set; it is neither taken as an argument nor shown. endpoint: another address than the Hub's."""

    repo: str
    endpoint: str | None = None

    def commit(self, revision: str) -> str:
        """Id of the commit that a branch, tag or id names."""
        from huggingface_hub import HfApi

        with _told(self.repo, revision):
            return str(HfApi(self.endpoint).dataset_info(self.repo, revision=revision).sha)

    def files(self, folder: str, commit: str) -> list[RemoteFile]:
        """All files below a folder."""
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile

        with _told(self.repo, folder):
            found = HfApi(self.endpoint).list_repo_tree(
                self.repo, folder, recursive=True, revision=commit, repo_type="dataset"
            )
            return [
                RemoteFile(item.path, item.size, item.lfs.sha256 if item.lfs else "")
                for item in found
                if isinstance(item, RepoFile)
            ]

    def fetch(self, file: RemoteFile, commit: str, root: Path) -> None:
        """Puts a file at `root / file.path`; its beginnings lie in `root/.cache` until it is whole."""
        from huggingface_hub import hf_hub_download

        with _told(self.repo, file.path):
            hf_hub_download(
                self.repo, file.path, repo_type="dataset", revision=commit, local_dir=root, endpoint=self.endpoint
            )


@contextmanager
def _told(repo: str, what: str) -> Iterator[None]:
    """Turns the Hub's errors into one line. Their own words are dropped: they carry addresses that are signed."""
    from huggingface_hub import errors

    try:
        yield
    # httpx's base class is not exported by name; RuntimeError is what hf_xet raises when its storage does not answer
    except (OSError, RuntimeError, errors.HTTPError, errors.EntryNotFoundError) as error:  # type: ignore[attr-defined]
        raise _translated(error, repo, what) from None


def _translated(error: Exception, repo: str, what: str) -> DataError:
    from huggingface_hub import errors

    if isinstance(error, errors.OfflineModeIsEnabled):
        return DataError(f"{what}: HF_HUB_OFFLINE is set: unset it to download from {repo}")
    if isinstance(error, errors.GatedRepoError):
        return DataError(
            f"{what}: {repo} is gated and this account has no access: accept its terms on its page on the Hub, then "
            "`hf auth login` (or set HF_TOKEN)"
        )
    if isinstance(error, errors.HfHubHTTPError):
        return _refused(error.response.status_code, repo, what)
    if isinstance(error, errors.LocalEntryNotFoundError):
        return Unreachable(f"{what}: {repo} cannot be reached: check the network and run again")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS):
        return DataError(f"{what}: cannot be written: {error.strerror}: free some room or give another folder")
    return Unreachable(f"{what}: the connection to {repo} broke ({type(error).__name__}): run again to go on")


def _refused(status: int, repo: str, what: str) -> DataError:
    if status in (401, 403):
        return DataError(
            f"{what}: the Hub refuses {repo} (HTTP {status}): it is gated, or the token is missing, expired or not for "
            "reading: accept its terms on its page, then `hf auth login` (or set HF_TOKEN)"
        )
    if status == 404:
        return DataError(f"{what}: is not in {repo} (HTTP 404): check the name and the revision")
    if status == 429 or status >= 500:
        return Unreachable(f"{what}: the Hub is busy (HTTP {status}): run again later to go on")
    return DataError(f"{what}: the Hub refuses the request (HTTP {status})")
