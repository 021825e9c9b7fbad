-- The windows of reports about listings.
CREATE INDEX listings_created ON listings (created_at);
CREATE INDEX review_decisions_by_time ON review_decisions (decided_at);
