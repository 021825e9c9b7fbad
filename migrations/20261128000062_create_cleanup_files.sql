-- Files that a backup sets out to write, each before it is written: segments, copies, manifests. Once the
-- backup is whole, those that it does not need after all are found here and deleted; then the rows go.
CREATE TABLE cleanup_files (
    run_id text NOT NULL REFERENCES cleanup_runs (id),
    -- Within the backup's folder.
    name   text NOT NULL,
    -- Whether it is, or belongs to, a segment that was stored and read back.
    kept   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, name)
);
