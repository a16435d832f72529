"""What differs between two configs, key by dotted key."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

Change = tuple[Any, Any]


def changes(old: Mapping[str, Any], new: Mapping[str, Any], *, but: Collection[str] = ()) -> dict[str, Change]:
    """Dotted key -> (old, new) where plain dicts differ. but: keys that may differ, with all that lies below them."""
    before, after = dict(_flat(old)), dict(_flat(new))
    keys = [key for key in dict.fromkeys([*before, *after]) if not covers(but, key)]
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def covers(names: Collection[str], key: str) -> bool:
    """Whether a dotted key is one of the names or lies below one."""
    return any(key == name or key.startswith(f"{name}.") for name in names)


def shown(found: Mapping[str, Change]) -> str:
    """The changes as part of a sentence."""
    return ", ".join(f"{key} {old!r} -> {new!r}" for key, (old, new) in found.items())


def _flat(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{above}{key}.")
        else:
            yield f"{above}{key}", item
