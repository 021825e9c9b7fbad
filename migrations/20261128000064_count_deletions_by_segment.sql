-- Several segments of a backup are deleted at a time: how far that is, is known for each of them.
ALTER TABLE cleanup_segments
    -- How many of the segment's rows were gone through.
    ADD COLUMN position     bigint NOT NULL DEFAULT 0,
    ADD COLUMN deleted_rows bigint NOT NULL DEFAULT 0,
    -- Those that were left because they were under hold by then, or not what they were in the backup.
    ADD COLUMN held_rows    bigint NOT NULL DEFAULT 0,
    ADD COLUMN changed_rows bigint NOT NULL DEFAULT 0;

-- Runs that are under way go on where they are. What was deleted is taken to be what was gone through first;
-- those that were left have no place within a run, and go to its first segment.
WITH segment AS (
    SELECT run_id, number, rows, sum(rows) OVER (PARTITION BY run_id ORDER BY number) - rows AS before
    FROM cleanup_segments
    WHERE verified
)
UPDATE cleanup_segments AS cleaned
SET position = LEAST(GREATEST(run.position - segment.before, 0), segment.rows),
    deleted_rows = LEAST(GREATEST(run.deleted_rows - segment.before, 0), segment.rows),
    held_rows = CASE WHEN segment.number = 0 THEN run.held_rows ELSE 0 END,
    changed_rows = CASE WHEN segment.number = 0 THEN run.changed_rows ELSE 0 END
FROM segment JOIN cleanup_runs AS run ON run.id = segment.run_id
WHERE cleaned.run_id = segment.run_id AND cleaned.number = segment.number AND run.position > 0;

-- The last defence: more than what is in the backup is never deleted, of no segment.
ALTER TABLE cleanup_segments
    ADD CONSTRAINT cleanup_segments_deleted_is_backed_up
    CHECK (deleted_rows <= position AND position <= CASE WHEN verified THEN rows ELSE 0 END);

-- What a run has deleted so far. In cleanup_runs it is written when the run is through.
CREATE VIEW cleanup_progress AS
SELECT run.id AS run_id,
       COALESCE(sum(segment.position), 0)::bigint AS position,
       COALESCE(sum(segment.deleted_rows), 0)::bigint AS deleted_rows,
       COALESCE(sum(segment.held_rows), 0)::bigint AS held_rows,
       COALESCE(sum(segment.changed_rows), 0)::bigint AS changed_rows
FROM cleanup_runs AS run
LEFT JOIN cleanup_segments AS segment ON segment.run_id = run.id
GROUP BY run.id;
