//! What a test asks for: what `#[watertight::test(..)]` writes down.

use std::time::Duration;

use super::known::Known;
use crate::resource::Resource;

/// How a test is played and judged. Made by `#[watertight::test]`.
#[derive(Debug, Clone)]
pub struct Plan {
    /// `crate::module::function`.
    pub(super) name: &'static str,
    pub(super) file: &'static str,
    pub(super) line: u32,
    /// Counted cycles; `None`: played once.
    pub(super) cycles: Option<u32>,
    pub(super) warm_up: u32,
    pub(super) timeout: Option<Duration>,
    pub(super) settle: Duration,
    pub(super) tolerances: Tolerances,
    pub(super) known: Vec<Known>,
    pub(super) should_panic: bool,
}

/// What may stay behind: of a test that is played once in all, in cycles in each. Heap in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tolerances {
    pub(super) tasks: u64,
    pub(super) fds: u64,
    pub(super) threads: u64,
    pub(super) heap_bytes: u64,
}

impl Tolerances {
    /// That of `resource`.
    pub(super) fn of(self, resource: Resource) -> u64 {
        match resource {
            Resource::Tasks => self.tasks,
            Resource::Fds => self.fds,
            Resource::Threads => self.threads,
            Resource::Heap => self.heap_bytes,
            Resource::Rss => u64::MAX,
        }
    }
}

impl Plan {
    /// A test that is played once: its name with the module, and where it stands.
    pub fn of_test(name: &'static str, file: &'static str, line: u32) -> Self {
        Self {
            name,
            file,
            line,
            cycles: None,
            warm_up: WARM_UP,
            timeout: None,
            settle: SETTLE,
            tolerances: Tolerances::default(),
            known: Vec::new(),
            should_panic: false,
        }
    }

    /// Plays it so many times after warm-up: what grows is a leak.
    #[must_use]
    pub fn cycles(self, cycles: u32) -> Self {
        Self { cycles: Some(cycles), ..self }
    }

    /// Plays before counting begins.
    #[must_use]
    pub fn warm_up(self, warm_up: u32) -> Self {
        Self { warm_up, ..self }
    }

    /// The longest that one play of the body may take, on the wall clock.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// How long what is about to end may take after the body has ended. Longer on a machine that is busy.
    #[must_use]
    pub fn settle(self, settle: Duration) -> Self {
        Self { settle, ..self }
    }

    /// What may stay behind of `tasks`, `fds`, `threads` or `heap` (bytes): in all, or in each cycle.
    #[must_use]
    pub fn tolerate(mut self, resource: &str, amount: u64) -> Self {
        match resource {
            "tasks" => self.tolerances.tasks = amount,
            "fds" => self.tolerances.fds = amount,
            "threads" => self.tolerances.threads = amount,
            _ => self.tolerances.heap_bytes = amount,
        }
        self
    }

    /// Puts up with what leaks at `site`: a part of a file, a function or a line of the call stack.
    #[must_use]
    pub fn ignore(mut self, site: &str, reason: &str) -> Self {
        self.known.push(Known::new(site, reason, None));
        self
    }

    /// As [`Plan::ignore`], up to the day `until`, `2027-01-31`.
    #[must_use]
    pub fn ignore_until(mut self, site: &str, reason: &str, until: &str) -> Self {
        self.known.push(Known::new(site, reason, Some(until)));
        self
    }

    /// The body panics when all is well.
    #[must_use]
    pub fn should_panic(self) -> Self {
        Self { should_panic: true, ..self }
    }

    /// As it was written, or in cycles where `WATERTIGHT_CYCLES` asks for that.
    pub(super) fn in_cycles_if_asked(mut self) -> Self {
        let asked = std::env::var("WATERTIGHT_CYCLES").ok().and_then(|cycles| cycles.parse().ok());
        if self.cycles.is_none() && !self.should_panic {
            self.cycles = asked.filter(|cycles| *cycles >= CYCLES_MIN);
        }
        self
    }

    /// The test's name without the crate, as libtest knows it.
    pub(super) fn name_in_crate(&self) -> &'static str {
        self.name.split_once("::").map_or(self.name, |(_, name)| name)
    }
}

/// What is made on first use is made in the first play or two: caches of threads, lists that double.
const WARM_UP: u32 = 3;
/// On a machine that is not busy. Only a test that leaves something behind waits for it.
const SETTLE: Duration = Duration::from_secs(1);
/// As the judge has it for exact counts.
pub(super) const CYCLES_MIN: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtest_names_a_test_without_its_crate() {
        let name = |name| Plan::of_test(name, "a.rs", 1).name_in_crate();
        assert_eq!(name("adopt::tests::it_works"), "tests::it_works");
        assert_eq!(name("adopt::it_works"), "it_works");
    }
}
