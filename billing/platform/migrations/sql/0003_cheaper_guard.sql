-- The same rule as before, with one comparison of what is left instead of a copy of both rows per named column: an
-- invoice carries its whole document, and every payment of it passes here.
CREATE OR REPLACE FUNCTION vv_frozen_except() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before jsonb := to_jsonb(OLD);
    after jsonb := to_jsonb(NEW);
    may_change text[] := string_to_array(replace(array_to_string(TG_ARGV[1:], ','), '?', ''), ',');
    argument text;
BEGIN
    FOREACH argument IN ARRAY TG_ARGV[1:] LOOP
        CONTINUE WHEN argument NOT LIKE '%?';
        argument := rtrim(argument, '?');
        IF before -> argument <> 'null'::jsonb AND before -> argument IS DISTINCT FROM after -> argument THEN
            RAISE EXCEPTION '%.% is set already and never changes', TG_TABLE_NAME, argument
                USING ERRCODE = 'check_violation', CONSTRAINT = TG_ARGV[0], TABLE = TG_TABLE_NAME;
        END IF;
    END LOOP;
    IF before - may_change IS DISTINCT FROM after - may_change THEN
        RAISE EXCEPTION 'this row of % never changes; only % may', TG_TABLE_NAME, TG_ARGV[1:]
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_ARGV[0], TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
