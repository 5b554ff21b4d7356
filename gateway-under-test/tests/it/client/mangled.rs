//! Answers changed at random: no panic, and no data of a wrong length.

use std::time::Duration;

use bytes::BytesMut;
use gateway_under_test::client::ReadResult;
use proptest::prelude::*;
use s7_wire::Item;

use super::peer::{Peer, config, put_right_answer, scripted};

/// One change to a stream of bytes.
#[derive(Debug, Clone)]
enum Mangle {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Truncate(prop::sample::Index),
    Again,
}

fn any_mangle() -> impl Strategy<Value = Mangle> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (index(), any::<u8>()).prop_map(|(at, byte)| Mangle::Set(at, byte)),
        // Small numbers, which lengths and counts are made of.
        4 => (index(), 0..8_u8).prop_map(|(at, byte)| Mangle::Set(at, byte)),
        1 => (index(), any::<u8>()).prop_map(|(at, byte)| Mangle::Insert(at, byte)),
        1 => index().prop_map(Mangle::Remove),
        1 => index().prop_map(Mangle::Truncate),
        1 => Just(Mangle::Again),
    ]
}

fn mangle(bytes: &mut Vec<u8>, change: &Mangle) {
    match change {
        Mangle::Again => bytes.extend_from_within(..),
        _ if bytes.is_empty() => {}
        Mangle::Set(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Mangle::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
        Mangle::Remove(at) => drop(bytes.remove(at.index(bytes.len()))),
        Mangle::Truncate(at) => bytes.truncate(at.index(bytes.len())),
    }
}

/// One change to what is answered: the answer stays well-formed.
#[derive(Debug, Clone)]
enum Lie {
    Length(prop::sample::Index, u16),
    Drop(prop::sample::Index),
    Add(u16),
    Reference(u16),
}

fn any_lie() -> impl Strategy<Value = Lie> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        3 => (index(), 0..40_u16).prop_map(|(at, bytes)| Lie::Length(at, bytes)),
        1 => index().prop_map(Lie::Drop),
        1 => (0..40_u16).prop_map(Lie::Add),
        1 => (0..3_u16).prop_map(Lie::Reference),
    ]
}

fn lie(reference: &mut u16, items: &mut Vec<Item>, lie: &Lie) {
    match lie {
        Lie::Add(bytes) => items.push(Item::db_bytes(5, 0, *bytes)),
        Lie::Reference(off) => *reference = reference.wrapping_add(*off),
        _ if items.is_empty() => {}
        Lie::Length(at, bytes) => {
            let at = at.index(items.len());
            items[at].count = *bytes;
        }
        Lie::Drop(at) => drop(items.remove(at.index(items.len()))),
    }
}

/// Two reads of `items`, the first of them answered with lies and then mangled; the results of each that gave any.
fn read_twice(items: Vec<Item>, lies: Vec<Lie>, changes: Vec<Mangle>) -> Vec<Vec<ReadResult>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a current-thread runtime").block_on(async move {
        let mut client = scripted(config(), 8, |mut peer: Peer| async move {
            let Some((mut reference, mut items)) = peer.read().await else { return };
            lies.iter().for_each(|change| lie(&mut reference, &mut items, change));
            let mut answer = BytesMut::new();
            put_right_answer(&mut answer, reference, &items);
            let mut answer = answer.to_vec();
            changes.iter().for_each(|change| mangle(&mut answer, change));
            peer.send(|out| out.extend_from_slice(&answer)).await;
            peer.serve().await;
        })
        .await;
        let mut results = Vec::new();
        for _ in 0..2 {
            results.extend(client.read(&items).await.ok());
        }
        results
    })
}

fn any_items() -> impl Strategy<Value = Vec<Item>> {
    let item =
        (1..9_u16, 0..99_u32, 1..30_u16).prop_map(|(db, start, count)| Item::db_bytes(db, start, count));
    prop::collection::vec(item, 1..6)
}

proptest! {
    #[test]
    fn mangled_answers_never_panic_and_never_are_data_of_another_length(
        items in any_items(),
        lies in prop::collection::vec(any_lie(), 0..3),
        changes in prop::collection::vec(any_mangle(), 0..3),
    ) {
        for results in read_twice(items.clone(), lies, changes) {
            prop_assert_eq!(results.len(), items.len());
            for (result, item) in results.into_iter().zip(&items) {
                if let Ok(data) = result {
                    prop_assert_eq!(data.len(), usize::from(item.count));
                }
            }
        }
    }

    #[test]
    fn any_bytes_at_all_end_in_an_error_or_in_a_timeout(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let read = runtime.expect("a current-thread runtime").block_on(async move {
            let mut client = scripted(config(), 8, |mut peer: Peer| async move {
                peer.message().await; // with the handshake's last answer they would spoil the handshake
                peer.send(|out| out.extend_from_slice(&bytes)).await;
                tokio::time::sleep(Duration::from_secs(3600)).await;
                drop(peer);
            })
            .await;
            client.read(&[Item::db_bytes(1, 0, 4)]).await
        });
        prop_assert!(read.is_err(), "{read:?}");
    }
}
