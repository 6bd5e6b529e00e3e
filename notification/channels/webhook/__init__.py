"""Webhooks, per https://www.standardwebhooks.com: endpoints of users, and deliveries to them.

The consumer enters a delivery for each endpoint of the uploader (`deliveries`); the process
`notification.webhooks` takes them (`queue`) and sends each (`sender`): what is sent is made then
(`events`), to an address that was checked (`addresses`, `transport`).
"""
