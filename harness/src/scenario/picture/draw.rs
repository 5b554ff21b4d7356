//! The picture itself, on so many columns.

use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::bars::{Row, rows};
use super::{PlannedCase, PlannedPeer};
use crate::units::Time;

/// Fewer columns show no bars; the picture is then wider than what it was given.
const CHART_COLUMNS_MIN: usize = 24;

/// More only draw the same out.
const COLUMNS_MAX: usize = 160;

/// What stands beside the lanes: names are cut to it.
const NAME_COLUMNS_MAX: usize = 14;

/// The part of the chart that the settling gets: nobody knows beforehand how long it takes.
const SETTLE_SHARE: usize = 4;

/// So many show the bound of the settling in words.
const REST_COLUMNS_MIN: usize = 21;

/// A picture's measures: columns of names, of faults, of the disturbance, of settling and watching together.
struct Frame {
    name: usize,
    fault: usize,
    disturbed: usize,
    rest: usize,
    lasts: Duration,
    color: bool,
}

/// Lanes with their faults, phases below, and who everybody is.
pub(super) fn picture(case: &PlannedCase, columns: usize, color: bool) -> String {
    let rows = rows(&case.plan);
    let frame = Frame::of(case, &rows, columns, color);
    let mut lines = vec![frame.axis()];
    let names = case.peers.iter().map(|peer| (peer.name.as_str(), peer.is_consumer));
    let parties = rows.iter().map(|row| (row.lane.as_str(), false));
    let mut seen = std::collections::BTreeSet::new();
    for (lane, is_load) in names.chain(parties).filter(|(lane, _)| seen.insert(*lane)) {
        lines.extend(frame.lane(lane, is_load, &rows));
    }
    lines.push(frame.phases(case));
    lines.push(String::new());
    lines.extend(case.peers.iter().map(|peer| clipped(&who(peer, frame.name), columns)));
    let lines: Vec<String> = lines.into_iter().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

fn who(peer: &PlannedPeer, columns: usize) -> String {
    let PlannedPeer { name, kind, instances, settings, .. } = peer;
    let role = if peer.is_consumer { "load: connects to the target" } else { "the target connects to it" };
    format!("  {}  {instances} × {kind} {settings}; {role}", padded(name, columns))
}

/// What fits into so many columns; whatever is left out is shown to be.
fn clipped(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    line.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

impl Frame {
    fn of(case: &PlannedCase, rows: &[Row], columns: usize, color: bool) -> Self {
        let widest =
            |names: &mut dyn Iterator<Item = &str>| names.map(|name| name.chars().count()).max().unwrap_or(0);
        let lanes = case.peers.iter().map(|peer| peer.name.as_str());
        let name = widest(&mut lanes.chain(rows.iter().map(|row| row.lane.as_str())));
        let name = name.clamp(4, NAME_COLUMNS_MAX);
        let fault = widest(&mut rows.iter().map(|row| row.fault)).clamp(4, NAME_COLUMNS_MAX);
        let chart = columns.min(COLUMNS_MAX).saturating_sub(name + fault + 6).max(CHART_COLUMNS_MIN);
        let rest = (chart / SETTLE_SHARE).max(REST_COLUMNS_MIN).min(chart / 2);
        let lasts = case.plan.disturbed_for;
        // Where nothing is disturbed, the settling is all there is.
        let disturbed = if lasts.is_zero() { 0 } else { chart - rest };
        Self { name, fault, disturbed, rest, lasts, color }
    }

    fn head(&self, name: &str, fault: &str) -> String {
        format!("  {}  {}  ", padded(name, self.name), padded(fault, self.fault))
    }

    /// Times along the disturbance: as many quarters as have room.
    fn axis(&self) -> String {
        let mut line = vec![' '; self.disturbed + self.rest];
        let mut free_from = 0;
        for quarter in 0..=4_u32 {
            let at = self.disturbed * quarter as usize / 4;
            let label = Time(round(self.lasts * quarter / 4)).to_string();
            if at >= free_from && at + label.chars().count() <= line.len() {
                for (column, letter) in (at..).zip(label.chars()) {
                    line[column] = letter;
                }
                free_from = at + label.chars().count() + 1;
            }
        }
        format!("{}{}", self.head("", ""), line.into_iter().collect::<String>())
    }

    /// A lane: a row for each kind of fault on it, or a quiet one.
    fn lane(&self, lane: &str, is_load: bool, rows: &[Row]) -> Vec<String> {
        let ground = if is_load { '░' } else { '·' };
        let rest = ground.to_string().repeat(self.rest);
        let mine: Vec<&Row> = rows.iter().filter(|row| row.lane == lane).collect();
        if mine.is_empty() {
            let quiet = ground.to_string().repeat(self.disturbed + self.rest);
            return vec![format!("{}{}", self.head(lane, ""), self.paint(ground_style(), &quiet))];
        }
        let line = |(number, row): (usize, &&Row)| {
            let name = if number == 0 { lane } else { "" };
            let bars: String = (0..self.disturbed).map(|column| self.cell(row, column, ground)).collect();
            format!(
                "{}{}{}",
                self.head(name, row.fault),
                self.bars(&bars, ground),
                self.paint(ground_style(), &rest)
            )
        };
        mine.iter().enumerate().map(line).collect()
    }

    fn cell(&self, row: &Row, column: usize, ground: char) -> char {
        let at = |column: usize| self.lasts.mul_f64(column as f64 / self.disturbed as f64);
        match row.within(at(column), at(column + 1)) {
            (_, moments @ 1..=9) => char::from_digit(moments as u32, 10).unwrap_or('9'),
            (_, 10..) => '+',
            (share, 0) if share > 0.66 => '█',
            (share, 0) if share > 0.0 => '▒',
            _ => ground,
        }
    }

    /// `├ storm 20s ────┤├ settle ≤60s ─┤├ watch 2s ┤`.
    fn phases(&self, case: &PlannedCase) -> String {
        let column = |at: Duration| {
            let share = at.as_secs_f64() / self.lasts.as_secs_f64().max(f64::MIN_POSITIVE);
            (self.disturbed as f64 * share).round() as usize
        };
        let mut line = String::new();
        for phase in &case.plan.phases {
            let columns = column(phase.to).saturating_sub(column(phase.from));
            line += &span(&format!("{} {}", phase.name, Time(round(phase.to - phase.from))), columns);
        }
        let settle = &case.plan.settle;
        let watch = self.rest / 4;
        line += &span(&format!("{} ≤{}", settle.name, Time(settle.within)), self.rest - watch);
        line += &span(&Time(settle.watch).to_string(), watch);
        format!(
            "{}{}",
            self.head("", ""),
            self.paint(Style::new().fg_color(Some(AnsiColor::Cyan.into())), &line)
        )
    }

    /// Bars in one colour, the ground between them in another.
    fn bars(&self, bars: &str, ground: char) -> String {
        if !self.color {
            return bars.to_owned();
        }
        let letters: Vec<char> = bars.chars().collect();
        let runs = letters.chunk_by(|a, b| (*a == ground) == (*b == ground));
        runs.map(|run| {
            let style = if run[0] == ground { ground_style() } else { fault_style() };
            self.paint(style, &run.iter().collect::<String>())
        })
        .collect()
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

fn ground_style() -> Style {
    Style::new().dimmed()
}

fn fault_style() -> Style {
    Style::new().fg_color(Some(AnsiColor::Red.into()))
}

/// Exactly so many columns, from `├` to `┤`, with as much of the words as fits.
fn span(words: &str, columns: usize) -> String {
    match columns {
        0 => String::new(),
        1 => "│".to_owned(),
        _ => {
            let inside = columns - 2;
            let words: String = format!(" {words} ").chars().take(inside).collect();
            let words = if words.trim().is_empty() || inside < 3 { String::new() } else { words };
            let line = "─".repeat(inside - words.chars().count());
            format!("├{words}{line}┤")
        }
    }
}

fn padded(name: &str, columns: usize) -> String {
    let name: String = name.chars().take(columns).collect();
    format!("{name:<columns$}")
}

/// To the millisecond: what is drawn is no finer.
fn round(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::chaos::Fault;
    use crate::scenario::plan::{Plan, PlannedEvent, PlannedPhase, Settling};
    use crate::seed::Seed;

    const SECOND: Duration = Duration::from_secs(1);

    fn case(faults: &[&str]) -> PlannedCase {
        let lasts = 20 * SECOND;
        let mut events = Vec::new();
        for (index, yaml) in faults.iter().enumerate() {
            let fault: Arc<Fault> = Arc::new(serde_saphyr::from_str(yaml).expect("a fault"));
            let id = fault.id(index, Seed(7));
            events.extend(fault.compile(index, lasts, Seed(7)).into_iter().map(|(at, change)| {
                PlannedEvent {
                    at,
                    phase: 0,
                    link: fault.link().map(str::to_owned),
                    fault: Arc::clone(&fault),
                    id,
                    change,
                }
            }));
        }
        let settle = Settling {
            name: "settle".into(),
            within: 60 * SECOND,
            until: BTreeMap::new(),
            watch: 2 * SECOND,
        };
        let phases = vec![PlannedPhase { name: "storm".into(), from: Duration::ZERO, to: lasts }];
        let peer = |name: &str, kind: &str, is_consumer| PlannedPeer {
            name: name.into(),
            kind: kind.into(),
            instances: 2,
            is_consumer,
            settings: "{ count: 2 }".into(),
        };
        let peers = vec![peer("browser", "sse", true), peer("plc", "s7", false)];
        let plan = Plan { cycle: 0, phases, events, disturbed_for: lasts, settle };
        PlannedCase { name: "sim::storm".into(), seed: Seed(7), peers, plan }
    }

    #[test]
    fn bars_stand_where_the_fault_is_at_work() {
        let case = case(&["blackhole: { link: plc, at: 5s, for: 10s }", "kill: { at: 10s }"]);
        let drawn = picture(&case, 66, false);
        let row = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.contains(name)).expect("the row is there").to_owned();
            line.chars().filter(|letter| "·█▒░".contains(*letter)).collect::<String>()
        };
        let plc = row(&drawn, "blackhole");
        let bar = plc.trim_matches('·');
        assert!(bar.chars().all(|letter| "█▒".contains(letter)), "{drawn}");
        let from = plc.chars().take_while(|letter| *letter == '·').count();
        let phases = drawn.lines().find(|line| line.contains("storm 20s")).expect("phases are drawn");
        let storm =
            phases.chars().skip_while(|letter| *letter != '├').take_while(|letter| *letter != '┤').count()
                + 1;
        assert!(from.abs_diff(storm / 4) <= 1, "a quarter of the way: {drawn}");
        assert!(row(&drawn, "browser").chars().all(|letter| letter == '░'), "{drawn}");
        assert!(
            drawn.lines().any(|line| line.contains("target") && line.contains("kill") && line.contains('1')),
            "{drawn}"
        );
        assert!(drawn.contains("├ storm 20s ─") && drawn.contains("├ settle"), "{drawn}");
    }

    #[test]
    fn it_fits_narrow_and_wide_terminals_and_is_plain_unless_colour_is_wanted() {
        let case = case(&[
            "flap: { link: plc, up: 3s, down: 2s }",
            "storm: { link: browser, conns: 40, over: 10s }",
        ]);
        for columns in [60, 80, 120, 200, usize::MAX] {
            let drawn = picture(&case, columns, false);
            let widest = drawn.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            assert!(widest <= columns.min(COLUMNS_MAX), "{columns}: {drawn}");
            assert!(!drawn.contains('\u{1b}'), "no escape codes");
        }
        assert!(picture(&case, 80, true).contains('\u{1b}'));
    }

    #[test]
    fn a_cycle_without_disturbance_is_a_settling_alone() {
        let mut quiet = case(&[]);
        quiet.plan.phases.clear();
        quiet.plan.disturbed_for = Duration::ZERO;
        let drawn = picture(&quiet, 80, false);
        assert!(drawn.contains("settle") && drawn.contains("browser"), "{drawn}");
    }
}
