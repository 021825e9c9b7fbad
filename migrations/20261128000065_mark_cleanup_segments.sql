-- A row that nobody has written since its segment was read is what it is in there: PostgreSQL keeps which
-- transaction wrote a row. That costs next to nothing to compare, unlike a hash of all columns; the hash of its
-- text decides only about a row that was written since. An earlier build does not delete beside this one: it
-- would not count by segment, and finds no fingerprint any more.
ALTER TABLE cleanup_segments
    -- Before its rows were read, every transaction before this one was over. Without it, each row is compared
    -- by its text.
    ADD COLUMN horizon    bigint,
    -- What the table was then, as cleaned_generations has it.
    ADD COLUMN generation bigint,
    ADD CONSTRAINT cleanup_segments_mark_is_whole CHECK ((horizon IS NULL) = (generation IS NULL));

-- Within a generation, a row's text changes only if the row is written: a new column changes all of them
-- without that. And a server that was started again may have another database, with its own transactions.
CREATE VIEW cleaned_generations AS
SELECT attrelid AS table_id,
       hashtextextended(
           concat_ws(' ', date_part('epoch', pg_postmaster_start_time()),
                     string_agg(concat_ws(' ', attname, atttypid, atttypmod), ' ' ORDER BY attnum)),
           0
       ) AS generation
FROM pg_attribute
WHERE attnum > 0
GROUP BY attrelid;

DROP VIEW cleanable_rows;

CREATE VIEW cleanable_rows AS
SELECT 'logs' AS cleanup_type, id, created_at AS at, legal_hold, row_to_json(cleaned)::text AS content
FROM application_logs AS cleaned
UNION ALL
SELECT 'sessions', id, last_seen_at, legal_hold, row_to_json(cleaned)::text
FROM sessions AS cleaned
UNION ALL
SELECT 'temp_files', id, created_at, legal_hold, row_to_json(cleaned)::text
FROM temp_files AS cleaned;

DROP FUNCTION cleanup_fingerprint(application_logs);
DROP FUNCTION cleanup_fingerprint(sessions);
DROP FUNCTION cleanup_fingerprint(temp_files);
