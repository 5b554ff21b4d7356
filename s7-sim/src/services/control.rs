//! Start, stop, and what else is asked of the PLC as a whole.

use s7_wire::control::{ALREADY_RUNNING, ALREADY_STOPPED};
use s7_wire::{BlockName, BlockType, Control, ErrorWord};

use crate::plc::Plc;

/// Does it; the status of the answer where the PLC was already as asked.
pub(super) fn serve(plc: &Plc, control: &Control) -> Result<Option<u8>, ErrorWord> {
    match control {
        Control::HotStart => Ok((!plc.switch(true)).then_some(ALREADY_RUNNING)),
        Control::ColdStart => {
            let started = plc.switch(true);
            plc.reset_memory();
            Ok((!started).then_some(ALREADY_RUNNING))
        }
        Control::Stop => Ok((!plc.switch(false)).then_some(ALREADY_STOPPED)),
        Control::Insert(blocks) => each(blocks, |number| plc.memory().link_block(number)),
        Control::Delete(blocks) => each(blocks, |number| plc.memory().delete_block(number)),
        // There is no memory to compress and none to copy to; both end well on every PLC.
        Control::Compress | Control::CopyRamToRom => Ok(None),
    }
}

/// Does something to data blocks, the only ones that a simulated PLC holds.
fn each(blocks: &[BlockName], done: impl Fn(u16) -> bool) -> Result<Option<u8>, ErrorWord> {
    let known = |block: &BlockName| {
        (block.kind == BlockType::Db)
            .then(|| u16::try_from(block.number).ok())?
            .filter(|&number| done(number))
    };
    if blocks.iter().all(|block| known(block).is_some()) { Ok(None) } else { Err(ErrorWord::BLOCK_NOT_FOUND) }
}
