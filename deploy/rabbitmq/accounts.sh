#!/bin/sh
# Prints the accounts of the services at RabbitMQ, each with no more rights than it needs, as definitions that a node
# imports: at its start (`load_definitions`), or later, which sets the passwords and rights anew and touches no queue:
#
#   sh accounts.sh > definitions.json && rabbitmqctl import_definitions definitions.json
#
#   MUSTER_RABBITMQ_..._PASSWORD   one of each account: AUTH, DBUPLOADER, GATEWAY, NOTIFICATION; KEDA if it scales
#   MUSTER_RABBITMQ_VHOST          the virtual host, if not /
#   MUSTER_ACCOUNT_SUFFIX          what their names end with, for a second set of accounts: docs/rotation.md
#
# The exchange comes with them, because RabbitMQ 4.3 takes no rights to the topics of one that is not there.
# docs/security.md says what each account may do and why.
set -eu

vhost=${MUSTER_RABBITMQ_VHOST:-/}
users='' permissions='' topics=''

# Everything of one consumer: its queue, its dead letters, and what is to be retried.
of() {
	printf '%s' "$1"'(\\.dead|\\.retry\\..+)?'
}

# account NAME PASSWORD CONFIGURE WRITE READ TOPICS-TO-WRITE TOPICS-TO-READ [TAG]
account() {
	if [ -z "$2" ]; then
		echo "The password of $1 is not set." >&2
		exit 1
	fi
	name=$1${MUSTER_ACCOUNT_SUFFIX:-}
	where="\"user\": \"$(quoted "$name")\", \"vhost\": \"$(quoted "$vhost")\""
	users="$users${users:+,
    }{\"name\": \"$(quoted "$name")\", \"password\": \"$(quoted "$2")\", \"tags\": \"${8:-}\"}"
	permissions="$permissions${permissions:+,
    }{$where, \"configure\": \"^($3)\$\", \"write\": \"^($4)\$\", \"read\": \"^($5)\$\"}"
	topics="$topics${topics:+,
    }{$where, \"exchange\": \"muster\", \"write\": \"^($6)\$\", \"read\": \"^($7)\$\"}"
}

quoted() {
	case $1 in
	*[[:cntrl:]]*)
		echo "A control character can't be in a password or the name of a virtual host." >&2
		exit 1
		;;
	esac
	printf '%s' "$1" | sed 's/[\\"]/\\&/g'
}

loads=$(of dbuploader) tells=$(of notification)
# Who binds a queue reads the exchange; who has messages wait or buries them writes to the queue by the default exchange.
# Who looks how long a queue is needs some right to it, from RabbitMQ 4.3.1 on. To write to one is the least: it is for
# binding it, which takes reading the exchange, too.
account gateway "${MUSTER_RABBITMQ_GATEWAY_PASSWORD:-}" '' "muster|$loads|$tells" '' 'upload\\.(accepted|finished)' ''
account auth "${MUSTER_RABBITMQ_AUTH_PASSWORD:-}" '' muster '' 'email\\.requested' ''
account dbuploader "${MUSTER_RABBITMQ_DBUPLOADER_PASSWORD:-}" \
	"muster|$loads" "muster|amq\\\\.default|$loads" "muster|$loads" 'upload\\.finished' 'upload\\.accepted'
account notification "${MUSTER_RABBITMQ_NOTIFICATION_PASSWORD:-}" \
	"$tells" "amq\\\\.default|$tells" "muster|$tells" '' '(upload\\.finished|email\\.requested)'
if [ -n "${MUSTER_RABBITMQ_KEDA_PASSWORD:-}" ]; then
	# It looks at lengths of queues, by the API of the management plugin.
	account keda "$MUSTER_RABBITMQ_KEDA_PASSWORD" '' '' '' '' '' management
fi

cat <<END
{
  "vhosts": [{"name": "$(quoted "$vhost")"}],
  "exchanges": [
    {"name": "muster", "vhost": "$(quoted "$vhost")", "type": "topic", "durable": true, "auto_delete": false,
     "internal": false, "arguments": {}}
  ],
  "users": [
    $users
  ],
  "permissions": [
    $permissions
  ],
  "topic_permissions": [
    $topics
  ]
}
END
