"""Frozen dataclasses to YAML and back, strictly: an unknown key, a wrong type or a missing value is one clear line.

Understood in annotations: dataclasses, bool, int, float, str, Path, Literal, Optional and other unions, tuples, lists,
mappings and Any. A whole number is taken where a float is asked for, never the other way round; a bool is no number.
"""

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

T = TypeVar("T")

# YAML 1.1 reads 1e-4 as text; YAML 1.2 and everybody who writes a learning rate read a number.
_FLOAT = re.compile(r"[-+]?(\d[\d_]*)(\.\d*)?[eE][-+]?\d+$|[-+]?\.\d+[eE][-+]?\d+$")


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-4 as a float, 010 and 1:30 as text, and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, list | dict):
                raise ValueError(f"key {_shown(key)} is no name (line {key_node.start_mark.line + 1})")
            if key in seen:
                raise ValueError(f"key {key!r} is given twice (line {key_node.start_mark.line + 1})")
            seen.add(key)
        return super().construct_mapping(node, deep)


def _number(kind: str) -> Callable[[_Loader, yaml.ScalarNode], Any]:
    """A number, but text where YAML 1.1 would read base 8 (010 is 8) or 60 (1:30 is 90); YAML 1.2 dropped both."""

    def construct(loader: _Loader, node: yaml.ScalarNode) -> Any:
        text = str(node.value)
        if ":" in text or re.fullmatch(r"[-+]?0[0-7_]+", text):
            return text
        return loader.construct_yaml_int(node) if kind == "int" else loader.construct_yaml_float(node)

    return construct


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _number(_kind))


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes the text '1e-4', since our loader would read a number."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def from_yaml(cls: type[T], source: str | Path) -> T:
    """An instance of a dataclass from YAML: a Path or a name that ends in .yaml or .yml is a file, other text is YAML.

    Raises FileNotFoundError, or ValueError naming the dotted path of what is wrong.
    """
    is_file = isinstance(source, Path) or source.endswith((".yaml", ".yml"))
    text = Path(source).read_text(encoding="utf-8") if is_file else str(source)
    try:
        data = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())}") from None
    made: T = _dataclass({} if data is None else data, cls, cls.__name__)
    return made


def to_yaml(value: Any) -> str:
    """YAML of a dataclass instance, fields in their order; `from_yaml` gives an equal instance back."""
    return str(yaml.dump(to_dict(value), Dumper=_Dumper, sort_keys=False, width=120))


def from_dict(cls: type[T], data: Mapping[str, Any]) -> T:
    """An instance of a dataclass from plain dicts, lists and scalars; raises ValueError naming the dotted path."""
    made: T = _dataclass(data, cls, cls.__name__)
    return made


def to_dict(value: Any) -> dict[str, Any]:
    """Plain dicts, lists and scalars of a dataclass instance, ready for JSON or YAML."""
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"to_dict takes a dataclass instance, not {value!r}")
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _dataclass(data: Any, cls: Any, path: str) -> Any:
    if not isinstance(data, Mapping):
        raise ValueError(f"{path}: expected a mapping with the keys of {cls.__name__}, got {_shown(data)}")
    known: dict[str, Field[Any]] = {field.name: field for field in fields(cls) if field.init}
    for key in data:
        if key not in known:
            raise ValueError(f"{path}.{key}: unknown key; {_nearest(str(key), list(known))}")
    needed = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    if missing := [name for name in needed if name not in data]:
        raise ValueError(f"{path}: missing {', '.join(missing)}")
    hints = get_type_hints(cls)
    values = {name: _convert(value, hints[name], f"{path}.{name}") for name, value in data.items()}
    try:
        return cls(**values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _convert(value: Any, hint: Any, path: str) -> Any:
    if hint is Any:
        return value
    if is_dataclass(hint):
        return _dataclass(value, hint, path)
    origin = get_origin(hint) or hint
    if convert := _CONVERTERS.get(origin):
        return convert(value, get_args(hint), path)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(value, get_args(hint), path)
    raise TypeError(f"{path}: a config cannot hold {hint}: see rect_core.config for the types it can")


def _scalar(kind: type, name: str, also: type | None = None) -> Callable[[Any, tuple[Any, ...], str], Any]:
    def convert(value: Any, _: tuple[Any, ...], path: str) -> Any:
        if type(value) is kind or (also is not None and type(value) is also):
            return kind(value)
        raise ValueError(f"{path}: expected {name}, got {_shown(value)}")

    return convert


def _none(value: Any, _: tuple[Any, ...], path: str) -> None:
    if value is not None:
        raise ValueError(f"{path}: expected nothing, got {_shown(value)}")


def _path(value: Any, _: tuple[Any, ...], path: str) -> Path:
    if not isinstance(value, str | Path):
        raise ValueError(f"{path}: expected a path, got {_shown(value)}")
    return Path(value)


def _literal(value: Any, options: tuple[Any, ...], path: str) -> Any:
    for option in options:
        if type(option) is type(value) and option == value:
            return value
    raise ValueError(f"{path}: {value!r} is not a choice; {_nearest(str(value), [str(o) for o in options])}")


def _union(value: Any, options: tuple[Any, ...], path: str) -> Any:
    arms = [option for option in options if option is not type(None)]
    if value is None and len(arms) < len(options):
        return None
    if len(arms) == 1:
        return _convert(value, arms[0], path)
    # An arm of exactly the value's type first, so that 1 stays an int in `float | int`.
    for arm in sorted(arms, key=lambda arm: arm is not type(value)):
        try:
            return _convert(value, arm, path)
        except ValueError:
            continue
    raise ValueError(f"{path}: {_shown(value)} fits none of {', '.join(str(arm) for arm in arms)}")


def _tuple(value: Any, items: tuple[Any, ...], path: str) -> tuple[Any, ...]:
    given = _list(value, (Any,), path)
    if len(items) == 2 and items[1] is Ellipsis:
        items = (items[0],) * len(given)
    elif len(items) != len(given):
        raise ValueError(f"{path}: expected {len(items)} values, got {len(given)}")
    return tuple(_convert(v, hint, f"{path}[{i}]") for i, (v, hint) in enumerate(zip(given, items, strict=True)))


def _list(value: Any, items: tuple[Any, ...], path: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{path}: expected a list, got {_shown(value)}")
    return [_convert(v, items[0], f"{path}[{i}]") for i, v in enumerate(value)]


def _mapping(value: Any, items: tuple[Any, ...], path: str) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{path}: expected a mapping, got {_shown(value)}")
    key_hint, item_hint = items
    return {_convert(k, key_hint, f"{path} key"): _convert(v, item_hint, f"{path}.{k}") for k, v in value.items()}


_CONVERTERS: dict[Any, Callable[[Any, tuple[Any, ...], str], Any]] = {
    bool: _scalar(bool, "true or false"),
    int: _scalar(int, "a whole number"),
    float: _scalar(float, "a number", also=int),
    str: _scalar(str, "text"),
    Path: _path,
    type(None): _none,
    Literal: _literal,
    Union: _union,
    types.UnionType: _union,
    tuple: _tuple,
    list: _list,
}


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def _nearest(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
