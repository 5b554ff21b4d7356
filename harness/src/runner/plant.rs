//! Leaks planted on purpose: the proof that a leak of that size would have been seen.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::resource::Resource;
use crate::units::Size;

/// The most heap one plant takes at a time: enough to stand out anywhere, too little to end the machine.
const HEAP_MAX: u64 = 256 * 1024 * 1024;

/// The most tasks or fds one plant takes at a time.
const COUNT_MAX: u64 = 1_000;

/// A leak to plant: `heap=1B`, `task=1`, `fd=2`, each once a cycle, or `@N`: once, at counted cycle N.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plant {
    /// What leaks: heap, tasks or fds.
    pub resource: Resource,
    /// How much at a time: bytes for the heap, else a count.
    pub amount: u64,
    /// The counted cycle at which it leaks once, from 0, warm-up not counted; `None`: at every counted cycle.
    pub at: Option<usize>,
}

impl Plant {
    /// Whether the plant leaks in `cycle`, which is counted from 0 with the `warm_up` cycles included.
    pub fn is_due(&self, cycle: usize, warm_up: usize) -> bool {
        let Some(counted) = cycle.checked_sub(warm_up) else {
            return false;
        };
        self.at.is_none_or(|at| at == counted)
    }
}

/// What is wrong with a `--plant`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlantError {
    /// No `=`, or something unknown before it.
    #[error(
        "expected `heap=SIZE`, `task=COUNT` or `fd=COUNT`, each with `@CYCLE` if it shall leak only once, found `{found}`"
    )]
    Form {
        /// The whole text.
        found: String,
    },
    /// The amount is not one.
    #[error("`{text}`: expected {expected}, found `{found}`")]
    Amount {
        /// The whole text.
        text: String,
        /// What stands there otherwise.
        expected: String,
        /// The part that is wrong.
        found: String,
    },
    /// The cycle is not a number.
    #[error("`{text}`: expected the number of a counted cycle after `@`, found `{found}`")]
    Cycle {
        /// The whole text.
        text: String,
        /// The part that is wrong.
        found: String,
    },
}

impl FromStr for Plant {
    type Err = PlantError;

    fn from_str(text: &str) -> Result<Self, PlantError> {
        let form = || PlantError::Form { found: text.to_owned() };
        let (what, rest) = text.split_once('=').ok_or_else(form)?;
        let resource = match what {
            "heap" => Resource::Heap,
            "task" | "tasks" => Resource::Tasks,
            "fd" | "fds" => Resource::Fds,
            _ => return Err(form()),
        };
        let (amount, at) = match rest.split_once('@') {
            Some((amount, at)) => (amount, Some(at)),
            None => (rest, None),
        };
        Ok(Self { resource, amount: parse_amount(text, resource, amount)?, at: parse_cycle(text, at)? })
    }
}

fn parse_amount(text: &str, resource: Resource, found: &str) -> Result<u64, PlantError> {
    let (amount, max, kind) = match resource {
        Resource::Heap => (
            found.parse::<Size>().ok().map(|size| size.0),
            HEAP_MAX,
            "a size with its unit, such as `1B` or `4KiB`,",
        ),
        _ => (found.parse::<u64>().ok(), COUNT_MAX, "a count"),
    };
    amount.filter(|amount| (1..=max).contains(amount)).ok_or_else(|| PlantError::Amount {
        text: text.to_owned(),
        expected: match resource {
            Resource::Heap => format!("{kind} from 1B to {}", Size(max)),
            _ => format!("{kind} from 1 to {max}"),
        },
        found: found.to_owned(),
    })
}

fn parse_cycle(text: &str, at: Option<&str>) -> Result<Option<usize>, PlantError> {
    at.map(|found| {
        found.parse().map_err(|_| PlantError::Cycle { text: text.to_owned(), found: found.to_owned() })
    })
    .transpose()
}

impl fmt::Display for Plant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.resource {
            Resource::Heap => write!(f, "heap={}B", self.amount)?,
            Resource::Tasks => write!(f, "task={}", self.amount)?,
            other => write!(f, "{}={}", other.name().trim_end_matches('s'), self.amount)?,
        }
        self.at.map_or(Ok(()), |at| write!(f, "@{at}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plant_is_read_and_printed_back() {
        for text in ["heap=1B", "heap=4096B@50", "task=1", "task=3@0", "fd=2", "fd=1@7"] {
            assert_eq!(text.parse::<Plant>().unwrap().to_string(), text);
        }
        assert_eq!("heap=4KiB".parse(), Ok(Plant { resource: Resource::Heap, amount: 4096, at: None }));
    }

    #[test]
    fn a_plant_without_cycle_is_due_in_every_counted_cycle_and_in_no_other() {
        let every: Plant = "task=1".parse().unwrap();
        assert_eq!(
            (0..6).map(|cycle| every.is_due(cycle, 3)).collect::<Vec<_>>(),
            [false, false, false, true, true, true]
        );
        let once: Plant = "task=1@1".parse().unwrap();
        assert_eq!(
            (0..6).map(|cycle| once.is_due(cycle, 3)).collect::<Vec<_>>(),
            [false, false, false, false, true, false]
        );
    }

    #[test]
    fn what_is_no_plant_is_refused_with_what_was_expected() {
        let message = |text: &str| text.parse::<Plant>().unwrap_err().to_string();
        assert_eq!(
            message("heap"),
            "expected `heap=SIZE`, `task=COUNT` or `fd=COUNT`, each with `@CYCLE` if it shall leak only once, found `heap`"
        );
        assert!(message("rss=1B").ends_with("found `rss=1B`"));
        assert_eq!(
            message("heap=1"),
            "`heap=1`: expected a size with its unit, such as `1B` or `4KiB`, from 1B to 256.0 MiB, found `1`"
        );
        assert_eq!(message("task=0@3"), "`task=0@3`: expected a count from 1 to 1000, found `0`");
        assert_eq!(
            message("fd=1@soon"),
            "`fd=1@soon`: expected the number of a counted cycle after `@`, found `soon`"
        );
    }
}
