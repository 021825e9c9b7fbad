-- At most one attempt of an order holds its money, or may yet take it: the next attempt waits until
-- that is settled, also when two workers begin two attempts at the same moment.
CREATE UNIQUE INDEX charges_one_open_per_order ON charges (subject_id)
    WHERE subject_kind = 'order' AND state IN ('created', 'submitted', 'succeeded', 'refunding');

-- An attempt that is settled before anyone began it is closed for good. How it would have been paid
-- is not known then.
ALTER TABLE charges ALTER COLUMN payment_method DROP NOT NULL;
ALTER TABLE charges ADD CONSTRAINT charges_method_of_a_charge
    CHECK (payment_method IS NOT NULL OR state = 'abandoned');
