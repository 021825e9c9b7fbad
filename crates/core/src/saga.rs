//! Undo steps of a workflow: registered before the attempt, run detached, all of them, reported.

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use temporalio_sdk::workflows::join_all;

/// The undo steps of a process, in the order in which their attempts were made.
///
/// Register an undo *before* the call that it undoes: a call whose answer is lost may have taken
/// effect. The step must therefore be harmless when there is nothing to undo.
#[derive(Default)]
pub struct Saga {
    undo: Vec<Undo>,
}

struct Undo {
    name: String,
    step: LocalBoxFuture<'static, Result<(), String>>,
}

/// An undo step that could not be done, which a person has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoFailure {
    /// Which step.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl Saga {
    /// A saga with nothing to undo.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers an undo step: a future that does nothing before it is polled, and resolves to the
    /// reason why the step could not be done.
    pub fn on_failure(
        &mut self,
        name: impl Into<String>,
        step: impl Future<Output = Result<(), String>> + 'static,
    ) {
        self.undo.push(Undo {
            name: name.into(),
            step: step.boxed_local(),
        });
    }

    /// Runs every undo step and tells which could not be done.
    ///
    /// They are started together, the latest first: the systems that they call are independent, and
    /// one that is down must not hold up the money or the stock of another.
    pub async fn unwind(self) -> Vec<UndoFailure> {
        let started = self
            .undo
            .into_iter()
            .rev()
            .map(|Undo { name, step }| async move {
                step.await.err().map(|reason| UndoFailure { name, reason })
            });
        join_all(started).await.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use futures::executor::block_on;

    use super::*;

    #[test]
    fn runs_every_undo_from_the_latest_and_reports_what_failed() {
        let order = Rc::new(RefCell::new(Vec::new()));
        let mut saga = Saga::new();
        for (name, result) in [("a", Ok(())), ("b", Err("down".to_owned())), ("c", Ok(()))] {
            let order = Rc::clone(&order);
            saga.on_failure(name, async move {
                order.borrow_mut().push(name);
                result
            });
        }
        let failures = block_on(saga.unwind());
        assert_eq!(*order.borrow(), ["c", "b", "a"]);
        assert_eq!(
            failures,
            [UndoFailure {
                name: "b".to_owned(),
                reason: "down".to_owned()
            }]
        );
    }
}
