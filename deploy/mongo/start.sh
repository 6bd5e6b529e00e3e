#!/bin/sh
# The members of a replica set trust each other by a key, which mongod takes from a file that only its
# own user can read. Compose starts this as root, Kubernetes as that user.
set -eu
umask 077
key=/data/configdb/member.key
printf '%s' "$MONGO_MEMBER_KEY" > "$key"
[ "$(id -u)" -ne 0 ] || chown mongodb "$key"
unset MONGO_MEMBER_KEY
exec docker-entrypoint.sh mongod --replSet rs0 --keyFile "$key" --bind_ip_all
