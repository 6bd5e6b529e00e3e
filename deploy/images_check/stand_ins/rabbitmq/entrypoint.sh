#!/bin/sh
# What the image rabbitmq:4.3-management does at a start, as far as docker-compose.yml uses it.
set -eu
cat >/etc/rabbitmq/rabbitmq.conf <<CONF
default_user = $RABBITMQ_DEFAULT_USER
default_pass = $RABBITMQ_DEFAULT_PASS
loopback_users = none
log.console = true
log.file = false
CONF
chown rabbitmq: /etc/rabbitmq/rabbitmq.conf /var/lib/rabbitmq
export HOME=/var/lib/rabbitmq
exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups /usr/lib/rabbitmq/bin/rabbitmq-server
