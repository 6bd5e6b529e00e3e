#!/bin/bash
# What the image mysql:8.4 does at a start, as far as docker-compose.yml uses it.
set -euo pipefail

first_start() {
	mariadb-install-db --user=mysql --skip-test-db --auth-root-authentication-method=normal >/dev/null
	mariadbd --user=mysql --skip-networking &
	until mariadb-admin ping --silent; do sleep 0.2; done
	mariadb <<-SQL
		CREATE DATABASE \`$MYSQL_DATABASE\`;
		ALTER USER root@localhost IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
	SQL
	for script in /docker-entrypoint-initdb.d/*.sh; do
		# shellcheck source=/dev/null
		. "$script"
	done
	kill %1
	wait %1
}

install -d -o mysql -g mysql /run/mysqld
chown mysql /var/lib/mysql
[ -d /var/lib/mysql/mysql ] || first_start
exec mariadbd --user=mysql --bind-address=0.0.0.0 "$@"
