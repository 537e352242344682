DROP TRIGGER accrual_is_append_only ON revenue_usageaccrual;
DROP TRIGGER i22_revenue_follows_delivery ON revenue_revenueslice;
DROP FUNCTION vv_slice_is_delivered();
DROP TRIGGER i22_slice_is_not_deleted ON revenue_revenueslice;
DROP TRIGGER i22_slice_is_released_once ON revenue_revenueslice;
DROP TRIGGER i22_schedule_never_changes ON revenue_revenueschedule;
DROP TRIGGER i22_slices_sum_to_the_line ON revenue_revenueslice;
DROP TRIGGER i22_slices_sum_to_the_line ON revenue_revenueschedule;
DROP FUNCTION vv_schedule_sums_up();
