"""A private S3 server: SeaweedFS, from the Python package index."""

import json
import sysconfig
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.process import ServerProcess, free_port, require

_PROGRAM = Path(sysconfig.get_path("scripts")) / "weed"
KEY, SECRET = "muster", "a+secret/that=needs%escapes"
READER = "reader"


class S3Server(ServerProcess):
    """SeaweedFS, all of it in one process, on ports of its own, the same after each start."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._port = free_port()
        kinds = ("master", "volume", "filer", "s3")
        self._others = {kind: (free_port(), free_port()) for kind in kinds}

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def url(self, bucket: str = "", **options: str) -> str:
        """The URL of a bucket, with `options` of Muster; of none, it names the server."""
        return url_of(self.endpoint, bucket, **options)

    def argv(self) -> Sequence[str]:
        """The server's command."""
        arguments = {
            "-dir": str(self._data()),
            "-ip": "127.0.0.1",
            "-ip.bind": "127.0.0.1",
            "-filer": "true",
            "-s3": "true",
            "-s3.config": str(self._accounts()),
            "-s3.autoCreateBucket": "false",
            "-s3.port.iceberg": "0",
            "-s3.port.lance": "0",
            "-master.telemetry": "false",
            # It makes several volumes for each bucket, and few of them are needed.
            "-master.volumeSizeLimitMB": "64",
            "-volume.max": "500",
            "-volume.minFreeSpace": "1",
        }
        for kind, (port, grpc_port) in self._others.items():
            arguments[f"-{kind}.port"] = str(self._port if kind == "s3" else port)
            arguments[f"-{kind}.port.grpc"] = str(grpc_port)
        flags = [f"{name}={value}" for name, value in arguments.items()]
        return [str(_PROGRAM), "-logtostderr=true", "server", *flags]

    def answers(self) -> bool:
        """Whether it takes and gives a file."""
        try:
            with new_bucket(self.url()) as url, closing(client_of(url)) as client:
                named = {"Bucket": urlsplit(url).hostname, "Key": "probe"}
                client.put_object(**named, Body=b"probe")
                return bool(client.get_object(**named)["Body"].read() == b"probe")
        except (BotoCoreError, ClientError):
            return False

    def _data(self) -> Path:
        path = self.directory / "data"
        path.mkdir(exist_ok=True)
        return path

    def _accounts(self) -> Path:
        path = self.directory / "s3.json"
        rights = {KEY: ["Admin", "Read", "List", "Tagging", "Write"], READER: ["Read", "List"]}
        identities = [
            {
                "name": name,
                "credentials": [{"accessKey": name, "secretKey": SECRET}],
                "actions": actions,
            }
            for name, actions in rights.items()
        ]
        path.write_text(json.dumps({"identities": identities}))
        return path


def url_of(endpoint: str, bucket: str, key: str = KEY, **options: str) -> str:
    """Muster's URL of a bucket at the endpoint."""
    secret = "".join(f"%{byte:02X}" for byte in SECRET.encode())
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"s3://{key}:{secret}@{bucket}?endpoint={endpoint}{query and '&'}{query}"


def client_of(url: str) -> Any:
    """A client of AWS's own library for the server that the URL names."""
    return botocore.session.Session().create_client(
        "s3",
        endpoint_url=parse_qs(urlsplit(url).query)["endpoint"][0],
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


@contextmanager
def new_bucket(server_url: str) -> Iterator[str]:
    """The URL of a bucket of its own, which is removed at the end; `server_url` names none."""
    bucket = f"muster-{uuid.uuid4().hex}"
    with closing(client_of(server_url)) as client:
        client.create_bucket(Bucket=bucket)
        yield server_url.replace("@?", f"@{bucket}?")
        for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
            named = {"Bucket": bucket, "Key": upload["Key"]}
            client.abort_multipart_upload(**named, UploadId=upload["UploadId"])
        for found in client.list_objects_v2(Bucket=bucket).get("Contents", []):
            client.delete_object(Bucket=bucket, Key=found["Key"])
        client.delete_bucket(Bucket=bucket)


def require_s3() -> None:
    """Skip or fail where there is no server, as on a system that it has no wheel for."""
    require(_PROGRAM.exists(), "SeaweedFS")
