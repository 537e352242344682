-- Guards that the apps' migrations attach to their tables. Each raises check_violation (23514) and names the
-- invariant of reliability.md section 2 as the constraint, so that a refusal reads the same from SQL and Python.

-- Refuses every change of an existing row. Argument: the invariant's name.
CREATE FUNCTION vv_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: correct it by a new row', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_ARGV[0], TABLE = TG_TABLE_NAME;
END $$;

-- Refuses changes except in the named columns. Arguments: the invariant's name, then column names;
-- a name ending in '?' may go from null to a value once, and never changes after that.
CREATE FUNCTION vv_frozen_except() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before jsonb := to_jsonb(OLD);
    after jsonb := to_jsonb(NEW);
    argument text;
    column_name text;
BEGIN
    FOREACH argument IN ARRAY TG_ARGV[1:] LOOP
        column_name := rtrim(argument, '?');
        IF argument LIKE '%?' AND before -> column_name <> 'null'::jsonb
           AND before -> column_name IS DISTINCT FROM after -> column_name THEN
            RAISE EXCEPTION '%.% is set already and never changes', TG_TABLE_NAME, column_name
                USING ERRCODE = 'check_violation', CONSTRAINT = TG_ARGV[0], TABLE = TG_TABLE_NAME;
        END IF;
        before := before - column_name;
        after := after - column_name;
    END LOOP;
    IF before IS DISTINCT FROM after THEN
        RAISE EXCEPTION 'this row of % never changes; only % may', TG_TABLE_NAME, TG_ARGV[1:]
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_ARGV[0], TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

-- Refuses a status change that is not in the list. Arguments: the invariant's name, then moves as 'old>new'.
CREATE FUNCTION vv_status_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status IS DISTINCT FROM NEW.status AND NOT (OLD.status || '>' || NEW.status) = ANY (TG_ARGV[1:]) THEN
        RAISE EXCEPTION '% cannot go from % to %', TG_TABLE_NAME, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_ARGV[0], TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

-- Refuses to set a counter that the triggers of its facts keep; attach it WHEN (pg_trigger_depth() = 0 AND ...).
-- Argument: the invariant's name.
CREATE FUNCTION vv_counter_follows_its_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the counters of % follow their facts and are not set by hand', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_ARGV[0], TABLE = TG_TABLE_NAME;
END $$;
