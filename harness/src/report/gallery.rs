//! The gallery as a table for a terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::figures;
use super::terminal::{Look, lay_out};
use crate::gallery::{Defect, Matrix, Quiet, QuietKind};
use crate::scenario::model::EngineKind;

/// The matrix, what must be looked at, and one line that sums up.
pub fn text(matrix: &Matrix, look: Look) -> String {
    let mut out = table(&matrix.defects, look);
    out.push('\n');
    for quiet in matrix.quiet.iter().filter(|quiet| quiet.outcome > crate::verdict::Outcome::Saturating) {
        let _ = writeln!(out, "{}\n", not_quiet(quiet));
    }
    for engine in matrix.engines() {
        let _ = writeln!(out, "{}", summary(matrix, engine));
    }
    let _ = writeln!(out, "in {} (exit {})", figures::time(matrix.wall_time), matrix.exit() as u8);
    out
}

fn table(defects: &[Defect], look: Look) -> String {
    let head = ["defect", "engine", "found", "resource", "line", "cycles", "after", "took"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(defects.iter().map(row));
    lay_out(&rows, &[5, 6, 7], look, |row, column| match (row, column) {
        (0, _) => Style::new().dimmed(),
        (row, 2..=4) if !defects[row - 1].is_as_declared() => AnsiColor::Red.on_default(),
        (_, 2..=4) => AnsiColor::Green.on_default(),
        _ => Style::new(),
    })
}

fn row(defect: &Defect) -> Vec<String> {
    let yes = |holds: bool| if holds { "yes" } else { "no" }.to_owned();
    vec![
        defect.scenario.clone(),
        defect.engine.name().to_owned(),
        if defect.found { figures::outcome(defect.outcome).to_owned() } else { "no".to_owned() },
        yes(defect.resource),
        defect.line.map_or_else(|| "-".to_owned(), yes),
        defect.cycles.map_or_else(|| "-".to_owned(), |cycles| figures::grouped(cycles as u64)),
        defect.after.map_or_else(|| "-".to_owned(), figures::time),
        figures::time(defect.took),
    ]
}

fn not_quiet(quiet: &Quiet) -> String {
    let what = match quiet.kind {
        QuietKind::Healthy => "the healthy twin",
        QuietKind::Harmless => "harmless",
    };
    let said = if quiet.is_alarm() { "FALSE ALARM" } else { "no result" };
    let Quiet { scenario, headline, replay, .. } = quiet;
    let (engine, outcome) = (quiet.engine.name(), figures::outcome(quiet.outcome));
    format!("{said}  {engine}::{scenario}, {what}: {outcome}\n  {headline}\n  replay  {replay}")
}

/// What one engine came to: `sim: found 30 of 30, …`.
pub fn summary(matrix: &Matrix, engine: EngineKind) -> String {
    let rows: Vec<&Defect> = matrix.in_engine(engine).collect();
    let count = |holds: fn(&&&Defect) -> bool| rows.iter().filter(holds).count();
    let declared_lines = count(|row| row.line.is_some());
    let quiet: Vec<&Quiet> = matrix.quiet.iter().filter(|quiet| quiet.engine == engine).collect();
    let alarms = quiet.iter().filter(|quiet| quiet.is_alarm()).count();
    let median = matrix.median_cycles(engine);
    let median = median.map_or_else(String::new, |cycles| format!(", in {cycles} cycles (median)"));
    format!(
        "{}: found {} of {all}{median}; the declared resource {} of {all}, the declared line {} of {declared_lines}; {alarms} \
         false alarms in {} quiet runs",
        engine.name(),
        count(|row| row.found),
        count(|row| row.resource),
        count(|row| row.line == Some(true)),
        quiet.len(),
        all = rows.len(),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::{DeclaredLeak, fixtures};
    use crate::resource::Resource;

    #[test]
    fn a_matrix_with_a_miss_and_a_false_alarm() {
        let declared = |case, grows: bool| {
            let mut case = fixtures::expecting(case, "leak of tasks at heartbeat.rs", grows);
            let leak = DeclaredLeak {
                resource: Resource::Tasks,
                site: "heartbeat.rs".to_owned(),
                grows,
                named: grows,
            };
            case.expected.as_mut().expect("declared").leak = Some(leak);
            case
        };
        let defects =
            [declared(fixtures::task_leak(), true), declared(fixtures::clean("d99-nothing"), false)];
        let healthy = [fixtures::clean("heartbeat-outlives-connection"), fixtures::heap_leak()];
        let matrix = Matrix::of(&defects, &healthy, &[], Duration::from_secs(3));
        insta::assert_snapshot!(text(&matrix, Look::plain(120)));
    }
}
