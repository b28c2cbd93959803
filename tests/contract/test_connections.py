"""What is said where http and https were mixed up, against real servers of either kind."""

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from service.connections import reason_of
from service.errors import StoreUnavailable
from service.stores.supabase import SupabaseStore

HOST = "127.0.0.1"


def certificate(folder: Path) -> Path:
    """A key and the certificate that it signed for itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return file


async def port_of(tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0, ssl_context=tls)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture
async def plain() -> AsyncIterator[int]:
    async for port in port_of(None):
        yield port


@pytest.fixture
async def with_tls(tmp_path: Path) -> AsyncIterator[int]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate(tmp_path))
    async for port in port_of(tls):
        yield port


async def reason(url: str) -> str:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError) as failed:
            await session.post(url, json={})
    return reason_of(failed.value, url)


async def test_https_to_a_plain_port_is_told(plain: int) -> None:
    assert await reason(f"https://{HOST}:{plain}/v1") == (
        "it speaks http, not https: write http:// in its address"
    )


async def test_http_to_a_port_with_tls_is_told(with_tls: int) -> None:
    assert await reason(f"http://{HOST}:{with_tls}/v1") == (
        "it ended the connection without an answer. If it speaks https, write https:// in its address"
    )


async def test_certificate_that_is_not_valid_is_told_as_one(with_tls: int) -> None:
    assert (await reason(f"https://{HOST}:{with_tls}/v1")).startswith("its certificate is not valid (")


async def test_connection_that_is_refused_is_no_mix_up() -> None:
    assert await reason(f"https://{HOST}:9/v1") == "Connection refused"


async def test_scheme_of_supabase_is_told(plain: int, with_tls: int) -> None:
    for url, words in (
        (f"https://{HOST}:{plain}", "it speaks http, not https: write http:// in its address"),
        (f"http://{HOST}:{with_tls}", "If it speaks https, write https:// in its address"),
    ):
        async with SupabaseStore(url, "sb_secret_of-the-test") as store:
            with pytest.raises(StoreUnavailable, match=words):
                await store.missing_migrations()
