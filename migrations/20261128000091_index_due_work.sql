-- What the scheduled runs look for: only rows that are due are read, however many there are.
CREATE INDEX subscriptions_due ON subscriptions ((COALESCE(retry_at, next_payment_date, anchor_date)), id)
    WHERE status = 'active';

-- Of which date a listing's expiration was last told. While that is its date, it is followed.
ALTER TABLE listings ADD COLUMN expiration_told timestamptz;
DROP INDEX listings_expiring;
CREATE INDEX listings_expiring ON listings (expires_at, id) WHERE status = 'approved';

CREATE INDEX inventory_reservations_expiring ON inventory_reservations (expires_at) WHERE state = 'held';
