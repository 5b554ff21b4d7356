//! Block lists and block information: the data blocks there are, and the code blocks the configuration names.

use bytes::Bytes;
use s7_wire::block::ImageHeader;
use s7_wire::userdata::Userdata;
use s7_wire::userdata::blocks::{self, BlockInfo, COUNT, INFO, LIST};
use s7_wire::{BlockType, ErrorWord, FileSystem};

use crate::plc::Plc;

/// Bytes of code that a code block claims to have; it has none.
const CODE_BYTES: u16 = 2;

pub(super) fn serve(plc: &Plc, request: &Userdata) -> Result<Bytes, ErrorWord> {
    match request.subfunction {
        COUNT => {
            Ok(blocks::encode_counts(|kind| u16::try_from(numbers(plc, kind).len()).unwrap_or(u16::MAX)))
        }
        LIST => {
            let kind = blocks::decode_list_request(&request.payload).ok_or(ErrorWord::CLOCK_VALUE)?;
            let numbers = numbers(plc, kind);
            if numbers.is_empty() {
                Err(ErrorWord::BLOCK_NOT_FOUND)
            } else {
                Ok(blocks::encode_list(kind, numbers))
            }
        }
        INFO => {
            let name = blocks::decode_info_request(&request.payload).ok_or(ErrorWord::CLOCK_VALUE)?;
            let number = u16::try_from(name.number).map_err(|_| ErrorWord::BLOCK_NOT_FOUND)?;
            let is_active = name.file_system != FileSystem::Passive;
            info(plc, name.kind, number)
                .filter(|_| is_active)
                .map(|info| info.encode())
                .ok_or(ErrorWord::BLOCK_NOT_FOUND)
        }
        _ => Err(ErrorWord::FUNCTION_UNAVAILABLE),
    }
}

/// The numbers of all blocks of a type, in order.
fn numbers(plc: &Plc, kind: BlockType) -> Vec<u16> {
    match kind {
        BlockType::Db => plc.memory().data_blocks().map(|(number, _)| number).collect(),
        code => plc.config().code_blocks.of(code).to_vec(),
    }
}

fn info(plc: &Plc, kind: BlockType, number: u16) -> Option<BlockInfo> {
    let (body_bytes, checksum) = match kind {
        BlockType::Db => {
            let memory = plc.memory();
            let body = memory.data_block(number)?;
            (body.len(), body.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte))))
        }
        code => {
            plc.config().code_blocks.of(code).contains(&number).then_some((usize::from(CODE_BYTES), 0))?
        }
    };
    Some(BlockInfo {
        kind,
        number,
        load_bytes: (ImageHeader::BYTES + body_bytes) as u32,
        body_bytes: u16::try_from(body_bytes).unwrap_or(u16::MAX),
        author: *b"S7-SIM\0\0",
        checksum,
    })
}
