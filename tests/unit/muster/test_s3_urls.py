"""URLs of the S3 file store: what is wrong is said without the secret."""

import traceback
from contextlib import closing

import pytest

from muster.adapters import ConfigurationError
from muster.backends.s3 import S3Location, parse
from muster.filestore import open_file_store
from muster.weather import StoreUnavailable


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("s3://bucket", S3Location("bucket", "", None, None)),
        ("s3://bucket/", S3Location("bucket", "", None, None)),
        ("s3://b.u-1/a/b%20c/", S3Location("b.u-1", "a/b c/", None, None)),
        ("s3://KEY:a%2Fb%40c@bucket/p", S3Location("bucket", "p/", "KEY", "a/b@c")),
        (
            "s3://bucket?endpoint=http://[::1]:9000&region=eu-1&addressing=virtual"
            "&ca_file=/etc/ca.pem&connect_seconds=1&answer_seconds=2",
            S3Location(
                "bucket",
                "",
                None,
                None,
                endpoint="http://[::1]:9000",
                region="eu-1",
                addressing="virtual",
                ca_file="/etc/ca.pem",
                connect_seconds=1,
                answer_seconds=2,
            ),
        ),
    ],
)
def test_what_a_url_says(url: str, location: S3Location) -> None:
    assert parse(url) == location
    assert "a/b@c" not in f"{parse(url)} {parse(url)!r}"


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("s3://", "name a bucket"),
        ("s3://a", "name a bucket"),
        ("s3://B_b", "name a bucket"),
        ("s3://KEY:s3cret@bucket:9000", "option endpoint"),
        ("s3://KEY:s3cret@127.0.0.1:9000/bucket", "option endpoint"),
        ("s3://KEY:s3cret/more@bucket", "as %XX"),
        ("s3://KEY:s3cret#more@bucket", "as %XX"),
        ("s3://KEY:s3cret?more@bucket", "as %XX"),
        ("s3://KEY:s3cret%FF@bucket", "as %XX"),
        ("s3://KEY:9#s3cret@bucket", "as %XX"),
        ("s3://KEY@bucket", "half of a key"),
        ("s3://:s3cret@bucket", "half of a key"),
        ("s3://KEY:s3cret@bucket?nosuch=1", "no option 'nosuch'; known are addressing"),
        ("s3://KEY:s3cret@bucket?region=a&region=b", "region twice"),
        ("s3://KEY:s3cret@bucket?answer_seconds=0", "answer_seconds must be"),
        ("s3://KEY:s3cret@bucket?connect_seconds=soon", "connect_seconds must be"),
        ("s3://KEY:s3cret@bucket?addressing=best", "path or virtual"),
        ("s3://KEY:s3cret@bucket?ca_file=", "names no file"),
        ("s3://KEY:s3cret@bucket?endpoint=host:9000", "option endpoint must be"),
        ("s3://KEY:s3cret@bucket?endpoint=http://host:port", "option endpoint must be"),
        ("s3://KEY:s3cret@bucket?endpoint=http://host/path", "option endpoint must be"),
        ("s3://KEY:s3cret@bucket?endpoint=http://a:s3cret@host", "option endpoint must be"),
    ],
)
def test_a_url_that_can_not_be_used_says_why_without_its_secret(url: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        open_file_store(url)
    shown = "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in shown
    assert "Write s3://[KEY:SECRET@]BUCKET" in shown


@pytest.mark.usefixtures("_no_credentials")
def test_a_store_without_credentials_waits_for_them() -> None:
    with (
        closing(open_file_store("s3://bucket?endpoint=http://127.0.0.1:1")) as files,
        pytest.raises(StoreUnavailable, match="credentials"),
    ):
        files.check()


@pytest.fixture
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/dev/null")
