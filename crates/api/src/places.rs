//! What a caller may have so many of at once: nobody takes all that there is.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{ApiError, Result};

/// How much later there may be a place again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The places of every caller. Who has none is not remembered.
#[derive(Clone)]
pub(crate) struct Places {
    /// What they are places for.
    what: &'static str,
    /// How many each caller has.
    most: usize,
    taken: Arc<Mutex<BTreeMap<String, usize>>>,
}

/// A caller's place: it is free again when this is dropped.
pub(crate) struct Place {
    places: Places,
    caller: String,
}

impl Places {
    pub(crate) fn new(what: &'static str, most: NonZeroUsize) -> Self {
        Self {
            what,
            most: most.get(),
            taken: Arc::default(),
        }
    }

    /// Takes a place, or refuses a caller who has all of theirs already.
    pub(crate) fn take(&self, caller: &str) -> Result<Place> {
        let mut taken = self.taken();
        let count = taken.entry(caller.to_owned()).or_default();
        if *count >= self.most {
            return Err(ApiError::TooMany(self.what, PATIENCE));
        }
        *count += 1;
        Ok(Place {
            places: self.clone(),
            caller: caller.to_owned(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        let Some(count) = taken.get_mut(&self.caller) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            taken.remove(&self.caller);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_so_many_places_and_who_has_none_is_forgotten() {
        let places = Places::new("things", NonZeroUsize::new(2).unwrap());
        let first = places.take("ana").unwrap();
        let second = places.take("ana").unwrap();
        assert!(places.take("ana").is_err());
        let of_another = places.take("ben").unwrap();
        drop(first);
        let third = places.take("ana").unwrap();
        assert!(places.take("ana").is_err());
        drop((second, third, of_another));
        assert!(places.taken().is_empty());
    }
}
