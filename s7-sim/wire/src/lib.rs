//! Codec for S7 communication, without I/O: bytes in, values out, and back.
//!
//! Both ends use it. A client encodes with [`Connection::encode_request`], [`Setup::encode_request`],
//! [`encode_read_request`] and [`encode_write_request`], and reads what comes back with [`Decoder`] and [`Answer`].
//! A server reads with [`Decoder`] and [`Job`], and answers with [`Connection::encode_confirm`], [`Setup::encode_answer`],
//! [`ReadAnswerWriter`], [`WriteAnswerWriter`] and [`encode_refusal`].
//!
//! Encoders append to the caller's buffer and allocate nothing else; decoded payloads are slices of the packet. Every length that
//! a peer states has a bound. Nothing here panics on what a peer sends.
//!
//! ```
//! use bytes::BytesMut;
//! use s7_wire::{Decoder, Item, Message, encode_read_request};
//!
//! let mut wire = BytesMut::new();
//! encode_read_request(&mut wire, 7, &[Item::db_bytes(99, 0, 4)])?;
//!
//! // Bytes come as TCP brings them: half a packet is no message yet.
//! let mut decoder = Decoder::new();
//! let mut received = wire.split_to(10);
//! assert!(decoder.decode(&mut received)?.is_none());
//! received.unsplit(wire);
//! let Some(Message::Pdu(job)) = decoder.decode(&mut received)? else { panic!("a whole job") };
//! assert_eq!(job.reference, 7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In reading order, from the wire upwards: [`tpkt`], [`tsap`], [`cotp`], [`decoder`], [`pdu`], [`code`], [`job`], [`setup`],
//! [`area`], [`item`], [`read`], [`write`](mod@write), [`size`], [`value`], [`address`]; beside variables, [`block`],
//! [`transfer`], [`control`] and [`userdata`].

pub mod address;
pub mod area;
pub mod block;
pub mod code;
pub mod control;
pub mod cotp;
pub mod decoder;
pub mod item;
pub mod job;
pub mod pdu;
pub mod read;
pub mod setup;
pub mod size;
pub mod tpkt;
pub mod transfer;
pub mod tsap;
pub mod userdata;
pub mod value;
pub mod write;

mod byte_enum;

pub use address::{Address, AddressError, Region};
pub use area::{Area, DataTransport, TransportSize};
pub use block::{BlockName, BlockType, FileSystem};
pub use code::{ErrorWord, HeaderError, ReturnCode};
pub use control::Control;
pub use cotp::{Connection, Disconnect, TpduSize};
pub use decoder::{DecodeError, Decoder, Message};
pub use item::{ITEMS_MAX, Item, Items};
pub use job::{Answer, AnswerError, Job, JobError};
pub use pdu::{Pdu, Rosctr, encode_refusal};
pub use read::{
    EncodeError, ItemData, ItemDataList, ItemError, ReadAnswer, ReadAnswerWriter, ReadRequest,
    encode_read_request,
};
pub use setup::Setup;
pub use size::Budget;
pub use transfer::TransferJob;
pub use tsap::{ConnectionType, Tsap};
pub use userdata::{Group, Userdata};
pub use value::{DataError, DataType, DataValue, Shape, Value, ValueError, ValueType};
pub use write::{WriteAnswer, WriteAnswerWriter, WriteItem, WriteRequest, encode_write_request};

/// The README's examples compile and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
