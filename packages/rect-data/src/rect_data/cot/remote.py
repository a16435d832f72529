"""Which address a text would go to, and whether it may."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rect_core.errors import DataError
from rect_data import ct_rate

_URL: Final = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[\w.~/%-]*)?", re.ASCII)
_CT_RATE_NAME: Final = re.compile(r"(?<![A-Za-z0-9])(?:train|valid)_\d+_[a-z](?![a-z])", re.ASCII | re.I)


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """An OpenAI-compatible endpoint's base URL, such as "http://localhost:8000/v1"."""

    url: str
    host: str
    local: bool

    @property
    def encrypted(self) -> bool:
        """Whether it is https."""
        return self.url.startswith("https:")


def address(url: str) -> Address:
    """Reads a base URL; raises DataError for one with a name or key in it, a query, or anything unusual."""
    host = _host(url)
    if not host:
        raise DataError("the URL is not of the form http(s)://host[:port][/path]: give one without user, key or query")
    return Address(url=url.rstrip("/"), host=host, local=_is_local(host))


def _host(url: str) -> str:
    """The host in lower case, "" where the URL is not of our form."""
    if _URL.fullmatch(url) is None:
        return ""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        return host if parts.port != 0 else ""
    except ValueError:  # a port above 65535, brackets around no address, a name that is none
        return ""


def _is_local(host: str) -> bool:
    """This machine by its loopback addresses alone: what a name resolves to may change."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def from_ct_rate(places: Iterable[Path], names: Iterable[str]) -> bool:
    """Whether texts are CT-RATE's: read from its layout, or of a case or image that is named as its scans are
    (ReXGroundingCT's are too)."""
    tables = [*ct_rate.REPORTS.values(), *ct_rate.METADATA.values(), *ct_rate.LABELS.values()]
    folders = {folder for place in places for folder in (place.resolve(), *place.resolve().parents)}
    if any((folder / table).exists() for folder in folders for table in tables):
        return True
    return any(_CT_RATE_NAME.search(name) for name in names)


def check_remote(to: Address, records: int, *, ct_rate_texts: bool, allowed: bool, permitted: bool) -> None:
    """Raises DataError for an address that is not this machine, unless allowed, and for CT-RATE also permitted."""
    if to.local:
        return
    if not allowed:
        raise DataError(
            f"{records} texts would leave this machine for {to.host}: give --allow-remote-text if they may, "
            "or run the model here"
        )
    if ct_rate_texts and not permitted:
        raise DataError(
            f"these are texts of CT-RATE, whose terms do not cover handing them on to {to.host}: run the model here, "
            "or give --i-have-permission if you have it from the data set's owners"
        )
