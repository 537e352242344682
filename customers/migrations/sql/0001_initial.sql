-- Tax registrations of one entity and country never overlap in time.
ALTER TABLE customers_taxregistration ADD CONSTRAINT one_tax_registration_per_country_and_day
    EXCLUDE USING gist (
        int8range(legal_entity_id, legal_entity_id, '[]') WITH &&,
        int4range(ascii(left(country, 1)) * 256 + ascii(right(country, 1)),
                  ascii(left(country, 1)) * 256 + ascii(right(country, 1)), '[]') WITH &&,
        daterange(valid_from, valid_to) WITH &&
    );

-- A legal entity is test or live for good.
CREATE TRIGGER legal_entity_is_test_for_good BEFORE UPDATE OF is_test ON customers_legalentity
    FOR EACH ROW WHEN (OLD.is_test IS DISTINCT FROM NEW.is_test)
    EXECUTE FUNCTION vv_append_only('legal_entity_is_test_for_good');

-- Test clocks live only under test entities, and so do their customers; a clock never goes back.
CREATE FUNCTION vv_test_clock_entity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (SELECT is_test FROM customers_legalentity WHERE id = NEW.legal_entity_id) THEN
        RAISE EXCEPTION 'a test clock needs a legal entity marked as test'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'test_clock_needs_a_test_entity', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER test_clock_needs_a_test_entity BEFORE INSERT OR UPDATE OF legal_entity_id ON customers_testclock
    FOR EACH ROW EXECUTE FUNCTION vv_test_clock_entity();
CREATE TRIGGER customer_on_a_clock_needs_a_test_entity
    BEFORE INSERT OR UPDATE OF legal_entity_id, test_clock_id ON customers_customer
    FOR EACH ROW WHEN (NEW.test_clock_id IS NOT NULL) EXECUTE FUNCTION vv_test_clock_entity();
CREATE TRIGGER customer_stays_on_its_clock BEFORE UPDATE OF test_clock_id ON customers_customer
    FOR EACH ROW WHEN (OLD.test_clock_id IS DISTINCT FROM NEW.test_clock_id)
    EXECUTE FUNCTION vv_append_only('customer_stays_on_its_clock');

CREATE FUNCTION vv_test_clock_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.now_at < OLD.now_at THEN
        RAISE EXCEPTION 'a test clock only moves forward'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'test_clock_moves_forward', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER test_clock_moves_forward BEFORE UPDATE OF now_at ON customers_testclock
    FOR EACH ROW EXECUTE FUNCTION vv_test_clock_moves_forward();

-- I8: a counter moves forward without gaps in time or number, and is never deleted.
CREATE FUNCTION vv_number_counter_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.series_id, NEW.year) IS DISTINCT FROM (OLD.series_id, OLD.year)
       OR NEW.last_number < OLD.last_number OR NEW.last_issued_on < OLD.last_issued_on THEN
        RAISE EXCEPTION 'a number counter only moves forward, in number and in issue date'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i8_number_counter_moves_forward', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER i8_number_counter_moves_forward BEFORE UPDATE ON customers_numbercounter
    FOR EACH ROW EXECUTE FUNCTION vv_number_counter_moves_forward();
CREATE TRIGGER i8_number_counter_is_not_deleted BEFORE DELETE ON customers_numbercounter
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('i8_number_counter_moves_forward');
