//! Deleting slice by slice.

use std::num::NonZeroU32;

use partner_core::problem::Problem;
use partner_core::progress::ProgressAnswer;
use partner_core::step::{remote, stop_if_cancelled, wait_while};

use super::state::{DataCleanupDetails, DataCleanupInput, PaceInput, Step};
use super::{BackedUp, Context, enter, policies};
use crate::activities::cleanup::{
    CleanupActivities, DeleteItemsInput, DeleteItemsResult, ItemsReference,
};

/// How long the rests of a slice may take together, in milliseconds: as long as a signal, or a
/// cancellation, may have to wait.
const SLICE_MS: u64 = 300_000;

/// What a batch is taken to need at the least, in milliseconds: a slice without rests ends too.
const BATCH_MS: u64 = 30;

/// After how many slices a new run goes on, if Temporal does not suggest it before.
const SLICES_PER_RUN: u32 = 200;

/// How far the deletion came in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deleted {
    All,
    /// The history is long: the next run deletes the rest.
    Some,
}

impl Deleted {
    pub(super) fn is_continued(self) -> bool {
        self == Self::Some
    }
}

/// Deletes what is in the backup.
pub(super) async fn delete(
    ctx: &Context,
    input: &DataCleanupInput,
    backed_up: &BackedUp,
) -> Result<Deleted, Problem> {
    let mut slices = 0;
    loop {
        stop_if_cancelled(ctx)?;
        if ctx.state(|state| state.details.paused) {
            enter(ctx, Step::Paused);
            wait_while(ctx, |state| state.details.paused).await?;
        }
        if slice(ctx, input, backed_up).await?.done {
            return Ok(Deleted::All);
        }
        slices += 1;
        if slices >= SLICES_PER_RUN || ctx.continue_as_new_suggested() {
            return Ok(Deleted::Some);
        }
    }
}

async fn slice(
    ctx: &Context,
    input: &DataCleanupInput,
    backed_up: &BackedUp,
) -> Result<DeleteItemsResult, Problem> {
    enter(ctx, Step::Deleting);
    let pace = ctx.state(|state| state.details.pace);
    let slice = DeleteItemsInput {
        cleanup_type: input.cleanup_type,
        items: ItemsReference::from(&backed_up.items),
        batch_size: pace.batch_size,
        pause_ms: pace.pause_ms,
        max_batches: Some(pace.slice_batches.unwrap_or_else(|| batches(pace))),
    };
    let options = policies(ctx).cleanup().heartbeating();
    let options = options.detached("delete a slice of what is in the backup");
    let deleted = remote(ctx, CleanupActivities::delete_items, slice, options).await?;
    ctx.state_mut(|state| state.details.deletion(&deleted));
    Ok(deleted)
}

/// How many batches a slice has.
fn batches(pace: PaceInput) -> NonZeroU32 {
    let batches = SLICE_MS / pace.pause_ms.unwrap_or_default().max(BATCH_MS);
    let batches = u32::try_from(batches).unwrap_or(u32::MAX);
    NonZeroU32::new(batches).unwrap_or(NonZeroU32::MIN)
}

/// How far the deletion is, in rows.
pub(super) fn progress(details: &DataCleanupDetails) -> ProgressAnswer {
    let rows = details.deleted + details.held_since + details.changed_since;
    let percent = (rows * 100).checked_div(details.planned).unwrap_or(100);
    let short = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    ProgressAnswer {
        completed: short(rows),
        total: short(details.planned),
        percent: short(percent.min(100)),
        message: format!("{rows} of {} rows are done", details.planned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rests_of_a_slice_take_five_minutes_at_most() {
        for (pause, expected) in [(0, 10_000), (1_000, 300), (300_000, 1), (3_600_000, 1)] {
            let pace = PaceInput {
                pause_ms: Some(pause),
                ..PaceInput::default()
            };
            assert_eq!(batches(pace).get(), expected, "{pause} ms");
        }
    }

    #[test]
    fn progress_is_counted_in_rows() {
        let progress = progress(&DataCleanupDetails {
            planned: 80_000_000,
            deleted: 40_000_000,
            held_since: 400_000,
            ..DataCleanupDetails::default()
        });
        assert_eq!((progress.completed, progress.percent), (40_400_000, 50));
    }
}
