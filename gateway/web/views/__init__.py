"""The pages, a file per subject: a view reads the request, makes one call, fills a template."""

from gateway.web.views import (
    access_keys,
    account,
    audit,
    emails,
    links,
    login,
    questions,
    tables,
    templates,
    uploads,
    users,
    webhooks,
)

SUBJECTS = (
    *(login, links, uploads, templates, tables, questions),
    *(users, audit, account, access_keys, webhooks, emails),
)
