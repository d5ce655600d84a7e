"""One careful HTTP exchange, for plugins that talk to a service: no redirect is followed, no answer read without end.

What matters about a failure is whether the service can have got the request: `NotSent` says that it has not,
`AnswerLost` that nobody knows. `requests` is only imported when something is sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import SplitResult, urlsplit

from tmux_sentry.contracts.messages import Delivery, DeliveryResult
from tmux_sentry.security.sanitize import clean

#: Bytes of an answer that are read; no service here says anything useful beyond them.
MAX_BYTES = 256 * 1024
#: Seconds: to connect, and for the whole answer.
CONNECT, TIMEOUT = 10.0, 30.0
#: Seconds that an answer may ask us to wait; more is taken for a mistake.
LONGEST_WAIT = 86400.0
AGENT = "tmux-sentry"


class HttpError(Exception):
    """There is no answer; the message says why, without the address, which may hold a key."""

    outcome: ClassVar[Delivery]

    def result(self) -> DeliveryResult:
        """What it means for a message."""
        return DeliveryResult(outcome=self.outcome, detail=str(self))


class NotSent(HttpError):
    """The service cannot have seen the request."""

    outcome = Delivery.RETRY


class AnswerLost(HttpError):
    """The service may have seen the request, and even acted on it."""

    outcome = Delivery.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `body` has at most the bytes that were asked for, `cut` says that there were more."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""
    cut: bool = False

    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        import json

        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def words(self, limit: int = 200) -> str:
        """The status and the beginning of the body as one harmless line."""
        text = clean(self.body[: limit * 8].decode("utf-8", "replace"), limit)
        return f"HTTP {self.status}" + (f": {text}" if text else "")

    def retry_after(self, now: float | None = None) -> float | None:
        """Seconds that the service wants us to wait (given as seconds or as a date); None when it does not say."""
        from email.utils import parsedate_to_datetime

        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text[:9]), LONGEST_WAIT)
        try:
            at = parsedate_to_datetime(text).timestamp()
        except (TypeError, ValueError, OverflowError):
            return None
        return min(max(at - (time.time() if now is None else now), 0.0), LONGEST_WAIT)


def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    verify: bool | str = True,
    timeout: float | None = None,
    max_bytes: int = MAX_BYTES,
) -> Answer:
    """Send one request on a connection of its own; returns the answer, whatever its status.

    `verify` is whether to check the certificate, or a file of authorities; `timeout` is in seconds, `TIMEOUT` unless
    given. Raises NotSent or AnswerLost.
    """
    import requests

    timeout = TIMEOUT if timeout is None else timeout
    deadline = time.monotonic() + timeout
    try:
        with requests.Session() as session:
            response = session.request(
                method,
                url,
                headers={"User-Agent": AGENT, **(headers or {})},
                data=body,
                verify=verify,
                timeout=(min(CONNECT, timeout), timeout),
                allow_redirects=False,
                stream=True,
                auth=_as_given,
            )
            with response:
                read, cut = _read(response, max_bytes, deadline)
                shown = {name.lower(): value for name, value in response.headers.items()}
                return Answer(status=response.status_code, headers=shown, body=read, cut=cut)
    except requests.exceptions.RequestException as error:
        raise _explained(error) from None
    except (UnicodeError, OSError) as error:  # a header that cannot be, a file of authorities that is not there
        raise NotSent(clean(f"{type(error).__name__}: the request cannot be made")) from None
    except ValueError:  # requests looks where a redirect leads, although it is not to follow it
        raise AnswerLost("sent, and the answer cannot be read: it leads to no address") from None


def deliver(
    url: str,
    *,
    body: bytes,
    read: Callable[[Answer], DeliveryResult],
    headers: Mapping[str, str] | None = None,
    verify: bool | str = True,
    timeout: float | None = None,
) -> DeliveryResult:
    """POST a message; `read` judges an answer with a status of 200 to 299, everything else is judged here."""
    if _parts(url).scheme not in ("http", "https") or not _parts(url).hostname:
        detail = "the address is not an http:// or https:// one"
        return DeliveryResult(outcome=Delivery.PERMANENT, detail=detail, whole_channel=True)
    try:
        answer = exchange("POST", url, headers=headers, body=body, verify=verify, timeout=timeout)
    except HttpError as error:
        return error.result()
    return read(answer) if 200 <= answer.status < 300 else refusal(answer)


def refusal(answer: Answer) -> DeliveryResult:
    """What an answer with another status than 200 to 299 means where the service has no rules of its own."""
    if answer.status == 429:
        wait = answer.retry_after() or 60.0
        return DeliveryResult(outcome=Delivery.RETRY, detail=answer.words(), retry_after=wait, whole_channel=True)
    if answer.status in (408, 425) or answer.status >= 500:
        return DeliveryResult(outcome=Delivery.RETRY, detail=answer.words(), retry_after=answer.retry_after())
    if 300 <= answer.status < 400:
        host = clean(_parts(answer.headers.get("location", "")).hostname or "", 100)
        detail = f"HTTP {answer.status}: a redirect{f' to {host}' if host else ''}, which is not followed"
        return DeliveryResult(outcome=Delivery.PERMANENT, detail=detail)
    return DeliveryResult(outcome=Delivery.PERMANENT, detail=answer.words())


def _parts(url: str) -> SplitResult:
    """An address taken apart, empty where it cannot be: `urlsplit` raises at "http://[", and a server may send that."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _read(response: Any, max_bytes: int, deadline: float) -> tuple[bytes, bool]:
    """The body up to `max_bytes`. The deadline is for all of it: a byte a second would never time out."""
    read = b""
    for chunk in response.iter_content(16 * 1024):
        read += chunk
        if len(read) > max_bytes:
            return read[:max_bytes], True
        if time.monotonic() > deadline:
            raise AnswerLost("the answer did not end in time")
    return read, False


def _as_given(request: Any) -> Any:
    """No authentication: without this a `~/.netrc` would be read, and its password sent."""
    return request


def _explained(error: Exception) -> HttpError:
    """The kind of failure in our words. The library's own have the whole address in them."""
    import requests.exceptions as known

    if isinstance(error, known.SSLError) and "EOF" not in repr(error):
        return NotSent("no secure connection: the certificate or the TLS version is not accepted")
    if isinstance(error, known.ProxyError):
        return NotSent("the proxy does not connect")
    if isinstance(error, known.ConnectTimeout):
        return NotSent("no connection in time")
    if isinstance(error, known.ReadTimeout):
        return AnswerLost("sent, and no answer in time")
    if isinstance(error, known.ConnectionError):
        # urllib3 says by its class whether there ever was a connection.
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        if type(reason).__name__ in ("NewConnectionError", "NameResolutionError"):
            return NotSent("no connection: the host is not there or refuses")
        return AnswerLost("sent, and the connection broke before the answer")
    if isinstance(error, (known.ChunkedEncodingError, known.ContentDecodingError)):
        return AnswerLost("sent, and the answer broke off")
    return NotSent(f"the request cannot be made ({type(error).__name__})")
