CREATE OR REPLACE FUNCTION vv_frozen_except() RETURNS trigger LANGUAGE plpgsql AS $$
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
