"""The adapters that the contract suites run over, and the simulator's ports.

Another adapter is one more fixture and its name in a list below, or in tests/conftest.py for the
databases, over which the services are tested, too; no test changes.
"""

import mailbox
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from email import message_from_bytes, policy
from email.message import EmailMessage
from inspect import signature
from itertools import chain, product
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from muster.broker import Broker, open_broker
from muster.database import Database, open_database
from muster.database.sqlite import SqliteDialect
from muster.filestore import FileStore, open_file_store
from muster.stores import Stores, open_stores
from muster.uploadstore import UploadStore, open_upload_store
from tests.contract.certificates import Authority
from tests.contract.smtp_sink import Sink
from tests.servers.mariadb import MariaServer, require_mariadb
from tests.servers.mongodb import MongoServer, new_store, require_mongodb
from tests.servers.rabbitmq import RabbitServer, own_names, require_rabbitmq
from tests.servers.s3 import S3Server, new_bucket, require_s3
from tests.servers.s3 import url_of as s3_url_of
from tests.servers.shared import server_url
from tests.simulator.alone import simulated_broker, simulated_stores

Received = Callable[[], list[EmailMessage]]

BROKERS = ["sqlite_broker_url", "rabbitmq_broker_url"]
UNREACHABLE_BROKERS = ["unreachable_sqlite_url", "unreachable_rabbitmq_url"]
STORES = ["file_store_url", "mongodb_store_url"]
FILE_STORES = [*STORES, "s3_store_url"]
PLACES_OF_STORES = [" and ".join(places) for places in product(STORES, FILE_STORES)]
"""Where the upload records are and where the files."""
SIMULATED = "simulated"
ADAPTERS = {
    "broker_url": BROKERS,
    "store_url": STORES,
    "file_url": FILE_STORES,
    "stores_urls": PLACES_OF_STORES,
}
"""By the fixture that tests ask for, the adapters over which they run."""
UNREACHABLE_STORES = ["unreachable_file_url", "unreachable_mongodb_url"]
UNREACHABLE_FILES = [*UNREACHABLE_STORES, "unreachable_s3_url"]
UNREACHABLE_DATABASES = ["unreachable_sqlite_url", "unreachable_mysql_url"]
IMPATIENT_DATABASES: Mapping[str, Callable[[str], Database]] = {
    "sqlite": lambda url: Database(SqliteDialect(url, busy_seconds=0.05)),
    "mysql": lambda url: open_database(f"{url}?lock_seconds=1"),
}
MAILBOXES = ["maildir", "smtp"]
UNREACHABLE_MAILBOXES = ["unreachable_maildir_url", "unreachable_smtp_url"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            # The first test that needs a server pays for its start, which a busy machine draws out.
            item.add_marker(pytest.mark.timeout(300))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, adapters in ADAPTERS.items():
        if name in metafunc.fixturenames:
            simulated = [] if name in asked_for(metafunc.definition) else [SIMULATED]
            metafunc.parametrize(name, [*adapters, *simulated], indirect=True, ids=str)


def asked_for(test: pytest.Function) -> set[str]:
    """The fixtures that the test itself names, or its module.

    One that names a URL needs more than the port: a further connection, a process or the raw data.
    """
    marks = test.iter_markers("usefixtures")
    return {*signature(test.function).parameters, *chain.from_iterable(it.args for it in marks)}


def url_of(request: pytest.FixtureRequest) -> str:
    """That of the adapter which is the parameter; what is simulated is reached by none."""
    name: str = request.param
    return name if name == SIMULATED else str(request.getfixturevalue(name))


@pytest.fixture
def broker_url(request: pytest.FixtureRequest) -> str:
    return url_of(request)


@pytest.fixture
def broker(broker_url: str) -> Iterator[Broker]:
    simulated = broker_url == SIMULATED
    with closing(simulated_broker() if simulated else open_broker(broker_url)) as broker:
        yield broker


@pytest.fixture(params=UNREACHABLE_BROKERS)
def unreachable_broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with closing(open_broker(request.getfixturevalue(request.param))) as broker:
        yield broker


@pytest.fixture
def store_url(request: pytest.FixtureRequest) -> str:
    return url_of(request)


@pytest.fixture
def store(store_url: str) -> Iterator[UploadStore]:
    simulated = store_url == SIMULATED
    store = simulated_stores().uploads if simulated else open_upload_store(store_url)
    with closing(store):
        yield store


@pytest.fixture
def file_url(request: pytest.FixtureRequest) -> str:
    """Where files may be, if not with the records."""
    return url_of(request)


@pytest.fixture
def files(file_url: str) -> Iterator[FileStore]:
    simulated = file_url == SIMULATED
    files = simulated_stores().files if simulated else open_file_store(file_url)
    with closing(files):
        yield files


@pytest.fixture
def stores_urls(request: pytest.FixtureRequest) -> tuple[str, str]:
    records, _, files = str(request.param).partition(" and ")
    if records == SIMULATED:
        return SIMULATED, SIMULATED
    return request.getfixturevalue(records), request.getfixturevalue(files)


@pytest.fixture
def stores(stores_urls: tuple[str, str]) -> Iterator[Stores]:
    records, files = stores_urls
    simulated = records == SIMULATED
    with closing(simulated_stores() if simulated else open_stores(records, files)) as stores:
        yield stores


@pytest.fixture(params=UNREACHABLE_STORES)
def unreachable_store(request: pytest.FixtureRequest) -> Iterator[UploadStore]:
    with closing(open_upload_store(request.getfixturevalue(request.param))) as store:
        yield store


@pytest.fixture(params=UNREACHABLE_FILES)
def unreachable_files(request: pytest.FixtureRequest) -> Iterator[FileStore]:
    with closing(open_file_store(request.getfixturevalue(request.param))) as files:
        yield files


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_database(database_url)) as database:
        yield database


@pytest.fixture
def impatient_database(database_url: str) -> Iterator[Database]:
    """A further connection to `database` that waits for locks only briefly."""
    with closing(IMPATIENT_DATABASES[urlsplit(database_url).scheme](database_url)) as database:
        yield database


@pytest.fixture(params=UNREACHABLE_DATABASES)
def unreachable_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with closing(open_database(request.getfixturevalue(request.param))) as database:
        yield database


@pytest.fixture(params=MAILBOXES)
def mailbox_and_url(request: pytest.FixtureRequest) -> tuple[Received, str]:
    """What has arrived, and the mailer's URL."""
    found: tuple[Received, str] = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=UNREACHABLE_MAILBOXES)
def unreachable_mail_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def sqlite_broker_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/broker.db"


@pytest.fixture(scope="session")
def rabbitmq_server_url(run_directory: Path) -> str:
    """The URL of a virtual host: MUSTER_TEST_AMQP_URL, or that of a server of our own."""
    return server_url("amqp", run_directory)


@pytest.fixture
def rabbitmq_broker_url(rabbitmq_server_url: str) -> Iterator[str]:
    with own_names(rabbitmq_server_url) as url:
        # A busy node may take longer than the default.
        yield f"{url}&deadline_seconds=60"


@pytest.fixture(scope="session")
def rabbitmq_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def rabbitmq_node(
    tmp_path_factory: pytest.TempPathFactory, rabbitmq_authority: Authority
) -> Iterator[RabbitServer]:
    """A node that a test may kill, pause or fill, if it leaves it running."""
    require_rabbitmq()
    certificate = rabbitmq_authority.server_file("127.0.0.1")
    with RabbitServer(tmp_path_factory.mktemp("rabbitmq"), certificate) as server:
        yield server


@pytest.fixture(scope="session")
def mysql_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaServer]:
    """A server that a test may kill, pause or set, if it leaves it as it was.

    Without TLS, so that a proxy can read along.
    """
    require_mariadb()
    with MariaServer(tmp_path_factory.mktemp("mariadb"), "--skip-ssl") as server:
        yield server


@pytest.fixture
def file_store_url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/store"


@pytest.fixture(scope="session")
def mongodb_server_url(run_directory: Path) -> str:
    """A server's URL without a database: MUSTER_TEST_MONGODB_URL, or one of our own."""
    return server_url("mongodb", run_directory)


@pytest.fixture(scope="session")
def mongodb_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """A server that a test may kill or pause, if it leaves it running."""
    require_mongodb()
    with MongoServer(tmp_path_factory.mktemp("mongodb")) as server:
        yield server


@pytest.fixture
def mongodb_store_url(mongodb_server_url: str) -> Iterator[str]:
    with new_store(mongodb_server_url) as url:
        yield url


@pytest.fixture(scope="session")
def s3_server_url(run_directory: Path) -> str:
    """A server's URL without a bucket: MUSTER_TEST_S3_URL, or one of our own."""
    return server_url("s3", run_directory)


@pytest.fixture(scope="session")
def s3_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server that a test may kill or pause, if it leaves it running."""
    require_s3()
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_store_url(s3_server_url: str) -> Iterator[str]:
    with new_bucket(s3_server_url) as url:
        yield url


@pytest.fixture
def maildir(tmp_path: Path) -> tuple[Received, str]:
    def received() -> list[EmailMessage]:
        # A reader sees what is in new/ and cur/, and never looks into tmp/.
        folder = mailbox.Maildir(tmp_path / "mail")
        return [
            message_from_bytes(folder.get_bytes(key), EmailMessage, policy=policy.default)
            for key in folder.keys()  # noqa: SIM118 - a mailbox iterates over its messages
        ]

    return received, f"maildir://{tmp_path}/mail"


@pytest.fixture
def smtp() -> Iterator[tuple[Received, str]]:
    sink = Sink()
    with sink.serving() as port:
        yield sink.received, f"smtp://127.0.0.1:{port}"


@pytest.fixture
def a_file(tmp_path: Path) -> Path:
    path = tmp_path / "not-a-directory"
    path.touch()
    return path


@pytest.fixture
def unreachable_sqlite_url(a_file: Path) -> str:
    return f"sqlite:///{a_file}/some.db"


@pytest.fixture
def unreachable_file_url(a_file: Path) -> str:
    return f"file://{a_file}/store"


@pytest.fixture
def unreachable_rabbitmq_url(refusing_port: int) -> str:
    return f"amqp://guest:guest@127.0.0.1:{refusing_port}/%2F"


@pytest.fixture
def unreachable_mongodb_url() -> str:
    return "mongodb://127.0.0.1:1/muster?serverSelectionTimeoutMS=200"


@pytest.fixture
def unreachable_s3_url(refusing_port: int) -> str:
    return s3_url_of(f"http://127.0.0.1:{refusing_port}", "bucket")


@pytest.fixture
def unreachable_mysql_url() -> str:
    return "mysql://muster@127.0.0.1:1/service"


@pytest.fixture
def unreachable_maildir_url(a_file: Path) -> str:
    return f"maildir://{a_file}/mail"


@pytest.fixture
def refusing_port() -> Iterator[int]:
    # Bound and not listening: nobody else can take the port, and every connection is refused.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def unreachable_smtp_url(refusing_port: int) -> str:
    return f"smtp://127.0.0.1:{refusing_port}"
