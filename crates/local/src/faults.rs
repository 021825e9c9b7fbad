//! Faults that tests ask the simulators for: who gets them, how often, and the calls that a test
//! holds at a chosen point.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::loopback::{DeadlinePassed, lock, until};

/// Faults by order, address or device, in the order in which they are used up.
#[derive(Debug)]
pub(crate) struct FaultTable<F> {
    rules: Mutex<BTreeMap<String, Vec<Rule<F>>>>,
}

#[derive(Debug)]
struct Rule<F> {
    fault: F,
    /// How often it still applies; `None` is until it is cleared.
    left: Option<u32>,
}

impl<F> Default for FaultTable<F> {
    fn default() -> Self {
        Self {
            rules: Mutex::default(),
        }
    }
}

impl<F: Clone> FaultTable<F> {
    /// Adds faults for `key`, in place of those that `replaced` names.
    pub(crate) fn set(
        &self,
        key: &str,
        faults: impl IntoIterator<Item = (F, Option<u32>)>,
        replaced: impl Fn(&F) -> bool,
    ) {
        let mut rules = lock(&self.rules);
        let rules = rules.entry(key.to_owned()).or_default();
        rules.retain(|rule| !replaced(&rule.fault));
        rules.extend(faults.into_iter().map(|(fault, left)| Rule { fault, left }));
    }

    /// The first fault of `key` that `applies`, one use of it taken.
    pub(crate) fn take(&self, key: &str, applies: impl Fn(&F) -> bool) -> Option<F> {
        let mut rules = lock(&self.rules);
        let rule = rules
            .get_mut(key)?
            .iter_mut()
            .find(|rule| rule.left != Some(0) && applies(&rule.fault))?;
        rule.left = rule.left.map(|left| left - 1);
        Some(rule.fault.clone())
    }

    /// Forgets every fault.
    pub(crate) fn clear(&self) {
        lock(&self.rules).clear();
    }
}

/// Calls that wait until a test lets them go on, by order, address or device.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    by_key: Mutex<BTreeMap<String, Hold>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Hold {
    waiting: usize,
    /// Counts the releases: a call waits for the next one.
    released: u64,
}

/// Takes a waiting call off the list, also when its client hangs up.
struct Waiting {
    holds: Arc<Holds>,
    key: String,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(hold) = lock(&self.holds.by_key).get_mut(&self.key) {
            hold.waiting -= 1;
        }
        self.holds.changed.notify_waiters();
    }
}

impl Holds {
    /// Waits until the key is released.
    pub(crate) async fn wait(self: &Arc<Self>, key: &str) {
        let seen = {
            let mut by_key = lock(&self.by_key);
            let hold = by_key.entry(key.to_owned()).or_default();
            hold.waiting += 1;
            hold.released
        };
        let _waiting = Waiting {
            holds: Arc::clone(self),
            key: key.to_owned(),
        };
        self.changed.notify_waiters();
        loop {
            let mut change = std::pin::pin!(self.changed.notified());
            change.as_mut().enable();
            if self.releases(key) > seen {
                return;
            }
            change.await;
        }
    }

    /// Lets the held calls of the key go on; answers how many there are.
    pub(crate) fn release(&self, key: &str) -> usize {
        let waiting = {
            let mut by_key = lock(&self.by_key);
            let Some(hold) = by_key.get_mut(key) else {
                return 0;
            };
            hold.released += 1;
            hold.waiting
        };
        self.changed.notify_waiters();
        waiting
    }

    /// Waits until a call of the key is held.
    pub(crate) async fn until_held(
        &self,
        key: &str,
        patience: Duration,
    ) -> Result<(), DeadlinePassed> {
        let what = format!("a held call for {key}");
        until(&self.changed, patience, &what, || {
            lock(&self.by_key)
                .get(key)
                .is_some_and(|hold| hold.waiting > 0)
                .then_some(())
        })
        .await
    }

    fn releases(&self, key: &str) -> u64 {
        lock(&self.by_key).get(key).map_or(0, |hold| hold.released)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_used_up_after_its_times() {
        let table = FaultTable::default();
        table.set("a", [("x", Some(2)), ("y", None)], |_| true);
        assert_eq!(table.take("a", |_| true), Some("x"));
        assert_eq!(table.take("b", |_| true), None);
        assert_eq!(table.take("a", |_| true), Some("x"));
        assert_eq!(table.take("a", |_| true), Some("y"));
        assert_eq!(table.take("a", |_| true), Some("y"));
        table.clear();
        assert_eq!(table.take("a", |_| true), None);
    }

    #[tokio::test]
    async fn a_release_before_the_hold_does_not_count() {
        let holds = Arc::new(Holds::default());
        assert_eq!(holds.release("o"), 0);
        let held = Arc::clone(&holds);
        let mut call = tokio::task::JoinSet::new();
        call.spawn(async move { held.wait("o").await });
        holds
            .until_held("o", Duration::from_secs(5))
            .await
            .expect("held");
        assert_eq!(holds.release("o"), 1);
        call.join_next().await.expect("a task").expect("no panic");
        assert_eq!(holds.release("o"), 0);
    }
}
