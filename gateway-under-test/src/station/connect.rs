//! A connection for a user of the pool: one that waits there, or a new one.

use s7_wire::ConnectionType;
use tokio::time::{Instant, timeout_at};

use super::Station;
use super::pool::{InUse, Leased, ToOpen};
use crate::client::{Client, ClientConfig, ClientError, OnTimeout};
use crate::config::StationConfig;
use crate::session::SessionError;
use crate::shared::Shared;

/// Gets a connection to the station's PLC, all within the connect timeout. Requests of a new one are numbered from
/// `first_reference`.
pub async fn connection<'s>(
    shared: &Shared,
    station: &'s Station,
    first_reference: u16,
) -> Result<InUse<'s>, SessionError> {
    let within = station.config.connect_timeout;
    let deadline = Instant::now() + within;
    let leased = timeout_at(deadline, station.pool.lease()).await;
    match leased.map_err(|_elapsed| SessionError::ConnectTimeout(within))? {
        Leased::Idle(connection) => {
            shared.meters.pool_hits.up();
            Ok(connection)
        }
        Leased::Vacant(place) => {
            shared.meters.pool_misses.up();
            open(shared, station, place, first_reference, deadline).await
        }
    }
}

async fn open<'s>(
    shared: &Shared,
    station: &'s Station,
    place: ToOpen<'s>,
    first_reference: u16,
    deadline: Instant,
) -> Result<InUse<'s>, SessionError> {
    let config = &station.config;
    let late = || SessionError::ConnectTimeout(config.connect_timeout);
    let connecting = timeout_at(deadline, shared.net.connect(&config.address)).await;
    let stream = connecting.map_err(|_elapsed| late())?.map_err(SessionError::Connect)?;
    let client = match Client::connect(stream, client_config(config, first_reference), deadline).await {
        Err(ClientError::HandshakeTimeout { .. }) => return Err(late()),
        client => client?,
    };
    Ok(place.opened(client))
}

/// A gateway observes like an operator panel, and so leaves the programming device's slots alone. After a timeout it
/// starts afresh: what it wants is the latest value, and a new connection gives that sooner than an old answer.
fn client_config(config: &StationConfig, first_reference: u16) -> ClientConfig {
    ClientConfig {
        pdu_length: config.pdu_length,
        pipeline: config.pipeline,
        request_timeout: config.request_timeout,
        on_timeout: OnTimeout::Disconnect,
        first_reference,
        ..ClientConfig::new(ConnectionType::Op, config.rack, config.slot)
    }
}
