"""Something that looks like Citus to our code: no package of it can be had where the tests run."""

#: What of Citus the command knows, noting each call.
FAKE = (
    """
    CREATE TEMPORARY TABLE pg_dist_partition (
        logicalrelid regclass, partmethod "char", partkey text, colocationid integer, repmodel "char")
    """,
    "CREATE TEMPORARY TABLE calls (number bigserial, call text)",
    """
    CREATE FUNCTION create_distributed_table(
        table_name regclass, distribution_column text, distribution_type text DEFAULT 'hash',
        colocate_with text DEFAULT 'default'
    ) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        IF colocate_with <> 'none' AND NOT EXISTS (
            SELECT FROM pg_dist_partition p WHERE p.logicalrelid = colocate_with::regclass AND p.partmethod = 'h'
        ) THEN
            RAISE EXCEPTION 'relation % is not distributed', colocate_with;
        END IF;
        INSERT INTO calls (call) VALUES ('distribute ' || table_name || ' by ' || distribution_column);
        INSERT INTO pg_dist_partition VALUES (table_name, 'h', distribution_column, 1, 's');
    END $$
    """,
    """
    CREATE FUNCTION create_reference_table(table_name regclass) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO calls (call) VALUES ('copy ' || table_name);
        INSERT INTO pg_dist_partition VALUES (table_name, 'n', NULL, 2, 't');
    END $$
    """,
    """
    CREATE FUNCTION truncate_local_data_after_distributing_table(table_name regclass)
    RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO calls (call) VALUES ('clear ' || table_name);
        EXECUTE 'TRUNCATE ' || table_name;
    END $$
    """,
    # Workers that answer, except those whose name says so.
    """
    CREATE TEMPORARY TABLE pg_dist_node (groupid integer, nodename text, nodeport integer, isactive boolean)
    """,
    """
    CREATE FUNCTION citus_check_connection_to_node(nodename text, nodeport integer) RETURNS boolean
    LANGUAGE sql AS $$ SELECT nodename NOT LIKE 'dead%' $$
    """,
)


def add_nodes(*names: str) -> tuple[str, ...]:
    """Return the statements that make a coordinator and workers of these names known."""
    nodes = [(0, "coordinator"), *((number, name) for number, name in enumerate(names, start=1))]
    return tuple(f"INSERT INTO pg_dist_node VALUES ({number}, '{name}', 5432, true)" for number, name in nodes)
