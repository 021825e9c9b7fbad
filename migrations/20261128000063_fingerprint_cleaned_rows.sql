-- A row's fingerprint: another one once anything of its text in a backup has changed. PostgreSQL's own hash
-- of all columns, the one that hash partitions rest on, takes 1.0 and 1.00 for the same, and so two jsonb
-- values that have them; the hash of their text does not. It costs a fraction of what a SHA-256 of the
-- row's text does, and depends on no setting of the session.
CREATE FUNCTION cleanup_fingerprint(cleaned application_logs) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN hash_record_extended(cleaned, hashtextextended(cleaned.fields::text, 0));

CREATE FUNCTION cleanup_fingerprint(cleaned sessions) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN hash_record_extended(cleaned, hashtextextended(cleaned.client::text, 0));

CREATE FUNCTION cleanup_fingerprint(cleaned temp_files) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN hash_record_extended(cleaned, 0);

CREATE OR REPLACE VIEW cleanable_rows AS
SELECT 'logs' AS cleanup_type, id, created_at AS at, legal_hold, row_to_json(cleaned)::text AS content,
       cleanup_fingerprint(cleaned) AS fingerprint
FROM application_logs AS cleaned
UNION ALL
SELECT 'sessions', id, last_seen_at, legal_hold, row_to_json(cleaned)::text, cleanup_fingerprint(cleaned)
FROM sessions AS cleaned
UNION ALL
SELECT 'temp_files', id, created_at, legal_hold, row_to_json(cleaned)::text, cleanup_fingerprint(cleaned)
FROM temp_files AS cleaned;
