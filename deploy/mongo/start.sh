#!/bin/sh
# The members of a replica set trust each other by a key, which mongod takes from a file that only its
# own user can read.
set -eu
umask 077
printf '%s' "$MONGO_MEMBER_KEY" > /etc/mongod-member.key
chown mongodb /etc/mongod-member.key
unset MONGO_MEMBER_KEY
exec docker-entrypoint.sh mongod --replSet rs0 --keyFile /etc/mongod-member.key --bind_ip_all
