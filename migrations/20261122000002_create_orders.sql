-- Orders are written by the shop as `pending`; the payment process moves them on.
CREATE TABLE orders (
    id             text PRIMARY KEY,
    -- A user's id, or the email address of a buyer without an account: hence no foreign key.
    user_id        text NOT NULL,
    -- What the order costs, in minor units of its currency.
    amount_minor   bigint NOT NULL CONSTRAINT orders_amount_positive CHECK (amount_minor > 0),
    currency       text NOT NULL CONSTRAINT orders_currency_known CHECK (currency IN ('USD', 'EUR', 'INR')),
    status         text NOT NULL DEFAULT 'pending'
                   CONSTRAINT orders_status_known
                   CHECK (status IN ('pending', 'paid', 'payment_failed', 'processing',
                                     'completed', 'cancelled', 'refunded')),
    -- The gateway's id of the charge that paid for it.
    transaction_id text,
    -- Why it is not paid, in words for the operator.
    error_message  text,
    -- The workflow that has taken it on itself to collect the payment: two never do at once.
    payment_workflow_id text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT orders_paid_by_a_charge CHECK (status <> 'paid' OR transaction_id IS NOT NULL)
);

CREATE TABLE order_items (
    order_id         text NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    sku              text NOT NULL,
    quantity         integer NOT NULL CONSTRAINT order_items_quantity_positive CHECK (quantity > 0),
    unit_price_minor bigint NOT NULL CONSTRAINT order_items_price_not_negative CHECK (unit_price_minor >= 0),
    PRIMARY KEY (order_id, sku)
);
