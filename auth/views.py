"""The HTTP API: each view reads the request, makes one call and answers."""

from dataclasses import asdict
from hmac import compare_digest

from flask import Blueprint, Response, g, jsonify, request

from auth.audit import AuditNote, AuditQuery, AuditRequest
from auth.errors import WrongCredentials
from auth.links import LINK_SECONDS
from auth.services import services
from auth.users import (
    AddUserRequest,
    InvitationRequest,
    LinkUse,
    NewKeyRequest,
    OwnChanges,
    PasswordChangeRequest,
    ResetRequest,
    UserChanges,
    timestamp,
)
from muster.http.negotiation import wanted_type
from muster.http.paging import with_next
from muster.http.tokens import bearer_token, requires, unauthorized

blueprint = Blueprint("auth", __name__)


def _address() -> str:
    return request.remote_addr or "unknown"


@blueprint.after_request
def _forbid_storing(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@blueprint.post("/v1/login")
def log_in() -> Response:
    """A token for the user of the HTTP Basic credentials (RFC 7617), in the form of RFC 6750."""
    given = request.authorization
    if given is None or given.type != "basic":
        raise WrongCredentials
    wanted = wanted_type("application/json", "text/plain")
    tokens = services().tokens
    user = services().logins.log_in(given.username or "", given.password or "", _address())
    token = tokens.issue(user)
    if wanted == "text/plain":
        return Response(token, mimetype="text/plain")
    return jsonify(access_token=token, token_type="Bearer", expires_in=tokens.seconds)  # noqa: S106


@blueprint.post("/v1/logout")
@requires(by_key=False)
def log_out() -> tuple[str, int]:
    """End this token."""
    services().accounts.end_token(g.principal)
    return "", 204


@blueprint.get("/v1/me")
@requires()
def show_me() -> Response:
    """The user of the token."""
    return jsonify(services().accounts.get(g.principal.id).to_own_json())


@blueprint.patch("/v1/me")
@requires()
def change_me() -> Response:
    """Change which emails the user of the token gets."""
    changes = OwnChanges.model_validate_json(request.get_data())
    user = services().accounts.choose_emails(g.principal.id, changes.emails)
    return jsonify(user.to_own_json())


@blueprint.post("/v1/me/password")
@requires(by_key=False)
def change_my_password() -> tuple[str, int]:
    """Another password for the user of the token, whose tokens end."""
    change = PasswordChangeRequest.model_validate_json(request.get_data())
    services().logins.change_password(g.principal.id, change, _address())
    return "", 204


@blueprint.get("/v1/users")
@requires("users:admin")
def list_users() -> Response:
    """Every user, by email."""
    return jsonify(users=[user.to_json() for user in services().accounts.all()])


@blueprint.post("/v1/users")
@requires("users:admin", by_key=False)
def add_user() -> tuple[Response, int, dict[str, str]]:
    """Add a user."""
    user = services().accounts.add(AddUserRequest.model_validate_json(request.get_data()))
    return jsonify(user.to_json()), 201, {"Location": f"/v1/users/{user.id}"}


@blueprint.get("/v1/users/<user_id>")
@requires("users:admin")
def show_user(user_id: str) -> Response:
    """One user."""
    return jsonify(services().accounts.get(user_id).to_json())


@blueprint.patch("/v1/users/<user_id>")
@requires("users:admin", by_key=False)
def change_user(user_id: str) -> Response:
    """Change permissions, the password of another user, or whether the user is disabled."""
    changes = UserChanges.model_validate_json(request.get_data())
    return jsonify(services().accounts.change(user_id, changes, by=g.principal.id).to_json())


@blueprint.delete("/v1/users/<user_id>")
@requires("users:admin", by_key=False)
def delete_user(user_id: str) -> tuple[str, int]:
    """Remove a user."""
    services().accounts.delete(user_id)
    return "", 204


@blueprint.get("/v1/keys")
@requires()
def list_keys() -> Response:
    """The access keys of the user of the token."""
    return jsonify(keys=[key.to_json() for key in services().keys.of(g.principal.id)])


@blueprint.post("/v1/keys")
@requires(by_key=False)
def add_key() -> tuple[Response, int]:
    """Make an access key, which this answer alone shows."""
    new = NewKeyRequest.model_validate_json(request.get_data())
    key, secret = services().keys.add(g.principal, new)
    return jsonify({**key.to_json(), "key": secret}), 201


@blueprint.delete("/v1/keys/<key_id>")
@requires(by_key=False)
def revoke_key(key_id: str) -> tuple[str, int]:
    """Revoke an access key of the user of the token."""
    services().keys.revoke(g.principal, key_id)
    return "", 204


@blueprint.post("/v1/password-resets")
def request_reset() -> tuple[Response, int]:
    """Have a link to set a new password sent, if there is such a user, which is not told."""
    wanted = ResetRequest.model_validate_json(request.get_data())
    services().links.request_reset(wanted.email, _address())
    return jsonify({}), 202


@blueprint.put("/v1/password-resets")
def reset_password() -> tuple[str, int]:
    """Set a password by the token of a link."""
    use = LinkUse.model_validate_json(request.get_data())
    services().links.reset_password(use.token, use.password.get_secret_value(), _address())
    return "", 204


@blueprint.post("/v1/invitations")
@requires("users:admin", by_key=False)
def invite() -> tuple[Response, int]:
    """Have an invitation sent."""
    new = InvitationRequest.model_validate_json(request.get_data())
    link = services().links.invite(g.principal, new)
    expires_at = timestamp(link.requested_at + LINK_SECONDS)
    return jsonify(
        email=link.email, permissions=sorted(link.permissions), expires_at=expires_at
    ), 202


@blueprint.put("/v1/invitations")
def accept_invitation() -> tuple[Response, int]:
    """Become a user by the token of an invitation."""
    use = LinkUse.model_validate_json(request.get_data())
    password = use.password.get_secret_value()
    user = services().links.accept_invitation(use.token, password, _address())
    return jsonify(user.to_json()), 201


@blueprint.get("/v1/audit")
@requires("users:admin")
def list_audit() -> Response:
    """The audit log, newest first."""
    asked = AuditRequest.model_validate(request.args.to_dict())
    query = AuditQuery(asked.action, asked.user, asked.cursor, asked.limit)
    entries, following = services().audit.list(query)
    shown = [entry.to_json() for entry in entries]
    cursor = None if following is None else str(following)
    return with_next(jsonify(entries=shown, next=cursor), cursor)


@blueprint.post("/internal/audit")
@requires()
def note() -> tuple[str, int]:
    """Note in the audit log what the gateway is about to do for the user of the token."""
    noted = AuditNote.model_validate_json(request.get_data())
    services().audit.note(g.principal, noted.action, noted.subject)
    return "", 204


@blueprint.post("/internal/emails/<link_id>")
def make_email(link_id: str) -> Response:
    """An email with a one-time link, for notification, which shows the secret of both.

    Unlike the revocations it is not open: what it answers takes an account over.
    """
    secret = services().settings.email_secret
    given = bearer_token().encode()
    if secret is None or not compare_digest(secret.get_secret_value().encode(), given):
        raise unauthorized("This needs the secret of auth and notification.")
    return jsonify(asdict(services().links.make_email(link_id)))


@blueprint.get("/internal/key-token")
def exchange_key() -> Response:
    """A token for the access key that is sent as the bearer token; for the gateway.

    The key itself proves who asks, and the gateway has it from whoever that is. A GET, because it
    may be sent again where a connection broke.
    """
    return jsonify(access_token=services().keys.exchange(bearer_token(), _address()))


@blueprint.get("/.well-known/jwks.json")
def show_keys() -> Response:
    """The public keys that tokens are checked with, as a JWK Set (RFC 7517)."""
    response = jsonify(keys=[key.jwk for key in services().signing_keys])
    response.headers["Cache-Control"] = "max-age=300"
    return response


@blueprint.get("/v1/revocations")
def list_revocations() -> Response:
    """Whose tokens ended, by user id, and which single ones; for the services that check tokens.

    Open, as the keys are: it tells random ids only, and asking for a token here would need an
    account for each service.
    """
    users, tokens = services().accounts.revocations()
    return jsonify(revocations=users, tokens=tokens)


@blueprint.get("/v1/email-choices/<user_id>")
def show_email_choice(user_id: str) -> Response:
    """Which emails a user wants, for the service that sends them; open, as the revocations are.

    It answers for any id, and thus tells nobody whether there is such a user.
    """
    return jsonify(emails=services().accounts.emails_of(user_id))
