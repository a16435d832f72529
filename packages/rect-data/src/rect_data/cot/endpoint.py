"""A model behind an OpenAI-compatible endpoint (`POST <url>/chat/completions`), asked with the standard library."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any, Final

from rect_core.errors import DataError
from rect_data.cot.backend import Reply, Unanswered
from rect_data.cot.pace import retry_after_s
from rect_data.cot.prompt import Message
from rect_data.cot.remote import Address

MAX_BYTES: Final = 4_000_000
_CHUNK: Final = 65536
_AGAIN: Final = (408, 409, 425, 429)
_THIS_CASE: Final = (400, 413, 422)
_SHOWN: Final = 200


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry key and text to a host that nobody allowed."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Endpoint:
    """Answers of one model of one endpoint.

    key: sent as a bearer token when it is not empty, and shown nowhere. timeout_s: for the whole of one answer. This
    machine is asked directly, whatever proxy the environment names.
    """

    def __init__(
        self, to: Address, model: str, *, key: str = "", timeout_s: float = 120.0, max_new_tokens: int = 1024
    ) -> None:
        if not key.isascii() or any(not 33 <= ord(letter) <= 126 for letter in key):
            raise DataError("the key has spaces, line breaks or other characters that no key has: set it again")
        if not 0 < timeout_s < float("inf") or max_new_tokens < 1:
            raise DataError(f"timeout_s {timeout_s} and max_new_tokens {max_new_tokens} must be above 0")
        self.name = model
        self.settings: dict[str, float | int | str] = {"max_tokens": max_new_tokens, "temperature": 0}
        self._url, self._key, self._timeout_s = f"{to.url}/chat/completions", key, timeout_s
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if to.local:
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def ask(self, messages: Sequence[Message]) -> Reply:
        """The model's next message. Raises Unanswered."""
        try:
            body = self._post({"model": self.name, "messages": list(messages), **self.settings})
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from None
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise Unanswered(f"no connection: {type(reason).__name__}: {self._safe(str(reason))}") from None
        return _reply(body)

    def _post(self, body: dict[str, Any]) -> bytes:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers, method="POST")
        until = time.monotonic() + self._timeout_s
        with self._opener.open(request, timeout=self._timeout_s) as response:
            return _read(response, until)

    def _refused(self, error: urllib.error.HTTPError) -> Unanswered:
        code = error.code
        said = self._safe(_said(error))
        if code in _AGAIN or code >= 500:
            return Unanswered(f"HTTP {code}{said}", wait_s=retry_after_s(error.headers.get("Retry-After")))
        if code in _THIS_CASE:
            return Unanswered(f"HTTP {code}{said}", retry=False)
        advice = {
            401: "check the key and --key-env",
            403: "this key may not use the model",
            404: "check the URL and the model's name",
        }.get(code, "redirects are not followed" if code < 400 else "the endpoint does not take such requests")
        return Unanswered(f"HTTP {code}{said}: {advice}", fatal=True)

    def _safe(self, text: str) -> str:
        """Shortened, on one line, without the key that some servers repeat."""
        hidden = text.replace(self._key, "***") if self._key else text
        return " ".join(hidden.split())[:_SHOWN]


def _read(response: Any, until: float) -> bytes:
    """The whole body, in time: a socket's own timeout starts again with every byte."""
    parts: list[bytes] = []
    size = 0
    while part := response.read1(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise OSError(f"the answer has more than {MAX_BYTES} bytes")
        if time.monotonic() > until:
            raise TimeoutError("the answer takes too long")
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and size < int(length):
        raise http.client.IncompleteRead(b"", int(length) - size)
    return b"".join(parts)


def _said(error: urllib.error.HTTPError) -> str:
    """What the endpoint says went wrong, where it says so in the usual form."""
    try:
        value = json.loads(error.read(_CHUNK))
    except (ValueError, OSError, RecursionError, http.client.HTTPException):
        return ""
    inner = value.get("error") if isinstance(value, dict) else None
    message = inner.get("message") if isinstance(inner, dict) else inner
    return f" ({message})" if isinstance(message, str) else ""


def _reply(body: bytes) -> Reply:
    try:
        value = json.loads(body)
        choice = value["choices"][0]
        text = choice["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Unanswered("the endpoint's answer is not that of a chat completion") from None
    if not isinstance(text, str):
        raise Unanswered(f"the endpoint's answer has a {type(text).__name__} for content")
    revision = value.get("system_fingerprint") or value.get("model") or ""
    return Reply(text=text, revision=str(revision), cut=choice.get("finish_reason") == "length")
