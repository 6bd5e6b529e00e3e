"""Files given to the first page, as people give them, and what the page says of each."""

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import FilePayload, Locator, Page

CSV = "text/csv"


def csv_file(name: str, content: bytes) -> FilePayload:
    """A file that is nowhere on the disk."""
    return {"name": name, "mimeType": CSV, "buffer": content}


def choose(page: Page, *files: FilePayload) -> None:
    """Choose the files on the first page."""
    page.locator("#files").set_input_files(files)


def chosen(page: Page) -> Locator:
    """The chosen files, each with what became of it."""
    return page.get_by_role("list", name="Files to send").locator("> li")


def send(page: Page) -> None:
    """Press the button."""
    page.get_by_role("button", name="Upload").click()


def drop(page: Page, target: Locator, paths: Sequence[Path]) -> None:
    """Let files fall onto an element, as a file manager does."""
    box = target.bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    files = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **where, "data": files})
    session.detach()


def sent(page: Page) -> Locator:
    """Those of the chosen files that are with the gateway."""
    return page.locator("#chosen [data-step=accepted], #chosen [data-step=final]")


def done(page: Page) -> Locator:
    """Those of the chosen files of which all is told."""
    return page.locator("#chosen [data-step=final]")


def see(page: Page) -> None:
    """Go to the page of the file that was sent."""
    chosen(page).get_by_role("link", name="See the").click()
    page.wait_for_url("/uploads/*")
