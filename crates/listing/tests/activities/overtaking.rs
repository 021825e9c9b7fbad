//! Writes to the search index that overtake each other: what the public finds is what came last.

use anyhow::{Context, Result};
use futures::future::join_all;
use partner_core::ports::search_index::{SearchDocument, SearchIndex, SearchIndexError};
use partner_listing::model::ListingStatus::{Draft, Expired};
use serde_json::{Value, json};

use crate::answers::{done, failure, refused};
use crate::doubles::Moment;
use crate::publication::{approve_edit, number, shown};
use crate::support::World;

#[tokio::test]
async fn a_removal_wins_over_a_publication_that_was_held_up() -> Result<()> {
    let start = World::start().await?;
    for moment in Moment::ALL {
        for status in [Draft, Expired] {
            let world = start.beside().approved().await?;
            let held = world.index.hold(moment);
            let withdrawal = held.meanwhile(async {
                world.become_status(status).await?;
                done(world.remove(json!({})).await)
            });
            let (published, withdrawn) = tokio::join!(world.publish(json!({})), withdrawal);
            withdrawn?;
            let error = refused(published).context(format!("{moment:?}"))?;
            assert!(
                error.ends_with(&format!("it is {status}, not approved")),
                "{error}"
            );
            assert_eq!(shown(&world).await?, (None, Value::Null), "{moment:?}");
            assert_eq!(world.times("published").await?, 0);
            number(&world).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_removal_that_was_held_up_does_not_undo_a_later_publication() -> Result<()> {
    let start = World::start().await?;
    for moment in Moment::ALL {
        let world = start.beside().live().await?;
        let held = world.index.hold(moment);
        let publication = held.meanwhile(async { done(world.publish(json!({})).await) });
        let (removed, published) = tokio::join!(world.remove(json!({})), publication);
        published?;
        done(removed).context(format!("{moment:?}"))?;
        let lake = Some("Flat by the lake".to_owned());
        assert_eq!(shown(&world).await?, (lake, json!(1)), "{moment:?}");
        assert_eq!(world.times("taken_down").await?, 0);
        number(&world).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_publication_that_another_attempt_overtook_is_done() -> Result<()> {
    let start = World::start().await?;
    for moment in Moment::ALL {
        let world = start.beside().approved().await?;
        let held = world.index.hold(moment);
        let attempt = held.meanwhile(async {
            done(world.publish(json!({})).await)?;
            number(&world).await
        });
        let (published, overtaker) = tokio::join!(world.publish(json!({})), attempt);
        done(published).context(format!("{moment:?}"))?;
        let lake = Some("Flat by the lake".to_owned());
        assert_eq!(shown(&world).await?, (lake, json!(1)));
        assert_eq!(number(&world).await?, overtaker?);
        assert_eq!(world.times("published").await?, 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_publication_that_an_edit_overtook_is_refused() -> Result<()> {
    let start = World::start().await?;
    for moment in Moment::ALL {
        let world = start.beside().approved().await?;
        let held = world.index.hold(moment);
        let edit = held.meanwhile(async {
            let offer = approve_edit(&world, "Flat by the sea").await?;
            done(world.publish(json!({"propertyData": offer})).await)
        });
        let (published, edited) = tokio::join!(world.publish(json!({})), edit);
        edited?;
        let error = refused(published).context(format!("{moment:?}"))?;
        assert!(error.contains("has version 2 now, not 1"), "{error}");
        let sea = Some("Flat by the sea".to_owned());
        assert_eq!(shown(&world).await?, (sea, json!(2)));
    }
    Ok(())
}

#[tokio::test]
async fn of_many_publications_at_once_each_is_done_or_tried_again() -> Result<()> {
    let world = World::start().await?.approved().await?;
    for answer in join_all((0..20).map(|_| world.publish(json!({})))).await {
        if answer.is_err() {
            assert!(failure(answer)?.retryable);
        }
    }
    assert_eq!(
        shown(&world).await?,
        (Some("Flat by the lake".to_owned()), json!(1))
    );
    number(&world).await?;
    assert_eq!(world.times("published").await?, 1);
    Ok(())
}

#[tokio::test]
async fn numbers_grow_if_the_one_on_record_is_ahead_of_the_clock() -> Result<()> {
    let world = World::start().await?.approved().await?;
    world
        .run("UPDATE listings SET index_version = 9000000000000000 WHERE id = $1")
        .await?;
    for number_then in [9_000_000_000_000_001_i64, 9_000_000_000_000_002] {
        done(world.publish(json!({})).await)?;
        assert_eq!(number(&world).await?, number_then);
    }
    done(world.remove(json!({})).await)?;
    assert_eq!(number(&world).await?, 9_000_000_000_000_003);
    assert_eq!(shown(&world).await?, (None, Value::Null));
    Ok(())
}

#[tokio::test]
async fn numbers_grow_if_the_one_on_record_is_that_of_an_old_backup() -> Result<()> {
    let world = World::start().await?.live().await?;
    let remembered = number(&world).await?;
    world
        .run("UPDATE listings SET index_version = 0 WHERE id = $1")
        .await?;
    done(world.remove(json!({})).await)?;
    assert!(number(&world).await? > remembered);
    assert_eq!(shown(&world).await?, (None, Value::Null));
    Ok(())
}

#[tokio::test]
async fn the_double_keeps_the_highest_version_of_each_listing() -> Result<()> {
    let world = World::start().await?.live().await?;
    let index = &world.index;
    let kept = index.document(&world.id).context("not found")?;
    let at = |version| SearchDocument {
        version,
        title: "Another".to_owned(),
        ..kept.clone()
    };
    let superseded = |written: Result<(), SearchIndexError>| {
        assert!(written.is_err_and(|error| error.is_superseded()));
    };
    superseded(index.publish(&at(kept.version - 1)).await);
    superseded(index.remove(&world.id, kept.version - 1).await);
    index.publish(&kept).await?;
    assert_eq!(index.lookup(&world.id).await?, Some(kept.clone()));
    index.remove(&world.id, kept.version + 2).await?;
    superseded(index.publish(&at(kept.version + 1)).await);
    assert_eq!(index.lookup(&world.id).await?, None);
    index.publish(&at(kept.version + 3)).await?;
    assert_eq!(index.lookup(&world.id).await?, Some(at(kept.version + 3)));
    Ok(())
}
