DROP FUNCTION vv_status_moves();
DROP FUNCTION vv_frozen_except();
DROP FUNCTION vv_append_only();
