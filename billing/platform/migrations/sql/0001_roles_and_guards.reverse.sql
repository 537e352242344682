DROP FUNCTION vv_counter_follows_its_facts();
DROP FUNCTION vv_status_moves();
DROP FUNCTION vv_frozen_except();
DROP FUNCTION vv_append_only();
