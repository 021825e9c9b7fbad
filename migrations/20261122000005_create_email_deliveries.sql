-- The send ledger of mail: one row a message id, written before the relay is spoken to.
CREATE TABLE email_deliveries (
    message_id text PRIMARY KEY,
    recipient  text NOT NULL,
    subject    text NOT NULL,
    -- sending: the relay may be being spoken to        sent: the relay took it
    -- possibly_delivered: the connection was lost after the mail was handed over
    -- refused: the relay refused it for good
    state      text NOT NULL DEFAULT 'sending'
               CONSTRAINT email_deliveries_state_known
               CHECK (state IN ('sending', 'sent', 'possibly_delivered', 'refused')),
    attempts   integer NOT NULL DEFAULT 0,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
