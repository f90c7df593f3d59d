"""Pieces of code for JavaScript, Java, Go and Ruby."""

from __future__ import annotations

from urllib.parse import quote

from poolkeeper.domain.connection_formats import CA_FILE, SSLMODE, write_uri
from poolkeeper.domain.connections import Connection
from poolkeeper.domain.pools import PoolMode
from poolkeeper.panel.snippet_parts import (
    Snippet,
    choose_notes,
    quote_password,
    quote_text,
    quote_user,
)


def write_node(connection: Connection, mode: PoolMode | None) -> Snippet:
    code = f"""import {{ readFileSync }} from "node:fs";
import pg from "pg";

const pool = new pg.Pool({{
  host: {quote_text(connection.host)},
  port: {connection.port},
  database: {quote_text(connection.database)},
  user: {quote_user(connection)},
  password: {quote_password(connection)},
  ssl: {{ ca: readFileSync("{CA_FILE}", "utf8") }},
}});
console.log((await pool.query("select current_user, current_database()")).rows[0]);
await pool.end();
"""
    notes = choose_notes(
        mode,
        transaction=(
            "Queries with a name are prepared; they work as they are.",
            "A transaction has to be sent by one client: pool.connect(), not pool.query().",
        ),
        session=("Each connection of pg.Pool holds a backend: choose its max accordingly.",),
        statement=("client.query('BEGIN') is refused.",),
    )
    return Snippet("node-postgres", "node-postgres", code, notes)


def write_prisma(connection: Connection, mode: PoolMode | None) -> Snippet:
    uri = write_uri(connection, query=False)
    query = f"sslmode=require&sslaccept=strict&sslcert={CA_FILE}"
    direct = '\n#   directUrl = env("DIRECT_URL")   # the direct connection' if mode else ""
    code = f"""# .env
DATABASE_URL="{uri}?{query}"

# prisma/schema.prisma
# datasource db {{
#   provider  = "postgresql"
#   url       = env("DATABASE_URL"){direct}
# }}
"""
    notes: tuple[str, ...] = (
        "Prisma takes the CA as sslcert, its path relative to schema.prisma, and verifies with"
        " sslaccept=strict. From version 7 on it connects through node-postgres: give its options"
        " to the adapter.",
    )
    if mode is not None:
        notes += (
            "Leave ?schema=… away: Prisma would send it at login, and a backend may keep that of"
            " another client. Set search_path for the role or the database instead.",
            "Migrations need the direct connection.",
        )
    notes += choose_notes(
        mode,
        transaction=("pgbouncer=true is for PgBouncer before 1.21 and not needed here.",),
        statement=("Prisma Client needs transactions: use a transaction pool.",),
    )
    return Snippet("prisma", "Prisma", code, notes)


def write_jdbc(connection: Connection, mode: PoolMode | None) -> Snippet:
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    database = quote(connection.database, safe="")
    url = f"jdbc:postgresql://{host}:{connection.port}/{database}"
    code = f"""import java.sql.DriverManager;

var url = "{url}?sslmode={SSLMODE}&sslrootcert={CA_FILE}";
var user = {quote_user(connection)};
var password = {quote_password(connection)};
try (var connection = DriverManager.getConnection(url, user, password);
     var rows = connection.createStatement().executeQuery("select current_user")) {{
  rows.next();
  System.out.println(rows.getString(1));
}}
"""
    prepared = "Prepared statements work as they are: prepareThreshold=0 is not needed here."
    refused = (
        "Leave currentSchema away: it is sent at login, and a backend may keep that of another"
        " client. Set search_path for the role or the database instead; statement_timeout and the"
        " like too, which are refused at login."
    )
    notes = choose_notes(
        mode,
        transaction=(prepared, refused),
        session=(refused, "With HikariCP, maximumPoolSize connections hold as many backends."),
        statement=(prepared, refused, "setAutoCommit(false) begins a transaction: refused."),
    )
    return Snippet("jdbc", "JDBC", code, notes)


def write_pgx(connection: Connection, mode: PoolMode | None) -> Snippet:
    code = f"""package main

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"
)

func main() {{
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, "{write_uri(connection)}")
	if err != nil {{
		log.Fatal(err)
	}}
	defer conn.Close(ctx)
	var user string
	if err := conn.QueryRow(ctx, "select current_user").Scan(&user); err != nil {{
		log.Fatal(err)
	}}
	fmt.Println(user)
}}
"""
    prepared = (
        "Its statement cache works as it is: default_query_exec_mode=exec or simple_protocol,"
        " which older advice has, is not needed here."
    )
    notes = choose_notes(
        mode,
        transaction=(prepared, "conn.WaitForNotification() needs the direct connection."),
        session=("Each connection of pgxpool holds a backend: choose pool_max_conns accordingly.",),
        statement=(prepared, "conn.Begin() is refused."),
    )
    return Snippet("pgx", "Go pgx", code, notes)


def write_rails(connection: Connection, mode: PoolMode | None) -> Snippet:
    pooled = mode in (PoolMode.TRANSACTION, PoolMode.STATEMENT)
    locks = "\n  advisory_locks: false" if pooled else ""
    # The file is a template to Rails before it is YAML.
    user, password = (
        text.replace("<%", "<%%") for text in (quote_user(connection), quote_password(connection))
    )
    code = f"""production:
  adapter: postgresql
  host: {quote_text(connection.host)}
  port: {connection.port}
  database: {quote_text(connection.database)}
  username: {user}
  password: {password}
  sslmode: {SSLMODE}
  sslrootcert: {CA_FILE}{locks}
"""
    notes = choose_notes(
        mode,
        transaction=(
            "advisory_locks: migrations would take a lock that belongs to one backend. Better run"
            " them over the direct connection, one at a time.",
            "Prepared statements work with a Rails that has rails/rails#55683 (September 2025),"
            " pg 1.6 and libpq 17. An older one deallocates them in SQL, which a pool does not"
            " follow: set prepared_statements: false.",
        ),
        session=("Each thread that has used the database holds a backend (pool in this file).",),
        statement=("Active Record saves in transactions: use a transaction pool.",),
    )
    return Snippet("rails", "Rails", code, notes)
