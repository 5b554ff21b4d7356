//! Writes over HTTP: one, or a bounded batch; each answered once the PLC has confirmed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::{HttpSide, body, gate};
use crate::station::command;

/// Writes in one batch.
const BATCH_MAX: usize = 256;
/// Writes of one batch that wait at once: it must not take every place in a station's queue.
const BATCH_TOGETHER: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    value: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Addressed {
    station: String,
    tag: String,
    value: Value,
}

/// `PUT /values/{station}/{tag}`. A client that goes away while its write waits takes it back.
pub async fn one(
    State(side): State<Arc<HttpSide>>,
    Path((station, tag)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    gate::admit(&side, request.headers())?;
    let One { value } = body::read(&side.config, request).await?;
    match command::write(&side.shared, &station, &tag, &value).await {
        Ok(()) => Ok(Json(json!({ "written": true, "value": value })).into_response()),
        Err(error) => Err(Refusal::of_command(&error)),
    }
}

/// `POST /values`. The answers stand in the order of the writes, and so are the writes to one station begun.
pub async fn batch(State(side): State<Arc<HttpSide>>, request: Request) -> Result<Response, Refusal> {
    gate::admit(&side, request.headers())?;
    let wanted: Vec<Addressed> = body::read(&side.config, request).await?;
    if wanted.len() > BATCH_MAX {
        let why = format!("{} writes, a batch has at most {BATCH_MAX}", wanted.len());
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, why));
    }
    let writes = stream::iter(wanted).map(|wanted| write_addressed(&side, wanted));
    let results: Vec<Value> = writes.buffered(BATCH_TOGETHER).collect().await;
    Ok(Json(results).into_response())
}

async fn write_addressed(side: &HttpSide, wanted: Addressed) -> Value {
    let Addressed { station, tag, value } = wanted;
    match command::write(&side.shared, &station, &tag, &value).await {
        Ok(()) => json!({ "station": station, "tag": tag, "written": true, "value": value }),
        Err(error) => {
            let refusal = Refusal::of_command(&error);
            json!({
                "station": station, "tag": tag, "written": false,
                "status": refusal.status.as_u16(), "error": refusal.why,
                "may_have_been_written": refusal.may_have_been_written,
            })
        }
    }
}
