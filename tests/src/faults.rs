//! Faults in activities, by workflow: what the simulators cannot break, such as our own database.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use partner_core::error::ErrorCode;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::ActivityError;
use temporalio_sdk::interceptors::{
    ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next,
};

/// What goes wrong with an activity.
#[derive(Debug, Clone, Copy)]
pub struct ActivityFault {
    code: ErrorCode,
    /// How many calls come through first.
    spared: u32,
    /// How many calls fail after those.
    times: u32,
    for_good: bool,
    takes_effect: bool,
}

impl ActivityFault {
    /// The next call fails and is not tried again.
    pub const fn for_good(code: ErrorCode) -> Self {
        Self {
            code,
            spared: 0,
            times: 1,
            for_good: true,
            takes_effect: false,
        }
    }

    /// So many calls fail; the retries after them do not.
    pub const fn times(code: ErrorCode, times: u32) -> Self {
        Self {
            code,
            spared: 0,
            times,
            for_good: false,
            takes_effect: false,
        }
    }

    /// The next call takes effect, and its answer is lost.
    pub const fn answer_lost() -> Self {
        Self {
            code: ErrorCode::Unknown,
            spared: 0,
            times: 1,
            for_good: false,
            takes_effect: true,
        }
    }

    /// The same, for so many calls.
    #[must_use]
    pub const fn repeated(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// The same, after so many calls that come through.
    #[must_use]
    pub const fn after(mut self, spared: u32) -> Self {
        self.spared = spared;
        self
    }

    fn failure(self) -> ActivityError {
        let failure = ApplicationFailure::builder("injected fault".to_owned())
            .type_name(self.code.as_str().to_owned())
            .non_retryable(self.for_good)
            .build();
        ActivityError::Application(Box::new(failure))
    }
}

/// The faults of a worker, by workflow and activity.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    rules: Arc<Mutex<BTreeMap<(String, String), ActivityFault>>>,
}

impl Faults {
    /// Lets an activity of a workflow fail, in place of the fault that it had.
    pub fn set(&self, workflow_id: &str, activity: &str, fault: ActivityFault) {
        let key = (workflow_id.to_owned(), activity.to_owned());
        self.rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, fault);
    }

    /// The fault of this call, if it has one; one use of it is taken.
    fn take(&self, workflow_id: &str, activity: &str) -> Option<ActivityFault> {
        let key = (workflow_id.to_owned(), activity.to_owned());
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = rules.get_mut(&key)?;
        if fault.spared > 0 {
            fault.spared -= 1;
            return None;
        }
        fault.times = fault.times.checked_sub(1)?;
        Some(*fault)
    }
}

impl ActivityInboundInterceptor for Faults {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        let info = input.activity_info();
        let workflow_id = info.workflow_id.as_deref().unwrap_or_default();
        let Some(fault) = self.take(workflow_id, &info.activity_type) else {
            return next.run(input);
        };
        async move {
            if fault.takes_effect {
                next.run(input).await?;
            }
            Err(fault.failure())
        }
        .boxed()
    }
}
