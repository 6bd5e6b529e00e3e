"""Email: `message` builds it from what `content` and `templates` say, a mailer hands it over.

The mailer is chosen by the scheme of `MUSTER_SMTP_URL`: `smtp` or `maildir`.
"""
