//! The audit trail in the hands of someone who can get around PostgreSQL's rules: what was changed
//! shows, and where.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use partner_listing::model::{Decision, ListingStatus};
use serde_json::json;
use sqlx::{Postgres, Transaction};

use crate::answers::done;
use crate::support::{LISTING, World, edited};

/// How each column of an entry is changed, each by as little as it can be.
const CHANGES: [(&str, &str); 9] = [
    (
        "listing_id",
        "UPDATE listing_audit SET listing_id = 'nowhere'
         WHERE listing_id = 'listing-1' AND sequence = $1",
    ),
    (
        "sequence",
        "UPDATE listing_audit SET sequence = sequence + 100
         WHERE listing_id = 'listing-1' AND sequence = $1",
    ),
    (
        "at",
        "UPDATE listing_audit SET at = at + interval '1 microsecond'
         WHERE listing_id = 'listing-1' AND sequence = $1",
    ),
    (
        "actor",
        "UPDATE listing_audit SET actor = actor || ' '
         WHERE listing_id = 'listing-1' AND sequence = $1",
    ),
    (
        "action",
        "UPDATE listing_audit SET action = upper(action)
         WHERE listing_id = 'listing-1' AND sequence = $1",
    ),
    (
        "version",
        "UPDATE listing_audit SET version = version + 1
         WHERE listing_id = 'listing-1' AND sequence = $1",
    ),
    (
        "details",
        r#"UPDATE listing_audit SET details = details || '{"reviewer": "eve"}'
         WHERE listing_id = 'listing-1' AND sequence = $1"#,
    ),
    (
        "previous_hash",
        "UPDATE listing_audit SET previous_hash = sha256(previous_hash)
         WHERE listing_id = 'listing-1' AND sequence = $1",
    ),
    (
        "hash",
        "UPDATE listing_audit SET hash = set_byte(hash, 31, get_byte(hash, 31) # 1)
         WHERE listing_id = 'listing-1' AND sequence = $1",
    ),
];

/// Lets each entry follow from the one before, and the head from the last, whatever they say.
const CHAIN_AGAIN: &str = "
    DO $$
    DECLARE
        entry    listing_audit;
        previous bytea := '';
    BEGIN
        FOR entry IN
            SELECT * FROM listing_audit WHERE listing_id = 'listing-1' ORDER BY sequence
        LOOP
            entry.previous_hash := previous;
            previous := listing_audit_hash(entry);
            UPDATE listing_audit SET previous_hash = entry.previous_hash, hash = previous
            WHERE listing_id = 'listing-1' AND sequence = entry.sequence;
        END LOOP;
        UPDATE listing_audit_heads SET hash = previous WHERE listing_id = 'listing-1';
    END
    $$";

/// Whoever does not keep to the rules, until they are found out.
struct Intruder {
    transaction: Transaction<'static, Postgres>,
}

impl Intruder {
    /// One whom neither triggers nor keys of other tables stop.
    async fn new(world: &World) -> Result<Self> {
        let mut transaction = world.pool.begin().await?;
        sqlx::query("SET LOCAL session_replication_role = replica")
            .execute(&mut *transaction)
            .await?;
        Ok(Self { transaction })
    }

    /// Does something about entries of these places in the trail.
    async fn run(&mut self, statement: &'static str, places: &[i64]) -> Result<()> {
        let mut query = sqlx::query(statement);
        for place in places {
            query = query.bind(place);
        }
        let done = query.execute(&mut *self.transaction).await?;
        anyhow::ensure!(done.rows_affected() > 0, "nothing done: {statement}");
        Ok(())
    }

    async fn chain_again(&mut self) -> Result<()> {
        let chain = sqlx::query(CHAIN_AGAIN);
        chain.execute(&mut *self.transaction).await?;
        Ok(())
    }

    /// Where the trail is broken; then it is as it was.
    async fn found(mut self) -> Result<Option<i64>> {
        let found = sqlx::query_scalar("SELECT listing_audit_first_broken('listing-1')")
            .fetch_one(&mut *self.transaction)
            .await?;
        self.transaction.rollback().await?;
        Ok(found)
    }
}

/// A world with a trail that has everything in it, and how long that is.
async fn world_with_trail() -> Result<(World, i64)> {
    let world = World::start().await?.live().await?;
    let date = json!({"expirationDate": "2027-03-01T12:00:00Z"});
    done(world.renew(date).await)?;
    let edit = json!({"propertyData": edited("Flat by the sea")});
    done(world.submit(edit).await)?;
    world.become_status(ListingStatus::PendingReview).await?;
    done(
        world
            .notify(json!({"urgent": true, "listingVersion": 2}))
            .await,
    )?;
    done(world.decide(Decision::Reject, json!({})).await)?;
    done(world.remove(json!({})).await)?;
    // Another listing's trail, which has nothing to do with it.
    done(world.submit(json!({"listingId": "listing-2"})).await)?;

    let entries = world.audit.list(LISTING).await?;
    let actions: BTreeSet<_> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions.len(), 8, "{actions:?}");
    assert_eq!(Intruder::new(&world).await?.found().await?, None);
    Ok((world, i64::try_from(entries.len())?))
}

#[tokio::test]
async fn a_change_of_any_column_of_any_entry_is_found() -> Result<()> {
    let (world, last) = world_with_trail().await?;
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT column_name::text FROM information_schema.columns
         WHERE table_name = 'listing_audit' ORDER BY ordinal_position",
    )
    .fetch_all(&world.pool)
    .await?;
    // So that this list has what a later migration adds.
    let mut changed: Vec<_> = CHANGES.iter().map(|(column, _)| *column).collect();
    changed.sort_unstable();
    let mut columns: Vec<_> = columns.iter().map(String::as_str).collect();
    columns.sort_unstable();
    assert_eq!(changed, columns);

    for (column, change) in CHANGES {
        for place in 1..=last {
            let mut intruder = Intruder::new(&world).await?;
            intruder.run(change, &[place]).await?;
            let expected = match column {
                // It left a gap, and what comes after that does not follow.
                "listing_id" | "sequence" if place < last => place + 1,
                "sequence" => place + 100,
                _ => place,
            };
            let found = intruder.found().await?;
            assert_eq!(found, Some(expected), "{column} of entry {place}");
        }
    }
    assert_eq!(world.audit.first_broken(LISTING).await?, None);
    Ok(())
}

#[tokio::test]
async fn two_entries_that_changed_places_are_found() -> Result<()> {
    let (world, last) = world_with_trail().await?;
    for first in 1..last {
        for second in first + 1..=last {
            let mut intruder = Intruder::new(&world).await?;
            for statement in [
                "UPDATE listing_audit SET sequence = $1 - 1000 + $2 - $2
                 WHERE listing_id = 'listing-1' AND sequence = $1",
                "UPDATE listing_audit SET sequence = $1
                 WHERE listing_id = 'listing-1' AND sequence = $2",
                "UPDATE listing_audit SET sequence = $2
                 WHERE listing_id = 'listing-1' AND sequence = $1 - 1000",
            ] {
                intruder.run(statement, &[first, second]).await?;
            }
            let found = intruder.found().await?;
            assert_eq!(found, Some(first), "{first} and {second}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn entries_that_are_gone_are_found() -> Result<()> {
    let (world, last) = world_with_trail().await?;
    for first in 1..=last {
        for end in first..=last {
            let mut intruder = Intruder::new(&world).await?;
            let delete = "DELETE FROM listing_audit
                          WHERE listing_id = 'listing-1' AND sequence BETWEEN $1 AND $2";
            intruder.run(delete, &[first, end]).await?;
            // The first that does not follow, or if none is left, the first that is missing.
            let expected = if end < last { end + 1 } else { first };
            let found = intruder.found().await?;
            assert_eq!(found, Some(expected), "{first} to {end}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn entries_that_closed_up_after_one_was_taken_out_are_found() -> Result<()> {
    let (world, last) = world_with_trail().await?;
    for gone in 1..last {
        let mut intruder = Intruder::new(&world).await?;
        for statement in [
            "DELETE FROM listing_audit WHERE listing_id = 'listing-1' AND sequence = $1",
            "UPDATE listing_audit SET sequence = 1000 - sequence
             WHERE listing_id = 'listing-1' AND sequence > $1",
            "UPDATE listing_audit SET sequence = 999 - sequence
             WHERE listing_id = 'listing-1' AND sequence > $1",
        ] {
            intruder.run(statement, &[gone]).await?;
        }
        assert_eq!(intruder.found().await?, Some(gone), "{gone}");
    }
    Ok(())
}

#[tokio::test]
async fn a_gap_is_found_even_if_what_comes_after_it_was_chained_again() -> Result<()> {
    let (world, last) = world_with_trail().await?;
    for gone in 1..=last {
        let mut intruder = Intruder::new(&world).await?;
        let delete = "DELETE FROM listing_audit WHERE listing_id = 'listing-1' AND sequence = $1";
        intruder.run(delete, &[gone]).await?;
        intruder.chain_again().await?;
        let expected = if gone < last { gone + 1 } else { last };
        assert_eq!(intruder.found().await?, Some(expected), "{gone}");
    }
    Ok(())
}

#[tokio::test]
async fn a_change_is_found_even_if_the_entry_has_its_hash() -> Result<()> {
    let (world, last) = world_with_trail().await?;
    for place in 1..=last {
        let mut intruder = Intruder::new(&world).await?;
        let change = "UPDATE listing_audit
                      SET actor = 'eve',
                          hash = listing_audit_hash((listing_id, sequence, at, 'eve', action, version,
                                                     details, previous_hash, hash)::listing_audit)
                      WHERE listing_id = 'listing-1' AND sequence = $1";
        intruder.run(change, &[place]).await?;
        // What comes after it follows from what it was, or the head is that of what it was.
        let expected = if place < last { place + 1 } else { last };
        assert_eq!(intruder.found().await?, Some(expected), "{place}");
    }
    Ok(())
}

#[tokio::test]
async fn a_whole_trail_that_is_another_listings_is_found() -> Result<()> {
    let (world, _) = world_with_trail().await?;
    let mut intruder = Intruder::new(&world).await?;
    for statement in [
        "UPDATE listing_audit SET listing_id = 'nowhere' WHERE listing_id = 'listing-1'",
        "UPDATE listing_audit SET listing_id = 'listing-1' WHERE listing_id = 'listing-2'",
        "DELETE FROM listing_audit_heads WHERE listing_id = 'listing-1'",
        "UPDATE listing_audit_heads SET listing_id = 'listing-1' WHERE listing_id = 'listing-2'",
    ] {
        intruder.run(statement, &[]).await?;
    }
    assert_eq!(intruder.found().await?, Some(1));
    Ok(())
}

#[tokio::test]
async fn an_entry_that_never_happened_is_found() -> Result<()> {
    let (world, last) = world_with_trail().await?;
    // Even one that follows by its own hash.
    let statement = "
        WITH forged AS (
            SELECT (a.listing_id, a.sequence + 1, a.at, 'eve', a.action, a.version, a.details,
                    a.hash, '')::listing_audit AS entry
            FROM listing_audit a
            WHERE listing_id = 'listing-1' AND sequence = $1
        )
        INSERT INTO listing_audit
        SELECT (entry).listing_id, (entry).sequence, (entry).at, (entry).actor, (entry).action,
               (entry).version, (entry).details, (entry).previous_hash, listing_audit_hash(entry)
        FROM forged";
    let mut intruder = Intruder::new(&world).await?;
    intruder.run(statement, &[last]).await?;
    assert_eq!(intruder.found().await?, Some(last + 1));
    Ok(())
}

#[tokio::test]
async fn a_head_that_is_not_that_of_its_trail_is_found() -> Result<()> {
    let (world, last) = world_with_trail().await?;
    for (statement, expected) in [
        (
            "UPDATE listing_audit_heads SET hash = sha256(hash) WHERE listing_id = 'listing-1'",
            last,
        ),
        (
            "UPDATE listing_audit_heads SET sequence = sequence + 1 WHERE listing_id = 'listing-1'",
            last + 1,
        ),
        (
            "UPDATE listing_audit_heads SET sequence = sequence - 2 WHERE listing_id = 'listing-1'",
            last - 1,
        ),
        (
            "DELETE FROM listing_audit_heads WHERE listing_id = 'listing-1'",
            1,
        ),
    ] {
        let mut intruder = Intruder::new(&world).await?;
        intruder.run(statement, &[]).await?;
        assert_eq!(intruder.found().await?, Some(expected), "{statement}");
    }
    Ok(())
}

#[tokio::test]
async fn one_entry_more_after_a_change_does_not_hide_it() -> Result<()> {
    let (world, last) = world_with_trail().await?;
    let mut intruder = Intruder::new(&world).await?;
    let (_, change) = CHANGES[3];
    intruder.run(change, &[last]).await?;
    intruder.transaction.commit().await?;
    assert_eq!(world.audit.first_broken(LISTING).await?, Some(last));
    assert_eq!(world.audit.first_broken("listing-2").await?, None);

    let edit = json!({"propertyData": edited("Flat by the fjord")});
    done(world.submit(edit).await)?;
    let latest = world.audit.list(LISTING).await?.pop().context("no trail")?;
    assert_eq!(latest.sequence, last + 1);
    assert_eq!(world.audit.first_broken(LISTING).await?, Some(last));
    Ok(())
}

#[tokio::test]
async fn a_trail_that_was_written_anew_is_whole_but_not_the_one_that_a_decision_saw() -> Result<()>
{
    let world = World::start().await?.under_review().await?;
    let decided = done(
        world
            .decide(Decision::Approve, json!({"reviewer": "rita"}))
            .await,
    )?;
    let witness = decided.audit_hash.context("no hash")?;
    let mut intruder = Intruder::new(&world).await?;
    let change = r#"UPDATE listing_audit SET details = details || '{"reviewer": "eve"}'
                    WHERE action = 'decided'"#;
    intruder.run(change, &[]).await?;
    intruder.chain_again().await?;
    intruder.transaction.commit().await?;
    assert_eq!(world.audit.first_broken(LISTING).await?, None);
    assert_ne!(world.audit.head(LISTING).await?, Some(witness));
    Ok(())
}
