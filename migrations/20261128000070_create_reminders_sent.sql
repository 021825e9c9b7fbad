-- Reminders that went out: one row each, so that a reminder is marked once however often it is asked for.
CREATE TABLE reminders_sent (
    -- The reminder's own id, such as that of its workflow.
    id            text PRIMARY KEY,
    -- Who was reminded: a user's id, or an email address.
    user_id       text NOT NULL,
    reminder_type text NOT NULL,
    -- When the notification was accepted, by the clock of the workflow.
    sent_at       timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX reminders_sent_by_user ON reminders_sent (user_id, sent_at);
