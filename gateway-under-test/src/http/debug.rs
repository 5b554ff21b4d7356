//! `/debug`: what the process holds, one by one, as the probe has it. Behind the gate, since it shows the inside.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use watertight_probe::tasks::DumpError;
use watertight_probe::{fds, frames, heap, tasks};

use super::refusal::Refusal;
use super::{HttpSide, gate};

/// Tasks, sites or descriptors in one answer.
const ROWS_MAX: usize = 1_000;
/// Lines of one call stack.
const FRAMES_MAX: usize = 32;
/// The longest that a dump may stop the runtime.
const DUMP_WITHIN: Duration = Duration::from_secs(2);

/// The routes; a request that may not see this gets no further than the gate.
pub fn router(side: &Arc<HttpSide>) -> Router<Arc<HttpSide>> {
    Router::new()
        .route("/debug/tasks", get(live_tasks))
        .route("/debug/heap", get(heap_by_site))
        .route("/debug/fds", get(open_fds))
        .route_layer(middleware::from_fn_with_state(Arc::clone(side), admitted))
}

async fn admitted(
    State(side): State<Arc<HttpSide>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    gate::admit(&side, request.headers())?;
    Ok(next.run(request).await)
}

/// A list that says so when it is not whole.
#[derive(Serialize)]
struct Rows<T> {
    rows: Vec<T>,
    left_off: usize,
}

impl<T> Rows<T> {
    fn of(mut rows: Vec<T>) -> Self {
        let left_off = rows.len().saturating_sub(ROWS_MAX);
        rows.truncate(ROWS_MAX);
        Self { rows, left_off }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TasksQuery {
    /// Whether to stop the runtime for a moment and see where each task waits.
    #[serde(default)]
    dump: bool,
}

async fn live_tasks(Query(query): Query<TasksQuery>) -> Result<Response, Refusal> {
    if query.dump {
        return match tasks::dump_here(DUMP_WITHIN).await {
            Ok(dumped) => Ok(Json(Rows::of(dumped)).into_response()),
            Err(error) => Err(no_dump(&error)),
        };
    }
    let rows = Rows::of(tasks::live());
    Ok(Json(json!({ "not_measured": tasks::why_not_tracked(), "tasks": rows })).into_response())
}

fn no_dump(error: &DumpError) -> Refusal {
    let status = match error {
        DumpError::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    Refusal::new(status, error.to_string())
}

#[derive(Serialize)]
struct Site {
    live_bytes: u64,
    live_blocks: u64,
    total_blocks: u64,
    tenant: u16,
    stack: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeapQuery {
    /// How many sites, those with the most bytes first.
    #[serde(default = "few")]
    top: usize,
}

fn few() -> usize {
    20
}

async fn heap_by_site(Query(query): Query<HeapQuery>) -> Response {
    // What this answer needs is the probe's, and must not be seen in it.
    let _probe = watertight_probe::Tenant::PROBE.enter();
    let mut sites = heap::sites();
    sites.sort_by_key(|site| (std::cmp::Reverse(site.live_bytes), site.id));
    let top = query.top.min(ROWS_MAX);
    let left_off = sites.len().saturating_sub(top);
    sites.truncate(top);
    let mut stacks = frames::resolve(sites.iter().map(|site| site.id));
    let rows = sites.iter().map(|site| Site {
        live_bytes: site.live_bytes,
        live_blocks: site.live_blocks,
        total_blocks: site.total_blocks,
        tenant: site.tenant,
        stack: stacks.remove(&site.id).unwrap_or_default().iter().take(FRAMES_MAX).map(frame).collect(),
    });
    let rows = Rows { rows: rows.collect::<Vec<_>>(), left_off };
    Json(json!({ "not_measured": heap::why_not_sites(), "live": heap::live(), "sites": rows }))
        .into_response()
}

fn frame(frame: &frames::Frame) -> String {
    format!("{} {}", frame.place(), frame.function)
}

async fn open_fds() -> Result<Response, Refusal> {
    let census = fds::census(None)
        .map_err(|error| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("no descriptors: {error}")))?;
    Ok(Json(Rows::of(census)).into_response())
}
