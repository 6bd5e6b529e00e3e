"""The notification service: emails the uploader once an upload is final."""
