#!/bin/sh
# What the image rabbitmq:4.3-management does at a start, as far as docker-compose.yml and k8s/ use it: the
# node itself reads the variables; started by root, it becomes another user.
set -eu
export HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-
as_user=
if [ "$(id -u)" = 0 ]; then
	chown rabbitmq: "$HOME"
	as_user="setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups"
fi
exec $as_user /usr/lib/rabbitmq/bin/rabbitmq-server
