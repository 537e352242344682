DROP TRIGGER meter_measures_the_same ON catalog_meter;
DROP FUNCTION vv_meter_measures_the_same();
