//! How long the activities of a process took, from its history.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use partner_core::client::Process;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

/// The time from the last start to the end of each activity, in seconds by name; those of one name are
/// added up. Local activities are not among them.
pub(crate) async fn seconds(process: &Process) -> anyhow::Result<BTreeMap<String, f64>> {
    let events = process.history().await?;
    let (mut names, mut starts) = (BTreeMap::new(), BTreeMap::new());
    let mut seconds = BTreeMap::new();
    for event in events {
        let Some(time) = event
            .event_time
            .and_then(|time| SystemTime::try_from(time).ok())
        else {
            continue;
        };
        match event.attributes {
            Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => {
                let name = scheduled.activity_type.unwrap_or_default().name;
                names.insert(event.event_id, name);
            }
            Some(Attributes::ActivityTaskStartedEventAttributes(started)) => {
                starts.insert(started.scheduled_event_id, time);
            }
            Some(Attributes::ActivityTaskCompletedEventAttributes(done)) => {
                let id = done.scheduled_event_id;
                if let (Some(name), Some(start)) = (names.get(&id), starts.get(&id)) {
                    let took = time.duration_since(*start).unwrap_or(Duration::ZERO);
                    *seconds.entry(name.clone()).or_default() += took.as_secs_f64();
                }
            }
            _ => {}
        }
    }
    Ok(seconds)
}
