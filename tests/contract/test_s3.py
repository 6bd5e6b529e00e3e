"""What the file store leaves in a bucket of S3, and what it makes of what it finds there."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.uploads.sweep import sweep
from muster.filestore import FileNotStored, FileStore, open_file_store, s3
from muster.stores import Stores, open_stores
from muster.weather import FileDamaged, StoreUnavailable
from tests.contract.records import an_upload
from tests.servers.cutting import AnswerCutter
from tests.servers.rewriting import AnswerRewriter, StatementRewriter
from tests.servers.s3 import KEY, READER, SECRET, client_of, url_of
from tests.waiting import eventually

PART = 5 * 1024**2
LARGE = bytes(range(256)) * 4096 * 11  # two parts and a bit


@pytest.fixture
def files(s3_store_url: str) -> Iterator[FileStore]:
    with closing(open_file_store(s3_store_url)) as files:
        yield files


@pytest.fixture
def stores(s3_store_url: str, file_store_url: str) -> Iterator[Stores]:
    with closing(open_stores(file_store_url, s3_store_url)) as stores:
        yield stores


@pytest.fixture
def bucket(s3_store_url: str) -> str:
    return urlsplit(s3_store_url).hostname or ""


@pytest.fixture
def client(s3_store_url: str) -> Iterator[Any]:
    """AWS's own library at the same server."""
    with closing(client_of(s3_store_url)) as client:
        yield client


@pytest.fixture
def port(s3_store_url: str) -> int:
    return int(s3_store_url.rpartition(":")[2])


def write(files: FileStore, name: str, content: bytes) -> None:
    with files.write(name) as file:
        file.write(content)


def read(files: FileStore, name: str) -> bytes:
    with files.open(name) as file:
        return file.read()


def names(files: FileStore) -> set[str]:
    return {*files.names(older_than=-1)}


@pytest.mark.parametrize("content", [b"", b"1,a\n", b"x" * PART, LARGE], ids=len)
def test_other_tools_read_the_file_and_write_one(
    files: FileStore, client: Any, bucket: str, content: bytes
) -> None:
    write(files, "u-1", content)
    assert client.get_object(Bucket=bucket, Key="u-1")["Body"].read() == content
    client.put_object(Bucket=bucket, Key="u-2", Body=content)
    assert read(files, "u-2") == content


def test_files_stay_below_their_prefix(s3_store_url: str, client: Any, bucket: str) -> None:
    for key in ("files/a/u-3", "files/", "other/u-4", "filesystem"):
        client.put_object(Bucket=bucket, Key=key, Body=b"")
    below = s3_store_url.replace("?", "/files?")
    with closing(open_file_store(below)) as files:
        write(files, "u-1", LARGE)
        write(files, "u-2", b"text")
        assert names(files) == {"u-1", "u-2"}
        files.delete("u-1")
        files.check()
        assert names(files) == {"u-2"}
    with closing(open_file_store(s3_store_url)) as beside:
        assert names(beside) == {"filesystem"}
    assert client.get_object(Bucket=bucket, Key="files/u-2")["Body"].read() == b"text"


def test_a_check_leaves_nothing(files: FileStore, client: Any, bucket: str) -> None:
    files.check()
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_names_come_in_pages(
    files: FileStore, client: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_PAGE", 2)
    written = {f"u-{number}" for number in range(5)}
    for name in written:
        write(files, name, b"")
    begun = {
        f".u-{number}/{client.create_multipart_upload(Bucket=bucket, Key=name)['UploadId']}.part"
        for number, name in enumerate(f"u-{number}" for number in range(5))
    }
    assert names(files) == written | begun
    for name in names(files):
        files.delete(name)
    assert names(files) == set()


def test_an_upload_whose_last_part_is_young_is_no_remains(
    files: FileStore, client: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_PAGE", 1)
    upload_id = client.create_multipart_upload(Bucket=bucket, Key="u-1")["UploadId"]
    named = {"Bucket": bucket, "Key": "u-1", "UploadId": upload_id}
    client.upload_part(**named, PartNumber=1, Body=b"x" * PART)
    remains = f".u-1/{upload_id}.part"
    eventually(lambda: [*files.names(older_than=3)] == [remains], pause=1)

    def are_told_after_another_part() -> bool:
        client.upload_part(**named, PartNumber=2, Body=b"rest")
        return [*files.names(older_than=3)] != []

    # On a slow machine that part is old, too, by the time.
    eventually(lambda: not are_told_after_another_part())
    assert [*files.names(older_than=-1)] == [remains]


def test_what_has_become_the_file_meanwhile_is_not_taken_for_remains(files: FileStore) -> None:
    with files.write("u-1") as file:
        file.write(LARGE)
        [remains] = files.names(older_than=-1)
    files.delete(remains)
    assert read(files, "u-1") == LARGE


def test_a_file_that_was_swept_while_it_was_written_is_not_stored(stores: Stores) -> None:
    def write_while_it_is_swept() -> None:
        with stores.files.write("u-1") as file:
            file.write(LARGE)
            eventually(lambda: sweep(stores, older_than=-1) == 1)
            file.write(LARGE)

    with pytest.raises(StoreUnavailable):
        write_while_it_is_swept()
    with pytest.raises(FileNotStored):
        stores.files.open("u-1")
    assert sweep(stores, older_than=-1) == 0


def test_a_file_with_a_record_is_not_swept_and_what_its_second_writer_left_is(
    stores: Stores, client: Any, bucket: str
) -> None:
    stores.uploads.accept(an_upload())
    write(stores.files, "u-1", b"text")
    client.create_multipart_upload(Bucket=bucket, Key="u-1")
    assert sweep(stores, older_than=3600) == 0
    assert sweep(stores, older_than=-1) == 1
    assert read(stores.files, "u-1") == b"text"


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_file_changed_under_its_reader_is_never_mixed_with_another(
    files: FileStore, change: str
) -> None:
    write(files, "u-1", LARGE)
    with files.open("u-1") as file:
        assert file.read(10) == LARGE[:10]
        if change == "replaced":
            write(files, "u-1", b"x" * len(LARGE))
        else:
            files.delete("u-1")
        with pytest.raises(StoreUnavailable, match="removed or replaced"):
            file.read()


def test_of_a_large_file_any_place_can_be_read(files: FileStore) -> None:
    write(files, "u-1", LARGE)
    with files.open("u-1") as file:
        assert file.seek(0, 2) == len(LARGE)
        assert file.read() == b""
        for place in (PART - 2, 0, 2 * PART, PART, len(LARGE) - 3, len(LARGE) + 5):
            file.seek(place)
            assert file.read(4) == LARGE[place : place + 4]


def test_bytes_that_are_not_what_was_written_are_damage(
    files: FileStore, port: int, bucket: str
) -> None:
    write(files, "u-1", b"7,ana,2021-01-01T00:00:00Z,1,1\n" * 1000)
    changed = AnswerRewriter(port, b"7,ana,", b"8,ana,")
    with changed, closing(open_file_store(through(changed.port, bucket))) as elsewhere:
        with pytest.raises(FileDamaged, match="u-1"):
            elsewhere.open("u-1")
        changed.is_on = False
        assert read(elsewhere, "u-1") == read(files, "u-1")


def test_bytes_that_the_network_changed_once_are_read_again(
    files: FileStore, port: int, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(files, "u-1", b"1,a\n")
    changed = AnswerRewriter(port, b"1,a\n", b"2,a\n")
    with changed, closing(open_file_store(through(changed.port, bucket))) as elsewhere:
        fetch = s3._StoredFile._fetch

        def fetch_and_repair(file: s3._StoredFile) -> None:
            fetch(file)
            changed.is_on = False

        monkeypatch.setattr(s3._StoredFile, "_fetch", fetch_and_repair)
        assert read(elsewhere, "u-1") == b"1,a\n"


# In the first, the answer to what shows the file.
LAST_CALLS = [(b"text", b"put /"), (LARGE, b"post /")]


@pytest.mark.parametrize(("content", "call"), LAST_CALLS, ids=["of one call", "of parts"])
def test_a_file_whose_last_answer_was_lost_is_stored(
    files: FileStore, port: int, bucket: str, content: bytes, call: bytes
) -> None:
    with (
        AnswerCutter(port) as cutter,
        closing(open_file_store(through(cutter.port, bucket))) as cut,
    ):
        with cut.write("u-1") as file:
            file.write(content)
            cutter.cut_answer_to(call)
        assert read(files, "u-1") == content
    assert names(files) == {"u-1"}


@pytest.mark.parametrize(("content", "call"), LAST_CALLS, ids=["of one call", "of parts"])
def test_nothing_is_left_of_a_file_whose_last_answers_were_lost(
    files: FileStore, port: int, bucket: str, content: bytes, call: bytes
) -> None:
    with (
        AnswerCutter(port) as cutter,
        closing(open_file_store(through(cutter.port, bucket))) as cut,
    ):

        def write_in_vain() -> None:
            with cut.write("u-1") as file:
                file.write(content)
                cutter.cut_answer_to(call, times=2)

        with pytest.raises(StoreUnavailable):
            write_in_vain()
        assert names(files) == set()


def test_bytes_changed_on_the_way_are_refused_and_another_file_of_the_name_stays(
    files: FileStore, port: int, bucket: str
) -> None:
    write(files, "u-1", b"of another")
    changed = StatementRewriter(port, b"of this one", b"of that one")
    with changed, closing(open_file_store(through(changed.port, bucket))) as elsewhere:
        with pytest.raises(StoreUnavailable):
            write(elsewhere, "u-1", b"of this one")
        assert read(elsewhere, "u-1") == b"of another"


def test_nothing_is_left_of_a_large_file_whose_writer_broke(files: FileStore) -> None:
    def break_while_writing() -> None:
        with files.write("u-1") as file:
            file.write(LARGE)
            assert len(names(files)) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_while_writing()
    assert names(files) == set()


@pytest.mark.parametrize("wrong", ["bucket", "secret"])
def test_a_bucket_that_is_not_there_or_not_ours_is_weather(
    s3_store_url: str, bucket: str, wrong: str
) -> None:
    was, becomes = {"bucket": (bucket, "none-such"), "secret": ("%61", "%62")}[wrong]
    with closing(open_file_store(s3_store_url.replace(was, becomes))) as files:
        for call in (
            files.check,
            lambda: write(files, "u-1", b"text"),
            lambda: write(files, "u-1", LARGE),
            lambda: files.open("u-1"),
            lambda: files.delete("u-1"),
            lambda: [*files.names(0)],
        ):
            with pytest.raises(StoreUnavailable) as caught:
                call()
            assert SECRET not in str(caught.value)


def test_a_key_that_may_only_read_is_told_so(files: FileStore, port: int, bucket: str) -> None:
    write(files, "u-1", b"text")
    url = url_of(f"http://127.0.0.1:{port}", bucket, key=READER)
    with closing(open_file_store(url)) as reader:
        assert read(reader, "u-1") == b"text"
        for call in (reader.check, lambda: write(reader, "u-2", b""), lambda: reader.delete("u-1")):
            with pytest.raises(StoreUnavailable, match="AccessDenied"):
                call()
    assert read(files, "u-1") == b"text"


def test_credentials_come_from_the_environment(
    port: int, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    url = f"s3://{bucket}?endpoint=http://127.0.0.1:{port}"
    with closing(open_file_store(url)) as files:
        write(files, "u-1", b"text")
        assert read(files, "u-1") == b"text"


def through(port: int, bucket: str) -> str:
    return url_of(f"http://127.0.0.1:{port}", bucket)
