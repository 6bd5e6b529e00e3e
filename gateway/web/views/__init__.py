"""The pages, by subject: read the request, one call, a page."""

from gateway.web.views import account, questions, sending, signing_in, tables, uploads, users

SUBJECTS = (signing_in, uploads, sending, tables, questions, users, account)
