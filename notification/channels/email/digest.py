"""What the email about several uploads shows: a sentence and a link of each, and no cell of any."""

from collections.abc import Sequence
from dataclasses import dataclass

from muster.contracts.uploads import Upload
from muster.contracts.wording import sentence
from notification.accounts.choices import needs_attention
from notification.channels.email.content import Tone, account_at, link_to, name_of, tone_of


@dataclass(frozen=True)
class DigestItem:
    """One of the uploads."""

    name: str
    sentence: str
    tone: Tone
    link: str


@dataclass(frozen=True)
class DigestContent:
    """One email: what happened in all, where to go on, and each upload, in groups with a title."""

    subject: str
    tone: Tone
    sentence: str
    about: str
    action: str
    link: str
    groups: list[tuple[str, list[DigestItem]]]
    because: str
    account: str


def digest_of(uploads: Sequence[Upload], public_url: str) -> DigestContent:
    """What the email about final uploads of one user says; those that need the user come first."""
    ordered = sorted(uploads, key=lambda upload: upload.sequence)
    troubled = [upload for upload in ordered if needs_attention(upload)]
    others = [upload for upload in ordered if not needs_attention(upload)]
    groups = {"Needs your attention": troubled, "Finished" if troubled else "": others}
    summary = _summary(len(uploads), len(troubled))
    return DigestContent(
        subject=summary,
        tone="partly" if troubled else "good",
        sentence=f"{summary}.",
        about="What became of each file you sent",
        action="See your uploads",
        link=f"{public_url}/",
        groups=[
            (title, [_item(upload, public_url) for upload in group])
            for title, group in groups.items()
            if group
        ],
        because="you chose one email for all uploads of a minute",
        account=account_at(public_url),
    )


def _summary(uploads: int, troubled: int) -> str:
    needs = "needs" if troubled == 1 else "need"
    attention = f"{troubled:,} {needs}" if troubled else "none of them needs"
    return f"{uploads:,} uploads are finished, and {attention} your attention"


def _item(upload: Upload, public_url: str) -> DigestItem:
    return DigestItem(
        name_of(upload), sentence(upload), tone_of(upload), link_to(upload, public_url)
    )
