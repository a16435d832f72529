"""Weights in and out: every component with weights is a `Published` module, saved to and loaded from strict folders."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from rect_core.config import from_dict, to_dict
from rect_core.published import (
    POINTS_NAME,
    Header,
    Shapes,
    check_fingerprint,
    check_shapes,
    check_status,
    fingerprint_of,
    read_header,
    read_tensors,
    write_folder,
)
from rect_core.sources import resolve_source
from rect_core.types.prediction import WeightsStatus

__all__ = ["Published", "resolve_source"]

P = TypeVar("P", bound="Published")  # not typing.Self: beartype, which checks our tests, knows it in whole classes only


class Published(nn.Module):
    """A module whose weights live in a folder with config.json and model.safetensors.

    A subclass sets `config_class` and builds itself from one config: `__init__(self, config)` calls
    `super().__init__(config)`, keeps every tensor as a parameter or persistent buffer, and reads no tensor's values
    (it also runs on the meta device).

    config: the frozen dataclass it was built from. weights_status: where the weights come from. origin: the folder they
    were loaded from, None if they were not.
    """

    config_class: ClassVar[type]

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.weights_status: WeightsStatus = "untrained"
        self.origin: Path | None = None
        self._hashed: tuple[Any, str] | None = None

    @property
    def points_file(self) -> Path | None:
        """The operating points that lie beside the weights; None without, or for weights that came from no folder."""
        path = self.origin / POINTS_NAME if self.origin else None
        return path if path and path.is_file() else None

    @classmethod
    def from_pretrained(
        cls: type[P],
        source: str | Path,
        *,
        revision: str | None = None,
        local_files_only: bool = False,
        dtype: torch.dtype | None = torch.float32,
    ) -> P:
        """The module with the weights of a folder, an installed weights package or a Hub id, in eval mode.

        Of a whole model (subfolders encoder/, classifier/, ...) it takes its own part. dtype: what its floats become,
        and so what it computes in, however small a file keeps them (bfloat16 would move scores away from the operating
        points, which are fitted in float32); None keeps the file's own.
        Raises FileNotFoundError or ValueError in one line: see `rect_core.sources` and `rect_core.published`.
        """
        part = _kind(cls).partition(".")[0].removeprefix("rect_")
        folder = resolve_source(source, subfolder=part, revision=revision, local_files_only=local_files_only)
        header = read_header(folder, kind=_kind(cls))
        module = _skeleton(cls, from_dict(cls.config_class, header.config))
        ties, shapes = _ties(module), _shapes(module)
        stored = read_tensors(folder, {first: shapes[first] for first in ties.values()})
        check_fingerprint(folder, header, {name: stored[first] for name, first in ties.items()})
        _assign(module, stored, ties)
        module.weights_status, module.origin = header.weights_status, folder
        module._hashed = (module._state_key(), header.fingerprint)
        return module.to(dtype).eval() if dtype else module.eval()

    @classmethod
    def untrained(cls: type[P], config: Any, *, seed: int = 0) -> P:
        """A module with random weights in eval mode; the same seed gives the same weights, and no other
        random number of the process is touched."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            module = cls(config)
        _ = module.fingerprint  # so that it is the float32 weights' own, whatever they are cast to later
        return module.eval()

    def save_pretrained(self, folder: str | Path, *, weights_status: WeightsStatus, card: str = "") -> None:
        """Writes config.json, model.safetensors and README.md (`card` is its text). Nothing is left half-written.

        float16 weights are refused: their rounding would change the fingerprint that heads look for.
        """
        check_status(type(self).__name__, weights_status)
        skeleton = _skeleton(type(self), self.config)
        check_shapes(f"this {type(self).__name__}", _shapes(self), _shapes(skeleton))
        _check_savable(self, _ties(skeleton))
        state = self.state_dict()
        header = Header(
            kind=_kind(type(self)),
            weights_status=weights_status,
            fingerprint=fingerprint_of(state),  # not the cached one: a trip through float16 rounds the values
            config=to_dict(self.config),
        )
        # A copy each: safetensors stores no tensor that is a view of another.
        tensors = {name: state[name].cpu().clone().contiguous() for name in sorted(set(_ties(skeleton).values()))}
        write_folder(Path(folder), header, tensors, card)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        weights_status: WeightsStatus,
        private: bool = True,
        revision: str | None = None,
        card: str = "",
    ) -> str:
        """Saves to a temporary folder and uploads it as one commit; returns the commit's id, the revision to pin.

        Raises ConnectionError while HF_HUB_OFFLINE is set; the Hub's own errors pass through.
        """
        from huggingface_hub import HfApi
        from huggingface_hub.constants import is_offline_mode

        if is_offline_mode():
            raise ConnectionError(f"HF_HUB_OFFLINE is set: unset it to push {repo_id}, or use save_pretrained(folder)")
        with tempfile.TemporaryDirectory() as place:
            self.save_pretrained(Path(place) / "weights", weights_status=weights_status, card=card)
            HfApi().create_repo(repo_id, private=private, exist_ok=True)
            commit = HfApi().upload_folder(repo_id=repo_id, folder_path=Path(place) / "weights", revision=revision)
        return str(commit.oid)

    def sibling(self, name: str) -> str | Path:
        """Where a config's name of another component leads: "../encoder" is seen from the folder this one was loaded
        from, any other name is taken as it is. Raises ValueError for the first kind when there is no such folder."""
        if not name.startswith("."):
            return name
        if self.origin is None:
            kind = type(self).__name__
            raise ValueError(f"this {kind} was not loaded from a folder, so {name!r} leads nowhere: give encoder=")
        return self.origin / name

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all tensors as bfloat16: the same on a GPU, cast, and saved again in float32 or bfloat16.

        Cached until a tensor changes.
        """
        key = self._state_key()
        if self._hashed is None or self._hashed[0] != key:
            self._hashed = (key, fingerprint_of(self.state_dict()))
        return self._hashed[1]

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Any:
        # .to(), .half(), .cuda() come through here: same weights, other bytes, so the fingerprint stays.
        known = self._hashed is not None and self._hashed[0] == self._state_key()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if known and self._hashed is not None:
            self._hashed = (self._state_key(), self._hashed[1])
        return self

    def _state_key(self) -> tuple[tuple[str, int, int], ...]:
        # A version counter grows with every in-place change, the pointer changes with every replacement.
        return tuple(
            (name, tensor.data_ptr(), -1 if tensor.is_inference() else tensor._version)
            for name, tensor in self.state_dict(keep_vars=True).items()
        )


def _kind(cls: type) -> str:
    return f"{cls.__module__.partition('.')[0]}.{cls.__name__}"


def _skeleton(cls: type[P], config: Any) -> P:
    with torch.device("meta"):
        return cls(config)


def _shapes(module: nn.Module) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def _ties(module: nn.Module) -> dict[str, str]:
    """Each name of the state dict -> the first name of the same tensor; only that one is stored."""
    first: dict[int, str] = {}
    return {name: first.setdefault(id(tensor), name) for name, tensor in module.state_dict(keep_vars=True).items()}


def _assign(module: nn.Module, stored: dict[str, Tensor], ties: dict[str, str]) -> None:
    parameters = dict(module.named_parameters())
    # One Parameter object for all names of a tied tensor, so that training keeps them tied.
    ready = {
        name: nn.Parameter(t, requires_grad=t.is_floating_point()) if name in parameters else t
        for name, t in stored.items()
    }
    module.load_state_dict({name: ready[first] for name, first in ties.items()}, strict=True, assign=True)
    _check_persistent(module)


def _check_persistent(module: nn.Module) -> None:
    known = module.state_dict()
    if lost := [name for name, _ in module.named_buffers(remove_duplicate=False) if name not in known]:
        raise ValueError(
            f"{type(module).__name__} has buffers that no file keeps: {', '.join(lost)}; make them persistent"
        )


def _check_savable(module: nn.Module, ties: dict[str, str]) -> None:
    _check_persistent(module)
    state = module.state_dict()
    if half := [name for name, tensor in state.items() if tensor.dtype == torch.float16]:
        raise ValueError(
            f"{half[0]} is float16, which changes the fingerprint: cast to float32 or bfloat16 before saving"
        )
    if torn := [name for name, first in ties.items() if not torch.equal(state[name], state[first])]:
        raise ValueError(f"{torn[0]} is tied to {ties[torn[0]]} but holds other values: one of them would be lost")
