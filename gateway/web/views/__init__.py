"""The pages, by subject: read the request, one call, a page."""

from gateway.web.views import account, corrections, login, questions, tables, uploads, users

SUBJECTS = (login, uploads, corrections, tables, questions, users, account)
