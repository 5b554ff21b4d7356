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

use super::HttpSide;
use super::connection::Cut;
use super::events::EventStream;
use super::json::{AllReadings, Health, Reading};
use crate::hub::ConsumerKind;
use crate::observe::metrics;

/// The routes over a gateway's state.
pub fn router(side: &Arc<HttpSide>) -> Router {
    Router::new()
        .route("/values", get(all_values))
        .route("/values/{station}/{tag}", get(one_value))
        .route("/health", get(health))
        .route("/metrics", get(prometheus))
        .route("/events", get(events))
        .layer(middleware::from_fn_with_state(Arc::clone(side), count))
        .with_state(Arc::clone(side))
}

async fn count(State(side): State<Arc<HttpSide>>, request: Request, next: Next) -> Response {
    side.shared.meters.http_requests.up();
    next.run(request).await
}

async fn all_values(State(side): State<Arc<HttpSide>>) -> Response {
    Json(AllReadings(&side.shared)).into_response()
}

async fn one_value(
    State(side): State<Arc<HttpSide>>,
    Path((station, tag)): Path<(String, String)>,
) -> Response {
    let Some(found) = side.shared.stations.find(&station) else { return no_station(&side, &station) };
    let Some(tag) = found.tag(&tag) else { return no_tag(&station, &tag) };
    Json(Reading::of(&found.cache.read(tag))).into_response()
}

async fn health(State(side): State<Arc<HttpSide>>) -> Response {
    Json(Health(&side.shared)).into_response()
}

async fn prometheus(State(side): State<Arc<HttpSide>>) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render(&side.shared)).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    station: Option<String>,
}

async fn events(
    State(side): State<Arc<HttpSide>>,
    Extension(Cut(cut)): Extension<Cut>,
    Query(query): Query<EventsQuery>,
) -> Response {
    if let Some(name) = &query.station
        && side.shared.stations.find(name).is_none()
    {
        return no_station(&side, name);
    }
    let outbox = side.shared.parts.delivery.open(side.config.events.limits());
    let Some(subscription) = side.shared.hub.subscribe(ConsumerKind::Stream, query.station, outbox, cut)
    else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "every event stream is taken: try again later");
    };
    let stream = EventStream::new(subscription, side.config.events.keep_alive);
    let head = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (head, Body::from_stream(stream)).into_response()
}

fn no_station(side: &HttpSide, name: &str) -> Response {
    let stations = side.shared.stations.list();
    let known: Vec<&str> = stations.iter().map(|station| station.config.name.as_str()).take(20).collect();
    refuse(StatusCode::NOT_FOUND, &format!("no station `{name}`; there are: {}", known.join(", ")))
}

fn no_tag(station: &str, tag: &str) -> Response {
    refuse(StatusCode::NOT_FOUND, &format!("station `{station}` has no tag `{tag}`"))
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
