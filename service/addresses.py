import ipaddress
from urllib.parse import urlsplit


def is_address(host: str) -> bool:
    """Whether a host is an IP address, without a zone."""
    try:
        return "%" not in host and bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def http_url(value: str) -> str:
    """Give an http(s) URL without its last slash. Raises ValueError, whose text says what to write."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write a whole http(s) URL, such as https://clips.example.com")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("write the URL without a user, a query or a fragment")
    return value.rstrip("/")
