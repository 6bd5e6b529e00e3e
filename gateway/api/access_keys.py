"""Access keys: auth makes and revokes them."""

from dataclasses import replace

from flask import Response, g

from gateway.api.openapi import ANY_TOKEN, Api
from gateway.api.requests import KeyPath
from gateway.api.responses import AccessKeys, MadeAccessKey, NewAccessKey
from gateway.proxy.forward import forward
from gateway.services import services

api = Api("keys", __name__, tag="Access keys")


@api.operation("get", "/v1/keys", access=ANY_TOKEN, answers={200: AccessKeys})
def list_keys() -> Response:
    """List my access keys.

    Newest first. What is sent as the token is not among it.
    """
    return forward(services().auth)


@api.operation(
    "post",
    "/v1/keys",
    access=ANY_TOKEN,
    answers={201: MadeAccessKey},
    refusals=(409, 422),
    request_body=api.json_body(NewAccessKey),
    by_key=False,
)
def add_key() -> Response:
    """Make an access key.

    A token for a program. This answer alone shows it: keep it where the program finds it.
    """
    return forward(services().auth, with_body=True)


@api.operation(
    "delete",
    "/v1/keys/<id>",
    access=ANY_TOKEN,
    answers={204: None},
    refusals=(404,),
    by_key=False,
)
def revoke_key(path: KeyPath) -> Response:
    """Revoke an access key.

    It ends here at once, and everywhere within 5 seconds.
    """
    response = forward(services().auth)
    if response.status_code == 204:
        # The tokens of a key have its id.
        services().tokens.end(replace(g.principal, token_id=path.id))
    return response
