-- What recurring billing needs beside what is there. `next_payment_date` is the first day of the oldest
-- period that is not paid; without one, the anchor's period is the first.
ALTER TABLE subscriptions
    ADD COLUMN plan                   text NOT NULL DEFAULT '',
    -- Every period begins so many weeks, months or years after this, by the user's calendar: counted
    -- from here and not from the last period, or the 31st would become the 28th for ever.
    ADD COLUMN anchor_date            timestamptz,
    -- The gateway's id of what the user pays with, if it is on file there.
    ADD COLUMN stored_method          text,
    -- Counts the changes of what the user pays with; see the trigger.
    ADD COLUMN payment_method_version integer NOT NULL DEFAULT 1,
    -- The version whose charge was declined last.
    ADD COLUMN declined_version       integer,
    -- When the next attempt is due after a decline; none while nothing is owed or while suspended.
    ADD COLUMN retry_at               timestamptz;

UPDATE subscriptions SET anchor_date = COALESCE(next_payment_date, last_payment_date, created_at);
ALTER TABLE subscriptions
    ALTER COLUMN anchor_date SET DEFAULT now(),
    ALTER COLUMN anchor_date SET NOT NULL;

-- Whoever writes another payment method need not know of the version.
CREATE FUNCTION subscriptions_count_payment_method() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.payment_method_version := OLD.payment_method_version + 1;
    RETURN NEW;
END
$$;

CREATE TRIGGER subscriptions_payment_method_version
    BEFORE UPDATE OF payment_method, stored_method ON subscriptions
    FOR EACH ROW
    WHEN ((OLD.payment_method, OLD.stored_method) IS DISTINCT FROM (NEW.payment_method, NEW.stored_method))
    EXECUTE FUNCTION subscriptions_count_payment_method();

-- A subscription is charged by period: one purpose of one period, once.
ALTER TABLE charges
    -- The first day of the subscription's period, 2026-01-31; empty for an order.
    ADD COLUMN period text NOT NULL DEFAULT '',
    ADD CONSTRAINT charges_period_of_a_subscription CHECK ((period <> '') = (subject_kind = 'subscription')),
    DROP CONSTRAINT charges_once_per_purpose,
    ADD CONSTRAINT charges_once_per_purpose UNIQUE (subject_kind, subject_id, period, purpose);

-- At most one attempt holds the money of what is paid for, or may yet take it.
DROP INDEX charges_one_open_per_order;
CREATE UNIQUE INDEX charges_one_open_per_subject ON charges (subject_kind, subject_id, period)
    WHERE state IN ('created', 'submitted', 'succeeded', 'refunding');
