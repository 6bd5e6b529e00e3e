"""The commands in an email: safe to paste into a shell, whatever the upload is called.

The token is in the variable TOKEN, which the command of `login` sets.
"""

import re
import shlex
from typing import Any
from urllib.parse import quote, urlencode

from muster.contracts.uploads import Options, Upload

_AUTHORIZATION = '-H "Authorization: Bearer $TOKEN"'
_PLAIN_NAME = re.compile(r"\w[\w .-]{0,99}")


def login(public_url: str, upload: Upload) -> str:
    """Log in as the uploader; curl asks for the password."""
    user, url = shlex.quote(upload.submitted_by), shlex.quote(f"{public_url}/v1/login")
    return f"TOKEN=$(curl -fsS -X POST -u {user} \\\n-H 'Accept: text/plain' {url})"


def fetch_rejects(public_url: str, upload: Upload) -> str:
    """Write the rejected rows to a file of this directory."""
    url = shlex.quote(f"{public_url}/v1/uploads/{upload.id}/rejects")
    return _lines(f"curl -fsS {_AUTHORIZATION}", f"-o {_rejects_file(upload)}", url)


def send_rejects(public_url: str, upload: Upload) -> str:
    """Upload the corrected file of rejected rows."""
    # The corrected file is written in another way; only options about its cells still apply.
    said = {
        option: value
        for option in ("mode", "dates")
        if (value := getattr(upload.options, option)) != getattr(Options, option)
    }
    return _send(public_url, _rejects_file(upload), {"table": upload.table, **said})


def send_file(public_url: str, upload: Upload) -> str:
    """Upload the file as a whole, with the options it came with, and not as a dry run."""
    # A name that curl or a shell might take for something else never gets into a command.
    plain = _PLAIN_NAME.fullmatch(upload.filename)
    name = upload.filename if plain else f"{upload.table}.csv"
    options = {
        option: value
        for option, value in vars(upload.options).items()
        if option != "dry_run" and value != getattr(Options, option)
    }
    return _send(public_url, shlex.quote(name), {"table": upload.table, **options})


def undo(public_url: str, upload: Upload) -> str:
    """Undo the upload that this undo is of, as far as it can be."""
    url = shlex.quote(f"{public_url}/v1/uploads/{quote(upload.undoes or '', safe='')}/undo")
    return _lines(f"curl --fail-with-body -sS -X POST {_AUTHORIZATION}", url)


def _send(public_url: str, file: str, parameters: dict[str, Any]) -> str:
    url = shlex.quote(f"{public_url}/v1/uploads?{urlencode(parameters)}")
    return _lines(f"curl --fail-with-body -sS {_AUTHORIZATION}", f"-F file=@{file}", url)


def _rejects_file(upload: Upload) -> str:
    return shlex.quote(f"{upload.table}.rejects.csv")


def _lines(*parts: str) -> str:
    # Not indented: where a narrow screen wraps an address, that would show as an empty line.
    return " \\\n".join(parts)
