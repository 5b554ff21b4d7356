//! What a judgement is measured against: a scenario's budgets, in the judge's own words.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Baseline;
use crate::resource::Resource;
#[cfg(feature = "scenarios")]
use crate::scenario::model::Expect;

/// Budgets and allowances. The default is the strictest without a ceiling: nothing grows, nothing panics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// By resource; a resource that is not here is judged by [`ResourceRules::default`].
    pub resources: BTreeMap<Resource, ResourceRules>,
    /// How long the target may need to come to rest after the last disturbance of a cycle.
    pub recovery: Option<Duration>,
    /// What was accepted for this case.
    pub baseline: Option<Baseline>,
    /// Panics of the target that are allowed in the whole run.
    pub panics: u64,
}

/// What one resource may do. Ceilings are counts, or bytes for heap and RSS.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ResourceRules {
    /// The most at any sample.
    pub peak_max: Option<u64>,
    /// The most at rest.
    pub at_rest_max: Option<u64>,
    /// Growth per cycle that is allowed, in units (blocks for the heap).
    pub grow: f64,
    /// Whether it may rise ever slower, like a cache that fills.
    pub saturate: bool,
    /// Whether its growth is known and put up with; its ceilings hold all the same.
    pub ignored: bool,
}

impl Default for ResourceRules {
    fn default() -> Self {
        Self { peak_max: None, at_rest_max: None, grow: 0.0, saturate: true, ignored: false }
    }
}

/// Fewest counted cycles that growth can be told from noise in: with exact counts a change must be able to repeat and
/// to stop repeating; sampled ones need five windows in the back half.
pub const fn fewest_cycles(exact: bool) -> usize {
    if exact { 5 } else { 10 }
}

impl Rules {
    /// The rules for `resource`.
    pub fn of(&self, resource: Resource) -> ResourceRules {
        self.resources.get(&resource).copied().unwrap_or_default()
    }

    /// The rules for entries each of which stands for so many cycles: what may grow in a cycle may grow so much more in one.
    pub fn for_entries(&self, each: usize) -> Self {
        let mut rules = self.clone();
        rules.resources.values_mut().for_each(|of| of.grow *= each.max(1) as f64);
        rules
    }

    /// Puts up with the growth of `resources`.
    pub fn ignore(&mut self, resources: &[Resource]) {
        for resource in resources {
            self.resources.entry(*resource).or_default().ignored = true;
        }
    }
}

#[cfg(feature = "scenarios")]
impl From<&Expect> for Rules {
    fn from(expect: &Expect) -> Self {
        let always = &expect.always;
        let peak_max = |resource| match resource {
            Resource::Tasks => always.tasks.map(|budget| budget.max),
            Resource::Fds => always.fds.map(|budget| budget.max),
            Resource::Threads => always.threads.map(|budget| budget.max),
            Resource::Heap => always.heap.map(|budget| budget.max.0),
            Resource::Rss => always.rss.map(|budget| budget.max.0),
        };
        let of = |resource| {
            let rest = expect.at_rest.get(&resource);
            ResourceRules {
                peak_max: peak_max(resource),
                at_rest_max: rest.and_then(|rest| rest.max),
                grow: rest.map_or(0.0, |rest| rest.grow.max(0.0)),
                saturate: rest.is_none_or(|rest| rest.saturate),
                ignored: false,
            }
        };
        Self {
            resources: Resource::ALL.map(|resource| (resource, of(resource))).into_iter().collect(),
            recovery: expect.recovery.map(|recovery| recovery.within.0),
            baseline: None,
            panics: always.panics,
        }
    }
}
