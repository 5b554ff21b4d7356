//! What can be asked.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router, body::Body};
use serde::Deserialize;
use serde_json::json;

use super::connection::Cut;
use super::events::EventStream;
use super::json::{AllReadings, Health, Reading};
use super::metrics;
use crate::gateway::Shared;

/// The routes over a gateway's state.
pub fn router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/values", get(all_values))
        .route("/values/{station}/{tag}", get(one_value))
        .route("/health", get(health))
        .route("/metrics", get(prometheus))
        .route("/events", get(events))
        .layer(middleware::from_fn_with_state(Arc::clone(shared), count))
        .with_state(Arc::clone(shared))
}

async fn count(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    shared.meters.http_requests.up();
    next.run(request).await
}

async fn all_values(State(shared): State<Arc<Shared>>) -> Response {
    Json(AllReadings(&shared)).into_response()
}

async fn one_value(
    State(shared): State<Arc<Shared>>,
    Path((station, tag)): Path<(String, String)>,
) -> Response {
    let Some(index) = shared.station_index(&station) else { return no_station(&shared, &station) };
    let tags = &shared.config.stations[index].tags;
    let Some(tag_index) = tags.iter().position(|known| known.name == tag) else {
        return refuse(StatusCode::NOT_FOUND, &format!("station `{station}` has no tag `{tag}`"));
    };
    Json(Reading::of(&shared.cache.read(index, tag_index))).into_response()
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    Json(Health(&shared)).into_response()
}

async fn prometheus(State(shared): State<Arc<Shared>>) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render(&shared)).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    station: Option<String>,
}

async fn events(
    State(shared): State<Arc<Shared>>,
    Extension(Cut(cut)): Extension<Cut>,
    Query(query): Query<EventsQuery>,
) -> Response {
    let station = match &query.station {
        None => None,
        Some(name) => match shared.station_index(name) {
            Some(index) => Some(index),
            None => return no_station(&shared, name),
        },
    };
    let outbox = shared.parts.delivery.open(&shared.config.http);
    let Some(subscription) = shared.hub.subscribe(station, outbox, cut) else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "every event stream is taken: try again later");
    };
    let stream = EventStream::new(subscription, shared.config.http.events.keep_alive);
    let head = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (head, Body::from_stream(stream)).into_response()
}

fn no_station(shared: &Shared, name: &str) -> Response {
    let known: Vec<&str> =
        shared.config.stations.iter().map(|station| station.name.as_str()).take(20).collect();
    refuse(StatusCode::NOT_FOUND, &format!("no station `{name}`; there are: {}", known.join(", ")))
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
