//! The table of requests beside a list of what became of each key.

use std::collections::BTreeSet;
use std::task::Poll;

use gateway_lifecycle::PendingTable;
use gateway_lifecycle::pending::{Counts, Full, Limits, Lost, Replied, Ticket};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::wakes::{Polled, config};

const LIMITS: Limits = Limits { waiting: 4, keys: 7 };

#[derive(Debug, Clone, Copy)]
enum Do {
    Register,
    Reply(usize),
    ReplyToNobody,
    Poll(usize),
    Expire(usize),
    Withdraw(usize),
    Drop(usize),
    Skip(usize),
    ForgetAll,
}

fn operation() -> impl Strategy<Value = Do> {
    prop_oneof![
        6 => Just(Do::Register),
        4 => any::<usize>().prop_map(Do::Reply),
        1 => Just(Do::ReplyToNobody),
        4 => any::<usize>().prop_map(Do::Poll),
        2 => any::<usize>().prop_map(Do::Expire),
        1 => any::<usize>().prop_map(Do::Withdraw),
        2 => any::<usize>().prop_map(Do::Drop),
        1 => any::<usize>().prop_map(Do::Skip),
        1 => Just(Do::ForgetAll),
    ]
}

/// A request that is not given up.
struct Request {
    key: u16,
    ticket: Polled<Ticket<u32>>,
    is_polled: bool,
    answer: Option<u32>,
    is_over: bool,
}

impl Request {
    fn end(&self) -> Option<Result<u32, Lost>> {
        self.answer.map(Ok).or(self.is_over.then_some(Err(Lost::SessionOver)))
    }

    fn is_waiting(&self) -> bool {
        self.end().is_none()
    }
}

#[derive(Default)]
struct Reference {
    requests: Vec<Request>,
    quarantined: BTreeSet<u16>,
    answers: u32,
}

impl Reference {
    fn take(&mut self, which: usize) -> Option<Request> {
        let count = self.requests.len();
        if count == 0 { None } else { Some(self.requests.swap_remove(which % count)) }
    }

    /// One of the keys that a peer could name.
    fn key(&self, which: usize) -> Option<u16> {
        let keys = self.requests.iter().map(|request| request.key).chain(self.quarantined.iter().copied());
        let keys: Vec<u16> = keys.collect();
        keys.get(which.checked_rem(keys.len())?).copied()
    }

    fn counts(&self) -> Counts {
        Counts {
            waiting: self.requests.iter().filter(|request| request.is_waiting()).count(),
            answered: self.requests.iter().filter(|request| request.answer.is_some()).count(),
            quarantined: self.quarantined.len(),
        }
    }

    /// The newest of those that had this key: an older one knows its end already.
    fn named(&mut self, key: u16) -> Option<&mut Request> {
        self.requests.iter_mut().find(|request| request.key == key && !request.is_over)
    }

    fn step(&mut self, table: &PendingTable<u32>, operation: Do) {
        match operation {
            Do::Register => self.register(table),
            Do::Reply(which) => self.key(which).into_iter().for_each(|key| self.reply(table, key)),
            Do::ReplyToNobody => {
                let is_free = |key: &u16| self.requests.iter().all(|request| request.key != *key);
                let key = (0..).find(|key| is_free(key) && !self.quarantined.contains(key));
                let key = key.expect("a handful are in use");
                assert_eq!(table.reply(key, 0), Replied::Unknown(0));
            }
            Do::Poll(which) => self.poll(which),
            Do::Expire(which) => {
                let Some(request) = self.take(which) else { return };
                let expected = request.end().unwrap_or(Err(Lost::Expired));
                self.quarantined.extend(request.is_waiting().then_some(request.key));
                let (ticket, is_forgotten) = request.ticket.into_parts();
                assert_eq!(ticket.expire(), expected);
                assert!(is_forgotten());
            }
            Do::Withdraw(which) => self.take(which).into_iter().for_each(|request| {
                let (ticket, is_forgotten) = request.ticket.into_parts();
                ticket.withdraw();
                assert!(is_forgotten());
            }),
            Do::Drop(which) => {
                let Some(request) = self.take(which) else { return };
                self.quarantined.extend(request.is_waiting().then_some(request.key));
                let (ticket, is_forgotten) = request.ticket.into_parts();
                drop(ticket);
                assert!(is_forgotten());
            }
            Do::Skip(which) => {
                let Some(key) = self.key(which) else { return };
                let is_waiting = self.named(key).is_some_and(|request| request.is_waiting());
                assert_eq!(table.is_waiting(key), is_waiting);
                assert_eq!(table.skip_abandoned(key), self.quarantined.remove(&key));
            }
            Do::ForgetAll => {
                table.forget_all();
                self.quarantined.clear();
                let waiting = self.requests.iter_mut().filter(|request| request.is_waiting());
                waiting.for_each(|request| request.is_over = true);
            }
        }
    }

    fn register(&mut self, table: &PendingTable<u32>) {
        let Counts { waiting, answered, quarantined } = self.counts();
        match table.register() {
            Ok(ticket) => {
                let key = ticket.key();
                assert!(
                    waiting + answered < LIMITS.waiting && waiting + answered + quarantined < LIMITS.keys
                );
                assert!(self.named(key).is_none() && !self.quarantined.contains(&key), "{key} is in use");
                let ticket = Polled::new(ticket);
                self.requests.push(Request { key, ticket, is_polled: false, answer: None, is_over: false });
            }
            Err(Full::Waiting { waiting: found }) => {
                assert_eq!((found, found), (waiting + answered, LIMITS.waiting));
            }
            Err(Full::Quarantine { quarantined: found }) => {
                assert_eq!((found, waiting + answered + found), (quarantined, LIMITS.keys));
            }
        }
    }

    fn reply(&mut self, table: &PendingTable<u32>, key: u16) {
        self.answers += 1;
        let answer = self.answers;
        let is_late = self.quarantined.remove(&key);
        let expected = match self.named(key).filter(|request| request.is_waiting()) {
            Some(request) => {
                request.answer = Some(answer);
                Replied::Delivered
            }
            None if is_late => Replied::Late(answer),
            None => Replied::Unknown(answer),
        };
        assert_eq!(table.reply(key, answer), expected);
    }

    fn poll(&mut self, which: usize) {
        let Some(mut request) = self.take(which) else { return };
        let end = request.end();
        assert_eq!(request.ticket.poll(), end.map_or(Poll::Pending, Poll::Ready));
        if end.is_none() {
            request.is_polled = true;
            self.requests.push(request);
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn each_request_ends_once(first_key: u16, operations in vec(operation(), 0..80)) {
        let table = PendingTable::new(LIMITS, first_key);
        let mut reference = Reference::default();
        for operation in operations {
            reference.step(&table, operation);
            prop_assert_eq!(table.counts(), reference.counts());
            for request in reference.requests.iter().filter(|request| request.is_polled) {
                prop_assert_eq!(request.ticket.is_woken(), !request.is_waiting());
                prop_assert_eq!(request.ticket.is_forgotten(), !request.is_waiting());
            }
        }
        reference.requests.clear();
        table.forget_all();
        prop_assert_eq!(table.counts(), Counts::default());
    }
}

#[test]
fn a_key_in_quarantine_is_passed_over_when_all_keys_have_had_their_turn() {
    let table = PendingTable::<()>::new(LIMITS, 5);
    let given_up = table.register().unwrap().key();
    for _ in 0..=u16::MAX {
        let ticket = table.register().unwrap();
        assert_ne!(ticket.key(), given_up);
        ticket.withdraw();
    }
    assert_eq!(table.reply(given_up, ()), Replied::Late(()));
}

#[test]
fn errors_say_what_to_do() {
    let table = PendingTable::<()>::new(Limits { waiting: 1, keys: 1 }, 0);
    let ticket = table.register().unwrap();
    assert_eq!(
        table.register().unwrap_err().to_string(),
        "1 requests wait for their answers, as many as may: wait for one of them"
    );
    drop(ticket);
    assert_eq!(
        table.register().unwrap_err().to_string(),
        "1 answers are overdue, as many as may: the peer does not answer, end the session"
    );
}

#[test]
#[should_panic(expected = "5 may wait, at 4 keys of 32768")]
fn limits_that_could_not_be_kept_are_refused() {
    let _ = PendingTable::<()>::new(Limits { waiting: 5, keys: 4 }, 0);
}
