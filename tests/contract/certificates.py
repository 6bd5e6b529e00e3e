"""Certificates of an authority that exists for one test."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_HOUR = timedelta(hours=1)


class Authority:
    """Its certificate is in `ca_file`."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._name = _named(f"Test {name}")
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.ca_file = directory / f"{name}.pem"
        authority = x509.BasicConstraints(ca=True, path_length=0)
        certificate = self._begin(self._name, self._key, authority)
        signed = certificate.add_extension(_for_signing(), critical=True)
        self.ca_file.write_bytes(signed.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def server_context(self, *addresses: str) -> ssl.SSLContext:
        """The TLS side of a server that proves to be at `addresses`, or to have those names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_file(*addresses))
        return context

    def server_file(self, *addresses: str) -> Path:
        """The key and the certificate of such a server, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_general_name(each) for each in addresses])
        nobody = x509.BasicConstraints(ca=False, path_length=None)
        certificate = self._begin(_named("server"), key, nobody).add_extension(
            names, critical=False
        )
        file = self._directory / f"server-{'-'.join(addresses)}.pem"
        file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        )
        return file

    def _begin(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, role: x509.BasicConstraints
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = x509.CertificateBuilder(self._name, subject, key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - _HOUR).not_valid_after(now + _HOUR)
        # Python 3.13 and later refuse certificates without these (RFC 5280).
        builder = builder.add_extension(role, critical=True).add_extension(own, critical=False)
        return builder.add_extension(issuer, critical=False)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _for_signing() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
