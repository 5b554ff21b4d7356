//! The control API: what can be asked of a running rig. `harness/PROXY.md` describes it for its users.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use watertight::chaos::rig::{FaultState, ProxyState, Rig, RigError, read_fault, read_proxy};

use crate::proxy::guard::{self, Token};
use crate::proxy::problem::Problem;

/// The largest body of a request.
const BODY_BYTES_MAX: usize = 64 * 1024;

type Answer<T> = Result<T, Problem>;
type Body = Result<Bytes, BytesRejection>;

/// The whole API.
pub fn router(rig: Arc<Rig>, token: Option<Token>) -> Router {
    Router::new()
        .route("/v1/proxies", get(proxies))
        .route("/v1/proxies/{name}", get(proxy).put(add_proxy).delete(remove_proxy))
        .route("/v1/faults", get(faults).post(add_fault).delete(heal_all))
        .route("/v1/faults/{id}", get(fault).delete(heal))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .with_state(rig)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn_with_state(token, guard::check))
}

async fn proxies(State(rig): State<Arc<Rig>>) -> Json<Vec<ProxyState>> {
    Json(rig.proxies())
}

async fn proxy(State(rig): State<Arc<Rig>>, Path(name): Path<String>) -> Answer<Json<ProxyState>> {
    Ok(Json(rig.proxy(&name)?))
}

async fn add_proxy(State(rig): State<Arc<Rig>>, Path(name): Path<String>, body: Body) -> Answer<Response> {
    let spec = read_proxy(&body?)?;
    rig.add_proxy(&name, &spec).await?;
    Ok(created(&format!("/v1/proxies/{name}"), rig.proxy(&name)?))
}

async fn remove_proxy(State(rig): State<Arc<Rig>>, Path(name): Path<String>) -> Answer<StatusCode> {
    rig.remove_proxy(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn faults(State(rig): State<Arc<Rig>>) -> Json<Vec<FaultState>> {
    Json(rig.faults())
}

async fn fault(State(rig): State<Arc<Rig>>, Path(id): Path<String>) -> Answer<Json<FaultState>> {
    Ok(Json(rig.fault(number(&id)?)?))
}

async fn add_fault(State(rig): State<Arc<Rig>>, body: Body) -> Answer<Response> {
    let fault = read_fault(&body?)?;
    let id = rig.add_fault(&fault).map_err(|error| match error {
        // It is the body that names it, not the path.
        RigError::NoProxy { .. } => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        error => error.into(),
    })?;
    Ok(created(&format!("/v1/faults/{id}"), rig.fault(id)?))
}

async fn heal(State(rig): State<Arc<Rig>>, Path(id): Path<String>) -> Answer<StatusCode> {
    rig.heal(number(&id)?)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn heal_all(State(rig): State<Arc<Rig>>) -> Response {
    Json(json!({ "healed": rig.heal_all() })).into_response()
}

async fn unknown() -> Problem {
    let there_is = "/v1/proxies, /v1/proxies/{name}, /v1/faults, /v1/faults/{id}";
    Problem::new(StatusCode::NOT_FOUND, format!("nothing is here; there is: {there_is}"))
}

async fn not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this cannot be done here; `allow` says what can".to_owned())
}

fn number(id: &str) -> Answer<u64> {
    let found: String = id.chars().take(20).collect();
    let wrong =
        |_| Problem::new(StatusCode::NOT_FOUND, format!("expected the number of a fault, found `{found}`"));
    id.parse().map_err(wrong)
}

fn created(at: &str, state: impl serde::Serialize) -> Response {
    (StatusCode::CREATED, [(header::LOCATION, at)], Json(state)).into_response()
}
