-- The charge ledger: what was asked of the payment gateway, written down before it is asked.
-- One row for each purpose of a subject (an order's first attempt, its second, ...), for ever: the
-- gateway's idempotency keys are forgotten after a day and Temporal's histories after its
-- retention, but this row still says whether the money moved.
CREATE TABLE charges (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_kind     text NOT NULL CONSTRAINT charges_subject_known CHECK (subject_kind IN ('order', 'subscription')),
    subject_id       text NOT NULL,
    purpose          text NOT NULL,
    -- SHA-256 over everything that the charge means; the same purpose with another hash is refused.
    parameters_hash  text NOT NULL,
    user_id          text NOT NULL,
    amount_minor     bigint NOT NULL CONSTRAINT charges_amount_positive CHECK (amount_minor > 0),
    currency         text NOT NULL CONSTRAINT charges_currency_known CHECK (currency IN ('USD', 'EUR', 'INR')),
    payment_method   text NOT NULL CONSTRAINT charges_method_known CHECK (payment_method IN ('card', 'upi', 'wallet')),
    -- created:   written down; no confirmation was ever sent, so no money can have moved
    -- submitted: the gateway's id is known and the confirmation may have been sent: look it up
    -- succeeded: the money was taken            declined:  the gateway refused, see decline_code
    -- abandoned: cancelled before it was charged, it can never be charged any more
    -- refunding: the refund may have been sent: look it up        refunded: the money went back
    state            text NOT NULL DEFAULT 'created'
                     CONSTRAINT charges_state_known
                     CHECK (state IN ('created', 'submitted', 'succeeded', 'declined', 'abandoned',
                                      'refunding', 'refunded')),
    -- The gateway's id of the payment, known before it is confirmed.
    gateway_id       text,
    decline_code     text,
    decline_message  text,
    refund_id        text,
    refund_reason    text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT charges_once_per_purpose UNIQUE (subject_kind, subject_id, purpose),
    CONSTRAINT charges_known_at_gateway CHECK (state IN ('created', 'abandoned') OR gateway_id IS NOT NULL)
);

CREATE UNIQUE INDEX charges_gateway_id ON charges (gateway_id) WHERE gateway_id IS NOT NULL;
