//! The end of a whole binary: nothing may be left, but for what is on a reviewed list.

use tokio::runtime::Handle;
use watertight_probe::{Tenant, fds, tasks};

use super::known::{self, Known, ListError};
use super::report::{Report, Row, rows};
use super::threads;
use crate::explain::Finding;
use crate::resource::Resource;
use crate::units::Day;

/// Checks, at the end of `main`, that no thread runs beside this one, no task is alive and nothing is open.
///
/// What is known is listed in `watertight-ignore.toml`, beside the package's `Cargo.toml`: tables `[[ignore]]`
/// with `site` (part of what is reported), `reason` and perhaps `until = "2027-01-31"`. Entries whose day is over fail;
/// entries that ignore nothing are told on stderr.
///
/// Standard streams, and descriptors that the process was started with, are not counted. Tasks: with `--cfg tokio_unstable`
/// those of all runtimes that have the probe's hooks, else those of the runtime that this is called in. The heap is not judged:
/// statics stay.
///
/// # Panics
/// With a report, if something is left that is not on the list, or the list is wrong or out of date.
#[track_caller]
pub fn verify_none() {
    let known = match known::of_package() {
        Ok(known) => known,
        Err(error) => fail(&error),
    };
    let findings = still_here();
    match verdict(findings, &known, Day::today()) {
        Ok(notes) => notes.iter().for_each(|note| eprintln!("watertight: {note}")),
        Err(report) => panic!("{report}"),
    }
}

#[track_caller]
fn fail(error: &ListError) -> ! {
    panic!("watertight: {error}")
}

/// What is worth a note, or what is wrong.
fn verdict(mut findings: Vec<Finding>, known: &[Known], today: Day) -> Result<Vec<String>, String> {
    let is_used = |entry: &&Known| findings.iter().any(|finding| entry.names(finding));
    let (used, unused): (Vec<&Known>, Vec<&Known>) = known.iter().partition(is_used);
    let over: Vec<String> =
        known.iter().filter(|entry| !entry.holds_on(today)).map(ToString::to_string).collect();
    for entry in used.iter().filter(|entry| entry.holds_on(today)) {
        findings.retain(|finding| !entry.names(finding));
    }
    if findings.is_empty() && over.is_empty() {
        return Ok(unused.iter().map(|entry| format!("ignores nothing, and can go: {entry}")).collect());
    }
    let notes = over.iter().map(|entry| format!("its day is over: {entry}")).collect();
    Err(text(Report { plays: None, rows: rows_of(&findings), findings, notes }))
}

fn text(report: Report) -> String {
    let mut text = "watertight: something is left at the end of the process\n\n".to_owned() + &rows(&report);
    for note in &report.notes {
        text += &format!("  {note}\n");
    }
    text + "  allow it: an entry [[ignore]] with site, reason, until in watertight-ignore.toml\n"
}

fn rows_of(findings: &[Finding]) -> Vec<Row> {
    let row = |resource: Resource| {
        let count: i64 =
            findings.iter().filter(|finding| finding.resource == resource).map(|found| found.survivors).sum();
        (count > 0).then(|| Row { resource, said: format!("{count} left") })
    };
    Resource::ALL.into_iter().filter_map(row).collect()
}

/// Everything that is left, by name.
fn still_here() -> Vec<Finding> {
    let _probe = Tenant::PROBE.enter();
    let found = |resource, site: String| super::naming::one(resource, site);
    let mut left = tasks_left();
    let this = watertight_probe::threads::current();
    let others = threads::all().into_iter().filter(|thread| *thread != this);
    left.extend(others.map(|thread| found(Resource::Threads, format!("thread `{}`", threads::name(thread)))));
    let open = fds::census(None).unwrap_or_default();
    let ours = open.into_iter().filter(|fd| !is_inherited(fd.fd));
    left.extend(ours.map(|fd| found(Resource::Fds, fd.opened_at.clone().unwrap_or_else(|| fd.describe()))));
    left
}

fn tasks_left() -> Vec<Finding> {
    if tasks::why_not_tracked().is_none() {
        return tasks::live().iter().map(|task| super::naming::one(Resource::Tasks, task.place())).collect();
    }
    let alive = Handle::try_current().map_or(0, |runtime| runtime.metrics().num_alive_tasks());
    (0..alive).map(|_| super::naming::one(Resource::Tasks, "this runtime".to_owned())).collect()
}

/// Whether the process was started with it. What Rust opens is closed on exec; what came over an exec is not so marked.
/// Source: proc_pid_fdinfo(5), `flags` in octal; Linux, O_CLOEXEC.
fn is_inherited(fd: u32) -> bool {
    const CLOSED_ON_EXEC: u64 = 0o2_000_000;
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
    let flags =
        info.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    fd <= 2 || flags.is_some_and(|flags| flags & CLOSED_ON_EXEC == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left() -> Vec<Finding> {
        vec![
            super::super::naming::one(Resource::Fds, "file /dev/null".to_owned()),
            super::super::naming::one(Resource::Threads, "thread `pool`".to_owned()),
        ]
    }

    fn on(day: &str, known: &[Known]) -> Result<Vec<String>, String> {
        verdict(left(), known, day.parse().unwrap())
    }

    #[test]
    fn what_is_left_is_told_unless_all_of_it_is_known() {
        let null = Known::new("/dev/null", "the log", Some("2027-01-31"));
        let pool = Known::new("`pool`", "joined by nobody", None);
        let text = on("2026-01-01", std::slice::from_ref(&null)).unwrap_err();
        assert!(text.contains("thread `pool`") && !text.contains("/dev/null"), "{text}");
        assert_eq!(on("2026-01-01", &[null, pool]), Ok(Vec::new()));
    }

    #[test]
    fn an_entry_whose_day_is_over_fails_by_name_and_one_without_use_is_told() {
        let all = Known::new("e", "everything", None);
        let gone = Known::new("socket", "gone", None);
        assert_eq!(
            on("2026-01-01", &[all.clone(), gone]),
            Ok(vec!["ignores nothing, and can go: socket (gone)".to_owned()])
        );
        let over = Known::new("/dev/null", "the log", Some("2025-12-31"));
        let text = on("2026-01-01", &[all, over]).unwrap_err();
        assert!(text.contains("its day is over: /dev/null (the log), until 2025-12-31"), "{text}");
    }
}
