-- People who buy, list or review. Other services write this table too; the platform reads it and
-- moves `status` along its state machine.
CREATE TABLE users (
    id         text PRIMARY KEY,
    email      text NOT NULL,
    name       text NOT NULL DEFAULT '',
    status     text NOT NULL DEFAULT 'pending'
               CONSTRAINT users_status_known
               CHECK (status IN ('pending', 'onboarding', 'active', 'onboarding_failed', 'suspended')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
