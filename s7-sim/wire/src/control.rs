//! PLC control: start, stop, and the other program invocation (PI) services.

use bytes::BytesMut;

use crate::block::BlockName;
use crate::code::HeaderError;
use crate::pdu::{PduWriter, Rosctr};

/// A program invocation service.
pub const FUNCTION_PI_SERVICE: u8 = 0x28;
/// Stop the PLC.
pub const FUNCTION_STOP: u8 = 0x29;

/// Status of a start that found the PLC running.
pub const ALREADY_RUNNING: u8 = 0x03;
/// Status of a stop that found it stopped.
pub const ALREADY_STOPPED: u8 = 0x07;

/// The service that starts and stops programs.
const PROGRAM: &[u8] = b"P_PROGRAM";
/// What a PI service's parameters begin with, after the function byte.
const PI_HEAD: [u8; 7] = [0, 0, 0, 0, 0, 0, 0xfd];
/// What asks for a cold start.
const COLD: &[u8] = b"C ";
/// Blocks that one service may name.
const BLOCKS_MAX: usize = 32;

/// What a client wants of the PLC as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Start: memory stays as it is.
    HotStart,
    /// Start from initial values.
    ColdStart,
    /// Stop.
    Stop,
    /// `_INSE`: link loaded blocks in.
    Insert(Vec<BlockName>),
    /// `_DELE`: delete blocks.
    Delete(Vec<BlockName>),
    /// `_GARB`: compress the memory.
    Compress,
    /// `_MODU`: copy RAM to ROM.
    CopyRamToRom,
}

impl Control {
    /// Reads a control job; `None` for a service that is not known, or one that does not hold together.
    pub fn decode(parameter: &[u8]) -> Option<Self> {
        match *parameter {
            [FUNCTION_STOP, _, _, _, _, _, length, ref name @ ..] => {
                (usize::from(length) == name.len() && name == PROGRAM).then_some(Self::Stop)
            }
            [FUNCTION_PI_SERVICE, _, _, _, _, _, _, _, hi, lo, ref rest @ ..] => {
                let (argument, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([hi, lo])))?;
                let (&length, service) = rest.split_first()?;
                (usize::from(length) == service.len()).then(|| Self::service(service, argument))?
            }
            _ => None,
        }
    }

    fn service(service: &[u8], argument: &[u8]) -> Option<Self> {
        match service {
            PROGRAM if argument.is_empty() => Some(Self::HotStart),
            PROGRAM if argument == COLD => Some(Self::ColdStart),
            b"_INSE" => blocks(argument).map(Self::Insert),
            b"_DELE" => blocks(argument).map(Self::Delete),
            b"_GARB" => Some(Self::Compress),
            b"_MODU" => Some(Self::CopyRamToRom),
            _ => None,
        }
    }

    /// The function byte, which its answer repeats.
    pub const fn function(&self) -> u8 {
        match self {
            Self::Stop => FUNCTION_STOP,
            _ => FUNCTION_PI_SERVICE,
        }
    }

    /// Appends the job as one packet.
    pub fn encode(&self, out: &mut BytesMut, reference: u16) {
        let mut writer = PduWriter::begin(out, Rosctr::Job, reference, HeaderError::NONE);
        match self {
            Self::Stop => {
                writer.put(&[FUNCTION_STOP, 0, 0, 0, 0, 0, PROGRAM.len() as u8]);
                writer.put(PROGRAM);
            }
            Self::HotStart => put_service(&mut writer, &[], PROGRAM),
            Self::ColdStart => put_service(&mut writer, COLD, PROGRAM),
            Self::Insert(blocks) => put_service(&mut writer, &named(blocks), b"_INSE"),
            Self::Delete(blocks) => put_service(&mut writer, &named(blocks), b"_DELE"),
            Self::Compress => put_service(&mut writer, &[], b"_GARB"),
            Self::CopyRamToRom => put_service(&mut writer, b"EP", b"_MODU"),
        }
        writer.finish().expect("at most 32 names of eight bytes fit every packet");
    }
}

/// Appends the answer to a control job; `status` stands where the PLC was already as asked.
pub fn encode_control_answer(out: &mut BytesMut, reference: u16, function: u8, status: Option<u8>) {
    let mut writer = PduWriter::begin(out, Rosctr::AckData, reference, HeaderError::NONE);
    writer.put(&[function]);
    writer.put(status.as_slice());
    writer.finish().expect("two bytes fit every packet");
}

fn put_service(writer: &mut PduWriter<'_>, argument: &[u8], service: &[u8]) {
    writer.put(&[FUNCTION_PI_SERVICE]);
    writer.put(&PI_HEAD);
    writer.put(&(argument.len() as u16).to_be_bytes());
    writer.put(argument);
    writer.put(&[service.len() as u8]);
    writer.put(service);
}

/// Count, a zero, and the names.
fn named(blocks: &[BlockName]) -> Vec<u8> {
    let blocks = &blocks[..blocks.len().min(BLOCKS_MAX)];
    let names = blocks.iter().flat_map(|block| block.encode());
    [blocks.len() as u8, 0].into_iter().chain(names).collect()
}

fn blocks(argument: &[u8]) -> Option<Vec<BlockName>> {
    let &[count, _zero, ref names @ ..] = argument else { return None };
    let (names, []) = names.as_chunks::<{ BlockName::BYTES }>() else { return None };
    if usize::from(count) != names.len() || names.len() > BLOCKS_MAX {
        return None;
    }
    names.iter().map(|name| BlockName::decode(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{BlockType, FileSystem};
    use crate::decoder::{Decoder, Message};

    fn parameter(control: &Control) -> Vec<u8> {
        let mut out = BytesMut::new();
        control.encode(&mut out, 1);
        let Some(Message::Pdu(pdu)) = Decoder::new().decode(&mut out).unwrap() else { panic!("a whole PDU") };
        pdu.parameter.to_vec()
    }

    #[test]
    fn every_service_survives_the_wire_and_none_survives_a_cut() {
        let db = BlockName { kind: BlockType::Db, number: 7, file_system: FileSystem::Passive };
        let all = [
            Control::HotStart,
            Control::ColdStart,
            Control::Stop,
            Control::Insert(vec![db]),
            Control::Delete(vec![db, BlockName { number: 8, ..db }]),
            Control::Compress,
            Control::CopyRamToRom,
        ];
        for control in all {
            let found = parameter(&control);
            assert_eq!(Control::decode(&found), Some(control.clone()));
            for cut in 0..found.len() {
                assert_eq!(Control::decode(&found[..cut]), None, "{control:?} cut to {cut}");
            }
        }
    }

    #[test]
    fn a_stop_has_the_bytes_that_tools_send() {
        assert_eq!(parameter(&Control::Stop), *b"\x29\x00\x00\x00\x00\x00\x09P_PROGRAM");
        assert_eq!(parameter(&Control::HotStart), *b"\x28\x00\x00\x00\x00\x00\x00\xfd\x00\x00\x09P_PROGRAM");
    }
}
