//! A connection for a user of the pool: one that waits there, or a new one.

use tokio::time::{Instant, timeout_at};

use super::Station;
use super::pool::{InUse, Leased};
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
            let dialling = shared.parts.dial.dial(shared, &station.config, first_reference, deadline);
            Ok(place.opened(dialling.await?))
        }
    }
}
