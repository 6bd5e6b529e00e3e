"""The notification service: tells the uploader once an upload is final.

`consumer` takes a message, `notifier` decides what to tell and records it, a folder of `channels`
delivers it. Modules here may import `channels`; a channel imports `wording` and the mail port only.
"""
