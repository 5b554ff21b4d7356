//! TLS, over in-memory streams: for the HTTP side, and for sides that connect.

use std::path::Path;
use std::time::Duration;

use gateway_under_test::config::{Config, TlsClient, TlsServer};
use gateway_under_test::net::BoxStream;
use gateway_under_test::tls::{self, ClientTls, TlsError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::time::Instant;

use crate::world::{World, config, gauge, start, station, until};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

/// Writes the files of a server called `name`, as its authority has signed it.
fn issue(folder: &Path, name: &str, authority: &Authority) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    std::fs::write(folder.join("cert.pem"), certificate.pem()).expect("a temporary file");
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).expect("a temporary file");
    std::fs::write(folder.join("ca.pem"), authority.pem()).expect("a temporary file");
}

fn configured(folder: &Path) -> Config {
    let mut config = config(vec![station("press")]);
    let (cert_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
    config.http.tls = Some(TlsServer { cert_file, key_file });
    config
}

fn client(folder: &Path, name: &str) -> ClientTls {
    let config = TlsClient { ca_file: folder.join("ca.pem"), server_name: name.to_owned() };
    ClientTls::load(&config).expect("an authority")
}

async fn secured(world: &World, client: &ClientTls) -> Result<BoxStream, TlsError> {
    let deadline = Instant::now() + Duration::from_secs(60);
    tls::connect(Box::new(world.browse()), client, deadline).await
}

async fn health(mut stream: BoxStream) -> String {
    let request = b"GET /health HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("the gateway reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer, and an end that is said");
    answer
}

#[tokio::test(start_paused = true)]
async fn requests_over_tls_are_answered() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), authority());
    issue(folder.path(), "gateway.example", &authority);
    let world = World::new();
    let gateway = start(&world, configured(folder.path())).await;
    let stream = secured(&world, &client(folder.path(), "gateway.example")).await.expect("a handshake");
    let answer = health(stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_server_of_another_name_or_authority_is_not_trusted() {
    let (folder, ours) = (tempfile::tempdir().expect("a folder"), authority());
    issue(folder.path(), "gateway.example", &ours);
    let world = World::new();
    let gateway = start(&world, configured(folder.path())).await;
    let other_name = client(folder.path(), "other.example");
    std::fs::write(folder.path().join("ca.pem"), authority().pem()).expect("a temporary file");
    let other_authority = client(folder.path(), "gateway.example");
    for client in [other_name, other_authority] {
        let error = secured(&world, &client).await.err().expect("no trust");
        assert!(error.to_string().starts_with("tls handshake: invalid peer certificate"), "{error}");
    }
    until("no connection", || gauge(&gateway, "http_connections") == 0).await;
    assert_eq!(gauge(&gateway, "http_errors"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_shake_hands_is_cut_and_keeps_nobody_waiting() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), authority());
    issue(folder.path(), "gateway.example", &authority);
    let world = World::new();
    let config = configured(folder.path());
    let limit = config.http.header_timeout;
    let gateway = start(&world, config).await;
    let mut mute = world.browse();
    let began = Instant::now();
    let client = client(folder.path(), "gateway.example");
    let answer = health(secured(&world, &client).await.expect("a handshake")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(began.elapsed(), Duration::ZERO);
    mute.read_to_end(&mut Vec::new()).await.expect("an end");
    assert_eq!(began.elapsed().as_secs(), limit.as_secs());
    drop(gateway);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_shake_hands_is_given_up_at_the_deadline() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), authority());
    issue(folder.path(), "broker.example", &authority);
    let (ours, _theirs) = duplex(4096);
    let began = Instant::now();
    let deadline = began + Duration::from_secs(3);
    let client = client(folder.path(), "broker.example");
    let error = tls::connect(Box::new(ours), &client, deadline).await.err().expect("nobody answers");
    assert!(matches!(error, TlsError::TimedOut), "{error}");
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_new_certificate_holds_after_a_reload_for_new_connections() {
    let (folder, old) = (tempfile::tempdir().expect("a folder"), authority());
    issue(folder.path(), "gateway.example", &old);
    let world = World::new();
    let config = configured(folder.path());
    let gateway = start(&world, config.clone()).await;
    let old_client = client(folder.path(), "gateway.example");
    let kept = secured(&world, &old_client).await.expect("a handshake");
    issue(folder.path(), "gateway.example", &authority());
    gateway.reload(config.clone()).await.expect("a sound configuration");
    let new_client = client(folder.path(), "gateway.example");
    assert!(secured(&world, &old_client).await.is_err());
    assert!(secured(&world, &new_client).await.is_ok());
    assert!(health(kept).await.starts_with("HTTP/1.1 200"), "the old connection was not disturbed");
    std::fs::write(folder.path().join("key.pem"), "no key").expect("a temporary file");
    let error = gateway.reload(config).await.expect_err("no key").to_string();
    assert!(error.starts_with("http.tls: ") && error.contains("key.pem: no private key in it"), "{error}");
    assert!(secured(&world, &new_client).await.is_ok(), "it goes on with what it had");
}
