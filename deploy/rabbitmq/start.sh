#!/bin/sh
# The node imports the accounts at each start, from a file that only its own user can read. Compose starts this as
# root, Kubernetes as that user.
set -eu
umask 077
definitions=/tmp/definitions.json
sh /deploy/accounts.sh > "$definitions"
[ "$(id -u)" -ne 0 ] || chown rabbitmq "$definitions"
unset MUSTER_RABBITMQ_AUTH_PASSWORD MUSTER_RABBITMQ_DBUPLOADER_PASSWORD MUSTER_RABBITMQ_GATEWAY_PASSWORD \
	MUSTER_RABBITMQ_KEDA_PASSWORD MUSTER_RABBITMQ_NOTIFICATION_PASSWORD
exec docker-entrypoint.sh rabbitmq-server
