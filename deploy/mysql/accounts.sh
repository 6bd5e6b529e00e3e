#!/bin/bash
# Makes the accounts of the services that use one database, each with no more rights than it needs. May
# be run again at will: it sets the passwords and rights anew, and touches no data. Rights are taken away only
# where there are others than these; until they are granted again, a moment later, the account can't log in.
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
		"SET @revoke = IF($(has_exactly "$name" "$3"), 'DO 0', \"REVOKE ALL PRIVILEGES, GRANT OPTION FROM $name\");"
		"PREPARE revoke_all FROM @revoke;"
		"EXECUTE revoke_all;"
		"GRANT $3 ON \`$database\`.* TO $name;"
	)
}

# has_exactly NAME RIGHTS: an expression, also false where the administrator is not shown what others may do.
has_exactly() {
	local rights=${2//, /,} of="WHERE GRANTEE = \"$1\"" schema=information_schema
	local commas=${rights//[^,]/}
	printf '%s' "(SELECT COALESCE(SUM(wanted) = $((${#commas} + 1)) AND SUM(NOT wanted) = 0, FALSE) FROM (" \
		"SELECT TABLE_SCHEMA = '$database' AND IS_GRANTABLE = 'NO' AND FIND_IN_SET(PRIVILEGE_TYPE, '$rights') > 0" \
		" AS wanted FROM $schema.SCHEMA_PRIVILEGES $of" \
		" UNION ALL SELECT FALSE FROM $schema.USER_PRIVILEGES $of AND PRIVILEGE_TYPE <> 'USAGE'" \
		" UNION ALL SELECT FALSE FROM $schema.TABLE_PRIVILEGES $of" \
		" UNION ALL SELECT FALSE FROM $schema.COLUMN_PRIVILEGES $of) AS rights)"
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
