-- One rate per country, category, tax code and day.
ALTER TABLE catalog_taxrate DROP CONSTRAINT one_tax_rate_per_country_category_and_day;
ALTER TABLE catalog_taxrate ADD CONSTRAINT one_tax_rate_per_country_category_and_day
    EXCLUDE USING gist (
        int8range(hashtextextended(country || ' ' || category || ' ' || tax_code, 0),
                  hashtextextended(country || ' ' || category || ' ' || tax_code, 0), '[]') WITH &&,
        daterange(valid_from, valid_to) WITH &&
    );
