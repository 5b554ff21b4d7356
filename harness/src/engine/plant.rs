//! Leaks planted on purpose: the proof that a run can see what it claims to see.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use watertight_probe::tenant::NAME_BYTES_MAX;

use crate::units::Size;

/// One planted leak: `heap=1B`, `task=1`, `fd=1`; with `@N` once, at counted cycle N, else once in every cycle; with `%K`
/// in every Kth counted cycle, from the first or from N on; with `*N` N blocks each time; with `/NAME` on behalf of a part
/// of the target: `heap=1kB*3/plc-7@30%7`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plant {
    /// What leaks.
    pub what: Planted,
    /// How many of these each time.
    #[serde(default = "once")]
    pub times: u64,
    /// The tenant that it belongs to, found below the target's own or registered there; `None`: the target at large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The counted cycle (from 0, warm-up apart) in which it leaks once; `None`: once in every cycle.
    pub at: Option<usize>,
    /// It leaks again after so many cycles, and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<usize>,
}

fn once() -> u64 {
    1
}

/// What a plant leaks each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Planted {
    /// One heap block of so many bytes.
    Heap(u64),
    /// So many tasks that never end.
    Task(u64),
    /// So many file descriptors.
    Fd(u64),
}

/// What is wrong with a `--plant`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlantError {
    /// Not one of the forms.
    #[error(
        "expected `heap=SIZE`, `task=COUNT` or `fd=COUNT`, each with or without `/TENANT`, `@CYCLE` and `%CYCLES`, such as \
         `heap=1B@30`, `fd=1%7` or `task=1/plc-7`; found `{found}`"
    )]
    Form {
        /// What was given.
        found: String,
    },
    /// Descriptors are the process's: nobody counts them by tenant.
    #[error("`{found}`: descriptors have no tenant: leave out `/{tenant}`")]
    TenantOfFd {
        /// What was given.
        found: String,
        /// The tenant in it.
        tenant: String,
    },
}

/// More than this at once is a typing error, not a leak.
const COUNT_MAX: u64 = 1_000;

impl Plant {
    /// Whether it leaks in `cycle`, which counts from 0 and includes `warm_up`.
    pub fn is_due(&self, cycle: usize, warm_up: usize) -> bool {
        let since = cycle.checked_sub(warm_up + self.at.unwrap_or_default());
        match (self.every, self.at) {
            (Some(every), _) => since.is_some_and(|since| since.is_multiple_of(every)),
            (None, Some(_)) => since == Some(0),
            (None, None) => true,
        }
    }
}

impl FromStr for Plant {
    type Err = PlantError;

    fn from_str(text: &str) -> Result<Self, PlantError> {
        let wrong = || PlantError::Form { found: text.to_owned() };
        let positive = |text: &str| text.parse().ok().filter(|count| *count > 0).ok_or_else(wrong);
        let (rest, every) = match text.split_once('%') {
            Some((rest, every)) => (rest, Some(positive(every)?)),
            None => (text, None),
        };
        let (what, at) = match rest.split_once('@') {
            Some((what, at)) => (what, Some(at.parse().map_err(|_| wrong())?)),
            None => (rest, None),
        };
        let (what, tenant) = match what.split_once('/') {
            Some((what, tenant)) if is_tenant(tenant) => (what, Some(tenant.to_owned())),
            Some(_) => return Err(wrong()),
            None => (what, None),
        };
        let (kind, amount) = what.split_once('=').ok_or_else(wrong)?;
        let (amount, times) = match amount.split_once('*') {
            Some((amount, times)) => (amount, times.parse().map_err(|_| wrong())?),
            None => (amount, 1),
        };
        if !(1..=COUNT_MAX).contains(&times) {
            return Err(wrong());
        }
        let count = || amount.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count)).ok_or_else(wrong);
        let what = match kind {
            "heap" => {
                Planted::Heap(amount.parse::<Size>().ok().filter(|size| size.0 > 0).ok_or_else(wrong)?.0)
            }
            "task" => Planted::Task(count()?),
            "fd" => Planted::Fd(count()?),
            _ => return Err(wrong()),
        };
        if let (Some(tenant), Planted::Fd(_)) = (&tenant, what) {
            return Err(PlantError::TenantOfFd { found: text.to_owned(), tenant: tenant.clone() });
        }
        Ok(Self { what, times, tenant, at, every })
    }
}

/// Whether a name is one that can stand in a plant, and in the probe's requests: letters, digits, `-`, `_` and `.`.
fn is_tenant(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

impl fmt::Display for Plant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Planted::Heap(bytes) => write!(f, "heap={bytes}B")?,
            Planted::Task(count) => write!(f, "task={count}")?,
            Planted::Fd(count) => write!(f, "fd={count}")?,
        }
        if self.times != 1 {
            write!(f, "*{}", self.times)?;
        }
        self.tenant.as_ref().map_or(Ok(()), |tenant| write!(f, "/{tenant}"))?;
        self.at.map_or(Ok(()), |at| write!(f, "@{at}"))?;
        self.every.map_or(Ok(()), |every| write!(f, "%{every}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plants_are_read_as_they_are_shown() {
        for text in [
            "heap=1B",
            "heap=64B@30",
            "task=1",
            "fd=2@7",
            "heap=1B/plc-7",
            "task=2/plc-7.a@3",
            "fd=1%7",
            "heap=16B*3/a@2%19",
        ] {
            assert_eq!(text.parse::<Plant>().map(|plant| plant.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_forms_that_are_known() {
        for text in [
            "heap",
            "heap=1",
            "heap=0B",
            "task=0",
            "task=1@",
            "socket=1",
            "fd=999999",
            "heap=1B/",
            "task=1/a b",
            "task=1%0",
            "heap=1B*0",
        ] {
            let error = text.parse::<Plant>().unwrap_err().to_string();
            assert!(
                error.starts_with("expected `heap=SIZE`") && error.ends_with(&format!("`{text}`")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_descriptor_belongs_to_nobody() {
        let error = "fd=1/plc-7".parse::<Plant>().unwrap_err().to_string();
        assert!(error.ends_with("descriptors have no tenant: leave out `/plc-7`"), "{error}");
    }

    #[test]
    fn a_plant_with_a_cycle_is_due_once() {
        let once: Plant = "heap=1B@3".parse().unwrap();
        let due: Vec<_> = (0..12).filter(|cycle| once.is_due(*cycle, 5)).collect();
        assert_eq!(due, [8]);
    }

    #[test]
    fn a_plant_of_every_third_cycle_is_due_in_each_of_them() {
        let due = |plant: &str| -> Vec<usize> {
            let plant: Plant = plant.parse().unwrap();
            (0..14).filter(|cycle| plant.is_due(*cycle, 5)).collect()
        };
        assert_eq!(due("heap=1B%3"), [5, 8, 11]);
        assert_eq!(due("heap=1B@2%3"), [7, 10, 13]);
    }
}
