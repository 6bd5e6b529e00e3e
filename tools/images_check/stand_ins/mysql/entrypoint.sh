#!/bin/bash
# What the image mysql:9.7 does at a start, as far as docker-compose.yml and k8s/ use it: started by root,
# it becomes another user; else it stays who it is.
set -euo pipefail

as_user=()
if [ "$(id -u)" = 0 ]; then
	as_user=(--user=mysql)
	install -d -o mysql -g mysql /run/mysqld
	chown mysql /var/lib/mysql
fi

first_start() {
	mariadb-install-db "${as_user[@]}" --skip-test-db --auth-root-authentication-method=normal >/dev/null
	mariadbd "${as_user[@]}" --skip-networking &
	until mariadb-admin --user=root ping --silent; do sleep 0.2; done
	mariadb --user=root <<-SQL
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

[ -d /var/lib/mysql/mysql ] || first_start
exec mariadbd "${as_user[@]}" --bind-address=0.0.0.0 "$@"
