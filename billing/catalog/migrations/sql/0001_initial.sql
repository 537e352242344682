-- A published plan version and its prices never change.
CREATE TRIGGER published_plan_version_never_changes BEFORE UPDATE OR DELETE ON catalog_planversion
    FOR EACH ROW WHEN (OLD.published_at IS NOT NULL)
    EXECUTE FUNCTION vv_append_only('published_plan_version_never_changes');

CREATE FUNCTION vv_price_of_published_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM catalog_planversion
        WHERE id IN (CASE WHEN TG_OP <> 'INSERT' THEN OLD.plan_version_id END,
                     CASE WHEN TG_OP <> 'DELETE' THEN NEW.plan_version_id END)
          AND published_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'the prices of a published plan version never change; make a new version'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'published_plan_version_never_changes',
                  TABLE = TG_TABLE_NAME;
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER price_of_published_version_never_changes BEFORE INSERT OR UPDATE OR DELETE ON catalog_price
    FOR EACH ROW EXECUTE FUNCTION vv_price_of_published_version();

-- One rate per country, category and day.
ALTER TABLE catalog_taxrate ADD CONSTRAINT one_tax_rate_per_country_category_and_day
    EXCLUDE USING gist (
        int8range(hashtextextended(country || ' ' || category, 0), hashtextextended(country || ' ' || category, 0), '[]')
            WITH &&,
        daterange(valid_from, valid_to) WITH &&
    );
