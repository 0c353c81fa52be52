"""Certificates are verified against the name that was asked for."""

import datetime as dt
import ipaddress
import ssl

import pytest

from tests.edge_agent.egress.site import Site, page_of

x509 = pytest.importorskip("cryptography.x509")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 and good.test, its own authority; the file with its key."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "good.test")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("good.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    encoding = serialization.Encoding.PEM
    file.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(encoding)
    )
    return file


@pytest.fixture
def secure_site(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    site = Site(context)
    site.pages["/"] = page_of("secret page")
    yield site
    site.close()


def test_a_page_comes_over_tls(ask, secure_site, certificate):
    ask.rules = [secure_site.url]
    ask.make_tls = lambda: ssl.create_default_context(cafile=certificate)
    assert ask(secure_site.url)["body"] == "secret page"


def test_the_name_is_the_one_asked_for(ask, secure_site, certificate):
    port = secure_site.port
    ask.rules = [f"https://*:{port}", secure_site.url]
    ask.names = {"good.test": ["127.0.0.1"], "evil.test": ["127.0.0.1"]}
    ask.make_tls = lambda: ssl.create_default_context(cafile=certificate)
    assert ask(f"https://good.test:{port}/")["body"] == "secret page"
    assert f"Host: good.test:{port}\r\n".encode() in secure_site.requests[0]
    answer = ask(f"https://evil.test:{port}/")
    assert answer["kind"] == "tls"
    assert "certificate is refused" in answer["error"]
    assert len(secure_site.requests) == 1


def test_an_unknown_authority_is_refused(ask, secure_site):
    ask.rules = [secure_site.url]
    assert ask(secure_site.url)["kind"] == "tls"
    assert not secure_site.requests


def test_a_site_without_tls_is_no_tls_site(ask, site):
    ask.rules = [f"https://127.0.0.1:{site.port}"]
    site.pages["/"] = page_of("plain")
    assert ask(f"https://127.0.0.1:{site.port}/", timeout_ms=2000)["kind"] in {"tls", "timeout"}
