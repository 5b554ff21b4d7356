//! What is asked together goes out together.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use gateway_under_test::client::Client;
use s7_sim::{Plc, PlcConfig};
use s7_wire::{Area, Item};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::time::Instant;

use super::peer::{Peer, bytes_of, config, connect};
use crate::world::LINK_BYTES;

/// Counts the writes.
struct Counted(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_many_requests_is_a_write_for_each_pipeline_full() {
    let plc = Plc::new(PlcConfig { amq: 4, ..PlcConfig::default() }).expect("a sound configuration");
    let (ours, theirs) = duplex(LINK_BYTES);
    let serving = plc.clone();
    tokio::spawn(async move { drop(serving.serve(theirs).await) });
    let writes = Arc::new(AtomicUsize::new(0));
    let stream = Counted(ours, Arc::clone(&writes));
    let deadline = Instant::now() + Duration::from_secs(3);
    let mut client = Client::connect(stream, config(), deadline).await.expect("a connection");
    assert_eq!((client.agreed().pipeline, writes.load(Ordering::Relaxed)), (4, 2));
    // Twelve requests of twenty items each.
    let items: Vec<Item> = (0..240).map(|byte| Item::bit(Area::Merkers, 0, byte, 0)).collect();
    let results = client.read(&items).await.expect("a batch");
    assert!(results.iter().all(Result::is_ok));
    assert_eq!((plc.stats().requests, writes.load(Ordering::Relaxed)), (1 + 12, 2 + 3));
}

#[tokio::test(start_paused = true)]
async fn two_full_buffers_do_not_wait_for_each_other() {
    // Four requests are longer than the link, and so is each answer: who sends all before reading waits for ever.
    let (ours, theirs) = duplex(60);
    tokio::spawn(async move {
        let mut peer = Peer::new(theirs);
        peer.shake_hands(4).await;
        peer.serve().await;
    });
    let mut client = connect(ours, config()).await.expect("the peer shakes hands");
    let items: Vec<Item> = (0..8).map(|db| Item::db_bytes(db, 3, 90)).collect();
    let results = client.read(&items).await.expect("a batch");
    for (item, result) in items.iter().zip(results) {
        assert_eq!(result.as_ref().map(|data| &data[..]), Ok(&bytes_of(item)[..]));
    }
}
