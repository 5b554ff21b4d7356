//! `/proc/PID/stat`: one line that says whether a process lives, since when, and what the scheduler and the pager know of it.
//! Source: proc_pid_stat(5).

use std::fs;
use std::io;

use rustix::param::page_size;

/// What the system says of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// `R`, `S`, `Z`, …
    pub state: char,
    /// The process that started it, or inherited it.
    pub parent: u32,
    /// Its process group, by the number of the one that leads it.
    pub group: u32,
    /// When it started, in clock ticks since the machine did: with its number this names a process for good.
    pub started: u64,
    /// Its threads.
    pub threads: u64,
    /// Resident set size.
    pub rss_bytes: u64,
}

impl Stat {
    /// Reads the line of the process `pid`.
    pub(super) fn read(pid: u32) -> io::Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let line = fs::read_to_string(&path)?;
        let unreadable = || {
            io::Error::new(io::ErrorKind::InvalidData, format!("{path}: expected figures, found {line:?}"))
        };
        Self::parse(&line).ok_or_else(unreadable)
    }

    /// Whether it runs: what is left of one that has ended holds nothing.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// The name of the command, in brackets, may hold blanks and brackets; after it, the third field comes first.
    fn parse(line: &str) -> Option<Self> {
        let (_, after_name) = line.rsplit_once(')')?;
        let mut fields = after_name.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let mut skip_to = |count: usize| fields.nth(count)?.parse::<u64>().ok();
        let parent = u32::try_from(skip_to(0)?).ok()?;
        let group = u32::try_from(skip_to(0)?).ok()?;
        // Fields 20, 22 and 24 of the manual: num_threads, starttime, rss in pages.
        let threads = skip_to(14)?;
        let started = skip_to(1)?;
        let rss_bytes = skip_to(1)? * page_size() as u64;
        Some(Self { state, parent, group, started, threads, rss_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_the_manual_says() {
        let line =
            "4711 (a (b) c) S 1 4700 4711 0 -1 4194560 900 0 0 0 5 6 0 0 20 0 7 0 99 12345 300 1844 1 1 0";
        let stat = Stat::parse(line).expect("the line is well formed");
        let rss_bytes = 300 * page_size() as u64;
        assert_eq!(stat, Stat { state: 'S', parent: 1, group: 4700, started: 99, threads: 7, rss_bytes });
        assert!(stat.is_alive());
        assert_eq!(Stat::parse("4711 (a) S 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_lives_and_holds_something() {
        let stat = Stat::read(std::process::id()).expect("/proc is there");
        assert!(stat.is_alive() && stat.threads >= 1 && stat.rss_bytes > 0, "{stat:?}");
    }
}
