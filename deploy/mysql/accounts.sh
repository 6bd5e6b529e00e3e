#!/bin/bash
# Makes the accounts of the services that use one database, each with no more rights than it needs. May
# be run again at will: it sets the passwords and rights anew, and touches no data.
#
# Either in /docker-entrypoint-initdb.d of the image mysql:9.7, or by an operator, with the client mysql
# or mariadb, against the server at MYSQL_HOST and MYSQL_TCP_PORT:
#
#   MYSQL_DATABASE         auth, employment or notification
#   MYSQL_ROOT_PASSWORD    the administrator's; when unset, the client's own option files say
#   MYSQL_ADMIN_USER       the administrator, if not root
#   MUSTER_..._PASSWORD    one of each account, see below

# A subshell: the image's entrypoint sources this file if it is not executable.
make_accounts() (
	set -euo pipefail
	database=${MYSQL_DATABASE:?is auth, employment or notification}
	case $database in
	auth)
		migrations auth_migrations MUSTER_AUTH_MIGRATIONS_PASSWORD
		account auth MUSTER_AUTH_PASSWORD "SELECT, INSERT, UPDATE, DELETE"
		;;
	employment)
		migrations dbuploader_migrations MUSTER_DBUPLOADER_MIGRATIONS_PASSWORD
		account dbuploader MUSTER_DBUPLOADER_PASSWORD "SELECT, INSERT, UPDATE, DELETE"
		account queries MUSTER_QUERIES_PASSWORD "SELECT"
		;;
	notification)
		migrations notification_migrations MUSTER_NOTIFICATION_MIGRATIONS_PASSWORD
		account notification MUSTER_NOTIFICATION_PASSWORD "SELECT, INSERT, UPDATE, DELETE"
		;;
	*)
		echo "MYSQL_DATABASE is $database, and should be auth, employment or notification." >&2
		exit 1
		;;
	esac
	{
		# Else a backslash in a password would be taken as it is.
		echo "SET SESSION sql_mode = 'TRADITIONAL';"
		echo "CREATE DATABASE IF NOT EXISTS \`$database\`;"
		echo "ALTER DATABASE \`$database\` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
		printf '%s\n' "${statements[@]}"
	} | administer
)

migrations() {
	account "$1" "$2" "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES"
}

# account NAME VARIABLE RIGHTS
account() {
	local name="'$1'@'%'" password=${!2:-}
	if [ -z "$password" ]; then
		echo "$2 is not set." >&2
		exit 1
	fi
	password=$(quoted "$password")
	statements+=(
		"CREATE USER IF NOT EXISTS $name IDENTIFIED BY $password;"
		"ALTER USER $name IDENTIFIED BY $password;"
		"REVOKE ALL PRIVILEGES, GRANT OPTION FROM $name;"
		"GRANT $3 ON \`$database\`.* TO $name;"
	)
}

quoted() {
	local backslash='\' quote="'" text=$1
	text=${text//"$backslash"/"$backslash$backslash"}
	printf "'%s'" "${text//"$quote"/"$quote$quote"}"
}

# The statements come by standard input and the password by the environment: `ps` shows neither.
administer() {
	local client
	client=$(command -v mariadb || command -v mysql)
	if [ -n "${MYSQL_ROOT_PASSWORD:-}" ]; then
		export MYSQL_PWD=$MYSQL_ROOT_PASSWORD
	fi
	"$client" --user="${MYSQL_ADMIN_USER:-root}" --default-character-set=utf8mb4
}

make_accounts
