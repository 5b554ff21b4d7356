//! From an address to a connection on which jobs can be asked: over the network, then the handshake.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use s7_wire::ConnectionType;
use tokio::time::{Instant, timeout_at};

use crate::client::{Client, ClientConfig, ClientError, OnTimeout};
use crate::config::StationConfig;
use crate::net::{BoxStream, Net};
use crate::session::SessionError;
use crate::shared::Shared;

/// What comes of an attempt.
pub type Dialled = Result<Client<BoxStream>, SessionError>;

/// Sets up connections to PLCs.
pub trait Dial: Send + Sync {
    /// A new connection to the station's PLC, or an error by `deadline`. Requests are numbered from `first_reference`.
    ///
    /// Of an attempt that fails, or is dropped, nothing is left.
    fn dial<'d>(
        &'d self,
        shared: &'d Shared,
        config: &'d StationConfig,
        first_reference: u16,
        deadline: Instant,
    ) -> BoxFuture<'d, Dialled>;
}

/// The attempt owns its stream, and then the client does: whoever ends has closed it.
pub struct OwnsItsStream;

impl Dial for OwnsItsStream {
    fn dial<'d>(
        &'d self,
        shared: &'d Shared,
        config: &'d StationConfig,
        first_reference: u16,
        deadline: Instant,
    ) -> BoxFuture<'d, Dialled> {
        async move {
            let stream = reach(&*shared.net, config, deadline).await?;
            agree(stream, config, client_config(config, first_reference), deadline).await
        }
        .boxed()
    }
}

/// A stream to the PLC.
pub async fn reach(
    net: &dyn Net,
    config: &StationConfig,
    deadline: Instant,
) -> Result<BoxStream, SessionError> {
    let connecting = timeout_at(deadline, net.connect(&config.address)).await;
    connecting.map_err(|_elapsed| late(config))?.map_err(SessionError::Connect)
}

/// Shakes hands over a stream.
pub async fn agree(
    stream: BoxStream,
    config: &StationConfig,
    client: ClientConfig,
    deadline: Instant,
) -> Dialled {
    match Client::connect(stream, client, deadline).await {
        Err(ClientError::HandshakeTimeout { .. }) => Err(late(config)),
        client => Ok(client?),
    }
}

fn late(config: &StationConfig) -> SessionError {
    SessionError::ConnectTimeout(config.connect_timeout)
}

/// A gateway observes like an operator panel, and so leaves the programming device's slots alone. After a timeout it
/// starts afresh: what it wants is the latest value, and a new connection gives that sooner than an old answer.
pub fn client_config(config: &StationConfig, first_reference: u16) -> ClientConfig {
    ClientConfig {
        pdu_length: config.pdu_length,
        pipeline: config.pipeline,
        request_timeout: config.request_timeout,
        on_timeout: OnTimeout::Disconnect,
        first_reference,
        ..ClientConfig::new(ConnectionType::Op, config.rack, config.slot)
    }
}
