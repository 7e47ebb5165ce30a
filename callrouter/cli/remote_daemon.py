"""A remote daemon, reached over HTTP with a token."""

from __future__ import annotations

import http.client
import ipaddress
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from callrouter.cli.output_text import CommandFailed


@dataclass(frozen=True, slots=True)
class RemoteDaemon:
    """The address of a daemon's HTTP side, and the token to use."""

    scheme: str
    host: str
    port: int | None
    prefix: str
    """The path before ``/api`` behind a proxy; otherwise empty."""
    token: str

    @classmethod
    def parse(cls, url: str, token: str) -> RemoteDaemon:
        """Parse the given address and token.

        Raises:
            CommandFailed: one of them cannot be used (exit status 2). The message repeats neither a
                password in the address nor the token.
        """
        example = "such as https://calls.example.com"
        try:
            parts = urlsplit(url.strip())
            port = parts.port
        except ValueError as error:
            raise CommandFailed(
                2, f"--url is not an address ({error}); give one {example}"
            ) from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CommandFailed(
                2, f"--url is not an http:// or https:// address; give one {example}"
            )
        if parts.username is not None or parts.password is not None:
            raise CommandFailed(
                2, "--url has a user or password in it; give a token with CALLROUTER_TOKEN"
            )
        if parts.query or parts.fragment:
            raise CommandFailed(2, f"--url has a ? or # in it; give the address alone, {example}")
        whole = f"{parts.hostname}{parts.path}"
        if not whole.isascii() or not whole.isprintable() or " " in whole:
            raise CommandFailed(
                2, f"--url has characters that an address cannot have; give one {example}"
            )
        token = token.strip()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise CommandFailed(2, "the token has characters that a token cannot have")
        prefix = parts.path.rstrip("/").removesuffix("/api")
        return cls(parts.scheme, parts.hostname, port, prefix, token)

    @property
    def shown(self) -> str:
        """Return the address for display.

        An IPv6 address is in brackets. The token is not in it.
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{f':{self.port}' if self.port else ''}{self.prefix}"

    @property
    def exposes_token(self) -> bool:
        """Return whether the token would cross a network in clear text.

        That is so over http:// to another machine. Without a token there is nothing to expose.
        """
        return bool(self.token) and self.scheme == "http" and not _is_loopback(self.host)

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that authenticate us.

        The token is sent as a bearer token (RFC 6750); without one, there are no headers.
        """
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        """Return a connection to it, not yet open.

        `timeout` is in seconds, for each wait. Over https://, the certificate must be one that the
        system trusts.
        """
        if self.scheme == "http":
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def unreachable(self, error: Exception) -> CommandFailed:
        """Return the error for a daemon that cannot be reached.

        `error` is what the connection raised; the text says what is probably wrong. The exit status
        is 3.
        """
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"its certificate is not accepted: {error.verify_message}"
        elif isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
            why = "it does not speak TLS there; is it http:// or another port?"
        elif isinstance(error, TimeoutError):
            why = "no answer in time"
        elif isinstance(error, OSError):
            why = error.strerror or str(error)
        else:
            why = "what it answers is no HTTP"
        return CommandFailed(3, f"the daemon at {self.shown} cannot be reached: {why}")

    def no_callrouter(self, status: int, location: str) -> CommandFailed:
        """Return the error for an answer that is not callrouter's.

        A redirection is not followed: the text says where it leads. `location` is empty if there is
        none. The exit status is 3.
        """
        if 300 <= status < 400 and location:
            text = f"{self.shown} sends us on to {location[:200]}; give that address with --url"
        else:
            text = f"{self.shown} answers, but not as callrouter does (HTTP status {status})"
        return CommandFailed(3, text)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
