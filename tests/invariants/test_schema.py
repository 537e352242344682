"""What the schema itself must be: I35, I36, and who owns what."""

import pytest
from django.conf import settings
from django.db import connection

from tests.invariants.hostile import not_permitted, sql

pytestmark = pytest.mark.django_db

OF_OTHERS = ("auth_", "axes_", "django_", "token_blacklist_")
"""Tables that come with packages; they hold no money, but the rules on types hold for them too."""


def ours() -> list[str]:
    """The tables of this project."""
    tables = [name for (name,) in sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    found = [name for name in tables if not name.startswith(OF_OTHERS)]
    assert len(found) > 40
    return found


def columns_where(condition: str) -> list[str]:
    return [
        f"{table}.{column} {kind}"
        for table, column, kind in sql(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            f" WHERE table_schema = 'public' AND {condition} ORDER BY 1, 2"
        )
    ]


def test_i35_no_column_anywhere_is_a_floating_point_number() -> None:
    assert columns_where("data_type IN ('real', 'double precision', 'money')") == []


def test_i35_every_amount_in_minor_units_is_a_bigint() -> None:
    amounts = columns_where(r"column_name LIKE '%\_minor'")
    assert len(amounts) > 30
    assert [amount for amount in amounts if not amount.endswith(" bigint")] == []


def test_i35_every_table_with_amounts_names_their_currency_or_belongs_to_one_that_does() -> None:
    tables = {column.split(".")[0] for column in columns_where(r"column_name LIKE '%\_minor'")}
    with_currency = {column.split(".")[0] for column in columns_where("column_name = 'currency'")}
    parts = {
        *("invoices_invoiceline", "invoices_invoicetax", "invoices_creditnoteline", "invoices_creditnotetax"),
        *("revenue_revenueslice", "payments_paymentallocation"),
    }
    assert tables - with_currency == parts


def test_i36_no_timestamp_is_without_its_time_zone() -> None:
    assert columns_where("data_type IN ('timestamp without time zone', 'time without time zone')") == []


def test_every_table_belongs_to_the_owner_and_none_to_the_application() -> None:
    owner, application = (settings.DATABASES[alias]["USER"] for alias in ("owner", "default"))
    assert owner != application
    owners = dict(sql("SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public'"))
    assert {table: name for table, name in owners.items() if name != owner} == {}
    assert sql("SELECT current_user") == [(application,)]
    assert sql(
        "SELECT rolsuper, rolbypassrls, rolcreatedb FROM pg_roles WHERE rolname = %s", application
    ) == [(False, False, False)]
    assert sql("SELECT 1 FROM pg_auth_members WHERE member = %s::regrole", application) == []


def test_the_application_may_empty_alter_and_drop_no_table() -> None:
    privileges = sql(
        "SELECT table_name, privilege_type FROM information_schema.table_privileges"
        " WHERE table_schema = 'public' AND grantee = current_user"
        " AND privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')"
    )
    assert privileges == []
    for table in ours():
        name = connection.ops.quote_name(table)
        for statement in (
            f"TRUNCATE {name}",
            f"ALTER TABLE {name} ADD COLUMN extra text",
            f"ALTER TABLE {name} DISABLE TRIGGER USER",
            f"DROP TABLE {name}",
        ):
            with not_permitted():
                sql(statement)


def test_the_application_may_not_switch_triggers_off_or_make_objects() -> None:
    for statement in (
        "SET session_replication_role = replica",
        "CREATE TABLE smuggled (id bigint)",
        "CREATE FUNCTION smuggled() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION vv_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "DROP FUNCTION vv_append_only() CASCADE",
    ):
        with not_permitted():
            sql(statement)


@pytest.mark.parametrize(
    "table",
    [
        *("ledger_journalentry", "ledger_posting", "usage_usageevent", "payments_paymentallocation"),
        *("revenue_revenueschedule", "revenue_usageaccrual"),
        *("usage_usagecorrection", "usage_usagesign", "usage_usageaddition"),
        *("revenue_forgivenusage", "revenue_lateusagedecision"),
    ],
)
def test_the_application_only_reads_and_adds_to_append_only_tables(table: str) -> None:
    rights = {
        right: sql("SELECT has_table_privilege(current_user, %s, %s)", table, right)[0][0]
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
    }
    assert rights == {"SELECT": True, "INSERT": True, "UPDATE": False, "DELETE": False, "TRUNCATE": False}
