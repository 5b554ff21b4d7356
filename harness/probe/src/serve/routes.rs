//! What each request does.

use std::sync::PoisonError;
use std::time::Duration;

use serde::Serialize;

use super::Server;
use super::http::{Answer, Request};
use crate::tasks::DumpError;
use crate::{Canary, Tenant, fds, frames, heap, plant, snapshot, tasks};

/// Stacks resolved in one answer.
const STACKS_MAX: usize = 1000;
/// Bytes of one planted block.
const PLANT_BYTES_MAX: usize = 1 << 20;
/// Tasks or fds planted by one request.
const PLANTS_MAX: usize = 1000;
/// The longest that a dump may stop the runtime.
const DUMP_WITHIN_MAX: Duration = Duration::from_secs(30);
const DUMP_WITHIN_DEFAULT: Duration = Duration::from_secs(2);

/// The listener, and the connection that asks.
const OWN_FDS: u64 = 2;
const OWN_THREADS: u64 = 1;

pub(super) fn answer(request: &Request, server: &Server) -> Answer {
    if !may_ask(request.bearer.as_deref(), server.token.as_deref()) {
        return Answer::refusal(401, "send the header `Authorization: Bearer TOKEN`");
    }
    route(request, server).unwrap_or_else(|refusal| refusal)
}

fn route(request: &Request, server: &Server) -> Result<Answer, Answer> {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/snapshot") => json(&snapshot_without_server(server)),
        ("GET", "/sites") => {
            json(&snapshot::sites(number(request, "min_blocks", 0)?, &numbers(request, "ids")?))
        }
        ("GET", "/stacks") => json(&stacks(request)?),
        ("GET", "/tasks") => json(&tasks::live()),
        ("GET", "/fds") => {
            json(&fds::census(None).map_err(|error| Answer::refusal(503, &error.to_string()))?)
        }
        ("POST", "/dump") => dump(request, server),
        ("POST", "/trim") => json(&heap::trim()),
        ("POST", "/plant") => plant_asked(request, server),
        ("POST", "/canary") => canary(request, server),
        (_, "/dump" | "/trim" | "/plant" | "/canary") => {
            Err(Answer::refusal(405, "this changes the process: use POST"))
        }
        (_, "/snapshot" | "/sites" | "/stacks" | "/tasks" | "/fds") => Err(Answer::refusal(405, "use GET")),
        _ => Err(Answer::refusal(
            404,
            "there are /snapshot, /sites, /stacks, /tasks, /fds, /dump, /trim, /plant and /canary",
        )),
    }
}

/// Takes as long whatever the token's first wrong character is.
fn may_ask(bearer: Option<&str>, token: Option<&str>) -> bool {
    let Some(token) = token else { return true };
    let bearer = bearer.unwrap_or_default();
    let differs = bearer.bytes().zip(token.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    bearer.len() == token.len() && differs == 0
}

fn snapshot_without_server(server: &Server) -> snapshot::Snapshot {
    let mut snapshot = snapshot::take();
    // Without a ledger tokio's own count remains, of the one runtime known.
    let alive = || Some(server.runtime()?.metrics().num_alive_tasks() as u64);
    snapshot.tasks = snapshot.tasks.or_else(alive);
    snapshot.fds = snapshot.fds.map(|fds| fds.saturating_sub(OWN_FDS));
    snapshot.threads = snapshot.threads.map(|threads| threads.saturating_sub(OWN_THREADS));
    snapshot
}

fn stacks(request: &Request) -> Result<snapshot::Stacks, Answer> {
    let ids = numbers(request, "ids")?;
    if ids.is_empty() || ids.len() > STACKS_MAX {
        return Err(Answer::refusal(400, "`ids` must list 1 to 1000 sites, as in /stacks?ids=2,3"));
    }
    let stacks = frames::resolve(ids);
    frames::forget();
    Ok(stacks)
}

fn dump(request: &Request, server: &Server) -> Result<Answer, Answer> {
    let within = match number(request, "within_ms", 0)? {
        0 => DUMP_WITHIN_DEFAULT,
        millis => Duration::from_millis(millis).min(DUMP_WITHIN_MAX),
    };
    let runtime = server.runtime().ok_or_else(no_runtime)?;
    let dumped = tasks::dump(&runtime, within);
    frames::forget();
    match dumped {
        Ok(tasks) => json(&tasks),
        Err(error @ DumpError::TimedOut { .. }) => Err(Answer::refusal(504, &error.to_string())),
        Err(error) => Err(Answer::refusal(503, &error.to_string())),
    }
}

fn canary(request: &Request, server: &Server) -> Result<Answer, Answer> {
    let runtime = server.runtime().ok_or_else(no_runtime)?;
    let hold = number(request, "hold", 0)? > 0;
    let mut held = server.canary.lock().unwrap_or_else(PoisonError::into_inner);
    drop(held.take());
    if hold {
        // What nobody in particular holds is the target's at large.
        let canary = Canary::hold(Tenant::NONE, &runtime);
        *held = Some(canary.map_err(|error| Answer::refusal(503, &format!("no canary to hold: {error}")))?);
    }
    json(&hold)
}

fn plant_asked(request: &Request, server: &Server) -> Result<Answer, Answer> {
    let too_many = || Answer::refusal(400, "at most heap=1048576, task=1000 and fd=1000");
    let asked = |name, most: usize| {
        let found = usize::try_from(number(request, name, 0)?).map_err(|_| too_many())?;
        if found > most { Err(too_many()) } else { Ok(found) }
    };
    let (bytes, tasks, fds) =
        (asked("heap", PLANT_BYTES_MAX)?, asked("task", PLANTS_MAX)?, asked("fd", PLANTS_MAX)?);
    let runtime = (tasks > 0).then(|| server.runtime().ok_or_else(no_runtime)).transpose()?;
    // A plant is to be counted: it must not be the probe's.
    let owner = request.parameter("tenant").map_or(Tenant::NONE, |name| Tenant::NONE.part(name));
    let on_behalf = owner.enter();
    if bytes > 0 {
        plant::heap(bytes);
    }
    for runtime in runtime.iter().cycle().take(tasks) {
        plant::task_on(runtime);
    }
    for _ in 0..fds {
        plant::fd().map_err(|error| Answer::refusal(503, &format!("no fd to plant: {error}")))?;
    }
    // The answer is the probe's again.
    drop(on_behalf);
    json(&(bytes, tasks, fds))
}

fn no_runtime() -> Answer {
    Answer::refusal(
        503,
        "no runtime known: call serve() inside the runtime, or tasks::install on its builder",
    )
}

fn json(value: &impl Serialize) -> Result<Answer, Answer> {
    match serde_json::to_string(value) {
        Ok(body) => Ok(Answer { status: 200, body }),
        Err(error) => Err(Answer::refusal(500, &error.to_string())),
    }
}

fn number(request: &Request, name: &str, default: u64) -> Result<u64, Answer> {
    let Some(found) = request.parameter(name) else { return Ok(default) };
    let refusal = |_| Answer::refusal(400, &format!("`{name}` must be a whole number, found `{found}`"));
    found.parse().map_err(refusal)
}

fn numbers(request: &Request, name: &str) -> Result<Vec<u32>, Answer> {
    let Some(found) = request.parameter(name) else { return Ok(Vec::new()) };
    let refusal =
        |_| Answer::refusal(400, &format!("`{name}` must be whole numbers with commas, found `{found}`"));
    found.split(',').map(str::parse).collect::<Result<_, _>>().map_err(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_opens() {
        assert!(may_ask(None, None));
        assert!(may_ask(Some("s3cret"), Some("s3cret")));
        for wrong in [None, Some(""), Some("s3cre"), Some("s3crets"), Some("S3cret")] {
            assert!(!may_ask(wrong, Some("s3cret")), "{wrong:?}");
        }
    }
}
