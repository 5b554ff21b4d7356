//! What a watch shows on a terminal.

use watertight::report::figures::{bytes, grouped, signed, signed_bytes};
use watertight::resource::Resource;
use watertight::watch::{Details, Floors, Seen, Trend};

use crate::live::{State, Tone};

/// As short as the last line of a small screen wants it.
const CAUTION: &str = "a trend is no verdict: only cycles can be judged";

/// The view before the first look.
pub fn begin(seen: &Seen, lasts: Option<std::time::Duration>) -> State {
    let mut state = State::of("watch", seen.target.clone(), CAUTION);
    state.progress = format!("every {}", watertight::report::figures::time(seen.every));
    state.lasts = lasts;
    state
}

/// Takes the last look into `state`.
pub fn look(state: &mut State, seen: &Seen) {
    let Some(latest) = &seen.latest else { return };
    state.elapsed = latest.after;
    for (resource, floors) in seen.floors() {
        let row = state.row(resource);
        latest.census.count(resource).into_iter().for_each(|figure| row.note(figure));
        row.floor = floors.floor();
        row.growth = growth(resource, seen, floors);
        row.word = format!("{} {}", floors.trend().sign(), floors.trend().word());
        row.tone = tone(floors.trend());
    }
    state.details = details(&latest.details, latest.census.heap_bytes);
}

fn growth(resource: Resource, seen: &Seen, floors: &Floors) -> String {
    let growth = seen.growth_per_hour(floors);
    match (floors.trend(), resource) {
        (Trend::Early | Trend::Level, _) => String::new(),
        (_, Resource::Rss) => format!("{}/h", signed_bytes(growth)),
        _ => format!("{}/h", signed(growth)),
    }
}

/// A rise is worth a look; it is not bad, since nobody knows whether the process is at rest.
const fn tone(trend: Trend) -> Tone {
    match trend {
        Trend::Early => Tone::Quiet,
        Trend::Level | Trend::Falling => Tone::Good,
        Trend::Rising | Trend::Slowing => Tone::Wary,
    }
}

fn details(details: &Details, heap_bytes: Option<u64>) -> Vec<String> {
    let list = |name: &str, counts: Vec<String>| {
        (!counts.is_empty()).then(|| format!("{name}  {}", counts.join("  ")))
    };
    let kinds = details.fds_by_kind.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let mut states: Vec<String> =
        details.tcp.iter().map(|(state, count)| format!("{state} {count}")).collect();
    let waiting = details.tcp_time_wait.filter(|waiting| *waiting > 0);
    states.extend(waiting.map(|waiting| format!("(TIME-WAIT of all: {waiting})")));
    let heap = heap_bytes.map(|live| format!("heap  {}", bytes(live)));
    let sites = details.sites.iter().map(|site| {
        format!("{:>10} in {:>6}  {}", bytes(site.live_bytes), grouped(site.live_blocks), site.place)
    });
    [list("fds", kinds), list("tcp", states), heap].into_iter().flatten().chain(sites).collect()
}
