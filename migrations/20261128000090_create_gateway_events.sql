-- Which workflow makes a charge: what the gateway says of it by itself is handed to that one.
ALTER TABLE charges ADD COLUMN workflow_id text;

-- What the payment gateway tells by itself (webhooks). It sends an event more than once, late, and in
-- any sequence; here each has one row.
CREATE TABLE gateway_events (
    -- The gateway's id of the event.
    id          text PRIMARY KEY,
    -- What happened, in the gateway's words: payment_intent.succeeded.
    kind        text NOT NULL,
    -- The gateway's id of the payment, if it is about one.
    payment_id  text,
    happened_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    -- How often it came.
    deliveries  integer NOT NULL DEFAULT 1
                CONSTRAINT gateway_events_deliveries_from_one CHECK (deliveries >= 1),
    -- What became of it; nothing yet if the hand-over was cut off: then the next delivery makes it.
    -- told:        the workflow that makes the charge was told
    -- restarted:   that workflow had been ended before its work was, and was started anew
    -- known:       the books have it already
    -- recorded:    it concerns no workflow
    -- unknown:     it is about no payment of ours
    -- contradicts: it says something else than the books: a person has to look
    outcome     text CONSTRAINT gateway_events_outcome_known
                CHECK (outcome IN ('told', 'restarted', 'known', 'recorded', 'unknown', 'contradicts')),
    workflow_id text
);

CREATE INDEX gateway_events_payment ON gateway_events (payment_id);
CREATE INDEX gateway_events_received ON gateway_events (received_at);
