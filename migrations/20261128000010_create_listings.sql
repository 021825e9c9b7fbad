-- What partners offer. The listing service writes drafts; the approval and the expiration move them on.
CREATE TABLE listings (
    id                 text PRIMARY KEY,
    -- The partner: a user's id, or the email address of someone without an account.
    user_id            text NOT NULL,
    status             text NOT NULL DEFAULT 'draft'
                       CONSTRAINT listings_status_known
                       CHECK (status IN ('draft', 'pending_review', 'approved', 'rejected', 'expired',
                                         'validation_failed', 'error')),
    -- Why it is what it is, in words: broken rules, an error.
    status_reason      text,
    -- What the partner was told with the latest decision.
    review_comment     text,
    -- The score of the current version, in hundredths.
    auto_check_score   smallint CONSTRAINT listings_score_in_range CHECK (auto_check_score BETWEEN 0 AND 100),
    -- The latest of its versions; 0 while none was submitted.
    version            integer NOT NULL DEFAULT 0,
    -- The version that the search index shows. It may be an older one while a newer one is reviewed.
    live_version       integer,
    -- Counts the writes to the search index: of two, the one with the higher number wins there,
    -- whichever arrives first.
    index_version      bigint NOT NULL DEFAULT 0,
    -- Until when it is shown; for ever without it.
    expires_at         timestamptz,
    -- When that was last put off.
    renewed_at         timestamptz,
    -- The workflow that has taken the review on itself: two never review one listing.
    review_workflow_id text,
    -- When the review of the current version became urgent.
    escalated_at       timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT listings_live_version_exists CHECK (live_version BETWEEN 1 AND version)
);

CREATE INDEX listings_expiring ON listings (expires_at) WHERE status = 'approved';
CREATE INDEX listings_under_review ON listings (updated_at) WHERE status = 'pending_review';

-- What was submitted: a version is never changed, an edit is a new one.
CREATE TABLE listing_versions (
    listing_id   text NOT NULL REFERENCES listings (id),
    version      integer NOT NULL CONSTRAINT listing_versions_from_one CHECK (version >= 1),
    -- The contract's `propertyData`.
    data         jsonb NOT NULL,
    submitted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (listing_id, version)
);

-- One decision a version, for ever: the key is what two reviewers, a signal and the deadline race for.
CREATE TABLE review_decisions (
    listing_id  text NOT NULL,
    version     integer NOT NULL,
    decision    text NOT NULL CONSTRAINT review_decisions_known CHECK (decision IN ('approve', 'reject')),
    -- human: a person;  rule: nobody decided in time, and the score approves;
    -- timeout: nobody decided in time, and the score does not
    provenance  text NOT NULL
                CONSTRAINT review_decisions_provenance_known CHECK (provenance IN ('human', 'rule', 'timeout')),
    -- Who, as they were named; empty for a signal without a name.
    reviewer    text NOT NULL DEFAULT '',
    comment     text NOT NULL DEFAULT '',
    -- The score that was known then, in hundredths.
    score       smallint CONSTRAINT review_decisions_score_in_range CHECK (score BETWEEN 0 AND 100),
    -- The workflow that took the decision.
    workflow_id text,
    decided_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT review_decisions_once PRIMARY KEY (listing_id, version),
    FOREIGN KEY (listing_id, version) REFERENCES listing_versions (listing_id, version),
    CONSTRAINT review_decisions_rule_approves CHECK (provenance <> 'rule' OR decision = 'approve'),
    CONSTRAINT review_decisions_timeout_rejects CHECK (provenance <> 'timeout' OR decision = 'reject')
);

-- Who is asked to decide. Leads are asked when a review becomes urgent.
CREATE TABLE reviewers (
    user_id    text PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    is_lead    boolean NOT NULL DEFAULT false,
    is_active  boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The state machine of a listing, for everyone who writes this table.
CREATE TABLE listing_status_steps (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    PRIMARY KEY (from_status, to_status)
);

INSERT INTO listing_status_steps (from_status, to_status) VALUES
    ('draft',             'pending_review'),
    ('draft',             'validation_failed'),
    ('draft',             'error'),
    ('pending_review',    'approved'),
    ('pending_review',    'rejected'),
    -- An edit under review may break the rules.
    ('pending_review',    'validation_failed'),
    -- Withdrawn.
    ('pending_review',    'draft'),
    ('pending_review',    'error'),
    -- Edited: the new version is reviewed.
    ('approved',          'pending_review'),
    ('approved',          'validation_failed'),
    ('approved',          'expired'),
    ('approved',          'draft'),
    ('approved',          'error'),
    ('rejected',          'pending_review'),
    ('rejected',          'validation_failed'),
    ('rejected',          'draft'),
    ('rejected',          'error'),
    ('expired',           'pending_review'),
    ('expired',           'validation_failed'),
    ('expired',           'draft'),
    ('expired',           'error'),
    ('validation_failed', 'pending_review'),
    ('validation_failed', 'draft'),
    ('validation_failed', 'error'),
    -- Its version was approved, only publishing it had failed.
    ('error',             'approved'),
    ('error',             'pending_review'),
    ('error',             'validation_failed'),
    ('error',             'draft');

CREATE FUNCTION listings_check_status_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status = OLD.status THEN
        RETURN NEW;
    END IF;
    IF NOT EXISTS (
        SELECT FROM listing_status_steps WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'listing % is %, it cannot become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'listings_status_step';
    END IF;
    IF NEW.status IN ('approved', 'rejected') AND NOT EXISTS (
        SELECT FROM review_decisions
        WHERE listing_id = NEW.id AND version = NEW.version
          AND decision = CASE NEW.status WHEN 'approved' THEN 'approve' ELSE 'reject' END
    ) THEN
        RAISE EXCEPTION 'version % of listing % cannot become % without a decision', NEW.version, NEW.id, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'listings_decided';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER listings_status_step BEFORE UPDATE OF status ON listings
    FOR EACH ROW EXECUTE FUNCTION listings_check_status_step();

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
END
$$;

CREATE TRIGGER listing_versions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON listing_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER review_decisions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON review_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
