-- Cleanups: what was planned, backed up and deleted. A run is kept for ever; its backup is found by it.
CREATE TABLE cleanup_runs (
    -- The operation's own id, such as that of the workflow's run: a retry finds its plan by it.
    id               text PRIMARY KEY,
    cleanup_type     text NOT NULL
                     CONSTRAINT cleanup_runs_type_known
                     CHECK (cleanup_type IN ('logs', 'sessions', 'temp_files')),
    retention_days   integer NOT NULL CONSTRAINT cleanup_runs_retention_positive CHECK (retention_days > 0),
    -- A dry run counts, and that is all.
    dry_run          boolean NOT NULL,
    -- Rows from before this moment. It is fixed when the run begins, so that all retries mean the same.
    cutoff           timestamptz NOT NULL,
    -- planning:  the rows are being counted        planned: they were counted
    -- backed_up: the backup is whole and was read back; from here on, its rows may be deleted
    -- deleted:   all of them were gone through
    state            text NOT NULL DEFAULT 'planning'
                     CONSTRAINT cleanup_runs_state_known
                     CHECK (state IN ('planning', 'planned', 'backed_up', 'deleted')),
    -- The plan: how many rows there were, without those under hold; from when the oldest and the
    -- newest of them are.
    planned_rows     bigint NOT NULL DEFAULT 0,
    planned_held     bigint NOT NULL DEFAULT 0,
    oldest           timestamptz,
    newest           timestamptz,
    -- The manifest's address. Its name has the manifest's SHA-256, which has those of everything else.
    backup_reference text,
    backup_rows      bigint,
    -- How many of the backup's rows were gone through.
    position         bigint NOT NULL DEFAULT 0,
    deleted_rows     bigint NOT NULL DEFAULT 0,
    -- Those that were left because they were under hold by then, or not what they were in the backup.
    held_rows        bigint NOT NULL DEFAULT 0,
    changed_rows     bigint NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT cleanup_runs_dry_run_only_plans CHECK (NOT dry_run OR state IN ('planning', 'planned')),
    CONSTRAINT cleanup_runs_backup_known
    CHECK ((state IN ('backed_up', 'deleted')) = (backup_reference IS NOT NULL)),
    CONSTRAINT cleanup_runs_backup_counted CHECK ((backup_reference IS NULL) = (backup_rows IS NULL)),
    -- The last defence: more than what is in the backup is never deleted.
    CONSTRAINT cleanup_runs_deleted_is_backed_up
    CHECK (deleted_rows <= position AND position <= COALESCE(backup_rows, 0))
);

CREATE INDEX cleanup_runs_by_backup ON cleanup_runs (backup_reference) WHERE backup_reference IS NOT NULL;

-- The pieces of a run's backup, in the order of the rows. A killed worker goes on after the last one
-- that was verified.
CREATE TABLE cleanup_segments (
    run_id    text NOT NULL REFERENCES cleanup_runs (id),
    number    integer NOT NULL,
    -- The file's name within the backup, with the SHA-256 of its content. It is written down before
    -- the file is stored, so that a file which is not needed after all can be found and deleted.
    name      text NOT NULL,
    sha256    text NOT NULL,
    bytes     bigint NOT NULL,
    rows      bigint NOT NULL,
    first_key bigint NOT NULL,
    last_key  bigint NOT NULL,
    -- The age and the key of the last row that was looked at: where the next piece begins.
    until_at  timestamptz NOT NULL,
    until_id  bigint NOT NULL,
    -- Whether the file was stored and read back.
    verified  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, number)
);

-- Files in object storage whose rows were deleted, until they are gone as well.
CREATE TABLE temp_file_deletions (
    object_reference text COLLATE "C" PRIMARY KEY,
    -- In the same statement as the row's deletion.
    run_id           text NOT NULL REFERENCES cleanup_runs (id),
    -- When somebody last set out to delete the file. For some minutes after that, the deletion may
    -- still arrive: a restore must wait.
    claimed_at       timestamptz,
    attempts         integer NOT NULL DEFAULT 0,
    last_error       text,
    created_at       timestamptz NOT NULL DEFAULT now()
);

-- Who asks what was deleted, and what was put back, finds it here. Rows are only ever added.
CREATE TABLE cleanup_audit (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    operation        text NOT NULL
                     CONSTRAINT cleanup_audit_operation_known CHECK (operation IN ('cleanup', 'restore')),
    -- The operation's own id; a cleanup is written down once.
    operation_id     text NOT NULL,
    cleanup_type     text NOT NULL
                     CONSTRAINT cleanup_audit_type_known
                     CHECK (cleanup_type IN ('logs', 'sessions', 'temp_files')),
    -- How many rows were deleted, or put back.
    rows             bigint NOT NULL CONSTRAINT cleanup_audit_rows_counted CHECK (rows >= 0),
    backup_reference text,
    completed_at     timestamptz NOT NULL,
    recorded_at      timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX cleanup_audit_once ON cleanup_audit (operation_id) WHERE operation = 'cleanup';

CREATE FUNCTION cleanup_audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'cleanup_audit is only ever added to'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'cleanup_audit_append_only';
END
$$;

CREATE TRIGGER cleanup_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cleanup_audit
    FOR EACH STATEMENT EXECUTE FUNCTION cleanup_audit_refuse_change();
