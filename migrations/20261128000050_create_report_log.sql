-- Reports that were made and delivered: one row each, for whoever asks what was reported to whom.
CREATE TABLE report_log (
    -- The operation's own id, such as that of the workflow's run: a report is logged once.
    operation_id    text PRIMARY KEY,
    report_type     text NOT NULL
                    CONSTRAINT report_log_type_known CHECK (report_type IN ('sales', 'analytics', 'performance')),
    -- Where the file is stored.
    reference       text NOT NULL,
    -- How many recipients it was sent to, and how many of them could not be reached.
    recipient_count integer NOT NULL CONSTRAINT report_log_recipients_counted CHECK (recipient_count >= 0),
    failed_count    integer NOT NULL DEFAULT 0 CONSTRAINT report_log_failures_counted CHECK (failed_count >= 0),
    -- When its figures were read.
    generated_at    timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX report_log_by_time ON report_log (report_type, generated_at);
