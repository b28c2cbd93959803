"""Says in a few words why a request got no answer, for the person who wrote its address."""

import os

import aiohttp

# OpenSSL's names of an answer that is not TLS.
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")


def reason_of(error: Exception, url: str) -> str:
    """Say why a request to `url` got no answer, and what to write where http and https were mixed up."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not valid ({error.certificate_error})"
    if isinstance(error, aiohttp.ClientConnectorError):
        # Where several addresses were tried, the number alone says what happened.
        number = error.os_error.errno or 0
        words = os.strerror(number) if number > 0 else error.os_error.strerror or "no connection"
        return mixed_up(str(error), url) or words
    said = str(error) or type(error).__name__
    return mixed_up(said, url, broke_off=isinstance(error, aiohttp.ServerDisconnectedError)) or said


def mixed_up(said: str, url: str, *, broke_off: bool = False) -> str:
    """Say which scheme to write, where an error `said` that TLS met plain HTTP; "" where it did not.

    A server with TLS ends a connection without it, and says nothing: where one `broke_off` it may be that.
    """
    scheme = url.partition(":")[0]
    if scheme == "https" and any(name in said for name in _NOT_TLS):
        return "it speaks http, not https: write http:// in its address"
    if scheme == "http" and broke_off:
        return "it ended the connection without an answer. If it speaks https, write https:// in its address"
    return ""
