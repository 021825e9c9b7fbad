-- What is there, and how much of it is promised to orders that are not paid yet.
CREATE TABLE inventory (
    sku        text PRIMARY KEY,
    on_hand    integer NOT NULL CONSTRAINT inventory_on_hand_not_negative CHECK (on_hand >= 0),
    reserved   integer NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- The last line of defence: no concurrency of orders can promise more than there is.
    CONSTRAINT inventory_reserved_within_stock CHECK (reserved >= 0 AND reserved <= on_hand)
);

-- One row an order and article. `held` counts in inventory.reserved until it is committed (the
-- order is paid: it leaves on_hand), released (given back) or expired (taken back for another).
CREATE TABLE inventory_reservations (
    order_id   text NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    sku        text NOT NULL REFERENCES inventory (sku),
    quantity   integer NOT NULL CONSTRAINT inventory_reservations_quantity_positive CHECK (quantity > 0),
    state      text NOT NULL
               CONSTRAINT inventory_reservations_state_known
               CHECK (state IN ('held', 'committed', 'released', 'expired')),
    expires_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, sku)
);

-- Finds what may be taken back when an article runs out.
CREATE INDEX inventory_reservations_held ON inventory_reservations (sku, expires_at) WHERE state = 'held';
