"""Certificates for the tests of TLS: one set for all, since none of them changes it."""

import ssl

import pytest

from support.certificates import Certificates, make_certificates


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return make_certificates()


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls1.2", "tls1.3"])
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    assert isinstance(request.param, ssl.TLSVersion)
    return request.param
