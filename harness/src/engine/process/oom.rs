//! Whether the kernel ended a process because memory ran out: it counts that, and does not say whom.

use std::fs;

/// Where the kernel counts for the whole machine, and for this process's group under cgroup 2.
const MACHINE: &str = "/proc/vmstat";
const OWN_GROUP: &str = "/proc/self/cgroup";

/// Processes that the kernel has ended for want of memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OomKills(Option<u64>);

impl OomKills {
    /// So many until now.
    pub(super) fn now() -> Self {
        let own_group = fs::read_to_string(OWN_GROUP).ok().and_then(|text| {
            let path = text.lines().find_map(|line| line.strip_prefix("0::"))?.to_owned();
            fs::read_to_string(format!("/sys/fs/cgroup{}/memory.events", path.trim_end_matches('/'))).ok()
        });
        let machine = fs::read_to_string(MACHINE).ok();
        Self([machine, own_group].iter().flatten().filter_map(|text| count(text)).max())
    }

    /// What that says of a process that got SIGKILL from somebody else since then.
    pub(super) fn verdict(self) -> String {
        match (self, Self::now()) {
            (Self(Some(before)), Self(Some(now))) if now > before => format!(
                "the kernel's out-of-memory killer ended {} since it was started: give it more memory, or find what grew",
                now - before
            ),
            (Self(Some(_)), Self(Some(_))) => {
                "sent by somebody outside of the run: the kernel has ended nobody for want of memory since"
                    .to_owned()
            }
            _ => "sent by somebody outside of the run; whether memory ran out is not told here".to_owned(),
        }
    }
}

/// The figure behind `oom_kill`, in a file of names and figures.
fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_among_others() {
        assert_eq!(count("nr_free_pages 5\noom_kill 3\noom_kill_x 4\n"), Some(3));
        assert_eq!(count("low 0\noom 2\n"), None);
    }

    #[test]
    fn a_kill_is_laid_to_memory_only_if_the_kernel_counted_one() {
        assert!(OomKills(None).verdict().contains("not told here"));
        let OomKills(Some(now)) = OomKills::now() else { return };
        assert!(OomKills(Some(now)).verdict().contains("ended nobody for want of memory") || now != 0);
        if now > 0 {
            assert!(OomKills(Some(now - 1)).verdict().contains("out-of-memory killer ended 1"));
        }
    }
}
