-- Reports count a charge in the period in which its money moved. `updated_at` tells when only until
-- the row changes again: a refund would take the sale out of the period in which it was made.
ALTER TABLE charges
    -- When the gateway's verdict was written down: the money was taken, or refused.
    ADD COLUMN concluded_at timestamptz,
    -- When it was written down that the money went back.
    ADD COLUMN refunded_at  timestamptz;

-- Of a charge that was given back, when it was taken is not known any more. It was soon after it was
-- begun.
UPDATE charges
SET concluded_at = CASE WHEN state IN ('succeeded', 'declined') THEN updated_at ELSE created_at END,
    refunded_at  = CASE WHEN state = 'refunded' THEN updated_at END
WHERE state IN ('succeeded', 'declined', 'refunding', 'refunded');

-- Whoever moves a charge need not know of the times, and none is moved by writing a state twice.
CREATE FUNCTION charges_keep_times() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.concluded_at := COALESCE(NEW.concluded_at, NEW.updated_at);
    IF NEW.state = 'refunded' THEN
        NEW.refunded_at := COALESCE(NEW.refunded_at, NEW.updated_at);
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER charges_times
    BEFORE INSERT OR UPDATE OF state ON charges
    FOR EACH ROW
    WHEN (NEW.state IN ('succeeded', 'declined', 'refunding', 'refunded'))
    EXECUTE FUNCTION charges_keep_times();

ALTER TABLE charges
    ADD CONSTRAINT charges_concluded
        CHECK ((concluded_at IS NOT NULL) = (state IN ('succeeded', 'declined', 'refunding', 'refunded'))),
    ADD CONSTRAINT charges_refunded CHECK ((refunded_at IS NOT NULL) = (state = 'refunded'));

CREATE INDEX charges_concluded_at ON charges (concluded_at) WHERE concluded_at IS NOT NULL;
CREATE INDEX charges_refunded_at ON charges (refunded_at) WHERE refunded_at IS NOT NULL;
