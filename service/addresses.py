import ipaddress
from urllib.parse import urlsplit

_LOCAL_DOMAINS = (".localhost", ".local", ".internal", ".home.arpa")


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


def is_private(host: str) -> bool:
    """Whether a host is out of the internet's reach, by its name or address alone: nothing is looked up.

    So are addresses that are not global, names without a dot, and the domains that are kept out of the public
    DNS (RFC 6761, 6762 and 8375; `internal` by ICANN).
    """
    name = host.rstrip(".").lower()
    try:
        # Names of the DNS don't end in a digit: parsing each of them would only take time.
        address = ipaddress.ip_address(name) if ":" in name or name[-1:].isdigit() else None
    except ValueError:
        address = None
    if address is None:
        return "." not in name or name.endswith(_LOCAL_DOMAINS)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not (mapped or address).is_global


def local_url(host: str, port: int) -> str:
    """Give the URL by which a browser on this machine reaches a server that listens on a host and a port."""
    if host in ("127.0.0.1", "0.0.0.0", "::"):  # noqa: S104 - read, not bound
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def http_url(value: str) -> str:
    """Give an http(s) URL without its last slash. Raises ValueError, whose text says what to write."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write a whole http(s) URL, such as https://clips.example.com")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("write the URL without a user, a query or a fragment")
    return value.rstrip("/")
