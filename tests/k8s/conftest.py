from pathlib import Path

import pytest

from tests.k8s.tree import Tree
from tools.k8s_check.manifests import Manifests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # In one process, so that each kustomization is rendered once.
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("k8s"))


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return Tree(tmp_path_factory.mktemp("k8s"))


@pytest.fixture(scope="session")
def dev(tree: Tree) -> Manifests:
    return tree.rendered("dev")
