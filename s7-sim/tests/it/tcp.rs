//! Over real TCP: what only a kernel can show.

use std::io::ErrorKind;
use std::time::Duration;

use s7_sim::{Plc, PlcConfig, Refusal, listener};
use s7_wire::{Connection, Tsap};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A client with its CR sent, at a PLC that refuses like this.
async fn refused(refusal: Refusal) -> (Plc, TcpStream) {
    let plc = Plc::new(PlcConfig::default()).unwrap();
    plc.update_faults(|faults| faults.refuse = Some(refusal));
    let listener = listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(listener::serve(plc.clone(), listener, CancellationToken::new()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = bytes::BytesMut::new();
    Connection::request(Tsap::two(1, 0), Tsap::two(1, 1)).encode_request(&mut request);
    stream.write_all(&request).await.unwrap();
    (plc, stream)
}

async fn read_to_end(stream: &mut TcpStream) -> Result<usize, ErrorKind> {
    let mut bytes = Vec::new();
    let read = timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await;
    read.expect("the PLC hangs up").map_err(|error| error.kind())
}

#[tokio::test]
async fn a_refusal_by_reset_is_an_rst() {
    let (plc, mut stream) = refused(Refusal::Reset).await;
    assert_eq!(read_to_end(&mut stream).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(plc.stats().refused_fault, 1);
}

#[tokio::test]
async fn a_refusal_by_close_is_an_end_without_a_byte_and_one_by_dr_has_eleven() {
    assert_eq!(read_to_end(&mut refused(Refusal::Close).await.1).await, Ok(0));
    assert_eq!(read_to_end(&mut refused(Refusal::Disconnect).await.1).await, Ok(11));
}

#[tokio::test]
async fn a_session_is_listed_with_its_clients_address() {
    let plc = Plc::new(PlcConfig::default()).unwrap();
    let listener = listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(listener::serve(plc.clone(), listener, CancellationToken::new()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = bytes::BytesMut::new();
    Connection::request(Tsap::two(1, 0), Tsap::two(1, 1)).encode_request(&mut request);
    stream.write_all(&request).await.unwrap();
    stream.read_exact(&mut [0; 22]).await.unwrap();
    assert_eq!(plc.sessions().sessions[0].peer, Some(stream.local_addr().unwrap()));
}
