//! What can be asked.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::time::timeout;

use super::json::{AllReadings, Health, Reading};
use super::refusal::Refusal;
use super::{HttpSide, events, websocket, writes};
use crate::observe::metrics;

/// The routes over a gateway's state.
pub fn router(side: &Arc<HttpSide>) -> Router {
    let router = Router::new()
        .route("/values", get(all_values).post(writes::batch))
        .route("/values/{station}/{tag}", get(one_value).put(writes::one).post(writes::one))
        .route("/health", get(health))
        .route("/metrics", get(prometheus))
        .route("/events", get(events::open))
        .route("/ws", get(websocket::open));
    #[cfg(feature = "probe")]
    let router = router.merge(super::debug::router(side));
    router.layer(middleware::from_fn_with_state(Arc::clone(side), in_time)).with_state(Arc::clone(side))
}

/// Counts requests, and ends those whose answer does not begin in time.
async fn in_time(State(side): State<Arc<HttpSide>>, request: Request, next: Next) -> Response {
    side.shared.meters.http_requests.up();
    let writes = matches!(*request.method(), Method::PUT | Method::POST);
    match timeout(side.config.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            let within = humantime::format_duration(side.config.request_timeout);
            let refusal =
                Refusal::unread(StatusCode::GATEWAY_TIMEOUT, format!("not answered within {within}"));
            // It may just have been begun.
            Refusal { may_have_been_written: writes.then_some(true), ..refusal }.into_response()
        }
    }
}

async fn all_values(State(side): State<Arc<HttpSide>>) -> Response {
    Json(AllReadings(&side.shared)).into_response()
}

async fn one_value(
    State(side): State<Arc<HttpSide>>,
    Path((station, tag)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let found = side.shared.stations.find(&station).ok_or_else(|| Refusal::no_station(&side, &station))?;
    let no_tag = || Refusal::new(StatusCode::NOT_FOUND, format!("station `{station}` has no tag `{tag}`"));
    let index = found.tag(&tag).ok_or_else(no_tag)?;
    Ok(Json(Reading::of(&found.cache, &found.cache.read(index))).into_response())
}

async fn health(State(side): State<Arc<HttpSide>>) -> Response {
    Json(Health(&side.shared)).into_response()
}

async fn prometheus(State(side): State<Arc<HttpSide>>) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render(&side.shared)).into_response()
}
