-- The send ledger, of mail so far, becomes that of every channel: one row a notification, recipient
-- and channel, written before the other side is spoken to.
ALTER TABLE email_deliveries RENAME TO deliveries;
ALTER TABLE deliveries RENAME COLUMN message_id TO notification_id;
ALTER TABLE deliveries RENAME CONSTRAINT email_deliveries_state_known TO deliveries_state_known;
ALTER TABLE deliveries
    ADD COLUMN channel        text NOT NULL DEFAULT 'email'
               CONSTRAINT deliveries_channel_known CHECK (channel IN ('email', 'in_app', 'push')),
    ADD COLUMN handed_over_at timestamptz,
    ALTER COLUMN subject DROP NOT NULL,
    DROP CONSTRAINT email_deliveries_pkey,
    ADD CONSTRAINT deliveries_once PRIMARY KEY (notification_id, recipient, channel),
    -- sending:     an attempt is on its way to the other side, which has nothing yet. `attempts` tells
    --              which: only the latest may hand over
    -- handed_over: the gate was passed; until the answer is written down, the outcome is unknown
    -- sent:        the other side took it
    -- possibly_delivered: the connection was lost after the handing over; not sent again
    -- refused:     the other side refused it for good
    DROP CONSTRAINT deliveries_state_known,
    ADD CONSTRAINT deliveries_state_known
        CHECK (state IN ('sending', 'handed_over', 'sent', 'possibly_delivered', 'refused'));
ALTER TABLE deliveries ALTER COLUMN channel DROP DEFAULT;

-- What users were told, and how that went.
CREATE TABLE notifications (
    id         text PRIMARY KEY,
    -- A user's id, or the email address of someone without an account: hence no foreign key.
    user_id    text NOT NULL,
    type       text NOT NULL,
    -- In the caller's words, such as sent, partially_sent, failed, muted.
    status     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX notifications_of_user ON notifications (user_id, created_at);

-- The in-app inbox.
CREATE TABLE inbox_messages (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id         text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    notification_id text NOT NULL,
    type            text NOT NULL,
    title           text NOT NULL,
    message         text NOT NULL,
    metadata        jsonb NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    read_at         timestamptz,
    CONSTRAINT inbox_messages_once UNIQUE (notification_id, user_id)
);

CREATE INDEX inbox_messages_of_user ON inbox_messages (user_id, id);

-- What users do not want, or do want although it is off: the most exact row counts. '*' stands for
-- every type, or every channel.
CREATE TABLE notification_preferences (
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    type    text NOT NULL DEFAULT '*',
    channel text NOT NULL DEFAULT '*'
            CONSTRAINT notification_preferences_channel_known CHECK (channel IN ('*', 'email', 'in_app', 'push')),
    enabled boolean NOT NULL,
    PRIMARY KEY (user_id, type, channel)
);

-- The devices that a user allowed to be pushed to.
CREATE TABLE push_subscriptions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id         text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    endpoint        text NOT NULL CONSTRAINT push_subscriptions_endpoint_once UNIQUE,
    -- The device's public key and authentication secret, base64url.
    p256dh          text NOT NULL,
    auth            text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    -- When the push service said that nothing will ever reach it again, and its words.
    disabled_at     timestamptz,
    disabled_reason text
);

CREATE INDEX push_subscriptions_of_user ON push_subscriptions (user_id) WHERE disabled_at IS NULL;
