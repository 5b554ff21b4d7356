//! Slots: few, counted, and always given back.

use s7_sim::{Faults, Plc, PlcConfig, Refusal, SessionEnd, SlotsByType};
use s7_wire::{Connection, Disconnect, Message, Tsap};

use crate::client::{Client, plc};

#[tokio::test(start_paused = true)]
async fn a_full_plc_refuses_by_dr_and_serves_again_when_a_slot_is_free() {
    let plc = plc(PlcConfig { slots: 2, ..PlcConfig::default() });
    let (first, _second) = (Client::ready(&plc).await, Client::ready(&plc).await);

    let mut third = Client::dial(&plc);
    third.send_connect().await;
    let refusal = Disconnect { destination: 1, source: 0, reason: Disconnect::CONGESTION };
    assert_eq!(third.message().await, Some(Message::DisconnectRequest(refusal)));
    assert_eq!(third.message().await, None);
    assert!(matches!(third.end().await, SessionEnd::Refused { .. }));

    let Client { stream, session, .. } = first;
    drop(stream);
    assert!(matches!(session.await.unwrap(), SessionEnd::Closed));
    let _fourth = Client::ready(&plc).await;
    let stats = plc.stats();
    assert_eq!((stats.sessions, stats.sessions_peak, stats.sessions_opened, stats.refused), (2, 2, 3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_full_plc_can_refuse_by_closing() {
    let plc = plc(PlcConfig { slots: 1, refusal: Refusal::Close, ..PlcConfig::default() });
    let _first = Client::connect(&plc).await;
    let mut second = Client::dial(&plc);
    second.send_connect().await;
    assert_eq!(second.message().await, None);
    assert_eq!(plc.stats().refused, 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_dropped_frees_its_slot_at_once() {
    let plc = plc(PlcConfig { slots: 1, ..PlcConfig::default() });
    let client = Client::ready(&plc).await;
    assert_eq!((plc.stats().sessions, plc.stats().connections), (1, 1));
    client.session.abort();
    assert!(client.session.await.unwrap_err().is_cancelled());
    assert_eq!((plc.stats().sessions, plc.stats().connections), (0, 0));
    Client::ready(&plc).await;
}

#[tokio::test(start_paused = true)]
async fn half_made_connections_are_bounded_and_hold_no_slot() {
    let plc = plc(PlcConfig { half_made_max: 2, ..PlcConfig::default() });
    let (first, _second) = (Client::dial(&plc), Client::dial(&plc));
    tokio::task::yield_now().await;
    assert_eq!((plc.stats().connections, plc.stats().sessions), (2, 0));
    let mut third = Client::dial(&plc);
    assert_eq!(third.message().await, None);
    assert_eq!((plc.stats().connections, plc.stats().refused), (2, 1));
    drop(first.stream);
    first.session.await.unwrap();
    Client::ready(&plc).await;
}

#[tokio::test(start_paused = true)]
async fn a_knob_refuses_everybody_until_it_is_turned_back() {
    let plc = plc(PlcConfig::default());
    plc.set_faults(Faults { refuse: Some(Refusal::Close), ..Faults::default() });
    let mut client = Client::dial(&plc);
    client.send_connect().await;
    assert_eq!(client.message().await, None);
    plc.set_faults(Faults::default());
    Client::ready(&plc).await;
}

/// A client whose CR calls this connection type, with the CR sent.
async fn calling(plc: &Plc, connection: u8) -> Client {
    let mut client = Client::dial(plc);
    let request = Connection::request(Tsap::two(1, 0), Tsap::two(connection, 1));
    client.send_with(|out| request.encode_request(out)).await;
    client
}

async fn is_confirmed(client: &mut Client) -> bool {
    matches!(client.message().await, Some(Message::ConnectConfirm(_)))
}

#[tokio::test(start_paused = true)]
async fn each_connection_type_has_its_own_limit_beside_the_total() {
    let slots_by_type = SlotsByType { pg: Some(1), op: Some(0), basic: None };
    let plc = plc(PlcConfig { slots: 3, slots_by_type, ..PlcConfig::default() });
    let mut clients = Vec::new();
    for (connection, confirmed) in [(1, true), (1, false), (2, false), (3, true), (0x10, true), (3, false)] {
        let mut client = calling(&plc, connection).await;
        assert_eq!(is_confirmed(&mut client).await, confirmed, "type {connection}");
        clients.push(client);
    }
    let stats = plc.stats();
    assert_eq!((stats.sessions_pg, stats.sessions_op, stats.sessions_basic, stats.sessions), (1, 0, 1, 3));
    assert_eq!((stats.refused, stats.refused_type_full, stats.refused_full), (3, 2, 1));
    let pg = clients.remove(0);
    drop(pg.stream);
    pg.session.await.unwrap();
    let mut next = calling(&plc, 1).await;
    assert!(is_confirmed(&mut next).await, "a type's slot comes back with its session");
}

#[tokio::test(start_paused = true)]
async fn sessions_are_listed_and_ended_from_outside() {
    let plc = plc(PlcConfig::default());
    let (first, _second) = (Client::ready(&plc).await, Client::ready(&plc).await);
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let list = plc.sessions();
    assert_eq!((list.total, list.sessions[0].id, list.sessions[1].id), (2, 1, 2));
    assert_eq!((list.sessions[0].age.as_secs(), list.sessions[0].requests), (3, 1));
    assert!(plc.end_session(1));
    assert!(matches!(first.end().await, SessionEnd::Ended));
    assert!(!plc.end_session(1));
    assert_eq!((plc.sessions().total, plc.stats().sessions), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_write_is_ended_from_outside_as_well() {
    let plc = plc(PlcConfig::default());
    let mut client = Client::ready(&plc).await;
    let mut jobs = bytes::BytesMut::new();
    for reference in 0..1000 {
        s7_wire::encode_read_request(&mut jobs, reference, &[s7_wire::Item::db_bytes(2, 0, 400)]).unwrap();
    }
    client.send(&jobs).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(plc.end_session(1));
    assert!(matches!(client.end().await, SessionEnd::Ended));
}
