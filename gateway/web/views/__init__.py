"""The pages, a file per subject: a view reads the request, makes one call, fills a template."""

from gateway.web.views import account, login, questions, tables, templates, uploads, users

SUBJECTS = (login, uploads, templates, tables, questions, users, account)
