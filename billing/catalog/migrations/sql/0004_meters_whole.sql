-- What a meter measures never changes: documents that were computed with it stay explainable.
CREATE FUNCTION vv_meter_measures_the_same() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.code, OLD.event_type, OLD.aggregation, OLD.property, OLD.filters, OLD.group_by, OLD.rounding,
        OLD.rounding_decimals, OLD.recurring, OLD.prorated, OLD.percentile, OLD.multiplier, OLD.expression,
        OLD.allow_negative)
       IS DISTINCT FROM
       (NEW.code, NEW.event_type, NEW.aggregation, NEW.property, NEW.filters, NEW.group_by, NEW.rounding,
        NEW.rounding_decimals, NEW.recurring, NEW.prorated, NEW.percentile, NEW.multiplier, NEW.expression,
        NEW.allow_negative) THEN
        RAISE EXCEPTION 'what a meter measures never changes; make another meter'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'meter_measures_the_same', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER meter_measures_the_same BEFORE UPDATE ON catalog_meter
    FOR EACH ROW EXECUTE FUNCTION vv_meter_measures_the_same();
