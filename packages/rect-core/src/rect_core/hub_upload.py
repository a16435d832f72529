"""Files to a repository on the Hugging Face Hub, as one commit."""

from collections.abc import Mapping
from pathlib import Path


def check_online(repo_id: str) -> None:
    """Raises ConnectionError while HF_HUB_OFFLINE is set."""
    from huggingface_hub.constants import is_offline_mode

    if is_offline_mode():
        raise ConnectionError(f"HF_HUB_OFFLINE is set: unset it to upload to {repo_id}")


def upload(
    repo_id: str,
    files: Mapping[str, Path | bytes],
    *,
    message: str,
    private: bool = True,
    revision: str | None = None,
    endpoint: str | None = None,
) -> str:
    """Makes the repository where there is none, commits the files (path in it -> content) and returns the commit's id,
    the revision to pin.

    The token is the one that `hf auth login` or HF_TOKEN set; it is neither taken as an argument nor shown. endpoint:
    another address than the Hub's. Raises ConnectionError in one line while HF_HUB_OFFLINE is set, and where the Hub
    refuses or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, errors

    check_online(repo_id)
    api = HfApi(endpoint=endpoint)
    operations = [CommitOperationAdd(name, content) for name, content in files.items()]
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.create_commit(repo_id, operations, commit_message=message, revision=revision)
    # httpx's base class is not exported by name; RuntimeError is what hf_xet raises when its storage does not answer
    except (OSError, RuntimeError, errors.HTTPError) as error:  # type: ignore[attr-defined]
        raise ConnectionError(_told(error, repo_id)) from None
    return str(commit.oid)


def _told(error: Exception, repo_id: str) -> str:
    """One line. The Hub's own words are dropped: they carry addresses that are signed."""
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    if isinstance(error, LocalTokenNotFoundError):
        return f"{repo_id}: nobody is logged in to the Hub: `hf auth login`, or set HF_TOKEN"
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        hint = "log in with a token that may write there" if status in (401, 403, 404) else "try again later"
        return f"{repo_id}: the Hub refuses the upload (HTTP {status}): {hint}"
    return f"{repo_id}: the Hub cannot be reached ({type(error).__name__}): check the network and run again"
