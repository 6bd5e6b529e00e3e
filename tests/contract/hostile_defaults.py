"""Defaults of a server that would change what Muster does, were they not set by each session."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

from sqlalchemy import Connection

from tests.servers.mariadb import MariaServer, administration


class Default(NamedTuple):
    """A value, as SQL has it, for the first of `names` that the server knows."""

    names: tuple[str, ...]
    value: str

    def __str__(self) -> str:
        return f"{self.names[0]}={self.value}"


def default(name: str, value: str) -> Default:
    return Default(tuple(name.split("|")), value)


EVERYWHERE: Sequence[Default] = [
    default("sql_select_limit", "1"),
    default("sql_select_limit", "0"),
    default("max_join_size", "1"),
    default("sql_big_selects", "OFF"),
    default("group_concat_max_len", "4"),
    default("sql_auto_is_null", "ON"),
    default("max_sort_length", "64"),
    default("div_precision_increment", "0"),
    default("default_week_format", "6"),
    default("lc_time_names", "'de_DE'"),
    default("lc_messages", "'de_DE'"),
    default("time_zone", "'+13:00'"),
    default("sql_mode", "''"),
    default("sql_mode", "'ANSI'"),
    default("sql_mode", "'NO_BACKSLASH_ESCAPES'"),
    default("sql_mode", "'PAD_CHAR_TO_FULL_LENGTH'"),
    default("sql_mode", "'TRADITIONAL,HIGH_NOT_PRECEDENCE,NO_UNSIGNED_SUBTRACTION'"),
    default("foreign_key_checks", "OFF"),
    default("unique_checks", "OFF"),
    default("sql_safe_updates", "ON"),
    default("default_storage_engine", "MyISAM"),
    default("default_tmp_storage_engine", "MyISAM"),
    default("innodb_default_row_format", "compact"),
    default("innodb_strict_mode", "OFF"),
    default("innodb_lock_wait_timeout", "1"),
    default("lock_wait_timeout", "1"),
    default("completion_type", "'CHAIN'"),
    default("completion_type", "'RELEASE'"),
    default("autocommit", "OFF"),
    default("tx_isolation|transaction_isolation", "'READ-UNCOMMITTED'"),
    default("tx_isolation|transaction_isolation", "'SERIALIZABLE'"),
    default("tx_read_only|transaction_read_only", "ON"),
    default("max_statement_time|max_execution_time", "1"),
    default("wait_timeout", "1"),
    default("net_read_timeout", "1"),
    default("net_write_timeout", "1"),
    default("max_error_count", "0"),
    default("sql_notes", "OFF"),
    default("sql_warnings", "ON"),
    default("sql_quote_show_create", "OFF"),
    default("sql_buffer_result", "ON"),
    default("character_set_client", "latin1"),
    default("character_set_results", "latin1"),
    default("character_set_connection", "latin1"),
    default("collation_connection", "utf8mb4_general_ci"),
    default("character_set_server", "utf16"),
    default("character_set_filesystem", "utf16"),
    default("big_tables", "ON"),
    default("tmp_table_size", "16384"),
    default("max_heap_table_size", "16384"),
    default("join_buffer_size", "128"),
    default("low_priority_updates", "ON"),
    default("local_infile", "OFF"),
    default("auto_increment_increment", "7"),
    default("auto_increment_offset", "5"),
    default("explicit_defaults_for_timestamp", "OFF"),
    default("updatable_views_with_limit", "NO"),
    default("optimizer_search_depth", "1"),
    default("optimizer_switch", "'derived_merge=off,materialization=off,semijoin=off'"),
    default("eq_range_index_dive_limit", "1"),
    default("session_track_system_variables", "'*'"),
    default("session_track_state_change", "ON"),
    default("session_track_transaction_info", "CHARACTERISTICS"),
    default("innodb_deadlock_detect", "OFF"),
    default("net_buffer_length", "1024"),
    default("init_connect", "'SET sql_mode = \\'\\', sql_select_limit = 1, autocommit = 1'"),
]
ON_MARIADB: Sequence[Default] = [
    *EVERYWHERE,
    default("sql_mode", "'ORACLE'"),
    default("sort_buffer_size", "1024"),
    default("old_mode", "'ZERO_DATE_TIME_CAST,NO_DUP_KEY_WARNINGS_WITH_IGNORE'"),
    default("query_cache_type", "ON"),
    default("check_constraint_checks", "OFF"),
    default("sql_if_exists", "ON"),
    default("alter_algorithm", "INSTANT"),
    default("old_alter_table", "'COPY'"),
    default("in_predicate_conversion_threshold", "2"),
    default("max_session_mem_used", "131072"),
    default("idle_transaction_timeout", "1"),
    default("idle_write_transaction_timeout", "1"),
    default("idle_readonly_transaction_timeout", "1"),
    default("tmp_disk_table_size", "16384"),
    default("max_tmp_session_space_usage", "65536"),
    default("character_set_collations", "'utf8mb4=utf8mb4_general_ci'"),
    default("max_recursive_iterations", "0"),
    default("note_verbosity", "'basic,unusable_keys,explain'"),
    default("innodb_snapshot_isolation", "ON"),
    default("system_versioning_asof", "'2000-01-01 00:00:00'"),
    default("default_regex_flags", "'EXTENDED'"),
    default("expensive_subquery_limit", "0"),
    default("use_stat_tables", "NEVER"),
]
ON_MYSQL: Sequence[Default] = [
    *EVERYWHERE,
    default("sort_buffer_size", "32768"),
    default("show_create_table_verbosity", "ON"),
    default("sql_require_primary_key", "ON"),
    default("sql_generate_invisible_primary_key", "ON"),
    default("windowing_use_high_precision", "OFF"),
    default("cte_max_recursion_depth", "0"),
    default("internal_tmp_mem_storage_engine", "MEMORY"),
    default("default_collation_for_utf8mb4", "utf8mb4_general_ci"),
    default("information_schema_stats_expiry", "0"),
    default("range_optimizer_max_mem_size", "1"),
    default("old_alter_table", "ON"),
    default("binlog_row_image", "minimal"),
    default("print_identified_with_as_hex", "ON"),
    default("session_track_gtids", "ALL_GTIDS"),
    default("restrict_fk_on_non_standard_key", "OFF"),
    default("set_operations_buffer_size", "16384"),
    default("show_gipk_in_create_table_and_information_schema", "OFF"),
    default("transaction_prealloc_size", "1024"),
]


REFUSED: Sequence[Default] = [
    default("max_error_count", "0"),
]
"""What no session can do away with."""
WORST: Sequence[Default] = [
    default("sql_select_limit", "1"),
    default("completion_type", "'CHAIN'"),
    default("tx_read_only|transaction_read_only", "ON"),
    default("max_error_count", "0"),
]


@contextmanager
def hostile(server: MariaServer, defaults: Sequence[Default]) -> Iterator[Sequence[Default]]:
    """Those of `defaults` that the server knows, which it has for connections that begin now."""
    with (
        closing(administration(server.url())) as administrator,
        administrator.engine.connect() as connection,
    ):
        known = _known(connection, defaults)
        try:
            for name, (value, _) in known.items():
                connection.exec_driver_sql(f"SET GLOBAL {name} = {value}")
            yield [each for _, each in known.values()]
        finally:
            for name in known:
                connection.exec_driver_sql(f"SET GLOBAL {name} = DEFAULT")


def _known(
    connection: Connection, defaults: Sequence[Default]
) -> Mapping[str, tuple[str, Default]]:
    shown = {name for name, _ in connection.exec_driver_sql("SHOW GLOBAL VARIABLES")}
    return {name: (each.value, each) for each in defaults for name in each.names if name in shown}
