"""Where weights come from: a folder, an installed weights package such as rect-tiny, or a pinned Hub repository."""

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

_OURS = "rect-tiny (pip install 'rect-vlm[tiny]') or ReCTVLM's untrained:tiny"
_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
# What a repository holds besides these, pickles among it, is never downloaded.
_WANTED = ["*.json", "*.safetensors", "*.md", "*.txt", "*.model"]


def resolve_source(
    source: str | Path, *, subfolder: str = "", revision: str | None = None, local_files_only: bool = False
) -> Path:
    """The local folder that a name of weights stands for.

    source: a folder; the name of an installed weights package ("rect-tiny" is the folder `weights` of the package
    rect_tiny); or a Hub id "owner/name", downloaded whole (configs, safetensors, cards) at `revision`. Without a
    revision the Hub's newest commit is taken and becomes the name of the returned snapshot's folder; pin that one to
    get the same weights again. HF_HUB_OFFLINE and local_files_only read the Hub's cache alone.
    subfolder: the part wanted, such as "encoder"; a source that holds that single part directly is taken as it is.
    Raises FileNotFoundError or ValueError in one line.
    """
    folder = source_folder(source, revision=revision, local_files_only=local_files_only)
    single = (folder / "config.json").is_file() or (folder / "model.safetensors").is_file()
    return folder if single or not subfolder else folder / subfolder


def source_folder(
    source: str | Path,
    *,
    revision: str | None = None,
    local_files_only: bool = False,
    wanted: Sequence[str] = _WANTED,
) -> Path:
    """The whole folder behind a name of weights; raises as `resolve_source` does.

    wanted: patterns of the files that are downloaded of a Hub id (`*` matches slashes too).
    """
    path, name = Path(source), str(source)
    if path.suffix.lower() in _PICKLES:
        raise ValueError(
            f"{path.name} is a pickle, which can run code: give a folder with config.json and model.safetensors"
        )
    if path.is_file():
        raise ValueError(f"{path.name} is a file: give its folder, {path.resolve().parent.name!r}")
    if path.is_dir():
        if revision is not None:
            raise ValueError(f"revision {revision!r} belongs to a Hub id but {path.name!r} is a folder: leave it out")
        return path
    if name.lower().startswith("newmes-ai/"):
        raise FileNotFoundError(f"no weights exist under {name!r}, none were ever published there; ours: {_OURS}")
    if isinstance(source, str) and "/" not in name and name.replace("-", "_").isidentifier():
        return _installed(name)
    if isinstance(source, str) and _HUB_ID.fullmatch(name):
        return _downloaded(name, revision, local_files_only, wanted)
    raise FileNotFoundError(f"no folder {path.name!r}: give a folder of weights, a Hub id owner/name, or {_OURS}")


def _installed(name: str) -> Path:
    spec = importlib.util.find_spec(name.replace("-", "_"))
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (Path(place) / "weights").is_dir():
            return Path(place) / "weights"
    raise FileNotFoundError(
        f"{name!r} is neither a folder here nor an installed package of weights: "
        f"give a folder, a Hub id owner/name, or {_OURS}"
    )


def _downloaded(name: str, revision: str | None, local_files_only: bool, wanted: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    at = f" at {revision}" if revision else ""
    try:
        return Path(
            snapshot_download(name, revision=revision, local_files_only=local_files_only, allow_patterns=list(wanted))
        )
    except LocalEntryNotFoundError:
        raise FileNotFoundError(
            f"{name}{at} is neither a folder here nor in the Hub's cache, and the Hub was not asked or not reached: "
            f"go online (HF_HUB_OFFLINE=0, local_files_only=False), or give a folder or {_OURS}"
        ) from None
    except HfHubHTTPError as error:
        first = str(error).strip().splitlines()[0]
        raise FileNotFoundError(
            f"the Hub does not give {name}{at} ({first}): check the name, revision and login"
        ) from None
