-- I10, I13: an item is billed once for each instant of service and each instant of receipt.
-- Equality of the item is written as an overlapping range, so that the constraint needs no btree_gist.
ALTER TABLE subscriptions_billedperiod ADD CONSTRAINT i10_period_is_billed_once
    EXCLUDE USING gist (
        int8range(item_id, item_id, '[]') WITH &&,
        int4range(ascii(reason), ascii(reason), '[]') WITH &&,
        tstzrange(start_at, end_at) WITH &&,
        tstzrange(received_after, received_until, '(]') WITH &&
    ) WHERE (released_at IS NULL);

-- A billed period never changes; a void or a cancellation releases it, once.
CREATE TRIGGER i10_billed_period_never_changes BEFORE UPDATE ON subscriptions_billedperiod
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('i10_billed_period_never_changes', 'released_at?');
CREATE TRIGGER i10_billed_period_is_not_deleted BEFORE DELETE ON subscriptions_billedperiod
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('i10_billed_period_never_changes');

CREATE TRIGGER subscription_status_moves BEFORE UPDATE OF status ON subscriptions_subscription
    FOR EACH ROW EXECUTE FUNCTION vv_status_moves('subscription_status_moves',
        'scheduled>active', 'scheduled>canceled', 'active>canceled');
CREATE TRIGGER subscription_terms_never_move BEFORE UPDATE ON subscriptions_subscription
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('subscription_terms_never_move',
        'external_id', 'status', 'cancel_at', 'canceled_at?', 'next_billing_at');

-- A subscription's currency is that of its plan version, and its entity is test if its customer is on a clock.
CREATE FUNCTION vv_subscription_agrees() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.currency <> (SELECT currency FROM catalog_planversion WHERE id = NEW.plan_version_id) THEN
        RAISE EXCEPTION 'the subscription is in another currency than its plan version'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'subscription_has_the_currency_of_its_plan';
    END IF;
    IF (SELECT published_at FROM catalog_planversion WHERE id = NEW.plan_version_id) IS NULL THEN
        RAISE EXCEPTION 'the plan version is not published'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'subscription_needs_a_published_version';
    END IF;
    IF (SELECT test_clock_id FROM customers_customer WHERE id = NEW.customer_id) IS NOT NULL
       AND NOT (SELECT is_test FROM customers_legalentity WHERE id = NEW.legal_entity_id) THEN
        RAISE EXCEPTION 'a customer on a test clock buys from a test entity only'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'customer_on_a_clock_needs_a_test_entity';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER subscription_agrees_with_plan_and_customer BEFORE INSERT ON subscriptions_subscription
    FOR EACH ROW EXECUTE FUNCTION vv_subscription_agrees();
