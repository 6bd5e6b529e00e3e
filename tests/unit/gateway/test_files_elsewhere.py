"""Files may be elsewhere than the upload records, by MUSTER_FILE_STORE_URL."""

from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.settings import Settings
from gateway.uploads.kept_file import MOST_IN_RECORD
from muster.http.tokens import authenticate_with
from tests.adapters import closed_adapters
from tests.unit.gateway.fakes import ANA, CSV, WordTokens


def test_an_accepted_file_goes_where_files_are_and_its_record_to_the_records(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = settings.model_copy(
        update={
            "file_store_url": f"file://{tmp_path}/elsewhere",
            "broker_url": f"sqlite:///{tmp_path}/broker.db",
        }
    )
    content = b"1,Baker\n" * MOST_IN_RECORD
    with closed_adapters(monkeypatch, "gateway.app", "open_stores", "open_broker"):
        app = create_app(elsewhere)
        authenticate_with(app, WordTokens().verify)
        client = app.test_client()
        answer = client.post("/v1/uploads?filename=jobs.csv", data=content, headers={**ANA, **CSV})
        assert answer.status_code == 202
        upload_id = answer.get_json()["id"]
        assert [path.name for path in (tmp_path / "elsewhere/files").glob("*/*")] == [upload_id]
        assert [path.name for path in (tmp_path / "store").iterdir() if path.is_dir()] == []
        with client.get(f"/v1/uploads/{upload_id}/file", headers=ANA) as sent_back:
            assert sent_back.data == content
