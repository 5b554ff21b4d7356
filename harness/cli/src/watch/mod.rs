//! `watch`: a process that runs anyway, looked at from beside it.

mod lines;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use watertight::exit::Exit;
use watertight::runner::Stop;
use watertight::units::Time;
use watertight::watch::{Place, Seen, Watch, WatchError, page};

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
    Round { args, watch, stop, shared, began: Instant::now() }.play()
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

/// A watch while it goes on.
struct Round<'a> {
    args: &'a Args,
    watch: Watch,
    stop: Stop,
    shared: Arc<Mutex<Seen>>,
    began: Instant,
}

impl Round<'_> {
    fn play(mut self) -> Exit {
        let mut exit = self.tell_head();
        let mut misses = 0;
        let mut due = self.began;
        while exit == Exit::Clean && self.goes_on(due) {
            match self.look() {
                Ok(told) => (exit, misses) = (told, 0),
                Err(error) if error.may_pass() && misses + 1 < MISSES_MAX => {
                    misses += 1;
                    screen::err(&format!("no answer, {misses} of {MISSES_MAX}: {error}"));
                }
                Err(error) => exit = self.lost(&error),
            }
            due = (due + self.args.every.0).max(Instant::now());
        }
        exit.worse(self.tell_end())
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
        let seen = self.watch.seen();
        let text = if self.args.json { lines::json(seen) } else { lines::plain(seen) };
        Ok(screen::out(&text))
    }

    fn lost(&self, error: &WatchError) -> Exit {
        let lasted = watertight::report::figures::time(self.began.elapsed());
        screen::err(&format!("watched for {lasted}: {error}"));
        Exit::Inconclusive
    }

    fn tell_head(&self) -> Exit {
        match self.args.json {
            true => Exit::Clean,
            false => screen::out(&lines::head(self.watch.seen())),
        }
    }

    fn tell_end(&self) -> Exit {
        match self.args.json {
            true => Exit::Clean,
            false => screen::out(&lines::summary(self.watch.seen(), self.began.elapsed())),
        }
    }
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
