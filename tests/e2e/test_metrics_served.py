"""Each process serves the metrics that the page says, and no others of our own."""

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from embedded.suite_process import SuiteProcess
from tests.e2e.faults import PROCESSES
from tests.e2e.test_idle import health_url
from tests.unit.docs.metricspage import family_of, rows


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_serves_what_the_page_says(suite: SuiteProcess, process: str) -> None:
    url = health_url(suite, process).replace("/readyz", "/metrics")
    families = text_string_to_metric_families(requests.get(url, timeout=120).text)
    served = {
        family.name: family.type
        for family in families
        if family.name.startswith("muster_") and not family.name.endswith("_created")
    }
    assert served == {
        family_of(row.name, row.kind): row.kind
        for row in rows()
        if process in row.served_by or row.served_by == ("all",)
    }
