//! Draws the state: title, curve of the chosen resource, a line for each, what goes on, keys. Pure.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Axis, Block, Cell, Chart, Dataset, GraphType, LineGauge, Paragraph, Row as TableRow, Table, Wrap,
};
use watertight::report::figures::time;

use super::state::{Row, State, Tone};

/// Lines of the part below the table.
const NEWS_LINES: u16 = 6;

/// A curve is not drawn lower than this.
const CURVE_LINES_MIN: u16 = 6;

/// A picture of `state`.
pub fn draw(state: &State, frame: &mut Frame<'_>) {
    let table_lines = state.rows.len() as u16 + 3;
    let gauge_lines = u16::from(state.lasts.is_some());
    let [title, gauge, curve, table, news, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(gauge_lines),
        Constraint::Min(CURVE_LINES_MIN),
        Constraint::Length(table_lines),
        Constraint::Length(NEWS_LINES),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_title(state, frame, title);
    draw_gauge(state, frame, gauge);
    draw_curve(state, frame, curve);
    draw_table(state, frame, table);
    draw_news(state, frame, news);
    draw_foot(state, frame, foot);
}

fn draw_title(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let place = state.place.map(|(page, of)| format!(" ({page} of {of})")).unwrap_or_default();
    let left = format!(" {} · {}{place}", state.doing, state.title);
    let right = format!("{} · {} ", state.progress, time(whole_seconds(state)));
    let room = usize::from(area.width).saturating_sub(left.chars().count() + right.chars().count());
    let text = if room == 0 { left } else { format!("{left}{}{right}", " ".repeat(room)) };
    frame.render_widget(
        Line::from(text).style(Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)),
        area,
    );
}

/// A clock that shows parts of seconds is restless.
fn whole_seconds(state: &State) -> std::time::Duration {
    std::time::Duration::from_secs(state.elapsed.as_secs())
}

fn draw_gauge(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let Some(lasts) = state.lasts else { return };
    let ratio = state.elapsed.as_secs_f64() / lasts.as_secs_f64().max(f64::MIN_POSITIVE);
    let left = lasts.saturating_sub(whole_seconds(state));
    let gauge = LineGauge::default()
        .ratio(ratio.clamp(0.0, 1.0))
        .label(format!("{} left", time(left)))
        .filled_style(Style::new().fg(Color::Cyan));
    frame.render_widget(gauge, area);
}

fn draw_curve(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let Some(row) = state.rows.get(state.selected()) else {
        frame.render_widget(Paragraph::new("nothing measured yet").block(framed("")), area);
        return;
    };
    let points: Vec<(f64, f64)> =
        row.curve.buckets().iter().enumerate().map(|(at, floor)| (at as f64, *floor as f64)).collect();
    let [low, high] = bounds(row.curve.buckets());
    let label = |at: f64| Span::from(row.figure(at.max(0.0).round() as u64));
    let ends = [Span::from("0"), Span::from(time(whole_seconds(state)))];
    let last = points.len().saturating_sub(1).max(1) as f64;
    let dataset = Dataset::default()
        .marker(Marker::Braille)
        .graph_type(GraphType::Line)
        .style(color(row.tone))
        .data(&points);
    let chart = Chart::new(vec![dataset])
        .block(framed(curve_title(row, state.is_paused())))
        .x_axis(Axis::default().bounds([0.0, last]).labels(ends).style(Style::new().dim()))
        .y_axis(
            Axis::default()
                .bounds([low, high])
                .labels([label(low), label(f64::midpoint(low, high)), label(high)])
                .style(Style::new().dim()),
        );
    frame.render_widget(chart, area);
}

fn curve_title(row: &Row, paused: bool) -> String {
    let now = row.now.map(|now| format!(" {} now", row.figure(now))).unwrap_or_default();
    let floor = row.floor.map(|floor| format!(", floor {}", row.figure(floor))).unwrap_or_default();
    let word = if row.word.is_empty() { String::new() } else { format!(" · {}", row.word) };
    let paused = if paused { " · paused, `p` goes on" } else { "" };
    format!(" {}:{now}{floor}{word}{paused} ", row.name())
}

/// Room above and below; a figure that hardly moves is not drawn as if it did.
fn bounds(floors: &[i64]) -> [f64; 2] {
    let low = floors.iter().min().copied().unwrap_or_default() as f64;
    let high = floors.iter().max().copied().unwrap_or_default() as f64;
    let span = (high - low).max(high * 0.05).max(4.0);
    let middle = f64::midpoint(low, high);
    let low = (middle - span * 0.6).max(0.0);
    [low, low + span * 1.2]
}

fn draw_table(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let head = TableRow::new(["", "resource", "now", "floor", "growth", "so far"]).style(Style::new().dim());
    let rows = state.rows.iter().enumerate().map(|(at, row)| table_row(row, at == state.selected()));
    let widths = [
        Constraint::Length(1),
        Constraint::Length(11),
        Constraint::Length(11),
        Constraint::Length(11),
        Constraint::Length(15),
        Constraint::Min(12),
    ];
    frame.render_widget(Table::new(rows, widths).header(head).block(framed("")), area);
}

fn table_row(row: &Row, is_selected: bool) -> TableRow<'_> {
    let figure = |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), |figure| row.figure(figure));
    let cells = [
        Cell::from(if is_selected { "▸" } else { " " }),
        Cell::from(row.name()),
        Cell::from(figure(row.now)),
        Cell::from(figure(row.floor)),
        Cell::from(row.growth.as_str()),
        Cell::from(row.word.as_str()).style(color(row.tone)),
    ];
    let style = if is_selected { Style::new().bold() } else { Style::new() };
    TableRow::new(cells).style(style)
}

fn draw_news(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let left_share = if state.notes().next().is_some() { 60 } else { 100 };
    let [left, right] =
        Layout::horizontal([Constraint::Percentage(left_share), Constraint::Fill(1)]).areas(area);
    let now = Paragraph::new(now_lines(state)).block(framed(" now ")).wrap(Wrap { trim: false });
    frame.render_widget(now, left);
    if left_share < 100 {
        let notes: Vec<Line<'_>> = state.notes().map(Line::from).collect();
        frame.render_widget(Paragraph::new(notes).block(framed(" notes ")).wrap(Wrap { trim: true }), right);
    }
}

fn now_lines(state: &State) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    if let Some(phase) = &state.phase {
        lines.push(Line::from(vec!["phase ".dim(), Span::from(phase.name.as_str()).bold()]));
        let faults = if phase.faults.is_empty() { "none".to_owned() } else { phase.faults.join(", ") };
        let style = if phase.faults.is_empty() { Style::new() } else { color(Tone::Wary) };
        lines.push(Line::from(vec!["faults ".dim(), Span::styled(faults, style)]));
    }
    lines.extend(state.details.iter().map(|line| Line::from(line.as_str())));
    lines
}

fn draw_foot(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let keys = match state.place {
        Some(_) => " q end  p pause  ↑↓ choose  ←→ case  ",
        None => " q end  p pause  ↑↓ choose  ",
    };
    let line = Line::from(vec![Span::from(keys).bold(), Span::from(state.caution).dim()]);
    frame.render_widget(line, area);
}

fn framed<'t>(title: impl Into<Line<'t>>) -> Block<'t> {
    Block::bordered().border_style(Style::new().dim()).title(title)
}

/// The terminal's own colours, which its owner has chosen to be readable; the word says the same.
const fn color(tone: Tone) -> Style {
    match tone {
        Tone::Quiet => Style::new(),
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Wary => Style::new().fg(Color::Yellow),
        Tone::Bad => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::state::tests::watching;
    use super::super::state::{Phase, State};
    use super::*;

    fn picture(state: &State, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("it draws into memory");
        terminal.draw(|frame| draw(state, frame)).expect("it draws into memory");
        terminal.backend().to_string()
    }

    #[test]
    fn a_watch_fits_a_small_screen() {
        insta::assert_snapshot!(picture(&watching(), 80, 24));
    }

    #[test]
    fn a_soak_shows_phase_and_faults_on_a_large_one() {
        let mut state = watching();
        state.doing = "soak";
        state.title = "reconnect-storm plcs=1 · process".to_owned();
        state.progress = "cycle 12 of 28".to_owned();
        state.lasts = Some(std::time::Duration::from_secs(1200));
        state.phase = Some(Phase {
            name: "storm".to_owned(),
            faults: vec!["flap plc".to_owned(), "storm browser".to_owned()],
        });
        insta::assert_snapshot!(picture(&state, 120, 40));
    }

    #[test]
    fn nothing_yet_and_no_room_are_drawn_too() {
        for (width, height) in [(80, 24), (20, 5), (1, 1)] {
            picture(&State::default(), width, height);
            picture(&watching(), width, height);
        }
    }

    #[test]
    fn a_level_curve_is_not_blown_up() {
        let [low, high] = bounds(&[1000, 1001, 1000]);
        assert!(high - low >= 50.0, "{low} to {high}");
        assert_eq!(bounds(&[0, 0])[0], 0.0);
    }
}
