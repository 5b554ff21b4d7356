//! The PLCs' counters and knobs over HTTP: `/metrics` for Prometheus, `/stats` and `/faults` as JSON.

use std::io;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::faults::Faults;
use crate::plc::Plc;
use crate::stats::{PlcStats, prometheus};

/// Serves these PLCs' counters until `stop` is cancelled.
///
/// - `GET /metrics`: Prometheus text, one label `plc`.
/// - `GET /stats`: a list, one `{"name": .., "stats": ..}` for each PLC, in their order.
/// - `GET /faults/{index}`: a PLC's fault knobs; `PUT` sets them, absent ones to their defaults.
pub async fn serve(plcs: Arc<[Plc]>, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/stats", get(stats))
        .route("/faults/{index}", get(faults).put(set_faults))
        .with_state(plcs);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// One PLC in `/stats`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NamedStats {
    /// The PLC's name.
    pub name: String,
    /// Its counters.
    pub stats: PlcStats,
}

async fn metrics(State(plcs): State<Arc<[Plc]>>) -> Response {
    let text = prometheus(plcs.iter().map(|plc| (plc.config().name.as_str(), plc.stats())));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn stats(State(plcs): State<Arc<[Plc]>>) -> Json<Vec<NamedStats>> {
    let named = |plc: &Plc| NamedStats { name: plc.config().name.clone(), stats: plc.stats() };
    Json(plcs.iter().map(named).collect())
}

async fn faults(State(plcs): State<Arc<[Plc]>>, Path(index): Path<usize>) -> Result<Json<Faults>, NoSuchPlc> {
    Ok(Json(find(&plcs, index)?.faults()))
}

async fn set_faults(
    State(plcs): State<Arc<[Plc]>>,
    Path(index): Path<usize>,
    Json(faults): Json<Faults>,
) -> Result<StatusCode, NoSuchPlc> {
    find(&plcs, index)?.set_faults(faults);
    Ok(StatusCode::NO_CONTENT)
}

struct NoSuchPlc {
    found: usize,
    plcs: usize,
}

fn find(plcs: &[Plc], found: usize) -> Result<&Plc, NoSuchPlc> {
    plcs.get(found).ok_or(NoSuchPlc { found, plcs: plcs.len() })
}

impl IntoResponse for NoSuchPlc {
    fn into_response(self) -> Response {
        let Self { found, plcs } = self;
        let text = format!("there is no PLC {found}: expected an index below {plcs}\n");
        (StatusCode::NOT_FOUND, text).into_response()
    }
}
