//! `watch`: a process that runs anyway, looked at from beside it.

mod lines;
mod view;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use watertight::exit::Exit;
use watertight::runner::Stop;
use watertight::units::Time;
use watertight::watch::{Place, Seen, Watch, WatchError, page};

use crate::live::{self, Live};
use crate::run::fail;
use crate::{screen, serve};

const EXAMPLES: &str = "\
Examples:
  watertight watch $(pgrep -o redis-server)
      A process in any language, from outside: memory, descriptors by kind, threads, TCP states.
  watertight watch http://127.0.0.1:9977 --for 10m
      A process with watertight's probe, from inside: heap, tasks, its own figures, the places that hold most.
  watertight watch 4711 --export 127.0.0.1:9464
      Beside a service, for Prometheus: /metrics. Any other address needs a token in WATERTIGHT_EXPORT_TOKEN.
  watertight watch 4711 --json | jq .rss_bytes
      One line of JSON a look.

A probe that wants a token gets the one in WATERTIGHT_PROBE_TOKEN.

Exit codes: 0 when the time is over or it is told to end (q, Ctrl-C), 2 when there is nobody to watch or it is not permitted,
3 when who is watched ends or does not answer.";

/// The arguments of `watch`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A process of this machine, or the address of a probe
    #[arg(value_name = "PID|URL")]
    place: Place,
    /// From one look to the next
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_every)]
    every: Time,
    /// End after this time [default: with who is watched]
    #[arg(long = "for", value_name = "TIME")]
    lasts: Option<Time>,
    /// Serve what is seen as metrics, on this address
    #[arg(long, value_name = "ADDR")]
    export: Option<SocketAddr>,
    /// One line of JSON a look
    #[arg(long)]
    json: bool,
    /// One line of text a look, also on a terminal
    #[arg(long, conflicts_with = "json")]
    plain: bool,
}

/// Looking more often would cost the one who is watched.
const EVERY_MIN: Duration = Duration::from_millis(50);

fn parse_every(text: &str) -> Result<Time, String> {
    let time: Time = text.parse().map_err(|error: watertight::units::UnitError| error.to_string())?;
    if time.0 < EVERY_MIN {
        return Err(format!("expected at least 50ms, found `{text}`: more looks would load who is watched"));
    }
    Ok(time)
}

/// A probe that does not answer so often in a row is gone.
const MISSES_MAX: u32 = 5;

/// How often the wish to end is looked for; no more than a person notices.
const STOP_POLL: Duration = Duration::from_millis(100);

/// Watches as told.
pub fn watch(args: &Args) -> Exit {
    let token = std::env::var(watertight_probe::serve::TOKEN_VARIABLE).ok();
    let watch = match Watch::open(&args.place, token.as_deref(), args.every.0) {
        Ok(watch) => watch,
        Err(error) => return fail(of_refusal(&error), &error),
    };
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => return fail(Exit::Harness, &error),
    };
    let shared = Arc::new(Mutex::new(watch.seen().clone()));
    if let Err(error) = args.export.map_or(Ok(()), |address| export(address, &shared)) {
        return fail(Exit::Usage, &error);
    }
    let shown = match Shown::of(args, watch.seen(), &stop) {
        Ok(shown) => shown,
        Err(error) => return fail(Exit::Harness, &error),
    };
    Round { args, watch, stop, shared, shown, began: Instant::now() }.play()
}

/// One that does not answer may do so in a minute; nothing else gets better by waiting.
const fn of_refusal(error: &WatchError) -> Exit {
    if error.may_pass() { Exit::Inconclusive } else { Exit::Usage }
}

fn export(address: SocketAddr, seen: &Arc<Mutex<Seen>>) -> Result<(), serve::ServeError> {
    let seen = Arc::clone(seen);
    let pages = move |format| page(&seen.lock().unwrap_or_else(PoisonError::into_inner), format);
    let place = serve::metrics(address, serve::token(), pages)?;
    screen::err(&format!("metrics at http://{place}/metrics"));
    Ok(())
}

/// Where looks are shown.
enum Shown {
    Plain,
    Json,
    Live(Live),
}

impl Shown {
    fn of(args: &Args, seen: &Seen, stop: &Stop) -> std::io::Result<Self> {
        match args {
            Args { json: true, .. } => Ok(Self::Json),
            Args { plain: false, .. } if live::has_terminal() => {
                Live::show(vec![view::begin(seen, args.lasts.map(|lasts| lasts.0))], stop, "").map(Self::Live)
            }
            _ => Ok(Self::Plain),
        }
    }

    fn look(&self, seen: &Seen) -> Exit {
        match self {
            Self::Plain => screen::out(&lines::plain(seen)),
            Self::Json => screen::out(&lines::json(seen)),
            Self::Live(live) => {
                live.change(0, |state| view::look(state, seen));
                Exit::Clean
            }
        }
    }

    /// Something went wrong, and the watch goes on.
    fn missed(&self, said: String) {
        match self {
            Self::Live(live) => live.change(0, |state| state.note(said)),
            _ => screen::err(&said),
        }
    }
}

/// A watch while it goes on.
struct Round<'a> {
    args: &'a Args,
    watch: Watch,
    stop: Stop,
    shared: Arc<Mutex<Seen>>,
    shown: Shown,
    began: Instant,
}

impl Round<'_> {
    fn play(mut self) -> Exit {
        let mut exit = match self.shown {
            Shown::Plain => screen::out(&lines::head(self.watch.seen())),
            _ => Exit::Clean,
        };
        let lost = self.play_looks(&mut exit);
        let is_json = matches!(self.shown, Shown::Json);
        // The terminal is as it was before anything is printed.
        drop(self.shown);
        if !is_json {
            exit = exit.worse(screen::out(&lines::summary(self.watch.seen(), self.began.elapsed())));
        }
        exit.worse(lost.map_or(Exit::Clean, |error| tell_lost(&error, self.began.elapsed())))
    }

    /// Looks until it is over; why it cannot go on, if that is so.
    fn play_looks(&mut self, exit: &mut Exit) -> Option<WatchError> {
        let mut misses = 0;
        let mut due = self.began;
        while *exit == Exit::Clean && self.goes_on(due) {
            match self.look() {
                Ok(told) => (*exit, misses) = (told, 0),
                Err(error) if error.may_pass() && misses + 1 < MISSES_MAX => {
                    misses += 1;
                    self.shown.missed(format!("no answer, {misses} of {MISSES_MAX}: {error}"));
                }
                Err(error) => return Some(error),
            }
            due = (due + self.args.every.0).max(Instant::now());
        }
        None
    }

    /// Waits for the next look; `false`: there is to be none.
    fn goes_on(&self, due: Instant) -> bool {
        let end = self.args.lasts.map(|Time(lasts)| self.began + lasts);
        loop {
            let now = Instant::now();
            if self.stop.is_requested() || end.is_some_and(|end| now > end) {
                return false;
            }
            let left = due.saturating_duration_since(now);
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(STOP_POLL));
        }
    }

    fn look(&mut self) -> Result<Exit, WatchError> {
        let looked = self.watch.look();
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone_from(self.watch.seen());
        looked?;
        Ok(self.shown.look(self.watch.seen()))
    }
}

fn tell_lost(error: &WatchError, lasted: Duration) -> Exit {
    screen::err(&format!("after {}: {error}", watertight::report::figures::time(lasted)));
    Exit::Inconclusive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_have_a_least_distance() {
        assert!(parse_every("50ms").is_ok());
        assert!(parse_every("10ms").is_err_and(|error| error.contains("at least 50ms")));
        assert!(parse_every("1").is_err_and(|error| error.starts_with("expected a time with its unit")));
    }
}
